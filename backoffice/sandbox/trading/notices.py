"""FYI: the notices IBKR sends a username, which of them are read, and what kinds are wanted.

Fourteen notices are there from the start, half of them read. Their text is HTML. A kind that does not exist is accepted all the
same. The knob `fyi_locked` answers 423 to the number of unread ones. Whether these need a brokerage session is not known;
here they do not.
"""

from datetime import timedelta
from typing import Any

from starlette.routing import BaseRoute

from .desk import Call, Desk, Handle, Needs, Refusal, bad_request, require, route

SCHEMA = """
CREATE TABLE IF NOT EXISTS trading_notices_read (username TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (username, id));
CREATE TABLE IF NOT EXISTS trading_notice_settings (
    username TEXT NOT NULL, code TEXT NOT NULL, enabled INTEGER NOT NULL, PRIMARY KEY (username, code)
);
CREATE TABLE IF NOT EXISTS trading_disclaimers (username TEXT NOT NULL, code TEXT NOT NULL, PRIMARY KEY (username, code))
"""
MOST_AT_ONCE = 10
_COUNT = 14
_KINDS = {  # code: (name, description, headline, text)
    "PF": (
        "Portfolio FYIs", "Notify me of recent activity affecting my portfolio holdings.",
        "FYI: Changes in Analyst Ratings",
        "<html>Analysts have changed their ratings for one or more companies in which you hold positions. <br />"
        " - KO@NYSE: Buy: 4(+1), Outperform: 5(0), Hold: 17(-1) </html>",
    ),
    "M8": (
        "Corporate actions", "Notify me of corporate actions and dividends of my positions.",
        "FYI: Upcoming Dividend", "<html>A position you hold goes ex dividend. <br /><b>AAPL</b>@NASDAQ</html>",
    ),
    "PT": (
        "Position Transfer",
        "Notify me of potential account configuration changes needed and useful features based on my position transfers.",
        "FYI: Position Transfer", "<html>Positions have arrived in an account you manage.</html>",
    ),
    "BA": (
        "Borrow Availability", "Notify me when the availability of shares to borrow changes.",
        "FYI: Shares to Borrow", "<html>Shares to borrow have become scarce.</html>",
    ),
}  # fmt: skip
_ACCEPTED = {"V": 1, "T": 10}


def routes(desk: Desk) -> list[BaseRoute]:
    def tier(handle: Handle) -> Handle:
        """Whether notices need the brokerage session is an open question (trading.md 16): the knob plays both."""

        def serve(call: Call) -> Any:
            require(call.session, Needs.SESSION if call.desk.knob("fyi_needs_session", False) else Needs.BEARER)
            return handle(call)

        return serve

    return [
        route(desk, "GET", "/fyi/unreadnumber", tier(_unread)),
        route(desk, "GET", "/fyi/notifications", tier(_notices)),
        route(desk, "GET", "/fyi/notifications/more", tier(_more)),
        route(desk, "PUT", "/fyi/notifications/{notice}", tier(_read)),
        route(desk, "GET", "/fyi/settings", tier(_settings)),
        route(desk, "POST", "/fyi/settings/{code}", tier(_set)),
        route(desk, "GET", "/fyi/disclaimer/{code}", tier(_disclaimer)),
        route(desk, "PUT", "/fyi/disclaimer/{code}", tier(_accept_disclaimer)),
    ]


def _all(call: Call) -> list[dict[str, Any]]:
    """Newest first, one a day; kinds that have been switched off are left out."""
    wanted = _is_wanted(call)
    rows = call.desk.sandbox.store.rows("SELECT id FROM trading_notices_read WHERE username = ?", call.session.username)
    read = {row["id"] for row in rows}
    today = call.desk.sandbox.clock.now().replace(hour=8, minute=0, second=0, microsecond=0)
    found = []
    for number in range(_COUNT):
        code = list(_KINDS)[number % len(_KINDS)]
        at = today - timedelta(days=number)
        identity = f"{at:%Y%m%d}{47_509_444 + number}"
        _, _, headline, text = _KINDS[code]
        is_read = identity in read or number >= _COUNT // 2
        found.append(
            {
                "R": int(is_read),
                "D": f"{int(at.timestamp())}.0",
                "MS": headline,
                "MD": text,
                "ID": identity,
                "HT": 0,
                "FC": code,
            }
        )
    return [notice for notice in found if wanted[str(notice["FC"])]]


