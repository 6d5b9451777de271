"""The demonstration world: an advisor with nine open accounts, three applications under way, and a broker with two accounts.

`data/world.json` says who and what; the past is booked relative to the virtual now, with prices of the seeded market,
so that holdings and cash end at the figures of the file. Everything else the books then do is the business of
requests.
"""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from . import banking, instruments, login_messages, opening, review, trading
from .accounts import AccountRow, Master
from .books import CENT
from .clock import NEW_YORK, stamp
from .jsonio import loads
from .kernel import Sandbox

COMMISSION = Decimal("1.00")
ADVISORY_FEE_PER_MONTH = Decimal("0.0006")
INTEREST_PER_MONTH = Decimal("0.0011")
DIVIDEND_PER_QUARTER = Decimal("0.0045")
US_WITHHOLDING = Decimal("0.15")

Post = tuple[datetime, Callable[[], None]]


@cache
def facts() -> dict[str, Any]:
    read: dict[str, Any] = loads((Path(__file__).parent / "data" / "world.json").read_text(encoding="utf-8"))
    return read


def build(sandbox: Sandbox) -> None:
    """Fill an empty store. Runs inside the caller's transaction."""
    sandbox.accounts.add_master(Master(**facts()["master"]))
    for fact in facts()["open"]:
        _open_account(sandbox, fact)
    for fact in facts()["applying"]:
        _applying_account(sandbox, fact)
    for further in facts()["further_masters"]:
        sandbox.accounts.add_master(Master(**further["master"]))
        for fact in further["open"]:
            _open_account(sandbox, {**fact, "master": further["master"]["account"], "fees": further["fees"]})
    for number, kind, tasks in facts()["login_messages"]:
        login_messages.add(sandbox, number, kind, tasks, sandbox.clock.now() - timedelta(days=2))
    for account in (
        each for master in sandbox.accounts.masters() for each in sandbox.accounts.of_master(master.account)
    ):
        opening.remember(sandbox, account)
    trading.build_world(sandbox, facts()["groups"], facts()["orders"])


def _add_account(sandbox: Sandbox, fact: dict[str, Any], **fields: Any) -> int:
    number, master = fact["account"], fact.get("master", facts()["master"]["account"])
    base = f"demo-{number[-4:]}"
    title = f"{fact['first']} {fact['last']}"
    sandbox.accounts.add(
        account=number, master=master, title=title, base_currency=fact["base_currency"], external_id=base,
        country=fact["country"],
        email=fact["email"], username=fact["username"], permissions=["US-Sec", "EU-Sec"],
        fees=fact.get("fees", {"strategy": "AUTOMATED"}), **fields,
    )  # fmt: skip
    for kind, suffix in (("customer", ""), ("account", ""), ("individual", "-AH"), ("user", "-USR")):
        sandbox.accounts.claim_external_id(master, kind, base + suffix, number)
    address = {
        "street1": fact["street"], "city": fact["city"], "postalCode": fact["postal_code"], "country": fact["country"],
        **({"state": fact["state"]} if fact["state"] else {}),
    }  # fmt: skip
    return sandbox.accounts.add_person(
        account=number, external_id=f"{base}-AH", name={"first": fact["first"], "last": fact["last"]},
        email=fact["email"],
        date_of_birth=fact["date_of_birth"],
        phones=[{"type": "Mobile", "number": fact["phone"], "country": fact["country"]}],
        residence=address, mailing=address, citizenship=fact["country"], employment="EMPLOYED", marital_status="M",
    )  # fmt: skip


def _applying_account(sandbox: Sandbox, fact: dict[str, Any]) -> None:
    started = sandbox.clock.now() - timedelta(days=int(fact["days"]))
    state = fact["state_name"]
    entity = _add_account(sandbox, fact, status=review.STAGES[state], state=state, date_started=started)
    for form, outcome in fact["tasks"]:
        online = form not in (8001, 8002)
        review.add_task(
            sandbox,
            fact["account"],
            form,
            is_online=online,
            external_id=f"demo-{fact['account'][-4:]}-AH",
            entity_id=entity,
        )
        task = review.tasks(sandbox, fact["account"])[-1]
        if outcome == "completed":
            review.complete_task(sandbox, task.id, started + timedelta(hours=5))
        elif outcome.startswith("rejected:"):
            review.reject_task(sandbox, task.id, outcome.partition(":")[2])


def _open_account(sandbox: Sandbox, fact: dict[str, Any]) -> None:
    opened = _business_day(_today(sandbox) - timedelta(days=int(fact["months_open"]) * 30 + 12))
    started = _at(opened - timedelta(days=4), time(10, 12))
    entity = _add_account(
        sandbox, fact, status="O", state=review.OPEN, date_started=started, date_opened=_at(opened, time(9, 5)),
        margin=fact["margin"],
        objectives=fact["objectives"],
    )  # fmt: skip
    review.add_task(
        sandbox, fact["account"], 9130, is_online=True, external_id=f"demo-{fact['account'][-4:]}-AH", entity_id=entity
    )
    review.complete_task(
        sandbox, review.tasks(sandbox, fact["account"])[-1].id, _at(opened - timedelta(days=2), time(16, 0))
    )
    for bank in fact["banks"]:
        banking.save_bank(
            sandbox, fact["account"], bank["name"], bank["method"], bank["currency"], bank["routing"], bank["last4"]
        )
    _book_the_past(sandbox, fact, opened)


