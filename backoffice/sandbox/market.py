"""Prices and exchange rates of the sandbox's world: a pure function of (seed, instrument, minute).

Nothing is stored. A price is the instrument's reference level moved by layered value noise: seeded random levels at
the corners of ever shorter periods, joined by straight lines and summed, which looks like a random walk, costs the same
for any instant and can be asked for any day of the past. There is a price at every hour; `hours.py` says who trades then.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument

# (period in minutes, largest move in hundred-thousandths of the price)
_LAYERS = (
    (262_800, 9_000),
    (43_200, 5_000),
    (10_080, 2_200),
    (1_440, 1_000),
    (240, 500),
    (60, 250),
    (15, 120),
    (4, 60),
    (1, 30),
)
_CALMNESS = {"ETF": Decimal("0.6"), "CASH": Decimal("0.3"), "GOVT": Decimal("0.1")}
_CLOSE_AT = time(21, 0, tzinfo=UTC)  # 16:00 in New York, in winter
_OPEN_AT = time(14, 30, tzinfo=UTC)
_RATE = Decimal("0.00000001")

_PAIRS = {  # currency: (conid of the pair against USD, whether the pair reads USD per unit of the currency)
    "EUR": (12087792, True),
    "GBP": (12087797, True),
    "AUD": (14433401, True),
    "JPY": (15016059, False),
    "CHF": (12087820, False),
    "CAD": (15016062, False),
}
_STEADY = {  # units per USD of currencies whose pairs are not among the instruments; they do not move
    "HKD": Decimal("7.78"),
    "SGD": Decimal("1.30"),
    "SEK": Decimal("9.45"),
    "NOK": Decimal("10.10"),
    "DKK": Decimal("6.43"),
    "NZD": Decimal("1.74"),
    "MXN": Decimal("18.40"),
    "ILS": Decimal("3.27"),
    "CNH": Decimal("7.10"),
    "PLN": Decimal("3.64"),
    "CZK": Decimal("20.90"),
    "HUF": Decimal("330"),
    "ZAR": Decimal("17.20"),
    "INR": Decimal("88.70"),
    "KRW": Decimal("1440"),
    "TRY": Decimal("42.00"),
    "AED": Decimal("3.6725"),
    "SAR": Decimal("3.75"),
}


class UnknownInstrument(LookupError):
    """No instrument of the world has this contract id."""


class UnknownCurrency(LookupError):
    """The world has no exchange rate for this currency."""


class HasNow(Protocol):
    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Quote:
    """One instrument's market at an instant; prices in quoted units, sizes and volume in units."""

    conid: int
    at: datetime
    last: Decimal
    bid: Decimal
    ask: Decimal
    bid_size: int
    ask_size: int
    open: Decimal
    high: Decimal
    low: Decimal
    prior_close: Decimal
    volume: int

    @property
    def change(self) -> Decimal:
        return self.last - self.prior_close

    @property
    def change_percent(self) -> Decimal:
        return (self.change / self.prior_close * 100).quantize(Decimal("0.01"))


