from datetime import UTC, date, datetime

import pytest

from backoffice.sandbox import hours


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_new_york_opens_and_closes_by_its_own_clock_in_winter_and_in_summer() -> None:
    winter, summer = hours.of("NASDAQ").day(date(2026, 11, 24)), hours.of("NYSE").day(date(2026, 7, 14))

    assert winter
    assert (winter.opens, winter.closes) == (utc(2026, 11, 24, 14, 30), utc(2026, 11, 24, 21))
    assert (winter.extended_opens, winter.extended_closes) == (utc(2026, 11, 24, 9), utc(2026, 11, 25, 1))
    assert summer
    assert (summer.opens, summer.closes) == (utc(2026, 7, 14, 13, 30), utc(2026, 7, 14, 20))


@pytest.mark.parametrize(
    ("exchange", "day"),
    [
        ("NYSE", date(2026, 11, 26)),  # Thanksgiving
        ("NYSE", date(2026, 4, 3)),  # Good Friday
        ("NASDAQ", date(2026, 7, 3)),  # Independence Day falls on a Saturday
        ("ARCA", date(2026, 11, 28)),  # a Saturday
        ("LSE", date(2026, 12, 28)),  # Boxing Day falls on a Saturday
        ("LSE", date(2026, 8, 31)),
        ("IBIS", date(2026, 12, 24)),
        ("EBS", date(2026, 5, 14)),  # Ascension
        ("SBF", date(2026, 5, 1)),
        ("TSE", date(2026, 10, 12)),
        ("IDEALPRO", date(2026, 12, 25)),
    ],
)
def test_exchanges_keep_their_holidays(exchange: str, day: date) -> None:
    assert hours.of(exchange).day(day) is None


def test_the_day_after_thanksgiving_is_short() -> None:
    friday = hours.of("NYSE").day(date(2026, 11, 27))

    assert friday
    assert (friday.closes, friday.extended_closes) == (utc(2026, 11, 27, 18), utc(2026, 11, 27, 22))


def test_a_closed_exchange_says_when_it_opens_next() -> None:
    new_york = hours.of("NYSE")
    wednesday_evening = utc(2026, 11, 25, 22)

    assert not new_york.is_open(wednesday_evening)
    assert new_york.is_open(wednesday_evening, extended=True)
    assert new_york.next_open(wednesday_evening) == utc(2026, 11, 27, 14, 30)
    assert new_york.next_close(utc(2026, 11, 24, 15)) == utc(2026, 11, 24, 21)
    assert new_york.opening_after(utc(2026, 11, 24, 14, 31)) == utc(2026, 11, 25, 14, 30)


def test_futures_and_currencies_open_on_the_evening_before() -> None:
    sunday = utc(2026, 11, 29, 23, 30)

    assert hours.of("CME").is_open(sunday)
    assert hours.of("IDEALPRO").is_open(sunday)
    assert not hours.of("IDEALPRO").is_open(utc(2026, 11, 28, 12))
