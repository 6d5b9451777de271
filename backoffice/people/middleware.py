"""Short sessions, and a second factor for everybody who needs one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import resolve_url
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from backoffice.audit.services import record
from backoffice.core import clock
from backoffice.people import freshness, second_factor
from backoffice.people.adapter import needs_second_factor
from backoffice.people.models import User

Answer = Callable[[HttpRequest], HttpResponse]

# Set by the page's own scripts on what it asks without anybody touching it; such requests keep no session alive.
BACKGROUND = "X-Background"
BEGAN, SEEN, ROLE, BECAUSE = "began_at", "seen_at", "role", "signed_out_because"
_TOUCH = timedelta(seconds=30)


class Sessions:
    """End a session after a quarter of an hour of nothing, or after a working day; give it a new key when the role changes.

    A fragment asked for by htmx after the end leads the whole page to sign-in, not a corner of it.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if isinstance(request.user, User):
            if because := self._why_over(request):
                _sign_out(request, because)
            else:
                self._keep(request)
        response = self.get_response(request)
        if request.headers.get("HX-Request") and response.status_code == 302:
            to_sign_in = resolve_url(settings.LOGIN_URL)
            if urlsplit(response.headers["Location"]).path == to_sign_in:
                return _lead_away(f"{to_sign_in}?{urlencode({'next': _page_of(request)})}")
        return response

    def _why_over(self, request: HttpRequest) -> str:
        now = clock.now()
        began, seen = _instant(request, BEGAN), _instant(request, SEEN)
        if began and now - began >= settings.SESSION_LONGEST:
            return f"You were signed out: a session lasts {_hours(settings.SESSION_LONGEST)}."
        if seen and now - seen >= settings.SESSION_IDLE:
            return f"You were signed out: nothing was done here for {_hours(settings.SESSION_IDLE)}."
        return ""

    def _keep(self, request: HttpRequest) -> None:
        assert isinstance(request.user, User)
        now, seen = clock.now(), _instant(request, SEEN)
        if _instant(request, BEGAN) is None:
            begin(request, request.user)
        held = request.session[ROLE]
        if held != request.user.role:
            _rotate(request)
        if seen is None or (now - seen >= _TOUCH and BACKGROUND not in request.headers):
            request.session[SEEN] = now.isoformat()
            UserSession.objects.create_from_request(request)


class SecondFactor:
    """Hold back whoever needs a second factor and has none: they may enrol and sign out, and nothing else."""

    OPEN = frozenset(
        {
            "account_logout", "account_reauthenticate", "mfa_index", "mfa_activate_totp", "mfa_add_webauthn",
            "mfa_list_webauthn", "mfa_view_recovery_codes", "people:stay", "home:healthz", "home:readyz",
        }
    )  # fmt: skip

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if not isinstance(request.user, User) or not needs_second_factor(request.user):
            return None
        if second_factor.has_one(request.user):
            return None
        request.is_held = True  # type: ignore[attr-defined]  # the templates then draw no frame around the enrolment
        if request.resolver_match and request.resolver_match.view_name in self.OPEN:
            return None
        enrol = resolve_url("mfa_index")
        if request.headers.get("HX-Request"):
            return _lead_away(enrol)
        if request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("Accept", "text/html"):
            return HttpResponseRedirect(enrol)
        return JsonResponse({"detail": "Add a second factor first.", "code": second_factor.CODE}, status=403)


def begin(request: HttpRequest, person: User) -> None:
    """Start the clock of a new session; called at sign-in. Its first request puts it on the list of sessions."""
    request.session.update({BEGAN: clock.now().isoformat(), ROLE: person.role})
    for name in (SEEN, BECAUSE):
        request.session.pop(name, None)


def session_clock(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `session_idle`, seconds of doing nothing allowed; `session_ends`, when the session is over.

    Lazy: the page that says the database does not answer asks it nothing.
    """

    def ends() -> datetime | None:
        began = _instant(request, BEGAN)
        return began + settings.SESSION_LONGEST if began else None

    return {"session_idle": int(settings.SESSION_IDLE.total_seconds()), "session_ends": SimpleLazyObject(ends)}


def _rotate(request: HttpRequest) -> None:
    """The role has changed under the session: new key, and who they are must be proven anew."""
    assert isinstance(request.user, User)
    old = request.session.session_key
    request.session.cycle_key()
    request.session[ROLE] = request.user.role
    freshness.forget(request)
    UserSession.objects.filter(session_key=old).update(session_key=request.session.session_key)


def _sign_out(request: HttpRequest, because: str) -> None:
    person = request.user
    UserSession.objects.filter(session_key=request.session.session_key).delete()
    logout(request)
    request.session[BECAUSE] = because
    record("people.session_over", by=person, on=person if isinstance(person, User) else None, summary=because)


def _lead_away(url: str) -> HttpResponse:
    return HttpResponse(status=401, headers={"HX-Redirect": url})


def _page_of(request: HttpRequest) -> str:
    """The address of the page an htmx request came from, within this site."""
    page = request.headers.get("HX-Current-URL", "/")
    if not url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(page)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _instant(request: HttpRequest, name: str) -> datetime | None:
    stored = request.session.get(name)
    return datetime.fromisoformat(stored) if stored else None


def _hours(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes // 60} hours" if minutes >= 120 and minutes % 60 == 0 else f"{minutes} minutes"
