"""Market data with the words that say how live it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, TypeVar

from backoffice.ibkr.parsing import Price, instant, number, percentage, price
from backoffice.ibkr.redaction import redact_members

ValueT = TypeVar("ValueT")


class Field(StrEnum):
    """IBKR's field numbers. Fields about a position (73 to 80, 7920, 7921) are of the account selected in the session."""

    LAST = "31"
    SYMBOL = "55"
    TEXT = "58"
    HIGH = "70"
    LOW = "71"
    POSITION_VALUE = "73"
    POSITION_AVERAGE_PRICE = "74"
    POSITION_UNREALISED = "75"
    POSITION_DAILY = "78"
    POSITION_REALISED = "79"
    POSITION_UNREALISED_PERCENT = "80"
    CHANGE = "82"
    CHANGE_PERCENT = "83"
    BID = "84"
    ASK_SIZE = "85"
    ASK = "86"
    VOLUME_TEXT = "87"
    BID_SIZE = "88"
    EXCHANGE = "6004"
    CONID = "6008"
    SECURITY_TYPE = "6070"
    MARKER = "6119"
    UNDERLYING_CONID = "6457"
    AVAILABILITY = "6509"
    COMPANY_NAME = "7051"
    LAST_SIZE = "7059"
    CAN_BE_TRADED = "7184"
    CONTRACT = "7219"
    CONTRACT_MORE = "7220"
    LISTING_EXCHANGE = "7221"
    AVERAGE_VOLUME = "7282"
    UNDERLYING_IMPLIED_VOLATILITY = "7283"
    HIGH_52_WEEKS = "7293"
    LOW_52_WEEKS = "7294"
    OPEN = "7295"
    CLOSE = "7296"
    DELTA = "7308"
    GAMMA = "7309"
    THETA = "7310"
    VEGA = "7311"
    STRIKE_IMPLIED_VOLATILITY = "7633"
    MARK = "7635"
    SHORTABLE_SHARES = "7636"
    FEE_RATE = "7637"
    SHORTABLE = "7644"
    BOND_LAST_YIELD = "7698"
    BOND_BID_YIELD = "7699"
    LAST_TRADING_DAY = "7714"
    ISSUE_DAY = "7715"
    BOND_ASK_YIELD = "7720"
    PRIOR_CLOSE = "7741"
    VOLUME = "7762"
    HAS_PERMISSION = "7768"
    POSITION_DAILY_RAW = "7920"
    POSITION_COST_RAW = "7921"


# Asked for everywhere, REST and stream alike: the last subscriber's fields of an instrument hold for the whole session.
QUOTE_FIELDS = (
    Field.LAST, Field.SYMBOL, Field.HIGH, Field.LOW, Field.CHANGE, Field.CHANGE_PERCENT, Field.BID, Field.ASK_SIZE,
    Field.ASK, Field.BID_SIZE, Field.COMPANY_NAME, Field.OPEN, Field.VOLUME, Field.PRIOR_CLOSE,
)  # fmt: skip


class AcceptedFee(Enum):
    """What a caller lets IBKR charge by naming it, in US dollars. There is no other way to ask for what costs money."""

    REGULATORY_SNAPSHOT = Decimal("0.01")  # each


