"""A program with a token, and the names it may call."""

import json
from typing import Any

from django.test import Client

from backoffice.people import tokens
from backoffice.people.models import User
from tests.test_authorisation import MATRIX

FAMILIES = {name.removeprefix("api:").partition("-")[0] for name in MATRIX if name.startswith("api:") and "-" in name}


def names_of(method: str) -> list[str]:
    """The API's names that take a method; the page that explains them is no part of it."""
    return [name for name, entry in MATRIX.items() if entry.is_api and name != "api:schema" and method in entry.methods]


class Program:
    """Calls with a fresh token of a person's; the last answer stays readable."""

    def __init__(self, owner: User, *scopes: str) -> None:
        wanted = list(scopes) or [each for each in _ALL if each in tokens.policy.grantable(owner)]
        self.token, self._text = tokens.create(owner=owner, name="Nightly", scopes=wanted, days=7)
        self._client = Client(raise_request_exception=False)

    def get(self, url: str) -> int:
        return self._keep(self._client.get(url, headers=self._headers()))

    def ask(self, url: str, asked: dict[str, str]) -> int:
        return self._keep(self._client.get(url, asked, headers=self._headers()))

    def post(self, url: str, body: Any, key: object = None) -> int:
        headers = self._headers() | ({"Idempotency-Key": str(key)} if key is not None else {})
        text = body if isinstance(body, str) else json.dumps(body)
        return self._keep(self._client.post(url, text, content_type="application/json", headers=headers))

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        return found

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._text}"}

    def _keep(self, answer: Any) -> int:
        self.status, self.headers = answer.status_code, answer.headers
        content = b"".join(answer.streaming_content) if getattr(answer, "streaming", False) else answer.content
        self.text = content.decode(errors="replace")
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        self.json: Any = json.loads(self.text) if is_json else None
        return self.status


_ALL = (
    "home.view_today",
    "clients.view",
    "funding.view",
    "funding.request",
    "trading.view",
    "trading.trade",
    "reporting.view",
)
