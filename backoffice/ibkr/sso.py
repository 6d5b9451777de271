"""Single sign-on: `/gw/api/v1/sso-browser-sessions` for a person, `/gw/api/v1/sso-sessions` for our trading calls."""

import ipaddress
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

    def trading_session(self, username: str, *, ip: str) -> TradingSession:
        """POST /sso-sessions: the bearer for `/v1/api`. `ip` is the address our own calls come from."""
        body = self._ask("sso-sessions", username, ip)
        bearer = body.get("access_token")
        if body.get("active") is False or not isinstance(bearer, str) or not bearer.isascii() or not bearer.strip():
            raise Unavailable("IBKR gave no trading session.")
        return TradingSession(bearer=bearer)

    def _ask(self, resource: str, username: str, ip: str) -> dict[str, object]:
        try:
            address = str(ipaddress.ip_address(ip))
        except ValueError as problem:
            raise Unsendable(f"{ip!r} is not an IP address.") from problem
        if not username or not username.isascii():
            raise Unsendable("A sign-on needs an IBKR username.")
        reply = self._requestor.gateway_signed(
            resource, claims={"credential": username, "ip": address}, effect=Effect.READ
        )
        return dict(object_read(reply))

    def _leads_to_portal(self, url: str) -> bool:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if any(host == domain or host.endswith(f".{domain}") for domain in self._requestor.environment.portal_domains):
            return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        return False
