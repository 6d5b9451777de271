"""A websocket server on loopback that plays a script: the frames IBKR documents, and the silence and cuts it does not."""

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE = 1, 2, 8


@dataclass
class Connection:
    """One accepted connection: what it said in its request, and what it sends."""

    peer: socket.socket
    target: str
    headers: dict[str, str]
    said: list[str] = field(default_factory=list)

    def send(self, message: Any, *, binary: bool = False) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
        self.peer.sendall(bytes([0x80 | (BINARY if binary else TEXT)]) + size + data)

    def hang_up(self) -> None:
        self.peer.sendall(bytes([0x80 | CLOSE, 0]))

    def cut(self) -> None:
        self.peer.shutdown(socket.SHUT_RDWR)

    def listen(self) -> None:
        """Read what the client says until it leaves."""
        while (head := self._exactly(2)) is not None:
            kind, size = head[0] & 0x0F, head[1] & 0x7F
            if size == 126:
                size = int.from_bytes(self._exactly(2) or b"", "big")
            mask = self._exactly(4) or b""
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._exactly(size) or b""))
            if kind == CLOSE:
                return
            if kind == TEXT:
                self.said.append(data.decode())

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                chunk = self.peer.recv(size - len(data))
            except OSError:
                return None
            if not chunk:
                return None
            data += chunk
        return data


@dataclass
class StreamServer:
    """Answers each connection with `status`, then lets `greet` speak to it."""

    port: int
    status: int = 101
    greet: Callable[[Connection], None] = lambda connection: None
    connections: list[Connection] = field(default_factory=list)
    requests: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Connection:
        return self.connections[-1]

    def heard(self, text: str, *, times: int = 1, seconds: int = 20) -> bool:
        """Wait until the client has said something so many times on the last connection."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.connections and self.last.said.count(text) >= times:
                return True
            time.sleep(0.01)
        return False

    def serve(self, peer: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (chunk := peer.recv(65_536)):
                return
            data += chunk
        first, *lines = data.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        self.requests += 1
        if self.status != 101:
            peer.sendall(
                f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nLocation: ws://127.0.0.1:9/\r\n\r\n".encode()
            )
            return
        accept = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + GUID).encode()).digest()).decode()
        peer.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        connection = Connection(peer, first.split(" ")[1], headers)
        self.connections.append(connection)
        self.greet(connection)
        connection.listen()


@contextmanager
def stream_server() -> Iterator[StreamServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = StreamServer(port=listener.getsockname()[1])

    def handle(peer: socket.socket) -> None:
        try:
            with peer:
                server.serve(peer)
        except OSError:
            pass

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(peer,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listener.close()
        for connection in server.connections:
            connection.peer.close()
