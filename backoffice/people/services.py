"""Inviting people, giving and taking roles and books, closing the door behind somebody. The only writers of people.

Every act is recorded. A change of role or book is read from the database by each request, so it holds from the next one.
What gives power over money or people waits for a second person first; `seats` says why.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from smtplib import SMTPException
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from axes.utils import reset
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string

from backoffice.audit.services import Standing, record, standing
from backoffice.audit.services import digest as digest_of_row
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.people import seats
from backoffice.people.models import Book, Invitation, Role, SeatChange, User
from backoffice.people.policy import may

OPEN_FOR = timedelta(days=3)
# Without one of each nobody could approve, or let anybody in again.
_NEVER_NONE = (Role.ADMINISTRATOR, Role.PRINCIPAL)
_log = logging.getLogger(__name__)

Link = Callable[[str], str]  # the secret part of an invitation -> the address that carries it


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# ---- invitations


@transaction.atomic
def invite(
    *, email: str, name: str, role: str, books: Iterable[Book], by: User, link: Link, intent: UUID | None = None
) -> Invitation:
    """Offer a seat and send the link, once the transaction is kept and, for a powerful role, a second person agrees.

    The same `intent` again yields the invitation it made before. Raises InvalidInput, NotPermitted.
    """
    _manager(by)
    email = email.strip().lower()
    made = Invitation.objects.filter(intent=intent, invited_by=by, email=email).first() if intent else None
    if made is not None:
        return made
    if User.objects.filter(email__iexact=email).exists():
        raise InvalidInput("email", "Somebody here has this address.", "Change their role on their own page.")
    if Invitation.objects.filter(email__iexact=email, accepted_at=None, withdrawn_at=None).exists():
        raise InvalidInput("email", "This address has an invitation already.", "Send that one again, or withdraw it.")
    secret, now = secrets.token_urlsafe(32), clock.now()
    columns = {"email": email, "name": name.strip(), "role": role, "invited_by": by, "created_at": now, "intent": intent,
               "expires_at": now + OPEN_FOR, "token_sha256": digest(secret)}  # fmt: skip
    try:
        with transaction.atomic():
            invitation = Invitation.objects.create(**columns)
    except IntegrityError as error:  # two presses at once: the database let one through
        raise Conflict("This address was invited a moment ago. Look at the seats offered.") from error
    invitation.books.set(books)
    record("people.invite", by=by, on=invitation, summary=f"Invited as {role}", books=_keys(books))
    if seats.needs_second_person(role, by=by):
        seats.ask(role=role, by=by, invitation=invitation)  # nobody has the link; `agree` makes another
    else:
        transaction.on_commit(lambda: _send(invitation, link(secret)))
    return invitation


@transaction.atomic
def resend(invitation: Invitation, *, by: User, link: Link) -> None:
    """Send a new link for the same seat; the earlier link stops working and the days begin again."""
    _manager(by)
    invitation = _open_seat(invitation)
    if seats.waiting().filter(invitation=invitation).exists():
        raise Conflict("This seat waits for a second person; the letter goes out when they agree.")
    before = digest_of_row(invitation)
    _new_link(invitation, link)
    record("people.resend_invitation", by=by, on=invitation, summary="Sent again under a new link", before=before)


def _new_link(invitation: Invitation, link: Link) -> None:
    secret = secrets.token_urlsafe(32)
    invitation.token_sha256, invitation.sent_at = digest(secret), None
    invitation.expires_at = clock.now() + OPEN_FOR
    invitation.save(update_fields=["token_sha256", "sent_at", "expires_at"])
    transaction.on_commit(lambda: _send(invitation, link(secret)))


@transaction.atomic
def withdraw(invitation: Invitation, *, by: User) -> None:
    _manager(by)
    invitation = _open_seat(invitation)
    seats.drop(by=by, invitation=invitation)
    before, invitation.withdrawn_at = digest_of_row(invitation), clock.now()
    invitation.save(update_fields=["withdrawn_at"])
    record("people.withdraw_invitation", by=by, on=invitation, summary="Withdrawn", before=before)


def _open_seat(invitation: Invitation) -> Invitation:
    """Lock it. One that has run out may still be sent again or withdrawn."""
    invitation = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if invitation.accepted_at or invitation.withdrawn_at:
        raise Conflict(invitation.why_closed)
    return invitation


def _send(invitation: Invitation, url: str) -> None:
    """Post the letter. A mail server that fails leaves the invitation unsent, which the page says."""
    context = {"invitation": invitation, "url": url, "firm_name": settings.FIRM_NAME, "days": OPEN_FOR.days}
    text = render_to_string("people/mail/invitation.txt", context)
    try:
        send_mail(f"Your seat at {settings.FIRM_NAME}", text, None, [invitation.email])
    except (SMTPException, OSError) as error:
        _log.warning("Invitation %s was not sent: %s", invitation.pk, type(error).__name__)
        return
    Invitation.objects.filter(pk=invitation.pk).update(sent_at=clock.now())


def find_invitation(secret: str) -> Invitation | None:
    return Invitation.objects.filter(token_sha256=digest(secret)).first()


def refuse_invitation(invitation: Invitation) -> None:
    """Record that somebody followed a link that is closed."""
    record("people.refuse_invitation", by=None, on=invitation, summary=invitation.why_closed)


@transaction.atomic
def accept_invitation(invitation: Invitation, *, password: str) -> User:
    """Make the person of an open invitation. Raises Conflict when it is not open; exactly one of two tries wins."""
    invitation = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if invitation.why_closed:
        raise Conflict(invitation.why_closed)
    if User.objects.filter(email__iexact=invitation.email).exists():
        raise Conflict("Somebody here has this address already.")
    person = User.objects.create_user(
        email=invitation.email, name=invitation.name, role=invitation.role, password=password
    )
    person.books.set(invitation.books.all())
    was = standing(invitation)
    invitation.accepted_at, invitation.person = clock.now(), person
    invitation.save(update_fields=["accepted_at", "person"])
    record("people.accept_invitation", by=person, on=person, summary=f"Joined as {person.role}", changed=was)
    return person


@transaction.atomic
def add_first_administrator(*, email: str, name: str, password: str) -> User:
    """Open an empty installation. Raises ValidationError for a weak password, Conflict while an administrator is there."""
    if User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).exists():
        raise Conflict("There is an administrator already, who can invite this person.")
    email, name = email.strip().lower(), name.strip()
    validate_email(email)
    validate_password(password, user=User(email=email, name=name))
    if User.objects.filter(email__iexact=email).exists():
        raise Conflict("Somebody here has this address already.")
    person = User.objects.create_user(email=email, name=name, role=Role.ADMINISTRATOR, password=password)
    record("people.add_first_administrator", by=None, on=person, summary="Made at the command line")
    return person


# ---- at the command line, by whoever keeps the server


@transaction.atomic
def set_password(person: User, *, password: str) -> None:
    """Give somebody another password and end their sessions. Raises ValidationError for a weak one."""
    person = User.objects.select_for_update().get(pk=person.pk)
    validate_password(password, user=person)
    before = digest_of_row(person)
    person.set_password(password)
    person.save(update_fields=["password"])
    _end(UserSession.objects.filter(user=person))
    record("people.change_password", by=None, on=person, summary="Password changed at the command line", before=before)


@transaction.atomic
def end_lock_out(person: User) -> int:
    """Forget somebody's wrong passwords; return how many there were. How long the next wait is goes on from the last."""
    number: int = reset(username=person.email)
    record("people.end_lock_out", by=None, on=person, summary=f"{number} attempts forgotten at the command line")
    return number


