"""The client: one object per connection, its families as attributes."""

from collections.abc import Callable, Iterable
from typing import Self

from backoffice.ibkr.account_management import Accounts, Enumerations, Forms, Requests, Validations
from backoffice.ibkr.allocation import Allocation
from backoffice.ibkr.analytics import Analytics
from backoffice.ibkr.contracts import Contracts
from backoffice.ibkr.echo import Echo
from backoffice.ibkr.environments import Credentials, Environment, Timeouts, environment_of, require_safe
from backoffice.ibkr.funding import Funding
from backoffice.ibkr.hmds import HistoricalData
from backoffice.ibkr.market_data import MarketData
from backoffice.ibkr.notifications import Notifications
from backoffice.ibkr.oauth import CachedTokens, OAuth
from backoffice.ibkr.orders import Orders
from backoffice.ibkr.portfolio import Portfolio
from backoffice.ibkr.reports import Reports
from backoffice.ibkr.requestor import Requestor, TokenSource
from backoffice.ibkr.scopes import SCOPES
from backoffice.ibkr.session import Session
from backoffice.ibkr.sso import Sso
from backoffice.ibkr.stream import Streams
from backoffice.ibkr.transport import Transport


class IbkrClient:
    """The Web API for one master account, and (with `session_bearer`) for one brokerage username.

    Cheap to construct: nothing is read, opened or sent until a method is called. `tokens` is where the gateway's
    bearer comes from (by default a token kept in this object's memory); `session_bearer` returns the bearer made by
    `sso.trading_session`. The environment, with its pinned audience, follows from `base_url` unless given.
    Raises ValueError for an address that is neither https nor loopback.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: Credentials,
        environment: Environment | None = None,
        tokens: TokenSource | None = None,
        session_bearer: Callable[[], str] | None = None,
        transport: Transport | None = None,
        timeouts: Timeouts | None = None,
        scopes: Iterable[str] = SCOPES,
    ) -> None:
        require_safe(base_url)
        self.environment = environment or environment_of(base_url)
        self.credentials = credentials
        waits = timeouts or Timeouts()
        mover = transport or Transport(connect_timeout=waits.connect)
        self.oauth = OAuth(self.environment, credentials, mover, read_timeout=waits.read)
        wanted = tuple(scopes)
        source = tokens or CachedTokens(lambda: self.oauth.token(wanted))
        self._parts = (source, mover, waits)
        requestor = Requestor(
            environment=self.environment,
            credentials=credentials,
            transport=mover,
            timeouts=waits,
            tokens=source,
            session_bearer=session_bearer,
        )
        self.echo = Echo(requestor)
        self.sso = Sso(requestor)
        self.session = Session(requestor)
        self.accounts = Accounts(requestor)
        self.requests = Requests(requestor)
        self.forms = Forms(requestor)
        self.enumerations = Enumerations(requestor)
        self.validations = Validations(requestor)
        self.funding = Funding(requestor)
        self.reports = Reports(requestor)
        self.portfolio = Portfolio(requestor)
        self.analytics = Analytics(requestor)
        self.contracts = Contracts(requestor)
        self.market = MarketData(requestor)
        self.hmds = HistoricalData(requestor)
        self.allocation = Allocation(requestor)
        self.orders = Orders(requestor)
        self.notifications = Notifications(requestor)
        self.streams = Streams(requestor)

    def with_session(self, session_bearer: Callable[[], str]) -> Self:
        """Return the same client for another trading session; tokens, limits and connections stay shared."""
        tokens, mover, waits = self._parts
        return type(self)(
            base_url=self.environment.base_url,
            credentials=self.credentials,
            environment=self.environment,
            tokens=tokens,
            session_bearer=session_bearer,
            transport=mover,
            timeouts=waits,
        )
