"""What may be done with cash transfers: request, approve, decline, take back; and what IBKR's answers make of them.

The only writer of BankInstruction, BankListing and CashTransfer. No network: `dispatch` talks to IBKR.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.core.money import Money, minor_unit
from backoffice.journal import decisions
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from backoffice.people.models import User
from backoffice.people.policies import services as policies
from backoffice.people.policy import may
from clients.models import Account, Client
from funding import risks, translate
from funding.models import LIFECYCLE, BankInstruction, BankListing, CashTransfer, Kind, Status
from funding.selectors import twin_of

POLL_SECONDS = (10, 30, 60, 600)  # IBKR asks for 10 minutes between polls of a movement; the first answers come early
BANKS_STALE_AFTER = timedelta(hours=1)
BANKS_ASK_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Withdrawable:
    """What IBKR said could leave an account, and when it said so."""

    money: Money
    as_of: datetime


def withdrawable_from(answer: dict[str, Any]) -> Withdrawable:
    """Read the answer of `funding.answer_withdrawable`: {"amount", "currency", "as_of"} as text."""
    return Withdrawable(
        Money(Decimal(str(answer["amount"])), answer["currency"]), datetime.fromisoformat(answer["as_of"])
    )


@transaction.atomic
def request_withdrawal(
    *,
    account: Account,
    money: Money,
    bank: BankInstruction,
    by: User,
    intent: UUID,
    note: str,
    duplicate_reason: str = "",
    withdrawable: Withdrawable | None = None,
    by_program: bool = False,
) -> CashTransfer:
    """Record a withdrawal and promise to send it once another person approves; `dispatch.send_transfer` keeps the promise.

    A policy may let small ones go without: not one that a program asked for, behind which nobody can be asked who it is.

    The same `intent` again yields the row it made before. Raises InvalidInput naming the form's field, NotPermitted, and
    Conflict when the intent was used for something else.
    """
    _must_be_allowed(account, by)
    if (made := _made_before(intent, account=account, money=money, bank=bank, by=by)) is not None:
        return made
    _check_account(account)
    if bank.account_id != account.pk or not bank.is_usable:
        raise InvalidInput(
            "bank", f"{bank.name} cannot be paid from {account.number}.", "Choose a bank that IBKR lists as set up."
        )
    _check_amount(money)
    if not bank.accepts(money.currency):
        raise InvalidInput(
            "currency", f"{bank.name} cannot receive {money.currency}.", f"Choose {bank.currency} or another bank."
        )
    worth = translate.usd_worth(money)
    if worth is not None and worth > translate.API_LIMIT.amount:
        raise InvalidInput(
            "amount",
            f"IBKR takes at most {translate.API_LIMIT} per withdrawal from here; this is about USD {worth:,.0f}.",
            "Make it in IBKR's portal: Transfer & Pay, Withdraw. Parts of it from here would only go around the limit.",
        )
    _must_have_rested(bank)
    if withdrawable is not None and withdrawable.money.currency == money.currency and withdrawable.money < money:
        raise InvalidInput(
            "amount", f"Only {withdrawable.money} can leave {account.number} now.", "Enter that much or less."
        )
    if not note.strip():
        raise InvalidInput("note", "The person who approves needs to know why.", "Say who asked for it, when and how.")
    twin = twin_of(account=account, money=money, bank=bank, kind=Kind.WITHDRAWAL)
    if twin is not None and not duplicate_reason.strip():
        raise InvalidInput(
            "duplicate_reason",
            f"The same amount to the same bank was asked for on {twin.requested_at:%d %b %H:%M} UTC"
            f" ({twin.reference}, {twin.get_status_display().lower()}).",
            "Say why this is a second one, or leave it.",
        )
    return _make(
        CashTransfer(
            kind=Kind.WITHDRAWAL,
            account=account,
            amount=money.amount,
            currency=money.currency,
            bank=bank,
            method=bank.method,
            intent=intent,
            requested_by=by,
            note=note.strip(),
            duplicate_reason=duplicate_reason.strip(),
            withdrawable=withdrawable.money.amount if withdrawable else None,
            withdrawable_as_of=withdrawable.as_of if withdrawable else None,
        ),
        approvals_needed=int(by_program),
    )


@transaction.atomic
def notify_deposit(
    *, account: Account, money: Money, by: User, intent: UUID, sending_institution: str = "", note: str = ""
) -> CashTransfer:
    """Tell IBKR that a wire is coming. It moves nothing by itself, so it needs no second person.

    Raises InvalidInput, NotPermitted, Conflict.
    """
    _must_be_allowed(account, by)
    if (made := _made_before(intent, account=account, money=money, bank=None, by=by)) is not None:
        return made
    _check_account(account)
    _check_amount(money)
    if not sending_institution.isascii():
        raise InvalidInput(
            "sending_institution",
            "IBKR takes Latin letters without accents here.",
            "Write the bank's name with a to z.",
        )
    return _make(
        CashTransfer(
            kind=Kind.DEPOSIT,
            account=account,
            amount=money.amount,
            currency=money.currency,
            method="WIRE",
            sending_institution=sending_institution.strip(),
            intent=intent,
            requested_by=by,
            note=note.strip(),
        )
    )


def _must_be_allowed(account: Account, by: User) -> None:
    if not may(by, "funding.request"):
        raise NotPermitted("Your role may look at transfers, not ask for them.")
    # The lock makes requests for one account take turns: neither two presses of one button nor two people with the
    # same idea can pass the check for twins together.
    if Account.objects.visible_to(by).select_for_update(of=("self",)).filter(pk=account.pk).first() is None:
        raise NotPermitted("This account is not in your books.")


def _check_account(account: Account) -> None:
    if not account.is_open:
        raise InvalidInput(
            "account", f"{account.number} is not open at IBKR.", "Choose an open account, or wait until IBKR opens it."
        )


def _must_have_rested(bank: BankInstruction) -> None:
    """New bank details rest before money goes there: somebody who swapped them cannot be quick (reliability.md Z14)."""
    hours = policies.in_force().document.cooling_off_hours
    if bank.appeared_at is None or clock.now() >= (free_at := bank.appeared_at + timedelta(hours=hours)):
        return
    raise InvalidInput(
        "bank",
        f"{bank.ending} was added or changed on {bank.appeared_at:%d %b %H:%M} UTC; new bank details rest for {hours} h.",
        f"It can be paid from {free_at:%d %b %H:%M} UTC. Call the client back on a number known before; a principal can"
        " propose another time under Policies.",
    )


def _check_amount(money: Money) -> None:
    if money.amount <= 0:
        raise InvalidInput("amount", "The amount must be more than zero.", "Enter what the client will receive.")
    if not translate.in_minor_units(money):
        raise InvalidInput(
            "amount",
            f"{money.currency} is paid in steps of {minor_unit(money.currency)}.",
            "Leave out the further decimals.",
        )


def _made_before(
    intent: UUID, *, account: Account, money: Money, bank: BankInstruction | None, by: User
) -> CashTransfer | None:
    """Return what this form made when it was sent before: a double click is one transfer."""
    row = CashTransfer.objects.filter(intent=intent).first()
    if row is None:
        return None
    if row.requested_by_id != by.pk or (row.account_id, row.money, row.bank_id) != (
        account.pk,
        money,
        bank.pk if bank else None,
    ):
        raise Conflict("This form was sent before, with other figures. Open it again for a further transfer.")
    return row


def _make(transfer: CashTransfer, *, approvals_needed: int = 0) -> CashTransfer:
    transfer.client_instruction_id = journal.next_instruction_id()
    transfer.requested_at = clock.now()
    try:
        with transaction.atomic():
            transfer.save(force_insert=True)
    except IntegrityError:
        # Two presses of the same button at once: the database let one through, and this one finds its row.
        row = CashTransfer.objects.filter(intent=transfer.intent, requested_by=transfer.requested_by).first()
        if row is None:
            raise
        return row
    journal.submit(
        operation="funding.send_transfer",
        look="funding.look_for_transfer",
        subject=transfer,
        payload=translate.payload(transfer),
        key_space="clientInstructionId",
        key=transfer.reference,
        lane="funding",
        master=transfer.account.master,
        maker=transfer.requested_by,
        facts=risks.facts(transfer),
        approvals_needed=approvals_needed,
        summary=f"{transfer.get_kind_display()} {transfer.money.rounded()}, {transfer.account.number}",
    )
    return transfer


@transaction.atomic
def approve(transfer: CashTransfer, *, by: User, payload_sha256: str, reason: str = "") -> Submission:
    """Let the transfer with this payload be sent. Raises NotPermitted, Conflict."""
    return journal.approve(_submission(transfer), by=by, payload_sha256=payload_sha256, reason=reason)


@transaction.atomic
def decline(transfer: CashTransfer, *, by: User, reason: str) -> None:
    """Say no to a transfer that waits for approval; nothing is sent. Raises InvalidInput, NotPermitted, Conflict."""
    if not reason.strip():
        raise InvalidInput("reason", "The person who made it needs to know why.", "Say it in a few words.")
    journal.refuse(_submission(transfer), by=by, reason=reason.strip())
    _cancel(transfer, by=by, because=f"not approved: {reason.strip()}")


@transaction.atomic
def take_back(transfer: CashTransfer, *, by: User, reason: str) -> None:
    """Give up a transfer that was not sent, or that is proven absent at IBKR. The maker may, and operations and
    principals. Raises InvalidInput, NotPermitted, Conflict once a byte may have left.
    """
    if not (may(by, "journal.release") or (may(by, "funding.request") and transfer.requested_by_id == by.pk)):
        raise NotPermitted("Only the person who made it, operations or a principal may take this back.")
    if not reason.strip():
        raise InvalidInput("reason", "A reason is needed.", "It stays beside the transfer.")
    journal.withdraw(_submission(transfer), by=by, reason=reason.strip())
    _cancel(transfer, by=by, because=f"taken back: {reason.strip()}")


def _cancel(transfer: CashTransfer, *, by: User | None, because: str) -> bool:
    before = audit.digest_now(transfer)
    moved = LIFECYCLE.move(transfer, to=Status.CANCELLED, because=because, by=by, settled_at=clock.now())
    if moved:
        audit.record("funding.cancel", by=by, on=transfer, summary=f"{transfer} is not sent", before=before)
    return moved


def _submission(transfer: CashTransfer) -> Submission:
    submission = journal.current_for(transfer)
    if submission is None:
        raise Conflict(f"{transfer} has nothing to send: it was recorded from IBKR's books.")
    return submission


@transaction.atomic
def mark_submitted(transfer: CashTransfer, *, instruction_id: str, word: str, words: str = "") -> None:
    """IBKR has it. `word` is IBKR's instructionStatus; a final one moves the transfer on at once."""
    now = clock.now()
    changes = {"instruction_id": instruction_id, "next_poll_at": now + timedelta(seconds=POLL_SECONDS[0])}
    LIFECYCLE.move(transfer, to=Status.SUBMITTED, because="IBKR took it", as_of=now, **changes)
    record_status(transfer, word=word, words=words)


