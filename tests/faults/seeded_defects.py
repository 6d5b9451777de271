"""The tests of the tests: each of these faults, put into a copy of the product, must turn some test red (reliability.md A.5).

`make faults` runs this file against a copy and counts. First the named tests must pass in the untouched copy, or nothing
that fails later would mean anything.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"
)
PASSED, FAILED = 0, 1  # pytest's exit codes; any other means that it could not judge

SENDING, LOOKING = "backoffice/journal/sending.py", "backoffice/journal/looking.py"
SERVICES = "backoffice/journal/services.py"
TRANSPORT = "backoffice/ibkr/transport.py"
JOURNAL, DOUBTS = "tests/backoffice/test_journal.py", "tests/backoffice/test_journal_doubts.py"
LOST = "tests/faults/test_lost_answers.py"


@dataclass(frozen=True)
class Defect:
    """One fault somebody might make: which text becomes which in which file, and a test that must notice."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    test: str


DEFECTS = (
    Defect(
        "send before the attempt is committed",
        ((
            SENDING, "    with transaction.atomic(durable=True):\n        LIFECYCLE.move(submission, to=State.SENDING",
            "    done = call()\n    call = lambda: done\n"
            "    with transaction.atomic(durable=True):\n        LIFECYCLE.move(submission, to=State.SENDING",
        ),),
        f"{JOURNAL}::TestSending::test_the_attempt_is_committed_before_a_byte_may_leave",
    ),
    Defect(
        "repeat a write after a 503",
        ((
            TRANSPORT, "        if call.effect is not Effect.READ:\n            return self._send_once(call)\n", "",
        ),),
        f"{LOST}::test_s04_an_error_status_says_nothing_about_the_effect[withdrawal-applied_not_answered-503]",
    ),
    Defect(
        "another key for the second sending",
        ((
            "funding/dispatch.py", "answer = client.funding.withdraw(Withdrawal.model_validate(members), key=submission.key)",
            "answer = client.funding.withdraw(Withdrawal.model_validate(members), key="
            "submission.key if submission.attempts.count() == 1 else str(journal.next_instruction_id()))",
        ),),
        f"{LOST}::test_s02_proven_absent_and_released_by_two_it_goes_out_under_its_own_key",
    ),
    Defect(
        "no fencing",
        (
            (SENDING, ", state=state, fence=submission.fence).exists()", ", state=state).exists()"),
            (SENDING, 'because="sending", given={"fence": submission.fence})', 'because="sending")'),
            (SENDING, "if current.fence != submission.fence or not (", "if not ("),
        ),
        f"{JOURNAL}::TestLastLook::test_the_fence_tells_a_successor_from_the_one_that_slept",
    ),
    Defect(
        "send what was being sent once more when the worker died",
        ((
            "backoffice/journal/sweeps.py", 'mark_unknown(row, "the worker stopped before IBKR\'s answer was read")',
            'LIFECYCLE.move(row, to=State.READY, because="the worker stopped")',
        ),),
        f"{JOURNAL}::TestSending::test_a_worker_that_died_while_sending_leaves_unknown_never_ready",
    ),
    Defect(
        "absence from one look",
        ((LOOKING, "CLEAN_LOOKS_NEEDED = 3", "CLEAN_LOOKS_NEEDED = 1"),),
        f"{DOUBTS}::test_absence_needs_three_clean_looks_in_a_row",
    ),
    Defect(
        "absence without the quiet time",
        ((LOOKING, "if now - quiet_since < timedelta(seconds=_quiet_seconds(submission)):", "if now < quiet_since:"),),
        f"{DOUBTS}::test_absence_needs_the_quiet_time_and_looks_a_minute_apart",
    ),
    Defect(
        "absence from looks all at once",
        ((LOOKING, "return recent[0].at - recent[-1].at >=", "return recent[0].at - recent[-1].at >= 0 *"),),
        f"{DOUBTS}::test_absence_needs_the_quiet_time_and_looks_a_minute_apart",
    ),
    Defect(
        "absence without a positive control",
        (("funding/dispatch.py", "    if client.funding.instruction(control) is None:\n", "    if not control:\n"),),
        "tests/funding/test_dispatch.py::test_silence_of_the_look_itself_is_not_absence",
    ),
    Defect(
        "absence of what IBKR said it took",
        ((LOOKING, "if submission.attempts.filter(speaking).exists():", "if not submission:"),),
        f"{DOUBTS}::test_what_ibkr_said_it_took_is_never_absent",
    ),
    Defect(
        "absence while the sender may still send",
        ((LOOKING, "if last is None or not attempts.is_over(last):", "if last is None:"),),
        f"{DOUBTS}::test_absence_is_not_concluded_while_the_sender_lives",
    ),
    Defect(
        "a second order beside an open question",
        ((SENDING, "phase == Phase.SEND and _lane_is_taken(row):", "phase == Phase.SEND and row.lane == phase:"),),
        f"{JOURNAL}::TestConversation::test_one_order_conversation_holds_the_lane",
    ),
    Defect(
        "an approval of whatever is there",
        ((SERVICES, "if payload_sha256 != locked.payload_sha256:", "if not payload_sha256:"),),
        f"{JOURNAL}::TestApproval::test_approval_of_another_payload_is_refused",
    ),
    Defect(
        "a payload that is not the approved one",
        ((
            "backoffice/journal/models.py",
            "return hashlib.sha256(self.payload_text.encode()).hexdigest() == self.payload_sha256", "return True",
        ),),
        f"{JOURNAL}::TestApproval::test_an_altered_payload_is_void_and_never_sent",
    ),
    Defect(
        "one's own approval",
        ((SERVICES, "if locked.maker_id == by.pk:", "if locked.maker_id is by.pk is None:"),),
        f"{JOURNAL}::TestApproval::test_nobody_approves_their_own",
    ),
    Defect(
        "a release by one person",
        ((SERVICES, "if _are_of_two(submission.releases.filter(for_attempt=number)):", "if number:"),),
        "tests/backoffice/test_releases.py::test_two_people_release_what_is_proven_absent_under_its_own_key",
    ),
    Defect(
        "absence by one person's word",
        ((SERVICES, "if _are_of_two(submission.attestations.filter(for_attempt=number)):", "if number:"),),
        "tests/backoffice/test_attestation.py::test_two_people_take_it_as_absent_and_nothing_leaves_by_it",
    ),
    Defect(
        "no look at the gate before sending",
        ((SENDING, "    if gate is not None:\n", "    if gate is None and not submission:\n"),),
        f"{JOURNAL}::TestLastLook::test_a_gate_closed_while_the_call_waits_for_its_turn_stops_it_at_the_door",
    ),
    Defect(
        "a lost answer taken for nothing sent",
        ((TRANSPORT, "        if not departure.has_begun:\n", "        if departure:\n"),),
        f"{LOST}::test_s03_an_answer_lost_after_the_effect_is_found_by_looking[withdrawal-reset]",
    ),
    Defect(
        "a 429 that stops nobody",
        ((
            TRANSPORT, "if reply.status == 429 and self.limiter is not None:", "if reply.status == 429 and not self.limiter:",
        ),),
        f"{LOST}::test_s06_after_a_429_nothing_more_leaves[withdrawal]",
    ),
)  # fmt: skip


