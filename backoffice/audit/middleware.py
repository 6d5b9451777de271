"""Nothing that changes, leaves or is refused goes unrecorded, whatever the view does or forgets.

Services write their own entry, in their own transaction and their own words. This stands behind them: a refusal gets its
entry here, and an act or a download that left none gets a plain one that names the address. So a new address is in
the audit from its first day, and `tests/backoffice/test_audit_trail.py` shows which ones speak for themselves.
"""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from backoffice.audit.services import origin, record

log = logging.getLogger(__name__)

Answer = Callable[[HttpRequest], HttpResponse]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
FORBIDDEN = frozenset({401, 403, 429})
NOT_FOUND = 404
QUIET_SECONDS = 60


def only_looks(view: Answer) -> Answer:
    """Mark a view that is posted to and changes nothing: it is posted so that what was typed stays out of addresses."""
    view.only_looks = True  # type: ignore[attr-defined]
    return view


class AuditTrail:
    """Record refusals, and acts and downloads that no service recorded. Stands inside the middleware that names the origin."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (what := self._missing(request, response)) is not None:
            try:
                self._record(what, request, response.status_code)
            except DatabaseError:
                # The refusal stands without its entry; turning it into a failure would tell a prober more.
                log.exception("no audit entry for %s", what)
        return response

    def _missing(self, request: HttpRequest, response: HttpResponse) -> str | None:
        """Name the entry that is due and not there yet."""
        here, status = origin.get(), response.status_code
        is_act = request.method not in SAFE_METHODS
        match = request.resolver_match
        is_ours = match is not None
        if status in FORBIDDEN or (400 <= status < 500 and is_ours and (is_act or status == NOT_FOUND)):
            return "request.refused" if self._is_news(request, status) else None
        if status >= 400 or here is None or here.recorded or not request.user.is_authenticated:
            return None
        if is_act:
            return None if match is not None and getattr(match.func, "only_looks", False) else "request.done"
        return "request.download" if response.headers.get("Content-Disposition", "").startswith("attachment") else None

    def _is_news(self, request: HttpRequest, status: int) -> bool:
        # A signed-in person's refusals all count. Of strangers' one a minute for each place is kept: they cost us a row.
        if request.user.is_authenticated:
            return True
        if status == NOT_FOUND:
            return False
        key = f"audit:{request.META.get('REMOTE_ADDR', '')}:{_route(request)}:{status}"
        return bool(cache.add(key, 1, QUIET_SECONDS))

    def _record(self, action: str, request: HttpRequest, status: int) -> None:
        route = _route(request)
        words = {"request.refused": "Refused", "request.done": "Done", "request.download": "Downloaded"}
        record(
            action,
            by=request.user if request.user.is_authenticated else None,
            summary=f"{words[action]}: {route or 'no page of ours'} ({request.method}, {status})",
            route=route,
            method=str(request.method),
            status=status,
            of=_things(request),
        )


def _route(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def _things(request: HttpRequest) -> dict[str, Any]:
    """The keys in the address. Texts are left out: one of them is the secret of a forgotten password."""
    match = request.resolver_match
    found = match.kwargs.items() if match else ()
    return {
        name: value if isinstance(value, int) else str(value) for name, value in found if isinstance(value, int | UUID)
    }
