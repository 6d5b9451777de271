"""Judges exchanges in a thread of this process and adds up what it finds, for checked_sandbox.py and the report."""

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.specification import Exchange, Specification, Violation, specification
from tests.specification_exceptions import EXCEPTIONS

REPORT = "/_sandbox/specification"  # answered by tests/checked_sandbox.py


@dataclass
class Findings:
    """What the inspector has to say since it was last asked, or a sum of such."""

    violations: list[Violation] = field(default_factory=list)
    used: set[tuple[str, str, str]] = field(default_factory=set)
    exchanges: int = 0
    milliseconds: int = 0

    def add(self, other: "Findings") -> None:
        self.violations += other.violations
        self.used |= other.used
        self.exchanges += other.exchanges
        self.milliseconds += other.milliseconds

    def as_data(self) -> dict[str, Any]:
        return {
            "violations": [list(each) for each in self.violations],
            "used": [list(each) for each in sorted(self.used)],
            "exchanges": self.exchanges,
            "milliseconds": self.milliseconds,
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Findings":
        used = {(operation, where, rule) for operation, where, rule in data["used"]}
        violations = [Violation(*each) for each in data["violations"]]
        return cls(violations, used & EXCEPTIONS.keys(), data["exchanges"], data["milliseconds"])


class Inspector:
    """Judges exchanges one after the other in a thread of its own."""

    def __init__(self, rules: Specification) -> None:
        self.rules = rules
        self._waiting: queue.SimpleQueue[Exchange | threading.Event] = queue.SimpleQueue()
        self._found = Findings()
        threading.Thread(target=self._work, daemon=True, name="specification").start()

    def note(self, exchange: Exchange) -> None:
        self._waiting.put(exchange)

    def findings(self) -> Findings:
        """Everything found since the last call, once whatever has been noted is judged."""
        done = threading.Event()
        self._waiting.put(done)
        done.wait(60)
        found, self._found = self._found, Findings()
        found.used, self.rules.used = self.rules.used, set()
        return found

    def _work(self) -> None:
        while True:
            exchange = self._waiting.get()
            if isinstance(exchange, threading.Event):
                exchange.set()
                continue
            began = time.thread_time_ns()
            try:
                violations = self.rules.judge(exchange)
            except Exception as error:  # noqa: BLE001 - a check that breaks is a finding, never silence
                violations = [Violation(f"{exchange.method} {exchange.path}", "the check itself", "broke", repr(error))]
            self._found.violations += violations
            self._found.exchanges += 1
            self._found.milliseconds += (time.thread_time_ns() - began) // 1_000_000


_inspector: Inspector | None = None


def inspector() -> Inspector | None:
    """The one inspector of this process, or None without the file."""
    global _inspector  # noqa: PLW0603
    rules = specification()
    if _inspector is None and rules is not None:
        _inspector = Inspector(rules)
    return _inspector
