"""Joined reads for the funding pages. Each starts at `visible_to`; none writes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import UUIDField
from django.db.models.functions import Cast

from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.home.registry import Evidence
from backoffice.journal.models import State, Submission
from backoffice.people.models import User
from clients.models import Account, Client
from funding.models import BankInstruction, CashTransfer, CashTransferQuerySet, Kind, Status

SUBJECT = CashTransfer._meta.label_lower
DUPLICATE_WINDOW = timedelta(days=7)
VIEWS = {"progress": "In progress", "approval": "Needs approval", "done": "Finished"}


@dataclass(frozen=True)
class Row:
    """A transfer with its submission and what to call its state."""

    transfer: CashTransfer
    submission: Submission | None
    state: "StateWords"


@dataclass(frozen=True)
class StateWords:
    """Our word for where a transfer is, with its tone and icon, and one sentence that says what is so."""

    tone: str
    word: str
    icon: str
    sentence: str


def submissions_of(transfers: Iterable[CashTransfer]) -> dict[str, Submission]:
    """Return the newest submission of each transfer, by the transfer's id as text."""
    found = Submission.objects.filter(subject_model=SUBJECT, subject_id__in=[str(each.pk) for each in transfers])
    return {each.subject_id: each for each in found.order_by("created_at")}


def rows(transfers: Sequence[CashTransfer]) -> list[Row]:
    """Return transfers with their submissions, in two queries however many there are."""
    submissions = submissions_of(transfers)
    return [
        Row(transfer, submission := submissions.get(str(transfer.pk)), state_of(transfer, submission))
        for transfer in transfers
    ]


def with_submission_in(transfers: CashTransferQuerySet, states: Iterable[str]) -> CashTransferQuerySet:
    """Return those transfers whose submission is in one of the journal's states."""
    wanted = Submission.objects.filter(subject_model=SUBJECT, state__in=list(states))
    return transfers.filter(pk__in=wanted.values_list(Cast("subject_id", UUIDField())))


def state_of(transfer: CashTransfer, submission: Submission | None) -> StateWords:
    """Say where a transfer is. Doubt lives in the submission; what IBKR says lives in the transfer."""
    if transfer.is_unfamiliar and not transfer.is_final:
        sentence = "IBKR uses a word we have no meaning for. A person reads it; nothing is guessed."
        return StateWords("wait", "At IBKR, unread word", "message-question", sentence)
    match transfer.status:
        case Status.SUBMITTED:
            return StateWords("info", "At IBKR", "send", "IBKR has it and works on it. We ask until it is finished.")
        case Status.DONE:
            sentence = (
                "IBKR processed it."
                if transfer.kind == Kind.WITHDRAWAL
                else "IBKR noted it. The money itself arrives by the client's own wire."
            )
            return StateWords("good", "Done", "check", sentence)
        case Status.REJECTED:
            return StateWords("bad", "Refused by IBKR", "x", "IBKR refused it. No money moved.")
        case Status.CANCELLED:
            return StateWords("neutral", "Cancelled", "ban", "It was taken back before it was sent. No money moved.")
    match submission.state if submission else None:
        case State.PROPOSED:
            sentence = "Nothing is sent before another person approves it."
            return StateWords("wait", "Needs approval", "user-check", sentence)
        case State.UNKNOWN:
            sentence = "It left, and no answer came that we can read. We look for it at IBKR; it is not sent again."
            return StateWords("unknown", "Unknown", "help-hexagon", sentence)
        case State.ABSENT:
            sentence = "Several sound looks did not find it at IBKR. Two people may release it, or one closes it."
            return StateWords("unknown", "Proven absent", "help-hexagon", sentence)
        case State.CLAIMED | State.SENDING:
            return StateWords("info", "Being sent", "send", "It is on its way to IBKR now.")
        case State.READY if submission and submission.unsent_tries:
            sentence = "The last try did not leave this building. It goes by itself as soon as the line is there."
            return StateWords("info", "Waiting to be sent", "hourglass", sentence)
        case _:
            return StateWords("info", "Waiting to be sent", "hourglass", "It goes to IBKR by itself, in a moment.")


def twin_of(
    *,
    account: Account,
    money: Money,
    bank: BankInstruction | None,
    kind: str,
    other_than: CashTransfer | None = None,
) -> CashTransfer | None:
    """Return a transfer that looks the same and was asked for in the last 7 days, or None."""
    return (
        CashTransfer.objects.filter(
            account=account,
            amount=money.amount,
            currency=money.currency,
            bank=bank,
            kind=kind,
            requested_at__gte=clock.now() - DUPLICATE_WINDOW,
        )
        .exclude(status__in=[Status.REJECTED, Status.CANCELLED])
        .exclude(pk__in=[other_than.pk] if other_than else [])
        .order_by("-requested_at")
        .first()
    )


def in_doubt(user: User) -> CashTransferQuerySet:
    """Return the transfers whose outcome is not known."""
    return with_submission_in(
        CashTransfer.objects.visible_to(user).filter(status=Status.REQUESTED), [State.UNKNOWN, State.ABSENT]
    )


def due_for_poll(at: datetime) -> CashTransferQuerySet:
    return CashTransfer.objects.filter(status=Status.SUBMITTED, next_poll_at__lte=at).order_by("next_poll_at")


def evidence(root: Any) -> Iterator[Evidence]:
    """Return what belongs to a client or a transfer in an evidence pack: transfers and the bank instructions they use."""
    if isinstance(root, Client):
        yield Evidence(
            rows=(
                *CashTransfer.objects.filter(account__client=root),
                *BankInstruction.objects.filter(account__client=root),
            )
        )
    elif isinstance(root, CashTransfer) and root.bank is not None:
        yield Evidence(rows=(root.bank,))


def typed_before(user: User, key: str | None) -> dict[str, Any]:
    """Return what this person typed into a transfer of theirs, for the form; empty for any other's."""
    try:
        row = CashTransfer.objects.visible_to(user).get(pk=UUID(key or ""), requested_by=user)
    except (ValueError, CashTransfer.DoesNotExist):
        return {}
    return {"amount": row.amount, "currency": row.currency, "bank": row.bank_id, "note": row.note}