# ---- roles, books, the door


@transaction.atomic
def change_role(person: User, *, role: str, by: User) -> User:
    """Give another role, or put it before a second person. Returns the person as they now are.

    Raises NotPermitted for oneself, InvalidInput when it leaves the firm without somebody needed, Conflict while another
    change waits.
    """
    person = _taken(person, by)
    if person.role == role:
        return person
    _never_none(person, "role")
    if seats.needs_second_person(role, by=by, about=person):
        seats.ask(role=role, by=by, person=person)
        return person
    seats.drop(by=by, person=person)
    return _give_role(person, role, by)


def _give_role(person: User, role: str, by: User) -> User:
    before, was, person.role = digest_of_row(person), person.role, role
    person.save(update_fields=["role"])
    record("people.change_role", by=by, on=person, summary=f"From {was} to {role}", before=before, was=was, became=role)
    return person


@transaction.atomic
def agree(change: SeatChange, *, by: User, link: Link) -> None:
    """A second person's yes: the role is given, the account opened or the letter sent. Raises as `seats.decided`."""
    change = seats.decided(change, by=by)
    if change.invitation is not None:
        _new_link(_open_seat(change.invitation), link)
        return
    assert change.person is not None  # a constraint
    person = User.objects.select_for_update().get(pk=change.person.pk)
    if change.role == change.was:
        _open_account(person, by)
    else:
        _never_none(person, "role")
        _give_role(person, change.role, by)


