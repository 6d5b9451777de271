"""What IBKR's answers to orders mean: told apart by their shape, not by the HTTP status. Pure functions."""

import re
from collections.abc import Mapping
from typing import Any

from backoffice.ibkr import paths
from backoffice.ibkr.answers import Problem, list_of, problem_in, readable_or_none, refused_access
from backoffice.ibkr.errors import BadIdentifier, OutcomeUnknown
from backoffice.ibkr.redaction import redact
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.orders import (
    CancelRequested,
    Doubtful,
    GroupOutcome,
    Mixed,
    Placed,
    PlacedOrder,
    PlaceOutcome,
    Question,
    Refused,
    TicketOutcome,
)
from backoffice.ibkr.wire import Json

# Refusals IBKR is known to give with HTTP 500: recognised, so not in doubt. Any other 5xx is.
_REFUSED_WITH_500 = re.compile(
    r"no trading permissions|invalid account|account ?id is not valid|invalid order|insufficient|not accepted|cannot accept"
    r"|doesn't exist|couldn't be submitted|not confirmed|manual ?indicator|bad request",
    re.IGNORECASE,
)
# Sentences that leave it open whether the order is there. No document shows "DUPLICATE ORDER DETECTED", and whether it would mean
# our own key or merely a like order is not known (trading.md 8.2): a look tells.
_LEAVES_OPEN = re.compile(r"reply id not found|duplicate order", re.IGNORECASE)
_DECLINED = re.compile(r"order not confirmed", re.IGNORECASE)


def outcome_of(reply: Reply) -> PlaceOutcome:
    """Tell apart the answers to an order or a reply, by shape, in IBKR's documented order.

    Raises RateLimited, AuthFailed, or OutcomeUnknown for everything that is none of the known shapes.
    """
    body = readable_or_none(reply)
    if (error := refused_access(reply, body)) is not None:
        raise error
    if 200 <= reply.status < 300 and (outcome := _conversation(body)) is not None:
        return outcome
    problem = problem_in(body) if not isinstance(body, list) else _problem_of_single(body)
    if problem is None:
        raise OutcomeUnknown(
            f"IBKR's answer (HTTP {reply.status}) is none we know.", status=reply.status, exchange=reply.exchange
        )
    if problem.shows_presence or _LEAVES_OPEN.search(problem.text):
        raise OutcomeUnknown(
            f"IBKR answered: {problem.text}",
            status=reply.status,
            is_known_there=problem.shows_presence,
            exchange=reply.exchange,
        )
    if _is_refusal(reply.status, problem.text, problem.is_internal):
        return Refused(problem.text, is_declined=_DECLINED.search(problem.text) is not None, raw=redact(body))
    raise OutcomeUnknown(
        f"IBKR answered HTTP {reply.status}: {problem.text}", status=reply.status, exchange=reply.exchange
    )


def group_outcome_of(reply: Reply, *, tickets: int) -> GroupOutcome:
    """Tell apart the answers to a bracket or one-cancels-all of so many tickets.

    One question or one refusal is about the whole group; as many rows as tickets are one each, in their order. Raises
    OutcomeUnknown where neither fits, for then some tickets may be working and which is for a look to say.
    """
    body = readable_or_none(reply)
    if (error := refused_access(reply, body)) is not None:
        raise error
    if 200 <= reply.status < 300 and isinstance(body, list) and len(body) > 1:
        if len(body) != tickets:
            raise OutcomeUnknown(
                f"IBKR answered for {len(body)} of {tickets} tickets.", status=reply.status, exchange=reply.exchange
            )
        outcomes = tuple(_outcome_of_ticket(row) for row in body)
        placed = tuple(each for each in outcomes if isinstance(each, PlacedOrder))
        return Placed(placed, raw=redact(body)) if len(placed) == tickets else Mixed(outcomes, raw=redact(body))
    outcome = outcome_of(reply)
    if isinstance(outcome, Placed) and len(outcome.orders) != tickets:
        raise OutcomeUnknown(
            f"IBKR acknowledged {len(outcome.orders)} of {tickets} tickets.",
            status=reply.status,
            exchange=reply.exchange,
        )
    return outcome


