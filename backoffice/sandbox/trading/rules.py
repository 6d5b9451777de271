"""What may be done with a contract: its full description, its trading rules and the algorithms that take it.

An instrument that nobody here may trade is an error at 200. The first call of `info-and-rules` in a session carries few
rules, and the first call of `algos` none.

Times in force end in suffixes: o for outside regular hours, and an "a" that nobody explains. Every recorded one has it.
With the knob `tif_suffix_a` "all-or-none" it means what it looks like: contracts outside the United States are shown
without it, and an order for one that is all or none is refused.
"""

from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument

from . import memory
from .contracts import valid_exchanges
from .definitions import digits, increments, month
from .desk import Call, Desk, Needs, Refusal, bad_request, route

MOST_ALGOS = 8
_EVERYWHERE = ["limit", "market", "stop", "stop_limit"]
_IN_THE_US = [
    "limit", "midprice", "market", "stop", "stop_limit", "mit", "lit", "trailing_stop", "trailing_stop_limit",
    "relative", "marketonclose", "limitonclose",
]  # fmt: skip
_WITH_ALGOS = ["limit", "stop_limit", "lit", "trailing_stop_limit", "relative", "marketonclose", "limitonclose"]
_FRACTIONS = ["limit", "market", "stop", "stop_limit", "mit", "lit", "trailing_stop", "trailing_stop_limit"]
_OUTSIDE = ["limit", "stop_limit", "lit", "trailing_stop_limit", "relative"]
_TIFS = [
    "IOC/MARKET,LIMIT,RELATIVE,MARKETONCLOSE,MIDPRICE,LIMITONCLOSE,MKT_PROTECT,STPPRT,a", "GTC/o,a", "OPG/LIMIT,MARKET,a",
    "GTD/o,a", "DAY/o,a",
]  # fmt: skip
_AT_FIRST = frozenset({"canTradeAcctIds", "error", "orderTypes", "tifTypes", "incrementRules", "increment", "preview"})


_SUFFIX = ",a"


def takes_all_or_none(desk: Desk, instrument: Instrument) -> bool:
    """Return whether an order for an instrument may be all or none."""
    return _is_in_the_us(instrument) or desk.knob("tif_suffix_a", "nothing") == "nothing"


def _is_in_the_us(instrument: Instrument) -> bool:
    return instrument.asset_class == "STK" and instrument.currency == "USD"


def _times_in_force(desk: Desk, instrument: Instrument) -> list[str]:
    listed = _TIFS if _is_in_the_us(instrument) else [tif for tif in _TIFS if not tif.startswith("OPG")]
    return listed if takes_all_or_none(desk, instrument) else [tif.removesuffix(_SUFFIX) for tif in listed]


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/iserver/contract/{conid}/info", lambda call: _info(_known(call.path("conid"))), Needs.SESSION),
        route(desk, "GET", "/iserver/contract/{conid}/info-and-rules", _info_and_rules, Needs.SESSION),
        route(desk, "POST", "/iserver/contract/rules", _rules, Needs.SESSION),
        route(desk, "GET", "/iserver/contract/{conid}/algos", _algos, Needs.SESSION),
    ]  # fmt: skip


def _known(conid: Any) -> Instrument:
    if (instrument := instruments.get(str(conid))) is None:
        raise bad_request(f"conid is not valid: {conid}")
    return instrument


