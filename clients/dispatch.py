"""Calls to IBKR about accounts and what their answers mean. Workers only; each function is safe to call any number of times."""

import base64
import hashlib
import logging
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from backoffice.broker import client as broker
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.ibkr import errors as ibkr
from backoffice.ibkr.client import IbkrClient
from backoffice.ibkr.limits import Priority
from backoffice.ibkr.types.accounts import (
    AccountDetails,
    AccountStatus,
    ApplicationRecord,
    HybridIndividualApplication,
    Task,
)
from backoffice.ibkr.types.changes import AddressChange, AliasChange
from backoffice.ibkr.types.documents import Document as SentDocument
from backoffice.ibkr.types.documents import DocumentFile, DocumentSubmission
from backoffice.ibkr.types.operation import Operation
from backoffice.ibkr.types.sso import PortalPage
from backoffice.journal import inquiries, looking, sending
from backoffice.journal.models import Submission
from backoffice.journal.outcomes import Absent, Accepted, Found, Inconclusive, Look, Refused, Unknown
from clients import selectors
from clients.models import Account, Application, CaseKind, Document, MaintenanceRequest
from clients.services import applications, documents, maintenance, unsent
from clients.services.applications import Registration, SeenStatus, SeenTask

log = logging.getLogger(__name__)

# An address under review looks like one that never arrived; after this long IBKR's review is over (section 10: 1-2 business days).
REVIEW_IS_OVER = timedelta(days=5)
# Details may be those of the last business day's end (section 9.1); a long weekend later they are younger than a sending.
DETAILS_ARE_LATER = timedelta(days=4)
# Accounts the bulk listing left out are read one by one, at most this many in one round.
READ_SINGLY = 20
KEPT_OF_A_TASK = {"form_name": 160, "action": 30, "state": 300}  # letters; the columns of AccountTask


# ---- applications


def send_application(submission_pk: str) -> None:
    """Open one account at IBKR: POST /accounts."""
    if (submission := sending.claim(submission_pk)) is None:
        return
    application: Application = submission.subject
    outcome = sending.attempt(
        submission, lambda: _create(broker.client_for(submission.master, lane="accounts"), submission)
    )
    with transaction.atomic():
        if sending.settle(submission, outcome):
            match outcome:
                case Accepted(answer=answer):
                    applications.mark_registered(application, Registration(**answer["given"]))
                case Refused(reason=reason):
                    applications.mark_refused(application, reason.splitlines())


def _create(client: IbkrClient, submission: Submission) -> Accepted | Refused | Unknown:
    request = HybridIndividualApplication.model_validate(submission.payload)
    try:
        accepted = client.accounts.create(request)
    except ibkr.Rejected as refusal:
        return Refused("\n".join(refusal.reasons))
    if not accepted.is_processed or accepted.account_id is None:
        # Queued: whether it becomes an account is not known yet. The looks by external id and by request will tell.
        return Unknown(
            f"IBKR queued it as request {accepted.request_id} and has not decided yet.",
            answer={"request_id": accepted.request_id, "raw": accepted.raw},
        )
    given = _given(accepted.account_id, accepted.users, accepted.entities)
    return Accepted(accepted.account_id, answer={"given": given, "raw": accepted.raw})


def _given(account: str, users: tuple[Any, ...], entities: tuple[Any, ...]) -> dict[str, str]:
    return {
        "account": account,
        "username": (users[0].username or "") if users else "",
        "entity_id": (entities[0].id or "") if entities else "",
    }


def look_for_application(submission_pk: str) -> None:
    """Find out whether an application whose answer was lost is at IBKR: GET /accounts?externalId=."""
    if (submission := looking.due_for_look(submission_pk)) is None:
        return
    application: Application = submission.subject
    client = broker.client_for(submission.master, lane="accounts")
    look = _look_for_application(client, submission)
    with transaction.atomic():
        if looking.observe(submission, look):
            match look:
                case Found(is_rejected=True, data=data):
                    applications.mark_refused(application, data["reasons"])
                case Found(data=data):
                    applications.mark_registered(application, Registration(**data["given"]))


