"""Figures: money, amounts, quantities, prices, percentages. A figure that is not there is "not known"."""

from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.core.money import Money
from backoffice.home import formats

Number = Decimal | int | str | None
EMPTY = SafeString("")
NOT_KNOWN = SafeString(f'<span class="bo-quiet">{formats.NOT_KNOWN}</span>')


def decimal(value: Number) -> Decimal | None:
    """Return a figure, or None when it is not known. A variable that is missing in a template arrives as ""."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError(f"a figure is a Decimal or an int, not {type(value).__name__}")
    return Decimal(value)


def _direction(value: Decimal) -> str:
    return "bo-gain" if value > 0 else "bo-loss" if value < 0 else "bo-quiet"


def money(
    value: Money | Number,
    currency: str = "",
    *,
    whole: bool = False,
    short: bool = False,
    plus: bool = False,
    size: str = "",
) -> SafeString:
    """Write an amount with its currency before it, in one run that does not break."""
    if isinstance(value, Money):
        number, currency = value.amount, value.currency
    elif (found := decimal(value)) is None:
        return NOT_KNOWN
    else:
        number = found
    figure = formats.whole(number, plus=plus) if whole or short else formats.amount(number, currency, plus=plus)
    css = f"bo-money bo-money--{size}" if size else "bo-money"
    tone = f"bo-money__figure {_direction(number)}" if plus else "bo-money__figure"
    if short and (brief := formats.short(number, plus=plus)) != figure:
        figure = format_html(
            '<span class="bo-money__full">{}</span><span class="bo-money__short" aria-hidden="true">{}</span>',
            figure,
            brief,
        )
    return format_html(
        '<span class="{}"><span class="bo-money__code">{}</span>\u00a0<span class="{}">{}</span></span>',
        css,
        currency,
        tone,
        figure,
    )


def amount(value: Number, currency: str) -> SafeString:
    if (number := decimal(value)) is None:
        return NOT_KNOWN
    text = formats.amount(number, currency)
    return (
        format_html('<span class="bo-loss">{}</span>', text)
        if text.startswith(formats.MINUS)
        else format_html("{}", text)
    )


def change(value: Number, currency: str) -> SafeString:
    if (number := decimal(value)) is None:
        return NOT_KNOWN
    return format_html('<span class="{}">{}</span>', _direction(number), formats.amount(number, currency, plus=True))


def quantity(value: Number, *, plus: bool = False) -> SafeString:
    return NOT_KNOWN if (number := decimal(value)) is None else format_html("{}", formats.quantity(number, plus=plus))


def price(value: Number, tick: Number = None) -> SafeString:
    return NOT_KNOWN if (number := decimal(value)) is None else format_html("{}", formats.price(number, decimal(tick)))


def percent(value: Number, *, places: int = 2, plus: bool = False) -> SafeString:
    if (number := decimal(value)) is None:
        return NOT_KNOWN
    text = formats.percent(number, places=places, plus=plus)
    return format_html('<span class="{}">{}</span>', _direction(number), text) if plus else format_html("{}", text)


def points(value: Number, *, places: int = 2) -> SafeString:
    return NOT_KNOWN if (number := decimal(value)) is None else format_html("{}", formats.points(number, places=places))


def plural(number: int, words: str) -> str:
    """Write a count with its noun: {{ n|plural:"account,accounts" }} is "1 account", "4 accounts"."""
    one, many = words.split(",")
    return f"{number:,d} {one if number == 1 else many}"
