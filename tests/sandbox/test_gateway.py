"""What stands before every `/gw` resource."""

import base64
import json
import re
import time

import jwt
import pytest
import requests

from backoffice.sandbox.coverage import operations
from tests.sandbox.support import CLIENT, Caller, make_key
from tests.specification import FILE

SIGNED = "/gw/api/v1/echo/signed-jwt"


def send_raw(caller: Caller, data: bytes | str, content_type: str = "application/jwt") -> requests.Response:
    headers = caller.headers(**{"Content-Type": content_type})
    return caller.http.post(f"{caller.url}{SIGNED}", data=data, headers=headers, timeout=30)


def test_both_echoes_answer(steady: Caller) -> None:
    plain = steady.get("/echo/https", colour="red")
    signed = steady.post("/echo/signed-jwt", {"hello": "there"})

    assert plain.json() == {"requestMethod": "GET", "securityPolicy": "HTTPS", "queryParameters": {"colour": "red"}}
    assert signed.json()["securityPolicy"] == "SIGNED_JWT"


def test_a_request_without_user_agent_is_stopped_at_the_edge(steady: Caller) -> None:
    headers = steady.headers(**{"User-Agent": ""})

    assert steady.http.get(f"{steady.url}/gw/api/v1/echo/https", headers=headers, timeout=10).status_code == 403


@pytest.mark.parametrize("path", ["/echo/https", "/accounts/U1000011/status", "/client-instructions/1"])
@pytest.mark.parametrize("bearer", ["", "Bearer ", "Bearer nonsense", "Basic abc"])
def test_a_missing_or_broken_bearer_is_401(steady: Caller, bearer: str, path: str) -> None:
    headers = {"Authorization": bearer} if bearer else {}

    answer = requests.get(f"{steady.url}/gw/api/v1{path}", headers=headers, timeout=10)

    assert (answer.status_code, answer.json()["detail"]) == (401, "The access token request is invalid")


def test_an_expired_token_is_401(caller: Caller) -> None:
    caller.config(token_lifetime_seconds=-5)
    token = caller.ask_token().json()["access_token"]

    answer = requests.get(
        f"{caller.url}/gw/api/v1/echo/https", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )

    assert answer.status_code == 401


def test_a_missing_scope_is_403(steady: Caller) -> None:
    token = steady.ask_token(scope="echo.read").json()["access_token"]

    answer = requests.get(
        f"{steady.url}/gw/api/v1/accounts/U1000011/status", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )

    assert (answer.status_code, answer.json()["detail"]) == (403, "The access token fails to have sufficient scope")


def admitting_scopes() -> dict[str, set[str]]:
    """The scopes of which IBKR's file says that any one admits a call, for each operation the sandbox serves."""
    served = {
        re.sub(r"\{[^}]*\}", "{}", each) for family in operations().values() for each in family if " /gw/" in each
    }
    found: dict[str, set[str]] = {}
    for path, methods in json.loads(FILE.read_text())["paths"].items() if FILE.exists() else ():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            if re.sub(r"\{[^}]*\}", "{}", name) in served:
                found[name] = set(operation["x-ib-gateway-allowed-scopes"])
    return found


ADMITTING = admitting_scopes()
EVERY_SCOPE = {scope for scopes in ADMITTING.values() for scope in scopes}


class Visitor:
    """Calls every operation with an empty body and a token of exactly the scopes it is told."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.body = caller.sign({})
        self.tokens: dict[str, str] = {}

    def is_admitted(self, operation: str, scopes: set[str]) -> bool:
        method, path = operation.split(" ")
        named = " ".join(sorted(scopes))
        if named not in self.tokens:
            self.tokens[named] = self.caller.ask_token(scope=named).json()["access_token"]
        headers = {"Authorization": f"Bearer {self.tokens[named]}", "Content-Type": "application/jwt"}
        address = self.caller.url + re.sub(r"\{[^}]*\}", "U1000011", path)
        return self.caller.http.request(method, address, data=self.body, headers=headers, timeout=30).status_code != 403


@pytest.mark.skipif(not ADMITTING, reason="IBKR's OpenAPI file is not beside this checkout")
def test_every_operation_is_admitted_by_each_of_its_scopes_and_by_no_other(steady: Caller) -> None:
    visitor = Visitor(steady)

    by_one = {each: {scope for scope in ADMITTING[each] if visitor.is_admitted(each, {scope})} for each in ADMITTING}
    by_others = [each for each in ADMITTING if visitor.is_admitted(each, EVERY_SCOPE - ADMITTING[each])]

    assert len(ADMITTING) > 30
    assert by_one == ADMITTING
    assert by_others == []


def test_a_signed_body_sent_as_json_is_refused_with_the_documented_text(steady: Caller) -> None:
    wrapped = send_raw(steady, json.dumps({"jwt": steady.sign({})}), "application/json")
    mislabelled = send_raw(steady, steady.sign({}), "application/json")
    quoted = send_raw(steady, json.dumps(steady.sign({})))

    for answer in (wrapped, mislabelled, quoted):
        assert (answer.status_code, answer.json()["detail"]) == (400, "Invalid payload for security policy: SIGNED_JWT")


def test_another_content_type_is_415(steady: Caller) -> None:
    assert send_raw(steady, steady.sign({}), "text/plain").status_code == 415


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "SOMEBODY"},
        {"exp": int(time.time()) - 60},
        {"iat": int(time.time()) + 86400, "exp": int(time.time()) + 86460},
        {"exp": int(time.time()) + 10 * 86400},
    ],
)
def test_a_signed_body_with_a_wrong_envelope_is_refused(steady: Caller, claims: dict[str, object]) -> None:
    assert send_raw(steady, steady.sign({}, **claims)).status_code == 400


def test_a_body_signed_by_another_key_is_refused(steady: Caller) -> None:
    assert send_raw(steady, steady.sign({}, key=make_key())).status_code == 400


def test_an_unsigned_body_is_refused(steady: Caller) -> None:
    forged = jwt.encode({"iss": CLIENT, "exp": int(time.time()) + 60}, None, "none", {"kid": "tests-1"})

    assert send_raw(steady, forged).status_code == 400


def test_non_ascii_in_the_payload_is_refused_and_escaped_ascii_is_taken(steady: Caller) -> None:
    now = int(time.time())
    payload = json.dumps({"name": "Zo\u00eb", "iss": CLIENT, "iat": now, "exp": now + 60}, ensure_ascii=False).encode()
    raw = jwt.PyJWS().encode(payload, steady.key, "RS256", {"kid": "tests-1"})

    assert send_raw(steady, raw).json()["detail"] == "Contains non ASCII character."
    assert send_raw(steady, raw.encode() + "\u00e9".encode()).json()["detail"] == "Contains non ASCII character."
    assert steady.post("/echo/signed-jwt", {"name": "Zo\u00eb"}).status_code == 200


def test_a_body_over_20_mb_is_413(steady: Caller) -> None:
    assert send_raw(steady, b"a" * (20 * 1024 * 1024 + 1)).status_code == 413


def test_the_request_log_names_the_caller_and_digests_the_body(steady: Caller) -> None:
    steady.control("DELETE", "requests")
    steady.post("/echo/signed-jwt", {"secret": "tax number"})
    steady.get("/echo/https")

    first, second = steady.requests_seen()
    assert (first["method"], first["path"], first["status"], first["client_id"]) == ("POST", SIGNED, 200, CLIENT)
    assert len(first["digest"]) == 16
    assert "tax number" not in json.dumps(first)
    assert base64.urlsafe_b64encode(b"tax number").decode() not in json.dumps(first)
    assert second["method"] == "GET"
