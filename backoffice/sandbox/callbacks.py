"""Callbacks: what happens to accounts, papers, permissions and transfers, told to a registered address as a signed JWT.

    POST   /_sandbox/callbacks {"url", "master"?}    register a loopback address for one master, or for all
    GET    /_sandbox/callbacks                       what was registered and what was sent, with the answers
    DELETE /_sandbox/callbacks                       forget the addresses
    GET    /oauth2/api/v1/jwks                       the public key they are signed with

Each is a POST of `application/jwt`, RS256, its claims the documented members; timestamps carry no zone and are New
York's. How often IBKR delivers is not documented: once, here; the knob `callback_delivery` is "once", "twice" or
"lost" (signed and kept, never sent). An answer other than 2xx is noted and not tried again.
"""

import asyncio
import base64
import ipaddress
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .backstage import Mistake, backstage
from .clock import NEW_YORK, stamp
from .jsonio import answer, dumps, loads
from .kernel import Sandbox

SCHEMA = """
CREATE TABLE IF NOT EXISTS callback_urls (id INTEGER PRIMARY KEY, url TEXT NOT NULL, master TEXT);
CREATE TABLE IF NOT EXISTS callbacks (id INTEGER PRIMARY KEY, at TEXT NOT NULL, url TEXT NOT NULL, payload TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0, wanted INTEGER NOT NULL, status INTEGER, note TEXT)
"""
KID = "sandbox-callbacks-1"
SECONDS_TO_ANSWER = 5
OLDER_WORDS = {"DEPOSIT": "deposit_funds", "WITHDRAWAL": "withdraw_funds"}


def routes(sandbox: Sandbox) -> list[Route]:
    async def jwks(_request: Request) -> Response:
        return answer({"keys": [_public_key(sandbox)]})

    return [
        Route("/oauth2/api/v1/jwks", jwks, methods=["GET"]),
        backstage(sandbox, "POST", "/callbacks", _register),
        backstage(sandbox, "GET", "/callbacks", _listed),
        backstage(sandbox, "DELETE", "/callbacks", _forget),
    ]


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: _wake(sandbox))


def local_time(sandbox: Sandbox) -> str:
    """`2021-08-18 12:07:31`, as printed: no zone."""
    return f"{sandbox.clock.now().astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}"


def emit(sandbox: Sandbox, master: str, payload: dict[str, Any]) -> None:
    """Tell every address of the master. Part of the caller's transaction; sent after it."""
    wanted = {"once": 1, "twice": 2, "lost": 0}.get(str(sandbox.config.get("callback_delivery", "once")), 1)
    for row in sandbox.store.rows("SELECT url FROM callback_urls WHERE master IS NULL OR master = ?", master):
        sandbox.store.execute(
            "INSERT INTO callbacks (at, url, payload, wanted) VALUES (?, ?, ?, ?)",
            stamp(sandbox.clock.now()), row["url"], dumps(payload), wanted,
        )  # fmt: skip
    _wake(sandbox)


def emit_request(sandbox: Sandbox, master: str, kind: str, account: str, **members: Any) -> None:
    """One of the documented kinds: request_type, timestamp, ref_acct_id, and status or details."""
    emit(sandbox, master, {"request_type": kind, "timestamp": local_time(sandbox), "ref_acct_id": account, **members})


def emit_transfer(sandbox: Sandbox, master: str, set_id: int, result: dict[str, Any]) -> None:
    """The callback about a transfer: no request_type, and the type in the words of the older interface."""
    older = {**result, "instructionType": OLDER_WORDS.get(result["instructionType"], result["instructionType"].lower())}
    emit(sandbox, master, {"status": 200, "instructionSetId": set_id, "instructionResult": older})


_TASKS: dict[int, asyncio.Task[None]] = {}  # by sandbox


def _wake(sandbox: Sandbox) -> None:
    """Start sending in the background when something waits; outside the server's loop the next request will."""
    if id(sandbox) in _TASKS or sandbox.store.row("SELECT 1 FROM callbacks WHERE sent < wanted LIMIT 1") is None:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    _TASKS[id(sandbox)] = loop.create_task(_send_all(sandbox))


async def _send_all(sandbox: Sandbox) -> None:
    await asyncio.sleep(0)  # the transaction that asked for it is over by then
    try:
        while (row := sandbox.store.row("SELECT * FROM callbacks WHERE sent < wanted ORDER BY id LIMIT 1")) is not None:
            token = jwt.encode(loads(row["payload"]), _private_key(sandbox), algorithm="RS256", headers={"kid": KID})
            status, note = await asyncio.to_thread(_post, row["url"], token)
            sandbox.store.execute(
                "UPDATE callbacks SET sent = sent + 1, status = ?, note = ? WHERE id = ?", status, note, row["id"]
            )
    finally:
        # In the same step as the last look: a done callback comes a step later, and what was emitted between the two
        # would find a sender that no longer looks.
        _TASKS.pop(id(sandbox), None)


def _post(url: str, token: str) -> tuple[int | None, str]:
    headers = {"Content-Type": "application/jwt", "User-Agent": "IBKR-callbacks (simulated)"}
    try:
        found = requests.post(url, data=token, headers=headers, timeout=SECONDS_TO_ANSWER, allow_redirects=False)
    except requests.RequestException as error:
        return None, type(error).__name__
    return found.status_code, ""


def _private_key(sandbox: Sandbox) -> str:
    found = sandbox.store.value("SELECT value FROM meta WHERE key = 'callback_key'")
    if found is not None:
        return str(found)
    made = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    sandbox.store.execute("INSERT INTO meta VALUES ('callback_key', ?)", pem)
    return pem


def _public_key(sandbox: Sandbox) -> dict[str, str]:
    key = serialization.load_pem_private_key(_private_key(sandbox).encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the callback key is not RSA")
    numbers = key.public_key().public_numbers()

    def written(number: int) -> str:
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KID, "n": written(numbers.n), "e": written(numbers.e)}


def _register(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    url, master = body.get("url"), body.get("master")
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not _is_loopback(parts.hostname or ""):
        raise Mistake("url must be an http or https address of this machine")
    if master is not None and sandbox.accounts.master(master) is None:
        raise Mistake(f"no master account {master}")
    number = sandbox.store.insert("INSERT INTO callback_urls (url, master) VALUES (?, ?)", url, master)
    return {"id": number, "url": url, "master": master}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listed(sandbox: Sandbox, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
    rows = sandbox.store.rows("SELECT * FROM callbacks ORDER BY id")
    return {
        "urls": [dict(row) for row in sandbox.store.rows("SELECT * FROM callback_urls ORDER BY id")],
        "callbacks": [{**dict(row), "payload": loads(row["payload"])} for row in rows],
    }


def _forget(sandbox: Sandbox, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
    return {"deleted": sandbox.store.execute("DELETE FROM callback_urls")}