@transaction.atomic
def mark_rejected(transfer: CashTransfer, *, reason: str) -> None:
    """IBKR refused it; `reason` is IBKR's sentence."""
    now = clock.now()
    LIFECYCLE.move(
        transfer,
        to=Status.REJECTED,
        because=reason,
        as_of=now,
        ibkr_status="REJECTED",
        ibkr_words=reason,
        settled_at=now,
        next_poll_at=None,
    )


@transaction.atomic
def record_status(transfer: CashTransfer, *, word: str, words: str = "") -> bool:
    """Write what a poll showed. Late and repeated answers change nothing. True when it moved the transfer."""
    now = clock.now()
    current = CashTransfer.objects.select_for_update().get(pk=transfer.pk)
    if current.is_final:
        return False
    to = translate.STATUSES.get(word.upper()) if word else current.status
    changes = {
        "ibkr_status": word or current.ibkr_status,
        "ibkr_words": words or current.ibkr_words,
        "polled_at": now,
        "is_unfamiliar": to is None,
    }
    CashTransfer.objects.filter(pk=current.pk).update(**changes)
    for column, value in changes.items():
        setattr(current, column, value)
    moved = False
    if to is not None and to != current.status:
        moved = LIFECYCLE.move(
            current, to=to, because=words or f"IBKR: {word}", as_of=now, settled_at=now, next_poll_at=None
        )
    transfer.refresh_from_db()
    return moved


