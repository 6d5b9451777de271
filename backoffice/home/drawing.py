"""Small drawings as SVG with attributes only: the content policy forbids inline styles.

Coordinates are Decimals written to two places. Colours come from classes, so both themes hold.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from backoffice.home.formats import quantity

_SHAPES = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_FRAME = '<path stroke="none" d="M0 0h24v24H0z" fill="none" />'


@lru_cache(maxsize=512)
def _icon_shapes(name: str) -> SafeString | None:
    path = Path(settings.BASE_DIR) / "static" / "vendor" / "icons" / f"{name}.svg"
    try:
        found = _SHAPES.search(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return mark_safe(" ".join(found[1].replace(_FRAME, "").split()) if found else "")  # noqa: S308 (third-party file installed by hash)


def icon(name: str, size: int = 16, label: str = "", extra: str = "") -> SafeString:
    """Return one icon inline. A name that set-up did not install leaves its place empty."""
    shapes = _icon_shapes(name) or SafeString("")
    access = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="bo-icon{}" width="{}" height="{}" viewBox="0 0 24 24" {}>{}</svg>',
        f" {extra}" if extra else "",
        size,
        size,
        access,
        shapes,
    )


def _number(value: Decimal | int) -> str:
    text = f"{Decimal(value):.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _part(value: Decimal | int, total: Decimal | int) -> Decimal:
    """Return `value` as a part of `total` on a scale of 100, held inside it."""
    if not total or total < 0:
        return Decimal(0)
    return min(max(Decimal(value) * 100 / Decimal(total), Decimal(0)), Decimal(100))


def _rect(css: str, x: Decimal | int, y: Decimal | int, width: Decimal | int, height: Decimal | int) -> SafeString:
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>', css, *map(_number, (x, y, width, height))
    )


def seal(digest: str) -> SafeString:
    """Draw the first ten hex digits as ten bars, 1 to 16 parts high."""
    bars = SafeString("")
    for place, digit in enumerate(digest[:10]):
        height = Decimal(int(digit, 16) + 2) * 12 / 17
        bars += _rect("bo-seal__bar", Decimal(place) * Decimal("4.2"), 12 - height, 3, height)
    return format_html(
        '<svg class="bo-seal__bars" width="42" height="12" viewBox="0 0 42 12" aria-hidden="true">{}</svg>', bars
    )


def ring(part: Decimal, state: str) -> SafeString:
    """Draw the clock of a target: `part` of 1 used; past it ("over") a filled disc with an exclamation mark."""
    if state == "over":
        inside = SafeString(
            '<circle class="bo-ring__disc" cx="9" cy="9" r="8"/><path class="bo-ring__mark" d="M9 5v4.6M9 12.6v.2"/>'
        )
    else:
        inside = format_html(
            '<circle class="bo-ring__track" cx="9" cy="9" r="6.6"/><circle class="bo-ring__part" cx="9" cy="9" r="6.6" '
            'pathLength="100" stroke-dasharray="{} 100" transform="rotate(-90 9 9)"/>',
            _number(_part(part, 1)),
        )
    return format_html(
        '<svg class="bo-ring__face" width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">{}</svg>', inside
    )


def _spoken(number: Decimal | int) -> str:
    return quantity(Decimal(number))


def bar(
    value: Decimal | int,
    total: Decimal | int,
    *,
    tone: str = "accent",
    failed: Decimal | int = 0,
    tick: Decimal | int | None = None,
    label: str = "",
) -> SafeString:
    """Draw a part of a whole; `failed` is a red end of it, `tick` a mark at that per cent of the whole."""
    filled, broken = _part(value, total), _part(failed, total)
    if broken and broken < 1:
        broken = Decimal(1)  # a single failure must be visible
    parts = _rect(f"bo-bar__part bo-fill--{tone}", 0, 0, max(filled - broken, Decimal(0)), 8)
    if broken:
        parts += _rect("bo-bar__part bo-fill--bad", max(filled - broken, Decimal(0)), 0, broken, 8)
    mark = SafeString("")
    if tick is not None:
        mark = _rect("bo-bar__tick", min(Decimal(tick), Decimal(99)), 0, 1, 8)
    name = (
        format_html('role="img" aria-label="{}: {} of {}"', label, _spoken(value), _spoken(total))
        if label
        else SafeString('aria-hidden="true"')
    )
    return format_html(
        '<svg class="bo-bar" viewBox="0 0 100 8" preserveAspectRatio="none" {}>{}{}</svg>', name, parts, mark
    )


def shares(values: Sequence[Decimal]) -> SafeString:
    """Draw a divided bar in the chart's order of colours, gaps between the parts."""
    total = sum(values, Decimal(0))
    position, parts = Decimal(0), SafeString("")
    gap = Decimal("0.5")
    for place, value in enumerate(values):
        width = _part(value, total)
        if width:
            parts += _rect(f"bo-chart-{min(place, 5) + 1}", position, 0, max(width - gap, Decimal("0.3")), 20)
        position += width
    return format_html(
        '<svg class="bo-shares__bar" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">{}</svg>', parts
    )


def allocation(before: Decimal, after: Decimal, target: Decimal | None, scale: Decimal) -> SafeString:
    """Draw a weight before (c3) and after (accent when it grew, hollow when it shrank), with a tick at the target."""
    low, high = sorted((_part(before, scale), _part(after, scale)))
    inside = _rect("bo-allocation__track", 0, 3, 100, 8) + _rect("bo-chart-3", 0, 4, low, 6)
    inside += _rect("bo-allocation__gain" if after >= before else "bo-allocation__loss", low, 4, high - low, 6)
    if target is not None:
        inside += _rect("bo-allocation__target", min(_part(target, scale), Decimal(98)), 0, 2, 14)
    return format_html(
        '<svg class="bo-allocation" viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">{}</svg>', inside
    )


def line_chart(values: Sequence[Decimal], against: Sequence[Decimal] = (), label: str = "") -> SafeString:
    """Draw one line, and a dashed one to compare, over the same scale."""
    everything = [*values, *against]
    low, high = min(everything), max(everything)
    height = (high - low) or Decimal(1)

    def path(points: Sequence[Decimal]) -> str:
        step = Decimal(400) / max(len(points) - 1, 1)
        return " ".join(
            f"{_number(step * place)},{_number(92 - (point - low) * 84 / height)}" for place, point in enumerate(points)
        )

    grid = format_html_join("", '<path class="bo-line__grid" d="M0 {}H400"/>', ((y,) for y in (8, 50, 92)))
    second = (
        format_html('<polyline class="bo-line__against" points="{}"/>', path(against)) if against else SafeString("")
    )
    end = _number(92 - (values[-1] - low) * 84 / height)
    return format_html(
        '<svg class="bo-line" viewBox="0 0 404 100" preserveAspectRatio="none" role="img" aria-label="{}">{}{}'
        '<polyline class="bo-line__main" points="{}"/><circle class="bo-line__end" cx="400" cy="{}" r="3"/></svg>',
        label,
        grid,
        second,
        path(values),
        end,
    )
