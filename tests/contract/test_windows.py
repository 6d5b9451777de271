"""The client leaves IBKR alone whenever the sandbox, which reads the documents for itself, would be closed."""

from datetime import UTC, datetime, timedelta

import pytest

from backoffice.ibkr import windows as ours
from backoffice.sandbox import windows as theirs

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = [MONDAY + timedelta(minutes=15 * number) for number in range(8 * 96)]
REGIONS = {"NA": "NA", "EU": "EU", "ASIA": "HK"}  # by our name: the sandbox's
PATHS = (
    "/gw/api/v1/accounts/U1000011/status",
    "/gw/api/v1/statements",
    "/gw/api/v1/enumerations/acats",
    "/gw/api/v1/external-cash-transfers",
    "/gw/api/v1/client-instructions/1",
    "/gw/api/v1/bank-instructions/query",
    "/v1/api/iserver/account/U1000011/orders",
    "/v1/api/portfolio/U1000011/ledger",
    "/gw/api/v1/requests",
    "/gw/api/v1/sso-sessions",
    "/oauth2/api/v1/token",
)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("path", PATHS)
def test_no_call_falls_into_a_window_of_the_sandbox(path: str, region: str) -> None:
    service = ours.service_of(path)
    assert service is not None

    forgotten = [
        f"{at:%A %H:%M} UTC: {window.name}"
        for at in WEEK
        for window in theirs.WINDOWS
        if REGIONS[region] in window.regions
        and path.startswith(window.paths)
        and any(begins <= at < ends for begins, ends in window.around(at))
        and ours.closure(service, at, region=region, margin=timedelta(0)) is None
    ]

    assert forgotten == []
