"""Holding what must stay, and destroying what may go: a second person each time, and the record of it stays for good.

Destroyed are the personal columns, what was typed into drafts and changes, uploaded files, statements' files, the payloads
that were sent with the papers beside them, every reason that people typed about any of it (it may name anybody), the titles
of notices, and the name of a household that is nobody else's.
What the firm did stays: accounts, orders, amounts, digests; who approved, refused or moved what, and when. So do, by design:
the audit, which is append-only, holds references and digests in place of personal data, and proves all this; legal holds with
their matter; IBKR's own sentences; and what belongs to others too, whose years still run: a shared household's name, and why
an order for several clients was placed. Apps above add their own part by `erasers`, which return what they changed for the
entry of the destruction.
"""

from collections.abc import Callable

from django.db import IntegrityError, transaction

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.core.sql import DESTROYED
from backoffice.home import notices
from backoffice.home.registry import Registry
from backoffice.journal import decisions
from backoffice.people.models import User
from backoffice.people.policy import may
from clients.models import Account, Application, Client, Destruction, Document, LegalHold, MaintenanceRequest
from clients.selectors.retention import Clock, clock_of

erasers: Registry[Callable[[Client], list[audit.Standing]]] = Registry()
GONE = "{}"


@transaction.atomic
def place_hold(client: Client, *, reason: str, by: User) -> LegalHold:
    """Keep everything of this client from now on; a proposal that waits is dropped. Raises NotPermitted, InvalidInput."""
    if not may(by, "clients.hold"):
        raise NotPermitted("Only operations and principals place a legal hold.")
    if not reason.strip():
        raise InvalidInput("reason", "A hold needs its reason.", "Name the matter, such as a case number.")
    Client.objects.select_for_update().get(pk=client.pk)
    matter = reason.strip()[:300]
    if (same := client.holds.filter(reason=matter, placed_by=by, released_at=None).first()) is not None:
        return same  # pressed twice
    dropped = audit.standing(*client.destructions.select_for_update().filter(done_at=None, dropped_at=None))
    hold = LegalHold.objects.create(client=client, reason=matter, placed_by=by, placed_at=clock.now())
    client.destructions.filter(done_at=None, dropped_at=None).update(dropped_at=clock.now())
    audit.record(
        "clients.place_hold", by=by, on=client, summary="Legal hold placed", hold=str(hold.pk),
        changed=[audit.Standing(hold), *dropped],
    )  # fmt: skip
    return hold


@transaction.atomic
def release_hold(hold: LegalHold, *, reason: str, by: User) -> LegalHold:
    """Let the clock decide again. Raises NotPermitted (also for whoever placed it), InvalidInput, Conflict."""
    hold = LegalHold.objects.select_for_update().get(pk=hold.pk)
    if not may(by, "clients.release_hold"):
        raise NotPermitted("Only a principal releases a legal hold.")
    if hold.placed_by_id == by.pk:
        raise NotPermitted("You placed this hold, so another principal must release it.")
    if not hold.stands:
        raise Conflict("This hold was released already.")
    if not reason.strip():
        raise InvalidInput("reason", "A release needs its reason.", "Say who decided that the matter is over.")
    was = audit.standing(hold)
    hold.released_by, hold.released_at, hold.release_reason = by, clock.now(), reason.strip()[:300]
    hold.save(update_fields=["released_by", "released_at", "release_reason"])
    audit.record(
        "clients.release_hold", by=by, on=hold.client, summary="Legal hold released", hold=str(hold.pk), changed=was
    )
    return hold


@transaction.atomic
def propose(client: Client, *, by: User) -> Destruction:
    """Ask another principal to let a client's personal data be destroyed. Raises NotPermitted, Conflict."""
    if not may(by, "clients.destroy"):
        raise NotPermitted("Only principals decide that personal data is destroyed.")
    Client.objects.select_for_update().get(pk=client.pk)
    found = _must_be_over(client)
    if found.until is None or client.destructions.filter(done_at=None, dropped_at=None).exists():
        raise Conflict("This is proposed already; another principal must decide on it.")
    row = Destruction.objects.create(client=client, kept_until=found.until, proposed_by=by, proposed_at=clock.now())
    audit.record(
        "clients.propose_destruction", by=by, on=client, summary=f"Kept until {found.until}: may it go?",
        changed=[audit.Standing(row)],
    )  # fmt: skip
    return row


