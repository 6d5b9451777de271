"""Market data snapshots: the first asking opens a stream and shows nothing, later ones show strings.

One set of fields is active for a contract in a session, whoever asked last, over REST or the websocket. Open streams count
against the username's market data lines (knob `market_data_lines`, 100); past them a contract stays without data.
"""

from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument

from . import memory
from .desk import Call, Desk, Needs, Refusal, bad_request, route
from .fields import DEFAULT, View, needs_search, row
from .sessions import Session

MOST_CONIDS, MOST_FIELDS = 100, 50


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/iserver/marketdata/snapshot", _snapshot, Needs.ACCOUNTS),
        route(desk, "POST", "/iserver/marketdata/unsubscribe", _unsubscribe, Needs.SESSION),
        route(desk, "GET", "/iserver/marketdata/unsubscribeall", _unsubscribe_all, Needs.SESSION),
    ]


def is_streaming(desk: Desk, token: str, conid: int) -> bool:
    return active_fields(desk, token, conid) is not None


def active_fields(desk: Desk, token: str, conid: int) -> str | None:
    """Return the fields that the session's stream of a contract shows, None when there is no stream."""
    found: str | None = desk.sandbox.store.value(
        "SELECT fields FROM trading_streams WHERE token = ? AND conid = ?", token, conid
    )
    return found


def subscribe(desk: Desk, session: Session, conid: int, fields: str) -> bool:
    """Open the stream of a contract, or change its fields; False when the username has no market data line left."""
    if active_fields(desk, session.token, conid) is None and _lines_in_use(desk, session) >= int(
        desk.knob("market_data_lines", 100)
    ):
        return False
    desk.sandbox.store.execute("INSERT OR REPLACE INTO trading_streams VALUES (?, ?, ?)", session.token, conid, fields)
    return True


def unsubscribe(desk: Desk, token: str, conid: int) -> bool:
    return desk.sandbox.store.execute("DELETE FROM trading_streams WHERE token = ? AND conid = ?", token, conid) > 0


def _lines_in_use(desk: Desk, session: Session) -> int:
    return int(
        desk.sandbox.store.value(
            "SELECT COUNT(*) FROM trading_streams JOIN trading_sessions USING (token) WHERE username = ?",
            session.username,
        )
    )


def _snapshot(call: Call) -> list[dict[str, Any]]:
    conids = [conid for conid in call.query("conids").split(",") if conid]
    fields = call.query("fields")
    if not 0 < len(conids) <= MOST_CONIDS or not all(conid.isdecimal() and len(conid) < 12 for conid in conids):
        raise bad_request("conids: 1 to 100 contract ids are required")
    if len(fields.split(",")) > MOST_FIELDS:
        raise bad_request("fields: at most 50 are allowed")
    return [_row(call, int(conid), fields) for conid in conids]


def _row(call: Call, conid: int, fields: str) -> dict[str, Any]:
    cold = {"conidEx": str(conid), "conid": conid}
    instrument = instruments.get(conid)
    if instrument is None or not _is_found(call, instrument):
        return cold
    active = active_fields(call.desk, call.session.token, conid)
    wanted = fields or active or DEFAULT
    if not subscribe(call.desk, call.session, conid, wanted) or active is None:
        return cold
    return {**cold, **row(View(call.desk, call.session.selected), instrument, wanted)}


def _is_found(call: Call, instrument: Instrument) -> bool:
    """A derivative is quoted once its underlier has been searched in this session."""
    underlier = needs_search(instrument)
    return not underlier or memory.has(call, f"search {underlier}")


def _unsubscribe(call: Call) -> dict[str, bool]:
    conid = call.json().get("conid")
    if not str(conid).isdecimal() or not unsubscribe(call.desk, call.session.token, int(str(conid))):
        raise Refusal(500, {"error": "unknown"})
    return {"success": True}


def _unsubscribe_all(call: Call) -> dict[str, bool]:
    call.desk.sandbox.store.execute("DELETE FROM trading_streams WHERE token = ?", call.session.token)
    return {"unsubscribed": True}
