"""Mail that IBKR would send: `GET /_sandbox/mail[?to=]` shows it, newest last, as {"mail": [{to, subject, text, token, at}]}."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from .backstage import backstage
from .clock import stamp
from .kernel import Sandbox

SCHEMA = """
CREATE TABLE IF NOT EXISTS mail (id INTEGER PRIMARY KEY, recipient TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT
NULL, token TEXT, at TEXT NOT NULL)
"""


def routes(sandbox: Sandbox) -> list[Route]:
    return [backstage(sandbox, "GET", "/mail", _listed)]


def send(sandbox: Sandbox, to: str, subject: str, text: str, token: str | None = None) -> None:
    sandbox.store.execute(
        "INSERT INTO mail (recipient, subject, text, token, at) VALUES (?, ?, ?, ?, ?)",
        to, subject, text, token, stamp(sandbox.clock.now()),
    )  # fmt: skip


def _listed(sandbox: Sandbox, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
    to = request.query_params.get("to")
    rows = sandbox.store.rows("SELECT * FROM mail WHERE ? IS NULL OR recipient = ? ORDER BY id", to, to)
    return {
        "mail": [
            {"to": row["recipient"], "subject": row["subject"], "text": row["text"], "token": row["token"], "at": row["at"]}
            for row in rows
        ]
    }  # fmt: skip
