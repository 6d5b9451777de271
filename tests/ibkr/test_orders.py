from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backoffice.ibkr import AuthFailed, IbkrError, OutcomeUnknown, RateLimited, SessionNotReady, Unavailable
from backoffice.ibkr.orders import outcome_of
from backoffice.ibkr.transport import Exchange, Reply
from backoffice.ibkr.types.orders import CancelRequested, OrderTicket, Placed, Question, Refused, Share, WhatIf
from backoffice.ibkr.wire import encode
from tests.ibkr.conftest import Bench, answer, reset_after_read

TICKET = OrderTicket(
    client_order_id="AR-01",
    conid="265598",
    side="BUY",
    order_type="LMT",
    price="210.50",
    quantity="10",
    account="U1000011",
)
ACK = [{"order_id": "1370093239", "order_status": "PreSubmitted", "encrypt_message": "1", "local_order_id": "AR-01"}]
QUESTION = [
    {
        "id": "07a13a5a-4a48-44a5-bb25-5ab37b79186c",
        "message": ["The following order <h4>exceeds</h4> the price percentage limit of 3%."],
        "isSuppressed": False,
        "messageIds": ["o163"],
        "messageOptions": ["Yes", "No"],
    }
]
PROMPT = {
    "orderId": 987654, "reqId": "12345", "dismissable": [], "text": "Use the Price Management Algo?", "type": "M",
    "options": ["Use on this order", "Do not use"], "messageId": "p12", "prompt": True,
}  # fmt: skip


def reply_of(status: int, body: Any) -> Reply:
    exchange = Exchange("id", "POST", "/x", {}, None, datetime(2026, 11, 23, tzinfo=UTC), 1, "answered", status)
    content = body if isinstance(body, bytes) else encode(body).encode()
    return Reply(status, {}, content, exchange)


def test_an_order_for_one_account_names_it_in_path_and_ticket(bench: Bench) -> None:
    bench.server.play(answer(200, ACK))

    placed = bench.client.orders.place(TICKET)

    (request,) = bench.server.received
    assert (request.method, request.target) == ("POST", "/v1/api/iserver/account/U1000011/orders")
    assert b'"price":210.50' in request.body
    assert request.json == {
        "orders": [
            {
                "acctId": "U1000011",
                "conid": 265598,
                "cOID": "AR-01",
                "orderType": "LMT",
                "side": "BUY",
                "tif": "DAY",
                "quantity": 10,
                "price": 210.5,
            }
        ]
    }
    assert isinstance(placed, Placed)
    assert placed.order_id == "1370093239"
    assert placed.orders[0].status == "PreSubmitted"


def test_an_inline_allocation_goes_through_the_master(bench: Bench) -> None:
    bench.server.play(answer(200, ACK))
    ticket = OrderTicket(
        client_order_id="AR-02", conid="265598", side="SELL", order_type="MKT", quantity="100", master="F1000001",
        allocations=(Share(account="U1000011", amount="60"), Share(account="U1000012", amount="40")),
    )  # fmt: skip

    bench.client.orders.place(ticket)

    sent = bench.server.received[0].json["orders"][0]
    assert bench.server.received[0].target == "/v1/api/iserver/account/F1000001/orders"
    assert sent["acctId"] == "F1000001"
    assert sent["jsonPayload"] == {
        "allocation_profile": {
            "alloc_type": "SHARE",
            "allocations": [{"account": "U1000011", "amount": 60}, {"account": "U1000012", "amount": 40}],
        }
    }


BASE = {
    "client_order_id": "x",
    "conid": 265598,
    "side": "BUY",
    "order_type": "MKT",
    "quantity": "10",
    "account": "U1000011",
}


