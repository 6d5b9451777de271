"""Addresses of the REST API. Every installed app's `api.py` is asked for its own."""

from django.urls import path
from django.utils.module_loading import autodiscover_modules

from backoffice.api import approvals, registry, views

app_name = "api"
autodiscover_modules("api")  # approvals, imported above, are there already
__all__ = ["app_name", "approvals", "urlpatterns"]
urlpatterns = [
    path("schema/", views.Schema.as_view(), name="schema"),
    path("docs/", views.docs, name="docs"),
    *registry.PATTERNS,
]
