"""What funding hangs on the frame and on the client page: navigation, inbox, search, feed."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from backoffice.core import clock
from backoffice.core.crypto import blind_tail
from backoffice.core.money import Money
from backoffice.home import formats, registry
from backoffice.home.parts import TimelineEvent
from backoffice.home.registry import Count, DemonstrationLoader, FeedItem, InboxItem, NavigationEntry, SearchHit
from backoffice.journal import decisions
from backoffice.journal.models import State
from backoffice.people.models import User
from backoffice.people.policy import may
from clients import panels
from clients.models import Client
from clients.selectors.search import accounts_meant
from clients.services import retention
from funding import demonstration, reviewing, selectors, services
from funding.models import BankInstruction, CashTransfer, Status

REFUSED_SHOWN_FOR = timedelta(days=3)
MOST_FOUND = 6


def register() -> None:
    """Put funding's parts in their places."""
    decisions.register("funding.cashtransfer", reviewing.review, reviewing.headline)
    registry.navigation.add(
        NavigationEntry(
            "Money", "Funding", "arrows-exchange", "funding:list", "funding.view", count=count, order=10, mobile=3
        )
    )
    registry.navigation.add(
        NavigationEntry("Money", "Bank instructions", "building-bank", "funding:banks", "funding.view", order=20)
    )
    registry.inbox.add(inbox)
    registry.told_doubts.add("funding.cashtransfer")
    registry.search.add(search)
    registry.evidence.add(selectors.evidence)
    registry.feed.add(feed)
    registry.demonstration.add(DemonstrationLoader(order=20, name="funding", load=demonstration.load))
    panels.panels.add(panels.Panel(20, "funding", "Money", "funding:client_panel", "funding.view"))
    panels.actions.add(
        panels.QuickAction(20, "Withdraw", "arrow-up-right", "funding:client_withdraw", "funding.request")
    )
    panels.actions.add(
        panels.QuickAction(21, "Deposit", "arrow-down-left", "funding:client_deposit", "funding.request")
    )
    panels.events.add(events_of_client)
    retention.erasers.add(services.forget)


def count(user: User) -> Count | None:
    """How many transfers are open; violet as soon as one outcome is unknown."""
    unknown = selectors.in_doubt(user).count()
    if unknown:
        return Count(unknown, "unknown")
    number = CashTransfer.objects.visible_to(user).in_progress().count()
    return Count(number) if number else None


def inbox(user: User) -> Iterator[InboxItem]:
    """What a person must do about money: own a doubt, learn of a refusal. (Approvals come from the journal.)"""
    if not may(user, "funding.view"):
        return
    if may(user, "funding.request"):
        yield from _doubts(user)
        yield from _refusals(user)


def _doubts(user: User) -> Iterator[InboxItem]:
    found = list(selectors.in_doubt(user).listed().order_by("requested_at")[:50])
    for row in selectors.rows(found):
        transfer, submission = row.transfer, row.submission
        is_absent = submission is not None and submission.state == State.ABSENT
        looks = submission.looks if submission else 0
        detail = (
            f"{submission.why_absent} Two people may release it, or one closes it."
            if submission is not None and is_absent
            else f"It left once and no answer came. {looks} looks so far; it is not sent again while a look can still answer."
        )
        yield InboxItem(
            kind=f"funding.doubt:{transfer.pk}",
            group="doubt",
            title=f"{transfer.get_kind_display()} for {transfer.account.client.name}",
            detail=detail,
            action="Decide" if is_absent else "See the looks",
            url=transfer.get_absolute_url(),
            icon="help-hexagon",
            tone="unknown",
            amount=_money(transfer),
            owner=transfer.requested_by,
            since=submission.unknown_since if submission else None,
            since_words="Unknown",
            urgency=10,
        )


def _refusals(user: User) -> Iterator[InboxItem]:
    refused = CashTransfer.objects.visible_to(user).filter(
        status=Status.REJECTED, requested_by=user, settled_at__gte=clock.now() - REFUSED_SHOWN_FOR
    )
    for transfer in refused.listed().order_by("-settled_at")[:20]:
        yield InboxItem(
            kind=f"funding.refused:{transfer.pk}",
            group="money",
            title=f"IBKR refused the {transfer.get_kind_display().lower()} for {transfer.account.client.name}",
            detail="No money moved.",
            ibkr_words=transfer.ibkr_words,
            action="See why",
            url=transfer.get_absolute_url(),
            icon="circle-x",
            tone="bad",
            amount=_money(transfer),
            owner=transfer.requested_by,
            since=transfer.settled_at,
        )


def search(user: User, text: str) -> Iterable[SearchHit]:
    """Find transfers by their number, IBKR's number, the account's, the client's name or the bank's last four digits."""
    if not may(user, "funding.view"):
        return []
    mine = CashTransfer.objects.visible_to(user)
    found = mine.filter(pk__in=_transfers_meant(user, text)).listed().order_by("-requested_at")
    return [
        SearchHit(
            f"{each.get_kind_display()} {each.reference}",
            f"{each.money.rounded()}, {each.account.number}, {formats.in_sentence(each.get_status_display())}",
            "Transfer",
            each.get_absolute_url(),
            "arrows-exchange",
        )
        for each in found[:MOST_FOUND]
    ]


def _transfers_meant(user: User, text: str) -> list[UUID]:
    """Return the keys of the newest transfers meant by what was typed; each way to name one has an index of its own."""
    typed, newest = "".join(text.split()), CashTransfer.objects.order_by("-requested_at")
    ways = [newest.filter(account__in=accounts_meant(user, text))]
    if typed.isascii() and typed.isdecimal() and len(typed) <= 18:
        ways += [newest.filter(client_instruction_id=int(typed)), newest.filter(instruction_id=typed)]
    if len(typed) == 4:
        banks = BankInstruction.objects.visible_to(user).filter(last4_index=blind_tail(typed))
        ways.append(newest.filter(bank__in=list(banks.values_list("pk", flat=True)[: MOST_FOUND * 4])))
    return [key for way in ways for key in way.values_list("pk", flat=True)[:MOST_FOUND]]


def feed(user: User, since: datetime) -> Iterator[FeedItem]:
    """What money did since the reader was last here."""
    if not may(user, "funding.view"):
        return
    words = {Status.DONE: "Processed", Status.REJECTED: "Refused", Status.CANCELLED: "Cancelled"}
    settled = CashTransfer.objects.visible_to(user).filter(settled_at__gte=since, status__in=list(words))
    for each in settled.listed().order_by("-settled_at")[:8]:
        text = f"{each.get_kind_display().lower()} of {each.money.rounded()}, {each.account.client.name}"
        assert each.settled_at is not None
        yield FeedItem(each.settled_at, words[Status(each.status)], text, each.get_absolute_url())


def events_of_client(client: Client, user: User) -> Iterator[TimelineEvent]:
    """What money did in the accounts of one client."""
    if not may(user, "funding.view"):
        return
    transfers = CashTransfer.objects.visible_to(user).filter(account__client=client).select_related("account")
    for each in transfers.order_by("-requested_at")[:8]:
        at = each.settled_at or each.requested_at
        kind = {Status.DONE: "done", Status.REJECTED: "failed"}.get(Status(each.status), "fact")
        title = f"{each.get_kind_display()} of {each.money.rounded()}"
        detail = f"{each.account.number}, {formats.in_sentence(each.get_status_display())}."
        yield TimelineEvent(at, title, kind, detail, raw=each.reference, icon="arrows-exchange")  # type: ignore[arg-type]


def _money(transfer: CashTransfer) -> Money:
    return transfer.money.rounded()
