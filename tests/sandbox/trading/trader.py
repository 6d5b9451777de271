"""A user of the trading side, talking to the sandbox in-process, as uvicorn would hand its requests over."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from starlette.applications import Starlette

from backoffice.sandbox import instruments
from backoffice.sandbox.clock import stamp
from backoffice.sandbox.kernel import Sandbox

MASTER, USERNAME = "F1000001", "alder01"
AAPL, SPY, VTI, KO, ASML, HSBA, NVDA = 265598, 756733, 12340041, 8894, 117589399, 909083, 4815747


class Answer:
    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text, parse_float=Decimal)


async def _exchange(app: Starlette, scope: dict[str, Any], body: bytes) -> Answer:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Answer(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]))


class Trader:
    def __init__(self, app: Starlette, token: str = "bearer-1") -> None:
        self.app = app
        self.token = token
        self.sandbox: Sandbox = app.state.sandbox
        now = self.sandbox.clock.wall()
        self.sandbox.store.execute(
            "INSERT INTO sso_bearers VALUES (?, ?, ?, ?, ?, ?)",
            token, USERNAME, MASTER, '["127.0.0.1"]', stamp(now), stamp(now + timedelta(days=1)),
        )  # fmt: skip

    def call(
        self, method: str, path: str, body: Any = None, *, root: str = "/v1/api", agent: bytes = b"tests", **query: Any
    ) -> Answer:
        headers = [
            (b"user-agent", agent),
            (b"authorization", f"Bearer {self.token}".encode()),
            (b"host", b"localhost"),
        ]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "root_path": "",
            "path": root + path,
            "raw_path": quote(root + path).encode(),
            "query_string": urlencode(query).encode(),
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("localhost", 80),
        }
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body, default=str).encode()
        return asyncio.run(_exchange(self.app, scope, raw))

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.call("POST", path, body)

    def delete(self, path: str) -> Answer:
        return self.call("DELETE", path)

    def knob(self, **knobs: Any) -> None:
        for key, value in knobs.items():
            self.sandbox.config.set(key, value)

    def wait(self, seconds: int) -> None:
        self.sandbox.clock.advance(seconds)

    def break_session(self, action: str) -> None:
        body = {"username": USERNAME, "action": action}
        assert self.call("POST", "/_sandbox/session", body, root="").status == 200

    def init(self, *, compete: bool = True) -> Answer:
        return self.post("/iserver/auth/ssodh/init", {"publish": True, "compete": compete})

    def ready(self) -> "Trader":
        """Go through the whole chain: brokerage session, accounts, sub-accounts."""
        self.init()
        self.wait(2)
        assert self.get("/iserver/accounts").status == 200
        assert self.get("/portfolio/subaccounts").status == 200
        return self

    def place(self, account: str, ticket: dict[str, Any]) -> Answer:
        return self.post(f"/iserver/account/{quote(account)}/orders", {"orders": [ticket]})

    def place_all(self, account: str, *tickets: dict[str, Any]) -> Any:
        """Place a bracket or an OCA group, confirm everything and return the answer."""
        return self.confirm_all(self.post(f"/iserver/account/{quote(account)}/orders", {"orders": list(tickets)}))[
            0
        ].json

    def script(self, match: dict[str, Any], **script: Any) -> None:
        """Write down what shall happen to the next order that matches."""
        written = self.call("POST", "/_sandbox/orders", {"match": match, "script": script}, root="")
        assert written.status == 200, written.text

    def status(self, order_id: int | str) -> str:
        return str(self.live(int(order_id))["status"])

    def confirm_all(self, answer: Answer) -> tuple[Answer, list[str]]:
        """Confirm every question; the last answer and the ids of the questions in order."""
        asked = []
        while answer.status == 200 and isinstance(answer.json, list) and "id" in answer.json[0]:
            asked += answer.json[0]["messageIds"]
            answer = self.post(f"/iserver/reply/{answer.json[0]['id']}", {"confirmed": True})
        return answer, asked

    def accept(self, account: str, ticket: dict[str, Any]) -> int:
        """Place, confirm everything and return the order id."""
        answer, _ = self.confirm_all(self.place(account, ticket))
        assert isinstance(answer.json, list), answer.text
        return int(answer.json[0]["order_id"])

    def live(self, order_id: int) -> dict[str, Any]:
        for _ in range(2):
            found = self.get("/iserver/account/orders", accountId="All").json["orders"]
        return next(order for order in found if order["orderId"] == order_id)

    def trades(self, order_id: int) -> list[dict[str, Any]]:
        for _ in range(2):
            found = self.get("/iserver/account/trades", days=2, accountId="All").json
        return [trade for trade in found if trade["order_id"] == order_id]

    def cash(self, account: str, currency: str = "USD") -> Decimal:
        return self.sandbox.books.cash(account).get(currency, Decimal(0))

    def held(self, account: str, conid: int) -> Decimal:
        return sum(
            (holding.quantity for holding in self.sandbox.books.holdings(account) if holding.conid == conid), Decimal(0)
        )

    def effects(self, kind: str, key: str | None = None) -> int:
        return len(self.sandbox.ledger.effects(kind, key))

    def far_price(self, conid: int, side: str, percent: int = 2) -> Decimal:
        """A limit so far from the market that it will not trade soon, inside the price band, on the tick grid."""
        last = self.sandbox.market.price(conid)
        away = last * (100 - percent if side == "BUY" else 100 + percent) / 100
        instrument = instruments.get(conid)
        assert instrument
        return instrument.rounded(away)


def ticket(account: str, conid: int, side: str, quantity: int, **more: Any) -> dict[str, Any]:
    """A market order for the day unless told otherwise; prices go out as JSON numbers."""
    base = {"acctId": account, "conid": conid, "side": side, "orderType": "MKT", "quantity": quantity, "tif": "DAY"}
    return {**base, **{key: float(value) if isinstance(value, Decimal) else value for key, value in more.items()}}


def inline(amounts: dict[str, int], conid: int, side: str, **more: Any) -> dict[str, Any]:
    allocations = [{"account": account, "amount": amount} for account, amount in amounts.items()]
    profile = {"allocation_profile": {"alloc_type": "SHARE", "allocations": allocations}}
    return ticket(MASTER, conid, side, sum(amounts.values()), **more) | {"jsonPayload": profile}
