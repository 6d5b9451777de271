from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backoffice.ibkr.windows import Closure, Service, closure, service_of, upcoming

NEW_YORK = ZoneInfo("America/New_York")
ZURICH = ZoneInfo("Europe/Zurich")
HONG_KONG = ZoneInfo("Asia/Hong_Kong")


def new_york(month: int, day: int, hour: int, minute: int = 0, *, year: int = 2026, fold: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK, fold=fold).astimezone(UTC)


def found(service: Service, at: datetime, *, region: str = "NA") -> Closure:
    closed = closure(service, at, region=region)
    assert closed is not None
    return closed


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/gw/api/v1/accounts/U1000011/status", Service.REGISTRATION),
        ("/gw/api/v1/statements", Service.REGISTRATION),
        ("/gw/api/v1/tax-documents/available", Service.REGISTRATION),
        ("/gw/api/v1/enumerations/exchange-bundles", Service.REGISTRATION),
        ("/gw/api/v1/bank-instructions%3Abulk", Service.BANKING),
        ("/gw/api/v1/client-instructions/7", Service.BANKING),
        ("/gw/api/v1/instruction-sets/7", Service.BANKING),
        ("/gw/api/v1/instructions/query", Service.BANKING),
        ("/gw/api/v1/external-cash-transfers", Service.BANKING),
        ("/gw/api/v2/external-asset-transfers", Service.BANKING),
        ("/gw/api/v1/internal-cash-transfers", Service.BANKING),
        ("/v1/api/iserver/account/U1/orders", Service.TRADING),
        ("/gw/api/v1/forms", Service.GATEWAY),
        ("/gw/api/v1/requests", Service.GATEWAY),
        ("/gw/api/v1/sso-sessions", Service.GATEWAY),
        ("/gw/api/v1/trade-confirmations", Service.GATEWAY),
        ("/gw/api/v1/balances/query", Service.GATEWAY),
        ("/gw/api/v1/echo/https", Service.GATEWAY),
        ("/oauth2/api/v1/token", Service.GATEWAY),
    ],
)
def test_each_path_belongs_to_the_service_the_documents_say(path: str, service: Service) -> None:
    assert service_of(path) is service


def test_registration_closes_for_a_minute_on_a_thursday() -> None:
    closed = found(Service.REGISTRATION, new_york(11, 26, 18, 0))

    assert (closed.begins, closed.ends) == (new_york(11, 26, 18, 0), new_york(11, 26, 18, 1))
    assert closure(Service.REGISTRATION, new_york(11, 26, 18, 1)) is None


@pytest.mark.parametrize("day", [22, 24])  # a Sunday and a Tuesday
def test_registration_closes_for_half_an_hour_on_sundays_and_tuesdays(day: int) -> None:
    closed = found(Service.REGISTRATION, new_york(11, day, 18, 20))

    assert (closed.begins, closed.ends) == (new_york(11, day, 18, 0), new_york(11, day, 18, 30))


def test_work_parks_two_minutes_before_registration_closes() -> None:
    begins = new_york(11, 26, 18, 0)

    assert closure(Service.REGISTRATION, begins - timedelta(minutes=2, seconds=1)) is None
    assert found(Service.REGISTRATION, begins - timedelta(minutes=2)).begins == begins


def test_the_guard_can_be_chosen() -> None:
    begins = new_york(11, 26, 18, 0)

    assert closure(Service.REGISTRATION, begins - timedelta(seconds=1), margin=timedelta(0)) is None
    assert closure(Service.REGISTRATION, begins - timedelta(minutes=9), margin=timedelta(minutes=10)) is not None


def test_the_bankers_weekend_is_one_closure_from_friday_night_to_sunday_afternoon() -> None:
    expected = (new_york(11, 27, 23, 45), new_york(11, 29, 15, 0))

    for at in (new_york(11, 27, 23, 43), new_york(11, 28, 0, 40), new_york(11, 28, 23, 59), new_york(11, 29, 14, 59)):
        closed = found(Service.BANKING, at)
        assert (closed.begins, closed.ends) == expected
    assert closure(Service.BANKING, new_york(11, 29, 15, 0)) is None


def test_an_ordinary_night_of_banking_crosses_midnight() -> None:
    closed = found(Service.BANKING, new_york(11, 25, 0, 10))

    assert (closed.begins, closed.ends) == (new_york(11, 24, 23, 45), new_york(11, 25, 0, 30))


def test_the_nightly_reset_is_one_closure_with_the_midnight_before_it() -> None:
    closed = found(Service.TRADING, new_york(11, 25, 0, 7))  # between the two windows, within the guard of the second

    assert (closed.begins, closed.ends) == (new_york(11, 25, 0, 0), new_york(11, 25, 1, 45))
    assert closed.reason == "IBKR ends the day's sign-ons; IBKR resets its trading system"


@pytest.mark.row(id="S09")
def test_orders_stop_a_quarter_of_an_hour_before_the_reset() -> None:
    assert closure(Service.TRADING, new_york(11, 24, 23, 44)) is None
    assert found(Service.TRADING, new_york(11, 24, 23, 45)).ends == new_york(11, 25, 1, 45)