@pytest.mark.parametrize(
    "change",
    [
        {"account": None},
        {"group": "Balanced"},
        {"account": None, "master": "F1000001"},
        {"account": None, "master": "F1000001", "allocations": [{"account": "U1", "amount": "9"}]},
        {
            "account": None,
            "master": "F1000001",
            "allocations": [{"account": "U1", "amount": "5"}, {"account": "U1", "amount": "5"}],
        },
        {"allocations": [{"account": "U1", "amount": "10"}]},
        {"quantity": None},
        {"cash_quantity": "5"},
        {"quantity": "0"},
        {"quantity": "-1"},
        {"order_type": "LMT"},
        {"price": "1"},
        {"order_type": "STOP_LIMIT", "price": "1"},
        {"order_type": "STP", "price": "1", "aux_price": "1"},
        {"order_type": "TRAIL", "trailing_amount": "1"},
        {"client_order_id": "x" * 65},
        {"client_order_id": ""},
        {"conid": "-1"},
        {"conid": "265598@SMART"},
        {"surprise": 1},
        {"side": "buy"},
    ],
)
def test_a_ticket_that_could_mean_something_else_cannot_be_written(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrderTicket.model_validate(BASE | change)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(-3, 3))
def test_inline_amounts_must_add_up_exactly(amounts: list[int], error: int) -> None:
    members = BASE | {
        "account": None,
        "master": "F1000001",
        "quantity": sum(amounts) + error,
        "allocations": [{"account": f"U{index + 1}", "amount": amount} for index, amount in enumerate(amounts)],
    }
    if error == 0:
        OrderTicket.model_validate(members)
    else:
        with pytest.raises(ValidationError):
            OrderTicket.model_validate(members)


def test_a_kept_ticket_gives_back_the_same_request() -> None:
    assert OrderTicket.model_validate(TICKET.model_dump(mode="json")) == TICKET


def test_a_question_keeps_ibkrs_words_and_nothing_is_working() -> None:
    outcome = outcome_of(reply_of(200, QUESTION))

    assert isinstance(outcome, Question)
    assert outcome.reply_id == "07a13a5a-4a48-44a5-bb25-5ab37b79186c"
    assert outcome.messages == ("The following order <h4>exceeds</h4> the price percentage limit of 3%.",)
    assert outcome.message_ids == ("o163",)
    assert outcome.options == ("Yes", "No")
    assert not outcome.is_prompt


