"""Every address of the product, by app."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("backoffice.home.urls")),
    # People have the one address they were invited by; allauth's page for more of them leads to one's own account.
    path("account/email/", RedirectView.as_view(pattern_name="mfa_index"), name="account_email"),
    path("account/", include("allauth.account.urls")),
    path("account/factors/", include("allauth.mfa.urls")),
    path("", include("backoffice.people.urls")),
    path("approvals/", include("backoffice.journal.urls")),
    path("policies/", include("backoffice.journal.policy_urls")),
    path("clients/", include("clients.urls")),
    path("funding/", include("funding.urls")),
    path("trading/", include("trading.urls")),
    path("reports/", include("reporting.urls")),
    path("audit/", include("backoffice.home.records.urls")),
    path("api/v1/", include("backoffice.api.urls")),
    path("connections/", include("backoffice.broker.urls")),
]

handler400 = "backoffice.home.views.bad_request"
handler403 = "backoffice.home.views.permission_denied"
handler404 = "backoffice.home.views.page_not_found"
handler500 = "backoffice.home.views.server_error"
