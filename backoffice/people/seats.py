"""The second person's word before anybody gets power over money or people.

Principals approve and administrators choose the principals: an administrator alone could seat two strangers and have them
approve each other. So giving one of these roles, by change, by invitation or by opening an account again, waits until
another principal or administrator agrees. So does a seat in operations where a policy, in force or approved for a later
day, lets operations approve: two strangers there would do as well. Taking is never held up. Where nobody else is there to
agree, in a new firm, it is done at once; with a first principal and a first administrator that ends for good, since the
last of each stays.
"""

from django.db import transaction
from django.db.models import QuerySet

from backoffice.audit.services import Standing, digest, record, standing
from backoffice.core import clock
from backoffice.core.errors import Conflict, NotPermitted
from backoffice.people.models import Invitation, Role, SeatChange, SeatStatus, User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import Document, read
from backoffice.people.policy import may

POWERFUL = frozenset({Role.PRINCIPAL.value, Role.ADMINISTRATOR.value})


def waiting() -> QuerySet[SeatChange]:
    """Return what waits for a second person, the oldest first."""
    rows = SeatChange.objects.filter(status=SeatStatus.WAITING).order_by("asked_at", "pk")
    return rows.select_related("person", "invitation", "asked_by")


def may_decide(change: SeatChange, user: User) -> bool:
    """Tell whether this person is a second one: neither whoever asked nor whom it is about."""
    return may(user, "people.agree") and user.pk not in {change.asked_by_id, change.person_id}


def needs_second_person(role: str, *, by: User, about: User | None = None) -> bool:
    """Tell whether giving `role` must wait: it has power, and somebody else is there to agree."""
    if role not in POWERFUL and not (role == Role.OPERATIONS and _operations_approve()):
        return False
    not_second = {by.pk} | ({about.pk} if about else set())
    return User.objects.filter(role__in=POWERFUL, is_active=True).exclude(pk__in=not_second).exists()


def _operations_approve() -> bool:
    """Tell whether operations may approve something, now or under a version that has been agreed to."""
    documents: list[Document] = [policies.in_force().document]
    documents += [read(row.document_text) for row in policies.scheduled()]
    return any(Role.OPERATIONS in rule.roles for document in documents for rule in document.approvals if rule.approvals)


def ask(*, role: str, by: User, person: User | None = None, invitation: Invitation | None = None) -> SeatChange:
    """Put it before a second person, in the caller's transaction. Raises Conflict while another waits about the same."""
    if person is not None and waiting().filter(person=person).exists():
        raise Conflict("Another change of theirs waits for its second person. Decide on it first.")
    change = SeatChange.objects.create(
        person=person, invitation=invitation, was=person.role if person else "", role=role, asked_by=by,
        asked_at=clock.now(),
    )  # fmt: skip
    record(
        "people.ask_seat", by=by, on=person or invitation, change=str(change.pk), changed=[Standing(change)],
        summary=f"Asked a second person: {change.words}",
    )  # fmt: skip
    return change


def drop(*, by: User, person: User | None = None, invitation: Invitation | None = None) -> None:
    """Take back what waits about somebody, because something else was decided about them."""
    for change in waiting().select_for_update(of=("self",)).filter(person=person, invitation=invitation):
        was = standing(change)
        _end(change, SeatStatus.DROPPED, by)
        record(
            "people.drop_seat", by=by, on=person or invitation, summary="No longer asked for", change=str(change.pk),
            changed=was,
        )  # fmt: skip


def decided(change: SeatChange, *, by: User) -> SeatChange:
    """Lock what waits and mark it agreed to, by a second person. Raises NotPermitted, Conflict; the database holds both.

    There is no form token: what is decided cannot be decided again, and `was_said` lets a second press of the button through.
    """
    change = _locked(change)
    if not may(by, "people.agree"):
        raise NotPermitted("Only a principal or an administrator may agree to this.")
    if change.asked_by_id == by.pk:
        raise NotPermitted("You asked for this, so another principal or administrator must agree.")
    if change.person_id == by.pk:
        raise NotPermitted("This is about you, so somebody else must agree.")
    if not may(change.asked_by, "people.manage"):
        raise Conflict(f"{change.asked_by.name}, who asked for this, may not change people any more. Decline it.")
    if change.person is not None and change.person.role != change.was:
        raise Conflict(f"{change.person.name} has another role since this was asked for. Decline it.")
    was = standing(change)
    _end(change, SeatStatus.AGREED, by)
    record(
        "people.agree_seat", by=by, on=change.person or change.invitation, change=str(change.pk), changed=was,
        asked_by=str(change.asked_by_id), summary=f"Agreed: {change.words}",
    )  # fmt: skip
    return change


@transaction.atomic
def decline(change: SeatChange, *, by: User) -> SeatChange:
    """Leave it as it is: a second person's no, or one's own taken back. Raises NotPermitted, Conflict."""
    change = _locked(change)
    if not may(by, "people.agree") or change.person_id == by.pk:
        raise NotPermitted("Only another principal or administrator may decline this.")
    was, before = standing(change), ""
    _end(change, SeatStatus.DROPPED if change.asked_by_id == by.pk else SeatStatus.DECLINED, by)
    if (invitation := change.invitation) is not None:
        before, invitation.withdrawn_at = digest(invitation), clock.now()
        invitation.save(update_fields=["withdrawn_at"])
    record(
        "people.decline_seat", by=by, on=change.person or invitation, change=str(change.pk), before=before, changed=was,
        summary=f"{change.get_status_display()}: {change.words}",
    )  # fmt: skip
    return change


def was_said(change: SeatChange, *, by: User, status: str) -> bool:
    """Tell whether this person has decided it so already: a button pressed twice."""
    return SeatChange.objects.filter(pk=change.pk, status=status, decided_by=by).exists()


def _locked(change: SeatChange) -> SeatChange:
    rows = SeatChange.objects.select_related("person", "invitation", "asked_by")
    change = rows.select_for_update(of=("self",)).get(pk=change.pk)
    if change.status != SeatStatus.WAITING:
        raise Conflict(f"This is decided already: {change.get_status_display().lower()}.")
    return change


def _end(change: SeatChange, status: SeatStatus, by: User) -> None:
    change.status, change.decided_by, change.decided_at = status, by, clock.now()
    change.save(update_fields=["status", "decided_by", "decided_at"])
