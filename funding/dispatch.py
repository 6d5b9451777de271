"""Calls to IBKR about cash, and their answers recorded. Workers only.

Paths: POST /gw/api/v1/external-cash-transfers, GET /gw/api/v1/client-instructions/{id},
POST /gw/api/v1/bank-instructions/query, GET /v1/api/portfolio/{accountId}/ledger.
"""

import json
from typing import Any, Literal

from django.db import transaction
from django.db.models import F

from backoffice.broker import client as broker
from backoffice.core import clock
from backoffice.core.doorbell import remind
from backoffice.core.fields import DecimalEncoder
from backoffice.ibkr import IbkrClient, IbkrError, SessionNotReady
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.types.funding import DepositNotice, Duplicate, Instruction, Withdrawal
from backoffice.ibkr.types.portfolio import Ledger
from backoffice.journal import inquiries, looking, sending
from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from backoffice.journal.outcomes import Absent, Accepted, Found, Inconclusive, Look, Refused
from clients.models import Account
from funding import selectors, services
from funding.models import CashTransfer, Kind, Status
from funding.translate import INSTRUCTION_TYPES

# The kinds of bank link this product pays to and reads; IBKR lists one kind per query.
METHODS: tuple[Literal["WIRE", "ACH"], ...] = ("WIRE", "ACH")
SOURCE = "GET /client-instructions/{id}"
BANKS_PER_SWEEP = 10


def send_transfer(submission_pk: str) -> None:
    """Tell IBKR about one transfer. Safe to call any number of times."""
    if (submission := sending.claim(submission_pk)) is None:
        return
    outcome = sending.attempt(
        submission, lambda: _send(broker.client_for(submission.master, lane="funding"), submission)
    )
    with transaction.atomic():
        if not sending.settle(submission, outcome):
            return
        match outcome:
            case Accepted(reference=reference, answer=answer):
                services.mark_submitted(submission.subject, instruction_id=reference, **_said(answer))
            case Refused(reason=reason):
                services.mark_rejected(submission.subject, reason=reason)


def _send(client: IbkrClient, submission: Submission) -> Accepted:
    """Send what was approved, and nothing but it. Refusals and doubts travel as the client's errors."""
    sent = submission.payload
    members = {name: value for name, value in sent["instruction"].items() if name != "clientInstructionId"}
    if sent["instructionType"] == INSTRUCTION_TYPES[Kind.WITHDRAWAL]:
        answer = client.funding.withdraw(Withdrawal.model_validate(members), key=submission.key)
    else:
        answer = client.funding.deposit(DepositNotice.model_validate(members), key=submission.key)
    return Accepted(reference=answer.instruction_id or "", answer=_kept(answer))


def _kept(answer: Instruction) -> dict[str, Any]:
    """Return IBKR's answer, redacted, in the form the journal stores: Decimals as text."""
    kept: dict[str, Any] = json.loads(json.dumps(answer.raw, cls=DecimalEncoder))
    return kept


def _said(answer: Any) -> dict[str, str]:
    """Return IBKR's status word and sentence from a kept answer."""
    members = answer if isinstance(answer, dict) else {}
    return {"word": str(members.get("instructionStatus") or ""), "words": str(members.get("description") or "")}


def look_for_transfer(submission_pk: str) -> None:
    """Look at IBKR for a transfer whose sending came to nothing we could read."""
    if (submission := looking.due_for_look(submission_pk)) is None:
        return
    transfer: CashTransfer = submission.subject
    client = broker.client_for(submission.master, lane="funding")
    found: Instruction | None = None
    try:
        answer = client.funding.instruction(submission.key)
        look, found = _judge(client, transfer, answer)
    except IbkrError as error:
        look = Inconclusive(SOURCE, error.reason)
    with transaction.atomic():
        if not looking.observe(submission, look) or found is None:
            return
        if found.status.upper() == "REJECTED":
            services.mark_rejected(transfer, reason=_reason(found))
        else:
            services.mark_submitted(
                transfer, instruction_id=found.instruction_id or "", word=found.status, words=found.description
            )


def _judge(
    client: IbkrClient, transfer: CashTransfer, answer: Instruction | Duplicate | None
) -> tuple[Look, Instruction | None]:
    match answer:
        case None:
            return _judge_absence(client, transfer), None
        case Duplicate(first=first):
            detail = (
                "IBKR says this number was used for more than one request. Two people look at both; nothing is sent."
            )
            return Found(first.instruction_id or "", SOURCE, detail=detail, matches=False, data=_kept(first)), None
    wanted = INSTRUCTION_TYPES[Kind(transfer.kind)]
    if answer.instruction_type and answer.instruction_type.upper() != wanted:
        detail = f"IBKR has a {answer.instruction_type} under this number, not a {wanted}."
        return Found(answer.instruction_id or "", SOURCE, detail=detail, matches=False, data=_kept(answer)), None
    is_rejected = answer.status.upper() == "REJECTED"
    detail = _reason(answer) if is_rejected else answer.description
    return Found(
        answer.instruction_id or "", SOURCE, detail=detail, is_rejected=is_rejected, data=_kept(answer)
    ), answer


