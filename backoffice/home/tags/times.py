"""Times: moments, stamps, chips that count, the ring of a target."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.core import clock
from backoffice.home import drawing, formats
from backoffice.home.tags.figures import EMPTY, NOT_KNOWN
from backoffice.home.tags.marks import TONE_ICONS


def _time(when: datetime, text: str, more: str = "") -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}{}">{}</time>', when.isoformat(), formats.eastern(when), more, text
    )


def moment(when: datetime | str | None, *, seconds: bool = False) -> SafeString:
    if not isinstance(when, datetime):
        return NOT_KNOWN
    return _time(when, formats.moment(when, now=clock.now(), seconds=seconds))


def day(value: date | str | None) -> SafeString:
    if not isinstance(value, date):
        return NOT_KNOWN
    return format_html(
        '<time datetime="{}">{}</time>', value.isoformat(), formats.day(value, today=timezone.localdate(clock.now()))
    )


def stamp(
    when: datetime | date | str | None,
    *,
    kind: str = "status",
    stale_after: int | None = None,
    coverage: str = "",
    complete: bool = True,
    source: str = "IBKR",
    closed: bool = False,
    prefix: str = "",
    note: str = "",
) -> SafeString:
    """Say when a figure was true: filled dot fresh, ring stale, square a closed day. Turns stale by itself."""
    if not isinstance(when, date):
        return format_html('<span class="bo-stamp bo-stamp--stale">{}</span>', "never read")
    tail = f", {coverage}" if coverage else ""
    if closed or not isinstance(when, datetime):
        closing = when.astimezone(clock.NEW_YORK).date() if isinstance(when, datetime) else when
        text = formats.day(closing, today=clock.today(clock.NEW_YORK))
        return format_html('<span class="bo-stamp bo-stamp--closed">Close of {}{}</span>', text, tail)
    now = clock.now()
    limit = formats.STALE_AFTER[kind] if stale_after is None else stale_after
    is_stale = not complete or now - when > timedelta(seconds=limit)
    hover = f", {source}; stale after {formats.span(timedelta(seconds=limit))}" + (f"; {note}" if note else "")
    return format_html(
        '<span class="bo-stamp{}" tabindex="0" data-bo-stale-at="{}">{}{}{}</span>',
        " bo-stamp--stale" if is_stale else "",
        (when + timedelta(seconds=limit)).isoformat(),
        f"{prefix} " if prefix else "",
        _time(when, formats.moment(when, now=now, seconds=True), hover),
        tail,
    )


def _chip(tone: str, name: str, text: str | SafeString, attributes: str | SafeString = "") -> SafeString:
    return format_html(
        '<span class="bo-chip bo-chip--{}"{}>{}<span class="bo-chip__words">{}</span></span>',
        tone,
        attributes,
        drawing.icon(name, 14),
        text,
    )


def chip(words: str, *, tone: str = "neutral", icon: str = "clock") -> SafeString:
    return _chip(tone, icon, words)


def clock_chip(
    until: datetime | str | None, *, words: str = "", total: int = 0, over: str = "over", icon: str = "clock"
) -> SafeString:
    """Count down to `until`. Plain over 24 h, waiting under that or in the last quarter of `total` seconds, bad when past."""
    if not isinstance(until, datetime):
        return EMPTY
    left = until - clock.now()
    if left < timedelta(0):
        tone, name, text = "bad", "alert-triangle", f"{formats.span(left)} {over}"
    else:
        near = left < timedelta(hours=24) or (total > 0 and left * 4 < timedelta(seconds=total))
        tone, name = ("wait" if near else "neutral"), icon
        text = f"{words} {formats.span(left)}" if words else f"{formats.span(left)} left"
    attributes = format_html(
        ' role="timer" title="{}" data-bo-until="{}" data-bo-words="{}" data-bo-over="{}" data-bo-total="{}"',
        formats.eastern(until), until.isoformat(), words, over, total,
    )  # fmt: skip
    return _chip(tone, name, text, attributes)


def age_chip(since: datetime | str | None, *, words: str = "", tone: str = "neutral", icon: str = "") -> SafeString:
    """Count up from `since`: "Unknown 11 min"."""
    if not isinstance(since, datetime):
        return EMPTY
    text = f"{words} {formats.span(clock.now() - since)}".strip()
    attributes = format_html(
        ' title="since {}" data-bo-since="{}" data-bo-words="{}"', formats.eastern(since), since.isoformat(), words
    )
    return _chip(tone, icon or TONE_ICONS["unknown" if tone == "unknown" else "wait"], text, attributes)


def ring(elapsed: int, target: int) -> SafeString:
    """Draw the time used of a target, in seconds, with the time in words; the words go on while the page is open."""
    state = "over" if elapsed > target else "near" if elapsed * 10 >= target * 7 else "plain"
    words = formats.span(timedelta(seconds=elapsed))
    goal = formats.span(timedelta(seconds=target))
    return format_html(
        '<span class="bo-ring bo-ring--{}" title="target {}">{}<span data-bo-since="{}">{}</span>'
        '<span class="bo-hidden"> of {}</span></span>',
        state, goal, drawing.ring(Decimal(elapsed) / Decimal(target or 1), state),
        (clock.now() - timedelta(seconds=elapsed)).isoformat(), words, goal,
    )  # fmt: skip
