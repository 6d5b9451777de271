from django.urls import path

from backoffice.journal import views

app_name = "journal"
urlpatterns = [
    path("", views.approval_list, name="approval_list"),
    path("<uuid:pk>/", views.submission_detail, name="submission_detail"),
    path("<uuid:pk>/release/", views.submission_release, name="submission_release"),
]
