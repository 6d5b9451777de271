"""Market data snapshots: the first asking opens a stream and shows nothing, later ones show strings."""

from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.market import Quote

from . import sessions
from .desk import Call, Desk, Needs, Refusal, bad_request, route

DEFAULT_FIELDS = "31,84,86"
MOST_CONIDS, MOST_FIELDS = 100, 50


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/iserver/marketdata/snapshot", _snapshot, Needs.ACCOUNTS),
        route(desk, "POST", "/iserver/marketdata/unsubscribe", _unsubscribe, Needs.SESSION),
        route(desk, "GET", "/iserver/marketdata/unsubscribeall", _unsubscribe_all, Needs.SESSION),
    ]


def is_streaming(desk: Desk, token: str, conid: int) -> bool:
    found = desk.sandbox.store.row("SELECT 1 FROM trading_streams WHERE token = ? AND conid = ?", token, conid)
    return found is not None


def _snapshot(call: Call) -> list[dict[str, Any]]:
    conids = [conid for conid in call.query("conids").split(",") if conid]
    fields = call.query("fields")
    if not 0 < len(conids) <= MOST_CONIDS or not all(conid.isdecimal() and len(conid) < 12 for conid in conids):
        raise bad_request("conids: 1 to 100 contract ids are required")
    if len(fields.split(",")) > MOST_FIELDS:
        raise bad_request("fields: at most 50 are allowed")
    return [_row(call, int(conid), fields) for conid in conids]


def _row(call: Call, conid: int, fields: str) -> dict[str, Any]:
    store, token = call.desk.sandbox.store, call.session.token
    cold = {"conidEx": str(conid), "conid": conid}
    instrument = instruments.get(conid)
    if instrument is None:
        return cold
    stream = store.row("SELECT fields FROM trading_streams WHERE token = ? AND conid = ?", token, conid)
    wanted = fields or (stream["fields"] if stream else DEFAULT_FIELDS)
    store.execute("INSERT OR REPLACE INTO trading_streams VALUES (?, ?, ?)", token, conid, wanted)
    if stream is None:
        return cold
    quote = call.desk.sandbox.market.quote(conid)
    values = _values(instrument, quote)
    return {
        **cold,
        "_updated": sessions.milliseconds(quote.at),
        "server_id": "q1",
        "6119": "q1",
        "6509": "RpB",
        **{field: values[field] for field in wanted.split(",") if field in values},
    }


def _values(instrument: Instrument, quote: Quote) -> dict[str, str]:
    def price(amount: Decimal) -> str:
        return f"{amount:f}"

    return {
        "31": price(quote.last),
        "55": instrument.symbol,
        "58": instrument.company_name,
        "70": price(quote.high),
        "71": price(quote.low),
        "82": price(quote.change),
        "83": f"{quote.change_percent}%",
        "84": price(quote.bid),
        "85": f"{quote.ask_size:,}",
        "86": price(quote.ask),
        "87": _short(quote.volume),
        "88": f"{quote.bid_size:,}",
        "6004": instrument.exchange,
        "6008": str(instrument.conid),
        "6070": instrument.asset_class,
        "6457": str(instrument.underlying_conid),
        "6509": "RpB",
        "7051": instrument.company_name,
        "7059": "100",
        "7184": "1" if instrument.is_tradable else "0",
        "7219": instrument.local_symbol,
        "7221": instrument.exchange,
        "7295": price(quote.open),
        "7296": price(quote.last),
        "7635": price(quote.last),
        "7741": price(quote.prior_close),
        "7762": str(quote.volume),
        "7768": "1" if instrument.is_tradable else "0",
    }


def _short(volume: int) -> str:
    """50,123,456 as "50.1M", 9,400 as "9.4K"."""
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if volume >= size:
            return f"{(Decimal(volume) / size).quantize(Decimal('0.1'))}{letter}"
    return str(volume)


def _unsubscribe(call: Call) -> dict[str, bool]:
    conid = call.json().get("conid")
    gone = call.desk.sandbox.store.execute(
        "DELETE FROM trading_streams WHERE token = ? AND conid = ?", call.session.token, conid
    )
    if not gone:
        raise Refusal(500, {"error": "unknown"})
    return {"success": True}


def _unsubscribe_all(call: Call) -> dict[str, bool]:
    call.desk.sandbox.store.execute("DELETE FROM trading_streams WHERE token = ?", call.session.token)
    return {"unsubscribed": True}
