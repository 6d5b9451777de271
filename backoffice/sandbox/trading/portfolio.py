"""The accounts of a master and what they are: another part of IBKR, which works without the brokerage session."""

from typing import Any

from starlette.routing import BaseRoute

from backoffice.sandbox.accounts import AccountRow

from . import sessions
from .desk import Call, Desk, Needs, bad_request, route

ACCOUNTS_A_PAGE = 20


def routes(desk: Desk) -> list[BaseRoute]:
    return [
        route(desk, "GET", "/portfolio/accounts", _accounts),
        route(desk, "GET", "/portfolio/subaccounts", _subaccounts),
        route(desk, "GET", "/portfolio/subaccounts2", _subaccounts_paged),
        route(desk, "GET", "/portfolio/{account}/meta", _meta, Needs.PORTFOLIO),
    ]


def _prime(call: Call) -> None:
    sessions.remember(call.desk.sandbox, call.session, "has_portfolio")


def _known(call: Call) -> list[AccountRow]:
    """The accounts that have been opened; applications are no accounts here."""
    return [row for row in call.desk.sandbox.accounts.of_master(call.master) if row.status in ("O", "C")]


def _accounts(call: Call) -> list[dict[str, Any]]:
    """The master account alone. It primes nothing here: the accounts of an advisor's or a broker's clients are tiered."""
    master = call.desk.sandbox.accounts.master(call.master)
    if master is None:
        return []
    dates = [row.date_opened for row in _known(call) if row.date_opened is not None]
    opened = sessions.milliseconds(min(dates)) if dates else 0  # no later than the oldest of its clients' accounts
    return [_attributes(master.account, master.title, "", master.base_currency, opened, "O", is_master=True)]


def _subaccounts(call: Call) -> list[dict[str, Any]]:
    _prime(call)
    return [_of_account(row) for row in _known(call)[:100]]


def _subaccounts_paged(call: Call) -> Any:
    """An object as documented, or with the knob `subaccounts2_shape` "array" the bare array that has been recorded."""
    _prime(call)
    known, page = _known(call), page_number(call.query("page", "0"))
    shown = [_of_account(row) for row in known[page * ACCOUNTS_A_PAGE : (page + 1) * ACCOUNTS_A_PAGE]]
    if call.desk.knob("subaccounts2_shape", "object") == "array":
        return shown
    return {
        "metadata": {"total": len(known), "pageSize": ACCOUNTS_A_PAGE, "pageNum": page},
        "subaccounts": shown,
    }


def page_number(text: str) -> int:
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
