"""The pinned facts of each IBKR environment, and the credentials used in it. Nothing here is ever discovered.

An audience or address that came from a server could be an attacker's; these come from code and settings alone.
"""

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlsplit

CLIENT_PORTAL_DOMAINS = (
    "interactivebrokers.com",
    "clientam.com",
    "ibkr.com",
    "interactivebrokers.co.uk",
    "interactivebrokers.eu",
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait, by kind of call. Each write waits longer than IBKR's own abort, so silence means something."""

    connect: int = 5
    read: int = 10
    orders: int = 20  # the trading back end aborts its internal calls after about 10 s
    funding: int = 45  # answers within 30 s
    registration: int = 150  # POST and PATCH /accounts may take 120 s
    reports: int = 60


@dataclass(frozen=True, slots=True)
class Environment:
    """One of IBKR's systems, or the sandbox.

    `audience` is the `aud` of the client assertion: live clients were seen to send "/token"; it is a setting because
    IBKR's documents also show the full token address (`with_full_audience`). `assertion_seconds` is how long an
    assertion is valid from now on; live clients use 20 to 60.
    """

    name: str  # "production", "qa" or "sandbox"
    base_url: str
    audience: str = "/token"
    token_path: str = "/oauth2/api/v1/token"  # noqa: S105 - a path
    gateway_path: str = "/gw/api/v1"
    trading_path: str = "/v1/api"
    portal_domains: tuple[str, ...] = CLIENT_PORTAL_DOMAINS
    assertion_type: str = "JWT"  # the `typ` header of the client assertion
    assertion_seconds: int = 30

    def with_full_audience(self) -> Self:
        """Return this environment with the address of the token endpoint as audience, the other form in use."""
        return replace(self, audience=f"{self.base_url}{self.token_path}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One private key (PEM) and the id under which IBKR knows its public half."""

    key_id: str
    private_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One client application of one master account: its id, its key's id and the key itself (PEM).

    `next_key` is there during a rotation; nothing is signed with it until it has become the current one.
    """

    client_id: str
    key_id: str
    private_key: bytes = field(repr=False)
    next_key: SigningKey | None = None

    def with_next_key(self) -> Self:
        """Return the credentials as they will be after the rotation. Raises ValueError when there is no next key."""
        if self.next_key is None:
            raise ValueError("No rotation is under way: there is no next key.")
        return replace(self, key_id=self.next_key.key_id, private_key=self.next_key.private_key, next_key=None)


PRODUCTION = Environment(name="production", base_url="https://api.ibkr.com")
QA = Environment(name="qa", base_url="https://qa.interactivebrokers.com")


def sandbox(base_url: str) -> Environment:
    """Return the environment of a simulator on loopback, whose portal pages are on loopback too."""
    if not is_loopback(urlsplit(base_url).hostname or ""):
        raise ValueError(f"The sandbox runs on this machine only; {base_url} is not a loopback address.")
    return Environment(name="sandbox", base_url=base_url.rstrip("/"), portal_domains=("127.0.0.1", "localhost", "::1"))


def environment_of(base_url: str) -> Environment:
    """Return the environment a base URL belongs to: production and QA by their host, the sandbox by being loopback."""
    host = urlsplit(base_url).hostname or ""
    for known in (PRODUCTION, QA):
        if host == urlsplit(known.base_url).hostname and base_url.startswith("https://"):
            return known
    return sandbox(base_url)


def is_loopback(host: str) -> bool:
    """Return whether a host name means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe(base_url: str) -> None:
    """Refuse an address that would send credentials in the clear or to an unexpected place.

    Raises ValueError for anything but https (http is allowed to loopback), and for user names, queries or fragments.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(f"{base_url!r} is not an https address.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            f"{base_url} is plain http; IBKR is reached over https only (http is for the sandbox on loopback)."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"{base_url!r} must be a bare address without user name, query or fragment.")
