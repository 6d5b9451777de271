"""Z09: whoever writes an address for us (a person, IBKR, a database) cannot make us call somewhere else."""

import socket

import pytest

from backoffice.ibkr import Credentials, IbkrClient
from backoffice.ibkr.environments import environment_of
from backoffice.ibkr.errors import IbkrError
from tests.egress import ReachedOut
from tests.ibkr.conftest import Bench, answer

ELSEWHERE = (
    "https://evil.example",
    "https://api.ibkr.com.evil.example",
    "https://api.ibkr.com@evil.example",
    "https://evil.example/api.ibkr.com",
    "https://evil.example?api.ibkr.com",
    "https://evil.example#api.ibkr.com",
    "https://10.0.0.8",
    "https://169.254.169.254",
    "https://192.168.1.1:8443",
    "https://[fd00::1]",
    "https://[::ffff:10.0.0.8]",
    "https://0.0.0.0",
    "https://2130706433",
    "ftp://api.ibkr.com",
    "file:///etc/passwd",
    "https://localhost.evil.example",
    "https://127.0.0.1.nip.io",
)


@pytest.mark.row(id="Z09")
@pytest.mark.parametrize("address", ELSEWHERE)
def test_no_address_but_ibkrs_own_and_the_sandboxs_is_an_environment(address: str, credentials: Credentials) -> None:
    with pytest.raises(ValueError, match="loopback|https address|bare address"):
        environment_of(address)
    with pytest.raises(ValueError, match="loopback|https address|bare address"):
        IbkrClient(base_url=address, credentials=credentials)


@pytest.mark.row(id="Z09")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, bench: Bench) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    other.settimeout(0.2)
    target = f"http://127.0.0.1:{other.getsockname()[1]}/"
    bench.server.play(answer(status, {}, headers={"Location": target}))

    with pytest.raises(IbkrError):
        bench.client.accounts.status("U1000011")

    with pytest.raises(TimeoutError):
        other.accept()
    other.close()


@pytest.mark.row(id="Z09")
@pytest.mark.parametrize("host", ["203.0.113.7", "10.0.0.8", "api.ibkr.com", "::ffff:203.0.113.7"])
def test_the_tests_themselves_cannot_reach_out(host: str) -> None:
    with socket.socket() as probe, pytest.raises(ReachedOut, match="reached out"):
        probe.connect((host, 443))
