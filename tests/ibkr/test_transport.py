import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import jwt
import pytest
import time_machine

from backoffice.ibkr import (
    Credentials,
    HeldBack,
    IbkrClient,
    NotSent,
    OutcomeUnknown,
    Priority,
    RateLimited,
    Transport,
    Unavailable,
)
from backoffice.ibkr.environments import environment_of
from backoffice.ibkr.transport import Call, Effect
from backoffice.ibkr.types.funding import Withdrawal
from tests.ibkr.conftest import Bench, RawServer, Step, answer, hang, raw, reset_after_read, reset_before_read

WITHDRAWAL = Withdrawal(
    account_id="U1000011",
    currency="USD",
    amount="250.00",
    bank_instruction_name="Main bank",
    bank_instruction_method="ACH",
)
OK = {"instructionResult": {"clientInstructionId": 7, "instructionStatus": "PENDING", "instructionId": 99}}
STATUS = {"accountId": "U1000011", "status": "O", "state": "Open"}

truncated = raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"instruction')
truncated_chunk = raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"instr')
garbage = raw(b"\x00\x01\x02 not http\r\n\r\n")
nothing = raw(b"")


def withdraw(client: IbkrClient) -> None:
    client.funding.withdraw(WITHDRAWAL, key=7)


SERVER_FAILURES = [answer(code, {}) for code in (500, 502, 503, 504)]
UNREADABLE = [
    answer(200, b"<html>busy</html>", content_type="text/html"),
    answer(200, b""),
    answer(200, b'{"a":1,"a":2}'),
    answer(200, b"[" * 5000),
    answer(302, {}, Location="/x"),
]


@pytest.mark.row(id="S02")
@pytest.mark.row(id="S03")
@pytest.mark.parametrize(
    "fault",
    [
        *[reset_before_read, reset_after_read, hang, truncated, truncated_chunk, garbage, nothing],
        *SERVER_FAILURES,
        *UNREADABLE,
    ],
)
def test_a_write_that_breaks_in_any_way_was_sent_once_and_is_unknown(bench: Bench, fault: Step) -> None:
    bench.server.play(fault)

    with pytest.raises(OutcomeUnknown):
        withdraw(bench.client)

    assert bench.server.connections == 1
    assert len(bench.exchanges) == 1
    assert bench.pauses == []


@pytest.mark.row(id="S01")
def test_a_write_to_a_closed_port_was_provably_not_sent(
    credentials: Credentials, closed_port: int, bench: Bench
) -> None:
    client = IbkrClient(base_url=f"http://127.0.0.1:{closed_port}", credentials=credentials, tokens=bench.tokens)

    with pytest.raises(NotSent):
        withdraw(client)


@pytest.mark.row(id="S01")
def test_a_write_to_a_name_that_does_not_resolve_was_provably_not_sent(credentials: Credentials, bench: Bench) -> None:
    from backoffice.ibkr import Environment

    nowhere = Environment(name="qa", base_url="https://ibkr.invalid")
    client = IbkrClient(
        base_url="https://ibkr.invalid", environment=nowhere, credentials=credentials, tokens=bench.tokens
    )

    with pytest.raises(NotSent):
        withdraw(client)


@pytest.mark.row(id="S01")
def test_a_failed_tls_handshake_left_nothing(server: RawServer, credentials: Credentials, bench: Bench) -> None:
    server.play(raw(b"HTTP/1.1 200 OK\r\n\r\n"))
    url = server.url.replace("http:", "https:")
    client = IbkrClient(
        base_url=url, credentials=credentials, tokens=bench.tokens, transport=Transport(connect_timeout=1)
    )

    with pytest.raises(NotSent):
        withdraw(client)

    assert all(b"withdraw" not in request.body.lower() for request in server.received)


@pytest.mark.row(id="S01")
def test_no_connection_in_time_left_nothing(credentials: Credentials, bench: Bench) -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(4)]  # fills the queue of a listener that never accepts
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(full.getsockname())
    client = IbkrClient(
        base_url=f"http://127.0.0.1:{full.getsockname()[1]}",
        credentials=credentials,
        tokens=bench.tokens,
        transport=Transport(connect_timeout=1),
    )

    with pytest.raises(NotSent):
        withdraw(client)

    for each in (*waiting, full):
        each.close()


