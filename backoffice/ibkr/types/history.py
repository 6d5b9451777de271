"""Price history: what may be asked for, and the bars that come."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from backoffice.ibkr.errors import Unsendable
from backoffice.ibkr.parsing import Flag, Instant, Number, Text
from backoffice.ibkr.types.base import Answer
from backoffice.ibkr.types.market_data import Availability

MOST_POINTS = 1_000
_MINUTES = {"min": 1, "h": 60, "d": 1_440, "w": 10_080, "m": 43_200, "y": 525_600}
_LONGEST = {"min": 30, "h": 8, "d": 1_000, "w": 792, "m": 182, "y": 15}
BARS = (
    "1min", "2min", "3min", "5min", "10min", "15min", "30min", "1h", "2h", "3h", "4h", "8h", "1d", "1w", "1m",
)  # fmt: skip
# For a period this long, the shortest and the longest bar (trading.md 5). In between, both neighbours' bars are let through.
_STEPS = (
    ("1d", "1min", "8h"), ("1w", "10min", "1w"), ("1m", "1h", "1m"), ("3m", "2h", "1m"), ("6m", "4h", "1m"),
    ("1y", "8h", "1m"), ("2y", "1d", "1m"), ("3y", "1d", "1m"), ("15y", "1w", "1m"),
)  # fmt: skip


def check_period(period: str, bar: str) -> None:
    """Refuse a period or a bar IBKR does not have, or a bar that does not fit the period. Raises Unsendable."""
    length = _length(period)
    if length is None or not 1 <= length[0] <= _LONGEST[length[1]]:
        raise Unsendable(f"{period!r} is not a period: 1-30min, 1-8h, 1-1000d, 1-792w, 1-182m or 1-15y.")
    if bar not in BARS:
        raise Unsendable(f"{bar!r} is not a bar: {', '.join(BARS)}.")
    whole = length[0] * _MINUTES[length[1]]
    below = [shortest for at, shortest, _ in _STEPS if _minutes(at) <= whole]
    above = [longest for at, _, longest in _STEPS if _minutes(at) >= whole]
    shortest = below[-1] if below else "1min"
    longest = above[0] if above else "1m"
    if not _minutes(shortest) <= _minutes(bar) <= _minutes(longest):
        raise Unsendable(f"Bars of {bar} do not fit {period}: {shortest} to {longest} do.")


def _length(text: str) -> tuple[int, str] | None:
    match = re.fullmatch(r"([1-9]\d{0,3})(min|h|d|w|m|y)", text)
    return (int(match[1]), match[2]) if match else None


def _minutes(text: str) -> int:
    length = _length(text)
    if length is None:
        raise ValueError(f"{text!r} is not a length of time")
    return length[0] * _MINUTES[length[1]]


def _header(value: object) -> object:
    """Return the price in a header such as "65820/26572.9/67", still scaled by the price factor."""
    return value.partition("/")[0] if isinstance(value, str) else value


class Bar(Answer):
    """One bar, in real prices. `at` is when it begins."""

    at: Instant = Field(default=None, alias="t")
    open: Number = Field(default=None, alias="o")
    high: Number = Field(default=None, alias="h")
    low: Number = Field(default=None, alias="l")
    close: Number = Field(default=None, alias="c")
    volume: Number = Field(default=None, alias="v")


class History(Answer):
    """Bars of one instrument. The bars are real prices; IBKR's headers `high` and `low` are multiplied by `priceFactor`.

    Use `highest` and `lowest`, which undo that. At most 1000 bars come: `may_be_cut` says when older ones may be missing.
    """

    symbol: Text = ""
    name: Text = Field(default="", alias="text")
    server_id: Text = Field(default="", alias="serverId")
    starts_at: Instant = Field(default=None, alias="startTime")
    bar_seconds: Number = Field(default=None, alias="barLength")
    price_factor: Number = Field(default=None, alias="priceFactor")
    volume_factor: Number = Field(default=None, alias="volumeFactor")
    delay_seconds: Number = Field(default=None, alias="mktDataDelay")
    is_outside_hours: Flag = Field(default=None, alias="outsideRth")
    may_be_negative: Flag = Field(default=None, alias="negativeCapable")
    availability_text: Text = Field(default="", alias="mdAvailability")
    scaled_high: Annotated[Number, BeforeValidator(_header)] = Field(default=None, alias="high")
    scaled_low: Annotated[Number, BeforeValidator(_header)] = Field(default=None, alias="low")
    bars: tuple[Bar, ...] = Field(default=(), alias="data")

    @model_validator(mode="before")
    @classmethod
    def _absent_is_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        rows = data.get("data")
        return {**data, "data": [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []}

    @property
    def highest(self) -> Decimal | None:
        """The highest price of the period; None where IBKR gave no factor to undo."""
        return _unscaled(self.scaled_high, self.price_factor)

    @property
    def lowest(self) -> Decimal | None:
        """The lowest price of the period; None where IBKR gave no factor to undo."""
        return _unscaled(self.scaled_low, self.price_factor)

    @property
    def availability(self) -> Availability:
        """How live the bars are."""
        return Availability(self.availability_text)

    @property
    def may_be_cut(self) -> bool:
        """Whether there are as many bars as IBKR gives at most."""
        return len(self.bars) >= MOST_POINTS


def start_time(moment: datetime) -> str:
    """Return an aware instant as IBKR wants it here, in UTC. Raises ValueError without a zone."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone cannot be sent to IBKR.")
    return f"{moment.astimezone(UTC):%Y%m%d-%H:%M:%S}"


def _unscaled(value: Decimal | None, factor: Decimal | None) -> Decimal | None:
    try:
        return value / factor if value is not None and factor else None
    except ArithmeticError:  # JSON can say 1e999999
        return None
