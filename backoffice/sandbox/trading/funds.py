"""Balances by way of the brokerage session: whole units, as text for display, and profit by row.

/iserver/account/{id}/summary                   numbers
…/summary/available_funds | balances | margins | market_value    text such as "994,831 USD", keys cut short
/iserver/account/pnl/partitioned                of the selected account; the first call of a session is empty
"""

from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from . import memory
from .balances import figures, ledger
from .desk import Call, Desk, Needs, route
from .groups import ALL
from .positions import valued
from .valuation import Valuation, daily_profit, value

_UNIT, _TENTH = Decimal(1), Decimal("0.0")
_CRYPTO = "Crypto at Paxos"
_OF_MARKET_VALUE = {  # member: key of the ledger
    "total_cash": "cashbalance", "settled_cash": "settledcash", "MTD Interest": "interest", "stock": "stockmarketvalue",
    "options": "stockoptionmarketvalue", "futures": "futuremarketvalue", "future_options": "futureoptionmarketvalue",
    "funds": "funds", "dividends_receivable": "dividends", "mutual_funds": "funds", "money_market": "moneyfunds",
    "bonds": "corporatebondsmarketvalue", "Govt Bonds": "tbondsmarketvalue", "t_bills": "tbillsmarketvalue",
    "warrants": "warrantsmarketvalue", "issuer_option": "issueroptionsmarketvalue", "commodity": "commoditymarketvalue",
    "Notional CFD": "", "cfd": "", "Cryptocurrency": "cryptocurrencyvalue", "net_liquidation": "netliquidationvalue",
    "unrealized_pnl": "unrealizedpnl", "realized_pnl": "realizedpnl",
}  # fmt: skip


def routes(desk: Desk) -> list[BaseRoute]:
    summary, need = "/iserver/account/{account}/summary", Needs.ACCOUNTS
    return [
        route(desk, "GET", "/iserver/account/pnl/partitioned", _profit, need),
        route(desk, "GET", summary, _summary, need),
        route(desk, "GET", f"{summary}/available_funds", _available_funds, need),
        route(desk, "GET", f"{summary}/balances", _balances, need),
        route(desk, "GET", f"{summary}/margins", _margins, need),
        route(desk, "GET", f"{summary}/market_value", _market_value, need),
    ]


def _whole(amount: Decimal) -> Decimal:
    """A number in whole units, written with its zero as IBKR does."""
    return amount.quantize(_UNIT).quantize(_TENTH)


def _summary(call: Call) -> dict[str, Any]:
    found = valued(call)
    amounts = figures(found)
    entries = ledger(call.desk, found)
    balances = [
        {"currency": name, "balance": _whole(entry["cashbalance"]), "settledCash": _whole(entry["settledcash"])}
        for name, entry in entries.items()
        if name != "BASE"
    ]
    total = {
        "currency": f"Total (in {found.account.base_currency})",
        "balance": _whole(found.total_cash),
        "settledCash": _whole(found.total_cash),
    }
    named = {
        "balance": "availablefunds", "SMA": "sma", "buyingPower": "buyingpower", "availableFunds": "availablefunds",
        "excessLiquidity": "excessliquidity", "netLiquidationValue": "netliquidation",
        "equityWithLoanValue": "equitywithloanvalue", "securitiesGVP": "grosspositionvalue",
        "totalCashValue": "totalcashvalue", "accruedInterest": "accruedcash", "initialMargin": "initmarginreq",
        "maintenanceMargin": "maintmarginreq",
    }  # fmt: skip
    return {
        "accountType": "",
        "status": "",
        **{name: _whole(amounts[key]) for name, key in named.items()},
        "regTLoan": _TENTH,
        "regTMargin": _TENTH,
        "cashBalances": [*balances, total],
    }


def _texts(found: Valuation, named: dict[str, str]) -> dict[str, str]:
    amounts, base = figures(found), found.account.base_currency
    return {name: f"{amounts[key].quantize(_UNIT):,} {base}" if key else f"0 {base}" for name, key in named.items()}


