"""The one module that knows IBKR's many forms of numbers, times and ids.

The functions named for a thing (`number`, `instant`, ...) raise ValueError for what they cannot read; the
annotated types at the end, used by the answer models, turn the unreadable into None, because a new form in
one field is news to be recorded, not a reason to lose the whole answer.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic_core import core_schema

_LONGEST_WRITTEN = 100  # digits before or after the point
_SHORTEST_EPOCH = 9  # digits of a day in seconds since 1970: from 1973 on
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABSENT = frozenset({"", "n/a", "none", "null", "nan", "-", "???"})
_SCALES = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_NUMBER = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+|(?=\.))(\.\d*)?(?:[eE]([+-]?\d{1,2}))?([KMB]?)")
_MONEY_TEXT = re.compile(
    r"(?P<amount>[+-]?[\d,.]+[KMB]?)(?: [.…]+ (?P<upper>[\d,.]+))? (?P<currency>[A-Z]{3})(?: \((?P<note>[^)]*)\))?"
)
_ZONED = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (E[SD]T|UTC|GMT) (\d{4})")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: index for index, name in enumerate(_MONTH_NAMES, 1)}


@dataclass(frozen=True, slots=True)
class Price:
    """A market price and what its prefix said: `C` yesterday's close (not live), `H` trading halted."""

    value: Decimal
    is_previous_close: bool = False
    is_halted: bool = False


@dataclass(frozen=True, slots=True)
class MoneyText:
    """A figure IBKR wrote as text, such as "1,977.60 USD (10 Shares)"; for display, never for limits."""

    amount: Decimal
    currency: str
    note: str = ""
    upper: Decimal | None = None  # the other end of a range such as "1 ... 2 USD"


def text_id(value: object) -> str:
    """Return an id as text, whether IBKR wrote it as a number or as text. Raises ValueError for anything else."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal) and _is_short(value) and value == value.to_integral_value():
        return format(value.to_integral_value(), "f")
    raise ValueError(f"{value!r} is not an id")


def number(value: object) -> Decimal | None:
    """Return a number from a JSON number or from text such as "1,300", "50M" or "-0.5"; None for "", "n/a" and the like."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value!r} is not a number")
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a number")
    if value.isdigit() and value.isascii():  # the usual case of a number in quotes, by far the quickest to read
        return Decimal(value)
    text = value.strip()
    if text.lower() in _ABSENT:
        return None
    match = _NUMBER.fullmatch(text)
    if match is None or not text.isascii():
        raise ValueError(f"{value!r} is not a number")
    sign, whole, fraction, exponent, scale = match.groups(default="")
    digits = f"{sign}{whole.replace(',', '') or '0'}{fraction if fraction != '.' else ''}"
    if not whole and fraction in ("", "."):
        raise ValueError(f"{value!r} is not a number")
    try:
        return Decimal(f"{digits}E{exponent}" if exponent else digits) * _SCALES[scale]
    except InvalidOperation as problem:
        raise ValueError(f"{value!r} is not a number") from problem


def percentage(value: object) -> Decimal | None:
    """Return "0.54%" as 0.54 (in per cent); a bare number is taken as per cent already."""
    if isinstance(value, str):
        return number(value.strip().removesuffix("%").rstrip())
    return number(value)


def price(value: object) -> Price | None:
    """Return a price with its flags from text such as "C183.20", "H1,300" or "260.15"; None when there is none."""
    if isinstance(value, str) and value[:1] in ("C", "H"):
        amount = number(value[1:])
        if amount is None:
            return None
        return Price(amount, is_previous_close=value[0] == "C", is_halted=value[0] == "H")
    amount = number(value)
    return None if amount is None else Price(amount)


def money_text(value: object) -> MoneyText | None:
    """Return "1,977.60 USD (10 Shares)" in its parts; None for absent or unreadable text."""
    if not isinstance(value, str) or (match := _MONEY_TEXT.fullmatch(value.strip())) is None:
        return None
    amount, upper = number(match["amount"]), number(match["upper"])
    return None if amount is None else MoneyText(amount, match["currency"], match["note"] or "", upper)


def instant(value: object) -> datetime | None:
    """Return an aware UTC datetime from any of IBKR's forms; None for an absent one.

    Understood: epoch seconds (up to 11 digits) and milliseconds (13), "YYYYMMDDHHMMSS" with or without " UTC",
    "YYYYMMDD-hh:mm:ss", "YYMMDDhhmmss", ISO 8601 with "Z", "-05" or "-05:00", "YYYY-MM-DD[ hh:mm:ss[.f]]" and
    "Tue Mar 31 00:00:00 EDT 2026". A form without a zone is UTC, as IBKR documents for its trading times.
    """
    if value is None:
        return None
    if type(value) is int:
        return _from_digits(str(value), value)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a time")
    if isinstance(value, Decimal) and _is_short(value) and value == value.to_integral_value():
        return _from_digits(str(int(value)), int(value))
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a time")
    text = value.strip()
    if text.lower() in _ABSENT:
        return None
    bare = text.removesuffix(" UTC").removesuffix(" GMT").rstrip()
    if bare.isascii() and bare.isdigit():
        return _from_digits(bare, int(bare))
    if (zoned := _ZONED.fullmatch(text)) is not None:
        return _from_zoned(zoned)
    if re.fullmatch(r"\d{8}-\d\d:\d\d:\d\d", bare):
        return _strictly(bare, "%Y%m%d-%H:%M:%S")
    try:
        parsed = datetime.fromisoformat(bare)
    except ValueError as problem:
        raise ValueError(f"{value!r} is not a time") from problem
    try:
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except OverflowError as problem:
        raise ValueError(f"{value!r} is not a time") from problem