def _info(instrument: Instrument) -> dict[str, Any]:
    is_option = instrument.asset_class == "OPT"
    is_smart = instrument.asset_class in ("STK", "OPT")
    expires = instrument.expiry or instrument.maturity or None
    found: dict[str, Any] = {
        "cfi_code": f"O{instrument.right}XXXS" if is_option else "",
        "symbol": instrument.symbol,
        "cusip": None,
        "expiry_full": expires,
        "con_id": instrument.conid,
        "maturity_date": expires,
        "industry": instrument.industry_group,
        "instrument_type": instrument.asset_class,
        "trading_class": instrument.symbol,
        "valid_exchanges": valid_exchanges(instrument),
        "allow_sell_long": False,
        "is_zero_commission_security": False,
        "local_symbol": instrument.local_symbol,
        "contract_clarification_type": None,
        "classifier": None,
        "currency": instrument.currency,
        "text": _in_words(instrument) if is_option else None,
        "underlying_con_id": instrument.underlying_conid,
        "r_t_h": not is_option,
        "multiplier": None if instrument.multiplier == 1 else f"{instrument.multiplier:f}",
        "underlying_issuer": None,
        "contract_month": instrument.expiry[:6] or None,
        "company_name": instrument.company_name,
        "smart_available": is_smart,
        "exchange": "SMART" if is_smart else instrument.exchange,
        "category": instrument.sector,
    }
    if is_option:
        found |= {
            "strike": f"{instrument.strike.normalize():f}",
            "right": "CALL" if instrument.right == "C" else "PUT",
        }
    return found


def _in_words(option: Instrument) -> str:
    """JAN 15 '27 150 Call."""
    right = "Call" if option.right == "C" else "Put"
    when = f"{month(option.expiry)[:3]} {option.expiry[6:]} '{option.expiry[2:4]}"
    return f"{when} {option.strike.normalize():f} {right}"


def _info_and_rules(call: Call) -> dict[str, Any]:
    instrument = _known(call.path("conid"))
    rules = _rules_of(call, instrument, is_buy=True)
    if not memory.note(call, f"info-and-rules {instrument.conid}"):
        rules = {name: value for name, value in rules.items() if name in _AT_FIRST}
    return {**_info(instrument), "rules": rules}


def _rules(call: Call) -> dict[str, Any]:
    wanted = call.json()
    is_buy = wanted.get("isBuy", True)
    if not isinstance(is_buy, bool):
        raise bad_request("isBuy must be true or false")
    return _rules_of(call, _known(wanted.get("conid")), is_buy=is_buy)


def _rules_of(call: Call, instrument: Instrument, *, is_buy: bool) -> dict[str, Any]:
    opened = [account.account for account in call.desk.open_accounts(call.master)]
    may_trade = opened if instrument.is_tradable else []
    in_the_us = _is_in_the_us(instrument)
    takes_fractions = in_the_us and call.desk.knob("supports_fractions", False)
    takes_cash = in_the_us and may_trade and call.desk.knob("supports_cash_quantity", False)
    bid, ask = call.desk.sandbox.market.spread(instrument.conid)
    near = ask if is_buy else bid
    order_types = _IN_THE_US if in_the_us else _EVERYWHERE
    return {
        "algoEligible": in_the_us,
        "overnightEligible": in_the_us,
        "costReport": False,
        "canTradeAcctIds": may_trade,
        "error": None if may_trade else "No trading permissions.",
        "orderTypes": order_types if may_trade else [],
        "ibAlgoTypes": _WITH_ALGOS if in_the_us and may_trade else [],
        "fraqTypes": _FRACTIONS if takes_fractions else [],
        "forceOrderPreview": False,
        "cqtTypes": _FRACTIONS if takes_cash else [],
        "orderDefaults": {"LMT": {"LP": f"{near:f}"}},
        "orderTypesOutside": [each for each in order_types if each in _OUTSIDE] if may_trade else [],
        "defaultSize": 1 if instrument.asset_class in ("OPT", "FUT") else 100,
        "cashSize": Decimal("0.0"),
        "sizeIncrement": 1,
        "tifTypes": _times_in_force(call.desk, instrument),
        "tifDefaults": {"TIF": "DAY", "SIZE": "1.00" if instrument.asset_class in ("OPT", "FUT") else "100.00"},
        "limitPrice": near,
        "stopprice": near,
        "orderOrigination": None,
        "preview": True,
        "displaySize": None,
        "fraqInt": 4 if takes_fractions else 0,
        "cashCcy": instrument.currency,
        "cashQtyIncr": 500,
        "priceMagnifier": None if instrument.price_magnifier == 1 else int(instrument.price_magnifier),
        "negativeCapable": False,
        "incrementType": 1,
        "incrementRules": increments(instrument),
        "hasSecondary": True,
        "increment": instrument.min_tick,
        "incrementDigits": digits(instrument),
    }