def test_a_prompt_is_a_question_with_options(bench: Bench) -> None:
    outcome = outcome_of(reply_of(200, PROMPT))
    bench.server.play(answer(200, b"Success", content_type="text/plain"))

    assert isinstance(outcome, Question)
    assert outcome.is_prompt
    bench.client.orders.answer_prompt(outcome, "Do not use")
    assert bench.server.received[0].json == {"orderId": 987654, "reqId": "12345", "text": "Do not use"}
    with pytest.raises(ValueError):
        bench.client.orders.answer_prompt(outcome, "Perhaps")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, ACK, Placed),
        (200, ACK[0], Placed),
        (200, QUESTION, Question),
        (200, QUESTION[0], Question),
        (200, PROMPT, Question),
        (200, {"error": "No trading permissions."}, Refused),
        (200, [{"error": "No trading permissions."}], Refused),
        (200, {"error": "Your order is not accepted. Reason: insufficient funds"}, Refused),
        (200, {"error": "Order not confirmed "}, Refused),
        (200, {"error": "x", "cqe": {"post_payload": {"rejections": ["y"]}}}, Refused),
        (400, {"error": "Bad Request: invalid order price fields", "statusCode": 400}, Refused),
        (400, {"error": "Bad Request: Please query /accounts first", "statusCode": 400}, Refused),
        (500, {"error": "Invalid account ID"}, Refused),
        (500, {"error": "No trading permissions."}, Refused),
        (200, {"error": "Order couldn't be submitted: Local order ID=AR-01 is already registered."}, OutcomeUnknown),
        (400, {"error": "Order couldn't be submitted: Local order ID=AR-01 is already registered."}, OutcomeUnknown),
        (500, {"error": "Order couldn't be submitted: Local order ID=AR-01 is already registered."}, OutcomeUnknown),
        (200, {"error": "DUPLICATE ORDER DETECTED"}, OutcomeUnknown),
        (400, [{"error": "DUPLICATE ORDER DETECTED"}], OutcomeUnknown),
        (400, {"error": "reply id not found: '07a1'", "statusCode": 400}, OutcomeUnknown),
        (200, {"error": "java.lang.Exception: boom"}, OutcomeUnknown),
        (500, {"error": "java.lang.NullPointerException"}, OutcomeUnknown),
        (500, {"error": "unknown"}, OutcomeUnknown),
        (503, {"error": "Service Unavailable", "statusCode": 503}, OutcomeUnknown),
        (503, {"error": "No trading permissions."}, OutcomeUnknown),
        (502, b"<html>", OutcomeUnknown),
        (200, b"<html>", OutcomeUnknown),
        (200, [], OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (200, "Success", OutcomeUnknown),
        (200, [ACK[0], {"error": "leg refused"}], OutcomeUnknown),
        (200, [*ACK, {"order_id": 1370093240, "order_status": "PreSubmitted"}], OutcomeUnknown),
        (200, [ACK[0], QUESTION[0]], OutcomeUnknown),
        (200, [{"order_id": "-1", "order_status": "x"}], OutcomeUnknown),
        (200, [{"order_id": True}], OutcomeUnknown),
        (200, [{"id": "../evil", "message": ["x"]}], OutcomeUnknown),
        (302, {}, OutcomeUnknown),
        (400, {}, OutcomeUnknown),
        (429, {"error": "pacing"}, RateLimited),
        (401, {"error": "expired", "statusCode": 401}, AuthFailed),
        (401, {"error": "not authenticated", "statusCode": 401}, SessionNotReady),
        (403, b"<html>", AuthFailed),
        (410, {}, AuthFailed),
    ],
)
def test_answers_to_an_order_are_told_apart_by_shape(status: int, body: Any, expected: type) -> None:
    reply = reply_of(status, body)

    if issubclass(expected, IbkrError):
        with pytest.raises(IbkrError) as caught:
            outcome_of(reply)
        assert type(caught.value) is expected
    else:
        assert type(outcome_of(reply)) is expected


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["order_id", "id", "message", "error", "prompt", "orderId", "reqId", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(JUNK, st.sampled_from([200, 202, 302, 400, 404, 500, 503]))
def test_no_strange_answer_is_mistaken_for_a_placed_order(body: Any, status: int) -> None:
    try:
        content = encode(body).encode()
    except IbkrError:
        return
    try:
        outcome = outcome_of(reply_of(status, content))
    except (OutcomeUnknown, AuthFailed):
        return

    if isinstance(outcome, Placed):
        assert status < 300
        assert all(order.order_id.isdigit() and int(order.order_id) > 0 for order in outcome.orders)
    elif isinstance(outcome, Refused):
        assert outcome.reason


def test_declining_a_question_is_told_from_a_refusal(bench: Bench) -> None:
    bench.server.play(answer(200, {"error": "Order not confirmed "}))

    outcome = bench.client.orders.reply("07a13a5a-4a48-44a5-bb25-5ab37b79186c", confirmed=False)

    assert isinstance(outcome, Refused)
    assert outcome.is_declined
    (request,) = bench.server.received
    assert request.target == "/v1/api/iserver/reply/07a13a5a-4a48-44a5-bb25-5ab37b79186c"
    assert request.json == {"confirmed": False}


def test_orders_replies_and_cancels_are_sent_once(bench: Bench) -> None:
    bench.server.play(reset_after_read)

    with pytest.raises(OutcomeUnknown):
        bench.client.orders.place(TICKET)
    with pytest.raises(OutcomeUnknown):
        bench.client.orders.reply("07a13a5a-4a48", confirmed=True)
    with pytest.raises(OutcomeUnknown):
        bench.client.orders.cancel("U1000011", "12")

    assert bench.server.connections == 3


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"msg": "Request was submitted", "order_id": 12, "conid": -1, "account": None}, CancelRequested),
        (200, [{"order_id": 12, "order_status": "PendingCancel"}], CancelRequested),
        (200, {"error": "OrderID 12 doesn't exist"}, Refused),
        (400, {"error": "OrderID 12 doesn't exist"}, Refused),
        (500, {"error": "unknown"}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (503, {}, OutcomeUnknown),
        (401, {}, AuthFailed),
    ],
)
def test_answers_to_a_cancellation_are_told_apart(bench: Bench, status: int, body: Any, expected: type) -> None:
    bench.server.play(answer(status, body))

    if issubclass(expected, IbkrError):
        with pytest.raises(expected):
            bench.client.orders.cancel("U1000011", "12")
    else:
        assert type(bench.client.orders.cancel("U1000011", "12")) is expected


