import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.ibkr import parsing
from backoffice.ibkr.parsing import MoneyText, Price
from backoffice.ibkr.types.portfolio import Position

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12)
INSTANTS = st.datetimes(min_value=datetime(2001, 9, 10), max_value=datetime(2068, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (12, Decimal(12)),
        (Decimal("1.50"), Decimal("1.50")),
        ("1,300", Decimal(1300)),
        ("1,234,567.89", Decimal("1234567.89")),
        ("-0.5", Decimal("-0.5")),
        (".5", Decimal("0.5")),
        ("2.4K", Decimal(2400)),
        ("50M", Decimal(50_000_000)),
        ("1.2B", Decimal(1_200_000_000)),
        ("1.5E3", Decimal(1500)),
        ("", None),
        ("n/a", None),
        ("None", None),
        ("???", None),
        (None, None),
    ],
)
def test_each_form_of_a_number_is_read(form: object, expected: Decimal | None) -> None:
    assert parsing.number(form) == expected


@pytest.mark.parametrize(
    "form", ["abc", "1,23", "1.2.3", ".", "1 000", "١٢", "Infinity", "1K2", True, [], Decimal("NaN")]
)
def test_what_is_not_a_number_is_refused(form: object) -> None:
    with pytest.raises(ValueError):
        parsing.number(form)


@given(DECIMALS)
def test_a_number_survives_any_of_its_plain_forms(value: Decimal) -> None:
    assert parsing.number(format(value, "f")) == value
    assert parsing.number(format(value, ",f")) == value
    assert parsing.number(value) == value


@given(st.text(max_size=30))
def test_no_text_breaks_the_readers_in_an_unexpected_way(text: str) -> None:
    for read in (parsing.number, parsing.instant, parsing.price, parsing.day, parsing.flag, parsing.percentage):
        with contextlib.suppress(ValueError):
            read(text)
    parsing.money_text(text)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("C183.20", Price(Decimal("183.20"), is_previous_close=True)),
        ("H1,300", Price(Decimal(1300), is_halted=True)),
        ("260.15", Price(Decimal("260.15"))),
        (Decimal("1.5"), Price(Decimal("1.5"))),
        ("", None),
        ("C", None),
    ],
)
def test_a_price_prefix_is_kept_as_a_flag(form: object, expected: Price | None) -> None:
    assert parsing.price(form) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("1,977.60 USD (10 Shares)", MoneyText(Decimal("1977.60"), "USD", "10 Shares")),
        ("1 USD", MoneyText(Decimal(1), "USD")),
        ("1 … 2 USD", MoneyText(Decimal(1), "USD", "", Decimal(2))),
        ("1 ... 2 USD", MoneyText(Decimal(1), "USD", "", Decimal(2))),
        ("n/a", None),
        (None, None),
    ],
)
def test_money_written_as_text_is_taken_apart(form: object, expected: MoneyText | None) -> None:
    assert parsing.money_text(form) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("20240131123456 UTC", datetime(2024, 1, 31, 12, 34, 56, tzinfo=UTC)),
        ("20240131123456", datetime(2024, 1, 31, 12, 34, 56, tzinfo=UTC)),
        (20240131123456, datetime(2024, 1, 31, 12, 34, 56, tzinfo=UTC)),
        ("20240131-12:34:56", datetime(2024, 1, 31, 12, 34, 56, tzinfo=UTC)),
        ("240131123456", datetime(2024, 1, 31, 12, 34, 56, tzinfo=UTC)),
        (1706704496, datetime(2024, 1, 31, 12, 34, 56, tzinfo=UTC)),
        (1706704496789, datetime(2024, 1, 31, 12, 34, 56, 789_000, tzinfo=UTC)),
        ("1706704496789", datetime(2024, 1, 31, 12, 34, 56, 789_000, tzinfo=UTC)),
        ("2025-11-05T00:20:06-05", datetime(2025, 11, 5, 5, 20, 6, tzinfo=UTC)),
        ("2025-11-05T00:20:06-05:00", datetime(2025, 11, 5, 5, 20, 6, tzinfo=UTC)),
        ("2025-11-05T00:20:06Z", datetime(2025, 11, 5, 0, 20, 6, tzinfo=UTC)),
        ("2024-06-12 00:00:00.0", datetime(2024, 6, 12, tzinfo=UTC)),
        ("2021-08-18 12:07:31", datetime(2021, 8, 18, 12, 7, 31, tzinfo=UTC)),
        ("2021-08-18", datetime(2021, 8, 18, tzinfo=UTC)),
        ("20210818", datetime(2021, 8, 18, tzinfo=UTC)),
        ("Tue Mar 31 00:00:00 EDT 2026", datetime(2026, 3, 31, 4, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_each_form_of_a_time_becomes_an_aware_utc_instant(form: object, expected: datetime | None) -> None:
    assert parsing.instant(form) == expected


@given(INSTANTS)
def test_an_instant_survives_each_of_its_forms(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    milliseconds = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    assert parsing.instant(whole.strftime("%Y%m%d%H%M%S") + " UTC") == whole
    assert parsing.instant(whole.strftime("%Y%m%d-%H:%M:%S")) == whole
    assert parsing.instant(whole.strftime("%y%m%d%H%M%S")) == whole
    assert parsing.instant((whole - epoch) // (whole - epoch).resolution // 1_000_000) == whole
    assert parsing.instant((milliseconds - epoch) // (whole - epoch).resolution // 1000) == milliseconds
    assert parsing.instant(moment.isoformat()) == moment
    assert parsing.instant(parsing.stamp(whole)) == whole


def test_an_id_is_text_however_it_was_written() -> None:
    assert parsing.text_id(17437897932) == "17437897932"
    assert parsing.text_id("265598") == "265598"
    assert parsing.text_id(Decimal("265598.0")) == "265598"
    for wrong in ("", True, None, Decimal("1.5"), []):
        with pytest.raises(ValueError):
            parsing.text_id(wrong)


def test_days_and_flags_are_read_in_their_forms() -> None:
    assert parsing.day("20240229") == parsing.day("2024-02-29 00:00:00.0") == parsing.day(20240229) == date(2024, 2, 29)
    assert parsing.day("") is None
    for month_or_year in ("202402", 202402, "2024"):
        with pytest.raises(ValueError, match="is not a day"):
            parsing.day(month_or_year)
    assert [parsing.flag(form) for form in (True, "T", "1", "false", 0, None)] == [True, True, True, False, False, None]


def test_a_naive_time_cannot_be_sent() -> None:
    with pytest.raises(ValueError):
        parsing.stamp(datetime(2024, 1, 1))


def test_a_number_too_long_to_be_written_out_is_neither_id_nor_time_and_stays_short_as_text() -> None:
    endless = Decimal("1e999999999")

    with pytest.raises(ValueError):
        parsing.text_id(endless)
    with pytest.raises(ValueError):
        parsing.instant(endless)
    assert Position.read({"conid": 1, "ticker": endless, "position": endless}).symbol == "1E+999999999"
