"""One websocket to the sandbox, as a client that shares nothing with ours would hold it: `websockets` and nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.sandbox.support import Caller

USERNAME = "alder01"
Frame = dict[str, Any]


class User:
    """A signed-on user of the trading side with the websocket's address and cookie."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        answer = caller.post("/sso-sessions", {"credential": USERNAME, "ip": "127.0.0.1"})
        self.bearer = str(answer.json()["access_token"])

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.bearer}", "User-Agent": "tests"}
        answer = self.caller.http.request(
            method, f"{self.caller.url}/v1/api{path}", json=body, headers=headers, timeout=30
        )
        return answer.json(parse_float=Decimal)

    def begin(self) -> None:
        """Open the brokerage session and ask for the accounts."""
        self.rest("POST", "/iserver/auth/ssodh/init", {"publish": True, "compete": True})
        self.caller.advance(2)
        self.rest("GET", "/iserver/accounts")

    @property
    def cookie(self) -> str:
        return f"api={self.rest('POST', '/tickle')['session']}"

    def connect(
        self, *, bearer: str | None = None, cookie: str | None = None, agent: str | None = "tests"
    ) -> ClientConnection:
        address = self.caller.url.replace("http://", "ws://") + "/v1/api/ws"
        query = f"?bearer_token={self.bearer if bearer is None else bearer}"
        headers = {"Cookie": self.cookie if cookie is None else cookie}
        return connect(address + query, additional_headers=headers, user_agent_header=agent, legacy=True, proxy=None)

    @contextmanager
    def listen(self) -> Iterator["Listener"]:
        """A connection whose greeting has been heard."""
        with self.connect() as socket:
            listener = Listener(self, socket)
            listener.greeting = [listener.next() for _ in range(3)]
            yield listener

    def stream(self, action: str, **more: Any) -> int:
        """Do something to the connections; how many there were."""
        return int(self.caller.control("POST", "stream", {"action": action, **more})["connections"])

    def place(self, account: str, ticket: dict[str, Any]) -> int:
        """Send one order, confirm whatever is asked and return its id."""
        answer = self.rest("POST", f"/iserver/account/{account}/orders", {"orders": [ticket]})
        while "id" in answer[0]:
            answer = self.rest("POST", f"/iserver/reply/{answer[0]['id']}", {"confirmed": True})
        return int(answer[0]["order_id"])


class Listener:
    """What is said and heard on one connection."""

    def __init__(self, user: User, socket: ClientConnection) -> None:
        self.user = user
        self.socket = socket
        self.greeting: list[Frame] = []
        self._marks = 0

    def next(self) -> Frame:
        found: Frame = json.loads(self.socket.recv(timeout=10), parse_float=Decimal)
        return found

    def hear(self, topic: str) -> Frame:
        """The next frame of this topic; heartbeats and others before it are passed over."""
        while (frame := self.next()).get("topic") != topic:
            pass
        return frame

    def ask(self, text: str) -> list[Frame]:
        """Say something and return what is heard thereupon."""
        self.socket.send(text)
        return self.heard()

    def heard(self) -> list[Frame]:
        """Everything that is there to be heard now, however slow the machine is.

        The pong says that the server has read what was said. A mark goes out after a look at the world; the look before
        the first may be older than that, the look before the second is not.
        """
        assert self.socket.ping().wait(10)
        return self._until_a_mark() + self._until_a_mark()

    def _until_a_mark(self) -> list[Frame]:
        self._marks += 1
        mark = {"topic": "mark", "args": self._marks}
        self.user.stream("send", frame=json.dumps(mark))
        found: list[Frame] = []
        while (frame := self.next()) != mark:
            found.append(frame)
        return found

    def end(self) -> tuple[int | None, list[Frame]]:
        """The closing code, None for a torn line, and what was heard before."""
        found: list[Frame] = []
        try:
            while True:
                found.append(self.next())
        except ConnectionClosed as closed:
            return (None if closed.rcvd is None else closed.rcvd.code), found


def handshake(user: User, **how: Any) -> int:
    """The status of a handshake: 101 when it is let in."""
    try:
        user.connect(**how).close()
    except InvalidStatus as refusal:
        return int(refusal.response.status_code)
    return 101
