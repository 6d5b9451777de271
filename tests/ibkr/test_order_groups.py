"""Brackets and one-cancels-all: what is sent, and that each ticket has an answer of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from backoffice.ibkr import Credentials, IbkrClient, OutcomeUnknown, Transport, Unavailable
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.transport import Call
from backoffice.ibkr.types.orders import (
    Doubtful,
    Mixed,
    OrderGroup,
    OrderTicket,
    Placed,
    PlacedOrder,
    Question,
    Refused,
)
from tests.ibkr.conftest import Bench, answer

ORDERS = "/v1/api/iserver/account/U1000011/orders"
QUESTION = {"id": "07a13a5a-4a48-44a5-bb25-5ab37b79186c", "message": ["Farther than 3%."], "messageIds": ["o163"]}


def ticket(side: str, order_type: str, price: str, **members: Any) -> OrderTicket:
    return OrderTicket.model_validate(
        {"conid": "265598", "side": side, "order_type": order_type, "price": price, "quantity": "10",
         "account": "U1000011", **members}
    )  # fmt: skip


def acknowledged(order_id: str, **members: Any) -> dict[str, Any]:
    return {"order_id": order_id, "order_status": "PreSubmitted", **members}


PARENT = ticket("BUY", "LMT", "210", client_order_id="AR-01")
BRACKET = OrderGroup(
    tickets=(PARENT, ticket("SELL", "LMT", "230", parent_id="AR-01"), ticket("SELL", "STP", "200", parent_id="AR-01"))
)
ONE_OF_TWO = OrderGroup(
    tickets=(
        ticket("SELL", "LMT", "230", client_order_id="AR-02"),
        ticket("SELL", "STP", "200", client_order_id="AR-03"),
    ),
    is_one_cancels_all=True,
)


def test_a_bracket_goes_out_as_one_request_whose_children_name_their_parent(bench: Bench) -> None:
    bench.server.play(answer(200, [acknowledged("11", local_order_id="AR-01"), acknowledged("12"), acknowledged("13")]))

    outcome = bench.client.orders.place_group(BRACKET)

    (request,) = bench.server.received
    assert (request.method, request.target) == ("POST", ORDERS)
    sent = request.json["orders"]
    assert [each.get("cOID") for each in sent] == ["AR-01", None, None]
    assert [each.get("parentId") for each in sent] == [None, "AR-01", "AR-01"]
    assert [(each["side"], each["orderType"], each["price"]) for each in sent] == [
        ("BUY", "LMT", 210), ("SELL", "LMT", 230), ("SELL", "STP", 200),
    ]  # fmt: skip
    assert isinstance(outcome, Placed)
    assert [order.order_id for order in outcome.orders] == ["11", "12", "13"]


def test_one_cancels_all_marks_every_ticket(bench: Bench) -> None:
    bench.server.play(answer(200, [acknowledged("11"), acknowledged("12")]))

    bench.client.orders.place_group(ONE_OF_TWO)

    assert [each["isSingleGroup"] for each in bench.server.received[0].json["orders"]] == [True, True]


def test_what_ibkr_took_in_part_is_told_ticket_by_ticket(bench: Bench) -> None:
    bench.server.play(answer(200, [acknowledged("11"), {"error": "The price is not a multiple of 0.01"}, QUESTION]))

    outcome = bench.client.orders.place_group(BRACKET)

    assert isinstance(outcome, Mixed)
    assert outcome.placed == {0: PlacedOrder("11", "PreSubmitted")}
    assert outcome.refusals[1].reason == "The price is not a multiple of 0.01"
    assert outcome.questions[2].message_ids == ("o163",)
    assert outcome.doubts == {}


def test_an_answer_for_one_ticket_that_says_nothing_known_is_a_doubt_about_that_ticket(bench: Bench) -> None:
    bench.server.play(answer(200, [acknowledged("11"), {"surprise": 1}, acknowledged("13")]))

    outcome = bench.client.orders.place_group(BRACKET)

    assert isinstance(outcome, Mixed)
    assert sorted(outcome.placed) == [0, 2]
    assert [type(each) for each in outcome.doubts.values()] == [Doubtful]


@pytest.mark.parametrize(
    ("body", "expected"), [([QUESTION], Question), ({"error": "The account has too little cash"}, Refused)]
)
def test_one_question_or_refusal_is_about_the_whole_group(bench: Bench, body: Any, expected: type) -> None:
    bench.server.play(answer(200, body))

    assert isinstance(bench.client.orders.place_group(BRACKET), expected)


def test_the_answer_to_a_question_about_a_group_is_told_ticket_by_ticket(bench: Bench) -> None:
    bench.server.play(answer(200, [acknowledged("11"), acknowledged("12"), {"error": "refused"}]))

    outcome = bench.client.orders.reply_for_group(QUESTION["id"], confirmed=True, tickets=3)

    assert isinstance(outcome, Mixed)
    assert (sorted(outcome.placed), sorted(outcome.refusals)) == ([0, 1], [2])


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_another_number_of_answers_than_tickets_is_in_doubt_and_never_sent_again(bench: Bench, rows: int) -> None:
    bench.server.play(answer(200, [acknowledged(str(11 + row)) for row in range(rows)]))

    with pytest.raises(OutcomeUnknown):
        bench.client.orders.place_group(BRACKET)

    assert len(bench.server.received) == 1


@pytest.mark.parametrize(
    "tickets",
    [
        (PARENT,),
        (PARENT, ticket("SELL", "LMT", "230", client_order_id="AR-09")),
        (PARENT, ticket("BUY", "LMT", "230", parent_id="AR-01")),
        (PARENT, ticket("SELL", "LMT", "230", parent_id="AR-08")),
        (PARENT, ticket("SELL", "LMT", "230", parent_id="AR-01", client_order_id="AR-09")),
        (PARENT, ticket("SELL", "LMT", "230", parent_id="AR-01", account="U1000012")),
        (PARENT, ticket("SELL", "LMT", "230", parent_id="AR-01", conid="8314")),
    ],
)
def test_a_basket_that_is_no_bracket_cannot_be_written(tickets: tuple[OrderTicket, ...]) -> None:
    with pytest.raises(ValidationError):
        OrderGroup(tickets=tickets)


class Ranks:
    """A limiter that notes how urgent each call was."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Priority]] = []

    @contextmanager
    def turn(self, call: Call, priority: Priority) -> Iterator[None]:
        self.seen.append((f"{call.method} {call.path.removeprefix('/v1/api/iserver/')}", priority))
        yield

    def penalise(self, call: Call, retry_after: int | None) -> None:
        raise AssertionError("nothing here is penalised")


def test_a_cancel_goes_before_an_answer_and_an_answer_before_an_order(bench: Bench, credentials: Credentials) -> None:
    bench.server.play(answer(200, [acknowledged("11", msg="Request was submitted")]))
    ranks = Ranks()
    orders = IbkrClient(
        base_url=bench.server.url, credentials=credentials, session_bearer=lambda: "session-bearer",
        transport=Transport(limiter=ranks, priority=Priority.BULK),
    ).orders  # fmt: skip

    orders.place(PARENT)
    orders.modify("11", PARENT)
    orders.reply(QUESTION["id"], confirmed=True)
    orders.cancel("U1000011", "11")
    with pytest.raises(Unavailable):
        orders.live()

    assert ranks.seen == [
        ("POST account/U1000011/orders", Priority.ORDER),
        ("POST account/U1000011/order/11", Priority.ORDER),
        (f"POST reply/{QUESTION['id']}", Priority.REPLY),
        ("DELETE account/U1000011/order/11", Priority.CANCEL),
        ("GET account/orders", Priority.BULK),
    ]
