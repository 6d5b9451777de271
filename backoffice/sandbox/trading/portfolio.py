"""Accounts, positions, ledger and summary: another part of IBKR, which works without the brokerage session."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox.accounts import AccountRow
from backoffice.sandbox.clock import moment, stamp
from backoffice.sandbox.jsonio import dumps, loads

from . import sessions
from .desk import Call, Desk, Needs, bad_request, route
from .valuation import CENT, Line, Valuation, value

PAGE_SIZE = 100
_NO_MONEY = (
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
    "realizedpnl",
    "stockoptionmarketvalue",
    "tbillsmarketvalue",
    "tbondsmarketvalue",
    "warrantsmarketvalue",
)


def routes(desk: Desk) -> list[BaseRoute]:
    read = Needs.PORTFOLIO
    return [
        route(desk, "GET", "/portfolio/accounts", _accounts),
        route(desk, "GET", "/portfolio/subaccounts", _subaccounts),
        route(desk, "GET", "/portfolio/subaccounts2", _subaccounts_paged),
        route(desk, "GET", "/portfolio/{account}/meta", _meta, read),
        route(desk, "GET", "/portfolio/{account}/positions/{page}", _positions, read),
        route(desk, "POST", "/portfolio/{account}/positions/invalidate", _invalidate, read),
        route(desk, "GET", "/portfolio2/{account}/positions", _fresh_positions, read),
        route(desk, "GET", "/portfolio/{account}/position/{conid}", _one_position, read),
        route(desk, "GET", "/portfolio/{account}/ledger", _ledger, read),
        route(desk, "GET", "/portfolio/{account}/summary", _summary, read),
    ]


def _prime(call: Call) -> None:
    sessions.remember(call.desk.sandbox, call.session, "has_portfolio")


def _known(call: Call) -> list[AccountRow]:
    """The accounts that have been opened; applications are no accounts here."""
    return [row for row in call.desk.sandbox.accounts.of_master(call.master) if row.status in ("O", "C")]


def _accounts(call: Call) -> list[dict[str, Any]]:
    _prime(call)
    master = call.desk.sandbox.accounts.master(call.master)
    if master is None:
        return []
    dates = [row.date_opened for row in _known(call) if row.date_opened is not None]
    opened = sessions.milliseconds(min(dates)) if dates else 0  # no later than the oldest of its clients' accounts
    return [_attributes(master.account, master.title, "", master.base_currency, opened, "O", is_master=True)]


def _subaccounts(call: Call) -> list[dict[str, Any]]:
    _prime(call)
    return [_of_account(row) for row in _known(call)[:100]]


def _subaccounts_paged(call: Call) -> dict[str, Any]:
    _prime(call)
    known, page = _known(call), _page(call.query("page", "0"))
    return {
        "metadata": {"total": len(known), "pageSize": 20, "pageNum": page},
        "subaccounts": [_of_account(row) for row in known[page * 20 : page * 20 + 20]],
    }


def _page(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise bad_request("page must be a number from 0")
    return int(text)


def _meta(call: Call) -> dict[str, Any]:
    return _of_account(call.account(call.path("account")))


def _of_account(row: AccountRow) -> dict[str, Any]:
    opened = None if row.date_opened is None else sessions.milliseconds(row.date_opened)
    trading = "STKCASH" if row.margin == "Cash" else "STKNOPT"
    found = _attributes(row.account, row.title, row.alias, row.base_currency, opened, row.status, parent=row.master)
    return {**found, "tradingType": trading}


def _attributes(
    account: str,
    title: str,
    alias: str,
    currency: str,
    opened: int | None,
    status: str,
    *,
    is_master: bool = False,
    parent: str = "",
) -> dict[str, Any]:
    return {
        "id": account,
        "PrepaidCrypto-Z": False,
        "PrepaidCrypto-P": False,
        "brokerageAccess": status == "O",
        "accountId": account,
        "accountVan": account,
        "accountTitle": title,
        "displayName": alias or title,
        "accountAlias": alias or None,
        "accountStatus": opened,
        "currency": currency,
        "type": "ADVISOR" if is_master else "INDIVIDUAL",
        "tradingType": "PMRGN",
        "businessType": "INDEPENDENT" if is_master else "FA_CLIENT",
        "category": "",
        "ibEntity": "IBLLC-US",
        "faclient": not is_master,
        "clearingStatus": status,
        "covestor": False,
        "noClientTrading": not is_master,
        "trackVirtualFXPortfolio": False,
        "acctCustType": "ADVISOR" if is_master else "INDIVIDUAL",
        "parent": {
            "mmc": [],
            "accountId": parent,
            "isMParent": is_master,
            "isMChild": bool(parent),
            "isMultiplex": False,
        },
        "desc": f"{account} - {alias}" if alias else account,
    }


def _valued(call: Call) -> Valuation:
    return value(call.desk.sandbox, call.account(call.path("account")))


def _positions(call: Call) -> Any:
    """Cached for a minute, as IBKR's page is; `invalidate` or patience makes it fresh."""
    sandbox, page = call.desk.sandbox, _page(call.path("page"))
    account = call.account(call.path("account"))
    kept = sandbox.store.row("SELECT at, body FROM trading_position_pages WHERE account = ?", account.account)
    lifetime = timedelta(seconds=int(call.desk.knob("positions_cache_seconds", 60)))
    if kept is not None and sandbox.clock.now() - moment(kept["at"]) < lifetime:
        found = loads(kept["body"])
    else:
        found = [_long_form(line, account) for line in value(sandbox, account).lines]
        sandbox.store.execute(
            "INSERT OR REPLACE INTO trading_position_pages VALUES (?, ?, ?)",
            account.account,
            stamp(sandbox.clock.now()),
            dumps(found),
        )
    return found[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]


