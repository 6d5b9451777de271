"""The report vault's pages: the grid, one report, fetching, downloading."""

import uuid
from typing import Any
from uuid import UUID

from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from backoffice.core.errors import InvalidInput
from backoffice.home.paging import address, cut
from backoffice.home.parts import Filter, View
from backoffice.people.models import User
from backoffice.people.policy import hands_out, may, requires
from clients.models import Client
from reporting import selectors, services, translate
from reporting.models import FetchRequest, Granularity, Report, ReportFile, State

VIEWS = {Granularity.MONTHLY: "Monthly", Granularity.ANNUAL: "Annual"}
STATES = {"missing": "Not held", "held": "Held", "failed": "Failed"}


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


@require_safe
@requires("reporting.view")
def report_list(request: HttpRequest) -> HttpResponse:
    """What IBKR offers against what is held, account by period, and the same as a list."""
    return render(request, "reporting/report_list.html", _list_context(request))


def _list_context(request: HttpRequest) -> dict[str, Any]:
    user, parameters = _reader(request), request.GET
    granularity = parameters.get("view", Granularity.MONTHLY)
    granularity = granularity if granularity in VIEWS else Granularity.MONTHLY
    account = parameters.get("account", "")[:20]
    grid = selectors.grid(user, granularity, account=account)
    reports = Report.objects.visible_to(user).filter(granularity=granularity, period__in=grid.periods)
    if account:
        reports = reports.filter(account__number=account)
    reports = _in_state(reports, parameters.get("state", ""))
    placed = reports.select_related("account__client").annotate(place=Concat("period", "account__number"))
    page = cut(placed, parameters, at="place", size=50, read=str)
    running = selectors.latest_fetch(user)
    return {
        "grid": grid,
        "view": granularity,
        "views": [View(word, address(parameters, view=key), key == granularity) for key, word in VIEWS.items()],
        "filters": _filters(parameters, account, grid),
        "account": account,
        "page": page,
        "rows": [(report, translate.period_words(report.period)) for report in page.rows],
        "running": selectors.progress(running) if running else None,
        "may_fetch": may(user, "reporting.fetch"),
        "intent": uuid.uuid4(),
        "intent_all": uuid.uuid4(),
    }


def _in_state(reports: Any, state: str) -> Any:
    match state:
        case "missing":
            return reports.missing()
        case "held":
            return reports.filter(version__gt=0)
        case "failed":
            return reports.filter(state=State.FAILED)
    return reports


def _filters(parameters: Any, account: str, grid: selectors.Grid) -> list[Filter]:
    chips = []
    if account:
        chips.append(Filter("Account", account, address(parameters, account=None)))
    else:
        choices = tuple(
            (address(parameters, account=line.account.number), f"{line.account.number} {line.account.client.name}")
            for line in grid.lines[:60]
        )
        chips.append(Filter("Account", choices=choices))
    state = parameters.get("state", "")
    if state in STATES:
        chips.append(Filter("State", STATES[state], address(parameters, state=None)))
    else:
        chips.append(
            Filter("State", choices=tuple((address(parameters, state=key), word) for key, word in STATES.items()))
        )
    return chips


@require_safe
@requires("reporting.view")
def report_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One report with all its versions; as a fragment it stands beside the grid."""
    report = get_object_or_404(Report.objects.visible_to(_reader(request)).select_related("account__client"), pk=pk)
    context = {
        "report": report,
        "period": translate.period_words(report.period),
        "files": list(report.files.select_related("fetched_by")),
        "meaning": translate.meaning(report.failure) if report.failure else "",
        "may_fetch": may(_reader(request), "reporting.fetch"),
        "intent": uuid.uuid4(),
    }
    template = "reporting/_report.html" if request.headers.get("HX-Request") else "reporting/report_detail.html"
    return render(request, template, context)


@require_POST
@requires("reporting.fetch")
def fetch(request: HttpRequest) -> HttpResponse:
    """Order a fetch: the ticked ones, or with `all=missing` everything offered and not held in this view."""
    user = _reader(request)
    visible = Report.objects.visible_to(user)
    if request.POST.get("all") == "missing":
        wanted = visible.missing().filter(granularity=request.POST.get("view", Granularity.MONTHLY))
        if account := request.POST.get("account", "")[:20]:
            wanted = wanted.filter(account__number=account)
    else:
        wanted = visible.filter(pk__in=_keys(request.POST.getlist("report")))
    intents = _keys([request.POST.get("intent", "")])
    try:
        services.request_fetch(
            reports=wanted[: services.LARGEST_FETCH + 1], by=user, intent=intents[0] if intents else uuid.uuid4()
        )
    except InvalidInput as error:
        context = _list_context(request) | {"refusal": error}
        return render(request, "reporting/report_list.html", context, status=422)
    return redirect(_back(request))


def _keys(texts: list[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue  # not one of ours: a report is chosen by its key or not at all
    return found


def _back(request: HttpRequest) -> str:
    query = request.POST.get("back", "")
    return f"{reverse('reporting:list')}{query}" if query.startswith("?") else reverse("reporting:list")


@require_safe
@requires("reporting.view")
def fetch_progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far a fetch is; asks for itself until it is over."""
    ordered = get_object_or_404(FetchRequest.objects.select_related("asked_by"), pk=pk, asked_by=_reader(request))
    return render(request, "reporting/_progress.html", {"running": selectors.progress(ordered), "polled": True})


@require_safe
@requires("reporting.view")
@hands_out
def download(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One version as a file. Audited; never shown inside a page of ours."""
    user = _reader(request)
    visible = ReportFile.objects.filter(report__in=Report.objects.visible_to(user))
    file = get_object_or_404(visible.select_related("report__account"), pk=pk)
    response = HttpResponse(services.open_file(file, by=user), content_type="application/pdf")
    name = f"{file.report.account.number}-{file.report.kind}-{file.report.period}-v{file.version}.pdf"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@requires("reporting.view")
def client_panel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Statements on the client page: the newest of each account."""
    client = get_object_or_404(Client.objects.visible_to(_reader(request)), pk=pk)
    reports = Report.objects.filter(account__client=client).select_related("account").order_by("-period")[:6]
    context = {"client": client, "rows": [(each, translate.period_words(each.period)) for each in reports]}
    return render(request, "reporting/_client_panel.html", context)
