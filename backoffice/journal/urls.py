from django.urls import path

from backoffice.journal import approval_views, views

app_name = "journal"
urlpatterns = [
    path("", approval_views.approval_list, name="approval_list"),
    path("together/", approval_views.approval_batch, name="approval_batch"),
    path("<uuid:pk>/review/", approval_views.approval_detail, name="approval_detail"),
    path("<uuid:pk>/decide/", approval_views.approval_decide, name="approval_decide"),
    path("<uuid:pk>/evidence/", approval_views.evidence_add, name="evidence_add"),
    path("<uuid:pk>/evidence/<uuid:paper_pk>/", approval_views.evidence_file, name="evidence_file"),
    path("<uuid:pk>/", views.submission_detail, name="submission_detail"),
    path("<uuid:pk>/release/", views.submission_release, name="submission_release"),
    path("<uuid:pk>/give-up/", views.submission_give_up, name="submission_give_up"),
    path("<uuid:pk>/attest/", views.submission_attest, name="submission_attest"),
]
