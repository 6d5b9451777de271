"""S22: IBKR answers for a set of instructions, and each instruction has an outcome of its own in it."""

import itertools
import json
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from celery import current_app

from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from clients.models import Account
from funding import services as funding
from funding.models import BankInstruction, CashTransfer, Status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
MONEY_OUT = "^/gw/api/v1/external-cash-transfers$"
# What IBKR may say of one instruction, and what that makes of its submission, whatever is said of the set.
MEANINGS = {
    "PENDING": State.ACKED,
    "PROCESSED": State.ACKED,
    "PENDING_VERIFICATION": State.ACKED,
    "REJECTED": State.REJECTED,
    "missing": State.UNKNOWN,
}
# Everything that four instructions can come to, but for their order: each is a request of its own. A quick slice, with each
# word, runs with every test; `make faults` runs all.
SETS = list(itertools.combinations_with_replacement(MEANINGS, 4))
QUICK = SETS[::14]
A_DAY = 96  # withdrawals of one account; the policy allows 100


def begin(account: Account, bank: BankInstruction, amount: Decimal, maker: Any, checker: Any) -> Submission:
    transfer = funding.request_withdrawal(
        account=account, money=Money(amount, bank.currency), bank=bank, by=maker, intent=uuid.uuid4(), note="By phone"
    )
    submission = journal.current_for(transfer)
    assert submission is not None
    funding.approve(transfer, by=checker, payload_sha256=submission.payload_sha256)
    return submission


def said(submission: Submission, word: str, number: int) -> str:
    """The answer to one instruction of a set: the set is fine, the instruction is what it is."""
    whole: dict[str, Any] = {"status": 202, "instructionSetId": 4711}
    if word != "missing":
        result: dict[str, Any] = {
            "clientInstructionId": int(submission.key), "instructionId": 9000 + number, "instructionStatus": word,
            "instructionType": "WITHDRAWAL",
        }  # fmt: skip
        if word == "REJECTED":
            result["error"] = {"errorCode": "INSUFFICIENT", "errorMessage": "Not enough settled cash."}
        whole["instructionResult"] = result
    return json.dumps(whole)


@pytest.mark.row(id="S22")
@pytest.mark.parametrize("status", [202, 207])
def test_s22_of_a_set_each_instruction_stands_for_itself(
    status: int, account: Account, sandbox: Any, advisor: Any, principal: Any, request: pytest.FixtureRequest
) -> None:
    sets = SETS if request.config.option.markexpr == "faults" else QUICK
    assert {word for words in QUICK for word in words} == set(MEANINGS)
    current_app.loader.import_default_modules()
    listed = next(row for row in sandbox.world()["accounts"] if row["account"] == account.number)["bank_instructions"][
        0
    ]
    bank = BankInstruction.objects.create(
        account=account, name=listed["name"], method=listed["method"], currency=listed["currency"],
        last4=listed["last4"], ibkr_status="PROCESSED", first_seen_at=clock.now(), seen_at=clock.now(),
    )  # fmt: skip

    begun = []
    days = (4 * len(sets) - 1) // A_DAY
    with time_machine.travel(clock.now() - timedelta(days=days, seconds=8 * len(sets)), tick=False) as then:
        for number in range(4 * len(sets)):  # at the pace the firm's policy allows
            if number and number % A_DAY == 0:
                then.shift(timedelta(days=1))
            begun.append(begin(account, bank, Decimal(10 + number), advisor, principal))
            then.shift(2)

    for number, words in enumerate(sets):
        four = begun[4 * number : 4 * number + 4]
        for place, (submission, word) in enumerate(zip(four, words, strict=True)):
            sandbox.fault({
                "method": "POST", "path": MONEY_OUT, "nth": 1, "action": "status", "status": status,
                "phase": "read_not_applied" if word == "REJECTED" else "applied_not_answered",  # a refusal books nothing
                "body": said(submission, word, number * 4 + place),
            })  # fmt: skip
            current_app.tasks[submission.operation](str(submission.pk))

        states = [State(Submission.objects.get(pk=each.pk).state) for each in four]
        assert states == [MEANINGS[word] for word in words], words

    assert Submission.objects.count() == 4 * len(sets) == CashTransfer.objects.count()
    rejected = CashTransfer.objects.filter(status=Status.REJECTED)
    assert rejected.count() == sum(words.count("REJECTED") for words in sets)
