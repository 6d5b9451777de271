"""Orders: placing one is a conversation, and its answers are told apart by their shape, not by the HTTP status."""

import re
from collections.abc import Mapping
from typing import Any

from backoffice.ibkr import paths
from backoffice.ibkr.answers import Problem, list_of, object_read, problem_in, readable_or_none, refused_access
from backoffice.ibkr.errors import BadIdentifier, OutcomeUnknown
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.redaction import redact
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.orders import (
    CancelRequested,
    Execution,
    LiveOrder,
    LiveOrders,
    OrderStatus,
    OrderTicket,
    Placed,
    PlacedOrder,
    PlaceOutcome,
    Preview,
    Question,
    Refused,
)
from backoffice.ibkr.wire import Json

# Refusals IBKR is known to give with HTTP 500: recognised, so not in doubt. Any other 5xx is.
_REFUSED_WITH_500 = re.compile(
    r"no trading permissions|invalid account|account ?id is not valid|invalid order|insufficient|not accepted|cannot accept"
    r"|doesn't exist|couldn't be submitted|not confirmed|manual ?indicator|bad request",
    re.IGNORECASE,
)
_REPLY_GONE = re.compile(r"reply id not found", re.IGNORECASE)
_DECLINED = re.compile(r"order not confirmed", re.IGNORECASE)