class Timeline(StrEnum):
    """How live data is: the first letter of field 6509."""

    REALTIME = "R"
    DELAYED = "D"
    FROZEN = "Z"
    FROZEN_DELAYED = "Y"
    NOT_SUBSCRIBED = "N"
    NOT_ACKNOWLEDGED = "O"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Availability:
    """Field 6509 letter by letter. An unknown letter is news: `timeline` is UNKNOWN then and `text` keeps it."""

    text: str = ""

    @property
    def timeline(self) -> Timeline:
        """How live the data is."""
        letter = self.text[:1]
        return Timeline(letter) if letter and letter in {*Timeline} else Timeline.UNKNOWN

    @property
    def is_snapshot(self) -> bool:
        """Whether the second letter says that only a snapshot can be had."""
        return self.text[1:2] == "P"

    @property
    def words(self) -> str:
        """What an operator should read beside a price."""
        return {
            Timeline.REALTIME: "real time",
            Timeline.DELAYED: "delayed by 15 to 20 minutes",
            Timeline.FROZEN: "frozen at the last close",
            Timeline.FROZEN_DELAYED: "frozen and delayed",
            Timeline.NOT_SUBSCRIBED: "not subscribed",
            Timeline.NOT_ACKNOWLEDGED: "IBKR's market data agreement is not signed",
            Timeline.UNKNOWN: "of unknown age",
        }[self.timeline]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of one instrument's market now. None means not known, never zero.

    `is_live` is what a limit or a size may be computed from: real time, traded today, not halted.
    """

    conid: str
    timeline: Timeline
    availability: str
    last: Price | None
    bid: Price | None
    ask: Price | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    open: Price | None
    high: Price | None
    low: Price | None
    prior_close: Price | None
    change: Decimal | None
    change_percent: Decimal | None
    volume: Decimal | None
    symbol: str
    company_name: str
    updated: datetime | None
    raw: dict[str, Any]
    is_volume_rounded: bool = False  # it came from "50M", because the exact field did not

    @property
    def is_live(self) -> bool:
        """Whether the last price is today's and real time."""
        return (
            self.timeline is Timeline.REALTIME
            and self.last is not None
            and not (self.last.is_previous_close or self.last.is_halted)
        )

    @property
    def is_delayed(self) -> bool:
        """Whether the figures are 15 to 20 minutes old."""
        return self.timeline in (Timeline.DELAYED, Timeline.FROZEN_DELAYED)

    @property
    def has_data(self) -> bool:
        """Whether anything but the conid has arrived; a first request often only subscribes."""
        return any(value is not None for value in (self.last, self.bid, self.ask, self.prior_close))

    @property
    def decoded(self) -> Availability:
        """Field 6509, letter by letter."""
        return Availability(self.availability)

    def figure(self, field_id: str) -> Decimal | None:
        """Return any field as a number, a percentage in per cent; None when it is not there or no number."""
        return _figure(percentage, self.raw, field_id)

    def text(self, field_id: str) -> str:
        """Return any field as IBKR wrote it; empty when it is not there."""
        return _words(self.raw, field_id)


@dataclass(slots=True)
class MarketLine:
    """One instrument's market data as it builds up from differences: each message carries only what changed."""

    conid: str
    members: dict[str, Any] = field(default_factory=dict)

    def take(self, changes: Mapping[str, object]) -> Snapshot:
        """Merge a message and return what is known now."""
        self.members |= {name: value for name, value in changes.items() if value is not None and name != "topic"}
        return snapshot_of(self.members | {"conid": self.conid})


def snapshot_of(row: Mapping[str, Any]) -> Snapshot:
    """Return one row of a snapshot or stream in types. `row` holds field numbers, and the conid."""
    availability = Availability(_words(row, Field.AVAILABILITY))
    exact = _figure(number, row, Field.VOLUME)
    rounded = _figure(number, row, Field.VOLUME_TEXT)
    return Snapshot(
        conid=str(row["conid"]),
        timeline=availability.timeline,
        availability=availability.text,
        last=_price(row, Field.LAST),
        bid=_price(row, Field.BID),
        ask=_price(row, Field.ASK),
        bid_size=_figure(number, row, Field.BID_SIZE),
        ask_size=_figure(number, row, Field.ASK_SIZE),
        open=_price(row, Field.OPEN),
        high=_price(row, Field.HIGH),
        low=_price(row, Field.LOW),
        prior_close=_price(row, Field.PRIOR_CLOSE),
        change=_figure(number, row, Field.CHANGE),
        change_percent=_figure(percentage, row, Field.CHANGE_PERCENT),
        volume=exact if exact is not None else rounded,
        symbol=_words(row, Field.SYMBOL),
        company_name=_words(row, Field.COMPANY_NAME),
        updated=_figure(instant, row, "_updated"),
        raw=redact_members(row),
        is_volume_rounded=exact is None and rounded is not None,
    )


def _price(row: Mapping[str, Any], name: str) -> Price | None:
    return _figure(price, row, name)


def _words(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _figure(read: Callable[[object], ValueT | None], row: Mapping[str, Any], name: str) -> ValueT | None:
    try:
        return read(row.get(name))
    except ValueError:
        return None
