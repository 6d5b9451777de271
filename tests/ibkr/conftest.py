"""A raw server on loopback that misbehaves as told, and a client pointed at it."""

import json
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from backoffice.ibkr import Credentials, Exchange, IbkrClient, Timeouts, Transport

Step = Callable[[socket.socket, "RawServer"], None]


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RawServer:
    """Plays its steps, one per connection-or-request, the last one for ever; records what it read."""

    port: int
    steps: list[Step] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def play(self, *steps: Step) -> None:
        self.steps = list(steps)

    def next_step(self) -> Step:
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]

    def read(self, peer: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (chunk := peer.recv(65_536)):
                return False
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += peer.recv(65_536)
        method, target, _ = first.split(" ")
        self.received.append(Received(method, target, headers, body))
        return True


def answer(status: int = 200, body: Any = None, *, content_type: str = "application/json", **headers: str) -> Step:
    """Read the request and answer it properly."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(peer: socket.socket, server: RawServer) -> None:
        while server.read(peer):
            extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
            peer.sendall(
                f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n{extra}"
                "Connection: close\r\n\r\n".encode()
                + content
            )
            return

    return step


def raw(content: bytes) -> Step:
    """Read the request and send these bytes, then close."""

    def step(peer: socket.socket, server: RawServer) -> None:
        server.read(peer)
        peer.sendall(content)

    return step


def reset_before_read(peer: socket.socket, server: RawServer) -> None:
    """Drop the connection once the request is on its way, without reading any of it."""
    select.select([peer], [], [], 5)
    _reset(peer)


def reset_after_read(peer: socket.socket, server: RawServer) -> None:
    """Read the whole request, then drop the connection."""
    server.read(peer)
    _reset(peer)


def hang(peer: socket.socket, server: RawServer) -> None:
    """Read the whole request and say nothing."""
    server.read(peer)
    server.finished.wait(20)


def _reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@pytest.fixture
def server() -> Iterator[RawServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    running = RawServer(port=listener.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            running.connections += 1
            step = running.next_step()

            def handle(peer: socket.socket = peer, step: Step = step) -> None:
                try:
                    with peer:
                        step(peer, running)
                except OSError:
                    pass

            threading.Thread(target=handle, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield running
    running.finished.set()
    listener.close()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@pytest.fixture(scope="session")
def credentials(private_key: rsa.RSAPrivateKey) -> Credentials:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Credentials(client_id="FIRM-CLIENT", key_id="key-7", private_key=pem)


class FixedTokens:
    """Hands out token-1, token-2, ... each after the previous one was refused."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def bearer(self) -> str:
        return f"token-{len(self.refused) + 1}"

    def refuse(self, bearer: str) -> None:
        self.refused.append(bearer)


@dataclass
class Bench:
    """A client at the raw server, with everything it recorded."""

    client: IbkrClient
    server: RawServer
    exchanges: list[Exchange]
    pauses: list[int]
    tokens: FixedTokens


@pytest.fixture
def bench(server: RawServer, credentials: Credentials) -> Bench:
    exchanges: list[Exchange] = []
    pauses: list[int] = []
    tokens = FixedTokens()
    client = IbkrClient(
        base_url=server.url,
        credentials=credentials,
        tokens=tokens,
        session_bearer=lambda: "session-bearer",
        transport=Transport(recorder=exchanges.append, pause=pauses.append, connect_timeout=1),
        timeouts=Timeouts(connect=1, read=1, orders=1, funding=1, registration=1, reports=1),
    )
    return Bench(client, server, exchanges, pauses, tokens)
