"""Finding instruments: search, then strikes, then the one contract, each step of a session remembering the one before.

/iserver/secdef/search          every listing of a symbol, in no order that means anything; bonds by their issuers
/iserver/secdef/strikes         empty until the underlier has been searched in this session
/iserver/secdef/info            a derivative by (month, strike, right), empty until its strikes have been asked for
/iserver/secdef/bond-filters    what an issuer's bonds differ in
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument

from . import memory
from .definitions import month
from .desk import Call, Desk, Needs, Refusal, bad_request, route

_SEARCHED = {"STK": ("STK",), "IND": ("IND", "FUT"), "BOND": ("BOND",)}  # a future is found by its index
_DERIVATIVES = ("OPT", "FOP", "WAR", "FUT")
_ISSUERS = {"US-T": ("e1400715", "United States Treasury")}
_NO_BOND = "2147483647"  # stands for the conid of a list of issuers


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET|POST", "/iserver/secdef/search", _search, Needs.SESSION),
        route(desk, "GET", "/iserver/secdef/strikes", _strikes, Needs.SESSION),
        route(desk, "GET", "/iserver/secdef/info", _info, Needs.SESSION),
        route(desk, "GET", "/iserver/secdef/bond-filters", _bond_filters, Needs.SESSION),
    ]


def _search(call: Call) -> Any:
    wanted = call.json() if call.request.method == "POST" else dict(call.request.query_params)
    symbol = str(wanted.get("symbol", "")).strip().upper()
    kind = str(wanted.get("secType") or "STK").upper()
    by_name = str(wanted.get("name", "false")).lower() == "true"
    if not symbol:
        raise bad_request("symbol is required")
    if kind not in _SEARCHED:
        raise bad_request(f"secType is not valid: {kind}")
    found = [each for each in instruments.all() if each.asset_class in _SEARCHED[kind]]
    exact = [each for each in found if each.symbol.upper() == symbol]
    similar = [each for each in found if each not in exact and _is_similar(each, symbol)]
    matches = similar + exact if by_name else exact + similar
    hits = _issuers(matches) if kind == "BOND" else [_hit(each) for each in matches]
    for hit in hits:
        memory.note(call, f"search {hit['conid']}")
    if not hits and call.desk.knob("no_symbol_found", "error") == "error":
        return {"error": "No symbol found"}
    return hits


def _is_similar(instrument: Instrument, text: str) -> bool:
    return len(text) > 1 and (text in instrument.company_name or instrument.symbol.upper().startswith(text))


def _hit(instrument: Instrument) -> dict[str, Any]:
    conid = instrument.underlying_conid if instrument.asset_class == "FUT" else 0
    chain = _chain("OPT", instrument.conid)
    return {
        "conid": str(conid or instrument.conid),
        "companyHeader": f"{instrument.company_name} - {instrument.exchange}",
        "companyName": instrument.company_name,
        "symbol": instrument.symbol,
        "description": instrument.exchange,
        "restricted": None,
        "fop": None,
        "opt": ";".join(_each(option.expiry for option in chain)) or None,
        "war": None,
        "sections": [
            *([{"secType": "IND"}] if instrument.asset_class == "FUT" else []),
            _section(instrument),
            *([_section(*chain)] if chain else []),
        ],
    }


def _section(*contracts: Instrument) -> dict[str, str]:
    kind = contracts[0].asset_class
    if kind not in _DERIVATIVES:
        return {"secType": kind}
    months = ";".join(_each(month(each.expiry) for each in contracts))
    return {"secType": kind, "months": months, "exchange": ";".join(_each(each.exchange for each in contracts))}


def _each(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _issuers(bonds: list[Instrument]) -> list[dict[str, Any]]:
    known = _each(bond.symbol for bond in bonds if bond.symbol in _ISSUERS)
    if not known:
        return []
    return [
        {
            "issuers": [{"id": _ISSUERS[symbol][0], "name": _ISSUERS[symbol][1]} for symbol in known],
            "bondid": 1,
            "conid": _NO_BOND,
            "companyHeader": "Government Fixed Income",
            "companyName": None,
            "symbol": None,
            "description": None,
            "restricted": None,
            "fop": None,
            "opt": None,
            "war": None,
            "sections": [{"secType": "BOND"}],
        }
    ]


def _chain(kind: str, underlying: int, contract_month: str = "") -> list[Instrument]:
    """The derivatives of one kind on an underlier; a future may be named by itself where its underlier is not known."""
    return [
        each
        for each in instruments.all()
        if each.asset_class == kind
        and underlying in (each.underlying_conid or each.conid, each.conid)
        and contract_month in ("", month(each.expiry))
    ]


def _strikes(call: Call) -> dict[str, list[Decimal]]:
    conid, kind, wanted = call.query("conid"), call.query("sectype").upper(), call.query("month").upper()
    if not conid.isdecimal() or kind not in ("OPT", "FOP", "WAR") or not wanted:
        raise bad_request("conid, sectype and month are required")
    found: dict[str, list[Decimal]] = {"call": [], "put": []}
    if not memory.has(call, f"search {conid}"):
        return found
    memory.note(call, f"strikes {conid} {wanted}")
    for each in _chain(kind, int(conid), wanted):
        if call.query("exchange", "SMART") in ("SMART", each.exchange):
            found["call" if each.right == "C" else "put"].append(each.strike.quantize(Decimal("0.0")))
    return {right: sorted(strikes) for right, strikes in found.items()}


def _info(call: Call) -> Any:
    """An array, as recorded; the knob `secdef_info_object` shows a single contract bare, as the specification has it."""
    found = [_contract(each) for each in _asked_for(call)]
    if call.desk.knob("secdef_info_object", False) and len(found) == 1:
        return found[0]
    return found


def _asked_for(call: Call) -> list[Instrument]:
    conid, kind = call.query("conid"), call.query("sectype").upper()
    if kind == "BOND" or call.query("issuerId"):
        return [
            each
            for each in instruments.all()
            if each.asset_class == "BOND"
            and _ISSUERS.get(each.symbol, ("",))[0] == call.query("issuerId")
            and _passes(each, call.query("filters"))
        ]
    instrument = instruments.get(conid)
    if instrument is not None and kind in ("", instrument.asset_class):
        return [instrument]  # named by itself, a derivative too
    if not conid.isdecimal():
        raise bad_request("conid is required")
    if kind not in _DERIVATIVES:
        return []
    wanted = call.query("month").upper()
    if not wanted:
        raise Refusal(500, {"error": "Contract month is required"})
    if not memory.has(call, f"search {conid}" if kind == "FUT" else f"strikes {conid} {wanted}"):
        return []
    strike, right = call.query("strike"), call.query("right").upper()
    return [
        each
        for each in _chain(kind, int(conid), wanted)
        if kind == "FUT" or (_is_strike(each, strike) and right in ("", each.right))
    ]


def _passes(bond: Instrument, filters: str) -> bool:
    """Whether a bond has every value named, as the options of its issuer's filters spell them."""
    return set(filters.split(",")) - {""} <= {bond.maturity[:6], f"{bond.coupon:f}", bond.currency}


