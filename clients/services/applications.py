"""Submitting an application and following it: what IBKR answered, its states, its tasks."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.ibkr.types.accounts import HybridIndividualApplication
from backoffice.journal import services as journal
from backoffice.people.models import User
from backoffice.people.policies.document import Facts
from backoffice.people.policy import may
from clients import rules, translate
from clients.models import (
    APPLICATION_LIFECYCLE,
    DOCUMENT_LIFECYCLE,
    Account,
    AccountTask,
    Application,
    ApplicationStatus,
    Client,
    DocumentStatus,
    Stage,
)
from clients.rules import facts

CLOSED = "C"  # IBKR's word for an account that is no more (account-management.md 9.1)


@dataclass(frozen=True)
class Sealed:
    """What would be sent for an application, and the hash a submission is bound to."""

    request: HybridIndividualApplication
    sha256: str


def sealed_request(application: Application) -> Sealed:
    """Return the exact request and its hash. Raises InvalidInput when a defect stops it."""
    defects = rules.check(application.draft, today=clock.today(clock.NEW_YORK))
    stopping = next((defect for defect in defects if defect.stops), None)
    if stopping:
        raise InvalidInput(stopping.field, stopping.message, stopping.fix)
    request = translate.request_of(application)
    return Sealed(request, hashlib.sha256(journal.canonical(request).encode()).hexdigest())


@transaction.atomic
def submit_application(*, application: Application, sha256: str, by: User) -> Application:
    """Promise to send the application to IBKR. A second call finds it submitted and changes nothing.

    `sha256` is of the payload the person was shown. Raises NotPermitted, Conflict (another payload than the one
    shown, or at its end), InvalidInput.
    """
    if not may(by, "clients.apply"):
        raise NotPermitted("Only advisors, operations and principals may apply for accounts.")
    row: Application = (
        Application.objects.select_for_update(of=("self",)).select_related("master").get(pk=application.pk)
    )
    if row.status == ApplicationStatus.SUBMITTED:
        return row
    if not row.is_editable:
        raise Conflict(f"This application is {row.get_status_display().lower()}; it cannot be submitted.")
    sealed = sealed_request(row)
    if sealed.sha256 != sha256:
        raise Conflict("The draft changed after you were shown it. Look at it again and compare the seal.")
    before, client = audit.digest(row), _client_of(row, by)
    now = clock.now()
    APPLICATION_LIFECYCLE.move(
        row, to=ApplicationStatus.SUBMITTED, because="submitted to IBKR", by=by, client=client,
        stage=Stage.SUBMITTED, stage_since=now, submitted_at=now,
    )  # fmt: skip
    row.refusal_text = "[]"
    row.save(update_fields=["refusal_text"])
    journal.submit(
        operation="clients.send_application",
        look="clients.look_for_application",
        subject=row,
        payload=sealed.request,
        key_space="externalId",
        key=row.external_id,
        lane="accounts",
        master=row.master,
        maker=by,
        facts=Facts("application"),
        before=before,
        summary=f"Application, {facts.country_name(row.country)}, {row.draft.get('base_currency')} {row.margin.lower()}",
    )
    return row


def _client_of(application: Application, by: User) -> Client:
    """Return the client of an application, made from its draft, or brought up to date after a refusal."""
    draft = application.draft
    client = application.client or Client(book=application.book)
    before = audit.digest(client) if application.client else ""
    client.first_name, client.last_name = str(draft["first_name"])[:50], str(draft["last_name"])[:50]
    client.email, client.phone = str(draft["email"]), str(draft["phone"])
    client.date_of_birth = str(draft["date_of_birth"])
    client.residence = translate.residence_text(draft)
    client.country = str(draft["country"])
    client.tax_number = str(draft.get("tax_number") or "")
    client.save()
    audit.record(
        "clients.write_client", by=by, on=client, summary="Person taken from the application", before=before,
        application=str(application.pk),
    )  # fmt: skip
    return client


@dataclass(frozen=True)
class Registration:
    """What IBKR gave for an application: the account number and what it made beside it."""

    account: str
    username: str = ""
    entity_id: str = ""


@transaction.atomic
def mark_registered(application: Application, given: Registration) -> None:
    """IBKR has the application and gave an account number. Repeating it changes nothing."""
    row: Application = (
        Application.objects.select_for_update(of=("self",)).select_related("client").get(pk=application.pk)
    )
    if row.account_id or row.client is None:
        return
    draft, key = row.draft, row.external_id
    now = clock.now()
    account, is_new = Account.objects.get_or_create(
        number=given.account,
        defaults={
            "client": row.client,
            "master": row.master,
            "base_currency": draft["base_currency"],
            "alias": str(draft.get("alias") or ""),
            "external_id": key,
            "holder_external_id": key,
            "holder_entity_id": given.entity_id,
            "username": given.username,
            "ibkr_status": "N",
        },
    )
    Application.objects.filter(pk=row.pk).update(account=account, ibkr_status="N", polled_at=None)
    if is_new:
        audit.record(
            "clients.register_account", by=None, on=account, summary=f"IBKR opened the number {account.number}"
        )
    ring_on_commit("clients.poll_account", account.pk)
    application.account = account
    _note_stage(Application.objects.get(pk=row.pk), now)


@transaction.atomic
def mark_refused(application: Application, sentences: Iterable[str]) -> None:
    """IBKR refused, so nothing was created: back to be mended, under a new external id, with IBKR's words at the fields."""
    row: Application = Application.objects.select_for_update().get(pk=application.pk)
    if row.status != ApplicationStatus.SUBMITTED:
        return
    refusals = translate.refusals_of(sentences, row.draft)
    base, _, number = row.external_id.partition(".")
    now = clock.now()
    APPLICATION_LIFECYCLE.move(
        row, to=ApplicationStatus.REFUSED, because="IBKR refused it", stage=Stage.REJECTED, stage_since=now,
        external_id=f"{base}.{int(number or 1) + 1}",
    )  # fmt: skip
    row.refusal_text = json.dumps(refusals)
    row.save(update_fields=["refusal_text"])