def _invalidate(call: Call) -> dict[str, str]:
    account = call.account(call.path("account"))
    call.desk.sandbox.store.execute("DELETE FROM trading_position_pages WHERE account = ?", account.account)
    return {"message": "success"}


def _one_position(call: Call) -> list[dict[str, Any]]:
    found = _valued(call)
    return [_long_form(line, found.account) for line in found.lines if str(line.instrument.conid) == call.path("conid")]


def _long_form(line: Line, account: AccountRow) -> dict[str, Any]:
    instrument = line.instrument
    base_price = (line.price * line.rate).quantize(CENT)
    return {
        "acctId": account.account,
        "conid": instrument.conid,
        "contractDesc": instrument.local_symbol,
        "position": line.quantity,
        "mktPrice": line.price,
        "mktValue": line.value,
        "currency": instrument.currency,
        "avgCost": line.average_cost,
        "avgPrice": line.average_price,
        "realizedPnl": Decimal("0.0"),
        "unrealizedPnl": line.unrealized,
        "exchs": None,
        "expiry": instrument.expiry or None,
        "putOrCall": instrument.right or None,
        "multiplier": None if instrument.multiplier == 1 else instrument.multiplier,
        "strike": Decimal("0.0") if not instrument.strike else str(instrument.strike),
        "exerciseStyle": None,
        "conExchMap": [],
        "assetClass": instrument.asset_class,
        "undConid": instrument.underlying_conid,
        "model": "",
        "baseMktValue": line.base_value,
        "baseMktPrice": base_price,
        "baseAvgCost": (line.average_cost * line.rate).quantize(CENT),
        "baseAvgPrice": (line.average_price * line.rate).quantize(CENT),
        "baseRealizedPnl": Decimal("0.0"),
        "baseUnrealizedPnl": line.base_value - (line.cost * line.rate).quantize(CENT),
        "ticker": instrument.symbol,
        "name": instrument.company_name,
        "fullName": instrument.local_symbol,
        "type": instrument.subtype,
        "sector": instrument.sector,
        "group": instrument.industry_group,
        "sectorGroup": instrument.industry_group,
        "listingExchange": instrument.exchange,
        "countryCode": instrument.country,
        "isUS": instrument.country == "US",
        "hasOptions": instrument.currency == "USD",
        "lastTradingDay": None,
        "incrementRules": [{"lowerEdge": Decimal("0.0"), "increment": instrument.min_tick}],
        "displayRule": {
            "magnification": 0,
            "displayRuleStep": [{"decimalDigits": 2, "lowerEdge": Decimal("0.0"), "wholeDigits": 4}],
        },
        "allExchanges": instrument.exchange,
        "time": 12,
        "pageSize": PAGE_SIZE,
        "chineseName": None,
    }


def _fresh_positions(call: Call) -> list[dict[str, Any]]:
    found = _valued(call)
    return [
        {
            "position": line.quantity,
            "conid": str(line.instrument.conid),
            "avgCost": line.average_cost,
            "avgPrice": line.average_price,
            "currency": line.instrument.currency,
            "description": line.instrument.local_symbol,
            "isLastToLoq": False,
            "marketPrice": line.price,
            "marketValue": line.value,
            "realizedPnl": Decimal("0.0"),
            "unrealizedPnl": line.unrealized,
            "secType": line.instrument.asset_class,
            "assetClass": line.instrument.asset_class,
            "sector": line.instrument.sector,
            "group": line.instrument.industry_group,
            "timestamp": int(found.at.timestamp()),
            "model": "",
        }
        for line in found.lines
    ]


