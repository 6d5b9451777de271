"""The regulatory snapshot: one contract's market now, real time whatever its reader is subscribed to, for a cent each.

Every call that is answered is charged, and the ledger has a row of kind "market-data-fee" for it, so that whoever wants to
prove that nobody drew one counts these. No account's cash is touched: IBKR bills users, not accounts, and at another time.

`ibkr/trading.md` 5 has the path, `conid` and the fee, and no more. Assumed are: the brokerage session; shares that trade in
US dollars and nothing else; the fields of a snapshot by their numbers, 6509 saying snapshot ("RP"); an object, or with the
knob `regsnapshot_shape` "list" a list of one. The words of refusals are the sandbox's own; what is refused costs nothing.
"""

from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments

from .desk import Call, Desk, Needs, bad_request, route
from .fields import View, row

FEE = "0.01"
KIND = "market-data-fee"
_FIELDS = "31,55,84,85,86,88,7051,7059,7221"
_REAL_TIME_SNAPSHOT = "RP"


def routes(desk: Desk) -> list[BaseRoute]:
    return [route(desk, "GET", "/md/regsnapshot", _snapshot, Needs.SESSION)]


def _snapshot(call: Call) -> Any:
    instrument = instruments.get(call.query("conid"))
    if instrument is None or instrument.asset_class != "STK" or instrument.currency != "USD":
        raise bad_request(f"conid is not valid: {call.query('conid')}")
    found = {
        "conid": instrument.conid,
        "conidEx": str(instrument.conid),
        **row(View(call.desk, call.session.selected), instrument, _FIELDS, code=_REAL_TIME_SNAPSHOT),
    }
    charged = {"username": call.session.username, "amount": FEE, "currency": "USD"}
    call.desk.sandbox.ledger.record(KIND, call.session.username, str(instrument.conid), charged)
    return [found] if call.desk.knob("regsnapshot_shape", "object") == "list" else found
