"""Joined reads about people for the pages: who there is, how they sign in, what they are signed in on."""

from collections.abc import Iterable
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import Max, QuerySet

from backoffice.people.adapter import needs_second_factor
from backoffice.people.models import Invitation, User


@dataclass(frozen=True)
class Row:
    """One person in the list. `factors` are words; `lacks_factor` when one is needed and none is there."""

    person: User
    books: tuple[str, ...]
    factors: tuple[str, ...]
    lacks_factor: bool
    last_seen: object


def rows(*, role: str, state: str) -> list[Row]:
    """Return people by name. `state` is "active", "closed" or "no-factor"; empty means no narrowing."""
    people = User.objects.order_by("name", "pk").prefetch_related("books")
    if role:
        people = people.filter(role=role)
    if state in {"active", "closed"}:
        people = people.filter(is_active=state == "active")
    seen = dict(UserSession.objects.values_list("user_id").annotate(Max("last_seen_at")))
    factors = _factors(people)
    found = [
        Row(
            person,
            tuple(sorted(book.name for book in person.books.all())),
            factors.get(person.pk, ()),
            person.is_active and needs_second_factor(person) and not factors.get(person.pk),
            seen.get(person.pk),
        )
        for person in people
    ]
    return [row for row in found if row.lacks_factor] if state == "no-factor" else found


def factors_of(person: User) -> tuple[str, ...]:
    return _factors([person]).get(person.pk, ())


def _factors(people: "Iterable[User]") -> dict[object, tuple[str, ...]]:
    words = {Authenticator.Type.TOTP: "app", Authenticator.Type.WEBAUTHN: "passkey"}
    found: dict[object, tuple[str, ...]] = {}
    kept = Authenticator.objects.filter(user__in=people, type__in=words).order_by("type")
    for owner, kind in kept.values_list("user_id", "type"):
        word = words[Authenticator.Type(kind)]
        found[owner] = tuple(dict.fromkeys((*found.get(owner, ()), word)))
    return found


def open_invitations() -> QuerySet[Invitation]:
    """Return seats offered and not taken, those that ran out included: they may be sent again."""
    return Invitation.objects.filter(accepted_at=None, withdrawn_at=None).order_by("-created_at", "pk")


@dataclass(frozen=True)
class Device:
    """One browser somebody is signed in on, in words a person can tell apart."""

    session: UserSession
    words: str
    is_this_one: bool


# The first that is found names it: Edge also says Chrome, Chrome also says Safari.
_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS", "Mac"),
            ("Linux", "Linux"))  # fmt: skip


def devices(person: User, *, here: str | None = None) -> list[Device]:
    """Return the sessions of a person that are alive, the newest look first; `here` is the key of the reader's own."""
    alive = sorted(UserSession.objects.purge_and_list(person), key=lambda each: each.last_seen_at, reverse=True)
    return [Device(each, _device(each.user_agent), each.session_key == here) for each in alive]


def _device(agent: str) -> str:
    browser = next((word for sign, word in _BROWSERS if sign in agent), "Unknown browser")
    system = next((word for sign, word in _SYSTEMS if sign in agent), "")
    return f"{browser} on {system}" if system else browser
