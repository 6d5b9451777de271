"""How IBKR answers lately, by family of calls; and the health checks behind /readyz and the state bar."""

from backoffice.broker.models import FamilyHealth, MasterAccount
from backoffice.core import clock
from backoffice.ibkr.transport import Exchange

_FAMILIES = (
    ("/oauth2/", "token"),
    ("/gw/api/v1/sso", "sso"),
    ("/gw/api/v1/accounts", "accounts"),
    ("/gw/api/v1/requests", "accounts"),
    ("/gw/api/v1/statements", "reports"),
    ("/gw/api/v1/", "funding"),
    ("/v1/api/portfolio", "portfolio"),
    ("/v1/api/iserver/marketdata", "market data"),
    ("/v1/api/iserver/secdef", "contracts"),
    ("/v1/api/iserver/contract", "contracts"),
    ("/v1/api/iserver/account", "orders"),
    ("/v1/api/", "session"),
)


def family_of(path: str) -> str:
    """Return the family a path belongs to, e.g. "funding"."""
    return next((family for prefix, family in _FAMILIES if path.startswith(prefix)), "other")


def record_exchange(master: MasterAccount, exchange: Exchange) -> None:
    """Keep the outcome of one exchange. A refusal is an answer too; only silence, 5xx and 429 count as failures."""
    family = family_of(exchange.path)
    now = clock.now()
    answered = exchange.status is not None and exchange.status < 500 and exchange.status != 429
    changes: dict[str, object] = {"last_milliseconds": exchange.elapsed_ms}
    if answered:
        changes["last_success_at"] = now
    else:
        changes["last_failure_at"] = now
        changes["last_failure"] = f"HTTP {exchange.status}" if exchange.status else exchange.outcome[:300]
    FamilyHealth.objects.update_or_create(master=master, family=family, defaults=changes)