def test_a_write_that_is_stopped_at_the_door_wrote_no_byte_and_reads_are_not_asked(
    bench: Bench, credentials: Credentials
) -> None:
    asked = []

    def stop() -> None:
        asked.append(bench.server.connections)
        raise NotSent("sending was stopped before it left: drill")

    client = IbkrClient(
        base_url=bench.server.url, credentials=credentials, tokens=bench.tokens, transport=Transport(before_write=stop)
    )
    bench.server.play(answer(200, STATUS))

    with pytest.raises(NotSent, match="drill"):
        withdraw(client)

    assert len(asked) == 1
    assert bench.server.received == []
    assert client.accounts.status("U1000011").state == "Open"
    assert len(asked) == 1


def test_a_write_without_a_token_was_not_sent(bench: Bench, credentials: Credentials, closed_port: int) -> None:
    bench.server.play(answer(400, {"type": "/simple", "title": "Bad Request", "status": 400}))
    client = IbkrClient(base_url=bench.server.url, credentials=credentials)

    with pytest.raises(NotSent, match="No access token"):
        withdraw(client)

    assert [request.target for request in bench.server.received] == ["/oauth2/api/v1/token"]


@pytest.mark.parametrize(
    "fault", [reset_before_read, reset_after_read, hang, truncated, garbage, answer(503, {}), answer(502, b"<html>")]
)
def test_a_read_is_repeated_until_it_is_answered(bench: Bench, fault: Step) -> None:
    bench.server.play(fault, fault, answer(200, STATUS))

    assert bench.client.accounts.status("U1000011").state == "Open"

    assert bench.server.connections == 3
    assert len(bench.pauses) == 2
    assert all(100 <= pause <= 2_000 for pause in bench.pauses)


@pytest.mark.parametrize("fault", [reset_after_read, answer(503, {}), answer(500, {})])
def test_a_read_that_is_never_answered_is_given_up_after_three_attempts(bench: Bench, fault: Step) -> None:
    bench.server.play(fault)

    with pytest.raises(Unavailable):
        bench.client.accounts.status("U1000011")

    assert bench.server.connections == 3


@pytest.mark.parametrize("fault", [reset_after_read, *SERVER_FAILURES])
def test_a_read_that_uses_up_a_number_of_ours_is_sent_once(bench: Bench, fault: Step) -> None:
    bench.server.play(fault)

    with pytest.raises(Unavailable):
        bench.client.funding.bank_instructions("U1000001", method="WIRE", key="1012983")

    assert bench.server.connections == 1


def test_pauses_between_reads_differ(bench: Bench) -> None:
    bench.server.play(answer(503, {}))

    for _ in range(4):
        with pytest.raises(Unavailable):
            bench.client.accounts.status("U1000011")

    assert len(set(bench.pauses)) > 4


def test_an_endless_answer_is_cut_off(server: RawServer, credentials: Credentials, bench: Bench) -> None:
    server.play(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 400_000))
    client = IbkrClient(
        base_url=server.url, credentials=credentials, tokens=bench.tokens, transport=Transport(largest_answer=100_000)
    )

    with pytest.raises(OutcomeUnknown, match="larger than allowed"):
        withdraw(client)


def test_a_dripping_answer_is_given_up(bench: Bench) -> None:
    def drip(peer: socket.socket, server: RawServer) -> None:
        server.read(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in itertools.repeat(None, 30):
            if server.finished.wait(0.3):
                return
            peer.sendall(b"{")

    bench.server.play(drip)

    with pytest.raises(OutcomeUnknown, match="too slowly"):
        withdraw(bench.client)


def test_a_redirect_is_not_followed(bench: Bench) -> None:
    bench.server.play(answer(307, {}, Location=f"{bench.server.url}/elsewhere"))

    with pytest.raises(OutcomeUnknown):
        withdraw(bench.client)

    assert len(bench.server.received) == 1


@pytest.mark.parametrize(
    "url",
    ["http://api.ibkr.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example.com", "ftp://api.ibkr.com",
     "api.ibkr.com", "https://user:secret@api.ibkr.com", "https://api.ibkr.com/?x=1", "", "file:///etc/passwd"],
)  # fmt: skip
def test_an_unsafe_address_is_refused_before_anything_happens(credentials: Credentials, url: str) -> None:
    with pytest.raises(ValueError):
        IbkrClient(base_url=url, credentials=credentials)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9100", "http://localhost:9100", "http://[::1]:9100", "https://api.ibkr.com"]
)
def test_https_and_loopback_are_accepted(credentials: Credentials, url: str) -> None:
    IbkrClient(base_url=url, credentials=credentials)