def _book_the_past(sandbox: Sandbox, fact: dict[str, Any], opened: date) -> None:
    """Buy the holdings, pay dividends, interest and fees, and deposit so much at the start that cash ends where the file says."""
    account = fact["account"]
    luck = random.Random(f"{sandbox.seed}:{account}")
    trades = _trades(sandbox, fact, opened, luck)
    for order, (day, conid, quantity) in enumerate(sorted(trades)):
        instrument = instruments.get(conid)
        at = _at(day, time(10 + order % 5, 7 * (order % 8)))
        sandbox.books.post_trade(
            account, conid, instrument.currency if instrument else "USD", quantity, sandbox.market.price(conid, at),
            COMMISSION,
            f"{account}-h{order + 1:03d}", f"history-{order + 1}", at,
        )  # fmt: skip
    _dividends(sandbox, fact, opened, trades)
    wealth = sum(
        (
            abs(holding.cost_basis) * sandbox.market.fx(holding.currency, fact["base_currency"])
            for holding in sandbox.books.holdings(account)
        ),
        Decimal(0),
    )
    _monthly(sandbox, fact, opened, wealth)
    _fund(sandbox, fact, opened, trading.cash_of_historic_orders(sandbox, account, facts()["orders"]))


def _trades(
    sandbox: Sandbox, fact: dict[str, Any], opened: date, luck: random.Random
) -> list[tuple[date, int, Decimal]]:
    """Day, instrument, signed quantity: two thirds bought early, the rest in the last three months; some sold off."""
    today = _today(sandbox)
    later = _of_historic_orders(fact["account"])
    trades: list[tuple[date, int, Decimal]] = []
    for place, (conid, whole) in enumerate(fact["holdings"]):
        quantity = Decimal(whole) - later.pop(conid, Decimal(0))
        early = (quantity * 2 / 3).to_integral_value()
        trades.append((_business_day(opened + timedelta(days=4 + place * 3)), conid, early))
        trades.append(
            (_business_day(today - timedelta(days=20 + (place * 17 + luck.randrange(9)) % 70)), conid, quantity - early)
        )
    for conid, quantity in fact["sold"]:
        trades.append((_business_day(opened + timedelta(days=11)), conid, Decimal(quantity)))
        trades.append((_business_day(today - timedelta(days=35 + luck.randrange(30))), conid, -Decimal(quantity)))
    for conid, quantity in later.items():
        if quantity < 0:  # sold by a historic order and not held in the end
            trades.append((_business_day(opened + timedelta(days=9)), conid, -quantity))
    return [trade for trade in trades if trade[2]]


def _of_historic_orders(account: str) -> dict[int, Decimal]:
    """Signed quantity by instrument that the historic orders of the last days bring to an account."""
    moved: dict[int, Decimal] = {}
    for order in facts()["orders"]:
        if account in order["shares"]:
            sign = 1 if order["side"] == "BUY" else -1
            moved[order["conid"]] = moved.get(order["conid"], Decimal(0)) + sign * Decimal(order["shares"][account])
    return moved


def _dividends(sandbox: Sandbox, fact: dict[str, Any], opened: date, trades: list[tuple[date, int, Decimal]]) -> None:
    account, today = fact["account"], _today(sandbox)
    for entry_day in _month_days(opened, today, 15):
        for conid in sorted({traded for _, traded, _ in trades}):
            instrument = instruments.get(conid)
            pays_this_month = conid % 2 == entry_day.month % 3
            units = sum(
                (quantity for day, traded, quantity in trades if traded == conid and day <= entry_day), Decimal(0)
            )
            if instrument is None or not pays_this_month or units <= 0:
                continue
            gross = (instrument.value(units, sandbox.market.close(conid, entry_day)) * DIVIDEND_PER_QUARTER).quantize(
                CENT
            )
            at, reference = _at(entry_day, time(20, 20)), f"div-{conid}-{entry_day:%Y%m}"
            sandbox.books.post_cash(
                account, instrument.currency, gross, "dividend", f"{instrument.symbol} cash dividend", reference, at
            )
            if instrument.country == "US" and fact["country"] != "USA":
                tax = -(gross * US_WITHHOLDING).quantize(CENT)
                sandbox.books.post_cash(
                    account, instrument.currency, tax, "withholding tax", f"{instrument.symbol} US tax", reference, at
                )


def _monthly(sandbox: Sandbox, fact: dict[str, Any], opened: date, wealth: Decimal) -> None:
    account, base = fact["account"], fact["base_currency"]
    interest = (Decimal(fact["cash"][base]) * INTEREST_PER_MONTH).quantize(CENT)
    fee = -(wealth * ADVISORY_FEE_PER_MONTH).quantize(CENT)
    for day in _month_days(opened + timedelta(days=20), _today(sandbox), 3):
        at, month = _at(day, time(20, 20)), f"{day:%B %Y}"
        sandbox.books.post_cash(
            account, base, interest, "interest", f"{base} credit interest, {month}", f"int-{day:%Y%m}", at
        )
        sandbox.books.post_cash(account, base, fee, "advisory fee", f"Advisor fee, {month}", f"fee-{day:%Y%m}", at)