@dataclass(frozen=True)
class SeenStatus:
    """IBKR's status of one account at one time."""

    status: str
    state: str
    as_of: datetime
    opened_on: date | None = None


@dataclass(frozen=True)
class SeenTask:
    """One task as IBKR shows it."""

    form_number: str
    form_name: str
    action: str
    state: str
    external_id: str = ""
    reject_reason: str = ""
    is_required_for_approval: bool | None = None
    is_required_for_trading: bool | None = None
    is_online: bool | None = None
    is_completed: bool = False
    completed_at: datetime | None = None


@transaction.atomic
def record_status(account: Account, seen: SeenStatus) -> None:
    """Write what IBKR says of an account, and end its application when that is its end. Late news changes nothing."""
    row: Account = Account.objects.select_for_update().get(pk=account.pk)
    if row.status_as_of and row.status_as_of > seen.as_of:
        return
    was, before = (row.ibkr_status, row.ibkr_state), audit.digest(row)
    row.ibkr_status, row.ibkr_state, row.status_as_of = seen.status[:4], seen.state[:60], seen.as_of
    row.opened_on = seen.opened_on or row.opened_on
    row.closed_on = (row.closed_on or seen.as_of.astimezone(clock.NEW_YORK).date()) if seen.status == CLOSED else None
    row.save(update_fields=["ibkr_status", "ibkr_state", "status_as_of", "opened_on", "closed_on"])
    if was != (row.ibkr_status, row.ibkr_state):  # a poll that finds nothing new is no news
        audit.record(
            "clients.see_status", by=None, on=row, before=before,
            summary=f"IBKR says {row.ibkr_status} of {row.number}, said {was[0] or 'nothing'} before",
        )  # fmt: skip
    application: Application | None = Application.objects.select_for_update().filter(account=row).first()
    if application is None:
        return
    Application.objects.filter(pk=application.pk).update(
        ibkr_status=row.ibkr_status, ibkr_state=row.ibkr_state, polled_at=seen.as_of
    )
    application.ibkr_status, application.ibkr_state = row.ibkr_status, row.ibkr_state
    end = translate.END_OF_STATUS.get(seen.status)
    if end and application.status == ApplicationStatus.SUBMITTED:
        APPLICATION_LIFECYCLE.move(
            application,
            to=end,
            because=f"IBKR: {seen.status}, {seen.state or 'no words'}",
            as_of=seen.as_of,
            ended_at=seen.as_of,
        )
    _note_stage(application, seen.as_of)


@transaction.atomic
def record_tasks(account: Account, seen: Iterable[SeenTask], *, as_of: datetime) -> None:
    """Write an account's tasks as IBKR shows them, and what they say of documents that were handed in."""
    Account.objects.select_for_update().get(pk=account.pk)
    known = {
        (task.form_number, task.form_name, task.external_id): task
        for task in AccountTask.objects.filter(account=account)
    }
    for item in seen:
        task = known.get((item.form_number, item.form_name, item.external_id))
        if task is not None and task.as_of > as_of:
            continue
        if task is None:
            task = AccountTask(
                account=account,
                form_number=item.form_number,
                form_name=item.form_name,
                external_id=item.external_id,
                since=as_of,
            )
        elif (task.state, task.is_completed) != (item.state, item.is_completed):
            task.since = as_of
        task.action, task.state, task.reject_reason = item.action, item.state, item.reject_reason
        task.is_required_for_approval = item.is_required_for_approval
        task.is_required_for_trading = item.is_required_for_trading
        task.is_online, task.is_completed, task.completed_at = item.is_online, item.is_completed, item.completed_at
        task.as_of = as_of
        task.save()
        _follow_documents(task, as_of)
    application = Application.objects.filter(account=account).first()
    if application is not None:
        _note_stage(application, as_of)


def _follow_documents(task: AccountTask, as_of: datetime) -> None:
    """The newest paper IBKR took answers for the task's state; an older reading says nothing about it."""
    document = task.documents.defer("content").filter(status=DocumentStatus.SENT, sent_at__lt=as_of).first()
    if document is None:
        return
    if task.is_completed:
        DOCUMENT_LIFECYCLE.move(document, to=DocumentStatus.ACCEPTED, because="IBKR closed the task", as_of=as_of)
    elif task.is_rejected:
        DOCUMENT_LIFECYCLE.move(
            document, to=DocumentStatus.REJECTED, because="IBKR rejected it", as_of=as_of, reason=task.reject_reason
        )


def _note_stage(application: Application, at: datetime) -> None:
    tasks = AccountTask.objects.filter(account=application.account_id) if application.account_id else []
    stage = translate.stage_of(application, tasks)
    if stage != application.stage:
        Application.objects.filter(pk=application.pk).update(stage=stage, stage_since=at)
        application.stage, application.stage_since = stage, at
