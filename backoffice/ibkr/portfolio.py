"""`/portfolio/*` and the brokerage session's own balances: accounts, positions, cash, summary, profit, owners.

`accounts()`, `subaccounts()` or `subaccount_page()` comes first in a session. An empty answer may be a cold cache: it
is never zero. The methods whose path begins with `/iserver` need the brokerage session; the others do not.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Literal

from backoffice.ibkr import paths
from backoffice.ibkr.answers import list_of, object_read, value_read
from backoffice.ibkr.errors import Unavailable, Unsendable
from backoffice.ibkr.parsing import money_text, number
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.redaction import redact_members
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.balances import (
    BrokerageSummary,
    DisplayFigure,
    DisplayPage,
    PartitionedProfit,
    ProfitRow,
    SignaturesAndOwners,
    display_figure,
)
from backoffice.ibkr.types.portfolio import (
    ComboPosition,
    Ledger,
    LedgerLine,
    PortfolioAccount,
    PortfolioAllocation,
    Position,
    SubaccountPage,
    Summary,
    SummaryValue,
)
from backoffice.ibkr.wire import Json

PAGE_SIZE = 100
SUBACCOUNT_PAGE_SIZE = 20
_MOST_PAGES = 200
_MOST_SUBACCOUNT_PAGES = 5_000
Page = Literal["available_funds", "balances", "margins", "market_value"]


class Portfolio:
    """What accounts hold. `model` names a model portfolio; without it the figures are of the whole account."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def accounts(self) -> tuple[PortfolioAccount, ...]:
        """GET /portfolio/accounts. At most once in 5 seconds."""
        reply = self._get("accounts")
        return read_answers(PortfolioAccount, list_read(reply), reply)

    def subaccounts(self) -> tuple[PortfolioAccount, ...]:
        """GET /portfolio/subaccounts: an advisor's clients (up to 100); primes the calls below. At most once in 5 seconds."""
        reply = self._get("subaccounts")
        return read_answers(PortfolioAccount, list_read(reply, within="subaccounts"), reply)

    def subaccount_page(self, page: int) -> SubaccountPage:
        """GET /portfolio/subaccounts2: one page of clients, 20 a page, from 0; for firms with more than 100.

        Trap: a firm with few accounts was seen to get a bare list instead of the documented object; both are read.
        """
        reply = self._get("subaccounts2", query={"page": str(page)})
        value = value_read(reply)
        if isinstance(value, list):
            return read_answer(
                SubaccountPage, {"accounts": read_answers(PortfolioAccount, value, reply)}, reply, raw={}
            )
        body = object_read(reply)
        about = body.get("metadata")
        about = about if isinstance(about, dict) else {}
        data = {
            "accounts": read_answers(PortfolioAccount, list_of(body.get("subaccounts")), reply),
            "total": about.get("total"),
            "page_size": about.get("pageSize"),
            "page": about.get("pageNum"),
        }
        return read_answer(SubaccountPage, data, reply, raw={"metadata": about})

    def all_subaccounts(self) -> tuple[PortfolioAccount, ...]:
        """GET /portfolio/subaccounts2, all pages: every client once, in IBKR's order."""
        found: dict[str, PortfolioAccount] = {}
        for number_of_page in range(_MOST_SUBACCOUNT_PAGES):
            page = self.subaccount_page(number_of_page)
            known = len(found)
            found |= {account.account_id: account for account in page.accounts}
            size = int(page.page_size or SUBACCOUNT_PAGE_SIZE)
            is_complete = page.total is not None and len(found) >= page.total
            if is_complete or len(page.accounts) < size or len(found) == known:
                return tuple(found.values())
        raise Unavailable("IBKR's list of subaccounts does not end.")

    def meta(self, account_id: str) -> PortfolioAccount:
        """GET /portfolio/{id}/meta: one account's attributes. Trap: its "accountStatus" is the opening date."""
        reply = self._get(paths.account_id(account_id), "meta")
        return read_answer(PortfolioAccount, object_read(reply), reply)

    def positions(self, account_id: str, *, model: str | None = None) -> tuple[Position, ...]:
        """GET /portfolio/{id}/positions/{page}, all pages. Trap: cached for minutes; call `invalidate` first after a fill."""
        account = paths.account_id(account_id)
        found: list[Position] = []
        for page in range(_MOST_PAGES):
            reply = self._get(account, "positions", str(page), query=_of_model(model))
            rows = list_read(reply)
            found.extend(read_answers(Position, rows, reply))
            if len(rows) < PAGE_SIZE:
                return tuple(found)
        raise Unavailable("IBKR's list of positions does not end.")

    def live_positions(self, account_id: str, *, model: str | None = None) -> tuple[Position, ...]:
        """GET /portfolio2/{id}/positions: holdings now, not cached; prefer them to decide on a trade.

        Traps: conids come as text here and some names differ; a holding sold to zero may linger for the day; and nobody
        says that the answer has no pages. One with exactly a page's hundred rows is therefore held against the
        documented pages, read afresh, and those are returned if they have more.
        """
        account = paths.account_id(account_id)
        reply = self._requestor.trading(
            "GET", "portfolio2", account, "positions", effect=Effect.READ, query=_of_model(model)
        )
        rows = (_with_account(row, account) for row in list_read(reply, within="positions"))
        found = read_answers(Position, rows, reply)
        if not found or len(found) % PAGE_SIZE:
            return found
        self.invalidate(account)
        listed = self.positions(account, model=model)
        return listed if len(listed) > len(found) else found

    def position(self, account_id: str, conid: str) -> tuple[Position, ...]:
        """GET /portfolio/{id}/position/{conid}: one holding of one account; several rows where models hold it too.

        Trap: the first answer carries figures only; what describes the instrument comes with later ones.
        """
        account = paths.account_id(account_id)
        reply = self._get(account, "position", paths.instrument_id(conid))
        return read_answers(Position, (_with_account(row, account) for row in list_read(reply)), reply)

    def positions_in(self, conid: str) -> tuple[Position, ...]:
        """GET /portfolio/positions/{conid}: one instrument over all accounts.

        Trap: the commodities segment of an account is listed beside it as U1234567C; a holding that the account itself
        has is not returned a second time for its segment.
        """
        reply = self._get("positions", paths.instrument_id(conid))
        rows: list[Json] = []
        for account, items in object_read(reply).items():
            listed = items if isinstance(items, list) else [items]
            rows.extend(_with_account(item, account) for item in listed if isinstance(item, dict))
        return _counted_once(read_answers(Position, rows, reply))

    def combos(self, account_id: str) -> tuple[ComboPosition, ...]:
        """GET /portfolio/{id}/combo/positions: holdings that form combinations; usually none."""
        account = paths.account_id(account_id)
        reply = self._get(account, "combo", "positions", query={"nocache": "true"})
        return read_answers(ComboPosition, list_read(reply), reply)

    def invalidate(self, account_id: str) -> None:
        """POST /portfolio/{id}/positions/invalidate: have the next `positions` read afresh."""
        reply = self._requestor.trading(
            "POST", "portfolio", paths.account_id(account_id), "positions", "invalidate", effect=Effect.READ
        )
        if not 200 <= reply.status < 300:
            object_read(reply)

    def allocation(self, account_id: str, *, model: str | None = None) -> PortfolioAllocation:
        """GET /portfolio/{id}/allocation: one account's holdings by asset class, sector and group, in its base currency."""
        reply = self._get(paths.account_id(account_id), "allocation", query=_of_model(model))
        return read_answer(PortfolioAllocation, object_read(reply), reply)

    def consolidated_allocation(self, account_ids: Sequence[str]) -> PortfolioAllocation:
        """POST /portfolio/allocation: the same over several accounts together."""
        if not account_ids:
            raise Unsendable("Name the accounts to be taken together.")
        reply = self._requestor.trading(
            "POST", "portfolio", "allocation", effect=Effect.READ,
            body={"acctIds": [paths.account_id(each) for each in account_ids]},
        )  # fmt: skip
        return read_answer(PortfolioAllocation, object_read(reply), reply)

    def ledger(self, account_id: str, *, model: str | None = None) -> Ledger:
        """GET /portfolio/{id}/ledger: cash by currency. Raises Unavailable for the empty answer of a cold cache."""
        account = paths.account_id(account_id)
        reply = self._get(account, "ledger", query=_of_model(model))
        body = object_read(reply)
        lines = {name: read_answer(LedgerLine, line, reply) for name, line in body.items() if isinstance(line, dict)}
        if not lines:
            raise _not_loaded("the ledger", reply)
        base = lines.pop("BASE", None)
        return read_answer(Ledger, {"account_id": account, "currencies": lines, "base": base}, reply, raw=body)

    def summary(self, account_id: str, *, model: str | None = None) -> Summary:
        """GET /portfolio/{id}/summary: key figures. Raises Unavailable for the empty answer of a cold cache."""
        account = paths.account_id(account_id)
        reply = self._get(account, "summary", query=_of_model(model))
        body = object_read(reply)
        values = {
            name.lower(): read_answer(SummaryValue, item, reply)
            for name, item in body.items()
            if isinstance(item, dict)
        }
        if not values:
            raise _not_loaded("the summary", reply)
        return read_answer(Summary, {"account_id": account, "values": values}, reply, raw=body)

    def brokerage_summary(self, account_id: str) -> BrokerageSummary:
        """GET /iserver/account/{id}/summary: key figures in whole units, for a screen."""
        account = paths.account_id(account_id)
        reply = self._requestor.trading("GET", "iserver", "account", account, "summary", effect=Effect.READ)
        body = object_read(reply)
        return read_answer(BrokerageSummary, {**body, "account_id": account}, reply, raw=body)

    def display_page(self, account_id: str, page: Page) -> DisplayPage:
        """GET /iserver/account/{id}/summary/{page}: available_funds, balances, margins or market_value, for a screen.

        Trap: texts, rounded to whole units, under labels that vary with the account; `market_value` is by currency.
        """
        account = paths.account_id(account_id)
        reply = self._requestor.trading("GET", "iserver", "account", account, "summary", page, effect=Effect.READ)
        body = object_read(reply)
        segments = {
            segment: {label: _display(text) for label, text in figures.items()}
            for segment, figures in body.items()
            if isinstance(figures, dict)
        }
        return DisplayPage(account, segments, redact_members(body))

    def profit(self) -> PartitionedProfit:
        """GET /iserver/account/pnl/partitioned: profit of the selected account, by model. At most once in 5 seconds.

        Traps: the first call of a session answers with no rows, which is not a profit of zero: that raises Unavailable;
        and it is the account chosen by `session.select_account`, which is global to the session.
        """
        reply = self._requestor.trading("GET", "iserver", "account", "pnl", "partitioned", effect=Effect.READ)
        rows = object_read(reply).get("upnl")
        if not isinstance(rows, dict) or not rows:
            raise _not_loaded("the profit", reply)
        return read_answer(
            PartitionedProfit, {"rows": [profit_row(name, row) for name, row in rows.items()]}, reply, raw=rows
        )

    def owners(self, account_id: str) -> SignaturesAndOwners:
        """GET /acesws/{id}/signatures-and-owners: who owns and signs. Personal data: neither logged nor kept raw."""
        account = paths.account_id(account_id)
        reply = self._requestor.trading(
            "GET", "acesws", account, "signatures-and-owners", effect=Effect.READ, is_private=True
        )
        return read_answer(SignaturesAndOwners, object_read(reply), reply, raw={})

    def _get(self, *segments: str, query: dict[str, str] | None = None) -> Reply:
        return self._requestor.trading("GET", "portfolio", *segments, effect=Effect.READ, query=query)