class Orders:
    """Places, follows and cancels orders. One conversation at a time per brokerage session: the lane sees to that."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def place(self, ticket: OrderTicket) -> PlaceOutcome:
        """POST /iserver/account/{account, group or master}/orders. A write, sent once.

        Returns Placed, Question (answer it at once with `reply`) or Refused. Traps: "Local order ID ... is already
        registered" is evidence that an earlier sending landed and raises OutcomeUnknown; so does every unreadable
        answer and every 5xx that is not a refusal IBKR is known to give that way.
        """
        reply = self._requestor.trading(
            "POST",
            "iserver",
            "account",
            _path_account(ticket),
            "orders",
            effect=Effect.WRITE,
            body={"orders": [ticket.wire_members()]},
            read_timeout=self._requestor.timeouts.orders,
        )
        return outcome_of(reply)

    def reply(self, reply_id: str, *, confirmed: bool) -> PlaceOutcome:
        """POST /iserver/reply/{id}: answer a question. A write, sent once; the answer may be the next question.

        Declining returns Refused with `is_declined`. Trap: "reply id not found" raises OutcomeUnknown, because a reply
        may have been heard before: whether the order exists is for a look by its client order id to say.
        """
        reply = self._requestor.trading(
            "POST",
            "iserver",
            "reply",
            paths.reply_id(reply_id),
            effect=Effect.WRITE,
            body={"confirmed": confirmed},
            read_timeout=self._requestor.timeouts.orders,
        )
        return outcome_of(reply)

    def answer_prompt(self, question: Question, option: str) -> None:
        """POST /iserver/notification: answer a prompt with one of its options. A write, sent once; then look at the order."""
        if not question.is_prompt or option not in question.options:
            raise ValueError("A prompt is answered with one of its own options.")
        reply = self._requestor.trading(
            "POST",
            "iserver",
            "notification",
            effect=Effect.WRITE,
            body={"orderId": int(question.prompt_order_id), "reqId": question.reply_id, "text": option},
            read_timeout=self._requestor.timeouts.orders,
        )
        if (error := refused_access(reply, readable_or_none(reply))) is not None:
            raise error
        if not 200 <= reply.status < 300 or problem_in(readable_or_none(reply)) is not None:
            raise OutcomeUnknown("IBKR did not confirm the answer.", status=reply.status, exchange=reply.exchange)

    def cancel(self, account_id: str, order_id: str) -> CancelRequested | Refused:
        """DELETE /iserver/account/{id}/order/{orderId}. A write, sent once; the order may still fill.

        Only a positive order id is accepted (ValueError otherwise): -1 would cancel every open order.
        """
        reply = self._requestor.trading(
            "DELETE",
            "iserver",
            "account",
            _account_or_group(account_id),
            "order",
            paths.order_id(order_id),
            effect=Effect.WRITE,
            read_timeout=self._requestor.timeouts.orders,
        )
        return _cancel_outcome(reply, order_id)

    def whatif(self, ticket: OrderTicket) -> Preview:
        """POST /iserver/account/{id}/orders/whatif: what the order would do. No order is made, so it is a read.

        Trap: an `error` in the preview at HTTP 200 means the order would be refused; it is returned, not raised.
        """
        reply = self._requestor.trading(
            "POST",
            "iserver",
            "account",
            _path_account(ticket),
            "orders",
            "whatif",
            effect=Effect.READ,
            body={"orders": [ticket.wire_members()]},
            read_timeout=self._requestor.timeouts.orders,
        )
        body = readable_or_none(reply)
        if reply.status == 200 and isinstance(body, dict) and isinstance(body.get("error"), str) and "amount" in body:
            return read_answer(Preview, body, reply)
        return read_answer(Preview, object_read(reply), reply)

    def live(self, account_id: str | None = None) -> LiveOrders:
        """GET /iserver/account/orders: the session's orders, of one account if named. At most once in 5 seconds.

        Traps: the first call of a session is empty while `is_loaded` is False; one empty answer never proves that an
        order is absent. Filters and `force` are not offered: they spoil the data for everyone in the session.
        """
        query = {} if account_id is None else {"accountId": _account_or_group(account_id)}
        reply = self._requestor.trading("GET", "iserver", "account", "orders", effect=Effect.READ, query=query)
        body = object_read(reply)
        rows = [row for row in list_of(body.get("orders")) if isinstance(row, dict)]
        orders = read_answers(LiveOrder, rows, reply)
        return read_answer(LiveOrders, {"orders": orders, "is_loaded": body.get("snapshot") is True}, reply, raw={})

    def status(self, order_id: str) -> OrderStatus:
        """GET /iserver/account/order/status/{id}. Unavailable (503) for an order of an earlier session or another account."""
        reply = self._requestor.trading(
            "GET", "iserver", "account", "order", "status", paths.order_id(order_id), effect=Effect.READ
        )
        return read_answer(OrderStatus, object_read(reply), reply)

    def trades(self, *, days: int = 1, account_id: str | None = None) -> tuple[Execution, ...]:
        """GET /iserver/account/trades: executions of the last `days` (1 to 7), of one account if named. Once in 5 seconds.

        Trap: the first call of a session may be empty; a correction has the same `Execution.key` and a higher `revision`.
        """
        if not 1 <= days <= 7:
            raise ValueError("IBKR keeps executions for 1 to 7 days.")
        query = {"days": str(days)}
        if account_id is not None:
            query["accountId"] = _account_or_group(account_id)
        reply = self._requestor.trading("GET", "iserver", "account", "trades", effect=Effect.READ, query=query)
        return read_answers(Execution, list_read(reply), reply)


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
    if problem.shows_presence or _REPLY_GONE.search(problem.text):
        raise OutcomeUnknown(f"IBKR answered: {problem.text}", status=reply.status, exchange=reply.exchange)
    if _is_refusal(reply.status, problem.text, problem.is_internal):
        return Refused(problem.text, is_declined=_DECLINED.search(problem.text) is not None, raw=redact(body))
    raise OutcomeUnknown(
        f"IBKR answered HTTP {reply.status}: {problem.text}", status=reply.status, exchange=reply.exchange
    )


def _is_refusal(status: int, text: str, is_internal: bool) -> bool:
    if is_internal:
        return False
    if 200 <= status < 300 or status in (400, 404, 422):
        return True
    return status == 500 and _REFUSED_WITH_500.search(text) is not None


def _conversation(body: Json) -> Placed | Question | None:
    items = [body] if isinstance(body, dict) else body
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        return None
    rows: list[dict[str, Json]] = [item for item in items if isinstance(item, dict)]
    placed = [_placed(row) for row in rows]
    if all(order is not None for order in placed):
        return Placed(tuple(order for order in placed if order is not None), raw=redact(body))
    if len(rows) != 1:
        return None  # a mixture: some legs may be working, so it is for a look to say
    return _question(rows[0]) or _prompt(rows[0])


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


def _prompt(row: Mapping[str, Any]) -> Question | None:
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


def _cancel_outcome(reply: Reply, order_id: str) -> CancelRequested | Refused:
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


def _path_account(ticket: OrderTicket) -> str:
    return paths.group_name(ticket.group) if ticket.group is not None else paths.account_id(ticket.path_account)


def _account_or_group(value: str) -> str:
    try:
        return paths.account_id(value)
    except BadIdentifier:
        return paths.group_name(value)


def _text(value: object) -> str:
    return "" if value is None else str(value)
