from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.trading.valuation import value
from tests.sandbox.trading.trader import KO, Trader, ticket

ONE, OTHER = "U1000012", "U1000011"


@pytest.fixture
def trader(trader: Trader) -> Trader:
    """With a clock that stands still at noon in New York on the Wednesday to come."""
    now = trader.sandbox.clock.now().astimezone(NEW_YORK)
    day = now.date() + timedelta(days=(2 - now.weekday()) % 7 or 7)
    trader.sandbox.clock.stop(datetime.combine(day, time(12), NEW_YORK))
    return trader.ready()


def performance(trader: Trader, *accounts: str, period: str = "1M") -> dict[str, Any]:
    found: dict[str, Any] = trader.post("/pa/performance", {"acctIds": list(accounts), "period": period}).json
    return found


def day_of(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=NEW_YORK).date()


def test_values_are_those_of_the_books_at_the_close_and_lag_a_day(trader: Trader) -> None:
    found = performance(trader, ONE)

    account = trader.sandbox.accounts.get(ONE)
    assert account
    last = trader.sandbox.clock.now().astimezone(NEW_YORK).date() - timedelta(days=1)
    assert day_of(found["nav"]["dates"][-1]) == last
    assert trader.sandbox.books.entries(ONE, last + timedelta(days=1), date.max) == []
    then = value(trader.sandbox, account, datetime.combine(last, time(16), NEW_YORK))
    assert abs(found["nav"]["data"][0]["navs"][-1] - then.net_liquidation) < Decimal("0.10")
    assert (found["pm"], found["currencyType"], found["included"]) == ("TWR", "base", [ONE])


def test_returns_are_fractions_and_leave_deposits_out(trader: Trader) -> None:
    before = performance(trader, ONE)
    day = trader.sandbox.clock.now() - timedelta(days=1)
    trader.sandbox.books.post_cash(ONE, "USD", Decimal(100_000), "deposit", "Wire", "d-1", day)

    after = performance(trader, ONE)
    assert after["nav"]["data"][0]["navs"][-1] == before["nav"]["data"][0]["navs"][-1] + 100_000
    assert after["cps"]["data"][0]["returns"] == before["cps"]["data"][0]["returns"]
    assert abs(after["cps"]["data"][0]["returns"][-1]) < Decimal("0.3")


def test_months_multiply_to_the_whole(trader: Trader) -> None:
    found = performance(trader, ONE, period="YTD")

    whole = Decimal(1)
    for month in found["tpps"]["data"][0]["returns"]:
        whole *= 1 + month
    assert abs(whole - 1 - found["cps"]["data"][0]["returns"][-1]) < Decimal("0.001")
    assert found["tpps"]["dates"][-1] == found["cps"]["dates"][-1][:6]
    assert len(found["cps"]["dates"]) == len(found["cps"]["data"][0]["returns"])


def test_several_accounts_are_consolidated(trader: Trader) -> None:
    alone = [performance(trader, account)["nav"]["data"][0]["navs"][-1] for account in (ONE, OTHER)]

    together = performance(trader, ONE, OTHER)

    assert together["included"] == [ONE, OTHER]
    assert len(together["nav"]["data"]) == 1
    assert abs(together["nav"]["data"][0]["navs"][-1] - sum(alone)) < Decimal("0.001")


@pytest.mark.parametrize("period", ["1D", "7D", "MTD", "1M", "3M", "6M", "12M", "YTD"])
def test_each_period_starts_where_it_should(trader: Trader, period: str) -> None:
    found = performance(trader, ONE, period=period)

    dates = [day_of(text) for text in found["nav"]["dates"]]
    last = dates[-1]
    latest = {
        "1D": last,
        "7D": last - timedelta(days=6),
        "MTD": last.replace(day=1),
        "YTD": last.replace(month=1, day=1),
    }
    if period in latest:
        assert latest[period] <= dates[0] <= latest[period] + timedelta(days=2)
    assert day_of(found["nav"]["data"][0]["startNAV"]["date"]) < dates[0]
    assert all(day.weekday() < 5 for day in dates)


def test_what_is_not_asked_rightly_is_refused(trader: Trader) -> None:
    assert trader.post("/pa/performance", {"acctIds": []}).status == 400
    assert trader.post("/pa/performance", {"acctIds": [ONE], "period": "2Y"}).status == 400
    assert trader.post("/pa/performance", {"acctIds": ["U9999999"]}).status == 400
    assert trader.post("/pa/transactions", {"acctIds": [ONE], "days": 90}).status == 400


def test_all_periods_come_by_account_beside_other_keys(trader: Trader) -> None:
    found = trader.post("/pa/allperiods", {"acctIds": [ONE]}).json

    assert found["included"] == [ONE]
    assert found[ONE]["periods"] == ["1D", "7D", "MTD", "1M", "YTD", "1Y"]
    year = found[ONE]["1Y"]
    assert len(year["nav"]) == len(year["cps"]) == len(year["dates"])
    assert found[ONE]["1D"]["dates"] == year["dates"][-1:]
    assert found[ONE]["1D"]["startNAV"]["val"] == year["nav"][-2]


def test_transactions_of_a_contract_with_what_was_realized(trader: Trader) -> None:
    trader.knob(fill_seconds=0)
    asked = {"acctIds": [ONE], "conids": [KO], "currency": "USD", "days": 90}
    before = trader.post("/pa/transactions", asked).json
    trader.accept(ONE, ticket(ONE, KO, "SELL", 3))

    assert trader.post("/pa/transactions", asked).json["transactions"] == before["transactions"]
    trader.wait(86_400)
    found = trader.post("/pa/transactions", asked).json
    assert len(found["transactions"]) == len(before["transactions"]) + 1
    sale = found["transactions"][-1]
    assert (sale["type"], sale["qty"], sale["conid"], sale["acctid"]) == ("Sell", -3, KO, ONE)
    assert sale["amt"] == 3 * sale["pr"]
    assert sale["date"].split()[0] == "Wed"
    (gain,) = found["rpnl"]["data"][len(before["rpnl"]["data"]) :]
    assert isinstance(gain["amt"], str)
    assert gain["side"] == ("G" if Decimal(gain["amt"]) > 0 else "L")


def test_today_is_seen_only_when_told_to(trader: Trader) -> None:
    trader.knob(fill_seconds=0, pa_includes_today=True)
    trader.accept(ONE, ticket(ONE, KO, "SELL", 3))

    found = trader.post("/pa/transactions", {"acctIds": [ONE], "conids": [KO], "currency": "EUR", "days": 1}).json

    assert found["includesRealTime"] is True
    assert found["transactions"][-1]["fxRate"] == trader.sandbox.market.fx(
        "USD", "EUR", datetime.combine(trader.sandbox.clock.now().astimezone(NEW_YORK).date(), time(16), NEW_YORK)
    )
