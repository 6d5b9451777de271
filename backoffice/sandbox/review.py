"""How an application comes to its end: tasks, and the way from "Incomplete Application" to "Open", driven by the
virtual clock.

    N "Incomplete Application"      until the client finishes in the portal, or `auto_finish_seconds` (0: never by
    itself) have passed
    P "Documents Required"          while a paper that approval needs is missing, under review or rejected
    P "Under Review with IBKR"      `review_seconds`
    P "Pending Approval"            `approval_seconds`
    O "Open"

An application that the firm completed without funding details is N until it opens. A paper handed in is
"Received- Being Processed" for `document_review_seconds`, then accepted, or rejected when its file name holds "reject".
An application in which nothing happens for 135 days is abandoned.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.routing import Route

from . import callbacks, forms
from .accounts import AccountRow, Person
from .clock import moment, stamp
from .jsonio import dumps, loads
from .kernel import Sandbox

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, form_number INTEGER NOT NULL, form_name TEXT NOT NULL, action TEXT
    NOT NULL,
    state TEXT NOT NULL, is_required INTEGER NOT NULL, is_online INTEGER NOT NULL, reject_reasons TEXT NOT NULL
    DEFAULT '[]',
    external_id TEXT NOT NULL, entity_id INTEGER NOT NULL, started_at TEXT NOT NULL, completed_at TEXT, due_at TEXT,
    verdict TEXT
);
CREATE INDEX IF NOT EXISTS tasks_account ON tasks (account)
"""

INCOMPLETE, DOCUMENTS, REVIEW, APPROVAL, OPEN = (
    "Incomplete Application", "Documents Required", "Under Review with IBKR", "Pending Approval", "Open",
)  # fmt: skip
TO_BE_SENT, TO_BE_SIGNED, TO_BE_COMPLETED, RECEIVED, COMPLETED = (
    "To Be Sent",
    "To Be Signed",
    "To Be Completed",
    "Received- Being Processed",
    "Completed",
)
INACTIVITY = timedelta(days=135)
STAGES = {INCOMPLETE: "N", DOCUMENTS: "P", REVIEW: "P", APPROVAL: "P", OPEN: "O"}
DEFAULT_SECONDS = {
    "auto_finish_seconds": 60,
    "review_seconds": 40,
    "approval_seconds": 40,
    "document_review_seconds": 30,
}

FORMS = {
    5001: "Form W-8BEN", 5002: "Form W-9", 8001: "Proof of Identity and Date of Birth", 8002: "Proof of Address",
    9130: "Account Agreements and Disclosures", 9974: "Information Verification",
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    id: int
    account: str
    form_number: int
    form_name: str
    action: str
    state: str
    is_required: bool
    is_online: bool
    reject_reasons: list[str]
    external_id: str
    entity_id: int
    started_at: datetime
    completed_at: datetime | None
    due_at: datetime | None
    verdict: str | None


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: bring_up_to_date(sandbox))


def routes(sandbox: Sandbox) -> list[Route]:
    return []


def seconds(sandbox: Sandbox, name: str) -> timedelta:
    return timedelta(seconds=int(sandbox.config.get(name, DEFAULT_SECONDS[name])))


def tasks(sandbox: Sandbox, account: str) -> list[Task]:
    found = []
    for row in sandbox.store.rows("SELECT * FROM tasks WHERE account = ? ORDER BY id", account):
        fields: dict[str, Any] = dict(row)
        fields.update({name: bool(fields[name]) for name in ("is_required", "is_online")})
        fields["reject_reasons"] = loads(fields["reject_reasons"])
        fields.update(
            {
                name: None if fields[name] is None else moment(fields[name])
                for name in ("started_at", "completed_at", "due_at")
            }
        )
        found.append(Task(**fields))
    return found


def outstanding(sandbox: Sandbox, account: str) -> list[Task]:
    """What approval still waits for and somebody has to do."""
    return [task for task in tasks(sandbox, account) if task.is_required and task.completed_at is None]