def test_trading_is_down_from_friday_night_to_saturday_early() -> None:
    closed = found(Service.TRADING, new_york(11, 28, 2, 0))

    assert (closed.begins, closed.ends) == (new_york(11, 27, 23, 0), new_york(11, 28, 3, 0))
    assert closure(Service.TRADING, new_york(11, 28, 12, 0)) is None


def test_the_weekly_maintenance_runs_into_sundays_reset() -> None:
    closed = found(Service.TRADING, new_york(11, 28, 20, 0))

    assert (closed.begins, closed.ends) == (new_york(11, 28, 18, 0), new_york(11, 29, 1, 45))


@pytest.mark.parametrize(
    "path",
    [
        "/oauth2/api/v1/token", "/gw/api/v1/sso-sessions", "/gw/api/v1/sso-browser-sessions", "/gw/api/v1/echo/https",
        "/gw/api/v1/requests", "/gw/api/v1/forms", "/gw/api/v1/validations/usernames/x",
        "/gw/api/v1/participating-banks", "/gw/api/v1/balances/query",
    ],
)  # fmt: skip
def test_the_weekly_maintenance_closes_the_whole_web_api_and_nothing_else_closes_the_rest_of_it(path: str) -> None:
    service = service_of(path)

    assert service is Service.GATEWAY
    assert found(service, new_york(11, 28, 20, 0)).reason == "IBKR's weekly maintenance"
    assert closure(service, new_york(11, 28, 12, 0)) is None
    assert len(upcoming(service, new_york(11, 24, 12, 0))) == 1


@pytest.mark.parametrize(("region", "zone"), [("NA", NEW_YORK), ("EU", ZURICH), ("ASIA", HONG_KONG)])
def test_each_region_resets_in_its_own_night(region: str, zone: ZoneInfo) -> None:
    closed = found(Service.TRADING, datetime(2026, 11, 25, 1, 0, tzinfo=zone), region=region)

    assert closed.begins == datetime(2026, 11, 25, 0, 0, tzinfo=zone)
    assert closed.ends == datetime(2026, 11, 25, 1, 45, tzinfo=zone)
    assert closed.begins.tzinfo is UTC


@pytest.mark.row(id="S09")
def test_windows_keep_their_wall_clock_time_in_summer_and_in_winter() -> None:
    winter, summer = new_york(11, 26, 18, 0), new_york(7, 16, 18, 0)

    assert (winter.hour, summer.hour) == (23, 22)
    assert found(Service.REGISTRATION, winter).begins == winter
    assert found(Service.REGISTRATION, summer).begins == summer


@pytest.mark.row(id="S09")
def test_the_night_with_a_double_hour_is_closed_through_both_of_them() -> None:
    closed = found(Service.TRADING, new_york(11, 1, 0, 30))  # 2026-11-01: 01:00 to 02:00 happens twice

    assert closed.ends == datetime(2026, 11, 1, 6, 45, tzinfo=UTC)  # the second 01:45, in standard time
    assert found(Service.TRADING, datetime(2026, 11, 1, 6, 0, tzinfo=UTC)).ends == closed.ends
    assert closure(Service.TRADING, closed.ends) is None


@pytest.mark.row(id="S09")
def test_the_night_with_a_missing_hour_is_an_hour_shorter() -> None:
    spring = found(Service.BANKING, new_york(3, 8, 5, 0))  # 2026-03-08: 02:00 to 03:00 does not happen
    usual = found(Service.BANKING, new_york(3, 15, 5, 0))
    autumn = found(Service.BANKING, new_york(11, 1, 5, 0))

    assert usual.ends - usual.begins == timedelta(hours=39, minutes=15)
    assert usual.ends - spring.ends == timedelta(days=7)
    assert spring.ends - spring.begins == timedelta(hours=38, minutes=15)
    assert autumn.ends - autumn.begins == timedelta(hours=40, minutes=15)
    assert spring.ends == datetime(2026, 3, 8, 19, 0, tzinfo=UTC)
    assert autumn.ends == datetime(2026, 11, 1, 20, 0, tzinfo=UTC)


def test_the_two_night_changes_of_zurich_differ_from_new_yorks() -> None:
    closed = found(Service.TRADING, datetime(2026, 3, 29, 0, 30, tzinfo=ZURICH), region="EU")

    assert closed.ends == datetime(2026, 3, 29, 4, 0, tzinfo=UTC)  # New York's Saturday evening ends later
    weekday = found(Service.TRADING, datetime(2026, 3, 30, 0, 30, tzinfo=ZURICH), region="EU")
    assert weekday.ends == datetime(2026, 3, 29, 23, 45, tzinfo=UTC)


def test_the_calendar_of_a_week_lists_each_closure_once_in_order() -> None:
    week = upcoming(Service.REGISTRATION, new_york(11, 24, 12, 0))

    assert [each.begins for each in week] == [new_york(11, day, 18, 0) for day in range(24, 31)]
    assert [(each.ends - each.begins).seconds // 60 for each in week] == [30, 1, 1, 1, 6 * 60, 30, 1]


def test_the_calendar_begins_with_the_closure_that_is_running() -> None:
    first, *_ = upcoming(Service.BANKING, new_york(11, 28, 12, 0))

    assert first.begins == new_york(11, 27, 23, 45)