def book_poll(transfer_pk: str) -> CashTransfer | None:
    """Take a transfer whose poll is due, having booked the one after; None when another worker has it."""
    now = clock.now()
    with transaction.atomic():
        row = (
            CashTransfer.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("account__master")
            .filter(pk=transfer_pk, status=Status.SUBMITTED, next_poll_at__lte=now)
            .first()
        )
        if row is None:
            return None
        wait = POLL_SECONDS[min(row.polls + 1, len(POLL_SECONDS) - 1)]
        CashTransfer.objects.filter(pk=row.pk).update(polls=row.polls + 1, next_poll_at=now + timedelta(seconds=wait))
    return row


@transaction.atomic
def close_void() -> int:
    """Cancel transfers whose submission was withdrawn elsewhere; return how many."""
    void = Submission.objects.filter(subject_model=CashTransfer._meta.label_lower, state=State.VOID)
    waiting = CashTransfer.objects.filter(status=Status.REQUESTED)
    ids = {str(pk) for pk in waiting.values_list("pk", flat=True)}
    closed = 0
    for submission in void.filter(subject_id__in=ids):
        transfer = waiting.filter(pk=submission.subject_id).first()
        if transfer is not None:
            closed += _cancel(transfer, by=None, because=submission.reason)
    return closed


