"""From a JSON value to an answer model; what cannot be one is Unavailable, for reads have no effect to be in doubt."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from backoffice.ibkr.answers import value_read
from backoffice.ibkr.errors import Unavailable
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.base import Answer
from backoffice.ibkr.wire import Json

AnswerT = TypeVar("AnswerT", bound=Answer)


def read_answer(
    model: type[AnswerT], data: object, reply: Reply, *, raw: Mapping[str, object] | None = None
) -> AnswerT:
    """Return `data` as `model`, keeping `raw` (by default `data`) redacted. Raises Unavailable when it cannot be one."""
    try:
        return model.read(data, raw=raw)
    except ValueError as problem:
        raise Unavailable(
            f"IBKR's answer cannot be read: {problem}", status=reply.status, exchange=reply.exchange
        ) from problem


def read_answers(model: type[AnswerT], items: Iterable[Json], reply: Reply) -> tuple[AnswerT, ...]:
    """Return each item as `model`. Raises Unavailable when one cannot be."""
    try:
        return model.read_all(items)
    except ValueError as problem:
        raise Unavailable(
            f"IBKR's answer cannot be read: {problem}", status=reply.status, exchange=reply.exchange
        ) from problem


def list_read(reply: Reply, *, within: str = "") -> list[Json]:
    """Return the list a read was answered with, bare or as the member `within` of an object. Raises as `value_read`."""
    value = value_read(reply)
    if isinstance(value, dict) and within:
        value = value.get(within) or []
    if not isinstance(value, list):
        raise Unavailable("IBKR's answer is not the list it should be.", status=reply.status, exchange=reply.exchange)
    return value
