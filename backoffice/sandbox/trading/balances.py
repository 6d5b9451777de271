"""Ledger and summary of an account. Every sum agrees with the positions and the books to the cent.

Right after a login the ledger may be `{}`, which is not zero: the knob `ledger_cold` (false) makes a bearer's first one so.
"""

from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox import instruments

from . import memory, sessions
from .desk import Call, Desk, Needs, route
from .positions import valued
from .valuation import CENT, Line, Valuation, realized_on

_ZERO = Decimal("0.0")
_NONE = Decimal("0.00")
_MARKET_VALUES = {
    "STK": "stockmarketvalue",
    "OPT": "stockoptionmarketvalue",
    "FUT": "futuremarketvalue",
    "BOND": "tbondsmarketvalue",
}
_ALWAYS_ZERO = (
    "cashbalancefxsegment",
    "commoditymarketvalue",
    "corporatebondsmarketvalue",
    "cryptocurrencyvalue",
    "dividends",
    "funds",
    "futuremarketvalue",
    "futureoptionmarketvalue",
    "futuresonlypnl",
    "interest",
    "issueroptionsmarketvalue",
    "moneyfunds",
    "stockmarketvalue",
    "stockoptionmarketvalue",
    "tbillsmarketvalue",
    "tbondsmarketvalue",
    "warrantsmarketvalue",
)  # unless there is something
_IN_BOTH_SEGMENTS = (
    "accruedcash", "accrueddividend", "availablefunds", "availabletotrade", "availabletowithdraw", "billable",
    "equitywithloanvalue", "excessliquidity", "fullavailablefunds", "fullexcessliquidity", "fullinitmarginreq",
    "fullmaintmarginreq", "guarantee", "indianstockhaircut", "initmarginreq", "lookaheadavailablefunds",
    "lookaheadexcessliquidity", "lookaheadinitmarginreq", "lookaheadmaintmarginreq", "maintmarginreq", "netliquidation",
    "pasharesvalue", "physicalcertificatevalue", "postexpirationexcess", "postexpirationmargin", "totalcashvalue",
    "totaldebitcardpendingcharges",
)  # fmt: skip
_IN_SECURITIES = ("grosspositionvalue", "previousdayequitywithloanvalue", "regtequity", "regtmargin", "sma")
_NOTHING = (
    "accruedcash", "accrueddividend", "billable", "guarantee", "indianstockhaircut", "netliquidationuncertainty",
    "pasharesvalue", "physicalcertificatevalue", "postexpirationexcess", "postexpirationmargin",
    "totaldebitcardpendingcharges",
)  # fmt: skip


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/portfolio/{account}/ledger", _ledger, Needs.PORTFOLIO),
        route(desk, "GET", "/portfolio/{account}/summary", _summary, Needs.PORTFOLIO),
    ]


def _ledger(call: Call) -> dict[str, Any]:
    found = valued(call)
    is_known = memory.note(call, f"ledger {found.account.account}", in_session=False)
    if not is_known and call.desk.knob("ledger_cold", False):
        return {}
    return ledger(call.desk, found)


def ledger(desk: Desk, found: Valuation) -> dict[str, Any]:
    """Return the entry of each currency and of BASE."""
    realized = _realized(desk, found)
    currencies = sorted(
        realized.keys()
        | {cash.currency for cash in found.cash}
        | {line.instrument.currency for line in found.lines}
        | {found.account.base_currency}
    )
    entries: dict[str, Any] = {}
    for currency in currencies:
        cash = sum((item.amount for item in found.cash if item.currency == currency), _NONE)
        lines = [line for line in found.lines if line.instrument.currency == currency]
        rate = desk.sandbox.market.fx(currency, found.account.base_currency, found.at)
        values = _by_class([(line, line.value) for line in lines])
        profit = sum((line.unrealized for line in lines), _NONE)
        entries[currency] = _entry(found, currency, cash, values, profit, realized.get(currency, _ZERO), rate)
    values = _by_class([(line, line.base_value) for line in found.lines])
    profit = sum(((line.unrealized * line.rate).quantize(CENT) for line in found.lines), _NONE)
    gained = sum(
        ((amount * entries[currency]["exchangerate"]).quantize(CENT) for currency, amount in realized.items()), _NONE
    )
    entries["BASE"] = _entry(found, "BASE", found.total_cash, values, profit, gained, Decimal(1))
    entries = dict(sorted(entries.items()))
    entries[list(entries)[-1]]["endofbundle"] = 1
    return entries


def _realized(desk: Desk, found: Valuation) -> dict[str, Decimal]:
    """What was realized today by currency, contracts sold out included."""
    amounts: dict[str, Decimal] = {}
    for conid, amount in realized_on(desk.sandbox, found.account.account, found.at).items():
        if (instrument := instruments.get(conid)) is not None and amount:
            amounts[instrument.currency] = amounts.get(instrument.currency, _NONE) + amount
    return amounts