def copied(to: Path) -> Path:
    """Lay a fresh copy of the product and its tests in a folder."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(ROOT, to, ignore=LEFT_OUT, symlinks=True))


def judged(copy: Path, *tests: str) -> int:
    """Run tests inside the copy, on the servers of the environment; return pytest's exit code."""
    environment = {name: value for name, value in os.environ.items() if name not in {"FAULT_FIGURES", "PYTEST_ARGS"}}
    environment |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "--reuse-db", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=copy, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode not in {PASSED, FAILED}:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode


def is_caught(copy: Path, defect: Defect) -> bool:
    """Put one defect into the copy, see whether its test fails, and take it out again."""
    sound = {path: (copy / path).read_text() for path, _, _ in defect.edits}
    try:
        for path, old, new in defect.edits:
            changed = (copy / path).read_text().replace(old, new)
            compile(changed, path, "exec")  # what does not even compile is no defect that a test could miss
            (copy / path).write_text(changed)
        return judged(copy, defect.test) == FAILED
    finally:
        for path, text in sound.items():
            (copy / path).write_text(text)


def main(folder: Path, figures: Path) -> int:
    """Count the defects that are caught; write the figures as JSON. Returns 0 when all were."""
    copy = copied(folder)
    caught = []
    if judged(copy, *{defect.test: None for defect in DEFECTS}) == PASSED:
        for defect in DEFECTS:
            caught.append(is_caught(copy, defect))
            print(f"seeded defect, {'caught' if caught[-1] else 'NOT CAUGHT'}: {defect.name}", flush=True)
    else:
        print("The tests fail without any seeded defect, so no defect can be judged.", flush=True)
    figures.write_text(json.dumps({"seeded_defects": len(DEFECTS), "seeded_defects_caught": sum(caught)}))
    shutil.rmtree(copy, ignore_errors=True)
    return 0 if sum(caught) == len(DEFECTS) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
