"""`GET /_sandbox/books[?account=]`: do cash, positions, statements, confirmations, executions and the ledger agree to the cent?

    {"balanced": true, "problems": [], "trial_balance": {currency: "0.00"}, "accounts": [{account, cash, positions, value}]}

For each account `cash` gives, by currency, what its statement from the first day to today prints as starting and
ending cash, the sum of the entries between, and the balance that trading and banking use. `problems` are sentences; no
problem and a trial balance of zero in every currency and instrument is `balanced`.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from . import statement_figures
from .accounts import AccountRow
from .backstage import Mistake, backstage
from .books import CENT, Entry
from .clock import NEW_YORK
from .jsonio import loads
from .kernel import Sandbox

SCHEMA = ""
ZERO = Decimal(0)


def routes(sandbox: Sandbox) -> list[Route]:
    return [backstage(sandbox, "GET", "/books", _books)]


def _books(sandbox: Sandbox, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
    wanted = request.query_params.get("account")
    everyone = [each for master in sandbox.accounts.masters() for each in sandbox.accounts.of_master(master.account)]
    accounts = [each for each in everyone if wanted in (None, each.account)]
    if not accounts:
        raise Mistake(f"no account {wanted}")
    found = list(problems(sandbox, accounts))
    cash, _ = sandbox.books.totals()
    return {
        "balanced": not found, "problems": found,
        "trial_balance": {currency: str(amount.quantize(CENT)) for currency, amount in sorted(cash.items())},
        "accounts": [_account(sandbox, account) for account in accounts],
    }  # fmt: skip


def problems(sandbox: Sandbox, accounts: list[AccountRow]) -> Iterator[str]:
    """Every disagreement, as a sentence."""
    cash, units = sandbox.books.totals()
    yield from (f"The trial balance of {currency} is {amount}" for currency, amount in cash.items() if amount)
    yield from (f"The units of {conid} sum to {amount}" for conid, amount in units.items() if amount)
    for account in accounts:
        entries = _entries(sandbox, account)
        yield from _balances(sandbox, account, entries)
        yield from _statement(sandbox, account, entries)
        yield from _executions(sandbox, account, entries)
        yield from _transfers(sandbox, account, entries)


def _today(sandbox: Sandbox) -> date:
    return sandbox.clock.now().astimezone(NEW_YORK).date()


def _entries(sandbox: Sandbox, account: AccountRow) -> list[Entry]:
    return sandbox.books.entries(account.account, date.min, _today(sandbox))


def _first_day(account: AccountRow, entries: list[Entry]) -> date:
    opened = account.date_opened or account.date_started
    return min([opened.astimezone(NEW_YORK).date(), *(entry.day for entry in entries)])


def _sums(entries: list[Entry]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for entry in entries:
        found[entry.currency] = found.get(entry.currency, ZERO) + entry.amount
    return {currency: amount for currency, amount in found.items() if amount}


def _balances(sandbox: Sandbox, account: AccountRow, entries: list[Entry]) -> Iterator[str]:
    number = account.account
    yield from (
        f"{number}: entry {entry.id} of {entry.amount} {entry.currency} is not in hundredths"
        for entry in entries
        if entry.amount != entry.amount.quantize(CENT)
    )
    if sandbox.books.cash(number) != _sums(entries):
        yield f"{number}: the cash balances are not the sums of the entries"
    held: dict[int, tuple[Decimal, Decimal]] = {}
    for entry in entries:
        if entry.kind == "trade" and entry.conid is not None:
            quantity, cost = held.get(entry.conid, (ZERO, ZERO))
            held[entry.conid] = (quantity + entry.quantity, cost - entry.amount + entry.realized)
    kept = {holding.conid: (holding.quantity, holding.cost_basis) for holding in sandbox.books.holdings(number)}
    for conid, (quantity, cost) in held.items():
        if not quantity and cost:
            yield f"{number}: {conid} was sold off and still has a cost of {cost}"
    if kept != {conid: pair for conid, pair in held.items() if pair[0]}:
        yield f"{number}: the holdings are not the sums of the trades"


def _statement(sandbox: Sandbox, account: AccountRow, entries: list[Entry]) -> Iterator[str]:
    """Cut anywhere, the parts of a statement add up and the second begins where the first ended."""
    number, first, today = account.account, _first_day(account, entries), _today(sandbox)
    middle = first + (today - first) / 2
    whole = statement_figures.draw(sandbox, account, first, today)
    early = statement_figures.draw(sandbox, account, first, middle)
    for figures in (whole, early):
        for currency, lines in figures.cash.items():
            if sum((amount for _, amount in lines[:-1]), ZERO) != lines[-1][1]:
                yield f"{number}: the cash report in {currency} to {figures.end} does not add up"
        if sum((amount for _, amount in figures.change[:-1]), ZERO) != figures.change[-1][1]:
            yield f"{number}: the change in net asset value to {figures.end} does not add up"
    printed = {currency: lines[-1][1] for currency, lines in whole.cash.items() if lines[-1][1]}
    if printed != sandbox.books.cash(number):
        yield f"{number}: the statement's ending cash is not the balance"
    if middle < today:
        late = statement_figures.draw(sandbox, account, date.fromordinal(middle.toordinal() + 1), today)
        ended = {currency: lines[-1][1] for currency, lines in early.cash.items()}
        for currency, lines in late.cash.items():
            if lines[0][1] != ended.get(currency, ZERO):
                yield f"{number}: cash in {currency} begins after {middle} with another figure than it ended"
    confirmed = sorted(entry.id for entry in whole.trades)
    if confirmed != sorted(entry.id for entry in entries if entry.kind == "trade"):
        yield f"{number}: the statement's trades are not those that are confirmed"


def _executions(sandbox: Sandbox, account: AccountRow, entries: list[Entry]) -> Iterator[str]:
    """Each execution of an order is one trade and one commission in the books."""
    trades = {entry.reference: entry for entry in entries if entry.kind == "trade"}
    fees = {entry.reference: -entry.amount for entry in entries if entry.kind == "commission"}
    rows = sandbox.store.rows(
        "SELECT execution_id, quantity, price, commission FROM trading_executions WHERE account = ?", account.account
    )
    for row in rows:
        trade = trades.get(row["execution_id"])
        if trade is None or abs(trade.quantity) != Decimal(row["quantity"]) or trade.price != Decimal(row["price"]):
            yield f"{account.account}: execution {row['execution_id']} is not in the books"
        elif fees.get(row["execution_id"], ZERO) != Decimal(row["commission"]):
            yield f"{account.account}: the commission of {row['execution_id']} is not in the books"


def _transfers(sandbox: Sandbox, account: AccountRow, entries: list[Entry]) -> Iterator[str]:
    """A processed transfer is one entry once its money has moved, and none before; the ledger knows each of them."""
    known = {effect.broker_id for kind in ("deposit", "withdrawal") for effect in sandbox.ledger.effects(kind)}
    rows = sandbox.store.rows(
        "SELECT * FROM instructions WHERE account = ? AND kind IN ('DEPOSIT', 'WITHDRAWAL')", account.account
    )
    for row in rows:
        moved = [entry for entry in entries if entry.reference == str(row["id"])]
        is_done = row["status"] == "PROCESSED" and row["arrives_at"] is None
        sign = 1 if row["kind"] == "DEPOSIT" else -1
        amount = sign * Decimal(loads(row["payload"])["amount"])
        if [entry.amount for entry in moved] != ([amount] if is_done else []):
            yield f"{account.account}: instruction {row['id']} and the books disagree"
        if row["error_code"] is None and str(row["id"]) not in known:
            yield f"{account.account}: instruction {row['id']} is not in the ledger"


def _account(sandbox: Sandbox, account: AccountRow) -> dict[str, Any]:
    entries = _entries(sandbox, account)
    figures = statement_figures.draw(sandbox, account, _first_day(account, entries), _today(sandbox))
    balances, sums = sandbox.books.cash(account.account), _sums(entries)
    return {
        "account": account.account,
        "cash": {
            currency: {
                "opening": str(lines[0][1]), "entries": str(sums.get(currency, ZERO)), "closing": str(lines[-1][1]),
                "balance": str(balances.get(currency, ZERO)),
            }
            for currency, lines in figures.cash.items()
        },
        "positions": [
            {"conid": holding.conid, "quantity": str(holding.quantity), "cost": str(holding.cost_basis)}
            for holding in sandbox.books.holdings(account.account)
        ],
        "value": {"amount": str(figures.nav[-1][2]), "currency": account.base_currency},
    }  # fmt: skip