def _by_class(lines: list[tuple[Line, Decimal]]) -> dict[str, Decimal]:
    values: dict[str, Decimal] = {}
    for line, worth in lines:
        key = _MARKET_VALUES.get(line.instrument.asset_class, "stockmarketvalue")
        values[key] = values.get(key, _NONE) + worth
    return values


def _entry(
    found: Valuation,
    currency: str,
    cash: Decimal,
    values: dict[str, Decimal],
    profit: Decimal,
    realized: Decimal,
    rate: Decimal,
) -> dict[str, Any]:
    return {
        **dict.fromkeys(_ALWAYS_ZERO, _ZERO),
        "stockmarketvalue": _NONE,
        **values,
        "cashbalance": cash,
        "settledcash": cash,
        "netliquidationvalue": cash + sum(values.values(), _NONE),
        "unrealizedpnl": profit,
        "realizedpnl": realized,
        "exchangerate": 1 if rate == 1 else rate,
        "currency": currency,
        "secondkey": currency,
        "acctcode": found.account.account,
        "key": "LedgerList",
        "timestamp": int(found.at.timestamp()),
        "sessionid": 1,
        "severity": 0,
    }


def figures(found: Valuation) -> dict[str, Decimal]:
    """Return the money figures of an account in its base currency by the names of the summary, without segments."""
    margin, available, worth = found.initial_margin, found.available, found.net_liquidation
    maintenance = (margin / 2).quantize(CENT) if found.account.margin != "Cash" else margin
    excess = worth - maintenance
    return {
        **dict.fromkeys(_NOTHING, _ZERO),
        "netliquidation": worth,
        "totalcashvalue": found.total_cash,
        "availablefunds": available,
        "availabletotrade": available,
        "availabletowithdraw": max(found.total_cash, _NONE),
        "buyingpower": (available / found.margin_share).quantize(CENT),
        "excessliquidity": excess,
        "equitywithloanvalue": worth,
        "grosspositionvalue": found.gross,
        "initmarginreq": margin,
        "maintmarginreq": maintenance,
        "fullinitmarginreq": margin,
        "fullmaintmarginreq": maintenance,
        "fullavailablefunds": available,
        "fullexcessliquidity": excess,
        "lookaheadinitmarginreq": margin,
        "lookaheadmaintmarginreq": maintenance,
        "lookaheadavailablefunds": available,
        "lookaheadexcessliquidity": excess,
        "sma": max(available, _NONE) if found.account.margin != "Cash" else _ZERO,
        "regtequity": worth,
        "regtmargin": margin,
        "previousdayequitywithloanvalue": worth,
    }


def _summary(call: Call) -> dict[str, Any]:
    return summary(valued(call))


def summary(found: Valuation) -> dict[str, Any]:
    """Return every figure by its lowercase name; `-s` and `-c` mean the segments."""
    base, at = found.account.base_currency, sessions.milliseconds(found.at)
    amounts = figures(found)

    def money(amount: Decimal) -> dict[str, Any]:
        return {"amount": amount, "currency": base, "isNull": False, "timestamp": at, "value": None, "severity": 0}

    def words(text: str) -> dict[str, Any]:
        return {"amount": _ZERO, "currency": None, "isNull": False, "timestamp": at, "value": text, "severity": 0}

    whole = {
        **{key: money(amount) for key, amount in amounts.items()},
        **{f"{key}-s": money(amounts[key]) for key in (*_IN_BOTH_SEGMENTS, *_IN_SECURITIES)},
        **{f"{key}-c": money(_ZERO) for key in _IN_BOTH_SEGMENTS},
        **{key: words(text) for key, text in _texts(found, amounts).items()},
    }
    return dict(sorted(whole.items()))


def _texts(found: Valuation, amounts: dict[str, Decimal]) -> dict[str, str]:
    worth, excess = amounts["netliquidation"], amounts["excessliquidity"]
    cushion = (excess / worth).quantize(Decimal("0.000001")) if worth else Decimal(0)
    leverage = (amounts["grosspositionvalue"] / worth).quantize(CENT) if worth > 0 else _ZERO
    never = dict.fromkeys(
        ("daytradesremaining", *(f"daytradesremainingt+{number}" for number in range(1, 5))), "-1"
    )  # fmt: skip
    return {
        **never,
        "accountcode": found.account.account,
        "accountready": "true",
        "accounttype": "INDIVIDUAL",
        "columnprio-c": "2",
        "columnprio-s": "1",
        "cushion": f"{cushion:f}",
        "daytradingstatus-s": ": : false: 0.0: :false",
        "depositoncredithold": "null",
        "highestseverity": "null",
        "leverage-s": f"{leverage}",
        "lookaheadnextchange": str(int(found.at.timestamp()) // 3600 * 3600 + 3600),
        "nlvandmargininreview": "false",
        "segmenttitle-c": "US Commodities",
        "segmenttitle-s": "US Securities",
        "tradingtype-s": "STKCASH" if found.account.margin == "Cash" else "STKNOPT",
        "whatifpmenabled": "true",
    }
