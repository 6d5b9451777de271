"""The figures of an activity statement, drawn from the books and the market's closes so that every table adds up.

All amounts are `Decimal` rounded to the hundredth. Flows are translated into the base currency at the close of their
day; whatever the translation of balances adds to that stands in the one line "Other FX Translations".
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from . import instruments
from .accounts import AccountRow, Person
from .books import CENT, Entry
from .kernel import Sandbox

FLOWS = {
    "deposit": "Deposits", "withdrawal": "Withdrawals", "dividend": "Dividends", "withholding tax": "Withholding Tax",
    "interest": "Interest",
    "commission": "Commissions", "advisory fee": "Advisor Fees", "fee": "Other Fees",
}  # fmt: skip
ZERO = Decimal(0)
LONG_AGO = date(2000, 1, 1)


@dataclass(frozen=True)
class Position:
    symbol: str
    name: str
    currency: str
    quantity: Decimal
    cost_basis: Decimal
    close: Decimal
    value: Decimal
    value_in_base: Decimal

    @property
    def unrealized(self) -> Decimal:
        return self.value - self.cost_basis


@dataclass(frozen=True)
class Figures:
    account: AccountRow
    holder: Person | None
    start: date
    end: date
    nav: list[tuple[str, Decimal, Decimal]]  # label, prior, current; the last row is the total
    change: list[tuple[str, Decimal]]  # starting value, contributions, ending value
    cash: dict[str, list[tuple[str, Decimal]]]  # by currency: starting cash, flows, ending cash
    positions: list[Position]
    trades: list[Entry]
    commissions: dict[str, Decimal]  # by execution id
    flows: list[Entry]  # everything else that moved cash, oldest first


def symbol(conid: int | None) -> str:
    instrument = None if conid is None else instruments.get(conid)
    return instrument.symbol if instrument else ""


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_EVEN)


class _Translation:
    """Rates at the close of a day."""

    def __init__(self, sandbox: Sandbox, base: str) -> None:
        self._market = sandbox.market
        self._base = base
        self._known: dict[tuple[str, date], Decimal] = {}

    def __call__(self, amount: Decimal, currency: str, day: date) -> Decimal:
        key = (currency, day)
        if key not in self._known:
            self._known[key] = self._market.fx(currency, self._base, datetime.combine(day, time(21, 0), UTC))
        return cents(amount * self._known[key])


def draw(sandbox: Sandbox, account: AccountRow, start: date, end: date) -> Figures:
    """Everything the statement of one account says about `start` to `end`, both inclusive."""
    into_base = _Translation(sandbox, account.base_currency)
    history = sandbox.books.entries(account.account, LONG_AGO, end)
    inside = [entry for entry in history if entry.day >= start]
    before, eve = [entry for entry in history if entry.day < start], start - timedelta(days=1)
    positions, prior_positions = (
        _positions(sandbox, history, end, into_base),
        _positions(sandbox, before, eve, into_base),
    )
    cash, prior_cash = _balances(history), _balances(before)
    cash_value = sum((into_base(amount, currency, end) for currency, amount in cash.items()), ZERO)
    prior_cash_value = sum((into_base(amount, currency, eve) for currency, amount in prior_cash.items()), ZERO)
    stock = sum((position.value_in_base for position in positions), ZERO)
    prior_stock = sum((position.value_in_base for position in prior_positions), ZERO)
    nav = [
        ("Cash", prior_cash_value, cash_value),
        ("Stock", prior_stock, stock),
        ("Total", prior_cash_value + prior_stock, cash_value + stock),
    ]
    people = sandbox.accounts.persons(account.account)
    return Figures(
        account=account,
        holder=people[0] if people else None,
        start=start,
        end=end,
        nav=nav,
        change=_change(inside, prior_positions, positions, nav[-1][1], nav[-1][2], end, into_base),
        cash=_cash_report(prior_cash, cash, inside),
        positions=positions,
        trades=[entry for entry in inside if entry.kind == "trade"],
        commissions={entry.reference: entry.amount for entry in inside if entry.kind == "commission"},
        flows=[entry for entry in inside if entry.kind not in ("trade", "commission")],
    )


def _balances(entries: list[Entry]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for entry in entries:
        found[entry.currency] = found.get(entry.currency, ZERO) + entry.amount
    return found


def _positions(sandbox: Sandbox, entries: list[Entry], day: date, into_base: _Translation) -> list[Position]:
    quantity: dict[int, Decimal] = {}
    cost: dict[int, Decimal] = {}
    for entry in entries:
        if entry.kind == "trade" and entry.conid is not None:
            quantity[entry.conid] = quantity.get(entry.conid, ZERO) + entry.quantity
            cost[entry.conid] = cost.get(entry.conid, ZERO) - entry.amount + entry.realized
    found = []
    for conid, held in quantity.items():
        instrument = instruments.get(conid)
        if not held or instrument is None:
            continue
        close = sandbox.market.close(conid, day)
        value = cents(instrument.value(held, close))
        in_base = into_base(value, instrument.currency, day)
        found.append(
            Position(instrument.symbol, instrument.name, instrument.currency, held, cost[conid], close, value, in_base)
        )
    return sorted(found, key=lambda position: (position.currency, position.symbol))


def _change(
    inside: list[Entry],
    prior: list[Position],
    current: list[Position],
    starting: Decimal,
    ending: Decimal,
    end: date,
    into_base: _Translation,
) -> list[tuple[str, Decimal]]:
    lines = [("Starting Value", starting)]
    paper: dict[str, Decimal] = {}
    for position, sign in [*((p, -1) for p in prior), *((p, 1) for p in current)]:
        paper[position.currency] = paper.get(position.currency, ZERO) + sign * position.value
    for entry in inside:
        if entry.kind == "trade":
            paper[entry.currency] = paper.get(entry.currency, ZERO) + entry.amount
    lines.append(
        ("Mark-to-Market", sum((into_base(amount, currency, end) for currency, amount in paper.items()), ZERO))
    )
    for kind, label in FLOWS.items():
        moved = sum(
            (into_base(entry.amount, entry.currency, entry.day) for entry in inside if entry.kind == kind), ZERO
        )
        if moved:
            lines.append((label, moved))
    lines.append(("Other FX Translations", ending - sum((amount for _, amount in lines), ZERO)))
    lines.append(("Ending Value", ending))
    return lines


def _cash_report(
    prior: dict[str, Decimal], current: dict[str, Decimal], inside: list[Entry]
) -> dict[str, list[tuple[str, Decimal]]]:
    report: dict[str, list[tuple[str, Decimal]]] = {}
    for currency in sorted(current):
        own = [entry for entry in inside if entry.currency == currency]
        lines = [("Starting Cash", cents(prior.get(currency, ZERO)))]
        parts = [
            *((label, [e for e in own if e.kind == kind]) for kind, label in FLOWS.items()),
            ("Trades (Sales)", [e for e in own if e.kind == "trade" and e.amount > 0]),
            ("Trades (Purchases)", [e for e in own if e.kind == "trade" and e.amount <= 0]),
            ("Currency Conversions", [e for e in own if e.kind == "fx"]),
        ]
        lines += [(label, cents(sum((e.amount for e in entries), ZERO))) for label, entries in parts if entries]
        lines.append(("Ending Cash", cents(current[currency])))
        if len(lines) > 2 or any(amount for _, amount in lines):
            report[currency] = lines
    return report