def profit_row(name: str, row: object) -> ProfitRow:
    """Return one row of profit; `name` is IBKR's "U1234567.Core", an account and a model."""
    account, _, model = name.partition(".")
    members = row if isinstance(row, dict) else {}
    return ProfitRow.read({**members, "account_id": account, "model": model}, raw=members)


def _of_model(model: str | None) -> dict[str, str]:
    return {} if model is None else {"model": f"MP.{model}"}


def _with_account(row: Json, account: str) -> Json:
    if not isinstance(row, dict) or row.get("acctId") or row.get("accountId"):
        return row
    return {**row, "acctId": account}


def _counted_once(rows: Iterable[Position]) -> tuple[Position, ...]:
    listed = tuple(rows)
    whole = {(row.account_id, row.conid, row.model) for row in listed if not row.segment}
    return tuple(row for row in listed if not row.segment or (row.main_account, row.conid, row.model) not in whole)


def _display(value: object) -> DisplayFigure:
    text = value if isinstance(value, str) else format(value, "f") if isinstance(value, Decimal) else str(value or "")
    if (money := money_text(text)) is not None:
        return display_figure(text, money)
    return display_figure(text, _lenient(number, text))


def _lenient(read: Callable[[object], Decimal | None], text: str) -> Decimal | None:
    try:
        return read(text)
    except ValueError:
        return None


def _not_loaded(what: str, reply: Reply) -> Unavailable:
    return Unavailable(f"IBKR has not loaded {what} yet.", status=reply.status, exchange=reply.exchange)
