"""Finding instruments and asking what they are."""

from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument

from .desk import Call, Desk, Needs, bad_request, route

_SEARCHED = {"STK": ("STK",), "IND": ("IND",), "BOND": ("BOND",), "CASH": ("CASH",), "FUT": ("FUT",), "OPT": ("OPT",)}
_ORDER_TYPES = ["limit", "market", "stop", "stop_limit"]


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET|POST", "/iserver/secdef/search", _search, Needs.SESSION),
        route(desk, "GET", "/iserver/contract/{conid}/info", _info, Needs.SESSION),
        route(desk, "POST", "/iserver/contract/rules", _rules, Needs.SESSION),
    ]


def _search(call: Call) -> Any:
    wanted = call.json() if call.request.method == "POST" else dict(call.request.query_params)
    symbol = str(wanted.get("symbol", "")).strip()
    kind = str(wanted.get("secType", "STK")).upper()
    by_name = str(wanted.get("name", "false")).lower() == "true"
    if not symbol:
        raise bad_request("symbol is required")
    if kind not in _SEARCHED:
        raise bad_request(f"secType is not valid: {kind}")
    found = [instrument for instrument in instruments.all() if instrument.asset_class in _SEARCHED[kind]]
    exact = [instrument for instrument in found if instrument.symbol.upper() == symbol.upper()]
    similar = [
        instrument for instrument in found if instrument not in exact and _is_similar(instrument, symbol.upper())
    ]
    matches = similar + exact if by_name else exact + similar
    return [_hit(instrument) for instrument in matches] or {"error": "No symbol found"}


def _is_similar(instrument: Instrument, text: str) -> bool:
    return len(text) > 1 and (text in instrument.company_name or instrument.symbol.upper().startswith(text))


def _hit(instrument: Instrument) -> dict[str, Any]:
    return {
        "conid": str(instrument.conid),
        "companyHeader": f"{instrument.company_name} - {instrument.exchange}",
        "companyName": instrument.company_name,
        "symbol": instrument.symbol,
        "description": instrument.exchange,
        "restricted": None,
        "fop": None,
        "opt": None,
        "war": None,
        "sections": [{"secType": instrument.asset_class}],
    }


def _known(text: Any) -> Instrument:
    if (instrument := instruments.get(str(text))) is None:
        raise bad_request(f"conid is not valid: {text}")
    return instrument


def _info(call: Call) -> dict[str, Any]:
    instrument = _known(call.path("conid"))
    return {
        "cfi_code": "",
        "symbol": instrument.symbol,
        "cusip": None,
        "expiry_full": instrument.expiry or None,
        "con_id": instrument.conid,
        "maturity_date": instrument.expiry or None,
        "industry": instrument.industry_group,
        "instrument_type": instrument.asset_class,
        "trading_class": instrument.symbol,
        "valid_exchanges": f"SMART,{instrument.exchange}",
        "allow_sell_long": False,
        "is_zero_commission_security": False,
        "local_symbol": instrument.local_symbol,
        "contract_clarification_type": None,
        "classifier": None,
        "currency": instrument.currency,
        "text": None,
        "underlying_con_id": instrument.underlying_conid,
        "r_t_h": True,
        "multiplier": None if instrument.multiplier == 1 else str(instrument.multiplier),
        "underlying_issuer": None,
        "contract_month": instrument.expiry[:6] or None,
        "company_name": instrument.company_name,
        "smart_available": instrument.asset_class == "STK",
        "exchange": "SMART" if instrument.asset_class == "STK" else instrument.exchange,
        "category": instrument.sector,
    }


def _definition(instrument: Instrument) -> dict[str, Any]:
    return {
        "incrementRules": _increments(instrument),
        "displayRule": {
            "magnification": 0,
            "displayRuleStep": [{"decimalDigits": 2, "lowerEdge": Decimal("0.0"), "wholeDigits": 4}],
        },
        "conid": instrument.conid,
        "currency": instrument.currency,
        "time": 12,
        "chineseName": "",
        "allExchanges": instrument.exchange,
        "listingExchange": instrument.exchange,
        "countryCode": instrument.country,
        "name": instrument.company_name,
        "assetClass": instrument.asset_class,
        "expiry": instrument.expiry or None,
        "lastTradingDay": instrument.expiry or None,
        "group": instrument.industry_group,
        "putOrCall": instrument.right or None,
        "sector": instrument.sector,
        "sectorGroup": instrument.industry_group,
        "strike": str(instrument.strike),
        "ticker": instrument.symbol,
        "undConid": instrument.underlying_conid,
        "multiplier": Decimal("0.0") if instrument.multiplier == 1 else instrument.multiplier,
        "type": instrument.subtype,
        "hasOptions": instrument.currency == "USD" and instrument.asset_class == "STK",
        "fullName": instrument.local_symbol,
        "isUS": instrument.country == "US",
        "isEventContract": False,
    }


def _increments(instrument: Instrument) -> list[dict[str, Decimal]]:
    return [{"lowerEdge": Decimal("0.0"), "increment": instrument.min_tick}]


def _rules(call: Call) -> dict[str, Any]:
    instrument = _known(call.json().get("conid"))
    may_trade = [account.account for account in call.desk.open_accounts(call.master)] if instrument.is_tradable else []
    return {
        "algoEligible": False,
        "overnightEligible": False,
        "costReport": False,
        "canTradeAcctIds": may_trade,
        "error": None if instrument.is_tradable else "No trading permissions.",
        "orderTypes": _ORDER_TYPES if instrument.is_tradable else [],
        "ibAlgoTypes": [],
        "fraqTypes": [],
        "forceOrderPreview": False,
        "cqtTypes": [],
        "orderDefaults": {"LMT": {"LP": str(call.desk.sandbox.market.price(instrument.conid))}},
        "orderTypesOutside": ["limit", "stop_limit"],
        "defaultSize": 100,
        "cashSize": Decimal("0.0"),
        "sizeIncrement": 1,
        "tifTypes": ["IOC/MARKET,LIMIT,a", "DAY/o,a", "GTC/o,a"],
        "tifDefaults": {"TIF": "DAY", "SIZE": "100.00"},
        "limitPrice": call.desk.sandbox.market.price(instrument.conid),
        "stopprice": call.desk.sandbox.market.price(instrument.conid),
        "orderOrigination": None,
        "preview": True,
        "displaySize": None,
        "fraqInt": 0,
        "cashCcy": instrument.currency,
        "cashQtyIncr": 500,
        "priceMagnifier": None if instrument.price_magnifier == 1 else instrument.price_magnifier,
        "negativeCapable": False,
        "incrementType": 1,
        "incrementRules": _increments(instrument),
        "hasSecondary": True,
        "increment": instrument.min_tick,
        "incrementDigits": max(0, -int(instrument.min_tick.as_tuple().exponent)),
    }