def _ledger(call: Call) -> dict[str, Any]:
    found = _valued(call)
    currencies = sorted(
        {cash.currency for cash in found.cash}
        | {line.instrument.currency for line in found.lines}
        | {found.account.base_currency}
    )
    entries = {}
    zero = Decimal("0.00")
    for currency in currencies:
        cash = sum((item.amount for item in found.cash if item.currency == currency), zero)
        lines = [line for line in found.lines if line.instrument.currency == currency]
        stock = sum((line.value for line in lines), zero)
        profit = sum((line.unrealized for line in lines), zero)
        rate = call.desk.sandbox.market.fx(currency, found.account.base_currency, found.at)
        entries[currency] = _ledger_entry(found, currency, cash, stock, profit, rate)
    profit = sum(((line.unrealized * line.rate).quantize(CENT) for line in found.lines), zero)
    entries["BASE"] = _ledger_entry(found, "BASE", found.total_cash, found.stock, profit, Decimal(1))
    return entries


def _ledger_entry(
    found: Valuation, currency: str, cash: Decimal, stock: Decimal, profit: Decimal, rate: Decimal
) -> dict[str, Any]:
    return {
        **dict.fromkeys(_NO_MONEY, Decimal("0.0")),
        "cashbalance": cash,
        "settledcash": cash,
        "stockmarketvalue": stock,
        "netliquidationvalue": cash + stock,
        "unrealizedpnl": profit,
        "exchangerate": rate,
        "currency": currency,
        "secondkey": currency,
        "acctcode": found.account.account,
        "key": "LedgerList",
        "timestamp": int(found.at.timestamp()),
        "sessionid": 1,
        "severity": 0,
    }


def _summary(call: Call) -> dict[str, Any]:
    found = _valued(call)
    base, at = found.account.base_currency, sessions.milliseconds(found.at)
    margin, available, worth = found.initial_margin, found.available, found.net_liquidation
    maintenance = (margin / 2).quantize(CENT) if found.account.margin != "Cash" else margin
    cushion = (available / worth).quantize(Decimal("0.000001")) if worth else Decimal(0)
    zero = Decimal("0.0")

    def money(amount: Decimal) -> dict[str, Any]:
        return {"amount": amount, "currency": base, "isNull": False, "timestamp": at, "value": None, "severity": 0}

    def words(text: str) -> dict[str, Any]:
        return {"amount": zero, "currency": None, "isNull": False, "timestamp": at, "value": text, "severity": 0}

    figures = {
        "netliquidation": worth,
        "totalcashvalue": found.total_cash,
        "availablefunds": available,
        "availabletotrade": available,
        "availabletowithdraw": max(found.total_cash, zero),
        "buyingpower": (available / found.margin_share).quantize(CENT),
        "excessliquidity": worth - maintenance,
        "equitywithloanvalue": worth,
        "grosspositionvalue": found.gross,
        "initmarginreq": margin,
        "maintmarginreq": maintenance,
        "fullinitmarginreq": margin,
        "fullmaintmarginreq": maintenance,
        "fullavailablefunds": available,
        "fullexcessliquidity": worth - maintenance,
        "lookaheadinitmarginreq": margin,
        "lookaheadmaintmarginreq": maintenance,
        "lookaheadavailablefunds": available,
        "lookaheadexcessliquidity": worth - maintenance,
        "accruedcash": zero,
        "accrueddividend": zero,
        "sma": zero,
        "regtequity": worth,
        "regtmargin": margin,
        "previousdayequitywithloanvalue": worth,
        "nlvandmargininreview": zero,
        "billable": zero,
        "guarantee": zero,
        "pasharesvalue": zero,
    }
    kind = "INDIVIDUAL"
    return {
        "accountcode": words(found.account.account),
        "accounttype": words(kind),
        "accountready": words("true"),
        **{key: money(amount) for key, amount in figures.items()},
        **{
            f"{key}-s": money(figures[key])
            for key in ("netliquidation", "totalcashvalue", "availablefunds", "excessliquidity")
        },
        "cushion": {**words(str(cushion)), "amount": cushion},
        "daytradesremaining": words("-1"),
        "segmenttitle-s": words("US Securities"),
        "segmenttitle-c": words("US Commodities"),
    }
