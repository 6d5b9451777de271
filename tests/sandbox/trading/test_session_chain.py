from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from backoffice.sandbox.trading import sessions
from tests.sandbox.trading.trader import KO, MASTER, USERNAME, Trader


def test_everything_needs_a_bearer(cold: Trader) -> None:
    cold.token = "nobody"

    assert cold.get("/sso/validate").status == 401
    assert cold.get("/portfolio/accounts").status == 401


def test_validate_shows_the_username_with_recorded_types(cold: Trader) -> None:
    found = cold.get("/sso/validate").json

    assert found["USER_NAME"] == "alder01"
    assert found["RESULT"] is True
    assert isinstance(found["USER_ID"], int)
    assert isinstance(found["EXPIRES"], int)
    assert 0 < found["EXPIRES"] <= 86_400_000
    assert found["LOGIN_TYPE"] == 1


def test_a_paper_username_says_so_wherever_it_is_asked(trader: Trader) -> None:
    trader.knob(paper_login=True)

    assert trader.get("/sso/validate").json["LOGIN_TYPE"] == 2
    assert trader.get("/iserver/accounts").json["isPaper"] is True


def test_before_init_it_is_asked_for_and_status_is_the_short_form(cold: Trader) -> None:
    status = cold.post("/iserver/auth/status").json

    assert status.keys() == {"authenticated", "competing", "connected", "MAC"}
    assert status["authenticated"] is False
    refused = cold.get("/iserver/accounts")
    assert (refused.status, refused.json) == (400, {"error": "Init session first", "statusCode": 400})


def test_init_without_publish_fails_with_500(cold: Trader) -> None:
    refused = cold.post("/iserver/auth/ssodh/init", {"publish": False, "compete": True})

    assert (refused.status, refused.json) == (500, {"error": "failed to generate sso dh token"})


def test_a_new_session_is_established_only_after_a_moment(cold: Trader) -> None:
    begun = cold.init().json

    assert (begun["authenticated"], begun["established"], begun["connected"], begun["competing"]) == (
        True,
        False,
        True,
        False,
    )
    assert cold.get("/iserver/accounts").json["error"] == "Bad Request: no bridge"

    cold.wait(2)

    assert cold.get("/iserver/auth/status").json["established"] is True
    assert cold.get("/iserver/accounts").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/iserver/account/orders"),
        ("GET", "/iserver/account/trades"),
        ("GET", f"/iserver/marketdata/snapshot?conids={KO}"),
        ("POST", "/iserver/account/U1000011/orders"),
        ("DELETE", "/iserver/account/U1000011/order/1"),
    ],
)
def test_orders_and_quotes_ask_for_accounts_first(cold: Trader, method: str, path: str) -> None:
    cold.init()
    cold.wait(2)

    refused = cold.call(method, path.partition("?")[0], {} if method == "POST" else None)

    assert (refused.status, refused.json["error"]) == (400, "Bad Request: Please query /accounts first")


def test_accounts_list_the_open_subaccounts_and_the_groups(trader: Trader) -> None:
    found = trader.get("/iserver/accounts").json

    assert found["accounts"] == [f"U100001{n}" for n in range(1, 10)]
    assert found["groups"] == ["All", "Balanced", "Income"]
    assert "All" in found["acctProps"]
    assert found["selectedAccount"] == "U1000011"
    assert found["allowFeatures"]["allowFA"] is True
    assert found["isPaper"] is False


def test_selecting_an_account(trader: Trader) -> None:
    assert trader.post("/iserver/account", {"acctId": "U1000012"}).json == {"set": True, "acctId": "U1000012"}
    assert trader.post("/iserver/account", {"acctId": "U1000012"}).json == {"success": "Account already set"}
    unknown = trader.post("/iserver/account", {"acctId": "U9999999"})
    assert (unknown.status, unknown.json) == (500, {"error": "Invalid account ID"})
    assert trader.post("/iserver/account", {}).status == 400


def test_competing_takes_the_session_over_and_the_old_one_sees_it(trader: Trader) -> None:
    other = Trader(trader.app, "bearer-2")

    shy = other.init(compete=False).json
    assert (shy["authenticated"], shy["competing"]) == (False, True)
    assert trader.get("/iserver/accounts").status == 200

    assert other.init().json["authenticated"] is True
    status = trader.post("/tickle").json["iserver"]["authStatus"]
    assert (status["authenticated"], status["competing"]) == (False, True)
    refused = trader.get("/iserver/accounts")
    assert (refused.status, refused.json) == (401, {"error": "not authenticated", "statusCode": 401})


def test_a_session_that_others_ask_for_says_so_until_somebody_competes(trader: Trader) -> None:
    sessions.compete(trader.sandbox, USERNAME)

    held = trader.init(compete=False).json
    assert (held["authenticated"], held["competing"]) == (True, True)
    assert trader.get("/iserver/auth/status").json["competing"] is True

    assert trader.init(compete=True).json["competing"] is False
    assert trader.get("/iserver/auth/status").json["competing"] is False


def test_a_session_stolen_from_elsewhere_comes_back_only_by_competing(trader: Trader) -> None:
    trader.break_session("steal")

    assert trader.get("/iserver/auth/status").json["competing"] is True
    assert trader.init(compete=False).json["authenticated"] is False
    assert trader.init(compete=True).json["authenticated"] is True
    trader.wait(2)
    primed = trader.get("/iserver/account/orders")
    assert primed.json["error"] == "Bad Request: Please query /accounts first"


