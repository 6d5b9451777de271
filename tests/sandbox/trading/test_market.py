from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from backoffice.sandbox import instruments
from backoffice.sandbox.market import Market, UnknownCurrency, UnknownInstrument

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


@dataclass
class Stopped:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at


def test_a_price_is_the_same_whenever_it_is_asked_for() -> None:
    one, other, elsewhere = Market(1, Stopped()), Market(1, Stopped()), Market(2, Stopped())

    prices = [one.price(i.conid) for i in instruments.all()]

    assert prices == [other.price(i.conid) for i in instruments.all()]
    assert prices != [elsewhere.price(i.conid) for i in instruments.all()]


def test_prices_lie_on_the_tick_grid_and_near_their_reference() -> None:
    market = Market(3, Stopped())

    for instrument in instruments.all():
        quote = market.quote(instrument.conid)
        for price in (quote.last, quote.bid, quote.ask, quote.prior_close, quote.open):
            assert instrument.is_on_tick(price), (instrument.symbol, price)
        assert quote.bid < quote.ask
        assert quote.low <= quote.last <= quote.high
        assert abs(quote.last / instrument.ref_price - 1) < Decimal("0.2")


def test_prices_move_little_in_a_minute_and_more_in_a_month() -> None:
    market = Market(1, Stopped())

    minutes = [market.price(265598, NOON + timedelta(minutes=n)) for n in range(120)]
    days = [market.close(265598, NOON.date() - timedelta(days=n)) for n in range(120)]

    assert max(abs(b / a - 1) for a, b in zip(minutes, minutes[1:], strict=False)) < Decimal("0.004")
    assert len(set(minutes)) > 20
    assert max(days) / min(days) > Decimal("1.02")


def test_the_close_of_a_weekend_is_that_of_friday() -> None:
    market = Market(1, Stopped())

    assert market.close(8894, date(2026, 11, 22)) == market.close(8894, date(2026, 11, 20))


def test_exchange_rates_invert_and_chain() -> None:
    market = Market(1, Stopped())

    assert market.fx("USD", "USD") == 1
    assert abs(market.fx("EUR", "CHF") * market.fx("CHF", "EUR") - 1) < Decimal("0.000001")
    assert Decimal("1.0") < market.fx("EUR", "USD") < Decimal("1.3")


def test_the_unknown_is_named() -> None:
    market = Market(1, Stopped())

    with pytest.raises(UnknownInstrument):
        market.price(1)
    with pytest.raises(UnknownCurrency):
        market.fx("USD", "XXX")
