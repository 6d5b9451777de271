"""What counts as a failure of a family of calls: what keeps the firm from working, not what IBKR declined to do."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backoffice.broker import health
from backoffice.broker.client import client_for
from backoffice.broker.models import FamilyHealth
from backoffice.ibkr.errors import IbkrError
from backoffice.ibkr.operations import OPERATIONS
from backoffice.ibkr.redaction import Veiled
from backoffice.ibkr.transport import Exchange

pytestmark = pytest.mark.django_db


def answered(path: str, status: int | None, body: object = None) -> Exchange:
    return Exchange(
        request_id="r-1", method="POST", path=path, query={}, request=None, started=datetime(2026, 11, 24, tzinfo=UTC),
        elapsed_ms=40, outcome="answered" if status else "the line broke", status=status,
        content=Veiled(lambda said: said, {"title": "Forbidden"} if body is None else body),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "status", "failures"),
    [
        ("/gw/api/v1/accounts", 200, 0),
        ("/gw/api/v1/accounts", 400, 0),
        ("/gw/api/v1/accounts", 403, 0),
        ("/gw/api/v1/accounts", 401, 1),
        ("/gw/api/v1/accounts", 429, 1),
        ("/gw/api/v1/accounts", 503, 1),
        ("/gw/api/v1/accounts", None, 1),
        ("/oauth2/api/v1/token", 400, 1),
        ("/gw/api/v1/sso-sessions", 403, 1),
    ],
)
def test_a_refusal_is_an_answer_unless_it_shuts_us_out(
    master: Any, path: str, status: int | None, failures: int
) -> None:
    health.record_exchange(master, answered(path, status))

    (lately,) = health.lately(master).values()
    assert (lately.calls, lately.failures) == (1, failures)


def test_a_403_of_the_network_edge_shuts_us_out(master: Any) -> None:
    page = "<html><head><title>Access Denied</title></head></html>"

    health.record_exchange(master, answered("/v1/api/portfolio/accounts", 403, page))

    assert health.lately(master)["portfolio"].error_per_cent == 100
    assert FamilyHealth.objects.get().last_failure == "HTTP 403: not let in"


@pytest.mark.parametrize(
    ("group", "family"),
    [
        ("Token", "token"), ("Sign-on", "sso"), ("Echo", "echo"), ("Accounts", "accounts"),
        ("Forms, requests and utilities", "accounts"), ("Session", "session"), ("Contracts", "contracts"),
        ("Market data, from the documentation", "market data"), ("Portfolio", "portfolio"),
        ("Portfolio, from the documentation", "portfolio"), ("PortfolioAnalyst", "analytics"), ("Orders", "orders"),
        ("Allocation", "allocation"), ("Notifications", "notifications"), ("Banking", "funding"),
        ("Banking, since 2.39", "funding"), ("Reports", "reports"), ("Tax vouchers, since 2.39", "reports"),
        ("Restrictions", "restrictions"),
    ],
)  # fmt: skip
def test_every_call_counts_for_its_own_family(group: str, family: str) -> None:
    assert {health.family_of(operation.partition(" ")[2]) for operation in OPERATIONS[group]} == {family}


def test_a_token_refused_for_its_key_shows_as_a_failure_of_tokens(connected_master: Any) -> None:
    connected_master.key_id = "another"
    connected_master.save(update_fields=["key_id"])

    with pytest.raises(IbkrError):
        client_for(connected_master, lane="accounts").accounts.status("U1000011")

    assert health.lately(connected_master)["token"].error_per_cent == 100
    assert FamilyHealth.objects.get(family="token").last_failure == "HTTP 400: refused"