# Bank instructions


def ask_for_banks(account: Account) -> bool:
    """Have IBKR's list of an account's banks read again, when the last look is old. True when a worker was asked."""
    now = clock.now()
    listing, _ = BankListing.objects.get_or_create(account=account)
    is_fresh = listing.read_at is not None and now - listing.read_at < BANKS_STALE_AFTER
    is_asked = listing.asked_at is not None and now - listing.asked_at < BANKS_ASK_AGAIN
    if is_fresh or is_asked or not account.is_open:
        return False
    BankListing.objects.filter(pk=listing.pk).update(asked_at=now)
    ring_on_commit("funding.sync_banks", account.pk)
    return True


@dataclass(frozen=True)
class ListedBank:
    """One bank instruction as IBKR lists it. `last4` are the digits IBKR leaves readable."""

    name: str
    method: str
    currency: str
    last4: str
    status: str
    kind: str = ""


@transaction.atomic
def record_banks(account: Account, listed: Iterable[ListedBank], *, methods: Iterable[str]) -> None:
    """Write the list IBKR gave for these methods. What it no longer lists stays, marked so: transfers refer to it."""
    now = clock.now()
    seen = []
    # At our first look nobody knows how old a bank is; what comes later is new, and rests before it is paid.
    was_read = BankListing.objects.filter(account=account, read_at__isnull=False).exists()
    for each in listed:
        row, created = BankInstruction.objects.get_or_create(
            account=account,
            name=each.name,
            method=each.method,
            defaults={
                "currency": each.currency,
                "last4": each.last4,
                "ibkr_status": each.status,
                "kind": each.kind,
                "first_seen_at": now,
                "appeared_at": now if was_read else None,
                "seen_at": now,
            },
        )
        seen.append(row.pk)
        if created:
            audit.record(
                "funding.see_bank", by=None, on=row, summary=f"Bank instruction {row} of {account.number} seen at IBKR"
            )
            continue
        before = audit.digest(row)
        if is_other := (row.last4, row.currency) != (each.last4, each.currency):
            row.appeared_at = now
        row.currency, row.last4, row.ibkr_status, row.kind = each.currency, each.last4, each.status, each.kind
        row.is_listed, row.seen_at = True, now
        row.save(
            update_fields=[
                "currency",
                "last4",
                "last4_index",
                "ibkr_status",
                "kind",
                "is_listed",
                "appeared_at",
                "seen_at",
            ]
        )
        if is_other:
            audit.record(
                "funding.bank_changed",
                by=None,
                on=row,
                summary=f"Bank instruction {row} of {account.number} changed at IBKR",
                before=before,
            )
    gone = BankInstruction.objects.filter(account=account, method__in=list(methods), is_listed=True).exclude(
        pk__in=seen
    )
    gone.update(is_listed=False)
    BankListing.objects.update_or_create(account=account, defaults={"read_at": now, "failure": ""})


def record_banks_failure(account: Account, *, reason: str) -> None:
    """Say why the list could not be read; what we have stays, with its age."""
    BankListing.objects.update_or_create(account=account, defaults={"failure": reason})


@transaction.atomic
def forget(client: Client) -> list[audit.Standing]:
    """Empty what was written about a client's transfers, when two people destroy the client's data. Amounts stay."""
    was = []
    for transfer in CashTransfer.objects.filter(account__client=client):
        was += audit.standing(transfer)
        transfer.note = transfer.duplicate_reason = ""
        transfer.save(update_fields=["note", "duplicate_reason"])
        was += decisions.forget("funding.cashtransfer", str(transfer.pk))
    for bank in BankInstruction.objects.filter(account__client=client):
        was += audit.standing(bank)
        bank.last4 = ""
        bank.save(update_fields=["last4", "last4_index"])
    return was
