"""Closing, reopening, abandoning and resetting an account, and freeing the external id of one."""

from datetime import time, timedelta
from typing import Any

from backoffice.sandbox import business, review
from backoffice.sandbox.clock import NEW_YORK, moment, stamp

from .base import ANY_STATUS, DONE, Accepted, Operation, Outcome, Subject

CLOSING_BEGINS, CLOSING_ENDS = time(8), time(11)
RESET_DAYS = 183  # "6 months"


def _is_funded(subject: Subject) -> bool:
    books = subject.sandbox.books
    return bool(books.cash(subject.number) or books.holdings(subject.number))


def _funded(subject: Subject) -> str:
    return f"Account {subject.number} cannot be closed: its balance is not zero"


def _open_isa(subject: Subject) -> str | None:
    """The ISA whose general account this is, unless it is closed already."""
    accounts, main = subject.sandbox.accounts, subject.trait("main account")
    if main is None or accounts.trait(main, "satellite") != subject.number:
        return None
    isa = accounts.get(main)
    return main if isa is not None and isa.status not in ("A", "C", "R") else None


def _close(subject: Subject) -> list[str] | Accepted:
    """Taken between 08:00 and 11:00 in New York on a business day; otherwise done at the next 08:00."""
    if subject.account.status not in ("O", "Q"):
        return [f"Account {subject.number} is not open"]
    if not subject.operation.get("closeReason"):
        return ["closeReason is missing"]
    if _is_funded(subject):
        return [_funded(subject)]
    if (isa := _open_isa(subject)) is not None:
        return [f"Account {subject.number} belongs to the ISA {isa} and cannot be closed alone"]
    local = subject.now.astimezone(NEW_YORK)
    today = local.date()
    if business.is_business_day(today) and CLOSING_BEGINS <= local.time() < CLOSING_ENDS:
        return Accepted(subject.now)
    if business.is_business_day(today) and local.time() < CLOSING_BEGINS:
        return Accepted(business.at(today, CLOSING_BEGINS))
    return Accepted(business.at(business.next_business_day(today), CLOSING_BEGINS))


def _closed(subject: Subject, _note: dict[str, Any]) -> Outcome:
    if _is_funded(subject):
        return Outcome(_funded(subject))
    status = "R" if subject.account.status == "Q" else "C"
    subject.update(status=status, state="", due_at=None, date_closed=subject.now)
    return DONE


def _reopen(subject: Subject) -> list[str] | Accepted:
    if subject.account.status != "C":
        return [f"Account {subject.number} is not closed"]
    if subject.trait("route", "hybrid") != "hybrid":
        return [f"Account {subject.number} was not created by hybrid registration and cannot be reopened"]
    return Accepted(subject.now)


def _reopened(subject: Subject, _note: dict[str, Any]) -> Outcome:
    """Status E until the client has signed in the portal, then open again."""
    person = next(iter(subject.persons()), None)
    review.add_task(
        subject.sandbox, subject.number, 9130, is_online=True, external_id=person.external_id if person else "",
        entity_id=person.entity_id if person else 0,
    )  # fmt: skip
    subject.update(status="E", state=review.INCOMPLETE, due_at=None, date_closed=None)
    return DONE


def _abandon(subject: Subject) -> list[str] | Accepted:
    if subject.account.status not in ("N", "P"):
        return [f"Account {subject.number} is not pending"]
    return Accepted(subject.now)


def abandoned(subject: Subject, _note: dict[str, Any]) -> Outcome:
    review.abandon(subject.sandbox, subject.account, subject.now)
    return DONE


def _reset(subject: Subject) -> list[str] | Accepted:
    if subject.account.status != "A":
        return [f"Account {subject.number} is not abandoned"]
    since = subject.trait("abandoned")
    if since is None or moment(since["at"]) + timedelta(days=RESET_DAYS) < subject.now:
        return [f"Account {subject.number} was abandoned more than 6 months ago"]
    return Accepted(subject.now)


def _was_reset(subject: Subject, _note: dict[str, Any]) -> Outcome:
    since = subject.trait("abandoned")
    subject.update(status=since["status"], state=since["state"], date_closed=None, due_at=None)
    subject.set_trait("active", stamp(subject.now))
    return DONE


def _external_id(subject: Subject) -> list[str] | Accepted:
    wanted = subject.operation.get("newExternalId")
    if not wanted:
        return ["newExternalId is missing"]
    if len(wanted) > 64:
        return ["newExternalId exceeds 64 characters"]
    accounts, master = subject.sandbox.accounts, subject.master.account
    if any(accounts.is_external_id_used(master, kind, wanted) for kind in ("customer", "account")):
        return ["Already Processed"]
    return Accepted(subject.now)


def _has_external_id(subject: Subject, _note: dict[str, Any]) -> Outcome:
    """The ids of the application that begin with the old one begin with the new one, so that it can be made anew."""
    old, new = subject.account.external_id, subject.operation["newExternalId"]
    store = subject.sandbox.store
    for row in store.rows("SELECT kind, external_id FROM external_ids WHERE account = ?", subject.number):
        if row["external_id"].startswith(old):
            store.execute(
                "UPDATE external_ids SET external_id = ? WHERE master = ? AND kind = ? AND external_id = ?",
                new + row["external_id"][len(old) :], subject.master.account, row["kind"], row["external_id"],
            )  # fmt: skip
    for person in subject.persons():
        if person.external_id.startswith(old):
            renamed = new + person.external_id[len(old) :]
            subject.sandbox.accounts.update_person(person.entity_id, external_id=renamed)
            store.execute("UPDATE tasks SET external_id = ? WHERE entity_id = ?", renamed, person.entity_id)
    subject.update(external_id=new)
    return DONE


OPERATIONS = {
    "accountClose": Operation(_close, _closed, ANY_STATUS),
    "reopenAccount": Operation(_reopen, _reopened, ANY_STATUS),
    "abandonAccount": Operation(_abandon, abandoned, ANY_STATUS),
    "resetAbandonedAccount": Operation(_reset, _was_reset, ANY_STATUS),
    "updateExternalId": Operation(_external_id, _has_external_id, ANY_STATUS),
}
