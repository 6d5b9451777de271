"""The answers fit IBKR's OpenAPI document, as far as that document is right about itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.sandbox.support import Caller, application

DOCUMENT = json.loads((Path(__file__).parent / "data" / "answers.json").read_text(encoding="utf-8"))
PERIOD = {"startDate": "2020-01-01", "endDate": "2030-01-01"}
ADDRESS = {"street1": "9 Mill Lane", "city": "Hartford", "state": "CT", "postalCode": "06101", "country": "USA"}


def query(caller: Caller, path: str, kind: str, **instruction: Any) -> requests.Response:
    whole = {"clientInstructionId": caller.next_id(), "accountId": "U1000011", **instruction}
    return caller.post(path, {"instructionType": kind, "instruction": whole})


def polled(caller: Caller) -> requests.Response:
    caller.withdraw(id=9901)
    return caller.get("/client-instructions/9901")


def polled_set(caller: Caller) -> requests.Response:
    return caller.get(f"/instruction-sets/{caller.withdraw().json()['instructionSetId']}")


def changed(caller: Caller) -> requests.Response:
    holder = {"externalId": "demo-0011-AH", "residenceAddress": ADDRESS}
    return caller.patch("changeAccountHolderDetail", {"accountId": "U1000011", "newAccountHolderDetails": [holder]})


def updated(caller: Caller) -> requests.Response:
    return caller.get(f"/requests/{changed(caller).json()['requestId']}/status", type="update")


ANSWERS: list[tuple[str, int, Callable[[Caller], requests.Response]]] = [
    ("TokenResponse", 200, lambda caller: caller.ask_token()),
    ("EchoResponse", 200, lambda caller: caller.get("/echo/https", a="b")),
    ("StatusResponse", 200, lambda caller: caller.post("/accounts", application("s-1"))),
    ("StatusResponse", 200, lambda caller: caller.post("/accounts", application("s-2", account__baseCurrency=...))),
    ("ResponseFileResponse", 200, lambda caller: caller.get("/accounts", accountId="U1000011")),
    ("ResponseFileResponse", 200, lambda caller: caller.get("/accounts", externalId="nobody")),
    ("AccountStatusResponse", 200, lambda caller: caller.get("/accounts/U1000011/status")),
    ("AccountStatusResponse", 200, lambda caller: caller.get("/accounts/U1000022/status")),
    ("AccountStatusBulkResponse", 200, lambda caller: caller.get("/accounts/status", **PERIOD)),
    ("PendingTasksResponse", 200, lambda caller: caller.get("/accounts/U1000021/tasks", type="pending")),
    ("RegistrationTasksResponse", 200, lambda caller: caller.get("/accounts/U1000021/tasks", type="registration")),
    ("AccountDetailsResponse", 200, lambda caller: caller.get("/accounts/U1000013/details")),
    ("RequestInfoResponse", 202, changed),
    ("AmRequestStatusResponse", 200, updated),
    ("RequestDetailsResponse", 200, lambda caller: caller.get("/requests", **PERIOD)),
    ("InstructionResponse", 202, lambda caller: caller.withdraw()),
    ("InstructionResponse", 200, polled),
    ("BulkMultiStatusResponse", 200, polled_set),
    ("BusinessRejectResponse", 422, lambda caller: caller.withdraw(amount=99999)),
    ("MissingRequiredParameterResponse", 400, lambda caller: caller.withdraw(amount=0)),
    ("NoSuchInstructionResponse", 404, lambda caller: caller.get("/client-instructions/1")),
    (
        "QueryBankInstructionResponse", 201,
        lambda caller: query(caller, "/bank-instructions/query", "QUERY_BANK_INSTRUCTION", bankInstructionMethod="WIRE"),
    ),
    (
        "QueryWithdrawableAmountsResponse", 201,
        lambda caller: query(caller, "/external-cash-transfers/query", "QUERY_WITHDRAWABLE_FUNDS", currency="USD"),
    ),
    ("GetAvailableStmtDatesResponse", 200, lambda caller: caller.get("/statements/available", accountId="U1000013")),
    (
        "GetStatementsResponse", 200,
        lambda caller: caller.post("/statements", {"accountId": "U1000013", "startDate": "2025", "endDate": "2025"}),
    ),
    ("UnauthorizedAccessResponse", 402, lambda caller: caller.get("/statements/available", accountId="U9999999")),
    ("EnumerationResponse", 200, lambda caller: caller.get("/enumerations/wire-instructions", accountId="U1000011")),
    (
        "CreateBrowserSessionResponse", 200,
        lambda caller: caller.post("/sso-browser-sessions", {"credential": "aoife001", "ip": "127.0.0.1"}),
    ),
    ("CreateSessionResponse", 200, lambda caller: caller.post("/sso-sessions", {"credential": "alder01", "ip": "127.0.0.1"})),
    ("InvalidAccessTokenResponse", 401, lambda caller: requests.get(f"{caller.url}/gw/api/v1/echo/https", timeout=10)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "status", "ask"), ANSWERS, ids=[f"{n}-{s}-{i}" for i, (n, s, _) in enumerate(ANSWERS)]
)
def test_the_answer_fits_the_document(
    steady: Caller, schema: str, status: int, ask: Callable[[Caller], requests.Response]
) -> None:
    steady.is_fresh = False

    answer = ask(steady)

    assert answer.status_code == status, answer.text
    Draft202012Validator({**DOCUMENT, "$ref": f"#/$defs/{schema}"}).validate(answer.json())
    properties = DOCUMENT["$defs"][schema].get("properties", {})
    if properties and "problem" not in answer.headers["content-type"]:
        assert not answer.json().keys() - properties.keys() - {"accept"}
