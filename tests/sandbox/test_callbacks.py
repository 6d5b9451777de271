"""Callbacks: signed, delivered in the background to loopback addresses, verifiable with the published key."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
import requests

from tests.sandbox.support import Caller, open_account
from tests.sandbox.test_review import hand_in, paper


class Listener:
    """A small server that keeps what it is sent."""

    def __init__(self) -> None:
        heard: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append((self.headers["Content-Type"], body.decode()))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.heard = heard
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/callbacks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, count: int) -> list[str]:
        deadline = time.monotonic() + 10
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.heard) >= count, self.heard
        return [token for _, token in self.heard]


@pytest.fixture
def listener(caller: Caller) -> Iterator[Listener]:
    found = Listener()
    caller.control("POST", "callbacks", {"url": found.url})
    yield found
    found.server.shutdown()
    found.server.server_close()


def claims(caller: Caller, token: str) -> dict[str, Any]:
    key = jwt.PyJWKClient(f"{caller.url}/oauth2/api/v1/jwks").get_signing_key_from_jwt(token)
    return dict(jwt.decode(token, key, algorithms=["RS256"]))


def test_an_opened_account_is_told_with_a_signed_token(caller: Caller, listener: Listener) -> None:
    number = open_account(caller, "cb-1")
    caller.advance(600)

    (token,) = listener.wait_for(1)

    assert listener.heard[0][0] == "application/jwt"
    found = claims(caller, token)
    assert (found["request_type"], found["ref_acct_id"], found["status"]) == ("ACCT_OPENING", number, "OPENED")
    assert len(found["timestamp"]) == len("2021-08-18 12:07:31")


def test_the_reviews_of_papers_and_permissions_are_told(caller: Caller, listener: Listener) -> None:
    hand_in(caller, "U1000021", paper(8002, signer=signer(caller, "U1000021"), name="reject.pdf"))
    caller.advance(31)
    region = {"accountId": "U1000011", "tradingPermissions": [{"country": "BELGIUM", "product": "STOCKS"}]}
    caller.patch("addTradingPermissions", region)

    paper_told, permission_told = (claims(caller, token) for token in listener.wait_for(2))

    assert paper_told["request_type"] == "DOC_SUBMISSION"
    assert paper_told["details"] == {"form_number": 8002, "status": "REJECTED", "external_id": "demo-0021-AH"}
    assert permission_told["details"] == {"bundle": "BELGIUM STOCKS", "status": "ACCEPTED"}


def signer(caller: Caller, number: str) -> str:
    person = caller.get(f"/accounts/{number}/details").json()["associatedPersons"][0]
    return f"{person['firstName']} {person['lastName']}"


def test_a_transfer_is_told_in_the_older_words(caller: Caller, listener: Listener) -> None:
    caller.withdraw(id=7701)
    caller.advance(21)
    caller.get("/client-instructions/7701")

    (token,) = listener.wait_for(1)

    result = claims(caller, token)["instructionResult"]
    assert (result["clientInstructionId"], result["instructionType"]) == (7701, "withdraw_funds")
    assert result["instructionStatus"] == "PROCESSED"


@pytest.mark.parametrize(("delivery", "count"), [("once", 1), ("twice", 2), ("lost", 0)])
def test_a_callback_may_come_twice_or_never(caller: Caller, listener: Listener, delivery: str, count: int) -> None:
    caller.config(callback_delivery=delivery)
    caller.control("POST", "accounts/U1000022", {"state": "Open"})
    caller.get("/echo/https")

    tokens = listener.wait_for(count)

    time.sleep(0.1)
    assert len(listener.heard) == count
    assert len(set(tokens)) in (0, 1)
    assert len(caller.control("GET", "callbacks")["callbacks"]) == 1


def test_a_dead_address_is_noted_and_left(caller: Caller) -> None:
    caller.control("POST", "callbacks", {"url": "http://127.0.0.1:9/nobody"})
    caller.control("POST", "accounts/U1000022", {"state": "Open"})

    deadline = time.monotonic() + 10
    while (row := caller.control("GET", "callbacks")["callbacks"][0])["sent"] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)

    assert (row["sent"], row["status"], row["note"]) == (1, None, "ConnectionError")


@pytest.mark.parametrize("url", ["http://example.com/x", "ftp://127.0.0.1/x", "", None])
def test_only_addresses_of_this_machine_are_registered(steady: Caller, url: Any) -> None:
    answer = requests.post(f"{steady.url}/_sandbox/callbacks", json={"url": url}, timeout=10)

    assert answer.status_code == 400
