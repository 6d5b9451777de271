"""PortfolioAnalyst (`/pa/*`): performance and transactions. Each path once in 15 minutes: ask at night and keep the answer.

No call here is repeated by the transport: a repetition would wait a quarter of an hour, or bring a penalty.
"""

import re
from collections.abc import Sequence

from backoffice.ibkr import paths
from backoffice.ibkr.answers import list_of, object_read
from backoffice.ibkr.errors import Unsendable
from backoffice.ibkr.parsing import day
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.analytics import AccountPerformance, AllPeriods, Performance, Period, Transactions
from backoffice.ibkr.wire import Json

_CURRENCY = re.compile(r"[A-Z]{3}")


class Analytics:
    """How accounts did. Figures are of the day before (T+1): no substitute for the ledger."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def performance(self, account_ids: Sequence[str], *, period: Period = "12M") -> Performance:
        """POST /pa/performance: values and returns over one period. Trap: several accounts are consolidated into one."""
        reply = self._ask("performance", {"acctIds": _accounts(account_ids), "period": period})
        return read_answer(Performance, object_read(reply), reply)

    def all_periods(self, account_ids: Sequence[str]) -> AllPeriods:
        """POST /pa/allperiods: every period at once. Trap: accounts are members beside the envelope's own; see `included`."""
        reply = self._ask("allperiods", {"acctIds": _accounts(account_ids)})
        body = object_read(reply)
        listed = [str(each) for each in (*list_of(body.get("included")), *list_of(body.get("view")))]
        accounts = {
            name: _account(name, found, reply)
            for name in dict.fromkeys(listed)
            if isinstance(found := body.get(name), dict)
        }
        return read_answer(AllPeriods, {**body, "accounts": accounts}, reply, raw=body)

    def transactions(self, account_ids: Sequence[str], conid: str, *, currency: str, days: int = 90) -> Transactions:
        """POST /pa/transactions: movements in one instrument. Trap: there is no way to ask for every instrument."""
        if not _CURRENCY.fullmatch(currency) or days < 1:
            raise Unsendable("Transactions are asked for in a currency (such as USD) and for at least one day.")
        body = {
            "acctIds": _accounts(account_ids),
            "conids": [int(paths.instrument_id(conid))],
            "currency": currency,
            "days": days,
        }
        reply = self._ask("transactions", body)
        return read_answer(Transactions, object_read(reply), reply)

    def _ask(self, what: str, body: dict[str, object]) -> Reply:
        return self._requestor.trading("POST", "pa", what, effect=Effect.READ_ONCE, body=body)


def _accounts(account_ids: Sequence[str]) -> list[str]:
    if not account_ids:
        raise Unsendable("Name the accounts whose performance is wanted.")
    return [paths.account_id(each) for each in account_ids]


def _account(name: str, found: dict[str, Json], reply: Reply) -> AccountPerformance:
    listed = [str(each) for each in list_of(found.get("periods"))]
    periods = {
        each: period
        for each, period in found.items()
        if isinstance(period, dict) and (each in listed or "freq" in period or "nav" in period)
    }
    updated = found.get("lastSuccessfulUpdate")
    data = {
        **found,
        "account_id": name,
        "periods": periods,
        "updated_on": _day_of(updated),
    }
    return read_answer(AccountPerformance, data, reply, raw=found)


def _day_of(value: object) -> object:
    try:
        return day(value) if isinstance(value, str) else None
    except ValueError:
        return None