def add_task(
    sandbox: Sandbox,
    account: str,
    form_number: int,
    *,
    is_online: bool,
    external_id: str,
    entity_id: int,
    is_required: bool = True,
) -> None:
    """Online tasks are completed in the portal; agreements are to be signed, other papers to be sent."""
    action, state = ("to send", TO_BE_SENT)
    if is_online:
        action, state = ("to complete", TO_BE_COMPLETED)
    elif forms.is_signed(form_number):
        action, state = ("to sign", TO_BE_SIGNED)
    sandbox.store.execute(
        "INSERT INTO tasks (account, form_number, form_name, action, state, is_required, is_online, external_id,"
        " entity_id, started_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        account, form_number, FORMS.get(form_number) or forms.name_of(form_number),
        action, state, int(is_required), int(is_online), external_id,
        entity_id,
        stamp(sandbox.clock.now()),
    )  # fmt: skip


def complete_task(sandbox: Sandbox, task_id: int, at: datetime) -> None:
    sandbox.store.execute(
        "UPDATE tasks SET state = ?, action = 'to check', completed_at = ?, due_at = NULL, verdict = NULL,"
        " reject_reasons = '[]' WHERE id = ?",
        COMPLETED, stamp(at), task_id,
    )  # fmt: skip


def reject_task(sandbox: Sandbox, task_id: int, reason: str) -> None:
    sandbox.store.execute(
        "UPDATE tasks SET state = ?, action = 'to send', due_at = NULL, verdict = NULL, completed_at = NULL,"
        " reject_reasons = ? WHERE id = ?",
        f"Rejected .. {reason}", dumps([reason]), task_id,
    )  # fmt: skip


def receive_document(sandbox: Sandbox, task: Task, file_name: str) -> None:
    """A paper for this task arrived; its review ends later."""
    verdict = "The document is not legible" if sandbox.is_magic(file_name, "reject") else ""
    due = sandbox.clock.now() + seconds(sandbox, "document_review_seconds")
    sandbox.store.execute(
        "UPDATE tasks SET state = ?, action = 'to check', due_at = ?, verdict = ?, reject_reasons = '[]' WHERE id = ?",
        RECEIVED, stamp(due), verdict, task.id,
    )  # fmt: skip


def ask_for_tax_form(sandbox: Sandbox, account: str, is_us_person: bool, person: Person) -> None:
    """A changed name, address or tax country of an open account needs a new tax form; approval does not wait for it."""
    form = 5002 if is_us_person else 5001
    if any(task.form_number == form and task.completed_at is None for task in tasks(sandbox, account)):
        return
    add_task(
        sandbox, account, form, is_online=False, external_id=person.external_id, entity_id=person.entity_id,
        is_required=False,
    )  # fmt: skip


def shown_state(sandbox: Sandbox, account: AccountRow) -> str:
    """The state in words; an open account with unfinished tasks is open and "Documents Required"."""
    if account.is_open and any(task.completed_at is None for task in tasks(sandbox, account.account)):
        return DOCUMENTS
    return account.state


def abandon(sandbox: Sandbox, account: AccountRow, at: datetime) -> None:
    """Status A; what it was is kept for a reset."""
    kept = {"at": stamp(at), "status": account.status, "state": account.state}
    sandbox.accounts.set_trait(account.account, "abandoned", kept)
    sandbox.accounts.update(account.account, status="A", state="", due_at=None, date_closed=at)


def judge_task(sandbox: Sandbox, task: Task) -> None:
    """Accept this task now, as if its review had ended."""
    _judge_paper(sandbox, task.id, task.account, sandbox.clock.now(), "")


def begin(sandbox: Sandbox, account: str, *, is_complete: bool, is_funded: bool) -> None:
    """Start the clock of a new application. Without funding details it stays N to the end; the portal asks for them."""
    if is_complete and not is_funded:
        sandbox.accounts.set_trait(account, "no funding details", value=True)
    now = sandbox.clock.now()
    if is_complete:
        _after_the_client(sandbox, account, now)
        return
    wait = seconds(sandbox, "auto_finish_seconds")
    sandbox.accounts.update(account, status="N", state=INCOMPLETE, due_at=now + wait if wait else None)


def finish_application(sandbox: Sandbox, account: AccountRow, at: datetime | None = None) -> None:
    """The client did the remaining steps in the portal. Nothing happens when that was done before."""
    if account.state != INCOMPLETE or account.status not in ("N", "E"):
        return
    when = at or sandbox.clock.now()
    for task in outstanding(sandbox, account.account):
        if task.is_online:
            complete_task(sandbox, task.id, when)
    if account.status == "E":
        sandbox.accounts.update(account.account, status="O", state=OPEN, due_at=None)
        return
    _after_the_client(sandbox, account.account, when)