def _judge_absence(client: IbkrClient, transfer: CashTransfer) -> Look:
    """A 404 counts only if the same look shows another instruction of ours: else IBKR may just not be showing any."""
    words = "IBKR does not know the number."
    control = (
        CashTransfer.objects.filter(
            account__master=transfer.account.master, polled_at__isnull=False, status__in=[Status.SUBMITTED, Status.DONE]
        )
        .exclude(pk=transfer.pk)
        .order_by("-polled_at")
        .values_list("client_instruction_id", flat=True)
        .first()
    )
    if control is None:
        # No transfer of ours to compare with: a query leaves its own number in IBKR's books.
        control = journal.next_instruction_id()
        client.funding.bank_instructions(transfer.account.number, method="WIRE", key=control)
    if client.funding.instruction(control) is None:
        return Inconclusive(
            SOURCE, f"{words} But it does not show our number {control} either, so this proves nothing."
        )
    return Absent(SOURCE, f"{words} In the same look it shows our number {control}.")


def _reason(instruction: Instruction) -> str:
    parts = (instruction.error_code, instruction.error_message or instruction.description)
    return ": ".join(part for part in parts if part) or "IBKR rejected the instruction without a reason."


def poll_transfer(transfer_pk: str) -> None:
    """Ask IBKR how one submitted transfer stands."""
    if (transfer := services.book_poll(transfer_pk)) is None:
        return
    client = broker.client_for(transfer.account.master, lane="funding", priority=Priority.POLLING)
    try:
        answer = client.funding.instruction(transfer.client_instruction_id)
    except IbkrError:
        return  # the next poll is booked, and the page says how old the last one is
    match answer:
        case Instruction() if answer.status.upper() == "REJECTED":
            services.record_status(transfer, word=answer.status, words=_reason(answer))
        case Instruction():
            services.record_status(transfer, word=answer.status, words=answer.description)
        case Duplicate(first=first):
            words = "IBKR says this number was used for more than one request. This is the state of the first."
            services.record_status(transfer, word=first.status, words=words)


def sweep_transfers() -> None:
    """Ring for polls that are due and for bank lists that are old; cancel what was withdrawn before it was sent."""
    now = clock.now()
    services.close_void()
    for pk in selectors.due_for_poll(now).values_list("pk", flat=True)[:100]:
        remind("funding.poll_transfer", pk)
    never_read = Account.objects.open().exclude(bank_listing__read_at__isnull=False)
    # Whoever was asked about longest ago first: accounts that IBKR gives no list of must not hide the others.
    in_turn = never_read.order_by(F("bank_listing__asked_at").asc(nulls_first=True), "number")
    for account in in_turn[:BANKS_PER_SWEEP]:
        services.ask_for_banks(account)


def sync_banks(account_pk: str) -> None:
    """Read the bank instructions IBKR holds for one account. Each query uses up a number of our sequence."""
    account = Account.objects.select_related("master").filter(pk=account_pk).first()
    if account is None:
        return
    client = broker.client_for(account.master, lane="funding", priority=Priority.POLLING)
    listed = []
    try:
        for method in METHODS:
            answers = client.funding.bank_instructions(account.number, method=method, key=journal.next_instruction_id())
            listed += [
                services.ListedBank(
                    name=each.name,
                    method=method,
                    currency=each.currency,
                    last4="".join(filter(str.isdigit, each.masked_account))[-4:],
                    status=each.status,
                    kind=each.type,
                )
                for each in answers
                if each.name and each.currency
            ]
    except IbkrError as error:
        services.record_banks_failure(account, reason=error.reason)
        return
    services.record_banks(account, listed, methods=METHODS)


def _ledger(client: IbkrClient, number: str) -> Ledger:
    """Read an account's ledger; a session that was never primed is primed once, which IBKR allows every 5 seconds."""
    try:
        return client.portfolio.ledger(number)
    except SessionNotReady:
        client.portfolio.subaccounts()
        return client.portfolio.ledger(number)


def answer_withdrawable(inquiry_pk: str) -> None:
    """Answer how much settled cash of one currency an account has, from its ledger at IBKR."""
    if (inquiry := inquiries.take(inquiry_pk)) is None:
        return
    account = Account.objects.select_related("master").get(pk=inquiry.params["account"])
    currency = inquiry.params["currency"]
    client = broker.client_for(account.master, lane="interactive")
    try:
        ledger = _ledger(client, account.number)
    except IbkrError as error:
        inquiries.fail(inquiry, f"IBKR did not say how much can leave: {error.reason}")
        return
    line = ledger.currencies.get(currency)
    # A currency that is not in the ledger was never held: that is zero, and IBKR says so by leaving it out.
    settled = (line.settled_cash if line.settled_cash is not None else line.cash) if line else 0
    inquiries.answer(inquiry, {"amount": settled, "currency": currency, "as_of": clock.now()})
