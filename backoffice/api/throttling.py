"""How often a program may ask: a budget for each token, or for each person at a browser."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from backoffice.people.models import ApiToken


class Budget(SimpleRateThrottle):
    """`API_CALLS_PER_MINUTE` in any minute; beyond it 429 with Retry-After. Strangers were refused before this."""

    scope = "api"

    def get_rate(self) -> str:
        return f"{settings.API_CALLS_PER_MINUTE}/min"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        whose = request.auth if isinstance(request.auth, ApiToken) else request.user
        return f"api:{whose.pk}" if whose and whose.pk else None
