"""The calls about orders. One conversation at a time per brokerage session: the lane sees to that."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from backoffice.ibkr import paths
from backoffice.ibkr.answers import list_of, object_read, problem_in, readable_or_none, refused_access
from backoffice.ibkr.errors import BadIdentifier, OutcomeUnknown, Unavailable, Unsendable
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.orders.outcomes import cancel_outcome, group_outcome_of, outcome_of
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.orders import (
    CancelRequested,
    Execution,
    GroupOutcome,
    LiveOrder,
    LiveOrders,
    OrderStatus,
    PlaceOutcome,
    Preview,
    Question,
    Refused,
)
from backoffice.ibkr.types.tickets import OrderGroup, OrderTicket, WhatIf, epoch_seconds

MOST_SUPPRESSED = 51
# Questions an advisor answers one by one: suppressing them would trade past a limit, a wrong account or a wrong side.
ANSWERED_EXPLICITLY = frozenset({"o163", "o383", "o451", "o2136", "o2137", "o10334", "p6"})
_MESSAGE_ID = re.compile(r"[a-z]\d{1,6}")


class Orders:
    """Places, follows, changes and cancels orders."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def place(self, ticket: OrderTicket) -> PlaceOutcome:
        """POST /iserver/account/{account, group or master}/orders. A write, sent once.

        Returns Placed, Question (answer it at once with `reply`) or Refused. Traps: "Local order ID ... is already
        registered" is evidence that an earlier sending landed and raises OutcomeUnknown; so does every unreadable
        answer and every 5xx that is not a refusal IBKR is known to give that way.
        """
        return outcome_of(self._submit(_path_account(ticket), "orders", body={"orders": [ticket.wire_members()]}))

    def place_group(self, group: OrderGroup) -> GroupOutcome:
        """POST /iserver/account/{id}/orders with a bracket or one-cancels-all. A write, sent once.

        Returns Placed (all tickets, in order), Question or Refused (about the whole group) or Mixed: then some tickets may
        be working while others are not. Trap: children have no key of ours, so keep IBKR's order ids by their place.
        """
        reply = self._submit(_path_account(group.tickets[0]), "orders", body=group.wire_members())
        return group_outcome_of(reply, tickets=len(group.tickets))

    def reply(self, reply_id: str, *, confirmed: bool) -> PlaceOutcome:
        """POST /iserver/reply/{id}: answer a question. A write, sent once; the answer may be the next question.

        Declining returns Refused with `is_declined`. Trap: "reply id not found" raises OutcomeUnknown, because a reply
        may have been heard before: whether the order exists is for a look by its client order id to say.
        """
        return outcome_of(self._reply(reply_id, confirmed))

    def reply_for_group(self, reply_id: str, *, confirmed: bool, tickets: int) -> GroupOutcome:
        """POST /iserver/reply/{id} for a question about a whole group of so many tickets. Traps: as `reply`."""
        return group_outcome_of(self._reply(reply_id, confirmed), tickets=tickets)

    def answer_prompt(self, question: Question, option: str) -> None:
        """POST /iserver/notification: answer a prompt with one of its options. A write, sent once; then look at the order.

        Prompts come as an answer to an order or over the stream. Trap: "Success" says that it was heard, no more.
        """
        if not question.is_prompt or option not in question.options:
            raise ValueError("A prompt is answered with one of its own options.")
        reply = self._requestor.trading(
            "POST",
            "iserver",
            "notification",
            effect=Effect.WRITE,
            body={"orderId": int(question.prompt_order_id), "reqId": question.reply_id, "text": option},
            read_timeout=self._requestor.timeouts.orders,
            priority=Priority.REPLY,
        )
        if (error := refused_access(reply, readable_or_none(reply))) is not None:
            raise error
        if not 200 <= reply.status < 300 or problem_in(readable_or_none(reply)) is not None:
            raise OutcomeUnknown("IBKR did not confirm the answer.", status=reply.status, exchange=reply.exchange)

    def modify(self, order_id: str, ticket: OrderTicket) -> PlaceOutcome:
        """POST /iserver/account/{id}/order/{orderId}: change a working order. A write, sent once.

        `ticket` is the whole order as it shall be, with everything that stays the same: what is left out may be reset.
        Read the order just before. Returns what `place` returns; a question (o10138 on size) is answered by `reply`. Trap:
        `quantity` is the new total, filled units included (verify), and fills may come in between.
        """
        return outcome_of(
            self._submit(_path_account(ticket), "order", paths.order_id(order_id), body=ticket.wire_members())
        )

    def cancel(
        self,
        account_id: str,
        order_id: str,
        *,
        manual_indicator: bool | None = None,
        ext_operator: str | None = None,
        cancelled_at: datetime | None = None,
    ) -> CancelRequested | Refused:
        """DELETE /iserver/account/{id}/order/{orderId}. A write, sent once; the order may still fill.

        Only a positive order id is accepted (ValueError otherwise): -1 would cancel every open order. Orders for US futures
        are refused without `manual_indicator` and `ext_operator`; `cancelled_at` is when a person asked for it.
        """
        if (manual_indicator is None) != (ext_operator is None):
            raise Unsendable("manual_indicator and ext_operator go together.")
        query: dict[str, str] = {}
        if manual_indicator is not None and ext_operator is not None:
            query = {"manualIndicator": "true" if manual_indicator else "false", "extOperator": ext_operator}
        if cancelled_at is not None:
            query["manualCancelTime"] = str(epoch_seconds(cancelled_at))
        reply = self._requestor.trading(
            "DELETE",
            "iserver",
            "account",
            _account_or_group(account_id),
            "order",
            paths.order_id(order_id),
            effect=Effect.WRITE,
            query=query,
            read_timeout=self._requestor.timeouts.orders,
            priority=Priority.CANCEL,
        )
        return cancel_outcome(reply, order_id)

    def whatif(self, question: WhatIf) -> Preview:
        """POST /iserver/account/{account, group or master}/orders/whatif: what an order would do. A read: no order is made.

        Traps: an `error` in the preview at HTTP 200 means the order would be refused; it is returned, not raised. Without a
        market data snapshot before it, figures may be missing or come with warning 21. For groups and inline allocations IBKR
        may know no what-if (verify): ask about each account then.
        """
        reply = self._requestor.trading(
            "POST",
            "iserver",
            "account",
            _path_account(question.ticket),
            "orders",
            "whatif",
            effect=Effect.READ,
            body=question.question_members(),
            read_timeout=self._requestor.timeouts.orders,
        )
        body = readable_or_none(reply)
        if reply.status == 200 and isinstance(body, dict) and isinstance(body.get("error"), str) and "amount" in body:
            return read_answer(Preview, body, reply)
        return read_answer(Preview, object_read(reply), reply)

    def suppress(self, message_ids: Sequence[str]) -> None:
        """POST /iserver/questions/suppress: have these questions answered yes for the rest of the session, previews included.

        Traps: each call carries the whole list, at most 51; it ends with the brokerage session; and it holds for
        everything done in that session. `ANSWERED_EXPLICITLY` lists those that never should be (Unsendable).
        """
        ids = list(dict.fromkeys(message_ids))
        if not 0 < len(ids) <= MOST_SUPPRESSED or not all(_MESSAGE_ID.fullmatch(each) for each in ids):
            raise Unsendable(f"Between 1 and {MOST_SUPPRESSED} message ids such as o10151 can be suppressed.")
        if kept := sorted(ANSWERED_EXPLICITLY.intersection(ids)):
            raise Unsendable(f"{', '.join(kept)}: these questions are answered each time they are asked.")
        reply = self._requestor.trading(
            "POST", "iserver", "questions", "suppress", effect=Effect.READ, body={"messageIds": ids}
        )
        _require_submitted(reply)

    def reset_suppressed(self) -> None:
        """POST /iserver/questions/suppress/reset: have every question asked again."""
        _require_submitted(
            self._requestor.trading("POST", "iserver", "questions", "suppress", "reset", effect=Effect.READ)
        )

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

    def _submit(self, account: str, *segments: str, body: Mapping[str, object]) -> Reply:
        return self._requestor.trading(
            "POST",
            "iserver",
            "account",
            account,
            *segments,
            effect=Effect.WRITE,
            body=body,
            read_timeout=self._requestor.timeouts.orders,
            priority=Priority.ORDER,
        )

    def _reply(self, reply_id: str, confirmed: bool) -> Reply:
        return self._requestor.trading(
            "POST",
            "iserver",
            "reply",
            paths.reply_id(reply_id),
            effect=Effect.WRITE,
            body={"confirmed": confirmed},
            read_timeout=self._requestor.timeouts.orders,
            priority=Priority.REPLY,
        )


def _require_submitted(reply: Reply) -> None:
    if object_read(reply).get("status") != "submitted":
        raise Unavailable("IBKR did not confirm it.", status=reply.status, exchange=reply.exchange)


def _path_account(ticket: OrderTicket) -> str:
    return paths.group_name(ticket.group) if ticket.group is not None else paths.account_id(ticket.path_account)


def _account_or_group(value: str) -> str:
    try:
        return paths.account_id(value)
    except BadIdentifier:
        return paths.group_name(value)