def _is_wanted(call: Call) -> dict[str, bool]:
    rows = call.desk.sandbox.store.rows(
        "SELECT code, enabled FROM trading_notice_settings WHERE username = ?", call.session.username
    )
    return {**dict.fromkeys(_KINDS, True), **{row["code"]: bool(row["enabled"]) for row in rows}}


def _unread(call: Call) -> dict[str, int]:
    if call.desk.knob("fyi_locked", False):
        raise Refusal(423, {"status": "locked"})
    return {"BN": sum(1 for notice in _all(call) if not notice["R"])}


def _notices(call: Call) -> list[dict[str, Any]]:
    """`id` is the last one seen: the batch begins after it."""
    most = call.query("max")
    if not most.isdecimal() or not 1 <= int(most[:4]) <= MOST_AT_ONCE:
        raise bad_request(f"max is required, from 1 to {MOST_AT_ONCE}")
    include = set(filter(None, call.query("include").split(",")))
    exclude = set(filter(None, call.query("exclude").split(",")))
    found = [
        notice
        for notice in _after(call, call.query("id"))
        if (not include or notice["FC"] in include) and notice["FC"] not in exclude
    ]
    return found[: int(most)]


def _more(call: Call) -> list[dict[str, Any]]:
    if not call.query("id"):
        raise bad_request("id is required")
    return _after(call, call.query("id"))[:MOST_AT_ONCE]


def _after(call: Call, last: str) -> list[dict[str, Any]]:
    found = _all(call)
    places = [place for place, notice in enumerate(found) if notice["ID"] == last]
    return found[places[0] + 1 :] if places else found


def _read(call: Call) -> dict[str, Any]:
    identity = call.path("notice")
    is_known = any(notice["ID"] == identity for notice in _all(call))
    if is_known:
        call.desk.sandbox.store.execute(
            "INSERT OR IGNORE INTO trading_notices_read VALUES (?, ?)", call.session.username, identity
        )
    return {"V": 1, "T": 5, "P": {"R": int(is_known), "ID": identity}}


def _settings(call: Call) -> list[dict[str, Any]]:
    wanted, seen = _is_wanted(call), _seen(call)
    return [
        {"FC": code, "H": int(code in seen), "A": int(wanted[code]), "FD": description, "FN": name}
        for code, (name, description, _, _) in _KINDS.items()
    ]


def _seen(call: Call) -> set[str]:
    rows = call.desk.sandbox.store.rows(
        "SELECT code FROM trading_disclaimers WHERE username = ?", call.session.username
    )
    return {row["code"] for row in rows}


def _set(call: Call) -> dict[str, int]:
    enabled = call.json().get("enabled")
    if not isinstance(enabled, bool):
        raise bad_request("enabled must be true or false")
    call.desk.sandbox.store.execute(
        "INSERT OR REPLACE INTO trading_notice_settings VALUES (?, ?, ?)",
        call.session.username,
        call.path("code"),
        int(enabled),
    )
    return _ACCEPTED


def _disclaimer(call: Call) -> dict[str, str]:
    text = "This communication is provided for information purposes only and is not a recommendation to buy or sell."
    return {"FC": call.path("code"), "DT": text}


def _accept_disclaimer(call: Call) -> dict[str, int]:
    call.desk.sandbox.store.execute(
        "INSERT OR IGNORE INTO trading_disclaimers VALUES (?, ?)", call.session.username, call.path("code")
    )
    return _ACCEPTED