def _fund(sandbox: Sandbox, fact: dict[str, Any], opened: date, spoken_for: dict[str, Decimal]) -> None:
    """Deposit and convert so much that the cash of the file is left once the historic orders are booked too."""
    account, base, today = fact["account"], fact["base_currency"], _today(sandbox)
    first = _at(_business_day(opened + timedelta(days=1)), time(9, 45))
    for number, back in enumerate((66, 29)):
        when = _at(_business_day(today - timedelta(days=back)), time(13, 10))
        amount = Decimal(2500 + 500 * number)
        sandbox.books.post_cash(account, base, amount, "deposit", "Wire deposit", f"dep-{account}-{number + 2}", when)
    balance = sandbox.books.cash(account)
    for currency in sorted({*balance, *fact["cash"], *spoken_for} - {base}):
        missing = (
            Decimal(fact["cash"].get(currency, "0"))
            - balance.get(currency, Decimal(0))
            - spoken_for.get(currency, Decimal(0))
        )
        cost = (missing * sandbox.market.fx(currency, base, first)).quantize(CENT)
        text, reference = f"{currency}.{base} conversion", f"fx-{account}-{currency}"
        sandbox.books.post_cash(account, currency, missing, "fx", text, reference, first + timedelta(hours=1))
        sandbox.books.post_cash(account, base, -cost, "fx", text, reference, first + timedelta(hours=1))
    missing = (
        Decimal(fact["cash"][base])
        - sandbox.books.cash(account).get(base, Decimal(0))
        - spoken_for.get(base, Decimal(0))
    )
    whole = (missing / 1000).to_integral_value(ROUND_CEILING) * 1000
    sandbox.books.post_cash(account, base, whole, "deposit", "Wire deposit", f"dep-{account}-1", first)
    if whole != missing:
        sandbox.books.post_cash(
            account,
            base,
            missing - whole,
            "withdrawal",
            "Wire withdrawal",
            f"wdr-{account}-1",
            first + timedelta(days=150 if fact["months_open"] > 6 else 40),
        )


def _today(sandbox: Sandbox) -> date:
    return sandbox.clock.now().astimezone(NEW_YORK).date()


def _business_day(day: date) -> date:
    """The day itself, or the Monday after a weekend."""
    return day + timedelta(days={5: 2, 6: 1}.get(day.weekday(), 0))


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def _month_days(start: date, end: date, day_of_month: int) -> list[date]:
    """The business day on or after the given day of every month from `start` to the day before `end`."""
    found, year, month = [], start.year, start.month
    while (year, month) <= (end.year, end.month):
        day = _business_day(date(year, month, day_of_month))
        if start <= day < end:
            found.append(day)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def describe(sandbox: Sandbox) -> dict[str, Any]:
    """What `GET /_sandbox/world` answers."""
    masters = sandbox.accounts.masters()
    everyone = [account for master in masters for account in sandbox.accounts.of_master(master.account)]
    return {
        "masters": [
            {
                "account": master.account, "kind": master.kind, "username": master.username,
                "client_id": master.client_id, "title": master.title,
                "base_currency": master.base_currency,
                "subaccounts": [account.account for account in everyone if account.master == master.account],
            }
            for master in masters
        ],
        "instruments": [
            {"conid": i.conid, "symbol": i.symbol, "name": i.name, "currency": i.currency, "asset_class": i.asset_class,
             "exchange": i.exchange}
            for i in instruments.all()
        ],
        "accounts": [_described(sandbox, account) for account in everyone],
        **trading.describe_world(sandbox),
    }  # fmt: skip


def _described(sandbox: Sandbox, account: AccountRow) -> dict[str, Any]:
    person = next(iter(sandbox.accounts.persons(account.account)), None)
    return {
        "account": account.account, "master": account.master, "external_id": account.external_id,
        "title": account.title, "alias": account.alias,
        "base_currency": account.base_currency, "status": account.status, "state": account.state,
        "username": account.username,
        "started": stamp(account.date_started), "opened": stamp(account.date_opened) if account.date_opened else None,
        "person": None if person is None else {
            "first": person.name.get("first", ""), "last": person.name.get("last", ""), "email": person.email,
            "phone": person.phones[0].get("number", "") if person.phones else "", "date_of_birth": person.date_of_birth,
            "country": person.residence.get("country", account.country), "street": person.residence.get("street1", ""),
            "city": person.residence.get("city", ""), "postal_code": person.residence.get("postalCode", ""),
            "state": person.residence.get("state", ""), "external_id": person.external_id,
            "entity_id": person.entity_id,
        },
        "bank_instructions": [
            {"name": bank.name, "method": bank.method, "currency": bank.currency, "last4": bank.last4}
            for bank in banking.banks(sandbox, account.account)
        ],
    }  # fmt: skip