def day(value: object) -> date | None:
    """Return a calendar day from "YYYYMMDD", "YYYY-MM-DD" or a full time stamp's day; None for an absent one."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _ABSENT:
            return None
        if re.fullmatch(r"\d{8}|\d{4}-\d\d-\d\d(?:[ T].*)?", text):
            return date.fromisoformat(text[:8] if "-" not in text else text[:10])
    if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) == 8:
        return date.fromisoformat(str(value))
    if len(str(value)) < _SHORTEST_EPOCH and str(value).isdigit():
        raise ValueError(f"{value!r} is not a day")  # a month or a year, which as seconds would be one of January 1970
    moment = instant(value)
    return None if moment is None else moment.date()


def flag(value: object) -> bool | None:
    """Return a truth value from true/false, 1/0, "T"/"F", "Y"/"N" or "true"/"false"; None when absent."""
    if value is None or isinstance(value, bool):
        return value
    match str(value).strip().lower():
        case "true" | "t" | "1" | "y" | "yes":
            return True
        case "false" | "f" | "0" | "n" | "no":
            return False
        case "" | "none" | "null":
            return None
    raise ValueError(f"{value!r} is neither true nor false")


def stamp(moment: datetime) -> int:
    """Return an aware instant in the 14-digit form IBKR's document fields want (UTC), as a number that needs 64 bits."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone cannot be sent to IBKR.")
    return int(moment.astimezone(UTC).strftime("%Y%m%d%H%M%S"))


def _is_short(value: Decimal) -> bool:
    """Whether a number can be written out: JSON can say 1e999999999 in eleven letters."""
    return value.is_finite() and abs(value.adjusted()) < _LONGEST_WRITTEN


def _from_digits(text: str, whole: int) -> datetime:
    match len(text):
        case 14:
            return _strictly(text, "%Y%m%d%H%M%S")
        case 12:
            return _strictly(text, "%y%m%d%H%M%S")
        case 13:
            return _EPOCH + timedelta(milliseconds=whole)
        case 8 if text.startswith(("19", "20")):
            return datetime.combine(date.fromisoformat(text), time.min, tzinfo=UTC)
        case length if length <= 11 and whole >= 0:
            return _EPOCH + timedelta(seconds=whole)
    raise ValueError(f"{text!r} is not a time")


def _from_zoned(match: re.Match[str]) -> datetime:
    month, day_of_month, hour, minute, second, zone, year = match.groups()
    if month not in _MONTHS:
        raise ValueError(f"{match[0]!r} is not a time")
    offsets = {"EST": timedelta(hours=5), "EDT": timedelta(hours=4)}
    local = datetime(int(year), _MONTHS[month], int(day_of_month), int(hour), int(minute), int(second), tzinfo=UTC)
    return local + offsets.get(zone, timedelta(0))


def _strictly(text: str, form: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How pydantic reads a field: None and what the `usual` schemas take without Python, anything else by `read`.

    What `read` makes of a value needs no second look. A page of an answer has thousands of values, most of them usual
    ones, and those never leave pydantic's own code.
    """

    read: Callable[[object], object]
    usual: tuple[core_schema.CoreSchema, ...] = ()
    is_nullable: bool = True
    is_lenient: bool = True

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> core_schema.CoreSchema:
        read = core_schema.no_info_plain_validator_function(self._leniently if self.is_lenient else self.read)
        absent = (core_schema.none_schema(),) if self.is_nullable else ()
        return core_schema.union_schema([*self.usual[:1], *absent, *self.usual[1:], read], mode="left_to_right")

    def _leniently(self, value: object) -> object:
        try:
            return self.read(value)
        except (ValueError, OverflowError):
            return None


def _plain_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | list | tuple | dict):
        return ""
    return format(value, "f") if isinstance(value, Decimal) and _is_short(value) else str(value)


_TEXT = core_schema.str_schema(strict=True)
_NAME = core_schema.str_schema(strict=True, strip_whitespace=True, min_length=1)
_WHOLE_AS_TEXT = core_schema.chain_schema(
    [core_schema.int_schema(strict=True), core_schema.str_schema(coerce_numbers_to_str=True)]
)
_DECIMAL = core_schema.is_instance_schema(Decimal)

Text = Annotated[str, _Reading(_plain_text, (_TEXT,), is_nullable=False)]
OptionalId = Annotated[str | None, _Reading(text_id, (_NAME, _WHOLE_AS_TEXT))]
Id = Annotated[str, _Reading(text_id, (_WHOLE_AS_TEXT, _NAME), is_nullable=False, is_lenient=False)]
Number = Annotated[Decimal | None, _Reading(number, (_DECIMAL,))]
Percentage = Annotated[Decimal | None, _Reading(percentage)]
MarketPrice = Annotated[Price | None, _Reading(price)]
Amount = Annotated[MoneyText | None, _Reading(money_text)]
Instant = Annotated[datetime | None, _Reading(instant)]
Day = Annotated[date | None, _Reading(day)]
Flag = Annotated[bool | None, _Reading(flag)]