def test_an_address_belongs_to_one_environment() -> None:
    assert environment_of("https://api.ibkr.com").name == "production"
    assert environment_of("https://qa.interactivebrokers.com").name == "qa"
    assert environment_of("http://127.0.0.1:9100").name == "sandbox"
    with pytest.raises(ValueError):
        environment_of("https://evil.example.com")


def test_every_request_says_who_it_is_and_carries_its_bearer(bench: Bench) -> None:
    bench.server.play(answer(200, STATUS), answer(200, {"authenticated": True}))

    bench.client.accounts.status("U1000011")
    bench.client.session.status()

    gateway, trading = bench.server.received
    assert gateway.headers["user-agent"]
    assert trading.headers["user-agent"]
    assert gateway.headers["authorization"] == "Bearer token-1"
    assert trading.headers["authorization"] == "Bearer session-bearer"
    assert trading.headers["content-length"] == "0"


def test_a_refused_token_is_replaced_once_for_a_read(bench: Bench) -> None:
    bench.server.play(answer(401, {"title": "Unauthorized", "status": 401}), answer(200, STATUS))

    bench.client.accounts.status("U1000011")

    assert bench.tokens.refused == ["token-1"]
    assert [request.headers["authorization"] for request in bench.server.received] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


def test_the_environment_of_the_process_cannot_redirect_or_reauthorise_calls(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    bench.server.play(answer(200, STATUS))

    bench.client.accounts.status("U1000011")

    assert bench.server.received[0].headers["authorization"] == "Bearer token-1"


def test_the_record_of_an_exchange_holds_no_secret(bench: Bench) -> None:
    bench.server.play(answer(200, {"active": True, "access_token": "sso-secret", "token_type": "Bearer"}))

    bench.client.sso.trading_session("alder01", ip="127.0.0.1")

    (exchange,) = bench.exchanges
    kept = repr(exchange)
    assert "sso-secret" not in kept
    assert "token-1" not in kept
    assert "eyJ" not in kept
    assert exchange.status == 200
    assert exchange.path == "/gw/api/v1/sso-sessions"
    assert exchange.request == {"credential": "alder01", "ip": "[hidden]"}


def test_errors_carry_the_exchange_they_came_from(bench: Bench) -> None:
    bench.server.play(reset_after_read)

    with pytest.raises(OutcomeUnknown) as caught:
        withdraw(bench.client)

    assert caught.value.exchange is bench.exchanges[0]
    assert caught.value.exchange.method == "POST"


def test_threads_share_a_client_without_mixing_answers(bench: Bench) -> None:
    def echo_account(peer: socket.socket, server: RawServer) -> None:
        server.read(peer)
        target = [request.target for request in server.received]
        account = next(part for part in target[-1].split("/") if part.startswith("U"))
        body = f'{{"accountId":"{account}","state":"Open"}}'.encode()
        peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    lock = threading.Lock()

    def serialised(peer: socket.socket, server: RawServer) -> None:
        with lock:
            echo_account(peer, server)

    bench.server.play(serialised)
    seen: list[bool] = []

    def ask(account: str) -> Callable[[], None]:
        return lambda: seen.append(bench.client.accounts.status(account).account_id == account)

    threads = [threading.Thread(target=ask(f"U{1000000 + index}")) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert seen == [True] * 8


@dataclass
class WatchfulLimiter:
    """Notes every turn and penalty; holds back once `held` says until when."""

    held: datetime | None = None
    turns: list[tuple[str, Priority]] = field(default_factory=list)
    penalties: list[tuple[str, int | None]] = field(default_factory=list)
    given_back: int = 0

    @contextmanager
    def turn(self, call: Call, priority: Priority) -> Iterator[None]:
        if self.held is not None:
            raise HeldBack("IBKR's penalty is running.", until=self.held)
        self.turns.append((call.path, priority))
        try:
            yield
        finally:
            self.given_back += 1

    def penalise(self, call: Call, retry_after: int | None) -> None:
        self.penalties.append((call.path, retry_after))


@pytest.fixture
def limiter() -> WatchfulLimiter:
    return WatchfulLimiter()


@pytest.fixture
def limited(bench: Bench, credentials: Credentials, limiter: WatchfulLimiter) -> IbkrClient:
    return IbkrClient(
        base_url=bench.server.url,
        credentials=credentials,
        tokens=bench.tokens,
        session_bearer=lambda: "session-bearer",
        transport=Transport(limiter=limiter, priority=Priority.POLLING, pause=bench.pauses.append),
    )


def test_every_single_sending_takes_its_turn(bench: Bench, limited: IbkrClient, limiter: WatchfulLimiter) -> None:
    bench.server.play(answer(503, {}), reset_after_read, answer(200, STATUS))

    limited.accounts.status("U1000011")

    assert limiter.turns == [("/gw/api/v1/accounts/U1000011/status", Priority.POLLING)] * 3
    assert limiter.given_back == 3


@pytest.mark.parametrize(("waited", "is_renewed"), [(5, False), (75, True)])
def test_a_signed_body_that_waited_for_its_turn_is_signed_again(
    bench: Bench, credentials: Credentials, waited: int, is_renewed: bool
) -> None:
    """It is good for a minute, and a limiter may keep a call longer."""

    class SlowLimiter(WatchfulLimiter):
        @contextmanager
        def turn(self, call: Call, priority: Priority) -> Iterator[None]:
            traveller.shift(waited)
            yield

    bench.server.play(answer(200, {"requestMethod": "POST", "securityPolicy": "SIGNED_JWT", "queryParameters": {}}))
    client = IbkrClient(
        base_url=bench.server.url,
        credentials=credentials,
        tokens=bench.tokens,
        transport=Transport(limiter=SlowLimiter()),
    )
    began = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)

    with time_machine.travel(began, tick=False) as traveller:
        client.echo.signed()

    claims = jwt.decode(bench.server.received[0].body, options={"verify_signature": False})
    assert claims["iat"] - int(began.timestamp()) == (waited if is_renewed else 0)
    assert claims["exp"] - claims["iat"] == 60


def test_a_call_may_bring_its_own_priority(bench: Bench, limiter: WatchfulLimiter) -> None:
    bench.server.play(answer(200, {}))

    Transport(limiter=limiter).send(Call("GET", f"{bench.server.url}/v1/api/tickle", Effect.READ))
    Transport(limiter=limiter).send(
        Call("GET", f"{bench.server.url}/v1/api/tickle", Effect.READ, priority=Priority.CANCEL)
    )

    assert [priority for _, priority in limiter.turns] == [Priority.PERSON, Priority.CANCEL]


def test_a_token_takes_its_turn_too(bench: Bench, credentials: Credentials, limiter: WatchfulLimiter) -> None:
    bench.server.play(answer(200, {"access_token": "abc", "expires_in": 600, "scope": "echo.read"}))
    client = IbkrClient(base_url=bench.server.url, credentials=credentials, transport=Transport(limiter=limiter))

    client.oauth.token(["echo.read"])

    assert limiter.turns == [("/oauth2/api/v1/token", Priority.PERSON)]


def test_a_429_is_told_to_the_limiter_at_once_and_not_repeated(
    bench: Bench, limited: IbkrClient, limiter: WatchfulLimiter
) -> None:
    bench.server.play(answer(429, {"error": "too many requests"}, Retry_After="40"))

    with pytest.raises(RateLimited) as caught:
        limited.accounts.status("U1000011")

    assert limiter.penalties == [("/gw/api/v1/accounts/U1000011/status", 40)]
    assert caught.value.retry_after == 40
    assert len(bench.server.received) == 1


def test_a_read_that_is_held_back_sends_nothing(bench: Bench, limited: IbkrClient, limiter: WatchfulLimiter) -> None:
    limiter.held = datetime(2026, 11, 24, 12, 15, tzinfo=UTC)

    with pytest.raises(HeldBack, match="penalty is running") as caught:
        limited.accounts.status("U1000011")

    assert caught.value.until == limiter.held
    assert caught.value.status is None
    assert bench.server.connections == 0


def test_a_write_that_is_held_back_was_not_sent_and_says_when_it_may_be(
    bench: Bench, limited: IbkrClient, limiter: WatchfulLimiter
) -> None:
    limiter.held = datetime(2026, 11, 24, 12, 15, tzinfo=UTC)

    with pytest.raises(NotSent, match="held back") as caught:
        withdraw(limited)

    assert caught.value.not_before == limiter.held
    assert bench.server.connections == 0


def test_a_write_whose_token_is_held_back_was_not_sent_and_says_when_it_may_be(
    bench: Bench, credentials: Credentials, limiter: WatchfulLimiter
) -> None:
    limiter.held = datetime(2026, 11, 24, 12, 15, tzinfo=UTC)
    client = IbkrClient(base_url=bench.server.url, credentials=credentials, transport=Transport(limiter=limiter))

    with pytest.raises(NotSent, match="No access token") as caught:
        withdraw(client)

    assert caught.value.not_before == limiter.held
    assert bench.server.connections == 0
