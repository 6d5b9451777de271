"""Market data with the words that say how live it is."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from backoffice.ibkr.parsing import Price


class Field(StrEnum):
    """IBKR's field numbers."""

    LAST = "31"
    SYMBOL = "55"
    HIGH = "70"
    LOW = "71"
    CHANGE = "82"
    CHANGE_PERCENT = "83"
    BID = "84"
    ASK_SIZE = "85"
    ASK = "86"
    BID_SIZE = "88"
    AVAILABILITY = "6509"
    COMPANY_NAME = "7051"
    OPEN = "7295"
    CLOSE = "7296"
    VOLUME = "7762"
    PRIOR_CLOSE = "7741"


QUOTE_FIELDS = (
    Field.LAST, Field.SYMBOL, Field.HIGH, Field.LOW, Field.CHANGE, Field.CHANGE_PERCENT, Field.BID, Field.ASK_SIZE,
    Field.ASK, Field.BID_SIZE, Field.COMPANY_NAME, Field.OPEN, Field.VOLUME, Field.PRIOR_CLOSE,
)  # fmt: skip


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
