"""Every address of the product, by app."""

from django.urls import include, path

urlpatterns = [
    path("", include("backoffice.home.urls")),
    path("account/", include("allauth.account.urls")),
    path("approvals/", include("backoffice.journal.urls")),
    path("clients/", include("clients.urls")),
    path("funding/", include("funding.urls")),
    path("trading/", include("trading.urls")),
    path("reports/", include("reporting.urls")),
    path("connections/", include("backoffice.broker.urls")),
]

handler400 = "backoffice.home.views.bad_request"
handler403 = "backoffice.home.views.permission_denied"
handler404 = "backoffice.home.views.page_not_found"
handler500 = "backoffice.home.views.server_error"