def _look_for_application(client: IbkrClient, submission: Submission) -> Look:
    source = f"GET /accounts?externalId={submission.key}"
    try:
        record = client.accounts.by_external_id(submission.key)
        if record is not None:
            return _found(record, source)
        if (request_id := _queued_as(submission)) is not None:
            return _look_at_request(client, request_id)
        return _nothing_under_key(client, submission, source)
    except ibkr.IbkrError as error:
        return Inconclusive(source, error.reason)


def _found(record: ApplicationRecord, source: str) -> Look:
    if record.is_success is False and record.account_id is None:
        reasons = list(record.errors) or ["IBKR refused it without saying why."]
        return Found(reference="", source=source, detail=" ".join(reasons), is_rejected=True, data={"reasons": reasons})
    if record.account_id is None:
        return Inconclusive(source, "IBKR has the application and has not decided yet.")
    given = _given(record.account_id, record.users, record.entities)
    return Found(reference=record.account_id, source=source, detail=" ".join(record.errors), data={"given": given})


def _queued_as(submission: Submission) -> str | None:
    """The number IBKR gave the newest sending that it queued."""
    answers = submission.attempts.order_by("-number").values_list("answer", flat=True)
    return next((str(each["request_id"]) for each in answers if each and each.get("request_id")), None)


def _look_at_request(client: IbkrClient, request_id: str) -> Look:
    """IBKR has what it gave a number for, so nothing here is ever taken for absence."""
    source = f"GET /requests/{request_id}/status"
    status = client.requests.status(request_id, "response")
    if status is None:
        return Inconclusive(source, "IBKR does not show the request that it gave this number.")
    account_id = status.accounts[0].account_id if status.accounts else status.account_id
    if status.is_success is False and account_id is None:
        reasons = [*status.errors] or [status.message or "IBKR refused it without saying why."]
        return Found(reference="", source=source, detail=" ".join(reasons), is_rejected=True, data={"reasons": reasons})
    if status.is_success is not None and account_id:  # rejected later, perhaps: the account's own status will say so
        given = _given(account_id, status.users, status.entities)
        return Found(reference=account_id, source=source, data={"given": given})
    return Inconclusive(source, f"IBKR says {status.status or 'nothing'} of it and names no account yet.")


def _nothing_under_key(client: IbkrClient, submission: Submission, source: str) -> Look:
    """Silence counts only when the same call shows what is known to exist, and no account came that nobody explains."""
    known = selectors.applications.another_registered(submission.master, besides=submission.key)
    if known is None or client.accounts.by_external_id(known) is None:
        return Inconclusive(source, "The same look did not show another application that is known to be there.")
    day = submission.created_at.astimezone(clock.NEW_YORK).date()
    listed = client.accounts.statuses(day, _tomorrow())
    strangers = selectors.applications.unexplained([row.account_id for row in listed])
    if strangers:
        return Inconclusive(
            source, f"Account {strangers[0]} was made since and nothing here explains it; it may be this one."
        )
    return Absent(source, f"{known} was visible, {submission.key} was not, and no unexplained account was made since.")


def _tomorrow() -> date:
    return clock.today(clock.NEW_YORK) + timedelta(days=1)


# ---- status and tasks


def poll_statuses() -> None:
    """Read how all unfinished applications stand: one listing per master, then the tasks of each."""
    now = clock.now()
    for master, accounts in selectors.applications.due_for_poll(now).items():
        client = broker.client_for(master, lane="accounts", priority=Priority.POLLING)
        try:
            _poll(client, accounts)
        except ibkr.IbkrError as error:
            log.warning("statuses of %s not read: %s", master.account, error.reason)


