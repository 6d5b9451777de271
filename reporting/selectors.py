"""The vault's reads: the grid of what is offered against what is held, and the progress of a fetch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q

from backoffice.core import clock
from backoffice.home.registry import Evidence, EvidenceDocument
from backoffice.people.models import User
from clients.models import Account, Client
from reporting import translate
from reporting.models import FetchRequest, Granularity, ItemState, Offer, Report, ReportFile, State

MONTHS_SHOWN = 12
YEARS_SHOWN = 5
FETCH_SHOWN = timedelta(days=1)


@dataclass(frozen=True)
class Cell:
    """One period of one account: how it looks, its full name, and its report if IBKR has one."""

    look: str  # held, reissued, offered, fetching, failed, none ("no account then"), empty ("not yet")
    glyph: str
    name: str
    report: Report | None = None


@dataclass(frozen=True)
class Line:
    """One account of the grid; `held` is the share of offered periods that we hold, None when nothing is offered."""

    account: Account
    cells: tuple[Cell, ...]
    held: Decimal | None


@dataclass(frozen=True)
class Grid:
    periods: tuple[str, ...]
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    read_at: datetime | None  # the oldest of the readings it rests on
    read: int
    accounts: int
    missing: int
    failures: tuple[Offer, ...]


def periods_of(granularity: str, today: date) -> list[str]:
    """Return the periods of the grid, oldest first."""
    if granularity == Granularity.ANNUAL:
        return [str(year) for year in range(today.year - YEARS_SHOWN, today.year)]
    return translate.months_back(today, MONTHS_SHOWN)


def grid(user: User, granularity: str, *, account: str = "") -> Grid:
    """Return the calendar of one kind of statement, in three queries however many accounts there are."""
    accounts = Account.objects.visible_to(user).open().select_related("client").order_by("number")
    if account:
        accounts = accounts.filter(number=account)
    shown = list(accounts[:500])
    periods = periods_of(granularity, clock.today(clock.NEW_YORK))
    reports = Report.objects.filter(account__in=shown, granularity=granularity, period__in=periods, language="en")
    by_place = {(report.account_id, report.period): report for report in reports}
    offers = {offer.account_id: offer for offer in Offer.objects.filter(account__in=shown).select_related("account")}
    lines = tuple(_line(each, periods, {p: by_place.get((each.pk, p)) for p in periods}) for each in shown)
    read = [offer.read_at for offer in offers.values() if offer.read_at]
    return Grid(
        periods=tuple(periods),
        heads=tuple(_head(period) for period in periods),
        lines=lines,
        read_at=min(read, default=None),
        read=len(read),
        accounts=len(shown),
        missing=sum(1 for report in by_place.values() if not report.is_held),
        failures=tuple(offer for offer in offers.values() if offer.failure),
    )


def _line(account: Account, periods: Iterable[str], reports: dict[str, Report | None]) -> Line:
    known = [report for report in reports.values() if report is not None]
    held = Decimal(sum(report.is_held for report in known) * 100) / len(known) if known else None
    return Line(account, tuple(_cell(account, period, reports[period]) for period in periods), held)


def _cell(account: Account, period: str, report: Report | None) -> Cell:
    name = f"{account.number}, {translate.period_words(period)}"
    if report is None:
        if account.opened_on is not None and period < f"{account.opened_on:%Y%m}"[: len(period)]:
            return Cell("none", "", f"{name}, no account then")
        return Cell("empty", "\u00b7", f"{name}, not offered yet")
    match report.state:
        case State.FETCHING:
            return Cell("offered", "\u2026", f"{name}, being fetched", report)
        case State.FAILED:
            return Cell("failed", "\u00d7", f"{name}, failed", report)
        case State.HELD if report.version > 1:
            return Cell("reissued", str(report.version), f"{name}, held, version {report.version}", report)
        case State.HELD:
            return Cell("held", "", f"{name}, held", report)
        case _:
            return Cell("offered", "", f"{name}, offered, not held", report)


def _head(period: str) -> str:
    return period if len(period) == 4 else f"{translate.period_words(period)[:3]} {period[2:4]}"


@dataclass(frozen=True)
class Progress:
    """How far one fetch is: n of m, whoever looks and wherever they have been meanwhile."""

    request: FetchRequest
    total: int
    done: int
    failed: int
    waiting_for_retry: int

    @property
    def is_over(self) -> bool:
        return self.done + self.failed == self.total

    @property
    def ended(self) -> int:
        return self.done + self.failed


def progress(request: FetchRequest) -> Progress:
    counts = request.items.aggregate(
        total=Count("pk"),
        done=Count("pk", filter=Q(state=ItemState.DONE)),
        failed=Count("pk", filter=Q(state=ItemState.FAILED)),
        again=Count("pk", filter=Q(state=ItemState.WAITING, tries__gt=0)),
    )
    return Progress(request, counts["total"], counts["done"], counts["failed"], counts["again"])


def latest_fetch(user: User) -> FetchRequest | None:
    """Return the newest fetch this person ordered in the last day, so that its end is seen however quick it was."""
    since = clock.now() - FETCH_SHOWN
    ordered = FetchRequest.objects.filter(asked_by=user, asked_at__gte=since)
    return ordered.select_related("asked_by").order_by("-asked_at").first()


def evidence(root: Any) -> Iterator[Evidence]:
    """Return a client's reports in an evidence pack: every version that was ever held, by its digest."""
    if not isinstance(root, Client):
        return
    files = list(
        ReportFile.objects.filter(report__account__client=root).select_related("report").order_by("fetched_at")
    )
    yield Evidence(
        rows=tuple({file.report for file in files}),
        documents=tuple(
            EvidenceDocument(
                f"{file.report}, version {file.version}", "from IBKR", file.sha256, file.size, file.fetched_at
            )
            for file in files
        ),
    )
