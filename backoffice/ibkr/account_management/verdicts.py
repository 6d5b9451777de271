"""What the body of POST and PATCH /accounts says about success: an HTTP 200 alone says nothing.

The interesting part is `fileData.data`, which IBKR's specification leaves untyped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backoffice.ibkr.answers import Problem


@dataclass(frozen=True, slots=True)
class Verdict:
    """The node that carries `status`, and IBKR's sentences when that is Error."""

    is_success: bool
    node: dict[str, Any]
    errors: tuple[str, ...]

    @property
    def problem(self) -> Problem:
        """The refusal, as a problem."""
        reasons = self.errors or ("IBKR answered Error without saying why.",)
        return Problem(" ".join(reasons), reasons=reasons)


def verdict_of(body: Mapping[str, Any]) -> Verdict | None:
    """Return what an answer of /accounts says, or None when it says neither Success nor Error.

    One Error anywhere outweighs every Success: a part that failed is not a success.
    """
    found = list(_nodes(body.get("fileData", body)))
    failures = [node for node in found if _word(node) == "error"]
    if failures:
        return Verdict(False, failures[0], tuple(text for node in failures for text in error_sentences(node)))
    return Verdict(True, found[0], ()) if found else None


def error_sentences(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Return IBKR's sentences in `error` (or `errors`): a list of {"value"}, a list of texts, or one text."""
    stated = node.get("error", node.get("errors"))
    items = stated if isinstance(stated, list) else [stated]
    texts: list[str] = []
    for item in items:
        if isinstance(item, Mapping):
            item = item.get("value") or item.get("message") or item.get("errorMessage") or item.get("error")
        if isinstance(item, str) and item.strip():
            texts.append(item.strip())
    message = node.get("message") or node.get("errorDescription")
    if not texts and isinstance(message, str) and message.strip():
        texts.append(message.strip())
    return tuple(texts)


def _word(node: Mapping[str, Any]) -> str:
    return str(node.get("status", "")).strip().lower()


def _nodes(value: object, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > 6:
        return
    if isinstance(value, dict):
        if _word(value) in ("success", "error"):
            yield value
        for member in value.values():
            yield from _nodes(member, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _nodes(item, depth + 1)