def _poll(client: IbkrClient, accounts: list[Account]) -> None:
    as_of = clock.now()
    start = min(account.application.submitted_at or as_of for account in accounts).date() - timedelta(days=1)
    listed = {row.account_id: row for row in client.accounts.statuses(start, _tomorrow())}
    singly = 0
    for account in accounts:
        row = listed.get(account.number)
        if row is None and singly < READ_SINGLY:
            singly += 1
            row = client.accounts.status(account.number)
        if row is not None:
            _record(client, account, row, as_of)


def _record(client: IbkrClient, account: Account, row: AccountStatus, as_of: datetime) -> None:
    read_at = clock.now()
    tasks = client.accounts.tasks(account.number, "registration").tasks
    applications.record_tasks(account, [_seen(task) for task in tasks], as_of=read_at)
    opened = row.date_opened.astimezone(clock.NEW_YORK).date() if row.date_opened else None
    applications.record_status(account, SeenStatus(row.status, row.state, as_of, opened))


def _seen(task: Task) -> SeenTask:
    return SeenTask(
        form_number=task.form_number or "",
        form_name=_cut("form_name", task.form_name),
        action=_cut("action", task.action),
        state=_cut("state", task.state),
        external_id=task.external_id or "",
        reject_reason=task.reject_reason,
        is_required_for_approval=task.is_required_for_approval,
        is_required_for_trading=task.is_required_for_trading,
        is_online=bool(task.is_online) or task.action in {"to complete", "to sign"},
        is_completed=bool(task.is_completed),
        completed_at=task.date_completed,
    )


def _cut(field: str, words: str) -> str:
    """IBKR's words as long as we keep them: it says nowhere how long they may be."""
    return words[: KEPT_OF_A_TASK[field]]


def poll_account(account_pk: str) -> None:
    """Read how one account stands, right after something happened to it."""
    account = Account.objects.select_related("master").get(pk=account_pk)
    client = broker.client_for(account.master, lane="accounts", priority=Priority.POLLING)
    as_of = clock.now()
    try:
        _record(client, account, client.accounts.status(account.number), as_of)
    except ibkr.IbkrError as error:
        log.warning("status of %s not read, the next poll will: %s", account.number, error.reason)


# ---- documents


def send_document(submission_pk: str) -> None:
    """Hand one file to IBKR: PATCH /accounts, documentSubmission."""
    if (submission := sending.claim(submission_pk)) is None:
        return
    document: Document = submission.subject
    outcome = sending.attempt(
        submission,
        lambda: _hand_in(broker.client_for(submission.master, lane="accounts"), document, submission.payload),
    )
    with transaction.atomic():
        if sending.settle(submission, outcome):
            match outcome:
                case Accepted():
                    documents.mark_sent(document)
                case Refused(reason=reason):
                    documents.mark_refused(document, reason)
    if isinstance(outcome, Accepted):
        poll_account(str(document.task.account_id))


def _hand_in(client: IbkrClient, document: Document, promised: dict[str, Any]) -> Accepted | Refused:
    content = base64.b64decode(document.content)
    if hashlib.sha256(content).hexdigest() != promised["sha256"]:
        return Refused("The stored file is not the one that was promised; nothing was sent.")
    holder = document.task.account.client
    signer = document.uploaded_by.last_login or document.uploaded_at
    submission = DocumentSubmission(
        account_id=promised["account"],
        documents=(
            SentDocument(
                form_number=int(promised["form"]),
                file=DocumentFile.from_bytes(promised["file"], content),
                signed_by=(documents.signature(holder),),
                exec_timestamp=document.uploaded_at,
                exec_login_timestamp=min(signer, document.uploaded_at),
                expiration_date=document.expires_on,
                external_individual_id=promised.get("person") or None,  # older promises do not say
                **_proof(promised["form"], promised["proof"]),
            ),
        ),
    )
    accepted = client.accounts.change(submission, listed=_is_listed(submission))
    return Accepted(accepted.request_id or "", answer={"raw": accepted.raw})