@transaction.atomic
def decline(row: Destruction, *, by: User) -> None:
    """Leave the data where it is. Raises NotPermitted, Conflict."""
    if not may(by, "clients.destroy"):
        raise NotPermitted("Only principals decide that personal data is destroyed.")
    row = _waiting(row)
    was = audit.standing(row)
    row.dropped_at = clock.now()
    row.save(update_fields=["dropped_at"])
    audit.record("clients.decline_destruction", by=by, on=row.client, summary="Not destroyed", changed=was)


def destroy(row: Destruction, *, by: User) -> None:
    """Approve and do it, in one transaction. Raises NotPermitted (also for whoever proposed it), Conflict under a hold."""
    if not may(by, "clients.destroy"):
        raise NotPermitted("Only principals decide that personal data is destroyed.")
    if row.proposed_by_id == by.pk:
        raise NotPermitted("You proposed this, so another principal must approve it.")
    try:
        with transaction.atomic():
            _destroy(_waiting(row), by)
    except IntegrityError as error:  # a hold that was placed in the same moment
        raise Conflict("A legal hold stands, so nothing was destroyed.") from error


def _destroy(row: Destruction, by: User) -> None:
    client = Client.objects.select_for_update().get(pk=row.client_id)
    _must_be_over(client)
    before, was = audit.digest(client), audit.standing(row)
    row.approved_by, row.done_at = by, clock.now()
    row.save(update_fields=["approved_by", "done_at"])
    name = client.name
    was += _erase(client)
    for eraser in erasers:
        was += eraser(client)
    was += notices.forget(name, {str(each.row.pk) for each in was})
    audit.record(
        "clients.destroy",
        by=by,
        on=client,
        summary="Personal data destroyed",
        before=before,
        changed=was,
        kept_until=str(row.kept_until),
    )


def _must_be_over(client: Client) -> Clock:
    found = clock_of(client)
    if found.holds:
        raise Conflict(f"A legal hold stands: {found.holds[0].reason}")
    if not found.may_go:
        raise Conflict(found.why if found.until is None else f"This is kept until {found.until:%d %b %Y}. {found.why}")
    return found


def _waiting(row: Destruction) -> Destruction:
    row = Destruction.objects.select_for_update().get(pk=row.pk)
    if row.done_at or row.dropped_at:
        raise Conflict("This was decided already.")
    return row


def _erase(client: Client) -> list[audit.Standing]:
    client.first_name, client.last_name = "Erased", f"client {client.pk.hex[:8]}"
    client.email = client.phone = client.date_of_birth = client.residence = client.tax_number = ""
    client.erased_at = clock.now()
    client.save()
    was = _forget_household(client)
    accounts = Account.objects.filter(client=client)
    was += audit.standing(*accounts)
    accounts.update(alias="", username="")
    for application in Application.objects.filter(client=client):
        was += audit.standing(application)
        application.draft_text, application.refusal_text, application.applicant = GONE, "[]", client.name
        application.save(update_fields=["draft_text", "refusal_text", "applicant"])
        was += decisions.forget("clients.application", str(application.pk))
    for case in MaintenanceRequest.objects.filter(account__client=client):
        was += audit.standing(case)
        case.before_text = case.after_text = GONE
        case.save(update_fields=["before_text", "after_text"])
        was += decisions.forget("clients.maintenancerequest", str(case.pk))
    for document in Document.objects.filter(task__account__client=client):
        was += audit.standing(document)
        document.content, document.original_name = "", "destroyed"
        document.save(update_fields=["content", "original_name"])
        was += decisions.forget("clients.document", str(document.pk))
    return was


def _forget_household(client: Client) -> list[audit.Standing]:
    """Empty its name, which is mostly a family's, once nobody whose data is kept belongs to it."""
    household = client.household
    if household is None or household.members.filter(erased_at=None).exists():
        return []
    was = audit.standing(household)
    household.name = DESTROYED
    household.save(update_fields=["name"])
    return was
