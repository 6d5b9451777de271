"""Exact texts of figures and times, as ui.md section 5 says them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.template import Context, Template

from backoffice.core.money import Money
from backoffice.home import formats, market_hours
from backoffice.home.templatetags import ui

NOW = datetime(2026, 11, 24, 15, 42, 16, tzinfo=UTC)


def render(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


def text_of(markup: str) -> str:
    from django.utils.html import strip_tags

    return " ".join(strip_tags(markup).replace("\u00a0", " ").split())


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("{% money v 'USD' %}", Decimal("48500"), "USD 48,500.00"),
        ("{% money v 'JPY' %}", Decimal("48500.4"), "JPY 48,500"),
        ("{% money v 'USD' whole=True %}", Decimal("412806114.22"), "USD 412,806,114"),
        ("{% money v 'USD' plus=True whole=True %}", Decimal("1402118"), "USD +1,402,118"),
        ("{% amount v 'USD' %}", Decimal("1164183.96"), "1,164,183.96"),
        ("{% amount v 'USD' %}", Decimal("-14210.11"), "−14,210.11"),
        ("{% amount v 'USD' %}", Decimal("-0.001"), "0.00"),
        ("{% change v 'USD' %}", Decimal("1804.52"), "+1,804.52"),
        ("{% change v 'USD' %}", Decimal("0"), "0.00"),
        ("{% quantity v %}", Decimal("2940.0000"), "2,940"),
        ("{% quantity v %}", Decimal("12.037500"), "12.0375"),
        ("{% quantity v %}", Decimal("0"), "0"),
        ("{% quantity v %}", 1200, "1,200"),
        ("{% price v %}", Decimal("231.4175"), "231.4175"),
        ("{% price v %}", Decimal("128.4"), "128.40"),
        ("{% percent v %}", Decimal("7.284"), "7.28%"),
        ("{% percent v plus=True %}", Decimal("3.29"), "+3.29%"),
        ("{% points v %}", Decimal("-0.22"), "−0.22 pp"),
        ("{% points v %}", Decimal("0.05"), "+0.05 pp"),
        ("{% side v %}", "SELL", "Sell"),
        ("{% side v %}", "BUY", "Buy"),
        ("{{ v|plural:'account,accounts' }}", 1, "1 account"),
        ("{{ v|plural:'account,accounts' }}", 1200, "1,200 accounts"),
        ("{{ v|in_sentence }}", "At IBKR", "at IBKR"),
        ("{{ v|in_sentence }}", "Proof of Address", "proof of address"),
        ("{{ v|in_sentence }}", "Form W-8BEN", "form W-8BEN"),
    ],
)
def test_a_figure_is_written_exactly_so(source: str, value: object, expected: str) -> None:
    assert text_of(render(source, v=value)) == expected


@pytest.mark.parametrize("tag", ["money v 'USD'", "amount v 'USD'", "quantity v", "price v", "percent v", "points v"])
def test_a_missing_figure_is_said_to_be_not_known(tag: str) -> None:
    assert text_of(render(f"{{% {tag} %}}", v=None)) == "not known"
    assert text_of(render(f"{{% {tag} %}}")) == "not known"


def test_a_float_is_refused() -> None:
    with pytest.raises(TypeError, match="a figure is a Decimal"):
        render("{% amount v 'USD' %}", v=1.5)


def test_money_carries_its_own_currency() -> None:
    assert text_of(render("{% money v %}", v=Money(Decimal("5"), "EUR"))) == "EUR 5.00"


def test_a_headline_is_shortened_only_for_the_eye() -> None:
    markup = render("{% money v 'USD' short=True %}", v=Decimal("412806114"))

    assert '<span class="bo-money__full">412,806,114</span>' in markup
    assert '<span class="bo-money__short" aria-hidden="true">412.81\u00a0m</span>' in markup


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(42, "42 s"), (660, "11 min"), (15720, "4 h 22"), (18000, "5 h"), (97200, "1 d 3 h"), (1641600, "19 d")],
)
def test_a_span_is_written_in_two_units_at_most(seconds: int, expected: str) -> None:
    assert formats.span(timedelta(seconds=seconds)) == expected


def test_a_moment_is_a_time_today_a_day_this_year_and_has_its_year_before_that() -> None:
    assert formats.moment(NOW - timedelta(hours=5), now=NOW) == "10:42"
    assert formats.moment(NOW - timedelta(hours=5), now=NOW, seconds=True) == "10:42:16"
    assert formats.moment(datetime(2026, 11, 19, 9, 5, tzinfo=UTC), now=NOW) == "19 Nov 09:05"
    assert formats.moment(datetime(2022, 3, 4, 9, 0, tzinfo=UTC), now=NOW) == "4 Mar 2022 09:00"
    assert formats.eastern(NOW) == "24 Nov 2026 10:42:16 ET"


def test_a_stamp_turns_stale_after_the_limit_of_its_kind() -> None:
    with time_machine.travel(NOW, tick=False):
        fresh = render("{% stamp v kind='position' coverage='all 3 fresh' %}", v=NOW - timedelta(minutes=4))
        stale = render("{% stamp v kind='position' %}", v=NOW - timedelta(minutes=6))
        partial = render("{% stamp v complete=False coverage='212 of 214' %}", v=NOW)
        closed = render("{% stamp v %}", v=date(2026, 11, 23))

    assert "bo-stamp--stale" not in fresh
    assert text_of(fresh) == "15:38:16, all 3 fresh"
    assert "bo-stamp--stale" in stale
    assert "bo-stamp--stale" in partial
    assert text_of(closed) == "Close of 23 Nov"
    assert "bo-stamp--closed" in closed


@pytest.mark.parametrize(
    ("left", "expected", "tone"),
    [
        (timedelta(days=2, hours=3), "Cut-off in 2 d 3 h", "neutral"),
        (timedelta(hours=5, minutes=17), "Cut-off in 5 h 17", "wait"),
        (timedelta(hours=-28), "1 d 4 h over", "bad"),
    ],
)
def test_a_clock_chip_counts_down_and_then_says_how_far_over(left: timedelta, expected: str, tone: str) -> None:
    with time_machine.travel(NOW, tick=False):
        markup = render("{% clock_chip v words='Cut-off in' %}", v=NOW + left)

    assert text_of(markup) == expected
    assert f"bo-chip--{tone}" in markup


def test_a_seal_shows_ten_bars_and_the_digits_in_fours() -> None:
    markup = render("{% seal v digits=8 %}", v="e7a1904bd30c" + "0" * 52)

    assert markup.count("bo-seal__bar ") + markup.count('bo-seal__bar"') == 10
    assert text_of(markup) == "e7a1 904b"


@pytest.mark.row(id="Z06")
def test_ibkr_words_are_never_read_as_markup() -> None:
    markup = render("{% ibkr_words v %}{% ibkr_quote v %}{% badge 'info' v raw=v %}", v="<b>bold</b> & co")

    assert "<b>bold" not in markup
    assert markup.count("&lt;b&gt;bold&lt;/b&gt; &amp; co") == 4


@pytest.mark.row(id="Z06")
def test_a_note_keeps_what_its_caller_wrote_and_escapes_what_ibkr_said() -> None:
    markup = render("{% note 'bad' 'Refused.' words=w %}<p>{{ t }}</p>{% endnote %}", w="<i>no</i>", t="<u>")

    assert "<p>&lt;u&gt;</p>" in markup
    assert "&lt;i&gt;no&lt;/i&gt;" in markup


def test_every_icon_named_in_the_frame_is_on_the_list_set_up_copies() -> None:
    import re
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    listed = {line for line in (root / "static/icons.txt").read_text().split() if line}
    used: set[str] = set()
    for path in [*root.glob("templates/**/*.html")]:
        used |= set(re.findall(r'{% icon "([\w-]+)"', path.read_text()))

    assert used <= listed, used - listed
    assert "message-question" in used


def test_the_guide_of_the_tags_names_every_tag() -> None:
    for name in ui.register.tags:
        assert f"{{% {name} " in (ui.__doc__ or ""), name


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        (date(2026, 11, 26), None),  # Thanksgiving
        (date(2026, 11, 27), market_hours.CLOSES_EARLY),
        (date(2026, 4, 3), None),  # Good Friday
        (date(2027, 3, 26), None),  # Good Friday
        (date(2026, 7, 3), None),  # Independence Day kept on Friday
        (date(2026, 6, 19), None),
        (date(2026, 12, 24), market_hours.CLOSES_EARLY),
        (date(2027, 12, 24), None),  # Christmas kept on Friday
        (date(2027, 12, 31), market_hours.CLOSES),  # New Year's Day on a Saturday is not kept
        (date(2026, 11, 24), market_hours.CLOSES),
        (date(2026, 11, 28), None),
    ],
)
def test_new_york_closes_when_its_calendar_says(day: date, closes: object) -> None:
    assert market_hours.closing_time(day) == closes


def test_the_next_bell_is_found_across_a_holiday() -> None:
    wednesday_evening = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)

    assert market_hours.next_bell(NOW) == (True, datetime(2026, 11, 24, 21, 0, tzinfo=UTC))
    assert market_hours.next_bell(wednesday_evening) == (False, datetime(2026, 11, 27, 14, 30, tzinfo=UTC))


def test_a_bar_is_read_out_as_it_is_shown() -> None:
    drawn = Template('{% load ui %}{% bar some whole label="Filled" %}').render(
        Context({"some": Decimal("1250.0000000000"), "whole": Decimal("43000.0000000000")})
    )

    assert 'aria-label="Filled: 1,250 of 43,000"' in drawn