def _segments(found: Valuation, total: dict[str, str], *not_in_commodities: str) -> dict[str, dict[str, str]]:
    """Everything is in securities: the other segments have the same members, at zero."""
    securities = _texts(found, total)
    nothing = {name: f"0 {found.account.base_currency}" for name in total if name not in not_in_commodities}
    return {"total": dict(securities), _CRYPTO: nothing, "commodities": dict(nothing), "securities": securities}


def _available_funds(call: Call) -> dict[str, Any]:
    found = valued(call)
    segments = _segments(
        found,
        {
            "current_available": "availablefunds",
            "current_excess": "excessliquidity",
            "Prdctd Pst-xpry Excss": "",
            "SMA": "sma",
            "Lk Ahd Avlbl Fnds": "availablefunds",
            "Lk Ahd Excss Lqdty": "excessliquidity",
            "overnight_available": "availablefunds",
            "overnight_excess": "excessliquidity",
        },
        "SMA",
    )
    worth = found.net_liquidation
    segments["securities"]["leverage"] = f"{(found.gross / worth).quantize(Decimal('0.01'))}" if worth > 0 else "n/a"
    segments["total"] |= {
        **_texts(found, {"buying_power": "buyingpower"}),
        "leverage": "n/a",
        "Lk Ahd Nxt Chng": "@ 16:00:00",
        "day_trades_left": "Unlimited",
    }
    return segments


def _balances(call: Call) -> dict[str, Any]:
    return _segments(
        valued(call),
        {
            "net_liquidation": "netliquidation",
            "equity_with_loan": "equitywithloanvalue",
            "Prvs Dy Eqty Wth Ln Vl": "previousdayequitywithloanvalue",
            "Rg T Eqty Wth Ln Vl": "regtequity",
            "sec_gross_pos_val": "grosspositionvalue",
            "cash": "totalcashvalue",
            "MTD Interest": "",
            "Pndng Dbt Crd Chrgs": "",
        },
        "Prvs Dy Eqty Wth Ln Vl",
        "Rg T Eqty Wth Ln Vl",
        "sec_gross_pos_val",
    )


def _margins(call: Call) -> dict[str, Any]:
    return _segments(
        valued(call),
        {
            "RegT Margin": "regtmargin",
            "current_initial": "initmarginreq",
            "Prdctd Pst-xpry Mrgn @ Opn": "",
            "current_maint": "maintmarginreq",
            "projected_liquidity_inital_margin": "initmarginreq",
            "Prjctd Lk Ahd Mntnnc Mrgn": "maintmarginreq",
            "projected_overnight_initial_margin": "initmarginreq",
            "Prjctd Ovrnght Mntnnc Mrgn": "maintmarginreq",
        },
        "RegT Margin",
    )


def _market_value(call: Call) -> dict[str, Any]:
    found = valued(call)
    entries = ledger(call.desk, found)
    total = entries.pop("BASE")
    named = {**entries, f"Total (in {found.account.base_currency})": total}
    return {
        name: {
            **{
                member: f"{Decimal(entry[key]).quantize(_UNIT):,}" if key else "0"
                for member, key in _OF_MARKET_VALUE.items()
            },
            "Exchange Rate": "1.00" if entry["exchangerate"] == 1 else f"{entry['exchangerate'].normalize():f}",
        }
        for name, entry in named.items()
    }


def _profit(call: Call) -> dict[str, Any]:
    if not memory.note(call, "pnl"):
        return {"upnl": {}}
    return {"upnl": profit_rows(call.desk, call.master, call.session.selected, excess="el")}


def profit_rows(desk: Desk, master: str, selected: str, *, excess: str) -> dict[str, Any]:
    """Return a row for the selected account, or for each one when all are selected. `excess`: `el` by REST, `uel` streamed."""
    accounts = desk.open_accounts(master)
    if selected not in (ALL, master):
        accounts = [account for account in accounts if account.account == selected]
    rows = {}
    for account in accounts:
        found = value(desk.sandbox, account)
        unrealized = sum(
            ((line.unrealized * line.rate).quantize(Decimal("0.01")) for line in found.lines), Decimal("0.00")
        )
        rows[f"{account.account}.Core"] = {
            "rowType": 1,
            "dpl": daily_profit(desk.sandbox, found),
            "nl": found.net_liquidation,
            "upl": unrealized,
            excess: figures(found)["excessliquidity"],
            "mv": found.stock,
        }
    return rows
