"""`/iserver/marketdata/snapshot`: prices now, with how live they are."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from backoffice.ibkr import paths
from backoffice.ibkr.errors import Unsendable
from backoffice.ibkr.parsing import Price, instant, number, percentage, price
from backoffice.ibkr.reading import list_read
from backoffice.ibkr.redaction import redact_members
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect
from backoffice.ibkr.types.market_data import QUOTE_FIELDS, Field, Snapshot, Timeline

MOST_CONIDS = 100
MOST_FIELDS = 50
SPACING_MS = 600  # the data behind a snapshot refreshes every half second
ValueT = TypeVar("ValueT")


def _pause(milliseconds: int) -> None:
    time.sleep(milliseconds / 1000)


class MarketData:
    """Snapshots of markets."""

    def __init__(self, requestor: Requestor, pause: Callable[[int], None] = _pause) -> None:
        self._requestor = requestor
        self._pause = pause

    def snapshot(
        self, conids: Sequence[str], fields: Sequence[str] = QUOTE_FIELDS, *, looks: int = 4
    ) -> tuple[Snapshot, ...]:
        """GET /iserver/marketdata/snapshot: one Snapshot per conid, in the order asked.

        Traps: the first request only subscribes, so up to `looks` are made until every instrument has data; a field
        that never came is None, not zero; a last price may be yesterday's close (`Price.is_previous_close`).
        """
        wanted = [paths.instrument_id(conid) for conid in conids]
        if not 0 < len(wanted) <= MOST_CONIDS or not 0 < len(fields) <= MOST_FIELDS:
            raise Unsendable(f"A snapshot is of 1 to {MOST_CONIDS} instruments and 1 to {MOST_FIELDS} fields.")
        found: dict[str, Snapshot] = {}
        for look in range(max(looks, 1)):
            if look:
                self._pause(SPACING_MS)
            found |= {snapshot.conid: snapshot for snapshot in self._look(wanted, fields)}
            if all(conid in found and found[conid].has_data for conid in wanted):
                break
        return tuple(found.get(conid) or _snapshot({"conid": conid}) for conid in wanted)

    def _look(self, conids: Sequence[str], fields: Sequence[str]) -> list[Snapshot]:
        query = {"conids": ",".join(conids), "fields": ",".join(fields)}
        reply = self._requestor.trading("GET", "iserver", "marketdata", "snapshot", effect=Effect.READ, query=query)
        return [_snapshot(row) for row in list_read(reply) if isinstance(row, dict) and row.get("conid") is not None]


def _snapshot(row: dict[str, Any]) -> Snapshot:
    availability = row.get(Field.AVAILABILITY)
    availability = availability if isinstance(availability, str) else ""
    return Snapshot(
        conid=str(row["conid"]),
        timeline=Timeline(availability[0]) if availability[:1] in {*Timeline} and availability else Timeline.UNKNOWN,
        availability=availability,
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
        volume=_figure(number, row, Field.VOLUME),
        symbol=_words(row, Field.SYMBOL),
        company_name=_words(row, Field.COMPANY_NAME),
        updated=_figure(instant, row, "_updated"),
        raw=redact_members(row),
    )


def _price(row: dict[str, Any], field: str) -> Price | None:
    return _figure(price, row, field)


def _words(row: dict[str, Any], field: str) -> str:
    value = row.get(field)
    return value if isinstance(value, str) else ""


def _figure(read: Callable[[object], ValueT | None], row: dict[str, Any], field: str) -> ValueT | None:
    try:
        return read(row.get(field))
    except ValueError:
        return None
