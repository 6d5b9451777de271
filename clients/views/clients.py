"""The client list, its export, one client's page, reveals, and the way into IBKR's portal."""

import csv
from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.audit.middleware import only_looks
from backoffice.core import clock, exports
from backoffice.core.crypto import seal, unseal
from backoffice.core.errors import InvalidInput
from backoffice.home.parts import Filter, View
from backoffice.ibkr.types.sso import PortalPage
from backoffice.people.policy import may, requires
from clients import panels
from clients.models import Account, Client
from clients.selectors import people, timeline
from clients.services import people as services
from clients.views import is_fragment, reader

_KEPT = ("typed", "stage", "book", "country")
_STAGES = {"": "All", "open": "Open", "client": "Client action", "documents": "Documents", "review": "IBKR review"}


def _asked(request: HttpRequest) -> dict[str, str]:
    """Return what the list is narrowed by. `q` is what was typed; in addresses it stands sealed, as `typed`: it is a name."""
    given = request.POST if request.method == "POST" else request.GET
    asked = {name: given.get(name, "")[:80] for name in ("q", "stage", "book", "country", "after", "before")}
    sealed, place = request.GET.get("typed", "")[:600], f"clients typed|{reader(request).pk}"
    if request.method != "POST" and sealed:
        try:
            asked["q"] = unseal(sealed, place).decode()
        except ValueError:  # of another person, or cut short on the way
            sealed = ""
    asked["typed"] = (
        (sealed if request.method != "POST" and sealed else seal(asked["q"].encode(), place)) if asked["q"] else ""
    )
    return asked


def _address(asked: dict[str, str], **changed: str) -> str:
    kept = {name: value for name, value in {**asked, **changed}.items() if value and name in _KEPT}
    return f"?{urlencode(kept)}"


@only_looks
@require_http_methods(["GET", "HEAD", "POST"])
@requires("clients.view")
def client_list(request: HttpRequest) -> HttpResponse:
    """The list. What is typed to narrow it is posted, and comes back in the address sealed."""
    user, asked = reader(request), _asked(request)
    if request.method == "POST" and not is_fragment(request):
        return redirect(f"{request.path}{_address(asked)}")
    rows, page = people.page(user, asked)
    countries = people.countries_of(user)
    filters = [
        _filter("Country", "country", countries, asked),
        _filter("Book", "book", [(book.name, book.name) for book in people.books_of(user)], asked),
    ]
    context = {
        "rows": rows,
        "page": page,
        "asked": asked,
        "views": [View(word, _address(asked, stage=key), asked["stage"] == key) for key, word in _STAGES.items()],
        "filters": filters,
        "export_url": f"{reverse('clients:client_export')}{_address(asked)}",
        "may_apply": may(user, "clients.apply"),
        "is_narrowed": any(asked[name] for name in _KEPT),
    }
    response = render(
        request, "clients/_client_rows.html" if is_fragment(request) else "clients/client_list.html", context
    )
    if request.method == "POST":
        response.headers["HX-Push-Url"] = f"{request.path}{_address(asked)}"
    return response


def _filter(label: str, name: str, choices: list[tuple[str, str]], asked: dict[str, str]) -> Filter:
    if asked[name]:
        return Filter(label, dict(choices).get(asked[name], asked[name]), _address(asked, **{name: ""}))
    return Filter(label, choices=tuple((_address(asked, **{name: code}), word) for code, word in choices))


class _Line:
    """A file that keeps nothing: what is written to it comes back."""

    def write(self, text: str) -> str:
        return text


