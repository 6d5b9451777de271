"""S05 in numbers: thousands of mutilated answers to writes; none is taken for a yes, none breaks us, none fills the memory.

A quick slice runs with every test; `make faults` runs all.
"""

import json
import random
import resource
from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app

from backoffice.core import clock
from backoffice.ibkr import Exchange, OutcomeUnknown
from backoffice.ibkr.errors import IbkrError
from backoffice.ibkr.orders import outcome_of
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.orders import Placed
from backoffice.journal.models import State
from tests.faults.conftest import Effect

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
ALL, QUICK = 5000, 250
MOST_MEMORY = 150 * 1024  # KiB more than before
KEY = "T-20418-0a1b2c3d4e5f"
TAKEN = [{"order_id": "1370093239", "order_status": "PreSubmitted", "encrypt_message": "1", "local_order_id": KEY}]
SECRET = "DE89370400440532013000"


def truncated(luck: random.Random, text: str) -> bytes:
    return text[: luck.randrange(1, len(text))].encode()


def empty(luck: random.Random, text: str) -> bytes:
    return luck.choice([b"", b" ", b"\n\n", b"\xef\xbb\xbf", b"null"])


def page(luck: random.Random, text: str) -> bytes:
    return f"<html><body><h1>{luck.choice(['502', '504'])}</h1>{text}</body></html>".encode()


def wrong_schema(luck: random.Random, text: str) -> bytes:
    value = luck.choice([1, True, "Success", [], {}, [[]], [{}], {"orders": []}, [TAKEN], {"result": TAKEN}, [1, 2]])
    return json.dumps(value).encode()


def wrong_id(luck: random.Random, text: str) -> bytes:
    value = luck.choice([None, "", "-1", "0", -1, 0, True, 1.5, "1e9", "../1", "1 2", [], {}, "9" * 40, "１２"])
    return json.dumps([{**TAKEN[0], "order_id": value}]).encode()


def named_twice(luck: random.Random, text: str) -> bytes:
    return f'[{{"order_id": "{luck.randrange(1, 10**9)}", {json.dumps(TAKEN[0])[1:]}]'.encode()


def flipped(luck: random.Random, text: str) -> bytes:
    """Bytes that are no UTF-8, so that nothing of it can be trusted."""
    content = bytearray(text.encode())
    for _ in range(luck.randrange(1, 6)):
        content[luck.randrange(len(content))] = luck.choice([0xFF, 0xFE, 0xC0, 0x80])
    return bytes(content)


def deep(luck: random.Random, text: str) -> bytes:
    depth = luck.randrange(200, 20_000)
    return b"[" * depth + luck.choice([b"", b"]" * depth])


def mixed(luck: random.Random, text: str) -> bytes:
    """One ticket sent, two answers: some of it may be working."""
    other = luck.choice([{"error": "no"}, {"order_id": "7"}, {"id": "a1b2c3d4-0000", "message": ["Sure?"]}, {}])
    both = [TAKEN[0], other]
    luck.shuffle(both)
    return json.dumps(both).encode()


MUTATORS: list[Callable[[random.Random, str], bytes]] = [
    truncated, empty, page, wrong_schema, wrong_id, named_twice, flipped, deep, mixed,
]  # fmt: skip


def reply_of(status: int, body: bytes) -> Reply:
    exchange = Exchange("id", "POST", "/x", {}, None, clock.now(), 1, "answered", status)
    return Reply(status, {}, body, exchange)


@pytest.mark.row(id="S05")
def test_s05_no_mutilated_answer_to_an_order_is_taken_for_a_yes(request: pytest.FixtureRequest) -> None:
    number = ALL if request.config.option.markexpr == "faults" else QUICK
    whole = json.dumps(TAKEN)
    assert isinstance(outcome_of(reply_of(200, whole.encode())), Placed)  # what is mutilated is a yes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for seed in range(number):
        luck = random.Random(seed)
        mutilate = MUTATORS[seed % len(MUTATORS)]
        body = mutilate(luck, whole)
        try:
            outcome: object = outcome_of(reply_of(luck.choice([200, 201, 202]), body))
        except OutcomeUnknown:
            continue
        except IbkrError as error:
            outcome = error
        pytest.fail(f"seed {seed}, {mutilate.__name__}: {body[:200]!r} was read as {outcome!r}")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


@pytest.mark.row(id="S05")
def test_s05_fifty_megabytes_are_cut_off_and_the_effect_is_found(
    withdrawal: Effect, order: Effect, application: Effect, sandbox: Any
) -> None:
    current_app.loader.import_default_modules()
    for effect in (withdrawal, order, application):
        row = effect.begin()
        submission = effect.submission(row)
        sandbox.fault({"method": "POST", "path": effect.path, "phase": "applied_not_answered", "action": "huge"})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        current_app.tasks[submission.operation](str(submission.pk))

        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY
        assert effect.submission(row).state == State.UNKNOWN
        sandbox.clear_faults()
        current_app.tasks[submission.look](str(submission.pk))
        assert effect.submission(row).state == State.ACKED
        assert len(sandbox.ledger(effect.ledger)) == 1


@pytest.mark.row(id="S05")
def test_s05_what_came_is_kept_redacted(withdrawal: Effect, sandbox: Any) -> None:
    current_app.loader.import_default_modules()
    row = withdrawal.begin()
    submission = withdrawal.submission(row)
    sandbox.fault({
        "method": "POST", "path": withdrawal.path, "phase": "applied_not_answered", "action": "status", "status": 202,
        "body": json.dumps({"instructionSetId": 77, "iban": SECRET, "accountNumber": SECRET, "unheardOf": True}),
    })  # fmt: skip

    current_app.tasks[submission.operation](str(submission.pk))

    attempt = submission.attempts.get()
    assert withdrawal.submission(row).state == State.UNKNOWN
    assert attempt.answer["status"] == 202
    assert attempt.answer["said"]["instructionSetId"] == 77
    assert SECRET not in json.dumps(attempt.answer)
