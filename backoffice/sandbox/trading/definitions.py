"""Static data of instruments, which needs no brokerage session, and exchange rates, which do."""

from decimal import Decimal
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from backoffice.sandbox import instruments
from backoffice.sandbox.instruments import Instrument

from .desk import Call, Desk, Needs, bad_request, route

MOST_CONIDS = 200
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET|POST", "/trsrv/secdef", _definitions),
        route(desk, "GET", "/trsrv/stocks", _stocks),
        route(desk, "GET", "/trsrv/futures", _futures),
        route(desk, "GET", "/trsrv/all-conids", _all_conids),
        route(desk, "GET", "/iserver/currency/pairs", _pairs, Needs.SESSION),
        route(desk, "GET", "/iserver/exchangerate", _exchange_rate, Needs.SESSION),
    ]


def month(expiry: str) -> str:
    """20270115 as IBKR names a contract month: JAN27."""
    return f"{_MONTHS[int(expiry[4:6]) - 1]}{expiry[2:4]}" if expiry else ""


def has_options(instrument: Instrument) -> bool:
    return instrument.currency == "USD" and instrument.asset_class == "STK"


def full_name(instrument: Instrument) -> str:
    """A derivative in words: AAPL Jan15'27 150 Call; anything else is its symbol."""
    if instrument.asset_class != "OPT":
        return instrument.local_symbol
    right = "Call" if instrument.right == "C" else "Put"
    when = f"{month(instrument.expiry)[:3].capitalize()}{instrument.expiry[6:]}'{instrument.expiry[2:4]}"
    return f"{instrument.symbol} {when} {instrument.strike.normalize():f} {right}"


def last_trading_day(instrument: Instrument) -> str | None:
    return instrument.expiry or instrument.maturity or None


def increments(instrument: Instrument) -> list[dict[str, Decimal]]:
    return [{"lowerEdge": Decimal("0.0"), "increment": instrument.min_tick}]


def digits(instrument: Instrument) -> int:
    """Decimal places of the smallest price step."""
    return max(0, -int(instrument.min_tick.as_tuple().exponent))


def strike(instrument: Instrument) -> str:
    """A string: "0" when there is none."""
    return f"{instrument.strike.normalize():f}"


def display_rule(instrument: Instrument) -> dict[str, Any]:
    step = {"decimalDigits": digits(instrument), "lowerEdge": Decimal("0.0"), "wholeDigits": 4}
    return {"magnification": 0, "displayRuleStep": [step]}


def multiplier(instrument: Instrument) -> Decimal:
    """0.0 stands for one, as IBKR has it."""
    return Decimal("0.0") if instrument.multiplier == 1 else instrument.multiplier.quantize(Decimal("0.0"))


def enrichment(instrument: Instrument) -> dict[str, Any]:
    """What a position shows too once its security definition has been loaded."""
    found: dict[str, Any] = {
        "incrementRules": increments(instrument),
        "displayRule": display_rule(instrument),
        "time": 12,
        "chineseName": "",
        "allExchanges": instrument.exchange,
        "listingExchange": instrument.exchange,
        "countryCode": instrument.country,
        "name": instrument.company_name,
        "lastTradingDay": last_trading_day(instrument),
        "group": instrument.industry_group,
        "sector": instrument.sector,
        "sectorGroup": instrument.industry_group,
        "ticker": instrument.symbol,
        "type": instrument.subtype,
        "hasOptions": has_options(instrument),
        "fullName": full_name(instrument),
        "isUS": instrument.country == "US",
        "isEventContract": False,
    }
    return found


def _definition(instrument: Instrument) -> dict[str, Any]:
    return {
        **enrichment(instrument),
        "conid": instrument.conid,
        "currency": instrument.currency,
        "assetClass": instrument.asset_class,
        "expiry": instrument.expiry or None,
        "putOrCall": instrument.right or None,
        "strike": strike(instrument),
        "undConid": instrument.underlying_conid,
        "multiplier": multiplier(instrument),
    }


def _definitions(call: Call) -> Any:
    wanted = call.json().get("conids", []) if call.request.method == "POST" else call.query("conids").split(",")
    if not isinstance(wanted, list) or not 0 < len(wanted) <= MOST_CONIDS or wanted == [""]:
        raise bad_request(f"conids: 1 to {MOST_CONIDS} are required")
    found = [instrument for conid in wanted if (instrument := instruments.get(str(conid))) is not None]
    if not found:
        return Response(status_code=204)
    return {"secdef": [_definition(instrument) for instrument in found]}


def _symbols(call: Call) -> list[str]:
    found = [symbol for symbol in call.query("symbols").split(",") if symbol]
    if not found:
        raise bad_request("symbols are required")
    return found


def _stocks(call: Call) -> dict[str, Any]:
    """Upper case only: a symbol in lower case is simply not found."""
    found: dict[str, list[dict[str, Any]]] = {}
    for symbol in _symbols(call):
        companies: dict[str, dict[str, Any]] = {}
        for each in instruments.all():
            if each.asset_class != "STK" or each.symbol != symbol:
                continue
            empty: dict[str, Any] = {
                "name": each.company_name,
                "chineseName": None,
                "assetClass": "STK",
                "contracts": [],
            }
            listing = {"conid": each.conid, "exchange": each.exchange, "isUS": each.currency == "USD"}
            companies.setdefault(each.company_name, empty)["contracts"].append(listing)
        found[symbol] = list(companies.values())
    return found


def _futures(call: Call) -> dict[str, Any]:
    exchange = call.query("exchange")
    return {
        symbol: [
            {
                "symbol": each.symbol,
                "conid": each.conid,
                "underlyingConid": each.underlying_conid,
                "expirationDate": int(each.expiry),
                "ltd": int(each.expiry) - 1,
                "shortFuturesCutOff": int(each.expiry) - 1,
                "longFuturesCutOff": int(each.expiry) - 1,
            }
            for each in instruments.all()
            if each.asset_class == "FUT" and each.symbol == symbol and exchange in ("", each.exchange)
        ]
        for symbol in _symbols(call)
    }


def _all_conids(call: Call) -> list[dict[str, Any]]:
    exchange, kind = call.query("exchange"), call.query("assetClass", "STK")
    if not exchange:
        raise bad_request("exchange is required")
    return [
        {"ticker": each.symbol, "conid": each.conid, "exchange": each.exchange}
        for each in instruments.all()
        if each.asset_class == kind and each.exchange == exchange
    ]


def _pairs(call: Call) -> dict[str, Any]:
    currency = call.query("currency").upper()
    if not currency:
        raise bad_request("currency is required")
    found = []
    for each in instruments.all():
        base, _, quoted = each.symbol.partition(".")
        if each.asset_class == "CASH" and currency in (base, quoted):
            other = quoted if base == currency else base
            found.append({"symbol": each.symbol, "conid": each.conid, "ccyPair": other})
    return {currency: found}


def _exchange_rate(call: Call) -> dict[str, Decimal]:
    try:
        rate = call.desk.sandbox.market.fx(call.query("source").upper(), call.query("target").upper())
    except LookupError as unknown:
        raise bad_request(f"currency is not valid: {unknown}") from unknown
    return {"rate": rate}
