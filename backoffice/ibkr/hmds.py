"""`/hmds/*`: price history straight from IBKR's historical market data service.

`init` comes first in a brokerage session, else everything here is 404. IBKR's documents name these paths and no shapes: the
bars are taken to be those of `market.history`, which is what to use wherever it will do. A client in the field says that a
first call of `/hmds/history` fails and opens the service itself; that makes no difference to whoever calls `init`.
"""

from datetime import datetime

from backoffice.ibkr.answers import problem_in, readable_or_none, value_read
from backoffice.ibkr.errors import SessionNotReady
from backoffice.ibkr.market_data import chart_query, history_read
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect
from backoffice.ibkr.types.history import History


class HistoricalData:
    """Charts of the historical market data service."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def init(self) -> None:
        """POST /hmds/auth/init: have the service ready for this brokerage session; again after each new one.

        Trap: its answer is described nowhere, so only a refusal is read from it. `session.tickle` shows how the service
        stands, and its "no bridge" before this call is no fault.
        """
        reply = self._requestor.trading("POST", "hmds", "auth", "init", effect=Effect.READ)
        if not 200 <= reply.status < 300 or problem_in(readable_or_none(reply)) is not None:
            value_read(reply)

    def history(
        self,
        conid: str,
        *,
        period: str,
        bar: str,
        outside_hours: bool = False,
        start: datetime | None = None,
        forwards: bool = False,
    ) -> History:
        """GET /hmds/history: bars of a period such as "1w" that ends now, or at (or begins at) `start`.

        Traps: those of `market.history`, whose limits it shares; 404 means that `init` has not been called in this
        session, which is SessionNotReady; and the head of the answer is not described: only the bars are sure to be there.
        """
        query = chart_query(conid, period=period, bar=bar, outside_hours=outside_hours, start=start, forwards=forwards)
        query.setdefault("direction", "-1")  # a client in the field takes the other one for the default here
        reply = self._requestor.trading("GET", "hmds", "history", effect=Effect.READ, query=query)
        if reply.status == 404:
            raise SessionNotReady(
                "IBKR's historical market data service is not open: call hmds.init.",
                status=404,
                exchange=reply.exchange,
            )
        return history_read(reply)