@transaction.atomic
def change_books(person: User, *, books: Iterable[Book], by: User) -> User:
    """Give exactly these books to somebody, and withdraw the others."""
    person = _taken(person, by)
    before, after = set(person.books.all()), set(books)
    if before == after:
        return person
    gained, lost = after - before, before - after
    members = Book.members.through.objects.filter(user=person).order_by("pk")
    changed = standing(*members.filter(book__in=lost))
    person.books.set(after)
    changed += [Standing(each) for each in members.filter(book__in=gained)]
    words = [f"{word} {len(which)}" for word, which in (("gave", gained), ("withdrew", lost)) if which]
    record(
        "people.change_books", by=by, on=person, summary=f"Books: {', '.join(words)}", gave=_keys(gained),
        withdrew=_keys(lost), changed=changed,
    )  # fmt: skip
    return person


@transaction.atomic
def deactivate(person: User, *, by: User) -> User:
    """Close somebody's account: sessions and tokens end now. What they did stays."""
    person = _taken(person, by)
    if not person.is_active:
        return person
    _never_none(person, "person")
    seats.drop(by=by, person=person)
    before, person.is_active = digest_of_row(person), False
    person.save(update_fields=["is_active"])
    tokens = standing(*person.tokens.select_for_update().filter(revoked_at=None).order_by("pk"))
    person.tokens.filter(revoked_at=None).update(revoked_at=clock.now(), revoked_by=by)
    _end(UserSession.objects.filter(user=person))
    record(
        "people.deactivate", by=by, on=person, summary="Account closed, sessions and tokens ended", before=before,
        changed=tokens,
    )  # fmt: skip
    return person


@transaction.atomic
def reactivate(person: User, *, by: User) -> User:
    person = _taken(person, by)
    if person.is_active:
        return person
    if seats.needs_second_person(person.role, by=by, about=person):
        seats.ask(role=person.role, by=by, person=person)
        return person
    seats.drop(by=by, person=person)
    return _open_account(person, by)


def _open_account(person: User, by: User) -> User:
    before, person.is_active = digest_of_row(person), True
    person.save(update_fields=["is_active"])
    record("people.reactivate", by=by, on=person, summary="Account opened again", before=before)
    return person


@transaction.atomic
def remove_second_factors(person: User, *, by: User) -> int:
    """Take every factor off somebody who has lost theirs, and sign them out; they enrol again when they come back."""
    person = _taken(person, by)
    factors = standing(*Authenticator.objects.filter(user=person).order_by("pk"))
    Authenticator.objects.filter(user=person).delete()
    _end(UserSession.objects.filter(user=person))
    record(
        "people.remove_second_factors", by=by, on=person, summary=f"Removed {len(factors)}, sessions ended",
        changed=factors,
    )  # fmt: skip
    return len(factors)


def _taken(person: User, by: User) -> User:
    """Lock a person for a change by somebody else."""
    _manager(by)
    if person.pk == by.pk:
        raise NotPermitted("Nobody may change their own role, books or account. Another administrator may.")
    return User.objects.select_for_update().get(pk=person.pk)


def _manager(by: User) -> None:
    if not may(by, "people.manage"):
        raise NotPermitted("Your role may not change people. An administrator may.")


def _never_none(person: User, field: str) -> None:
    """Refuse to lose the last of a needed role. The rows are locked, so two removals cannot each count on the other."""
    if person.role not in _NEVER_NONE or not person.is_active:
        return
    holders = User.objects.select_for_update().filter(role=person.role, is_active=True).order_by("pk")
    if not [each for each in holders if each.pk != person.pk]:
        word = person.get_role_display().lower()
        raise InvalidInput(
            field, f"{person.name} is the last active {word}.", f"Give somebody else the role of {word} first."
        )


def _keys(books: Iterable[Book]) -> list[str]:
    return sorted(str(book.pk) for book in books)


# ---- sessions


def end_session(session: UserSession, *, by: User) -> None:
    """Sign one browser out: its next request finds no session."""
    owner = session.user
    _end(UserSession.objects.filter(pk=session.pk))
    record("people.end_session", by=by, on=owner, summary="One session ended")


def end_other_sessions(person: User, *, by: User, but: str | None = None) -> int:
    """Sign every browser of somebody out, but the one with session key `but`."""
    number = _end(UserSession.objects.filter(user=person).exclude(session_key=but or ""))
    record("people.end_sessions", by=by, on=person, summary=f"{number} sessions ended")
    return number


def sweep_sessions() -> None:
    """Delete sessions that are over, and their lines in the list. Harmless when repeated."""
    now = clock.now()
    Session.objects.filter(expire_date__lt=now).delete()
    alive = Session.objects.values("session_key")
    # A session shows its line a moment after it begins; one that is new has time to be saved.
    UserSession.objects.filter(created_at__lt=now - timedelta(hours=1)).exclude(session_key__in=alive).delete()


def _end(sessions: "Iterable[UserSession]") -> int:
    found = list(sessions)
    for session in found:
        session.end()
    return len(found)