def test_a_session_dies_after_six_idle_minutes_but_not_while_tickled(trader: Trader) -> None:
    for _ in range(3):
        trader.wait(300)
        assert trader.post("/tickle").json["iserver"]["authStatus"]["authenticated"] is True

    trader.wait(361)

    assert trader.post("/tickle").json["iserver"]["authStatus"]["authenticated"] is False
    assert trader.get("/iserver/accounts").status == 401
    assert trader.get("/portfolio/U1000011/summary").status == 200  # another part of IBKR


def test_the_nightly_reset_ends_the_brokerage_session_alone(trader: Trader) -> None:
    trader.break_session("reset")

    status = trader.get("/iserver/auth/status").json
    assert (status["authenticated"], status["competing"]) == (False, False)
    assert trader.get("/sso/validate").status == 200


@pytest.mark.parametrize(
    ("minutes", "closed_at"),
    [
        (None, ["00:20", "00:55", "01:05", "01:30"]),  # the whole window, 00:15 to 01:45
        (10, ["01:05"]),
        (120, ["01:05", "01:30", "01:50", "02:40"]),  # longer than its window
    ],
)
def test_the_nightly_reset_takes_its_whole_window_or_minutes_or_longer(
    stopped: Trader, minutes: int | None, closed_at: list[str]
) -> None:
    stopped.knob(enforce_maintenance=True, nightly_reset_minutes=minutes)
    found = []

    for clock in ("00:10", "00:20", "00:55", "01:05", "01:30", "01:50", "02:40", "03:05"):
        hour, minute = map(int, clock.split(":"))
        stopped.sandbox.clock.stop(datetime(2026, 3, 3, 5 + hour, minute, tzinfo=UTC))
        if stopped.post("/iserver/auth/status").status == 503:
            found.append(clock)

    assert found == closed_at
    assert stopped.get("/portfolio/accounts").status in (200, 401)  # another part of IBKR, and the midnight of sign-ons


@pytest.mark.parametrize(("minutes", "is_kept"), [(None, False), (10, True)])
def test_a_session_ends_when_its_nightly_reset_begins(stopped: Trader, minutes: int | None, is_kept: bool) -> None:
    stopped.knob(enforce_maintenance=True, nightly_reset_minutes=minutes, session_idle_seconds=86_400)
    stopped.sandbox.clock.stop(datetime(2026, 3, 3, 5, 30, tzinfo=UTC))  # half past midnight

    session = sessions.peek(stopped.sandbox, stopped.token)

    assert session is not None
    assert (session.state == "held") is is_kept


def test_a_sign_on_ends_at_the_midnight_of_its_region_with_its_brokerage_session(registered: Any) -> None:
    user = registered
    user.control("POST", "reset", {"at": "2026-03-03T04:50:00Z"})  # ten to midnight in New York
    user.config(enforce_pacing=False, enforce_maintenance=False, session_cold_milliseconds=0)
    bearer = user.send("POST", "/sso-sessions", {"credential": "alder01", "ip": "127.0.0.1"}).json()["access_token"]
    signed = {"Authorization": f"Bearer {bearer}", "User-Agent": "tests"}

    def call(path: str, body: Any = None) -> int:
        return requests.post(f"{user.url}/v1/api{path}", json=body, headers=signed, timeout=30).status_code

    assert call("/iserver/auth/ssodh/init", {"publish": True, "compete": False}) == 200
    user.advance(11 * 60)
    assert call("/tickle") == 200, "windows are not enforced yet"
    user.config(enforce_maintenance=True)

    assert call("/tickle") == 401
    again = user.send("POST", "/sso-sessions", {"credential": "alder01", "ip": "127.0.0.1"}).json()["access_token"]
    signed["Authorization"] = f"Bearer {again}"
    assert call("/tickle") == 200
    status = requests.post(
        f"{user.url}/v1/api/iserver/auth/ssodh/init",
        json={"publish": True, "compete": False},
        headers=signed,
        timeout=30,
    ).json()
    assert (status["authenticated"], status["competing"]) == (True, False), "the day before holds nobody up"


def test_tickle_has_the_recorded_shape(trader: Trader) -> None:
    found = trader.get("/tickle").json

    assert len(found["session"]) == 32
    assert found["hmds"] == {"error": "no bridge"}
    assert found["iserver"]["authStatus"]["authenticated"] is True


@pytest.mark.parametrize("way", ["request", "outside"])
def test_after_logout_every_call_is_401(trader: Trader, way: str) -> None:
    if way == "request":
        assert trader.post("/logout").json == {"status": True}
    else:
        trader.break_session("logout")

    assert trader.get("/iserver/auth/status").status == 401
    assert trader.get("/sso/validate").status == 401


def test_paced_routes_answer_once_in_five_seconds(trader: Trader) -> None:
    trader.knob(enforce_pacing=True, penalty_seconds=0)

    assert trader.get("/iserver/account/orders").status == 200
    assert trader.get("/iserver/account/orders").status == 429
    assert trader.get("/iserver/account/trades").status == 200
    assert trader.get("/iserver/auth/status").status == 200


def test_whoever_breaks_the_pace_can_be_shut_out_of_everything(trader: Trader) -> None:
    trader.knob(enforce_pacing=True, penalty_seconds=600)
    trader.get("/portfolio/accounts")
    trader.get("/portfolio/accounts")

    assert trader.get("/iserver/auth/status").status == 429


def test_the_master_is_no_trading_account(trader: Trader) -> None:
    assert MASTER not in trader.get("/iserver/accounts").json["accounts"]
