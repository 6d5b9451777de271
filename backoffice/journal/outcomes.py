"""The words between the journal and dispatch: what one sending came to, and what one look showed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Accepted:
    """IBKR took it. `reference` is IBKR's id; `answer` its answer, redacted."""

    reference: str
    answer: Any = None


@dataclass(frozen=True)
class Refused:
    """IBKR refused it, in a form we recognise; nothing exists there. `reason` is IBKR's own sentence."""

    reason: str
    answer: Any = None


@dataclass(frozen=True)
class Asked:
    """IBKR asks before it takes the order; nothing works there yet."""

    question: Any
    answer: Any = None


@dataclass(frozen=True)
class NotSent:
    """No byte left. The journal sends it again by itself, not before `not_before` if that is given."""

    detail: str
    not_before: datetime | None = None


@dataclass(frozen=True)
class Unknown:
    """It left, or may have left, and we do not know. The journal looks; it never sends again by itself."""

    detail: str
    answer: Any = None


Outcome = Accepted | Refused | Asked | NotSent | Unknown


@dataclass(frozen=True)
class Found:
    """The look found it. `matches` is False when what is there differs from what was sent."""

    reference: str
    source: str
    detail: str = ""
    matches: bool = True
    is_rejected: bool = False
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Absent:
    """The look was sound, saw something else that is known to exist, and did not see it."""

    source: str
    detail: str = ""


@dataclass(frozen=True)
class Inconclusive:
    """The look proves nothing: IBKR did not answer, or the answer had no positive control."""

    source: str
    detail: str


Look = Found | Absent | Inconclusive
