"""The people of the demonstration firm: one login per role. Refused wherever DEMONSTRATION is off."""

from dataclasses import dataclass

from django.db import transaction

from backoffice.people.models import Book, Role, User

PASSWORD = "alder-row-demo-2026"  # noqa: S105 (printed by `make run`; useless outside a demonstration)


@dataclass(frozen=True)
class Login:
    """One demonstration person."""

    key: str
    email: str
    name: str
    role: Role
    books: tuple[str, ...] = ()
    job: str = ""


LOGINS = (
    Login(
        "advisor", "advisor@alderrow.example", "Ines Carvalho", Role.ADVISOR, ("Carvalho",), "sees her own book, trades"
    ),
    Login("advisor2", "advisor2@alderrow.example", "Ruben Halloway", Role.ADVISOR, ("Halloway",), "the other book"),
    Login(
        "operations",
        "operations@alderrow.example",
        "Mara Lindqvist",
        Role.OPERATIONS,
        (),
        "opens accounts, moves money",
    ),
    Login("principal", "principal@alderrow.example", "Tomas Okafor", Role.PRINCIPAL, (), "approves"),
    Login("principal2", "principal2@alderrow.example", "Sunniva Ashdown", Role.PRINCIPAL, (), "a second principal"),
    Login(
        "viewer", "viewer@alderrow.example", "Vera Quill", Role.VIEWER, ("Halloway",), "reads one book, changes nothing"
    ),
    Login(
        "administrator",
        "administrator@alderrow.example",
        "Adam Prior",
        Role.ADMINISTRATOR,
        (),
        "connections, no clients",
    ),
)


@transaction.atomic
def load() -> dict[str, User]:
    """Make the demonstration people and their books, once; return them by key."""
    people: dict[str, User] = {}
    for login in LOGINS:
        user = User.objects.filter(email=login.email).first()
        if user is None:
            user = User.objects.create_user(
                email=login.email, name=login.name, role=login.role, password=PASSWORD, is_demonstration=True
            )
        for name in login.books:
            Book.objects.get_or_create(name=name)[0].members.add(user)
        people[login.key] = user
    return people
