"""Statements: what is available, and the file itself."""

from dataclasses import dataclass, field
from datetime import date

from backoffice.ibkr.types.base import Answer


class AvailableStatements(Answer):
    """For which days, months ("YYYYMM") and years ("YYYY") IBKR has statements of an account."""

    daily_start: date | None = None
    daily_end: date | None = None
    monthly: tuple[str, ...] = ()
    annual: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A statement as bytes, unpacked, with the SHA-256 of exactly those bytes."""

    account_id: str
    start: str
    end: str
    mime_type: str
    sha256: str
    content: bytes = field(repr=False)
