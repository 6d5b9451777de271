"""Instruments: `/iserver/secdef/*`, `/iserver/contract/*`, `/trsrv/*`, currencies and trading hours.

Option chains are walked in order within one session: `search` for the underlier, then `strikes` of a month, then
`derivatives` for a strike. Nothing about an instrument is guessed from its symbol: one symbol has many listings.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from backoffice.ibkr import paths
from backoffice.ibkr.answers import list_of, object_read, readable_or_none, value_read
from backoffice.ibkr.errors import Rejected, Unavailable, Unsendable
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.contracts import (
    Algorithm,
    BondFilter,
    BondIssuers,
    ContractInfo,
    ContractMatch,
    CurrencyPair,
    Definition,
    Derivative,
    DerivativeType,
    ExchangeRate,
    Future,
    InfoAndRules,
    ListedConid,
    Right,
    SecurityType,
    Stock,
    Strikes,
    TradingRules,
    TradingSchedule,
    VenueSchedule,
)
from backoffice.ibkr.wire import Json

MOST_DEFINITIONS = 200
MOST_ALGORITHMS = 8
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9 .-]{0,31}")
_MONTH = re.compile(r"(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)\d\d")
_CURRENCY = re.compile(r"[A-Z]{3}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}")
AssetClass = Literal["STK", "OPT", "FUT", "CFD", "WAR", "SWP", "FND", "BND", "ICS"]


class Contracts:
    """Finds and describes instruments."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def search(
        self,
        symbol: str,
        *,
        by_name: bool = False,
        security_type: SecurityType = "STK",
        fund: bool = False,
        pattern: bool = False,
    ) -> tuple[ContractMatch, ...]:
        """GET /iserver/secdef/search: every listing of a symbol, or of a company's name; of funds; or by a pattern.

        Trap: one symbol has listings in many places; never take the first without a person's eye. Left out, because
        IBKR explains them nowhere: more, fundFamilyConidEx and referrer.
        """
        query = {"symbol": symbol, "secType": security_type, "name": "true" if by_name else "false"}
        query |= {name: "true" for name, wanted in (("fund", fund), ("pattern", pattern)) if wanted}
        return _matches(self._get("iserver", "secdef", "search", query=query))

    def search_by_post(
        self,
        symbol: str,
        *,
        by_name: bool = False,
        security_type: SecurityType = "STK",
        fund: bool = False,
        pattern: bool = False,
    ) -> tuple[ContractMatch, ...]:
        """POST /iserver/secdef/search: the same search with a body, for names that do not go well into an address."""
        body: dict[str, object] = {"symbol": symbol, "secType": security_type, "name": by_name}
        body |= {name: True for name, wanted in (("fund", fund), ("pattern", pattern)) if wanted}
        return _matches(self._post("iserver", "secdef", "search", body=body))

    def bond_issuers(self, symbol: str) -> tuple[BondIssuers, ...]:
        """GET /iserver/secdef/search with secType=BOND: issuers, whose ids lead to `bond_filters` and `bonds`."""
        query = {"symbol": symbol, "secType": "BOND", "name": "false"}
        reply = self._get("iserver", "secdef", "search", query=query)
        rows = (row for row in _found(reply) if isinstance(row, dict) and isinstance(row.get("issuers"), list))
        return read_answers(BondIssuers, rows, reply)

    def bond_filters(self, issuer_id: str) -> tuple[BondFilter, ...]:
        """GET /iserver/secdef/bond-filters: what an issuer's bonds differ in. Trap: an unknown issuer answers 200 too."""
        query = {"symbol": "BOND", "issuerId": _word("issuer", issuer_id)}
        reply = self._get("iserver", "secdef", "bond-filters", query=query)
        return read_answers(BondFilter, list_read(reply, within="bondFilters"), reply)

    def bonds(self, issuer_id: str, *, filters: Sequence[str] = ()) -> tuple[Derivative, ...]:
        """GET /iserver/secdef/info for an issuer: its bonds, narrowed by filter values such as "202812"."""
        query = {"sectype": "BOND", "issuerId": _word("issuer", issuer_id)}
        if filters:
            query["filters"] = ",".join(_word("filter", each) for each in filters)
        return self._info(query)

    def strikes(self, conid: str, *, security_type: DerivativeType, month: str, exchange: str | None = None) -> Strikes:
        """GET /iserver/secdef/strikes: strike prices of an underlier's month, such as JAN27.

        Traps: both lists are empty until the underlier was searched in this session; options on futures need the exchange.
        """
        if security_type == "FOP" and exchange is None:
            raise Unsendable("Options on futures are listed by exchange: name it.")
        query = {"conid": paths.instrument_id(conid), "sectype": security_type, "month": _month(month)}
        if exchange is not None:
            query["exchange"] = _word("exchange", exchange)
        reply = self._get("iserver", "secdef", "strikes", query=query)
        return read_answer(Strikes, object_read(reply), reply)

    def derivatives(
        self,
        conid: str,
        *,
        security_type: DerivativeType | Literal["FUT"],
        month: str,
        strike: Decimal | None = None,
        right: Right | None = None,
        exchange: str | None = None,
    ) -> tuple[Derivative, ...]:
        """GET /iserver/secdef/info: the contracts of one month of an underlier; options by strike and right too.

        Trap: without `search` and `strikes` before it in this session the answer is empty or an error.
        """
        if security_type in ("OPT", "FOP") and (strike is None or right is None):
            raise Unsendable("An option is described by month, strike and right.")
        query = {"conid": paths.instrument_id(conid), "sectype": security_type, "month": _month(month)}
        if strike is not None:
            query["strike"] = format(strike.normalize(), "f")
        if right is not None:
            query["right"] = right
        if exchange is not None:
            query["exchange"] = _word("exchange", exchange)
        return self._info(query)

    def stocks(self, symbols: Sequence[str]) -> dict[str, tuple[Stock, ...]]:
        """GET /trsrv/stocks: companies and listings by symbol. Trap: upper case only; unknown symbols are left out."""
        reply = self._get("trsrv", "stocks", query={"symbols": _symbols(symbols)})
        return {
            symbol: read_answers(Stock, list_of(found), reply) for symbol, found in object_read(reply).items() if found
        }

    def futures(self, symbols: Sequence[str], *, exchange: str | None = None) -> dict[str, tuple[Future, ...]]:
        """GET /trsrv/futures: the contracts of an underlier that have not expired, by symbol."""
        query = {"symbols": _symbols(symbols)} | ({} if exchange is None else {"exchange": _word("exchange", exchange)})
        reply = self._get("trsrv", "futures", query=query)
        return {
            symbol: read_answers(Future, list_of(found), reply) for symbol, found in object_read(reply).items() if found
        }

    def definitions(self, conids: Sequence[str]) -> tuple[Definition, ...]:
        """GET /trsrv/secdef: definitions of any number of instruments, 200 a request. Trap: 204 means none is known."""
        found: list[Definition] = []
        wanted = [paths.instrument_id(conid) for conid in dict.fromkeys(conids)]
        for start in range(0, len(wanted), MOST_DEFINITIONS):
            reply = self._get("trsrv", "secdef", query={"conids": ",".join(wanted[start : start + MOST_DEFINITIONS])})
            if reply.status != 204:
                found.extend(read_answers(Definition, list_read(reply, within="secdef"), reply))
        return tuple(found)

    def all_conids(self, exchange: str) -> tuple[ListedConid, ...]:
        """GET /trsrv/all-conids: everything an exchange lists. Trap: a long answer; once a day is enough."""
        reply = self._get("trsrv", "all-conids", query={"exchange": _word("exchange", exchange)})
        return read_answers(ListedConid, list_read(reply), reply)

    def info(self, conid: str) -> ContractInfo:
        """GET /iserver/contract/{conid}/info."""
        reply = self._get("iserver", "contract", paths.instrument_id(conid), "info")
        return read_answer(ContractInfo, object_read(reply), reply)

    def info_and_rules(self, conid: str) -> InfoAndRules:
        """GET /iserver/contract/{conid}/info-and-rules.

        Trap: the first answer of a session carries some of the rules only, and nothing says so; this always asks twice.
        """
        for _ in range(2):
            reply = self._get("iserver", "contract", paths.instrument_id(conid), "info-and-rules")
            body = object_read(reply)
        rules = body.get("rules")
        return read_answer(
            InfoAndRules,
            {
                "info": read_answer(ContractInfo, body, reply),
                "rules": read_answer(TradingRules, rules, reply) if isinstance(rules, dict) else None,
            },
            reply,
            raw=body,
        )

    def rules(self, conid: str, *, is_buy: bool = True, modifying: str | None = None) -> TradingRules:
        """POST /iserver/contract/rules: what IBKR accepts for one side; for an order to be changed give its id.

        Trap: an `error` at HTTP 200 is part of the answer and means that nothing is accepted.
        """
        body: dict[str, object] = {"conid": int(paths.instrument_id(conid)), "isBuy": is_buy}
        if modifying is not None:
            body |= {"modifyOrder": True, "orderId": int(paths.order_id(modifying))}
        reply = self._post("iserver", "contract", "rules", body=body)
        return _rules(reply)

    def algorithms(self, conid: str, ids: Sequence[str] = (), *, with_parameters: bool = True) -> tuple[Algorithm, ...]:
        """GET /iserver/contract/{conid}/algos: execution algorithms, at most 8 by id. Ids are case-sensitive.

        Traps: the first call of a session is empty, so an empty answer is asked for once more; a wrong conid is 503.
        """
        if len(ids) > MOST_ALGORITHMS:
            raise Unsendable(f"At most {MOST_ALGORITHMS} algorithms can be named.")
        flag = "1" if with_parameters else "0"
        query = {"addDescription": flag, "addParams": flag}
        if ids:
            query["algos"] = ";".join(_word("algorithm", each) for each in ids)
        for _ in range(2):
            reply = self._get("iserver", "contract", paths.instrument_id(conid), "algos", query=query)
            if rows := list_read(reply, within="algos"):
                break
        return read_answers(Algorithm, rows, reply)

    def currency_pairs(self, currency: str) -> tuple[CurrencyPair, ...]:
        """GET /iserver/currency/pairs: the pairs a currency is traded in."""
        reply = self._get("iserver", "currency", "pairs", query={"currency": _currency(currency)})
        return read_answers(CurrencyPair, list_of(object_read(reply).get(currency)), reply)

    def exchange_rate(self, *, source: str, target: str) -> Decimal:
        """GET /iserver/exchangerate: how many units of `target` one unit of `source` is worth."""
        query = {"source": _currency(source), "target": _currency(target)}
        reply = self._get("iserver", "exchangerate", query=query)
        value = ExchangeRate.read(object_read(reply)).rate
        if value is None or value <= 0:
            raise Unavailable("IBKR gave no exchange rate.", status=reply.status, exchange=reply.exchange)
        return value

    def trading_schedule(self, conid: str, *, exchange: str | None = None) -> TradingSchedule:
        """GET /contract/trading-schedule: hours of the next days, as instants. Trap: a holiday is simply not there."""
        query = {"conid": paths.instrument_id(conid)}
        if exchange is not None:
            query["exchange"] = _word("exchange", exchange)
        reply = self._get("contract", "trading-schedule", query=query)
        body = object_read(reply)
        listed = body.get("schedules")
        days = [
            {"day": day, **hours}
            for day, hours in (listed.items() if isinstance(listed, dict) else ())
            if isinstance(hours, dict)
        ]
        return read_answer(TradingSchedule, {**body, "days": days}, reply, raw=body)

    def venue_schedules(
        self, asset_class: AssetClass, symbol: str, *, exchange: str | None = None
    ) -> tuple[VenueSchedule, ...]:
        """GET /trsrv/secdef/schedule: the older form, by venue. Trap: its dates are codes for weekdays, its hours local text."""
        query = {"assetClass": asset_class, "symbol": _symbols([symbol])}
        if exchange is not None:
            query["exchange"] = _word("exchange", exchange)
        reply = self._get("trsrv", "secdef", "schedule", query=query)
        return read_answers(VenueSchedule, list_read(reply), reply)

    def _info(self, query: dict[str, str]) -> tuple[Derivative, ...]:
        reply = self._get("iserver", "secdef", "info", query=query)
        value = value_read(reply)
        rows = value if isinstance(value, list) else [value] if isinstance(value, dict) and value else []
        return read_answers(Derivative, rows, reply)

    def _get(self, *segments: str, query: dict[str, str] | None = None) -> Reply:
        return self._requestor.trading("GET", *segments, effect=Effect.READ, query=query)

    def _post(self, *segments: str, body: dict[str, object]) -> Reply:
        return self._requestor.trading("POST", *segments, effect=Effect.READ, body=body)


