"""How figures, times and spans of time are written. Pure functions to plain text; the tags in `templatetags/ui.py` dress them."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.utils import timezone

from backoffice.core.clock import NEW_YORK
from backoffice.core.money import minor_unit

MINUS = "\u2212"
NOT_KNOWN = "not known"

# Seconds after which a figure of this kind is stale (ui.md, section 5).
STALE_AFTER = {"quote": 15, "whatif": 60, "position": 300, "status": 600}

_HEADLINES = (
    (10**9, 10**9, "bn", Decimal("0.01")),
    (10**6, 10**6, "m", Decimal("0.01")),
    (10**4, 10**3, "k", Decimal("0.1")),
)


def _signed(text: str, *, plus: bool) -> str:
    if text.startswith("-"):
        # A negative amount that rounds to nothing is nothing.
        return MINUS + text[1:] if text.strip("-0.,") else text[1:]
    return f"+{text}" if plus and text.strip("0.,") else text


def amount(value: Decimal, currency: str, *, plus: bool = False) -> str:
    """Write an amount in the currency's own decimals: "1,164,183.96", "−14,210.11"; with `plus`, "+1,804.52"."""
    return _signed(f"{value.quantize(minor_unit(currency), rounding=ROUND_HALF_EVEN):,f}", plus=plus)


def whole(value: Decimal, *, plus: bool = False) -> str:
    """Write a headline without decimals: "412,806,114"."""
    return _signed(f"{value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN):,f}", plus=plus)


def short(value: Decimal, *, plus: bool = False) -> str:
    """Shorten a headline for a narrow screen: "412.81 m", "1.40 m", "48.5 k"; below 10,000 in full."""
    size = abs(value)
    for limit, divisor, unit, step in _HEADLINES:
        if size >= limit:
            scaled = (value / divisor).quantize(step, rounding=ROUND_HALF_EVEN)
            return _signed(f"{scaled:,f}", plus=plus) + "\u00a0" + unit
    return whole(value, plus=plus)


def quantity(value: Decimal, *, plus: bool = False) -> str:
    """Write units grouped, without trailing zeros: "2,940", "12.0375"."""
    text = f"{value:,f}"
    return _signed(text.rstrip("0").rstrip(".") if "." in text else text, plus=plus)


def price(value: Decimal, tick: Decimal | None = None) -> str:
    """Write a price at the instrument's tick; without one, at least two decimals and no zeros after them."""
    if tick is not None:
        return _signed(f"{value.quantize(tick, rounding=ROUND_HALF_EVEN):,f}", plus=False)
    whole_part, _, fraction = f"{value:,f}".partition(".")
    return _signed(f"{whole_part}.{fraction.rstrip('0').ljust(2, '0')}", plus=False)


def percent(value: Decimal, *, places: int = 2, plus: bool = False) -> str:
    """Write per cent; 7.28 is "7.28%"."""
    return _signed(f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN):,f}", plus=plus) + "%"


def points(value: Decimal, *, places: int = 2) -> str:
    """Write percentage points with their sign: "−0.22 pp"."""
    return _signed(f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN):,f}", plus=True) + "\u00a0pp"


def span(length: timedelta) -> str:
    """Write how long: "42 s", "11 min", "4 h 22", "1 d 3 h", "19 d"."""
    seconds = int(abs(length).total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d}" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


def day(value: date, *, today: date) -> str:
    """Write a day: "23 Nov", and with its year when that is not this one: "4 Mar 2022"."""
    text = f"{value.day} {value:%b}"
    return text if value.year == today.year else f"{text} {value.year}"


def moment(value: datetime, *, now: datetime, seconds: bool = False) -> str:
    """Write an instant in the reader's zone: today by time, else with its day."""
    here, present = timezone.localtime(value), timezone.localtime(now)
    clock_text = f"{here:%H:%M:%S}" if seconds else f"{here:%H:%M}"
    if here.date() == present.date():
        return clock_text
    return f"{day(here.date(), today=present.date())} {clock_text[:5]}"


def eastern(value: datetime) -> str:
    """Write an instant in New York's time, saying so: "23 Nov 2026 10:41:52 ET"."""
    there = value.astimezone(NEW_YORK)
    return f"{there.day} {there:%b %Y %H:%M:%S} ET"


def in_sentence(words: str) -> str:
    """Write a label inside a sentence: "At IBKR" is "at IBKR", "Form W-8BEN" is "form W-8BEN"; a name keeps its capitals."""
    return " ".join(word if sum(map(str.isupper, word)) > 1 else word.lower() for word in words.split(" "))


def fours(digits: str) -> str:
    """Group hex digits or a number in fours: "e7a1 904b d30c"."""
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
