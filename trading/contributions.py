"""What trading hangs on the frame and on the client page: navigation, Today, figures, search, feed, panels."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q
from django.urls import reverse

from backoffice.broker import streaming
from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.home import formats, registry
from backoffice.home.parts import TimelineEvent
from backoffice.home.registry import (
    Count,
    DemonstrationLoader,
    FeedItem,
    Figure,
    InboxItem,
    NavigationEntry,
    SearchHit,
    Tone,
)
from backoffice.journal import decisions, dry_run
from backoffice.journal.models import Orphan, State
from backoffice.people.models import User
from backoffice.people.policy import may
from clients import panels
from clients.models import Client
from clients.selectors.search import accounts_meant
from clients.services import retention
from trading import demonstration, listening, reviewing, translate
from trading.models import Instrument, Order, OrderAllocation, Status
from trading.selectors import evidence, portfolio
from trading.selectors import orders as selectors
from trading.services import forgetting

MOST = 6
UNEXPLAINED_FOR = timedelta(days=1)
DESK = listening.listener()


def register() -> None:
    """Put trading's parts in their places."""
    dry_run.register_questions(reviewing.questions)
    decisions.register("trading.order", reviewing.review, reviewing.headline)
    entries = (
        NavigationEntry("Trading", "Portfolio", "chart-pie", "trading:portfolio", "trading.view", order=10, mobile=4),
        NavigationEntry("Trading", "Order ticket", "file-pencil", "trading:order_new", "trading.trade", order=20),
        NavigationEntry(
            "Trading", "Blotter", "list-details", "trading:blotter", "trading.view", count=count, order=30, mobile=5
        ),
        NavigationEntry("Trading", "Groups", "users-group", "trading:group_list", "trading.view", order=40),
    )
    for entry in entries:
        registry.navigation.add(entry)
    registry.inbox.add(inbox)
    registry.told_doubts.add("trading.order")
    registry.figures.add(figures)
    registry.search.add(search)
    registry.evidence.add(evidence.of)
    registry.feed.add(feed)
    registry.demonstration.add(DemonstrationLoader(order=30, name="trading", load=demonstration.load))
    streaming.listeners.add(DESK)
    panels.panels.add(panels.Panel(30, "trading", "Portfolio and orders", "trading:client_panel", "trading.view"))
    panels.actions.add(panels.QuickAction(30, "Trade", "file-pencil", "trading:client_trade", "trading.trade"))
    panels.events.add(events_of_client)
    retention.erasers.add(forgetting.forget)


def count(user: User) -> Count | None:
    """How many orders are open; violet when an outcome is unknown, amber when IBKR waits for an answer."""
    counts = selectors.tab_counts(user)
    if counts["unknown"]:
        return Count(counts["unknown"], "unknown")
    if counts["reply"]:
        return Count(counts["reply"], "wait")
    return Count(counts["working"]) if counts["working"] else None


def inbox(user: User) -> Iterator[InboxItem]:
    """What a person must do about orders: answer IBKR, own a doubt, look at an allocation that came out differently."""
    if not may(user, "trading.view"):
        return
    yield from _questions(user)
    yield from _doubts(user)
    yield from _unexplained(user)
    for order in selectors.differing(user)[:MOST]:
        comparison = selectors.compare(order)
        yield InboxItem(
            kind=f"trading.difference:{order.pk}",
            group="other",
            title=f"{order.reference} {order.instrument.symbol} was shared out differently",
            detail=comparison.sentence,
            action="Compare",
            url=order.get_absolute_url(),
            icon="equal-not",
            tone="wait",
            amount=f"{len(comparison.off)} accounts",
            owner=order.maker,
            urgency=60,
        )


def _questions(user: User) -> Iterator[InboxItem]:
    asked = selectors.with_parts(Order.objects.visible_to(user).asked()).order_by("number")[:MOST]
    for row in selectors.rows(asked):
        if row.question is None:
            continue
        may_answer = may(user, "trading.trade")
        yield InboxItem(
            kind=f"trading.question:{row.question.pk}",
            group="answer",
            title=f"IBKR asks before it takes {row.order.reference}",
            detail=f"{_described(row.order)}. Without an answer in time we decline it.",
            ibkr_words=_shortened(translate.sentences(row.question.words)),
            action="Answer" if may_answer else "Read",
            url=row.order.get_absolute_url(),
            icon="message-question",
            tone="wait",
            amount=row.target,
            owner=row.order.maker,
            due=row.question.deadline,
            primary=may_answer,
            urgency=0,
        )


def _doubts(user: User) -> Iterator[InboxItem]:
    found = selectors.with_parts(selectors.in_tab(user, "unknown")).order_by("number")[:MOST]
    for row in selectors.rows(found):
        submission = row.doubt
        if submission is None:
            continue
        is_absent = submission.state == State.ABSENT
        detail = (
            f"{submission.why_absent} Two people may release it, or one closes it."
            if is_absent
            else f"Sent once, the answer is not known. {submission.looks} looks so far; it is not sent again."
        )
        yield InboxItem(
            kind=f"trading.doubt:{submission.pk}",
            group="doubt",
            title=f"{row.order.reference} {_described(row.order)}",
            detail=detail,
            action="Open",
            url=row.order.get_absolute_url(),
            icon="help-hexagon",
            tone="unknown",
            amount=row.target,
            owner=row.order.maker,
            since=submission.unknown_since,
            since_words="Unknown",
            chip_tone="unknown",
            urgency=10,
        )


