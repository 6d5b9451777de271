"""What the shared parts of a page are given: a step, an event, a changed field, a share. Views and selectors build them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from backoffice.home.registry import Tone


@dataclass(frozen=True)
class TimelineEvent:
    """One node of a timeline, newest first.

    `kind`: "done" (filled green), "fact" (hollow grey), "wait" (hollow amber), "failed" (red square),
    "unknown" (dashed violet square).
    `words` are IBKR's, exactly as they came; `raw` is a path or a reference, in mono; `detail` is ours.
    """

    at: datetime | None
    title: str
    kind: Literal["done", "fact", "wait", "failed", "unknown"] = "fact"
    detail: str = ""
    words: str = ""
    raw: str = ""
    icon: str = ""
    by: str = ""


@dataclass(frozen=True)
class Step:
    """One step of a ticket or a form. `state`: "done", "current", "todo"; `defects` counts what is wrong in it."""

    label: str
    state: Literal["done", "current", "todo"] = "todo"
    defects: int = 0
    url: str = ""
    defects_stop: bool = True


@dataclass(frozen=True)
class Change:
    """One field before and after; equal values are written once, with "no change"."""

    label: str
    before: str
    after: str

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Share:
    """One part of a whole in a divided bar: `value` sizes it (>= 0), `text` is its amount as written, `percent` out of 100."""

    label: str
    value: Decimal
    text: str = ""
    percent: Decimal | None = None


@dataclass(frozen=True)
class Page:
    """Rows read by key, and the addresses of the neighbours; None where there is none. Nothing is counted."""

    rows: list[object] = field(default_factory=list)
    newer_url: str | None = None
    older_url: str | None = None


@dataclass(frozen=True)
class Check:
    """One line of a list of checks. `result`: "pass", "warn", "stop"."""

    result: Literal["pass", "warn", "stop"]
    title: str
    detail: str = ""


@dataclass(frozen=True)
class View:
    """One saved view of a list: a word, its address, whether it is the one shown, and a count if it is known cheaply."""

    label: str
    url: str
    selected: bool = False
    count: int | None = None
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Filter:
    """One filter chip. When `value` is set the chip is solid and `url` takes it off, otherwise `choices` are offered."""

    label: str
    value: str = ""
    url: str = ""
    choices: tuple[tuple[str, str], ...] = ()