def _proof(form: str, word: str) -> dict[str, Any]:
    if not word:
        return {}
    member = {"8001": "proof_of_identity_type", "8002": "proof_of_address_type"}.get(form, "document_type")
    return {member: word}


def look_for_document(submission_pk: str) -> None:
    """Find out whether a file whose answer was lost arrived: the task it answers says so."""
    if (submission := looking.due_for_look(submission_pk)) is None:
        return
    document: Document = submission.subject
    client = broker.client_for(submission.master, lane="accounts")
    look = _look_for_document(client, submission.payload)
    with transaction.atomic():
        if looking.observe(submission, look):
            documents.mark_sent(document)


def _look_for_document(client: IbkrClient, promised: dict[str, Any]) -> Look:
    source = f"GET /accounts/{promised['account']}/tasks"
    try:
        tasks = client.accounts.tasks(promised["account"], "registration").tasks
    except ibkr.IbkrError as error:
        return Inconclusive(source, error.reason)
    listed = [task for task in tasks if task.form_number == promised["form"]]
    person = promised.get("person") or ""
    mine = [task for task in listed if task.external_id == person] if person else listed
    if not mine:
        return Inconclusive(source, "IBKR does not list the task any more.")
    if len(mine) > 1:
        return Inconclusive(
            source, "IBKR lists this form more than once and does not say which of them the file answered."
        )
    task = mine[0]
    if task.is_completed or task.action == "to check" or _cut("state", task.state) != promised["task_state"]:
        return Found(reference="", source=source, detail=task.state)
    return Absent(source, f"The task is listed and still says: {task.state}")


# ---- maintenance


def send_change(submission_pk: str) -> None:
    """Change one thing at IBKR: PATCH /accounts."""
    if (submission := sending.claim(submission_pk)) is None:
        return
    case: MaintenanceRequest = submission.subject
    outcome = sending.attempt(
        submission, lambda: _change(broker.client_for(submission.master, lane="accounts"), case, submission)
    )
    with transaction.atomic():
        if sending.settle(submission, outcome):
            match outcome:
                case Accepted(reference=reference):
                    maintenance.mark_taken(case, request_id=reference)
                case Refused(reason=reason):
                    maintenance.mark_refused(case, reason)


def _change(client: IbkrClient, case: MaintenanceRequest, submission: Submission) -> Accepted:
    model = AliasChange if case.kind == CaseKind.ALIAS else AddressChange
    change = model.model_validate(submission.payload)
    accepted = client.accounts.change(change, listed=_is_listed(change))
    return Accepted("" if accepted.is_processed else accepted.request_id or "", answer={"raw": accepted.raw})


def _is_listed(operation: Operation) -> bool | None:
    """Whether it goes as an array of one: IBKR shows both forms (account-management.md 10), so a setting decides."""
    return operation.operation in settings.IBKR_LISTED_OPERATIONS or None


def look_for_change(submission_pk: str) -> None:
    """Find out whether a change whose answer was lost took effect: IBKR's own details are the witness."""
    if (submission := looking.due_for_look(submission_pk)) is None:
        return
    case: MaintenanceRequest = submission.subject
    client = broker.client_for(submission.master, lane="accounts")
    source = f"GET /accounts/{case.account.number}/details"
    look: Look
    shown: dict[str, str] = {}
    try:
        shown = _shown(case, client.accounts.details(case.account.number))
        look = _look_at_change(case, submission, shown, source)
    except ibkr.IbkrError as error:
        look = Inconclusive(source, error.reason)
    with transaction.atomic():
        if looking.observe(submission, look):
            maintenance.mark_taken(case, request_id="")
            maintenance.record_look(case, shown=shown, word="")


