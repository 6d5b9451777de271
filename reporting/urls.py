from django.urls import path

from reporting import views

app_name = "reporting"
urlpatterns = [
    path("", views.report_list, name="list"),
    path("fetch/", views.fetch, name="fetch"),
    path("fetch/<uuid:pk>/", views.fetch_progress, name="fetch_progress"),
    path("client/<uuid:pk>/", views.client_panel, name="client_panel"),
    path("file/<uuid:pk>/", views.download, name="download"),
    path("<uuid:pk>/", views.report_detail, name="report_detail"),
]
