from django.urls import path

from clients.views import applications, clients, drafts, maintenance, retention

app_name = "clients"
urlpatterns = [
    path("", clients.client_list, name="client_list"),
    path("export.csv", clients.client_export, name="client_export"),
    path("applications/", applications.board, name="application_board"),
    path("applications/new/", drafts.start, name="application_start"),
    path("applications/<uuid:pk>/", applications.detail, name="application_detail"),
    path("applications/<uuid:pk>/edit/<slug:section>/", drafts.edit, name="application_edit"),
    path("applications/<uuid:pk>/field/<slug:name>/", drafts.field, name="application_field"),
    path("applications/<uuid:pk>/submit/", drafts.submit, name="application_submit"),
    path("applications/<uuid:pk>/discard/", drafts.discard, name="application_discard"),
    path("applications/<uuid:pk>/tasks/<int:task_pk>/document/", applications.send_document, name="document_send"),
    path("maintenance/", maintenance.case_list, name="maintenance_list"),
    path("maintenance/<uuid:pk>/", maintenance.case_detail, name="maintenance_detail"),
    path("maintenance/<uuid:pk>/reveal/", maintenance.case_reveal, name="maintenance_reveal"),
    path("accounts/<uuid:pk>/alias/", maintenance.alias, name="account_alias"),
    path("accounts/<uuid:pk>/address/", maintenance.address, name="account_address"),
    path("accounts/<uuid:pk>/portal/", clients.open_portal, name="account_portal"),
    path("portal/<uuid:pk>/", clients.portal_wait, name="portal_wait"),
    path("retention/", retention.overview, name="retention"),
    path("retention/<uuid:pk>/release/", retention.release, name="hold_release"),
    path("retention/<uuid:pk>/decide/", retention.decide, name="destruction_decide"),
    path("<uuid:pk>/retention/", retention.of_client, name="client_retention"),
    path("<uuid:pk>/retention/hold/", retention.hold, name="hold_place"),
    path("<uuid:pk>/retention/destroy/", retention.propose, name="destruction_propose"),
    path("<uuid:pk>/", clients.client_detail, name="client_detail"),
    path("<uuid:pk>/reveal/<slug:field>/", clients.reveal, name="client_reveal"),
]
