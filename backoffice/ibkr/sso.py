"""Single sign-on: `/gw/api/v1/sso-browser-sessions` for a person, `/gw/api/v1/sso-sessions` for our trading calls."""

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from backoffice.ibkr.answers import object_read
from backoffice.ibkr.environments import is_loopback
from backoffice.ibkr.errors import Unavailable, Unsendable
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect
from backoffice.ibkr.types.sso import BrowserSession, TradingSession


class Sso:
    """Sign-ons on behalf of one IBKR username, bound to one IP address."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def browser_session(self, username: str, *, ip: str) -> BrowserSession:
        """POST /sso-browser-sessions: a page that signs `username` into IBKR's portal.

        `ip` is the person's own public address. Traps: the address works once, for 60 seconds, from that IP only; and
        it must lead to IBKR, so one that does not is refused here.
        """
        body = self._ask("sso-browser-sessions", username, ip)
        url = body.get("url")
        if body.get("active") is False or not isinstance(url, str) or not self._leads_to_portal(url):
            raise Unavailable("IBKR gave no page to open.")
        return BrowserSession(url=url)

    def trading_session(
        self, username: str, *, ip: str, alternative_ips: Sequence[str] = (), service: str | None = None
    ) -> TradingSession:
        """POST /sso-sessions: the bearer for `/v1/api`. `ip` is the address our own calls come from.

        Traps: calls from an address that is not `ip` or one of `alternative_ips` are refused; and the gateway's own token
        is never good for trading.
        """
        more: dict[str, object] = {}
        if alternative_ips:
            more["alternativeIps"] = [_address(each) for each in alternative_ips]
        if service is not None:
            more["service"] = service
        body = self._ask("sso-sessions", username, ip, more)
        bearer = body.get("access_token")
        if body.get("active") is False or not isinstance(bearer, str) or not bearer.isascii() or not bearer.strip():
            raise Unavailable("IBKR gave no trading session.")
        kind = body.get("token_type")
        if isinstance(kind, str) and kind.lower() not in ("", "bearer"):
            raise Unavailable(f"IBKR gave a trading session of an unknown kind ({kind}).")
        return TradingSession(bearer=bearer)

    def _ask(
        self, resource: str, username: str, ip: str, more: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        if not username or not username.isascii():
            raise Unsendable("A sign-on needs an IBKR username.")
        claims = {"credential": username, "ip": _address(ip), **(more or {})}
        return dict(object_read(self._requestor.gateway_signed(resource, claims=claims, effect=Effect.READ)))

    def _leads_to_portal(self, url: str) -> bool:
        if not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
            return False  # browsers read such addresses differently from us
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.username is not None or parts.fragment:
            return False
        if any(host == domain or host.endswith(f".{domain}") for domain in self._requestor.environment.portal_domains):
            return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        return False


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as problem:
        raise Unsendable(f"{text!r} is not an IP address.") from problem
