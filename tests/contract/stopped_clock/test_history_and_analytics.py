from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from backoffice.ibkr import Rejected, Unavailable
from tests.contract.conftest import APPLE, Connected

HOLLOWAY, ACHTERBERG, DISNEY = "U1000011", "U1000012", "6459"


def test_daily_bars_are_in_real_prices_and_end_today(trading: Connected) -> None:
    history = trading.client.market.history(APPLE, period="1w", bar="1d")

    assert (history.symbol, history.bar_seconds, history.price_factor) == ("AAPL", Decimal(86_400), Decimal(100))
    assert [bar.at.date() for bar in history.bars if bar.at] == [
        date(2026, 11, day) for day in (17, 18, 19, 20, 23, 24)
    ]
    last = history.bars[-1]
    assert last.at == datetime(2026, 11, 24, 14, 30, tzinfo=UTC)
    assert (last.open, last.high, last.low, last.close) == (
        Decimal("256.02"), Decimal("256.48"), Decimal("256.02"), Decimal("256.35"),
    )  # fmt: skip
    assert (history.highest, history.lowest) == (Decimal("260.90"), Decimal("254.30"))
    assert not history.may_be_cut


def test_bars_before_an_instant_end_there(trading: Connected) -> None:
    start = datetime(2026, 11, 23, 20, tzinfo=UTC)

    history = trading.client.market.history(APPLE, period="2h", bar="1h", start=start, outside_hours=True)

    assert [bar.at for bar in history.bars] == [
        datetime(2026, 11, 23, 18, tzinfo=UTC),
        datetime(2026, 11, 23, 19, tzinfo=UTC),
    ]
    assert history.bars[-1].close == Decimal("255.26")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_chart_that_cannot_be_drawn_is_unavailable_in_ibkrs_words(trading: Connected, form: str) -> None:
    trading.sandbox.config(market_data={"NASDAQ": "N"}, chart_unavailable=form)

    with pytest.raises(Unavailable, match=r"^Chart data unavailable$"):
        trading.client.market.history(APPLE, period="1w", bar="1d")


def test_a_chart_without_bars_has_no_prices_at_all(trading: Connected) -> None:
    trading.sandbox.config(market_data={"NASDAQ": "N"}, chart_unavailable="empty")

    history = trading.client.market.history(APPLE, period="1w", bar="1d")

    assert (history.bars, history.highest, history.lowest) == ((), None, None)


def test_streams_are_closed_one_by_one_or_all_at_once(trading: Connected) -> None:
    market = trading.client.market
    market.snapshot([APPLE, "272093"])

    market.unsubscribe(APPLE)
    market.unsubscribe(APPLE)  # not open any more, which is no error
    market.unsubscribe_all()

    again, closed, everything = trading.exchanges[-2], trading.exchanges[-3], trading.exchanges[-1]
    assert (closed.status, again.status, everything.status) == (200, 500, 200)
    with pytest.raises(Rejected):
        market.unsubscribe("1" * 18)


def test_performance_of_two_accounts_is_one_series(signed_in: Connected) -> None:
    found = signed_in.client.analytics.performance([HOLLOWAY, ACHTERBERG], period="7D")

    assert (found.measure, found.included, found.days) == ("TWR", (HOLLOWAY, ACHTERBERG), Decimal(7))
    assert found.values is not None
    assert found.values.dates == tuple(date(2026, 11, day) for day in (17, 18, 19, 20, 23))
    (values,) = found.values.series
    assert (values.start_value, values.start_value_on) == (Decimal("504032.2094"), date(2026, 11, 16))
    assert values.values[-1] == Decimal("502396.0826")
    assert found.cumulative is not None
    (cumulative,) = found.cumulative.series
    assert cumulative.values == tuple(map(Decimal, ("0.0009", "0.0007", "-0.0005", "-0.0010", "-0.0032")))
    assert found.by_period is not None
    assert (found.by_period.frequency, found.by_period.periods) == ("M", ("202611",))


def test_every_period_of_an_account_ends_yesterday(signed_in: Connected) -> None:
    found = signed_in.client.analytics.all_periods([HOLLOWAY])

    account = found.accounts[HOLLOWAY]
    assert (found.measure, list(found.accounts), account.currency) == ("TWR", [HOLLOWAY], "USD")
    assert account.updated_on == date(2026, 11, 24)
    assert {name: (period.start_value_on, period.total_return) for name, period in account.periods.items()} == {
        "1D": (date(2026, 11, 20), Decimal("-0.0053")),
        "7D": (date(2026, 11, 16), Decimal("-0.0084")),
        "MTD": (date(2026, 10, 30), Decimal("-0.0143")),
        "1M": (date(2026, 10, 23), Decimal("-0.0113")),
        "YTD": (date(2025, 12, 31), Decimal("-0.0163")),
        "1Y": (date(2025, 11, 21), Decimal("-0.0169")),
    }
    for period in account.periods.values():
        assert (period.dates[-1], period.values[-1]) == (date(2026, 11, 23), Decimal("274053.9165"))


def test_a_sale_and_its_loss_are_among_the_transactions(signed_in: Connected) -> None:
    found = signed_in.client.analytics.transactions([HOLLOWAY], DISNEY, currency="USD", days=90)

    (sale,) = found.transactions
    assert (sale.account_id, sale.conid, sale.day, sale.kind) == (HOLLOWAY, DISNEY, date(2026, 9, 30), "Sell")
    assert (sale.quantity, sale.price, sale.amount, sale.currency) == (
        Decimal(-60), Decimal("104.43"), Decimal("6265.80"), "USD",
    )  # fmt: skip
    (loss,) = found.realised
    assert (loss.is_loss, loss.day, loss.amount) == (True, date(2026, 9, 30), Decimal("-478.80"))
    assert found.realised_total == Decimal("-478.80")
    assert (found.currency, found.includes_today) == ("USD", False)
