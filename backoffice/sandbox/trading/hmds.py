"""The historical market data service: shut until it is opened in a brokerage session, and then the same charts.

`ibkr/trading.md` says that `POST /hmds/auth/init` opens it and that everything else there is 404 before. A client in the
field says that a first `/hmds/history` is 404 and opens it, too: the knob `hmds_opened_by` plays that. What the answers look
like nobody describes. Assumed are: the state of a session for the init, which /tickle then shows under `hmds`; for charts the
parameters and bars of /iserver/marketdata/history, with `barType` for `source` as that client has it, and the same head or,
with the knob `hmds_history_head` "short", one of times and counts.
"""

from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox.jsonio import answer

from . import history, memory, sessions
from .desk import Call, Desk, Needs, route

OPEN = "hmds"


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "POST", "/hmds/auth/init", _init, Needs.SESSION),
        route(desk, "GET", "/hmds/history", _history, Needs.SESSION),
    ]


def describe(call: Call) -> dict[str, Any]:
    """What /tickle says of the service."""
    if call.session.state == "held" and memory.has(call, OPEN):
        return {"authStatus": sessions.status(call.session)}
    return {"error": "no bridge"}


def _init(call: Call) -> dict[str, Any]:
    memory.note(call, OPEN)
    return sessions.status(call.session)


def _history(call: Call) -> Any:
    if not memory.has(call, OPEN):
        if call.desk.knob("hmds_opened_by", "init") == "either":
            memory.note(call, OPEN)
        return answer({"error": "Not Found", "statusCode": 404}, 404)
    asked = dict(call.request.query_params)
    chart = history.read(call.desk, asked.get("conid", ""), asked | {"source": asked.get("barType", "")})
    whole = history.answer(call.desk, chart, server_id="4155816")
    if call.desk.knob("hmds_history_head", "full") == "full":
        return whole
    return {
        "startTime": chart.first.strftime(history.TIME),
        "startTimeVal": sessions.milliseconds(chart.first),
        "endTime": chart.last.strftime(history.TIME),
        "endTimeVal": sessions.milliseconds(chart.last),
        **{name: whole[name] for name in ("data", "points", "mktDataDelay")},
    }