def _parameter(
    identity: str, name: str, kind: str, rank: int, *, required: bool = False, **more: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {"guiRank": rank, "name": name, "id": identity, "valueClassName": kind, **more}
    return {**found, "required": "true"} if required else found


_START = _parameter("startTime", "Start Time", "Time", 4, description="Defaults to start of market trading")
_END = _parameter("endTime", "End Time", "Time", 5, description="Defaults to end of market trading")
_PAST = _parameter("allowPastEndTime", "Allow trading past end time", "Boolean", 6, defaultValue=False)
_SHARE = _parameter(
    "maxPctVol", "Max Percentage", "Double", 2, required=True, minValue=Decimal("0.01"), maxValue=50,
    description="From 0.01 to 50.0",
)  # fmt: skip
_RISK = _parameter(
    "riskAversion", "Urgency/Risk aversion", "String", 3, required=True, defaultValue="Neutral",
    legalStrings=["GetDone", "Aggressive", "Neutral", "Passive"],
)  # fmt: skip
_URGENCY = _parameter(
    "adaptivePriority", "Adaptive order priority/urgency", "String", 1, required=True, defaultValue="Normal",
    legalStrings=["Urgent", "Normal", "Patient"],
)  # fmt: skip
_SIZE = _parameter("displaySize", "Display Size", "Double", 1, required=True, minValue=1)
_PCT = _parameter(
    "pctVol", "Target Percentage", "Double", 1, required=True, minValue=Decimal("0.01"), maxValue=50,
    description="From 0.01 to 50.0",
)  # fmt: skip
_TIMED = [_START, _END, _PAST]
_ALGOS: tuple[tuple[str, str, str, list[dict[str, Any]]], ...] = (
    ("Adaptive", "Adaptive", "Seeks a better price than the market order it stands for", [_URGENCY]),
    ("ArrivalPx", "Arrival Price", "Seeks the midpoint at the time the order arrives", [_RISK, _SHARE, *_TIMED]),
    ("ClosePx", "Close Price", "Seeks the closing price", [_RISK, _SHARE, _START]),
    ("DarkIce", "DarkIce", "Shows a random part of the order", [_SIZE, *_TIMED]),
    ("PctVol", "Percentage of Volume", "Takes a share of the volume", [_PCT, *_TIMED]),
    ("PctVolPx", "Price Variant Percentage of Volume", "Takes a share that moves with the price", [_PCT, *_TIMED]),
    ("PctVolSz", "Size Variant Percentage of Volume", "Takes a share that moves with the size left", [_PCT, *_TIMED]),
    ("Twap", "TWAP", "Spreads the order evenly over time", _TIMED),
    ("PctVolTm", "Time Variant Percentage of Volume", "Takes a share that moves with time", [_PCT, *_TIMED]),
    ("Vwap", "VWAP", "Seeks the volume-weighted average price", [_SHARE, *_TIMED]),
)


def _algos(call: Call) -> dict[str, Any]:
    """Names are told apart by case; whatever is not known is not mentioned."""
    instrument = instruments.get(call.path("conid"))
    if instrument is None:
        raise Refusal(503, {"error": "Service Unavailable", "statusCode": 503})
    wanted = [name for name in call.query("algos").split(";") if name]
    if len(wanted) > MOST_ALGOS:
        raise bad_request(f"algos: at most {MOST_ALGOS} are allowed")
    if not memory.note(call, f"algos {instrument.conid}"):
        return {"algos": []}
    if not _is_in_the_us(instrument):
        return {"algos": []}
    found = []
    for identity, name, description, parameters in _ALGOS:
        if wanted and identity not in wanted:
            continue
        algo: dict[str, Any] = {"name": name, "id": identity}
        if call.query("addDescription") == "1":
            algo["description"] = description
        if call.query("addParams") == "1":
            algo["parameters"] = parameters
        found.append(algo)
    return {"algos": found}
