"""`/portfolio/*`: accounts, positions, cash, summary. Works without the brokerage session, but must be primed.

`accounts()` or `subaccounts()` comes first in a session. An empty answer may be a cold cache: it is never zero.
"""

from backoffice.ibkr import paths
from backoffice.ibkr.answers import object_read
from backoffice.ibkr.errors import Unavailable
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect
from backoffice.ibkr.types.portfolio import Ledger, LedgerLine, PortfolioAccount, Position, Summary, SummaryValue

PAGE_SIZE = 100
_MOST_PAGES = 200


class Portfolio:
    """What accounts hold."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def accounts(self) -> tuple[PortfolioAccount, ...]:
        """GET /portfolio/accounts. At most once in 5 seconds."""
        reply = self._requestor.trading("GET", "portfolio", "accounts", effect=Effect.READ)
        return read_answers(PortfolioAccount, list_read(reply), reply)

    def subaccounts(self) -> tuple[PortfolioAccount, ...]:
        """GET /portfolio/subaccounts: an advisor's clients (up to 100); primes the calls below. At most once in 5 seconds."""
        reply = self._requestor.trading("GET", "portfolio", "subaccounts", effect=Effect.READ)
        return read_answers(PortfolioAccount, list_read(reply, within="subaccounts"), reply)

    def positions(self, account_id: str) -> tuple[Position, ...]:
        """GET /portfolio/{id}/positions/{page}, all pages. Trap: cached for minutes; call `invalidate` first after a fill."""
        account = paths.account_id(account_id)
        found: list[Position] = []
        for page in range(_MOST_PAGES):
            reply = self._requestor.trading("GET", "portfolio", account, "positions", str(page), effect=Effect.READ)
            rows = list_read(reply)
            found.extend(read_answers(Position, rows, reply))
            if len(rows) < PAGE_SIZE:
                return tuple(found)
        raise Unavailable("IBKR's list of positions does not end.")

    def invalidate(self, account_id: str) -> None:
        """POST /portfolio/{id}/positions/invalidate: have the next `positions` read afresh."""
        reply = self._requestor.trading(
            "POST", "portfolio", paths.account_id(account_id), "positions", "invalidate", effect=Effect.READ
        )
        if not 200 <= reply.status < 300:
            object_read(reply)

    def ledger(self, account_id: str) -> Ledger:
        """GET /portfolio/{id}/ledger: cash by currency. Raises Unavailable for the empty answer of a cold cache."""
        account = paths.account_id(account_id)
        reply = self._requestor.trading("GET", "portfolio", account, "ledger", effect=Effect.READ)
        body = object_read(reply)
        lines = {name: read_answer(LedgerLine, line, reply) for name, line in body.items() if isinstance(line, dict)}
        if not lines:
            raise Unavailable("IBKR has not loaded the ledger yet.", status=reply.status, exchange=reply.exchange)
        base = lines.pop("BASE", None)
        return read_answer(Ledger, {"account_id": account, "currencies": lines, "base": base}, reply, raw=body)

    def summary(self, account_id: str) -> Summary:
        """GET /portfolio/{id}/summary: key figures. Raises Unavailable for the empty answer of a cold cache."""
        account = paths.account_id(account_id)
        reply = self._requestor.trading("GET", "portfolio", account, "summary", effect=Effect.READ)
        body = object_read(reply)
        values = {
            name.lower(): read_answer(SummaryValue, item, reply)
            for name, item in body.items()
            if isinstance(item, dict)
        }
        if not values:
            raise Unavailable("IBKR has not loaded the summary yet.", status=reply.status, exchange=reply.exchange)
        return read_answer(Summary, {"account_id": account, "values": values}, reply, raw=body)
