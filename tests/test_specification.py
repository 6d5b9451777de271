"""The check against IBKR's OpenAPI file bites: each kind of mistake is found, and no test talks to a sandbox without it."""

import json
import re
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from backoffice.sandbox.app import build
from tests.checked_sandbox import checked
from tests.sandbox.support import Caller, make_key
from tests.sandbox.trading.listener import User
from tests.sandbox.trading.trader import Trader
from tests.sandbox_process import SandboxProcess
from tests.specification import FILE, Exchange, Specification
from tests.specification_exceptions import EXCEPTIONS, OF_TESTS
from tests.specification_inspector import inspector

TESTS = Path(__file__).resolve().parent
TICKET = {"conid": 265598, "orderType": "LMT", "side": "BUY", "quantity": 10, "tif": "DAY", "price": 3}
ACCEPTED = [{"order_id": "1370093239", "order_status": "Submitted", "encrypt_message": "1"}]
ORDERS = "/v1/api/iserver/account/U1000011/orders"
JSON = "application/json"


@pytest.fixture(scope="module")
def rules() -> Specification:
    """The file as the sandboxes' inspectors have it, apart from theirs. The one thing that cannot be tested without it."""
    if not FILE.exists():
        pytest.skip(f"IBKR's OpenAPI file is not at {FILE}")
    return Specification(json.loads(FILE.read_bytes()))


def exchange(**changes: Any) -> Exchange:
    """An order of our client that IBKR takes, with whatever is changed about it."""
    body = changes.pop("sent", {"orders": [TICKET]})
    answer = changes.pop("answered", ACCEPTED)
    kind, answer_kind = changes.pop("kind", JSON), changes.pop("answer_kind", JSON)
    agent = changes.pop("agent", "AdvisorBackOffice/0.1")
    headers = {"user-agent": agent, "authorization": "Bearer x", "content-type": kind}
    whole: dict[str, Any] = {
        "method": "POST", "path": ORDERS, "query": "", "headers": headers, "status": 200,
        "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
        "answer_headers": {"content-type": answer_kind}, "answer": json.dumps(answer).encode(),
    }  # fmt: skip
    return Exchange(**{**whole, **changes})


def found(rules: Specification, **changes: Any) -> list[tuple[str, str]]:
    return [(each.where, each.rule) for each in rules.judge(exchange(**changes))]


def reading(path: str, answer: Any, query: str = "") -> dict[str, Any]:
    return {"method": "GET", "path": path, "query": query, "sent": b"", "answered": answer}


