"""What can go wrong with a call to IBKR, each error named for the next move.

Writes end in `NotSent`, `Rejected`, `RateLimited`, `AuthFailed` or `OutcomeUnknown`; reads end in
`Rejected`, `RateLimited` (`HeldBack` is our own), `AuthFailed` or `Unavailable`. Every error that came from an
exchange carries it, redacted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from backoffice.ibkr.redaction import spoken

if TYPE_CHECKING:
    from backoffice.ibkr.transport import Exchange


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field IBKR objects to, in IBKR's words."""

    field: str
    description: str


class IbkrError(Exception):
    """Any failure of a call to IBKR; `reason` is a sentence fit for an operator, and for a log: it names no person."""

    def __init__(self, reason: str, *, status: int | None = None, exchange: "Exchange | None" = None) -> None:
        self.reason = spoken(reason)
        super().__init__(self.reason)
        self.status = status
        self.exchange = exchange


class NotSent(IbkrError):
    """No byte of the request left this machine: it may be sent again, under the same key.

    `not_before`, when known, is the instant (aware UTC) before which sending again would be held back as well.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        not_before: datetime | None = None,
        exchange: "Exchange | None" = None,
    ) -> None:
        super().__init__(reason, status=status, exchange=exchange)
        self.not_before = not_before


class Rejected(IbkrError):
    """IBKR refused in a way we recognise, whatever the HTTP status: final; show the reason."""

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        code: str = "",
        reasons: Sequence[str] = (),
        fields: Sequence[FieldProblem] = (),
        exchange: "Exchange | None" = None,
    ) -> None:
        super().__init__(reason, status=status, exchange=exchange)
        self.code = code
        self.reasons = tuple(spoken(each) for each in reasons) or (self.reason,)
        self.fields = tuple(FieldProblem(each.field, spoken(each.description)) for each in fields)


class Unsendable(Rejected):
    """The client itself refuses the request (too large, not expressible): nothing was sent; change it first."""


class BadIdentifier(Unsendable, ValueError):
    """An id that must not be put into a path or body: it would address something else, or everything."""


class RateLimited(IbkrError):
    """HTTP 429. Stop the whole lane; `retry_after` is IBKR's own number of seconds, if it gave one."""

    def __init__(
        self,
        reason: str,
        *,
        retry_after: int | None = None,
        status: int | None = 429,
        exchange: "Exchange | None" = None,
    ) -> None:
        super().__init__(reason, status=status, exchange=exchange)
        self.retry_after = retry_after


class HeldBack(RateLimited):
    """Our own limiter keeps a read back: nothing was sent, IBKR was not asked. A write becomes NotSent instead.

    `until` is the instant (aware UTC) at which it may go, where that is known.
    """

    def __init__(self, reason: str, *, until: datetime | None = None) -> None:
        super().__init__(reason, status=None)
        self.until = until


class AuthFailed(IbkrError):
    """401, 403 or 410: the bearer, its scope, the declared address or the session is not accepted."""

    @property
    def skew_seconds(self) -> int | None:
        """IBKR's clock minus ours when it refused, as far as it can be told; None when its answer had no Date."""
        return None if self.exchange is None else self.exchange.skew_seconds


class SessionNotReady(AuthFailed):
    """The brokerage session must be opened, established or primed (`GET /iserver/accounts`) before this read."""


class Unavailable(IbkrError):
    """A read got no usable answer (refused, timed out, 5xx, unreadable) after its retries: ask again later."""


class OutcomeUnknown(IbkrError):
    """A write left and its outcome is not known, or the answer shows it may already exist: never resend; look.

    `is_known_there`: IBKR said that it has this key already, so looks that show nothing under it prove no absence.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        is_known_there: bool = False,
        exchange: "Exchange | None" = None,
    ) -> None:
        super().__init__(reason, status=status, exchange=exchange)
        self.is_known_there = is_known_there