def _is_strike(option: Instrument, text: str) -> bool:
    if not text.replace(".", "", 1).isdecimal():
        raise Refusal(500, {"error": "Strike is required"})
    return option.strike == Decimal(text)


def _contract(instrument: Instrument) -> dict[str, Any]:
    is_smart = instrument.asset_class in ("STK", "OPT", "BOND")
    found: dict[str, Any] = {
        "conid": instrument.conid,
        "ticker": instrument.symbol,
        "secType": instrument.asset_class,
        "listingExchange": instrument.exchange,
        "exchange": "SMART" if is_smart else instrument.exchange,
        "companyName": instrument.company_name,
        "currency": instrument.currency,
        "validExchanges": valid_exchanges(instrument),
        "priceRendering": None,
        "maturityDate": instrument.expiry or instrument.maturity or None,
        "right": instrument.right or "?",
        "strike": instrument.strike.quantize(Decimal("0.0")),
    }
    if instrument.asset_class in ("OPT", "FUT"):
        found["multiplier"] = f"{instrument.multiplier:f}"
    return found


def valid_exchanges(instrument: Instrument) -> str:
    is_smart = instrument.asset_class in ("STK", "OPT", "BOND")
    return ",".join(_each([*(["SMART"] if is_smart else []), instrument.exchange]))


def _bond_filters(call: Call) -> dict[str, Any]:
    """An issuer that does not exist has no options, at 200."""
    if call.query("symbol") != "BOND" or not call.query("issuerId"):
        raise bad_request("symbol and issuerId are required")
    bonds = _asked_for(call)
    options: tuple[tuple[str, int, list[dict[str, str]]], ...] = (
        ("Maturity Date", 27, [_month_option(bond.maturity) for bond in bonds]),
        ("Coupon", 25, [{"value": f"{bond.coupon:f}"} for bond in bonds]),
        ("Currency", 5, [{"value": bond.currency} for bond in bonds]),
    )
    return {
        "bondFilters": [
            {"displayText": text, "columnId": column, "options": [dict(pairs) for pairs in _unlike(values)]}
            for text, column, values in options
        ]
    }


def _month_option(maturity: str) -> dict[str, str]:
    named = month(maturity)
    return {"text": f"{named[:3].capitalize()} {maturity[:4]}", "value": maturity[:6]}


def _unlike(values: list[dict[str, str]]) -> list[tuple[tuple[str, str], ...]]:
    return list(dict.fromkeys(tuple(value.items()) for value in values))
