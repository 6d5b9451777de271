"""What an account holds, in the several forms IBKR shows it.

/portfolio/{id}/positions/{page}    the long form, kept for a minute; `invalidate` or patience makes it fresh
/portfolio2/{id}/positions          the short form, always fresh; whole, or in pages of the knob `portfolio2_page_size`
/portfolio/{id}/position/{conid}    one contract; its definition is there only from the second asking on
/portfolio/positions/{conid}        one contract over all accounts, some of them once more as segment accounts (…C)
/portfolio/{id}/allocation          shares of the whole by class, sector and group; POST for several accounts
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.accounts import AccountRow
from backoffice.sandbox.clock import moment, stamp
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.jsonio import dumps, loads

from . import memory
from .definitions import enrichment, month, multiplier, strike
from .desk import Call, Desk, Needs, bad_request, route
from .portfolio import page_number
from .valuation import CENT, Line, Valuation, cents, realized_on, value

PAGE_SIZE = 100
_ZERO = Decimal("0.0")
_SORTED_BY = {
    "name": "contractDesc",
    "position": "position",
    "marketvalue": "mktValue",
    "unrealizedpnl": "unrealizedPnl",
}
_BASE = ("baseMktValue", "baseMktPrice", "baseAvgCost", "baseAvgPrice", "baseRealizedPnl", "baseUnrealizedPnl")


def routes(desk: Desk) -> list[BaseRoute]:
    read = Needs.PORTFOLIO
    return [
        route(desk, "GET", "/portfolio/{account}/positions/{page}", _positions, read),
        route(desk, "POST", "/portfolio/{account}/positions/invalidate", _invalidate, read),
        route(desk, "GET", "/portfolio2/{account}/positions", _fresh_positions, read),
        route(desk, "GET", "/portfolio/{account}/position/{conid}", _one_position, read),
        route(desk, "GET", "/portfolio/positions/{conid}", _over_accounts, read),
        route(desk, "GET", "/portfolio/{account}/combo/positions", _combinations, read),
        route(desk, "GET", "/portfolio/{account}/allocation", _allocation, read),
        route(desk, "POST", "/portfolio/allocation", _consolidated, read),
    ]


def valued(call: Call) -> Valuation:
    return value(call.desk.sandbox, call.account(call.path("account")))


def _positions(call: Call) -> Any:
    sandbox, page = call.desk.sandbox, page_number(call.path("page"))
    account = call.account(call.path("account"))
    kept = sandbox.store.row("SELECT at, body FROM trading_position_pages WHERE account = ?", account.account)
    lifetime = timedelta(seconds=int(call.desk.knob("positions_cache_seconds", 60)))
    if kept is not None and sandbox.clock.now() - moment(kept["at"]) < lifetime:
        found = loads(kept["body"])
    else:
        found = _all(call, value(sandbox, account))
        sandbox.store.execute(
            "INSERT OR REPLACE INTO trading_position_pages VALUES (?, ?, ?)",
            account.account,
            stamp(sandbox.clock.now()),
            dumps(found),
        )
    if call.query("model"):
        return []  # no account of this world holds a model
    field = _SORTED_BY.get(call.query("sort", "name").lower(), "contractDesc")
    found.sort(key=lambda item: item[field], reverse=call.query("direction", "a") == "d")
    shown = found[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    return [_as_loaded(call, item) for item in shown]


def _as_loaded(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    """Without waitForSecDef a position lacks its definition until that has been loaded for this bearer."""
    is_loaded = memory.note(call, f"definition {item['conid']}", in_session=False)
    if is_loaded or call.query("waitForSecDef", "true").lower() != "false":
        return item
    instrument = instruments.get(item["conid"])
    return item if instrument is None else _bare(item, instrument)


def _all(call: Call, found: Valuation) -> list[dict[str, Any]]:
    realized = realized_on(call.desk.sandbox, found.account.account, found.at)
    held = [_long_form(call, line, found.account, realized.get(line.instrument.conid, _ZERO)) for line in found.lines]
    if not call.desk.knob("linger_zero_positions", False):
        return held
    known = {line.instrument.conid for line in found.lines}
    gone = [each for conid in realized.keys() - known if (each := instruments.get(conid)) is not None]
    return held + [_sold_out(call, each, found, realized[each.conid]) for each in gone]


def _sold_out(call: Call, instrument: Instrument, found: Valuation, realized: Decimal) -> dict[str, Any]:
    """A position of zero that lingers for the day."""
    rate = call.desk.sandbox.market.fx(instrument.currency, found.account.base_currency, found.at)
    price = call.desk.sandbox.market.price(instrument.conid, found.at)
    line = Line(instrument, Decimal(1), price, Decimal("0.00"), Decimal("0.00"), rate, Decimal("0.00"))
    return {**_long_form(call, line, found.account, realized), "position": _ZERO}


def _invalidate(call: Call) -> dict[str, str]:
    account = call.account(call.path("account"))
    call.desk.sandbox.store.execute("DELETE FROM trading_position_pages WHERE account = ?", account.account)
    return {"message": "success"}


def _one_position(call: Call) -> list[dict[str, Any]]:
    found = valued(call)
    return [
        _as_asked_before(call, item) for item in _all(call, found) if str(item["conid"]) == call.path("conid")
    ]  # fmt: skip


def _as_asked_before(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    instrument = instruments.get(item["conid"])
    if instrument is None or memory.note(call, f"definition {item['conid']}", in_session=False):
        return item
    return _bare(item, instrument)


def _over_accounts(call: Call) -> dict[str, Any]:
    """Only accounts that hold it. A margin account appears again as its segment account, which is the same holding."""
    found: dict[str, Any] = {}
    for account in call.desk.open_accounts(call.master):
        items = [
            item for item in _all(call, value(call.desk.sandbox, account)) if str(item["conid"]) == call.path("conid")
        ]
        if not items:
            continue
        found[account.account] = [_as_asked_before(call, item) for item in items]
        if account.margin != "Cash" and call.desk.knob("segment_accounts", True):
            segment = f"{account.account}C"
            found[segment] = [{**item, "acctId": segment} for item in found[account.account]]
    return found


def _description(instrument: Instrument) -> str:
    if instrument.asset_class != "OPT":
        return instrument.local_symbol
    when = f"{month(instrument.expiry)[:3]}{instrument.expiry[:4]}"
    amount = f"{instrument.strike.normalize():f}"
    return f"{instrument.symbol:<6} {when} {amount} {instrument.right} [{instrument.local_symbol} {instrument.multiplier:f}]"


def _long_form(call: Call, line: Line, account: AccountRow, realized: Decimal) -> dict[str, Any]:
    instrument = line.instrument
    found: dict[str, Any] = {
        "acctId": account.account,
        "conid": str(instrument.conid) if call.desk.knob("position_conid_as_text", False) else instrument.conid,
        "contractDesc": _description(instrument),
        "position": line.quantity,
        "mktPrice": line.price,
        "mktValue": line.value,
        "currency": instrument.currency,
        "avgCost": line.average_cost,
        "avgPrice": line.average_price,
        "realizedPnl": realized,
        "unrealizedPnl": line.unrealized,
        "exchs": None,
        "expiry": instrument.expiry or None,
        "putOrCall": instrument.right or None,
        "multiplier": multiplier(instrument),
        "strike": strike(instrument),
        "exerciseStyle": None,
        "conExchMap": [],
        "assetClass": instrument.asset_class,
        "undConid": instrument.underlying_conid,
        "model": "",
        "baseMktValue": line.base_value,
        "baseMktPrice": (line.price * line.rate).quantize(CENT),
        "baseAvgCost": (line.average_cost * line.rate).quantize(CENT),
        "baseAvgPrice": (line.average_price * line.rate).quantize(CENT),
        "baseRealizedPnl": (realized * line.rate).quantize(CENT),
        "baseUnrealizedPnl": line.base_value - (line.cost * line.rate).quantize(CENT),
        **enrichment(instrument),
        "pageSize": PAGE_SIZE,
    }
    if not call.desk.knob("base_figures_of_positions", True):
        found = {name: each for name, each in found.items() if name not in _BASE}
    return found


def _bare(item: dict[str, Any], instrument: Instrument) -> dict[str, Any]:
    """A position whose definition is not loaded: what belongs to the contract is missing, null or zero."""
    loaded = {*enrichment(instrument), "pageSize"}
    kept = {name: each for name, each in item.items() if name not in loaded}
    return {**kept, "expiry": None, "putOrCall": None, "multiplier": None, "strike": _ZERO, "undConid": 0}


def _fresh_positions(call: Call) -> list[dict[str, Any]]:
    """Members as recorded; the knob `portfolio2_names` "documented" gives prices and values the names of the documentation.

    How a page after the first would be asked for is nowhere said: `page`, from 0, is the sandbox's own.
    """
    found = valued(call)
    if call.query("model"):
        return []
    is_documented = call.desk.knob("portfolio2_names", "recorded") == "documented"
    price, worth = ("mktPrice", "mktValue") if is_documented else ("marketPrice", "marketValue")
    is_text = call.desk.knob("portfolio2_conid_as_text", True)
    size = int(call.desk.knob("portfolio2_page_size", 0)) or len(found.lines)
    begin = page_number(call.query("page", "0")) * size
    realized = realized_on(call.desk.sandbox, found.account.account, found.at)
    return [
        {
            "position": line.quantity,
            "conid": str(line.instrument.conid) if is_text else line.instrument.conid,
            "avgCost": line.average_cost,
            "avgPrice": line.average_price,
            "currency": line.instrument.currency,
            "description": _description(line.instrument),
            "isLastToLoq": False,
            price: line.price,
            worth: line.value,
            "realizedPnl": realized.get(line.instrument.conid, _ZERO),
            "unrealizedPnl": line.unrealized,
            "secType": line.instrument.asset_class,
            "assetClass": line.instrument.asset_class,
            "sector": line.instrument.sector,
            "group": line.instrument.industry_group,
            "timestamp": int(found.at.timestamp()),
            "model": "",
        }
        for line in found.lines[begin : begin + size]
    ]


def _combinations(call: Call) -> list[dict[str, Any]]:
    """[] unless the knob `combinations` names some: {account: [[conid, ratio], ...]}, each list one combination held."""
    found = valued(call)
    legs: list[list[int]] = call.desk.knob("combinations", {}).get(found.account.account, [])
    if not legs:
        return []
    realized = realized_on(call.desk.sandbox, found.account.account, found.at)
    lines = [line for line in found.lines if line.instrument.conid in {conid for conid, _ in legs}]
    return [
        {
            "name": f"CP.CP{sum(conid for conid, _ in legs) % 16**8:08x}",
            "description": "".join(f"{ratio:+d}*{conid}" for conid, ratio in legs).lstrip("+"),
            "legs": [{"conid": str(conid), "ratio": ratio} for conid, ratio in legs],
            "positions": [
                _long_form(call, line, found.account, realized.get(line.instrument.conid, _ZERO)) for line in lines
            ],
        }
    ]


def _allocation(call: Call) -> dict[str, Any]:
    return _shared_out(call, [valued(call)])


def _consolidated(call: Call) -> dict[str, Any]:
    wanted = call.json().get("acctIds")
    if not isinstance(wanted, list) or not wanted:
        raise bad_request("acctIds are required")
    return _shared_out(call, [value(call.desk.sandbox, call.account(str(account))) for account in wanted])


def _shared_out(call: Call, found: list[Valuation]) -> dict[str, Any]:
    """Values by asset class, sector and group, long and short apart, in the first account's base currency."""
    market, base = call.desk.sandbox.market, found[0].account.base_currency
    rates = [(each, market.fx(each.account.base_currency, base, each.at)) for each in found]

    def of_lines(name: Callable[[Instrument], str]) -> list[tuple[str, Decimal]]:
        return [
            (name(line.instrument) or "Others", cents(line.base_value * rate))
            for each, rate in rates
            for line in each.lines
        ]

    classes = of_lines(lambda instrument: instrument.asset_class)
    classes += [("CASH", cents(cash.base_amount * rate)) for each, rate in rates for cash in each.cash]
    return {
        "assetClass": _sides(classes),
        "sector": _sides(of_lines(lambda instrument: instrument.sector)),
        "group": _sides(of_lines(lambda instrument: instrument.industry_group)),
    }


def _sides(parts: list[tuple[str, Decimal]]) -> dict[str, dict[str, Decimal]]:
    sides: dict[str, dict[str, Decimal]] = {"long": {}, "short": {}}
    for name, amount in parts:
        if amount:
            side = sides["long" if amount > 0 else "short"]
            side[name] = side.get(name, Decimal("0.00")) + amount
    return sides
