"""What the stream brings becomes rows with their time; which instruments are worth a line; orders are only looked at."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from backoffice.broker import streaming
from backoffice.broker.streaming import Listener
from backoffice.celery import app as celery
from backoffice.core import clock
from backoffice.ibkr.types.balances import ProfitRow
from backoffice.ibkr.types.market_data import snapshot_of
from backoffice.ibkr.types.orders import LiveOrder
from backoffice.ibkr.types.portfolio import LedgerLine
from backoffice.ibkr.types.stream import ConnectionEvent, LedgerEvent, OrderEvent, PnlEvent, QuoteEvent
from clients.models import Account
from tests.trading.conftest import give_position
from trading import listening
from trading.models import AccountSnapshot, CashBalance, Instrument, Order, Position
from trading.selectors import portfolio as selectors
from trading.services import portfolio

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Listener:
    return listening.listener()


@pytest.fixture
def rung() -> Iterator[list[str]]:
    """The names of the tasks that were asked for."""
    names: list[str] = []
    send, celery.send_task = celery.send_task, lambda name, **_: names.append(name)
    yield names
    celery.send_task = send


def quote(conid: str, **members: Any) -> QuoteEvent:
    at = clock.now()
    fields = {"31": "101.50", "84": "101.49", "86": "101.51", "6509": "RpB", **members}
    return QuoteEvent(at, snapshot_of({"conid": conid, "_updated": int(at.timestamp() * 1000), **fields}))


def profit(**members: Any) -> PnlEvent:
    return PnlEvent(clock.now(), (ProfitRow.read({"account_id": "U1000011", "model": "Core", **members}),))


def another(instrument: Instrument, conid: str, symbol: str) -> Instrument:
    return Instrument.objects.create(conid=conid, symbol=symbol, currency=instrument.currency)


def test_the_newest_quote_of_a_batch_is_kept_with_its_time(desk: Listener, master: Any, instrument: Instrument) -> None:
    newest = quote("265598", **{"31": "C102.00"})

    desk.take(master, [quote("265598"), newest])

    instrument.refresh_from_db()
    assert (instrument.last, instrument.bid, instrument.ask) == (Decimal("102"), Decimal("101.49"), Decimal("101.51"))
    assert instrument.quoted_at == newest.quote.updated
    assert (instrument.is_last_previous_close, instrument.is_live) == (True, False)


def test_a_line_without_figures_leaves_the_kept_quote_alone(
    desk: Listener, master: Any, instrument: Instrument
) -> None:
    empty = QuoteEvent(clock.now(), snapshot_of({"conid": "265598", "6509": "RpB"}))

    desk.take(master, [empty])

    instrument.refresh_from_db()
    assert instrument.last == Decimal("100")


def test_profit_reaches_the_account_with_its_time_and_no_quicker_than_it_is_read(
    desk: Listener, master: Any, accounts: list[Account]
) -> None:
    with time_machine.travel(clock.now(), tick=False):
        desk.take(
            master, [profit(dpl=Decimal("15.70"), nl=Decimal("25015.70"), upl=Decimal("607"), uel=Decimal("5000"))]
        )
        desk.take(master, [profit(dpl=Decimal("16"))])

        assert selectors.of_account(Account.objects.get(pk=accounts[0].pk)).totals.daily == Decimal("15.70")
    snapshot = AccountSnapshot.objects.get(account=accounts[0])
    assert (snapshot.daily, snapshot.net_liquidation) == (Decimal("15.70"), Decimal("25015.70"))
    assert (snapshot.unrealised, snapshot.excess_liquidity) == (Decimal("607"), Decimal("5000"))
    assert snapshot.figures_at == snapshot.streamed_at
    assert snapshot.total_cash == Decimal("50000")


def test_a_part_of_an_account_divided_into_models_is_not_taken_for_the_whole(
    desk: Listener, master: Any, accounts: list[Account]
) -> None:
    rows = [{"account_id": "U1000011", "model": model, "nl": Decimal(100)} for model in ("Core", "Growth")]
    desk.take(master, [PnlEvent(clock.now(), tuple(ProfitRow.read(row) for row in rows))])

    desk.take(master, [profit(nl=Decimal(100))])

    assert AccountSnapshot.objects.get(account=accounts[0]).net_liquidation == Decimal("25000")


def test_cash_is_followed_by_currency_and_nothing_is_removed(
    desk: Listener, master: Any, accounts: list[Account]
) -> None:
    hour_ago = clock.now() - timedelta(hours=1)
    for currency in ("EUR", "USD"):
        CashBalance.objects.create(
            account=accounts[0], currency=currency, amount=Decimal(1), rate=Decimal(1), as_of=hour_ago
        )
    event = LedgerEvent(
        clock.now(),
        "U1000011",
        {
            "USD": LedgerLine.read({"cashbalance": Decimal("100.5")}),
            "BASE": LedgerLine.read({"cashbalance": Decimal("9")}),
        },
    )

    desk.take(master, [event])

    found = {row.currency: (row.amount, row.as_of) for row in accounts[0].cash_balances.all()}
    assert found == {"EUR": (Decimal(1), hour_ago), "USD": (Decimal("100.5"), event.at)}


def test_an_order_told_of_moves_nothing_but_is_looked_at_once(
    desk: Listener, master: Any, send: Callable[..., Order], rung: list[str]
) -> None:
    order = send()
    rung.clear()
    told = LiveOrder.read({"orderId": 12, "status": "Filled", "order_ref": order.client_order_id, "filledQuantity": 10})

    desk.take(master, [OrderEvent(clock.now(), told, frozenset({"status"}))] * 2)
    desk.take(master, [OrderEvent(clock.now(), told, frozenset({"status"}))])

    status = order.status
    order.refresh_from_db()
    assert (order.status, order.filled) == (status, Decimal(0))
    assert rung == ["trading.sync_orders"]


def test_a_line_that_opened_has_orders_and_portfolios_looked_at_once(
    desk: Listener, master: Any, rung: list[str]
) -> None:
    desk.take(master, [ConnectionEvent(clock.now(), is_open=False, reason="IBKR ended the stream")])
    assert rung == []

    desk.take(master, [ConnectionEvent(clock.now(), is_open=True)])
    desk.take(master, [ConnectionEvent(clock.now(), is_open=True)])

    assert rung == ["trading.sync_orders", "trading.sync_portfolios"]


def test_lines_go_to_what_is_looked_at_then_to_working_orders_then_to_the_largest_positions(
    desk: Listener, master: Any, accounts: list[Account], instrument: Instrument, send: Callable[..., Order],
    settings: Any,
) -> None:  # fmt: skip
    small, large, seen = (another(instrument, conid, conid) for conid in ("11", "22", "33"))
    give_position(accounts[0], small, "1")
    give_position(accounts[1], large, "500")
    order = send()
    Order.objects.filter(pk=order.pk).update(ibkr_order_id="12")
    portfolio.watch_instrument(seen)
    portfolio.watch_account(accounts[2])

    assert desk.wishes(master) == streaming.Wishes(("33", "265598", "22", "11"), ("U1000013",))
    settings.MARKET_DATA_LINES = listening.LINES_LEFT_TO_PEOPLE + 2
    assert desk.wishes(master).conids == ("33", "265598")


def test_what_nobody_looks_at_any_more_is_not_followed(desk: Listener, master: Any, instrument: Instrument) -> None:
    portfolio.watch_instrument(instrument)
    Instrument.objects.update(watched_until=clock.now() - timedelta(seconds=1))

    assert desk.wishes(master) == streaming.Wishes()


def test_a_holding_is_worth_what_a_newer_live_price_says_and_shows_that_time(
    desk: Listener, master: Any, accounts: list[Account], instrument: Instrument, advisor: Any
) -> None:
    give_position(accounts[0], instrument, "10")
    Position.objects.update(as_of=clock.now() - timedelta(minutes=1))
    told = quote("265598")

    desk.take(master, [told])

    (line,) = selectors.of_account(accounts[0]).lines
    assert (line.price, line.value, line.unrealised) == (Decimal("101.50"), Decimal("1015.00"), Decimal("115.00"))
    assert line.as_of == told.quote.updated
    assert Position.objects.get().value == Decimal("1000")  # what IBKR said at the reading stays


@pytest.mark.parametrize("members", [{"31": "C101.50"}, {"6509": "DpB"}, {"31": "H101.50"}])
def test_a_price_that_is_not_live_values_nothing(
    desk: Listener, master: Any, accounts: list[Account], instrument: Instrument, members: dict[str, str]
) -> None:
    give_position(accounts[0], instrument, "10")
    Position.objects.update(as_of=clock.now() - timedelta(minutes=1))

    desk.take(master, [quote("265598", **members)])

    (line,) = selectors.of_account(accounts[0]).lines
    assert (line.price, line.value) == (Decimal("100"), Decimal("1000"))


def test_the_page_follows_a_quote_by_itself_and_says_that_somebody_looks(
    client: Any, desk: Listener, master: Any, instrument: Instrument, advisor: Any
) -> None:
    client.force_login(advisor)
    address = reverse("trading:quote_live", args=["265598"])
    first = client.get(address, headers={"HX-Request": "true"})
    shown = first.context["mark"]
    assert client.get(address, {"mark": shown}, headers={"HX-Request": "true"}).status_code == 204

    desk.take(master, [quote("265598")])
    second = client.get(address, {"mark": shown}, headers={"HX-Request": "true"})

    assert (first.status_code, second.status_code) == (200, 200)
    assert "101.50" in second.content.decode()
    assert 'hx-trigger="every 2s"' in second.content.decode()
    instrument.refresh_from_db()
    assert instrument.watched_until is not None


def test_profit_that_came_too_quickly_is_written_a_little_later(
    desk: Listener, master: Any, accounts: list[Account], instrument: Instrument
) -> None:
    with time_machine.travel(clock.now() + timedelta(seconds=1), tick=False) as machine:
        desk.take(master, [profit(nl=Decimal(1))])
        machine.shift(1)
        desk.take(master, [profit(nl=Decimal(2))])
        told_at = clock.now()
        machine.shift(listening.PROFIT_EVERY)

        desk.take(master, [quote("265598")])

    snapshot = AccountSnapshot.objects.get(account=accounts[0])
    assert (snapshot.net_liquidation, snapshot.streamed_at) == (Decimal(2), told_at)


def test_todays_profit_is_no_figure_where_one_account_is_missing(
    desk: Listener, master: Any, accounts: list[Account], advisor: Any
) -> None:
    desk.take(master, [profit(dpl=Decimal(5))])

    assert selectors.totals(advisor).totals.daily is None


def test_who_holds_an_instrument_is_valued_at_its_live_price_too(
    desk: Listener, master: Any, accounts: list[Account], instrument: Instrument, advisor: Any
) -> None:
    give_position(accounts[0], instrument, "10")
    Position.objects.update(as_of=clock.now() - timedelta(minutes=1))

    desk.take(master, [quote("265598")])

    (holder,) = selectors.holders(advisor, instrument)
    assert (holder.value, holder.unrealised, holder.weight) == (Decimal("1015.00"), Decimal("115.00"), Decimal("4.06"))
