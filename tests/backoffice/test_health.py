"""What counts as a failure of a family of calls: what keeps the firm from working, not what IBKR declined to do."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backoffice.broker import health
from backoffice.broker.client import client_for
from backoffice.broker.models import FamilyHealth
from backoffice.ibkr.errors import IbkrError
from backoffice.ibkr.transport import Exchange

pytestmark = pytest.mark.django_db


def answered(path: str, status: int | None) -> Exchange:
    return Exchange(
        request_id="r-1", method="POST", path=path, query={}, request=None, started=datetime(2026, 11, 24, tzinfo=UTC),
        elapsed_ms=40, outcome="answered" if status else "the line broke", status=status,
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


def test_a_token_refused_for_its_key_shows_as_a_failure_of_tokens(connected_master: Any) -> None:
    connected_master.key_id = "another"
    connected_master.save(update_fields=["key_id"])

    with pytest.raises(IbkrError):
        client_for(connected_master, lane="accounts").accounts.status("U1000011")

    assert health.lately(connected_master)["token"].error_per_cent == 100
    assert FamilyHealth.objects.get(family="token").last_failure == "HTTP 400: refused"
