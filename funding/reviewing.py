"""What stands on the approval page of a transfer."""

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from backoffice.journal.decisions import Headline, Review
from backoffice.journal.models import Submission
from backoffice.people.policies.comparing import Difference
from funding.models import CashTransfer, Kind


def headline(submission: Submission, subject: Any) -> Headline:
    """Name the client and both ends, for Today."""
    transfer: CashTransfer = subject
    other = transfer.bank.ending.replace("Bank", "the bank", 1) if transfer.bank else "IBKR"
    return Headline(
        f"{transfer.get_kind_display()} for {transfer.account.client.name}",
        f"From {transfer.account.number} to {other}.",
        transfer.money.rounded(),
    )


def review(submission: Submission, subject: Any) -> Review:
    """Say in words what would be paid to whom, what changed since, and what would be left."""
    transfer: CashTransfer = subject
    bank = transfer.bank
    facts: list[tuple[str, Any]] = [
        ("Amount", transfer.money.rounded()),
        ("From", f"{transfer.account.client.name}, {transfer.account.number}"),
        ("To, by " + transfer.rail, f"{bank.ending}, {bank.name}" if bank else transfer.sending_institution),
        ("Why", transfer.note),
    ]
    now = []
    if bank is not None:
        since = bank.appeared_at or bank.first_seen_at
        facts.insert(3, ("Bank known since", f"{since:%d %b %Y %H:%M} UTC"))
        now.append(Difference("Bank at IBKR", "usable", "usable" if bank.is_usable else bank.ibkr_status.lower()))
        now.append(
            Difference("Bank details", "as they were", "changed since" if transfer.is_redirected else "as they were")
        )
    now.append(Difference("Account", "open", "open" if transfer.account.is_open else "not open"))
    redo = ""
    if transfer.kind == Kind.WITHDRAWAL:
        redo = f"{reverse('funding:withdraw')}?{urlencode({'account': str(transfer.account_id), 'again': str(transfer.pk)})}"
    if transfer.withdrawable is None:
        return Review(facts, now, redo=redo, amount=transfer.money)
    left = transfer.withdrawable - transfer.amount
    preview = [
        ("Settled when it was made", f"{transfer.currency} {transfer.withdrawable:,.2f}"),
        ("This transfer", f"{transfer.currency} {transfer.amount:,.2f}"),
        ("Left", f"{transfer.currency} {left:,.2f}"),
    ]
    return Review(facts, now, preview, transfer.withdrawable_as_of, redo, transfer.money)