def set_state(sandbox: Sandbox, account: str, state: str, at: datetime | None = None) -> None:
    """Move the account to a state of the way described above, with the timer that state has."""
    when = at or sandbox.clock.now()
    waits = {INCOMPLETE: "auto_finish_seconds", REVIEW: "review_seconds", APPROVAL: "approval_seconds"}
    wait = seconds(sandbox, waits[state]) if state in waits else timedelta(0)
    status = STAGES[state]
    if status == "P" and sandbox.accounts.trait(account, "no funding details", default=False):
        status = "N"
    fields: dict[str, Any] = {"status": status, "state": state, "due_at": when + wait if wait else None}
    if state == OPEN:
        fields["date_opened"] = when
    sandbox.accounts.update(account, **fields)
    if state == OPEN and (row := sandbox.accounts.get(account)) is not None:
        callbacks.emit_request(sandbox, row.master, "ACCT_OPENING", account, status="OPENED")


def reject(sandbox: Sandbox, account: AccountRow, at: datetime) -> None:
    """Compliance says no: status R, never opened."""
    sandbox.accounts.update(account.account, status="R", state="", due_at=None, date_closed=at)
    callbacks.emit_request(sandbox, account.master, "ACCT_OPENING", account.account, status="REJECTED")


def bring_up_to_date(sandbox: Sandbox) -> None:
    """Do everything that has fallen due, in the order in which it fell due."""
    while (step := _next_step(sandbox)) is not None:
        step()
    _abandon_the_inactive(sandbox)


def _abandon_the_inactive(sandbox: Sandbox) -> None:
    """An application without any request, paper or finished step for 135 days is abandoned."""
    latest = stamp(sandbox.clock.now() - INACTIVITY)
    rows = sandbox.store.rows(
        "SELECT account FROM accounts WHERE status IN ('N', 'P') AND date_started <= ?"
        " AND NOT EXISTS (SELECT 1 FROM am_requests r WHERE r.account = accounts.account AND r.submitted_at > ?)"
        " AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.account = accounts.account AND (t.started_at > ? OR t.completed_at > ?))",
        latest, latest, latest, latest,
    )  # fmt: skip
    for row in rows:
        if (account := sandbox.accounts.get(row["account"])) is not None:
            abandon(sandbox, account, sandbox.clock.now())


def _next_step(sandbox: Sandbox) -> Any:
    now = stamp(sandbox.clock.now())
    paper = sandbox.store.row(
        "SELECT id, account, due_at, verdict FROM tasks WHERE due_at <= ? ORDER BY due_at LIMIT 1", now
    )
    account = next(iter(sandbox.accounts.due(sandbox.clock.now())), None)
    if paper is not None and (account is None or account.due_at is None or moment(paper["due_at"]) <= account.due_at):
        return lambda: _judge_paper(sandbox, paper["id"], paper["account"], moment(paper["due_at"]), paper["verdict"])
    if account is not None and account.due_at is not None:
        return lambda: _move_on(sandbox, account, account.due_at or sandbox.clock.now())
    return None


def _judge_paper(sandbox: Sandbox, task_id: int, account: str, at: datetime, verdict: str | None) -> None:
    row, task = sandbox.accounts.get(account), next(task for task in tasks(sandbox, account) if task.id == task_id)
    if row is not None and task.state == RECEIVED:
        details = {
            "form_number": task.form_number, "status": "REJECTED" if verdict else "ACCEPTED",
            "external_id": task.external_id,
        }  # fmt: skip
        callbacks.emit_request(sandbox, row.master, "DOC_SUBMISSION", account, details=details)
    if verdict:
        reject_task(sandbox, task_id, verdict)
        return
    complete_task(sandbox, task_id, at)
    if row is not None and row.state == DOCUMENTS and row.status in ("N", "P"):
        _after_the_client(sandbox, account, at)


def _move_on(sandbox: Sandbox, account: AccountRow, at: datetime) -> None:
    match account.state:
        case "Incomplete Application":
            finish_application(sandbox, account, at)
        case "Under Review with IBKR":
            set_state(sandbox, account.account, APPROVAL, at)
        case "Pending Approval":
            set_state(sandbox, account.account, OPEN, at)
        case _:
            sandbox.accounts.update(account.account, due_at=None)


def _after_the_client(sandbox: Sandbox, account: str, at: datetime) -> None:
    set_state(sandbox, account, DOCUMENTS if outstanding(sandbox, account) else REVIEW, at)