@require_safe
@requires("clients.export")
def client_export(request: HttpRequest) -> StreamingHttpResponse:
    writer, asked = csv.writer(_Line()), _asked(request)
    rows: Iterator[str] = (
        writer.writerow([exports.safe(cell) for cell in row]) for row in people.exported(reader(request), asked)
    )
    shown = people.clients(reader(request), asked).order_by("last_name", "first_name", "id")[: exports.ROWS_AT_MOST]
    disclosures.let_out(
        "clients.export", by=reader(request), summary="Exported the list of clients as CSV", disclosed=shown,
        filters=audit.asked({name: asked[name] for name in ("q", "stage", "book", "country") if asked[name]}),
    )  # fmt: skip
    day = clock.today(clock.NEW_YORK).isoformat()
    return StreamingHttpResponse(
        chain([exports.MARK], rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="clients-{day}.csv"'},
    )


@require_safe
@requires("clients.view")
def client_detail(request: HttpRequest, pk: Any) -> HttpResponse:
    user = reader(request)
    client = get_object_or_404(Client.objects.visible_to(user).select_related("book", "household"), pk=pk)
    portrait = people.portrait(client)
    events = timeline.of_client(portrait)
    for provider in panels.events:
        events += list(provider(client, user))
    context = {
        "client": client,
        "portrait": portrait,
        "states": [(account, *people.chip_of(account)) for account in portrait.accounts],
        "events": timeline.newest_first(events)[:40],
        "panels": [entry for entry in _hung(panels.panels, user, client) if entry["part"].place == "main"],
        "summaries": [entry for entry in _hung(panels.panels, user, client) if entry["part"].place == "summary"],
        "quick_actions": _hung(panels.actions, user, client),
        "may_maintain": may(user, "clients.maintain"),
        "may_open_portal": may(user, "clients.open_portal"),
        "may_view_retention": may(user, "clients.view_retention"),
    }
    return render(request, "clients/client_detail.html", context)


def _hung(parts: Any, user: Any, client: Client) -> list[dict[str, Any]]:
    """Return what other apps hung here that this person may see, with its address."""
    found = []
    for part in sorted(parts, key=lambda part: part.order):
        if may(user, part.permission):
            try:
                found.append({"part": part, "url": reverse(part.url_name, args=[client.pk])})
            except NoReverseMatch:
                continue  # an app that is not switched on in this installation
    return found


@require_POST
@requires("clients.reveal")
def reveal(request: HttpRequest, pk: Any, field: str) -> HttpResponse:
    """Show one personal value for 30 seconds; the audit line is written first."""
    client = get_object_or_404(Client.objects.visible_to(reader(request)), pk=pk)
    if field not in services.REVEALABLE:
        raise Http404(field)
    try:
        value = services.reveal(client=client, field=field, reason=request.POST.get("reason", ""), by=reader(request))
    except InvalidInput as refusal:
        return HttpResponse(str(refusal), status=422, content_type="text/plain; charset=utf-8")
    shown = next(each.shown for each in people.portrait(client).personal if each.field == field)
    context = {"value": value, "seconds": 30, "last4": shown, "url": request.path, "label": services.REVEALABLE[field]}
    response = render(request, "components/revealed.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


# ---- the portal


@require_POST
@requires("clients.open_portal")
def open_portal(request: HttpRequest, pk: Any) -> HttpResponse:
    """Ask for a link and wait for it, in the new tab the form opened."""
    user = reader(request)
    account = get_object_or_404(Account.objects.visible_to(user), pk=pk)
    page = request.POST.get("page", "")
    if page not in {each.value for each in PortalPage}:
        raise Http404(page)
    inquiry = services.open_portal(account=account, address=request.META.get("REMOTE_ADDR", ""), page=page, by=user)
    return redirect("clients:portal_wait", pk=inquiry.pk)


@require_safe
@requires("clients.open_portal")
def portal_wait(request: HttpRequest, pk: Any) -> HttpResponse:
    """Poll the inquiry; the answer sends the browser on at once and is forgotten here."""
    inquiry, link = services.take_portal_link(str(pk), by=reader(request))
    if inquiry is None:
        context: dict[str, Any] = {"gone": True}
        return render(
            request,
            "clients/_portal_state.html" if is_fragment(request) else "clients/portal_wait.html",
            context,
            status=404 if not is_fragment(request) else 200,
        )
    if link and is_fragment(request):
        return HttpResponse(status=200, headers={"HX-Redirect": link, "Cache-Control": "no-store"})
    if link:
        return HttpResponse(status=302, headers={"Location": link, "Cache-Control": "no-store"})
    account = (
        Account.objects.visible_to(reader(request))
        .filter(pk=inquiry.params["account"])
        .select_related("client")
        .first()
    )
    context = {"inquiry": inquiry, "account": account}
    return render(
        request, "clients/_portal_state.html" if is_fragment(request) else "clients/portal_wait.html", context
    )