def _outcome_of_ticket(row: Json) -> TicketOutcome:
    if not isinstance(row, dict):
        return Doubtful("IBKR's answer for this ticket is none we know.", raw=redact(row))
    if (known := _placed(row) or _question(row) or prompt_of(row)) is not None:
        return known
    problem = problem_in(row)
    if problem is None:
        return Doubtful("IBKR's answer for this ticket is none we know.", raw=redact(row))
    if problem.shows_presence or problem.is_internal or _LEAVES_OPEN.search(problem.text):
        return Doubtful(f"IBKR answered: {problem.text}", raw=redact(row))
    return Refused(problem.text, is_declined=_DECLINED.search(problem.text) is not None, raw=redact(row))


def _is_refusal(status: int, text: str, is_internal: bool) -> bool:
    if is_internal:
        return False
    if 200 <= status < 300 or status in (400, 404, 422):
        return True
    return status == 500 and _REFUSED_WITH_500.search(text) is not None


def _conversation(body: Json) -> Placed | Question | None:
    items = [body] if isinstance(body, dict) else body
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], dict):
        return None  # one ticket has one answer: of two, something may be working twice, so it is for a look to say
    row: dict[str, Json] = items[0]
    if (placed := _placed(row)) is not None:
        return Placed((placed,), raw=redact(body))
    return _question(row) or prompt_of(row)


def _placed(row: Mapping[str, Any]) -> PlacedOrder | None:
    order_id = row.get("order_id")
    if isinstance(order_id, bool) or not isinstance(order_id, int | str) or problem_in(dict(row)) is not None:
        return None
    try:
        checked = paths.order_id(str(order_id))
    except BadIdentifier:
        return None
    return PlacedOrder(
        order_id=checked,
        status=_text(row.get("order_status")),
        client_order_id=_text(row.get("local_order_id")),
        parent_order_id=_text(row.get("parent_order_id")),
        warning=_text(row.get("warning_message")),
    )


def _question(row: Mapping[str, Any]) -> Question | None:
    reply_id, messages = row.get("id"), row.get("message")
    if isinstance(messages, str):
        messages = [messages]
    if not isinstance(reply_id, str) or not isinstance(messages, list):
        return None
    try:
        paths.reply_id(reply_id)
    except BadIdentifier:
        return None
    return Question(
        reply_id=reply_id,
        messages=tuple(_text(message) for message in messages),
        message_ids=tuple(_text(each) for each in list_of(row.get("messageIds"))),
        options=tuple(_text(each) for each in list_of(row.get("messageOptions"))),
        raw=redact(dict(row)),
    )


def prompt_of(row: Mapping[str, Any]) -> Question | None:
    """Return the prompt in one row, answered by choosing an option; None when it is none."""
    if row.get("prompt") is not True or "orderId" not in row or "reqId" not in row:
        return None
    try:
        order_id = paths.order_id(str(row["orderId"]))
    except BadIdentifier:
        return None
    return Question(
        reply_id=str(row["reqId"]),
        messages=(_text(row.get("text")),),
        message_ids=(_text(row.get("messageId")),) if row.get("messageId") else (),
        options=tuple(_text(each) for each in list_of(row.get("options"))),
        prompt_order_id=order_id,
        raw=redact(dict(row)),
    )


def _problem_of_single(body: list[Json]) -> Problem | None:
    return problem_in(body[0]) if len(body) == 1 else None


def cancel_outcome(reply: Reply, order_id: str) -> CancelRequested | Refused:
    """Tell whether IBKR took note of a cancellation or refused it. Raises as `outcome_of`."""
    body = readable_or_none(reply)
    if (error := refused_access(reply, body)) is not None:
        raise error
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    problem = problem_in(body)
    if problem is not None and _is_refusal(reply.status, problem.text, problem.is_internal):
        return Refused(problem.text, raw=redact(body))
    if (
        200 <= reply.status < 300
        and problem is None
        and isinstance(body, dict)
        and (body.get("msg") or body.get("order_status"))
    ):
        return CancelRequested(order_id, _text(body.get("msg") or body.get("order_status")), raw=redact(body))
    said = f": {problem.text}" if problem else ""
    raise OutcomeUnknown(f"IBKR answered HTTP {reply.status}{said}", status=reply.status, exchange=reply.exchange)


def _text(value: object) -> str:
    return "" if value is None else str(value)
