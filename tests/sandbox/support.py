"""A client of the sandbox that shares no code with the product: requests, PyJWT and nothing else."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import jwt
import requests
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from backoffice.sandbox.app import build
from tests.checked_sandbox import checked

CLIENT, KID, MASTER = "ALDER-ROW-FA", "tests-1", "F1000001"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALL_SCOPES = (
    "accounts.read accounts.write bank-instructions.read bank-instructions.write transfers.read transfers.write instructions.read"
    " statements.read statements.write sso-sessions.write sso-browser-sessions.write echo.read echo.write enumerations.read"
)


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


class Server:
    """The application on a free port, in a thread of this process."""

    def __init__(self, state: Path) -> None:
        self.app = checked(build(state, 1))
        config = uvicorn.Config(
            self.app,
            port=0,
            http="h11",
            lifespan="off",
            log_level="error",
            timeout_graceful_shutdown=0,
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


class Caller:
    """One client application with its key, and the control interface."""

    def __init__(self, url: str, key: rsa.RSAPrivateKey) -> None:
        self.url = url
        self.key = key
        self.http = requests.Session()
        self._token: str | None = None
        self._number = 5000
        self.is_fresh = False

    def control(self, method: str, what: str, body: Any = None, **params: Any) -> Any:
        answer = self.http.request(method, f"{self.url}/_sandbox/{what}", json=body, params=params, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def register(self, **changes: Any) -> None:
        body = {"client_id": CLIENT, "kid": KID, "public_key_pem": public_pem(self.key), "master_account": MASTER}
        self.control("POST", "clients", {**body, **changes})

    def assertion(self, *, key: Any = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        now = int(time.time())
        aud = f"{self.url}/oauth2/api/v1/token"
        claims = {"iss": CLIENT, "sub": CLIENT, "aud": aud, "iat": now - 10, "exp": now + 20, **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key or self.key, algorithm="RS256", headers={"kid": KID, **(headers or {})})

    def ask_token(self, assertion: str | None = None, scope: str = ALL_SCOPES, **form: str) -> requests.Response:
        fields = {
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(), "scope": scope, **form,
        }  # fmt: skip
        return self.http.post(f"{self.url}/oauth2/api/v1/token", data=fields, timeout=30)

    def token(self) -> str:
        if self._token is None:
            answer = self.ask_token()
            assert answer.status_code == 200, answer.text
            self._token = answer.json()["access_token"]
        return self._token

    def sign(self, body: dict[str, Any], *, key: Any = None, **claims: Any) -> str:
        now = int(time.time())
        envelope = {"iss": CLIENT, "iat": now, "exp": now + 60, **claims}
        return jwt.encode({**body, **envelope}, key or self.key, algorithm="RS256", headers={"kid": KID})

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}", **more}

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.http.get(f"{self.url}/gw/api/v1{path}", headers=self.headers(), params=params, timeout=30)

    def send(self, method: str, path: str, body: dict[str, Any], **more: Any) -> requests.Response:
        """A signed body, sent as `application/jwt`."""
        headers = self.headers(**{"Content-Type": "application/jwt", **more})
        return self.http.request(
            method, f"{self.url}/gw/api/v1{path}", data=self.sign(body), headers=headers, timeout=30
        )

    def post(self, path: str, body: dict[str, Any], **more: Any) -> requests.Response:
        return self.send("POST", path, body, **more)

    def patch(self, operation: str, value: Any) -> requests.Response:
        return self.send("PATCH", "/accounts", {"accountManagementRequests": {operation: value}})

    def next_id(self) -> int:
        self._number += 1
        return self._number

    def transfer(self, kind: str, **instruction: Any) -> requests.Response:
        whole = {"clientInstructionId": instruction.pop("id", None) or self.next_id(), **instruction}
        return self.post("/external-cash-transfers", {"instructionType": kind, "instruction": whole})

    def withdraw(self, **changes: Any) -> requests.Response:
        whole = {
            "accountId": "U1000011", "currency": "USD", "amount": 750.5, "bankInstructionName": "Main bank",
            "bankInstructionMethod": "WIRE",
        }  # fmt: skip
        return self.transfer("WITHDRAWAL", **{**whole, **changes})

    def advance(self, seconds: int) -> None:
        self.control("POST", "advance", {"seconds": seconds})

    def config(self, **knobs: Any) -> None:
        self.control("POST", "config", knobs)

    def fault(self, **plan: Any) -> None:
        self.control("POST", "faults", plan)

    def ledger(self, kind: str, key: str | None = None) -> list[dict[str, Any]]:
        params = {"kind": kind, **({"key": key} if key else {})}
        return list(self.control("GET", "ledger", **params)["effects"])

    def requests_seen(self, path: str = "", method: str = "") -> list[dict[str, Any]]:
        return list(
            self.http.get(f"{self.url}/_sandbox/requests", params={"path": path, "method": method}, timeout=30).json()[
                "requests"
            ]
        )


def application(ext: str = "t-1", **changes: Any) -> dict[str, Any]:
    """The least a hybrid individual needs; `changes` are dotted paths written with __ and a value, or ... to drop the member."""
    whole: dict[str, Any] = {
        "customer": {
            "externalId": ext, "type": "INDIVIDUAL", "prefix": "adaex", "email": "ada.examplewright@example.com",
            "mdStatusNonPro": True,
            "accountHolder": {
                "accountHolderDetails": [
                    {
                        "externalId": f"{ext}-AH", "name": {"first": "Ada", "last": "Examplewright"},
                        "email": "ada.examplewright@example.com",
                        "residenceAddress": {"country": "USA"}, "titles": [{"code": "Account Holder"}],
                    }
                ]
            },
        },
        "accounts": [
            {
                "externalId": f"{ext}-AC", "baseCurrency": "USD", "multiCurrency": True,
                "tradingPermissions": [{"exchangeGroup": "US-Sec"}],
                "advisorWrapFees": {"strategy": "NO_FEE"},
            }
        ],
        "users": [{"externalUserId": f"{ext}-USR", "externalIndividualId": f"{ext}-AH", "prefix": "adaex"}],
    }  # fmt: skip
    for path, value in changes.items():
        change(whole, path, value)
    return {"application": whole}


SHORT = {
    "holder": "customer__accountHolder__accountHolderDetails__0", "account": "accounts__0", "user": "users__0",
    "financial": "customer__accountHolder__financialInformation",
}  # fmt: skip


def change(document: Any, path: str, value: Any) -> None:
    """Set (or, with ..., drop) the member at a path like `holder__name__first`."""
    first, _, rest = path.partition("__")
    steps = (SHORT[first] + ("__" + rest if rest else "") if first in SHORT else path).split("__")
    for step in steps[:-1]:
        document = document[int(step)] if isinstance(document, list) else document.setdefault(step, {})
    if value is ...:
        document.pop(steps[-1], None)
    else:
        document[steps[-1]] = value


def outcome(answer: requests.Response) -> dict[str, Any]:
    """The `application` node of a create or update answer."""
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["fileData"]["data"]["application"])


def errors(answer: requests.Response) -> list[str]:
    found = outcome(answer)
    assert found["status"] == "Error", found
    return [error["value"] for error in found["error"]]


def open_account(caller: Caller, ext: str = "t-1", **changes: Any) -> str:
    """Create an account and return its number."""
    found = outcome(caller.post("/accounts", application(ext, **changes)))
    assert found["status"] == "Success", json.dumps(found)
    return str(found["accounts"][0]["value"])
