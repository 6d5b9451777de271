"""The audit log, one entry, the chain and its check, who saw a client, and evidence packs."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from backoffice.audit import anchors, disclosures
from backoffice.audit import services as audit
from backoffice.audit.models import Entry, Exchange, Verification
from backoffice.core import clock, exports
from backoffice.core.doorbell import ring_on_commit
from backoffice.home.paging import address, cut
from backoffice.home.parts import Filter, View
from backoffice.home.records import evidence, selectors
from backoffice.people.models import User
from backoffice.people.policy import requires

# What an evidence pack can be made of, and the right to see such a thing at all.
ROOTS = {"client": "clients.client", "order": "trading.order", "transfer": "funding.cashtransfer"}
APPS = {"clients": "Clients", "funding": "Funding", "trading": "Trading", "reporting": "Reports", "journal": "Approvals",
        "people": "People", "broker": "Connections", "audit": "Audit", "request": "Other requests"}  # fmt: skip
_KEPT = ("view", "who", "app", "action", "model", "object", "ref", "address", "days", "from", "to")


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


@require_safe
@requires("audit.view")
def entry_list(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first; every filter is in the address."""
    parameters = request.GET
    page = cut(selectors.entries(parameters), parameters, at="at", size=50, key=int)
    context = {
        "page": page,
        "views": [View(word, address(parameters, view=key or None), parameters.get("view", "") == key)
                  for key, word in selectors.VIEWS.items()],
        "filters": _filters(parameters),
        "asked": {name: parameters[name] for name in _KEPT if parameters.get(name)},
        "export": f"{request.path}export/{address(parameters)}",
        "chain": selectors.chain(),
    }  # fmt: skip
    return render(request, "audit/entry_list.html", context)


def _filters(parameters: QueryDict) -> list[Filter]:
    people = {str(person.pk): person.name for person in User.objects.order_by("name")[:100]}

    def chip(name: str, label: str, words: dict[str, str]) -> Filter:
        if value := parameters.get(name, "")[:80]:
            return Filter(label, words.get(value, value), address(parameters, **{name: None}))
        return Filter(label, choices=tuple((address(parameters, **{name: key}), word) for key, word in words.items()))

    chips = [chip("who", "Person", people), chip("app", "Part", APPS), chip("days", "Time", selectors.PERIODS)]
    # These are set by following a value in an entry; there is no list to choose from.
    for name, label in (
        ("action", "Action"),
        ("model", "Kind"),
        ("object", "Object"),
        ("ref", "Reference"),
        ("address", "Address"),
    ):
        if parameters.get(name):
            chips.append(chip(name, label, {}))
    return chips


@require_safe
@requires("audit.export")
def entry_export(request: HttpRequest) -> HttpResponse:
    """The list as CSV, with the filters of the address; cells never start a formula."""
    asked_for = selectors.entries(request.GET).order_by("-at", "-id")
    found, last = exports.cut(list(asked_for[: exports.ROWS_AT_MOST + 1]))
    head = ["Entry", "At (UTC)", "By", "Action", "Object", "Object id", "Summary", "Address", "Reference", "Before", "After",
            "Chain position", "MAC"]  # fmt: skip
    cells = (
        (
            row.pk, f"{row.at:%Y-%m-%d %H:%M:%S.%f}", row.actor.name if row.actor else "system", row.action,
            row.subject_model, row.subject_id, row.summary, row.address, row.correlation, row.before, row.after,
            row.seal.position if row.is_sealed else "", row.mac,
        )
        for row in found
    )  # fmt: skip
    disclosures.let_out(
        "audit.export", by=_reader(request), summary=f"Exported {len(found)} audit entries as CSV",
        filters=audit.asked(request.GET),
    )  # fmt: skip
    return _file(
        exports.csv_bytes(head, [*cells, *last]), f"audit-{clock.now():%Y-%m-%d}.csv", "text/csv; charset=utf-8"
    )


def _file(content: bytes, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@requires("audit.view")
def entry_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One entry: its object, its digests, its place in the chain, and what else belongs to it."""
    entry = get_object_or_404(Entry.objects.select_related("actor", "seal"), pk=pk)
    same = (
        Entry.objects.filter(correlation=entry.correlation).exclude(pk=pk)
        if entry.correlation
        else Entry.objects.none()
    )
    said = Exchange.objects.none()
    if entry.subject_id:
        said = Exchange.objects.filter(subject_model=entry.subject_model, subject_id=entry.subject_id)
    context = {
        "entry": entry,
        "is_genuine": evidence.is_genuine(entry),
        "data": selectors.data_lines(entry.data),
        "same": list(same.select_related("actor").order_by("id")[:20]),
        "exchanges": list(said.order_by("-id")[:20]),
    }
    return render(request, "audit/entry_detail.html", context)


@require_safe
@requires("audit.view")
def chain(request: HttpRequest) -> HttpResponse:
    """How the chain stands, its anchors, and the newest check."""
    newest = sorted(anchors.read(anchors.path()), key=lambda each: each.at, reverse=True)[:12]
    context = {
        "chain": selectors.chain(),
        "anchors": newest,
        "anchor_file": anchors.path(),
        "checks": list(Verification.objects.select_related("asked_by")[:8]),
    }
    return render(request, "audit/chain.html", context)


@require_POST
@requires("audit.verify")
def check_start(request: HttpRequest) -> HttpResponse:
    """Have a worker read the whole chain again; one check at a time."""
    running = Verification.objects.exclude(state__in=[Verification.State.WHOLE, Verification.State.BROKEN])
    running = running.filter(asked_at__gt=clock.now() - selectors.CHECK_IS_LOST_AFTER)
    if not running.exists():
        check = Verification.objects.create(asked_by=_reader(request), asked_at=clock.now())
        audit.record("audit.verify", by=_reader(request), on=check, summary="A check of the whole chain asked for")
        ring_on_commit("audit.verify_chain", check.pk)
    return redirect("audit:chain")


@require_safe
@requires("audit.view")
def check_show(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far a check is; asks for itself until it is over."""
    check = get_object_or_404(Verification.objects.select_related("asked_by"), pk=pk)
    return render(request, "audit/_check.html", {"check": check})


def _root(request: HttpRequest, kind: str, pk: UUID) -> Any:
    rows: Any = apps.get_model(ROOTS[kind])._default_manager.all()
    return get_object_or_404(rows.visible_to(_reader(request)), pk=pk)


@require_safe
@requires("audit.evidence")
def evidence_pack(request: HttpRequest, kind: str, pk: UUID) -> HttpResponse:
    """Everything kept about one object as a ZIP file of digests; audited."""
    if kind not in ROOTS:
        raise Http404(kind)
    content = evidence.pack(_root(request, kind, pk), kind=kind, by=_reader(request))
    return _file(content, f"evidence-{kind}-{str(pk)[:8]}-{clock.now():%Y-%m-%d}.zip", "application/zip")


@require_safe
@requires("audit.who_saw")
def who_saw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Who saw this client's personal data: reveals, downloads, exports, packs; itself written down."""
    client = _root(request, "client", pk)
    # Until IBKR has an application there is no client yet, only what was typed.
    rows = [client, *client.applications.all()]
    page = cut(disclosures.of(*rows), request.GET, at="at", size=50, key=int)
    audit.record("audit.who_saw", by=_reader(request), on=client, summary="Asked who saw this person")
    counts = disclosures.by_person(*rows)
    context = {"client": client, "page": page, "counts": counts}
    return render(request, "audit/who_saw.html", context)
