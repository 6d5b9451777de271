"""How IBKR answers lately, by family of calls: last success, error rate and p95 of the last quarter of an hour."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from backoffice.audit import exchanges
from backoffice.broker.models import FamilyMinute, MasterAccount
from backoffice.core import clock
from backoffice.ibkr.transport import Exchange

_FAMILIES = (
    ("/oauth2/", "token"),
    ("/gw/api/v1/sso", "sso"),
    ("/gw/api/v1/echo", "echo"),
    ("/gw/api/v1/accounts", "accounts"),
    ("/gw/api/v1/requests", "accounts"),
    ("/gw/api/v1/forms", "accounts"),
    ("/gw/api/v1/enumerations", "accounts"),
    ("/gw/api/v1/validations", "accounts"),
    ("/gw/api/v1/participating-banks", "accounts"),
    ("/gw/api/v1/statements", "reports"),
    ("/gw/api/v1/tax-documents", "reports"),
    ("/gw/api/v1/trade-confirmations", "reports"),
    ("/gw/api/v1/tax-vouchers", "reports"),
    ("/gw/api/v1/restrictions", "restrictions"),
    ("/gw/api/", "funding"),
    ("/v1/api/portfolio", "portfolio"),
    ("/v1/api/pa/", "analytics"),
    ("/v1/api/iserver/marketdata", "market data"),
    ("/v1/api/hmds", "market data"),
    ("/v1/api/md/", "market data"),
    ("/v1/api/iserver/secdef", "contracts"),
    ("/v1/api/iserver/contract", "contracts"),
    ("/v1/api/iserver/currency", "contracts"),
    ("/v1/api/iserver/exchangerate", "contracts"),
    ("/v1/api/contract", "contracts"),
    ("/v1/api/trsrv", "contracts"),
    ("/v1/api/acesws", "portfolio"),
    ("/v1/api/fyi/", "notifications"),
    ("/v1/api/iserver/account/allocation", "allocation"),
    ("/v1/api/iserver/accounts", "session"),
    ("/v1/api/iserver/account", "orders"),
    ("/v1/api/iserver/reply", "orders"),
    ("/v1/api/iserver/notification", "orders"),
    ("/v1/api/iserver/questions", "orders"),
    ("/v1/api/", "session"),
)
WINDOW = timedelta(minutes=15)
KEPT = timedelta(hours=24)
# Upper edges in milliseconds of the steps a call's time is counted in; the last step has no edge.
STEPS = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000, 20000, 60000)


def family_of(path: str) -> str:
    """Return the family a path belongs to, e.g. "funding"."""
    return next((family for prefix, family in _FAMILIES if path.startswith(prefix)), "other")


def record_exchange(master: MasterAccount, exchange: Exchange, lane: str = "") -> None:
    """Keep the outcome of one exchange and the digests of both sides, in one round trip.

    A refusal of what was asked is an answer too. Silence, 5xx, 429 and not being let in are failures.
    """
    family = family_of(exchange.path)
    answered = exchange.status is not None and not _is_failure(family, exchange.status, exchange)
    failure = "" if answered else (_words_of(exchange.status) if exchange.status else exchange.outcome[:300])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT broker_note_exchange(%s, %s, %s, %s, %s, %s, %s, %s), {exchanges.NOTE}",
            [
                master.pk,
                family,
                clock.now(),
                answered,
                min(exchange.elapsed_ms, 2_000_000_000),
                step_of(exchange.elapsed_ms),
                len(STEPS) + 1,
                failure,
                *exchanges.note(master.pk, lane, exchange),
            ],
        )


def _words_of(status: int) -> str:
    """Return a failing status with what it means to who reads the connections page."""
    known = {401: "not signed in, or no longer", 403: "not let in", 429: "more requests than IBKR allows"}
    meaning = known.get(status) or ("IBKR's own servers failed" if status >= 500 else "refused")
    return f"HTTP {status}: {meaning}"


def _is_failure(family: str, status: int, exchange: Exchange) -> bool:
    # Without a token or a sign-on nothing else works, so there every refusal is one. A 403 is IBKR's refusal of what was
    # asked where it says so in JSON; without that it is the network edge's, which lets nothing of ours through.
    if status == 403 and not isinstance(exchange.answer, dict):
        return True
    return status >= 500 or status in (401, 429) or (family in ("token", "sso") and status >= 400)


def step_of(milliseconds: int) -> int:
    """Return the number of the step a time falls into."""
    return next((number for number, edge in enumerate(STEPS) if milliseconds <= edge), len(STEPS))


@dataclass(frozen=True, slots=True)
class Lately:
    """The last quarter of an hour of one family. `p95_ms` is the upper edge of the step that holds it; None beyond the last."""

    calls: int
    failures: int
    p95_ms: int | None

    @property
    def error_per_cent(self) -> int:
        return self.failures * 100 // self.calls if self.calls else 0


def lately(master: MasterAccount) -> dict[str, Lately]:
    """Return, by family, what the last quarter of an hour was like."""
    rows = FamilyMinute.objects.filter(master=master, minute__gte=clock.now() - WINDOW)
    grouped: dict[str, list[FamilyMinute]] = {}
    for row in rows:
        grouped.setdefault(row.family, []).append(row)
    return {family: _sum(minutes) for family, minutes in grouped.items()}


def forget_old_minutes() -> int:
    """Delete the minutes of the day before yesterday and return how many."""
    return FamilyMinute.objects.filter(minute__lt=clock.now() - KEPT).delete()[0]


def _sum(minutes: Iterable[FamilyMinute]) -> Lately:
    calls = failures = 0
    took = [0] * (len(STEPS) + 1)
    for minute in minutes:
        calls += minute.calls
        failures += minute.failures
        for number, count in enumerate(minute.took):
            took[number] += count
    return Lately(calls, failures, _edge_of(took, -(-calls * 95 // 100)))


def _edge_of(took: list[int], rank: int) -> int | None:
    seen = 0
    for number, count in enumerate(took):
        seen += count
        if seen and seen >= rank:
            return STEPS[number] if number < len(STEPS) else None
    return None