@lru_cache(maxsize=65_536)
def _level(seed: int, conid: int, period: int, index: int) -> int:
    """Return a level from -1,000,000 to 1,000,000, always the same for the same corner."""
    digest = hashlib.blake2b(f"{seed}:{conid}:{period}:{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 2_000_001 - 1_000_000


def _layer(seed: int, conid: int, period: int, reach: int, minute: int) -> int:
    index, into = divmod(minute, period)
    here, there = _level(seed, conid, period, index), _level(seed, conid, period, index + 1)
    return reach * (here * (period - into) + there * into) // period


@lru_cache(maxsize=65_536)
def _deviation(seed: int, conid: int, minute: int) -> Decimal:
    """Return the relative distance from the reference level, about -0.18 to 0.18."""
    total = sum(_layer(seed, conid, period, reach, minute) for period, reach in _LAYERS)
    return Decimal(total) / Decimal(100_000 * 1_000_000)


class Market:
    def __init__(self, seed: int, clock: HasNow) -> None:
        self._seed = seed
        self._clock = clock

    def price(self, conid: int, at: datetime | None = None) -> Decimal:
        """Return the last price, on the tick grid and in quoted units. Raises UnknownInstrument."""
        instrument = self._instrument(conid)
        minute = int((at or self._clock.now()).timestamp()) // 60
        calmness = _CALMNESS.get(instrument.subtype or instrument.asset_class, Decimal(1))
        moved = instrument.ref_price * (1 + calmness * _deviation(self._seed, conid, minute))
        return instrument.rounded(moved)

    def bounds(self, conid: int, start: datetime, minutes: int) -> tuple[Decimal, Decimal]:
        """Return prices that the last price does not leave, downwards and upwards, from `start` for so many minutes.

        They may lie wider apart than the prices really come: whoever waits for a price can pass over what lies outside them.
        """
        instrument, first = self._instrument(conid), int(start.timestamp()) // 60
        last = first + minutes
        lowest = highest = 0
        for period, reach in _LAYERS:
            if period < minutes // 8:
                levels = [-reach * 1_000_000, reach * 1_000_000]
            else:  # straight lines between corners: extremes lie at corners and at the ends
                corners = range((first // period + 1) * period, last, period)
                levels = [_layer(self._seed, conid, period, reach, minute) for minute in (first, *corners, last)]
            lowest, highest = lowest + min(levels), highest + max(levels)
        calmness = _CALMNESS.get(instrument.subtype or instrument.asset_class, Decimal(1))
        # The walk rounds each layer down to a whole unit of the total, which is far below a tick.
        low, high = (
            1 + calmness * Decimal(edge) / Decimal(100_000 * 1_000_000) for edge in (lowest - 10, highest + 10)
        )
        return instrument.rounded(instrument.ref_price * low), instrument.rounded(instrument.ref_price * high)

    def close(self, conid: int, day: date) -> Decimal:
        """Return the closing price of a day; for a Saturday or Sunday that of the Friday before."""
        return self.price(conid, datetime.combine(_weekday_on_or_before(day), _CLOSE_AT))

    def spread(self, conid: int, at: datetime | None = None) -> tuple[Decimal, Decimal]:
        """Return (bid, ask) around the last price: at least one tick apart, about two hundredths of a percent."""
        instrument, last = self._instrument(conid), self.price(conid, at)
        half = (last / 10_000 / instrument.min_tick).to_integral_value() * instrument.min_tick
        bid = max(last - half, instrument.min_tick)
        ask = max(last + half, bid + instrument.min_tick)
        return bid.quantize(instrument.min_tick), ask.quantize(instrument.min_tick)

    def quote(self, conid: int, at: datetime | None = None) -> Quote:
        """Return the whole market of one instrument. Raises UnknownInstrument."""
        at = at or self._clock.now()
        last = self.price(conid, at)
        bid, ask = self.spread(conid, at)
        today = at.date()
        opened_at = min(datetime.combine(today, _OPEN_AT), at)
        opened = self.price(conid, opened_at)
        step = (at - opened_at) / 8
        seen = [opened, last, *(self.price(conid, opened_at + step * n) for n in range(1, 8))]
        has_closed_today = at >= datetime.combine(today, _CLOSE_AT)
        prior = self.close(conid, today if has_closed_today else today - timedelta(days=1))
        minute = int(at.timestamp()) // 60
        return Quote(
            conid=conid,
            at=at,
            last=last,
            bid=bid,
            ask=ask,
            bid_size=(1_000_000 + _level(self._seed, conid, -1, minute)) // 1_000 + 100,
            ask_size=(1_000_000 + _level(self._seed, conid, -2, minute)) // 1_000 + 100,
            open=opened,
            high=max(seen),
            low=min(seen),
            prior_close=prior,
            volume=(minute % 1_440) * 9_000 + (1_000_000 + _level(self._seed, conid, -3, minute // 1_440)),
        )

    def fx(self, from_currency: str, to_currency: str, at: datetime | None = None) -> Decimal:
        """Return units of `to_currency` per unit of `from_currency`, to eight places. Raises UnknownCurrency."""
        if from_currency == to_currency:
            return Decimal(1)
        return (self._in_dollars(from_currency, at) / self._in_dollars(to_currency, at)).quantize(_RATE)

    def _in_dollars(self, currency: str, at: datetime | None) -> Decimal:
        if currency == "USD":
            return Decimal(1)
        if currency in _STEADY:
            return 1 / _STEADY[currency]
        if currency not in _PAIRS:
            raise UnknownCurrency(currency)
        conid, is_dollars_per_unit = _PAIRS[currency]
        price = self.price(conid, at)
        return price if is_dollars_per_unit else 1 / price

    def _instrument(self, conid: int) -> Instrument:
        if (instrument := instruments.get(conid)) is None:
            raise UnknownInstrument(str(conid))
        return instrument


def _weekday_on_or_before(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - 4))