def test_live_orders_say_whether_they_are_loaded(bench: Bench) -> None:
    row = {
        "acct": "F1000001", "account": "Balanced", "orderId": 17437897932, "conid": 265598, "ticker": "AAPL", "side": "BUY",
        "remainingQuantity": 5.0, "filledQuantity": 5.0, "totalSize": 10.0, "status": "Submitted", "avgPrice": "210.40",
        "price": "210.50", "order_ref": "AR-01", "lastExecutionTime": "261123120000", "lastExecutionTime_r": 1795435200000,
        "origOrderType": "LIMIT", "orderType": "Limit", "timeInForce": "CLOSE",
    }  # fmt: skip
    bench.server.play(answer(200, {"orders": [], "snapshot": False}), answer(200, {"orders": [row], "snapshot": True}))

    first, second = bench.client.orders.live(), bench.client.orders.live("U1000011")

    assert not first.is_loaded
    assert second.is_loaded
    (order,) = second.orders
    assert order.order_id == "17437897932"
    assert order.client_order_id == "AR-01"
    assert (order.filled, order.remaining, order.average_price) == (Decimal(5), Decimal(5), Decimal("210.40"))
    assert order.last_execution_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert not order.is_final
    assert bench.server.received[1].target == "/v1/api/iserver/account/orders?accountId=U1000011"


def test_executions_are_read_with_text_numbers_and_sides(bench: Bench) -> None:
    row = {
        "execution_id": "0000e0d5.6576fd38.01.02", "symbol": "AAPL", "side": "BOT", "trade_time": "20261123-12:00:00",
        "trade_time_r": 1795435200000, "size": 5.0, "price": "210.40", "order_ref": "AR-01", "commission": "1.0",
        "net_amount": 1052.0, "account": "U1000011", "account_allocation_name": "U1000011", "conid": 265598, "order_id": 12,
    }  # fmt: skip
    bench.server.play(answer(200, [row]))

    (execution,) = bench.client.orders.trades(days=7)

    assert (execution.side, execution.quantity, execution.price) == ("BUY", Decimal("5.0"), Decimal("210.40"))
    assert execution.commission == Decimal("1.0")
    assert execution.executed_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert (execution.key, execution.revision) == ("0000e0d5.6576fd38.01", 2)
    assert bench.server.received[0].target == "/v1/api/iserver/account/trades?days=7"
    with pytest.raises(ValueError):
        bench.client.orders.trades(days=8)


def test_an_orders_status_is_read_and_its_absence_is_not_an_answer(bench: Bench) -> None:
    body = {
        "order_id": 12,
        "order_status": "Filled",
        "side": "B",
        "cum_fill": 10,
        "total_size": "10.0",
        "order_time": "261123120000",
    }
    bench.server.play(answer(200, body), answer(503, {"error": "not cached", "statusCode": 503}))

    status = bench.client.orders.status("12")

    assert (status.side, status.status, status.filled, status.is_final) == ("BUY", "Filled", Decimal(10), True)
    assert status.placed_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    with pytest.raises(Unavailable):
        bench.client.orders.status("12")


def test_a_preview_gives_words_and_figures_and_an_error_is_part_of_it(bench: Bench) -> None:
    body = {
        "amount": {"amount": "1,977.60 USD (10 Shares)", "commission": "1 USD", "total": "1,978.60 USD"},
        "equity": {"current": "123,456", "change": "-1", "after": "123,455"},
        "initial": {"current": "0", "change": "1", "after": "1"},
        "maintenance": {"current": "0", "change": "1", "after": "1"},
        "warn": "21/No market data.",
        "error": None,
    }
    bench.server.play(answer(200, body), answer(200, body | {"error": "insufficient funds"}))

    fine, refused = bench.client.orders.whatif(WhatIf(TICKET)), bench.client.orders.whatif(WhatIf(TICKET))

    assert fine.amounts is not None
    assert fine.amounts.total_text == "1,978.60 USD"
    assert fine.amounts.total is not None
    assert (fine.amounts.total.amount, fine.amounts.total.currency) == (Decimal("1978.60"), "USD")
    assert fine.equity is not None
    assert fine.equity.after == Decimal(123455)
    assert fine.error == ""
    assert refused.error == "insufficient funds"
    assert bench.server.received[0].target == "/v1/api/iserver/account/U1000011/orders/whatif"


def test_a_what_if_has_no_key_and_cannot_be_placed(bench: Bench) -> None:
    bench.server.play(answer(200, {"amount": {"amount": "1,977.60 USD (10 Shares)"}, "error": None}))

    bench.client.orders.whatif(WhatIf(TICKET))
    with pytest.raises(AttributeError):
        bench.client.orders.place(WhatIf(TICKET))  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        bench.client.orders.whatif(TICKET)  # type: ignore[arg-type]

    (request,) = bench.server.received
    assert request.target.endswith("/orders/whatif")
    assert "cOID" not in request.json["orders"][0]
    assert request.json["orders"][0]["acctId"] == "U1000011"
