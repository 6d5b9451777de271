import pytest

from backoffice.ibkr.limits import Limit, Priority, Scope, limits_of
from backoffice.ibkr.operations import OPERATIONS, template_of

MINUTE = Limit("account management", Scope.MASTER, 600, 60)
SECOND = Limit("trading", Scope.USERNAME, 8, 1)


def test_every_gateway_operation_counts_for_its_endpoint_and_for_its_master() -> None:
    gateway = [operation for group in OPERATIONS.values() for operation in group if " /gw/" in operation]

    assert len(gateway) == 69  # version 2.39 counts 70 with the token
    for operation in gateway:
        method, path = operation.split(" ")
        assert limits_of(method, path)[-2:] == (Limit(path, Scope.MASTER, 10, 1), MINUTE)


def test_two_accounts_are_one_endpoint() -> None:
    first = limits_of("GET", "/gw/api/v1/accounts/U1000011/status")

    assert first == limits_of("GET", "/gw/api/v1/accounts/U2000022/status")
    assert first[0].name == "/gw/api/v1/accounts/{accountId}/status"


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/gw/api/v1/accounts/login-messages", "/gw/api/v1/accounts/login-messages"),
        ("/gw/api/v1/enumerations/complex-asset-transfer", "/gw/api/v1/enumerations/complex-asset-transfer"),
        ("/gw/api/v1/enumerations/exchange-bundles", "/gw/api/v1/enumerations/{enumerationType}"),
        ("/gw/api/v1/bank-instructions%3Abulk", "/gw/api/v1/bank-instructions:bulk"),
        ("/v1/api/portfolio/U1000011/positions/0", "/v1/api/portfolio/{accountId}/positions/{pageId}"),
        ("/v1/api/iserver/account/U1000011/order/77", "/v1/api/iserver/account/{accountId}/order/{orderId}"),
        ("/gw/api/v1/novelties/U1000011/page/3", "/gw/api/v1/novelties/{id}/page/{id}"),
    ],
)
def test_a_path_as_sent_finds_its_template(path: str, template: str) -> None:
    assert template_of(path) == template


def test_the_token_endpoint_is_an_endpoint_of_its_own() -> None:
    assert limits_of("POST", "/oauth2/api/v1/token") == (Limit("/oauth2/api/v1/token", Scope.MASTER, 10, 1), MINUTE)


def test_history_of_instructions_is_asked_once_in_ten_minutes() -> None:
    special, *_ = limits_of("POST", "/gw/api/v1/instructions/query")

    assert (special.calls, special.seconds, special.scope) == (1, 600, Scope.MASTER)


@pytest.mark.parametrize(
    ("method", "path", "calls", "seconds"),
    [
        ("GET", "/iserver/account/orders", 1, 5),
        ("GET", "/iserver/account/trades", 1, 5),
        ("GET", "/iserver/account/pnl/partitioned", 1, 5),
        ("GET", "/portfolio/accounts", 1, 5),
        ("GET", "/portfolio/subaccounts", 1, 5),
        ("GET", "/iserver/marketdata/snapshot", 10, 1),
        ("GET", "/iserver/scanner/params", 1, 900),
        ("POST", "/iserver/scanner/run", 1, 1),
        ("POST", "/pa/performance", 1, 900),
        ("POST", "/pa/allperiods", 1, 900),
        ("POST", "/pa/summary", 1, 900),
        ("POST", "/pa/transactions", 1, 900),
        ("GET", "/fyi/notifications", 1, 1),
        ("PUT", "/fyi/notifications/2026", 1, 1),
        ("POST", "/tickle", 1, 1),
        ("GET", "/tickle", 1, 1),
        ("GET", "/sso/validate", 1, 60),
    ],
)
def test_the_pacing_table_of_trading(method: str, path: str, calls: int, seconds: int) -> None:
    own, overall = limits_of(method, f"/v1/api{path}")

    assert (own.calls, own.seconds, own.scope, own.is_concurrent) == (calls, seconds, Scope.USERNAME, False)
    assert overall == SECOND


def test_price_history_keeps_the_old_and_the_new_limits() -> None:
    found = limits_of("GET", "/v1/api/iserver/marketdata/history")

    assert [(limit.calls, limit.seconds, limit.is_concurrent) for limit in found] == [
        (10, 1, False),
        (50, 60, False),
        (5, 0, True),
        (8, 1, False),
    ]
    assert len({limit.name for limit in found}) == 4
    assert limits_of("GET", "/v1/api/hmds/history") == found, "one budget for both"


def test_placing_an_order_is_not_slowed_by_reading_orders() -> None:
    assert limits_of("POST", "/v1/api/iserver/account/U1000011/orders") == (SECOND,)
    assert limits_of("DELETE", "/v1/api/iserver/account/U1000011/order/7") == (SECOND,)


def test_notifications_share_one_budget() -> None:
    assert limits_of("GET", "/v1/api/fyi/unreadnumber")[0] == limits_of("GET", "/v1/api/fyi/settings")[0]


def test_the_overall_pace_of_trading_can_be_set() -> None:
    assert limits_of("POST", "/v1/api/logout", trading_per_second=5) == (Limit("trading", Scope.USERNAME, 5, 1),)


def test_an_address_that_is_not_ibkrs_has_no_limits() -> None:
    assert limits_of("GET", "/somewhere") == ()


def test_a_cancellation_goes_before_everything_and_bulk_after_everything() -> None:
    assert sorted(Priority, reverse=True)[0] is Priority.BULK
    assert sorted(Priority) == [
        Priority.CANCEL,
        Priority.REPLY,
        Priority.ORDER,
        Priority.RECONCILE,
        Priority.PERSON,
        Priority.POLLING,
        Priority.BULK,
    ]
