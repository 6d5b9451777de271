"""The last look before a write leaves for IBKR. Whoever answers for the write says what must still hold."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("broker_departure_check", default=None)


@contextmanager
def watched(check: Callable[[], None]) -> Iterator[None]:
    """Have `check` called before each write that leaves inside; it raises NotSent to keep the write here."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def ask() -> None:
    """Raise NotSent if the write must not leave any more. Called with the connection open and no byte written."""
    if (check := _check.get()) is not None:
        check()
