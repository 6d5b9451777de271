"""Bad luck on purpose: every phase and every action, and what is left in the ledger."""

import time
from typing import Any

import pytest
import requests

from tests.sandbox.support import Caller

PATH = "/external-cash-transfers$"
BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def ledger(caller: Caller) -> int:
    return len(caller.ledger("withdrawal"))


@pytest.mark.parametrize("phase", ["pre_read", "read_not_applied"])
@pytest.mark.parametrize("action", ["reset", "status", "garbage", "empty"])
def test_before_it_is_applied_a_fault_leaves_nothing(caller: Caller, phase: str, action: str) -> None:
    caller.fault(method="POST", path=PATH, phase=phase, action=action, status=503)

    if action == "reset":
        with pytest.raises(BROKEN):
            caller.withdraw()
    else:
        answer = caller.withdraw()
        assert answer.status_code == (503 if action == "status" else 200)

    assert ledger(caller) == 0
    assert caller.withdraw().status_code == 202
    assert ledger(caller) == 1


@pytest.mark.parametrize(
    ("phase", "action"),
    [
        ("applied_not_answered", "reset"),
        ("applied_not_answered", "status"),
        ("applied_not_answered", "garbage"),
        ("applied_not_answered", "empty"),
        ("mid_body", "reset"),
        ("answered", "status"),
        ("answered", "garbage"),
        ("answered", "empty"),
    ],
)
def test_after_it_is_applied_a_fault_leaves_exactly_one(caller: Caller, phase: str, action: str) -> None:
    caller.fault(method="POST", path=PATH, phase=phase, action=action, status=502, body='{"oops":1}')

    if action == "reset":
        with pytest.raises(BROKEN):
            caller.withdraw(id=8001)
    else:
        answer = caller.withdraw(id=8001)
        if action == "status":
            assert (answer.status_code, answer.json()) == (502, {"oops": 1})
        elif action == "empty":
            assert answer.content == b""

    assert ledger(caller) == 1
    assert caller.get("/client-instructions/8001").status_code == 200
    seen = caller.requests_seen(PATH)
    assert [row["fault"] for row in seen] == [f"{phase}:{action}"]


def test_an_answer_that_is_delivered_and_then_reset_is_still_whole(caller: Caller) -> None:
    caller.fault(path=PATH, phase="answered", action="reset")

    assert caller.withdraw().json()["status"] == 202
    assert ledger(caller) == 1


def test_a_hang_outlasts_the_caller_and_the_effect_stands(caller: Caller) -> None:
    caller.fault(path=PATH, phase="applied_not_answered", action="hang", seconds=30)
    headers = caller.headers(**{"Content-Type": "application/jwt"})
    body = caller.sign(
        {
            "instructionType": "WITHDRAWAL",
            "instruction": {
                "clientInstructionId": 8100, "accountId": "U1000011", "currency": "USD", "amount": 10,
                "bankInstructionName": "Main bank",
                "bankInstructionMethod": "WIRE",
            },
        }
    )  # fmt: skip

    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{caller.url}/gw/api/v1/external-cash-transfers", data=body, headers=headers, timeout=0.5)

    assert ledger(caller) == 1


def test_a_hanging_request_does_not_hold_up_others(caller: Caller) -> None:
    caller.fault(path="/echo", phase="read_not_applied", action="hang", seconds=20)
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{caller.url}/gw/api/v1/echo/https", headers=caller.headers(), timeout=0.2)

    started = time.monotonic()
    assert caller.get("/accounts/U1000011/status").status_code == 200
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("phase", ["pre_read", "applied_not_answered", "answered"])
def test_latency_delays_and_then_lets_go_on(caller: Caller, phase: str) -> None:
    caller.fault(path=PATH, phase=phase, action="latency", seconds=0.3)

    started = time.monotonic()
    answer = caller.withdraw()

    assert answer.status_code == 202
    assert time.monotonic() - started >= 0.3


def test_nth_and_times_count_matching_requests_from_now(caller: Caller) -> None:
    caller.get("/echo/https")
    caller.fault(method="GET", path="/echo/https$", nth=2, times=2, phase="pre_read", action="status", status=500)

    statuses = [caller.get("/echo/https").status_code for _ in range(4)]
    other = caller.get("/accounts/U1000011/status").status_code

    assert (statuses, other) == ([200, 500, 500, 200], 200)
    listed = caller.control("GET", "faults")["faults"]
    assert (listed[0]["seen"], listed[0]["hits"]) == (4, 2)


def test_deleting_the_plan_ends_the_bad_luck(caller: Caller) -> None:
    caller.fault(path=".*", times=100, phase="pre_read", action="status")
    assert caller.get("/echo/https").status_code == 503

    caller.control("DELETE", "faults")

    assert caller.get("/echo/https").status_code == 200


@pytest.mark.parametrize(
    "plan",
    [
        {"phase": "sometimes", "action": "reset"},
        {"phase": "pre_read", "action": "explode"},
        {"phase": "pre_read", "action": "reset", "path": "("},
        {"phase": "pre_read", "action": "reset", "nth": 0},
        {"phase": "pre_read", "action": "status", "status": 999},
        {"phase": "pre_read", "action": "reset", "when": "now"},
    ],
)
def test_a_malformed_fault_is_refused_with_a_sentence(steady: Caller, plan: dict[str, Any]) -> None:
    answer = requests.post(f"{steady.url}/_sandbox/faults", json=plan, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["error"]
