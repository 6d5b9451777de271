"""What happened to one transfer, newest first, from its own moves and its submission's evidence."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from backoffice.core import clock
from backoffice.core.lifecycle import history
from backoffice.home import formats
from backoffice.home.parts import Check, TimelineEvent
from backoffice.journal.models import Attempt, AttemptOutcome, Finding, Observation, State, Submission
from backoffice.people.models import User
from funding.models import CashTransfer, Kind, Status
from funding.selectors import twin_of

ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")
NEW_BANK_DAYS = 30
LATE_ANSWER = "an answer that came late"  # the journal's name for an answer read after its sending was given up


def events(transfer: CashTransfer, submission: Submission | None) -> list[TimelineEvent]:
    """Return the timeline. What is still to come stands at its top, without a time behind it."""
    found = [_made(transfer)]
    if submission is not None:
        found += _of_submission(transfer, submission)
    found += _of_transfer(transfer)
    return sorted(found, key=lambda event: event.at or datetime.max.replace(tzinfo=UTC), reverse=True)


def _made(transfer: CashTransfer) -> TimelineEvent:
    detail = f"{transfer.note} " if transfer.note else ""
    if transfer.duplicate_reason:
        detail += f"A second one alike, because: {transfer.duplicate_reason}"
    return TimelineEvent(
        transfer.requested_at, f"Made by {transfer.requested_by.name}", "fact", detail.strip(), icon="pencil"
    )


def _of_submission(transfer: CashTransfer, submission: Submission) -> Iterator[TimelineEvent]:
    checks = "The account is open, the amount is within IBKR's limit"
    if transfer.kind == Kind.WITHDRAWAL:
        checks += ", the bank is set up at IBKR and takes the currency"
    yield TimelineEvent(
        submission.created_at, "Checks passed, number reserved", "done", f"{checks}. Number", raw=submission.key
    )
    for approval in submission.approvals.select_related("approver"):
        detail = f"Second person, same payload. {approval.reason}".strip()
        yield TimelineEvent(approval.at, f"Approved by {approval.approver.name}", "done", detail)
    for attestation in submission.attestations.select_related("person"):
        yield TimelineEvent(
            attestation.at,
            f"{attestation.person.name} said that IBKR has nothing of it",
            "fact",
            attestation.evidence,
            icon="eye-off",
        )
    for release in submission.releases.select_related("person"):
        yield TimelineEvent(
            release.at, f"Released by {release.person.name}", "fact", release.evidence, icon="lock-open"
        )
    for attempt in submission.attempts.all():
        yield _attempt(attempt)
    for number, observation in enumerate(submission.observations.all()):
        yield _look(observation, number)
    if submission.state == State.UNKNOWN and submission.next_look_at:
        word = ORDINALS[submission.looks] if submission.looks < len(ORDINALS) else "Next"
        detail = "We ask IBKR for our number, and for another one of ours to see that it answers truly."
        yield TimelineEvent(submission.next_look_at, f"{word} look is due", "unknown", detail, icon="clock")
    if submission.state == State.READY:
        detail = submission.reason
        yield TimelineEvent(submission.due_at, "To be sent", "wait", detail)


def _attempt(attempt: Attempt) -> TimelineEvent:
    at, number = attempt.finished_at or attempt.prepared_at, attempt.number
    raw = "POST /external-cash-transfers"
    match attempt.outcome:
        case AttemptOutcome.ACK:
            return TimelineEvent(at, "Sent, and IBKR took it", "done", f"Attempt {number}.", raw=raw, icon="send")
        case AttemptOutcome.REJECT:
            return TimelineEvent(
                at,
                "Sent, and IBKR refused it",
                "failed",
                f"Attempt {number}. No money moved.",
                words=attempt.detail,
                raw=raw,
            )
        case AttemptOutcome.AMBIGUOUS:
            return TimelineEvent(
                at,
                "Sent, no answer we can read",
                "unknown",
                f"Attempt {number}. {attempt.detail}",
                raw=raw,
                icon="send-off",
            )
        case AttemptOutcome.NOT_SENT:
            detail = f"Attempt {number}: no byte left. {attempt.detail} It is tried again by itself."
            return TimelineEvent(at, "Not sent", "wait", detail, raw=raw)
        case _:
            return TimelineEvent(attempt.prepared_at, "Being sent", "wait", f"Attempt {number}.", raw=raw, icon="send")


def _look(observation: Observation, number: int) -> TimelineEvent:
    word = ORDINALS[number] if number < len(ORDINALS) else f"Look {number + 1}:"
    at, detail = observation.at, observation.detail
    if observation.source == LATE_ANSWER:
        # Its detail is the journal's own notation; the evidence page keeps it.
        kind: Literal["done", "unknown"] = "done" if observation.finding == Finding.FOUND else "unknown"
        return TimelineEvent(at, "An answer came late", kind, "It is kept with the evidence.", icon="eye")
    match observation.finding:
        case Finding.FOUND:
            return TimelineEvent(
                at, f"{word} look: found at IBKR", "done", words=detail, raw=observation.source, icon="eye"
            )
        case Finding.CLEAN:
            return TimelineEvent(at, f"{word} look: not there, clean", "unknown", detail, icon="eye")
        case Finding.MISMATCH:
            return TimelineEvent(at, f"{word} look: not what was sent", "failed", detail, raw=observation.source)
        case _:
            return TimelineEvent(at, f"{word} look: proves nothing", "unknown", detail, icon="eye")


def _of_transfer(transfer: CashTransfer) -> Iterator[TimelineEvent]:
    for move in history(transfer):
        match move.new:
            case Status.DONE:
                title = "Processed by IBKR" if transfer.kind == Kind.WITHDRAWAL else "Noted by IBKR"
                yield TimelineEvent(move.at, title, "done", f"IBKR's number {transfer.instruction_id}.")
            case Status.REJECTED if move.old == Status.SUBMITTED:
                yield TimelineEvent(
                    move.at, "Refused by IBKR after it was taken", "failed", "No money moved.", words=move.because
                )
            case Status.CANCELLED:
                by = f"by {move.actor.name}" if move.actor else ""
                yield TimelineEvent(
                    move.at,
                    f"Cancelled {by}".strip(),
                    "fact",
                    f"{move.because[:1].upper()}{move.because[1:]}",
                    icon="ban",
                )
    if transfer.status == Status.SUBMITTED and transfer.next_poll_at:
        detail = "Until it says that it is finished."
        yield TimelineEvent(transfer.next_poll_at, "IBKR is asked again", "wait", detail)


def _moment(at: datetime | None) -> str:
    return formats.moment(at, now=clock.now(), seconds=True) if at else "an unknown time"


def checks(transfer: CashTransfer, submission: Submission, viewer: User) -> list[Check]:
    """Return what a second person should know before a yes, looked at again now."""
    found = []
    if transfer.withdrawable is None:
        found.append(Check("warn", "Cash was not asked for.", "IBKR refuses it if the cash is not there."))
    elif transfer.withdrawable >= transfer.amount:
        found.append(Check("pass", f"Cash covers it, as of {_moment(transfer.withdrawable_as_of)}"))
    else:
        found.append(Check("warn", "Cash did not cover it", "when it was made."))
    if transfer.bank is not None:
        age = (submission.created_at - transfer.bank.first_seen_at).days
        if not transfer.bank.is_usable:
            found.append(Check("stop", f"{transfer.bank.name} is no longer set up at IBKR.", "IBKR will refuse it."))
        elif age < NEW_BANK_DAYS:
            found.append(Check("warn", "A new bank.", f"First seen {age} days before. Call the client back."))
        else:
            found.append(Check("pass", f"The bank has been known for {age} days"))
    twin = twin_of(
        account=transfer.account, money=transfer.money, bank=transfer.bank, kind=transfer.kind, other_than=transfer
    )
    if twin is None:
        found.append(Check("pass", "No twin in the last 7 days"))
    else:
        found.append(
            Check("warn", f"One alike: {twin.reference}.", transfer.duplicate_reason or "No reason was given.")
        )
    if submission.maker_id == viewer.pk:
        found.append(Check("stop", "You made it.", "Another person must approve it."))
    else:
        found.append(Check("pass", "You did not make it"))
    if not submission.payload_is_intact:
        found.append(Check("stop", "The stored payload was altered.", "It cannot be sent. Tell the administrator."))
    return found