def _unexplained(user: User) -> Iterator[InboxItem]:
    """Orders IBKR showed since yesterday that nothing here explains, for those who see every book."""
    if not user.sees_every_book:
        return
    since = clock.now() - UNEXPLAINED_FOR
    found = Orphan.objects.filter(kind="order", first_seen_at__gte=since).order_by("first_seen_at")
    if rows := list(found[: MOST + 1]):
        numbers = ", ".join(row.broker_id for row in rows[:MOST]) + (" and more" if len(rows) > MOST else "")
        yield InboxItem(
            kind=f"trading.unexplained:{rows[-1].pk}",
            group="doubt",
            title="Orders at IBKR that nothing here explains",
            detail=f"IBKR's numbers: {numbers}. Somebody trades elsewhere, or a row of ours was lost."
            " Look at them at IBKR; nothing here follows them.",
            action="Blotter",
            url=reverse("trading:blotter"),
            icon="help-hexagon",
            tone="unknown",
            since=rows[0].first_seen_at,
            since_words="Seen",
            chip_tone="unknown",
            urgency=10,
        )


def _described(order: Order) -> str:
    units = formats.quantity(order.quantity)
    limit = "at the market" if order.limit_price is None else f"at {formats.price(order.limit_price)}"
    return f"{order.get_side_display()} {units} {order.instrument.symbol} {limit}"


def _shortened(words: str, most: int = 180) -> str:
    """Keep whole sentences of IBKR's; the rest is on the order's page."""
    if len(words) <= most:
        return words
    kept = words[:most].rsplit(". ", 1)[0]
    return kept if kept.endswith(".") else f"{kept}."


def figures(user: User) -> Iterator[Figure]:
    """Net liquidation and cash of what the person may see, with coverage; today's orders."""
    if not may(user, "trading.view"):
        return
    found = portfolio.totals(user)
    cover, totals = found.coverage, found.totals
    if cover.accounts:
        page = reverse("trading:portfolio")
        shared = {"as_of": cover.as_of, "kind": "position", "coverage": cover.words, "complete": cover.is_complete}
        for place, (label, value, note) in enumerate(
            (
                ("Net liquidation", totals.net_liquidation, ""),
                (
                    "Cash",
                    totals.cash,
                    "" if totals.cash_percent is None else formats.percent(totals.cash_percent, places=1),
                ),
            )
        ):
            money = None if value is None else Money(value.quantize(Decimal(1)), totals.currency)
            yield Figure(label, money, note=note, url=page, order=10 + place, **shared)  # type: ignore[arg-type]
    counts = selectors.tab_counts(user)
    tone: Tone = "unknown" if counts["unknown"] else "neutral"
    note = f"{counts['unknown']} unknown" if counts["unknown"] else f"{counts['working']} working"
    yield Figure(
        "Orders today", str(counts["today"]), note=note, note_tone=tone, url=reverse("trading:blotter"), order=40
    )


def search(user: User, text: str) -> Iterator[SearchHit]:
    """Orders by our number, IBKR's id, an account's number or a client's name; instruments by symbol or name."""
    if not may(user, "trading.view"):
        return
    wanted = text.strip()[:40]
    for order in _orders_found(user, wanted):
        detail = f"{_described(order)}, {formats.in_sentence(selectors.state_of(order).word)}"
        yield SearchHit(order.reference, detail, "Order", order.get_absolute_url(), "file-pencil")
    listed = Instrument.objects.filter(Q(symbol__istartswith=wanted) | Q(name__icontains=wanted)).order_by("symbol")
    for row in listed[:MOST]:
        detail = f"{row.name}, {row.exchange} {row.currency}"
        yield SearchHit(row.symbol, detail, "Instrument", row.get_absolute_url(), "chart-line")


def _orders_found(user: User, wanted: str) -> "list[Order]":
    digits = wanted.upper().removeprefix("T-")
    if digits.isascii() and digits.isdecimal() and len(digits) < 10:
        meant = Q(number=int(digits)) | Q(ibkr_order_id=digits)
    else:
        shares = OrderAllocation.objects.filter(account__in=accounts_meant(user, wanted)).order_by("-order__number")
        meant = Q(pk__in=list(shares.values_list("order", flat=True)[: MOST * 4]))
    found = Order.objects.visible_to(user).sent().filter(meant).order_by("-number")
    return list(found.select_related("instrument", "submission", "cancel")[:MOST])


def feed(user: User, since: datetime) -> Iterator[FeedItem]:
    """Orders that came to an end."""
    if not may(user, "trading.view"):
        return
    ended = Order.objects.visible_to(user).filter(settled_at__gte=since).exclude(sent_at=None)
    for order in ended.select_related("instrument", "submission", "cancel").order_by("-settled_at")[:MOST]:
        if order.settled_at is not None:
            word = selectors.state_of(order).word
            yield FeedItem(order.settled_at, word, f"{order.reference}, {_described(order)}", order.get_absolute_url())


def events_of_client(client: Client, user: User) -> Iterator[TimelineEvent]:
    """What was traded for a client."""
    shares = OrderAllocation.objects.filter(account__client=client, quantity__gt=0, order__status=Status.FILLED)
    for share in shares.select_related("order__instrument", "account").order_by("-order__settled_at")[:MOST]:
        order = share.order
        title = f"{order.get_side_display()} {formats.quantity(share.quantity)} {order.instrument.symbol}"
        yield TimelineEvent(
            order.settled_at, title, "done", detail=f"{share.account.number}, filled", raw=order.reference
        )
