"""Marks: icons, badges, seals, people, accounts, bars, and IBKR's words."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from backoffice.audit.reasons import REVEAL_REASONS
from backoffice.home import drawing, formats
from backoffice.home.parts import Share
from backoffice.home.registry import StateBarItem
from backoffice.home.tags.figures import EMPTY, NOT_KNOWN, Number, decimal

TONE_ICONS = {
    "neutral": "circle-dashed",
    "info": "loader-2",
    "wait": "clock",
    "good": "check",
    "bad": "x",
    "unknown": "help-hexagon",
    "accent": "world",
}


def icon(name: str, size: int = 16, *, label: str = "", css: str = "") -> SafeString:
    return drawing.icon(name, size, label, css)


def badge(tone: str, word: str, icon: str = "", *, raw: str = "") -> SafeString:
    """Show a status: icon, our word, tone; IBKR's raw word beside it in mono."""
    tail = format_html(' <span class="bo-raw">IBKR: {}</span>', raw) if raw else EMPTY
    return format_html(
        '<span class="bo-badge bo-badge--{}">{}<span>{}</span></span>{}',
        tone,
        drawing.icon(icon or TONE_ICONS[tone], 14),
        word,
        tail,
    )


def count(number: int, *, tone: str = "neutral") -> SafeString:
    return format_html('<span class="bo-count bo-count--{}">{}</span>', tone, number)


def seal(digest: str, *, digits: int = 12) -> SafeString:
    if not digest:
        return NOT_KNOWN
    return format_html(
        '<span class="bo-seal" title="SHA-256 {}">{}<span class="bo-mono">{}</span></span>',
        digest, drawing.seal(digest), formats.fours(digest[:digits]),
    )  # fmt: skip


def person(user: Any, *, named: bool = False) -> SafeString:
    """Show who: initials in a circle; nobody is a dash."""
    name, initials = (user.name, user.initials) if user else ("nobody", "\u2013")
    css = "bo-person" if user else "bo-person bo-person--nobody"
    circle = format_html(
        '<span class="{}" title="{}"><span aria-hidden="true">{}</span><span class="bo-hidden">{}</span></span>',
        css,
        name,
        initials,
        name,
    )
    return format_html("{} <span>{}</span>", circle, name) if named else circle


def account(number: str, *, copy: bool = False) -> SafeString:
    text = format_html('<span class="bo-mono bo-account">{}</span>', number or "none yet")
    if not (copy and number):
        return text
    button = format_html(
        '<button type="button" class="bo-icon-button" data-bo-copy="{}" aria-label="Copy {}">{}</button>',
        number,
        number,
        drawing.icon("copy", 14),
    )
    return text + button


def masked(last4: str, url: str = "", *, label: str = "") -> SafeString:
    """Show the last four only; the eye asks why, then the server, which writes that down before it answers."""
    if not last4:
        return NOT_KNOWN
    context = {"last4": last4, "url": url, "label": label, "reasons": REVEAL_REASONS}
    return SafeString(render_to_string("components/masked.html", context))


def bar(
    value: Number, total: Number, *, tone: str = "accent", failed: Number = 0, tick: Number = None, label: str = ""
) -> SafeString:
    return drawing.bar(
        decimal(value) or 0,
        decimal(total) or 0,
        tone=tone,
        failed=decimal(failed) or 0,
        tick=decimal(tick),
        label=label,
    )


def shares_bar(shares: Iterable[Share]) -> SafeString:
    parts = list(shares)
    rows = format_html_join(
        "",
        '<li><svg width="9" height="9" aria-hidden="true"><rect class="bo-chart-{}" width="9" height="9" rx="2"/></svg>'
        "<span>{}</span><span>{}</span><b>{}</b></li>",
        (
            (
                min(place, 5) + 1,
                share.label,
                share.text,
                "" if share.percent is None else formats.percent(share.percent, places=1),
            )
            for place, share in enumerate(parts)
        ),
    )
    return format_html(
        '<div class="bo-shares">{}<ul>{}</ul></div>', drawing.shares([share.value for share in parts]), rows
    )


def allocation_bar(before: Number, after: Number, target: Number = None, *, scale: Number = None) -> SafeString:
    old, new, goal = decimal(before) or Decimal(0), decimal(after) or Decimal(0), decimal(target)
    full = decimal(scale) or max(old, new, goal or Decimal(0)) * Decimal("1.3") or Decimal(1)
    return drawing.allocation(old, new, goal, full)


def line_chart(values: Sequence[Decimal], *, against: Sequence[Decimal] = (), label: str = "") -> SafeString:
    return drawing.line_chart(values, against or (), label) if values else NOT_KNOWN


def ibkr_words(text: str, *, large: bool = False, source: str = "") -> SafeString:
    """Set what IBKR said, word for word. Always escaped: it is text from outside."""
    if not text:
        return EMPTY
    tail = format_html("<footer>{}</footer>", source) if source else EMPTY
    return format_html(
        '<blockquote class="bo-words{}"><p>{}</p>{}</blockquote>', " bo-words--large" if large else "", str(text), tail
    )


def ibkr_quote(text: str) -> SafeString:
    return format_html('<q class="bo-quote">{}</q>', str(text)) if text else EMPTY


def side(word: str) -> SafeString:
    """Write Buy or Sell in its colour, whichever way IBKR or we spelled it."""
    is_sell = word.upper().startswith("S")
    return format_html(
        '<span class="bo-side--{}">{}</span>', "sell" if is_sell else "buy", "Sell" if is_sell else "Buy"
    )


def worst(items: Iterable[StateBarItem]) -> StateBarItem | None:
    """Pick what a narrow screen says of the state bar: the worst item, or the first when all is well."""
    ranks = {"bad": 0, "unknown": 1, "wait": 2}
    return min(items, key=lambda item: ranks.get(item.tone, 3), default=None)