def test_a_right_exchange_is_right(rules: Specification) -> None:
    assert found(rules) == []
    assert found(rules, **reading("/v1/api/portfolio/U1000011/positions/0", [], "waitForSecDef=true")) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sent": {"orders": [{**TICKET, "quantity": "10"}]}}, ("request $.orders[].quantity", "type string")),
        ({"sent": {"orders": [{**TICKET, "side": "HOLD"}]}}, ("request $.orders[].side", "enum")),
        (
            {"sent": {"orders": [{k: v for k, v in TICKET.items() if k != "side"}]}},
            ("request $.orders[]", "required side"),
        ),
        ({"sent": {"orders": [TICKET], "order": []}}, ("request $", "unknown order")),
        ({"kind": "text/plain"}, ("request", "content type")),
        ({"answered": [{**ACCEPTED[0], "order_id": 1370093239}]}, ("answer 200 $[].order_id", "type number")),
        ({"answered": [{"id": "7", "message": "Sure?"}]}, ("answer 200 $[].message", "type string")),
        ({"status": 418}, ("answer 418", "status")),
        ({"path": ORDERS.replace("orders", "order")}, ("operation", "unknown")),
        (
            reading("/v1/api/portfolio/U1000011/positions/0", [], "waitForsecDef=true"),
            ("query waitForsecDef", "unknown"),
        ),
        (
            reading("/gw/api/v1/accounts/status", {}, "startDate=2026-01-01"),
            ("query endDate", "missing required parameter"),
        ),
        (
            reading("/v1/api/portfolio/U1000011/positions/0", [{"position": "ten"}]),
            ("answer 200 $[].position", "type string"),
        ),
    ],
)
def test_each_kind_of_mistake_is_found(
    rules: Specification, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert expected in found(rules, **changes)


def test_a_verdict_on_one_shape_says_nothing_about_another(rules: Specification) -> None:
    assert found(rules, sent={"orders": [{**TICKET, "side": "SELL"}]}) == []
    assert found(rules, sent={"orders": [{**TICKET, "side": "SELLS"}]}) == [("request $.orders[].side", "enum")]
    assert found(rules, sent={"orders": [{**TICKET, "side": "SELLS"}]}) == [("request $.orders[].side", "enum")]


def test_a_bad_request_of_a_test_has_to_be_refused(rules: Specification) -> None:
    bad = {"sent": {"orders": [{**TICKET, "side": "HOLD"}]}, "agent": "python-requests/2"}

    assert found(rules, **bad, status=500, answered={"error": "no"}) == []
    assert found(rules, **bad, answered={"error": "no"}) == []
    assert found(rules, **bad) == [("request $.orders[].side", "enum")]


def test_an_unknown_key_of_a_ticket_is_forgiven_a_test_and_never_our_client(rules: Specification) -> None:
    misspelt = {"sent": {"orders": [{**TICKET, "outsideRth": True}]}}

    assert found(rules, **misspelt, agent="python-requests/2") == []
    assert found(rules, **misspelt) == [("request $.orders[]", "unknown outsideRth")]


def test_of_alternatives_an_exception_names_each(rules: Specification) -> None:
    def listed(**more: Any) -> list[tuple[str, str]]:
        return found(rules, **reading("/v1/api/iserver/account/orders", {"orders": [more], "snapshot": True}))

    assert listed(order_ref="a-1", auxPrice="1.5", parentId="7") == []
    assert listed(order_reference="a-1") == [("answer 200 $.orders[]", "unknown order_reference")]


def test_an_answer_that_a_fault_altered_is_not_the_sandboxes_own(rules: Specification) -> None:
    assert found(rules, status=418, fault="answered:status") == []
    assert found(rules, status=None) == []


@pytest.mark.parametrize("as_array", [False, True])
def test_an_operation_of_a_patch_is_looked_into_in_either_form(rules: Specification, as_array: bool) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    place = f"request $.accountManagementRequests.updateAccountAlias{'[]' if as_array else ''}"

    def sent(**operation: Any) -> list[tuple[str, str]]:
        value = [operation] if as_array else operation
        body = jwt.encode({"accountManagementRequests": {"updateAccountAlias": value}}, key, algorithm="RS256")
        change = {"method": "PATCH", "path": "/gw/api/v1/accounts", "kind": "application/jwt", "status": None}
        return found(rules, **change, sent=body.encode())

    assert sent(accountId="U1000011", accountAlias="Family") == []
    assert sent(accountId="U1000011", alias="Family") == [(place, "unknown alias")]
    assert sent(accountId="U1000011", accountAlias=7) == [(f"{place}.accountAlias", "type number")]


def test_a_signed_body_is_held_to_its_key_and_its_claims(rules: Specification) -> None:
    ours, other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    pem = ours.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    rules.keys["FIRM"] = [pem.decode()]
    now = int(time.time())

    def signed(key: rsa.RSAPrivateKey, **claims: Any) -> list[tuple[str, str]]:
        envelope = {"iss": "FIRM", "iat": now, "exp": now + 60}
        body = jwt.encode({**claims, **envelope}, key, algorithm="RS256").encode()
        answer = {"active": True, "access_token": "x", "token_type": "Bearer"}
        return found(rules, path="/gw/api/v1/sso-sessions", sent=body, kind="application/jwt", answered=answer)

    assert signed(ours, credential="alder01", ip="127.0.0.1") == []
    assert signed(other, credential="alder01", ip="127.0.0.1") == [("request", "signature")]
    assert signed(ours, credential="alder01", address="127.0.0.1")[0][1] in ("required ip", "unknown address")


def test_what_a_sandbox_under_test_does_wrong_comes_out(tmp_path: Path, rules: Specification) -> None:
    trader = Trader(checked(build(tmp_path, seed=7)))
    trader.knob(enforce_maintenance=False)
    watcher = inspector()
    assert watcher is not None

    assert trader.get("/portfolio/accounts", colour="red").status == 200

    assert [(each.where, each.rule) for each in watcher.findings().violations] == [("query colour", "unknown")]


def test_what_a_sandbox_found_before_it_ended_is_not_lost(tmp_path: Path, rules: Specification) -> None:
    process = SandboxProcess(tmp_path)
    caller = Caller(process.url, make_key())
    caller.register()
    process.config(enforce_maintenance=False)
    User(caller).rest("GET", "/portfolio/accounts?colour=red")

    process.stop()

    violations, SandboxProcess.last_words.violations = SandboxProcess.last_words.violations, []
    assert [(each.where, each.rule) for each in violations] == [("query colour", "unknown")]


def test_what_is_forgiven_tests_alone_is_an_exception() -> None:
    assert EXCEPTIONS.keys() >= OF_TESTS


def test_every_exception_cites_the_facts() -> None:
    assert [
        reason for reason in EXCEPTIONS.values() if not re.match(r"(trading|account-management)\.md \d", reason)
    ] == []


def test_no_test_talks_to_a_sandbox_that_is_not_checked() -> None:
    """The two commands of tests/sandbox/test_control.py that start the plain one are refused before they serve anything."""
    unchecked = [
        (path.relative_to(TESTS).as_posix(), line.strip())
        for path in TESTS.rglob("*.py")
        if path != Path(__file__)
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(
            r'(?<!checked\()\bbuild\(.*(seed|, 1\))|"-m",\s*"backoffice\.sandbox"|"backoffice\.sandbox",\s*$', line
        )
    ]

    assert {path for path, _ in unchecked} == {"sandbox/test_control.py"}
    assert len(unchecked) == 2