def _look_at_change(case: MaintenanceRequest, submission: Submission, shown: dict[str, str], source: str) -> Look:
    if selectors.maintenance.is_shown(case, shown):
        return Found(reference="", source=source, detail="IBKR shows the new value.")
    if case.kind == CaseKind.ALIAS:
        if submission.unknown_since and clock.now() - submission.unknown_since > DETAILS_ARE_LATER:
            return Absent(source, "IBKR shows the account and its old alias, days after an alias takes effect.")
        return Inconclusive(source, "IBKR shows the old alias; its details may be those of last evening.")
    if submission.unknown_since and clock.now() - submission.unknown_since > REVIEW_IS_OVER:
        return Absent(source, "IBKR shows the account and its old address, long after any review.")
    return Inconclusive(source, "IBKR shows the old address; it may be under review.")


def _shown(case: MaintenanceRequest, details: AccountDetails) -> dict[str, str]:
    """What IBKR's details show, by our field names."""
    if case.kind == CaseKind.ALIAS:
        return {"alias": details.alias}
    account = case.account
    holder = next(
        (
            person
            for person in details.persons
            if (account.holder_entity_id and person.entity_id == account.holder_entity_id)
            or (account.holder_external_id and person.external_id == account.holder_external_id)
        ),
        None,
    )
    home = holder.residence if holder else None
    if home is None:
        return {}
    return {
        "country": home.country, "street1": home.street1, "street2": home.street2, "city": home.city,
        "postal_code": home.postal_code, "state": home.state,
    }  # fmt: skip


def sweep_changes() -> None:
    """Ask about every change IBKR took and has not shown yet; close what was stopped before it left."""
    unsent.close_void()
    for case in selectors.maintenance.due_for_look(clock.now()):
        poll_change(str(case.pk))


def poll_change(case_pk: str) -> None:
    """Ask what became of one change: its request first, then the details, until they show the new value."""
    case = MaintenanceRequest.objects.select_related("account__master", "account__client").get(pk=case_pk)
    if not selectors.maintenance.is_at_ibkr(case):
        return
    client = broker.client_for(case.account.master, lane="accounts", priority=Priority.POLLING)
    try:
        status = client.requests.status(case.request_id, "update") if case.request_id else None
        word, words = (status.status, status.message or " ".join(status.errors)) if status else ("", "")
        match word.upper():
            case "REJECTED" | "ERROR":
                maintenance.mark_refused(case, words or "IBKR rejected it without saying why.")
            case "REMOVED":
                maintenance.mark_replaced(case, words)
            case _:
                shown = _shown(case, client.accounts.details(case.account.number))
                maintenance.record_look(case, shown=shown, word=word)
    except ibkr.IbkrError as error:
        log.warning("change %s not read, the next sweep will: %s", case.pk, error.reason)


# ---- the portal


def answer_portal_link(inquiry_pk: str) -> None:
    """Get a page that signs one client into IBKR's portal: POST /sso-browser-sessions. Single use, 60 s, one address."""
    if (inquiry := inquiries.take(inquiry_pk)) is None:
        return
    account = Account.objects.select_related("master").get(pk=inquiry.params["account"])
    master: MasterAccount = account.master
    try:
        session = broker.client_for(master, lane="interactive").sso.browser_session(
            account.username, ip=inquiry.params["address"]
        )
    except ibkr.IbkrError as error:
        inquiries.fail(inquiry, _why_no_link(error, inquiry.params["address"]))
        return
    inquiries.answer(inquiry, {"url": session.opening(PortalPage(inquiry.params["page"]))})


def _why_no_link(error: ibkr.IbkrError, address: str) -> str:
    is_about_ip = isinstance(error, ibkr.Rejected) and "ip" in {each.field for each in error.fields}
    if is_about_ip and ":" in address:
        return (
            "IBKR takes no IPv6 address for a link into its portal, and you are here from one."
            " Come by IPv4 (another network, or IPv6 switched off) and ask again."
        )
    return f"IBKR gave no link: {error.reason}"
