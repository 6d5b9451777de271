"""`/iserver/marketdata/*`: prices now, with how live they are, and price history; and `/md/regsnapshot`, which costs money.

Each instrument asked for opens a stream behind the session, of which a username has about a hundred: `unsubscribe`
after use.
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from backoffice.ibkr import paths
from backoffice.ibkr.answers import object_read, problem_in, readable_or_none, value_read
from backoffice.ibkr.errors import OutcomeUnknown, RateLimited, Unavailable, Unsendable
from backoffice.ibkr.reading import list_read, read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply, retry_after
from backoffice.ibkr.types.history import History, check_period, start_time
from backoffice.ibkr.types.market_data import QUOTE_FIELDS, AcceptedFee, Snapshot, snapshot_of

MOST_CONIDS = 100
MOST_FIELDS = 50
SPACING_MS = 600  # the data behind a snapshot refreshes every half second
Source = Literal["Last", "Midpoint", "Bid_Ask"]
_TOO_MANY_CHARTS = re.compile(r"^[^{<]*too many history charts", re.IGNORECASE)
_NO_CHART = re.compile(r"^chart data unavailable", re.IGNORECASE)
_LONGEST_SENTENCE = 200


def _pause(milliseconds: int) -> None:
    time.sleep(milliseconds / 1000)


class MarketData:
    """Snapshots of markets, and their history."""

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
        return tuple(found.get(conid) or snapshot_of({"conid": conid}) for conid in wanted)

    def history(
        self,
        conid: str,
        *,
        period: str,
        bar: str,
        outside_hours: bool = False,
        source: Source = "Last",
        start: datetime | None = None,
        forwards: bool = False,
        exchange: str | None = None,
    ) -> History:
        """GET /iserver/marketdata/history: bars of a period such as "1w" that ends now, or at (or begins at) `start`.

        Traps: at most 1000 bars; the answer's headers `high` and `low` are scaled, the bars are not; not every bar
        goes with every period, which is refused here (Unsendable); "too many history charts" is RateLimited; a chart
        that cannot be drawn is Unavailable or a History without bars, which is not a market without trades.
        """
        query = chart_query(conid, period=period, bar=bar, outside_hours=outside_hours, start=start, forwards=forwards)
        query["source"] = source
        if exchange is not None:
            query["exchange"] = exchange
        reply = self._requestor.trading("GET", "iserver", "marketdata", "history", effect=Effect.READ, query=query)
        return history_read(reply)

    def regulatory_snapshot(self, conid: str, *, fee: AcceptedFee) -> Snapshot:
        """GET /md/regsnapshot: one instrument's market now, for a fee. A write: each call is charged, whatever comes of it.

        Nothing in the product calls it (tests/test_architecture.py), and nobody can without naming the `fee` that IBKR
        charges. Traps: it is never asked twice, so a lost answer is OutcomeUnknown, for it may have been charged; and
        nobody describes the answer: the field numbers of a snapshot are read, bare or in a list, `raw` keeps everything.
        """
        if not isinstance(fee, AcceptedFee):
            raise Unsendable("A regulatory snapshot costs USD 0.01: it is asked for by whoever accepts that fee.")
        instrument = paths.instrument_id(conid)
        reply = self._requestor.trading("GET", "md", "regsnapshot", effect=Effect.WRITE, query={"conid": instrument})
        body = readable_or_none(reply)
        if reply.status < 500 and (problem_in(body) is not None or not 200 <= reply.status < 300):
            value_read(reply)  # raises what the refusal means
        row = body[0] if isinstance(body, list) and len(body) == 1 else body
        if not 200 <= reply.status < 300 or not isinstance(row, dict) or str(row.get("conid", conid)) != instrument:
            raise OutcomeUnknown(
                "IBKR's regulatory snapshot cannot be read, and may have been charged.",
                status=reply.status,
                exchange=reply.exchange,
            )
        return snapshot_of({**row, "conid": instrument})

    def unsubscribe(self, conid: str) -> None:
        """POST /iserver/marketdata/unsubscribe: close an instrument's stream. Trap: 500 "unknown" only means it was not open."""
        reply = self._requestor.trading(
            "POST", "iserver", "marketdata", "unsubscribe", effect=Effect.READ,
            body={"conid": int(paths.instrument_id(conid))},
        )  # fmt: skip
        problem = problem_in(readable_or_none(reply))
        if reply.status == 500 and problem is not None and problem.text.strip().lower() == "unknown":
            return
        object_read(reply)

    def unsubscribe_all(self) -> None:
        """GET /iserver/marketdata/unsubscribeall: close every stream of the session, the other readers' too."""
        object_read(self._requestor.trading("GET", "iserver", "marketdata", "unsubscribeall", effect=Effect.READ))

    def _look(self, conids: Sequence[str], fields: Sequence[str]) -> list[Snapshot]:
        query = {"conids": ",".join(conids), "fields": ",".join(fields)}
        reply = self._requestor.trading("GET", "iserver", "marketdata", "snapshot", effect=Effect.READ, query=query)
        return [snapshot_of(row) for row in list_read(reply) if isinstance(row, dict) and row.get("conid") is not None]


def chart_query(
    conid: str, *, period: str, bar: str, outside_hours: bool, start: datetime | None, forwards: bool
) -> dict[str, str]:
    """Return the members of a query that every chart has. Raises Unsendable for what IBKR does not draw."""
    check_period(period, bar)
    if forwards and start is None:
        raise Unsendable("History runs forwards only from a start.")
    query = {
        "conid": paths.instrument_id(conid),
        "period": period,
        "bar": bar,
        "outsideRth": "true" if outside_hours else "false",
    }
    if start is not None:
        query |= {"startTime": start_time(start), "direction": "1" if forwards else "-1"}
    return query


def history_read(reply: Reply) -> History:
    """Return the bars a chart was answered with; its refusals come as JSON or, as some documents show them, as bare text."""
    problem = problem_in(readable_or_none(reply))
    said = problem.text if problem is not None else reply.body[:_LONGEST_SENTENCE].decode("ascii", "replace").strip()
    if _TOO_MANY_CHARTS.search(said):
        raise RateLimited(said, retry_after=retry_after(reply), status=reply.status, exchange=reply.exchange)
    if reply.status >= 500 and _NO_CHART.search(said):
        raise Unavailable(said, status=reply.status, exchange=reply.exchange)
    return read_answer(History, object_read(reply), reply)
