"""Today, search, the state bar, health and the plain pages of failure."""

import re
import sys
from datetime import datetime, timedelta

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from backoffice.audit.middleware import only_looks
from backoffice.core import clock
from backoffice.home import formats, registry, selectors, specimens
from backoffice.home.context import stopped
from backoffice.home.registry import Health, HealthCheck
from backoffice.people.models import User
from backoffice.people.policy import requires

_SEEN = "today_seen_at"
_SCOPES = {"mine": "Mine", "all": "All"}
_NO_DATABASE = Health(False, "the database does not answer")


def reader(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise TypeError("a page behind sign-in was reached without it")
    return user


@require_safe
@requires("home.view_today")
def today(request: HttpRequest) -> HttpResponse:
    """The one inbox, the figures, the connection, and what happened since the reader was last here."""
    user = reader(request)
    scope = _scope(request)
    since = _since(request)
    context = {
        "today": clock.now(),
        "scope": scope,
        "scopes": _SCOPES,
        "figures": selectors.figures(user),
        "inbox": selectors.inbox(user, scope),
        "connection": selectors.state_bar(user),
        "feed": selectors.feed(user, since),
        "since": since,
        "since_words": formats.moment(since, now=clock.now()),
    }
    return render(request, "home/today.html", context)


def _scope(request: HttpRequest) -> str:
    asked = request.GET.get("scope", "all")
    return asked if asked in _SCOPES else "all"


def _since(request: HttpRequest) -> datetime:
    """Return when the reader's last visit ended: the last look that is at least half an hour old, or a day ago."""
    now = clock.now()
    stored = request.session.get(_SEEN)
    last, shown = (datetime.fromisoformat(text) for text in stored) if stored else (now, now - timedelta(days=1))
    if now - last > timedelta(minutes=30):
        shown = last
    if not stored or now - last > timedelta(minutes=5):
        request.session[_SEEN] = [now.isoformat(), shown.isoformat()]
    return shown


@require_safe
@requires("home.view_today")
def inbox(request: HttpRequest) -> HttpResponse:
    """The inbox alone, for a page that asks again."""
    scope = _scope(request)
    return render(request, "home/_inbox.html", {"inbox": selectors.inbox(reader(request), scope), "scope": scope})


@require_safe
@requires("home.view_today")
def state_bar(request: HttpRequest) -> HttpResponse:
    """How the connection stands; and the banner of what is stopped, where the page shows another one."""
    now_stopped = stopped()
    context = {
        "items": selectors.state_bar(reader(request)),
        "now": clock.now(),
        "stopped": now_stopped,
        "is_news": request.GET.get("stopped", now_stopped.mark) != now_stopped.mark,
    }
    return render(request, "home/_state_bar.html", context)


@require_safe
@requires("broker.view_connections")
def lanes(request: HttpRequest) -> HttpResponse:
    """The lanes of the workers, and the health of what they stand on, for the connections page."""
    context = {
        "lanes": selectors.lanes(),
        "checks": [(check.name, _ask(check)) for check in registry.health],
        "now": clock.now(),
    }
    return render(request, "home/_lanes.html", context)


@only_looks
@require_http_methods(["GET", "HEAD", "POST"])
@requires("home.view_today")
def search(request: HttpRequest) -> HttpResponse:
    """Answer the search of the side column; without htmx, as a page.

    What is typed is posted: it may be a name or a tax number, and an address is kept by servers and browsers on the way.
    """
    text = request.POST.get("q", "").strip()[:80]
    hits = selectors.search(reader(request), text) if len(text) >= 2 else []
    template = "home/_search.html" if request.headers.get("HX-Request") else "home/search.html"
    return render(request, template, {"hits": hits, "text": text})


@require_safe
@requires("home.view_components")
def components(request: HttpRequest) -> HttpResponse:
    """Every shared part on one sheet, to compare with the drawings."""
    return render(request, "home/components.html", specimens.context())


# ---- health


@never_cache
@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("alive\n", content_type="text/plain")


@never_cache
@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say of each part whether it works and how old the last sign of it is. Answers when the database does not."""
    found: dict[str, Health] = {}
    for check in registry.health:
        # A database that is away is waited for once: who asks, a balancer say, waits a few seconds only.
        found[check.name] = _NO_DATABASE if check.in_database and _NO_DATABASE in found.values() else _ask(check)
    ready = all(found[check.name].ok for check in registry.health if check.needed)
    answer = {name: {"ok": health.ok, "age": health.age, "detail": health.detail} for name, health in found.items()}
    return JsonResponse({"ok": ready} | answer, status=200 if ready else 503)


def _ask(check: HealthCheck) -> Health:
    try:
        return check.check()
    except (OperationalError, InterfaceError):
        return _NO_DATABASE
    except ProgrammingError:
        return Health(False, "the tables are not those of this version: run manage.py migrate")
    except DatabaseError as error:
        return Health(False, f"the database refused: {type(error).__name__}")


# ---- failures


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _failure(request, "400.html", status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    sentence = str(exception) if re.search(r"role|may", str(exception)) else ""
    return _failure(request, "403.html", {"sentence": sentence}, status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _failure(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Say what failed, with the reference under which it is in the log. Django calls this while the exception is at hand."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _failure(request, "503.html", status=503)
    return _failure(request, "500.html", status=500)


def _failure(
    request: HttpRequest, template: str, context: dict[str, str] | None = None, *, status: int
) -> HttpResponse:
    """Draw a page of failure; without its looks where the files of the pages cannot be named."""
    try:
        return render(request, template, context, status=status)
    except ValueError:  # the manifest of the files is missing or older than the templates
        return render(request, template, {**(context or {}), "is_bare": True}, status=status)


for _view in (bad_request, permission_denied, page_not_found, server_error):
    login_not_required(_view)
