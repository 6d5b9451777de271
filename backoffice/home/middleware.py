"""What every answer carries: the content policy, a reference id, the reader's zone, and plain words when something fails."""

import uuid
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from backoffice.audit.services import Origin, origin
from backoffice.core.errors import Conflict, NotPermitted, Refusal

Answer = Callable[[HttpRequest], HttpResponse]

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
ZONE_COOKIE = "zone"


class SecurityHeaders:
    """Set the content policy: nothing from elsewhere, nothing inline. Pages of clients' data are kept out of caches."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Exports, downloads and the API's answers too. What may be kept, the files of the pages, says so itself.
        response.headers.setdefault("Cache-Control", "no-store")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ("HX-Request", "Cookie"))
        return response


class CorrelationId:
    """Give each request a reference id, write it beside every audit entry it causes, and show times in the reader's zone."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        reference = uuid.uuid4().hex[:12]
        request.reference = reference  # type: ignore[attr-defined]
        token = origin.set(Origin(address=request.META.get("REMOTE_ADDR") or None, correlation=reference))
        zone = _zone(request.COOKIES.get(ZONE_COOKIE, ""))
        try:
            with timezone.override(zone):
                response = self.get_response(request)
        finally:
            origin.reset(token)
        response.headers["X-Reference"] = reference
        return response


def _zone(name: str) -> ZoneInfo | None:
    """Return the zone the browser told us, or None: the installation's own."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


class PlainErrors:
    """Turn what a service refused into a page that says so. (What fails for good is `views.server_error`.)"""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, Refusal):
            status = 403 if isinstance(error, NotPermitted) else 409 if isinstance(error, Conflict) else 422
            return render(
                request, "refused.html", {"sentence": str(error), "moved": isinstance(error, Conflict)}, status=status
            )
        return None