def _rules(reply: Reply) -> TradingRules:
    try:
        return read_answer(TradingRules, object_read(reply), reply)
    except Rejected as refusal:
        if reply.status == 200:
            body = readable_or_none(reply)
            return read_answer(TradingRules, body if isinstance(body, dict) else {"error": refusal.reason}, reply)
        raise


def _matches(reply: Reply) -> tuple[ContractMatch, ...]:
    return read_answers(ContractMatch, (row for row in _found(reply) if _is_listing(row)), reply)


def _is_listing(row: Json) -> bool:
    return isinstance(row, dict) and bool(row.get("conid")) and str(row["conid"]) != "-1"


def _found(reply: Reply) -> list[Json]:
    try:
        return list_read(reply)
    except Rejected as refusal:
        if "no symbol found" in refusal.reason.lower():
            return []
        raise


def _symbols(symbols: Sequence[str]) -> str:
    if not symbols or not all(_SYMBOL.fullmatch(symbol) for symbol in symbols):
        raise Unsendable("Symbols are in upper case, such as AAPL or BRK B.")
    return ",".join(symbols)


def _month(month: str) -> str:
    if not _MONTH.fullmatch(month):
        raise Unsendable(f"{month!r} is not a month such as JAN27.")
    return month


def _currency(currency: str) -> str:
    if not _CURRENCY.fullmatch(currency):
        raise Unsendable(f"{currency!r} is not a currency such as USD.")
    return currency


def _word(kind: str, value: str) -> str:
    if not _WORD.fullmatch(value):
        raise Unsendable(f"{value!r} is not an {kind}." if kind[0] in "aeiou" else f"{value!r} is not a {kind}.")
    return value
