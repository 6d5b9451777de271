"""Clients: the list, the export, and one client's page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from backoffice.core import exports
from backoffice.home.parts import Page
from backoffice.people.models import Book, User
from clients import translate
from clients.models import Account, Application, Client, MaintenanceRequest, Stage
from clients.rules import facts
from clients.selectors.applications import BADGES, Card, cards_of
from clients.selectors.maintenance import Case, cases_of
from clients.selectors.paging import page_of

PAGE_SIZE = 40


@dataclass(frozen=True)
class Row:
    """One client in the list."""

    client: Client
    accounts: tuple[Account, ...]
    open_cases: int

    @property
    def country(self) -> str:
        return facts.country_name(self.client.country)

    @property
    def states(self) -> list[tuple[str, str, str, int]]:
        """(tone, icon, word, how many) for each state its accounts are in."""
        counted: dict[tuple[str, str, str], int] = {}
        for account in self.accounts:
            chip = chip_of(account)
            counted[chip] = counted.get(chip, 0) + 1
        return [(*chip, number) for chip, number in counted.items()]


_OF_APPLICATIONS = {"", "N", "P", "E", "Q"}  # told by their state (account-management.md 9.1)


def chip_of(account: Account) -> tuple[str, str, str]:
    """Return (tone, icon, word) of an account; a letter nobody has met says so, whatever its state."""
    if account.ibkr_status == "O":
        return (
            ("good", "check", "Open")
            if account.ibkr_state in {"", "Open"}
            else ("wait", "file-text", account.ibkr_state)
        )
    application = getattr(account, "application", None)
    if application is not None and not application.is_final:
        tone, icon = BADGES[application.stage]
        return (tone, icon, str(application.get_stage_display()))
    known = {
        "C": ("neutral", "circle-minus", "Closed"),
        "A": ("neutral", "circle-minus", "Abandoned"),
        "R": ("bad", "x", "Rejected"),
    }
    if account.ibkr_status not in _OF_APPLICATIONS and account.ibkr_status not in known:
        # Its state may still read "Open", which only O says.
        return ("neutral", "help-hexagon", f"Status {account.ibkr_status}, not known to us")
    return known.get(
        account.ibkr_status, ("neutral", "circle-dashed", account.ibkr_state or account.ibkr_status or "New")
    )


def clients(user: User, asked: Mapping[str, str]) -> "QuerySet[Client]":
    """Return the clients one person may see, narrowed by q (name or account), stage, book and country."""
    found: QuerySet[Client] = Client.objects.visible_to(user)
    if text := asked.get("q", "").strip()[:80]:
        numbered = Account.objects.filter(number__startswith="".join(text.split()).upper())
        found = found.filter(Q(pk__in=Client.objects.named(text).values("pk")) | Q(pk__in=numbered.values("client")))
    stage = asked.get("stage", "")
    if stage == "open":
        found = found.filter(Exists(Account.objects.filter(client=OuterRef("pk"), ibkr_status="O")))
    elif stage in Stage.values:
        found = found.filter(Exists(Application.objects.filter(client=OuterRef("pk"), stage=stage)))
    if country := asked.get("country", ""):
        found = found.filter(country=country)
    if book := asked.get("book", ""):
        found = found.filter(book__name=book)
    return found


def page(user: User, asked: Mapping[str, str]) -> tuple[list[Row], Page]:
    """Return one page of the list, by name."""
    found, neighbours = page_of(
        _with_accounts(clients(user, asked)),
        keys=("last_name", "first_name", "id"),
        size=PAGE_SIZE,
        asked={
            name: value for name, value in asked.items() if name != "q"
        },  # a name: sealed in the address, as `typed`
    )
    return _rows(found), neighbours


def _with_accounts(found: "QuerySet[Client]") -> "QuerySet[Client]":
    return (
        found.select_related("book", "household")
        .prefetch_related(
            Prefetch(
                "accounts",
                queryset=Account.objects.select_related("application").order_by("number"),
                to_attr="listed_accounts",
            )
        )
        .defer("email", "phone", "date_of_birth", "residence", "tax_number")
    )


def _rows(found: list[Client]) -> list[Row]:
    waiting: dict[object, int] = {}
    for client_pk in (
        MaintenanceRequest.objects.waiting().filter(account__client__in=found).values_list("account__client", flat=True)
    ):
        waiting[client_pk] = waiting.get(client_pk, 0) + 1
    return [Row(client, tuple(client.listed_accounts), waiting.get(client.pk, 0)) for client in found]  # type: ignore[attr-defined]


def exported(user: User, asked: Mapping[str, str]) -> Iterator[list[str]]:
    """Return the list as rows of a table, head first. No personal values beyond the name."""
    yield ["Client", "Advisor book", "Country", "Accounts", "States", "Client since"]
    asked_for = _with_accounts(clients(user, asked)).order_by("last_name", "first_name", "id")
    found, last = exports.cut(list(asked_for[: exports.ROWS_AT_MOST + 1]))
    for row in _rows(list(found)):
        yield [
            row.client.name,
            row.client.book.name,
            row.country,
            " ".join(account.number for account in row.accounts),
            ", ".join(word for _, _, word, _ in row.states),
            row.client.created_at.date().isoformat(),
        ]
    yield from last


def books_of(user: User) -> list[Book]:
    found = Book.objects.all() if user.sees_every_book else user.books.all()
    return list(found.order_by("name"))


def countries_of(user: User) -> list[tuple[str, str]]:
    codes = (
        Client.objects.visible_to(user)
        .exclude(country="")
        .order_by("country")
        .values_list("country", flat=True)
        .distinct()
    )
    return sorted(((code, facts.country_name(code)) for code in codes), key=lambda pair: pair[1])


@dataclass(frozen=True)
class Personal:
    """One masked value: what may be shown without asking, and which field the eye asks for."""

    field: str
    label: str
    shown: str


@dataclass(frozen=True)
class Portrait:
    """All the client page shows of our own rows."""

    client: Client
    accounts: tuple[Account, ...]
    personal: tuple[Personal, ...]
    applications: tuple[Card, ...]
    cases: tuple[Case, ...]

    @property
    def country(self) -> str:
        return facts.country_name(self.client.country)

    @property
    def portal_account(self) -> Account | None:
        """The account whose holder's login opens the portal."""
        return next((account for account in self.accounts if account.username), None)


def portrait(client: Client) -> Portrait:
    """Return one client's accounts, masked personal values, applications and maintenance cases."""
    accounts = tuple(client.accounts.select_related("master", "application").order_by("number"))
    applications = (
        client.applications.select_related("owner", "account")
        .defer("draft_text", "refusal_text")
        .order_by("-created_at")
    )
    requests = MaintenanceRequest.objects.filter(account__client=client).select_related("account", "requested_by")
    return Portrait(
        client=client,
        accounts=accounts,
        personal=tuple(_personal(client)),
        applications=tuple(cards_of(list(applications[:20]))),
        cases=tuple(cases_of(list(requests[:20]))),
    )


def masked_residence(client: Client) -> str:
    """Return the town and the country of where the client lives, empty while nobody knows the street."""
    home = translate.residence_fields(client.residence)
    return ", ".join(filter(None, (home["city"], facts.country_name(home["country"])))) if home["street1"] else ""


def _personal(client: Client) -> Iterator[Personal]:
    values = (
        ("email", "E-mail", f"@{client.email.partition('@')[2]}" if client.email else ""),
        ("phone", "Mobile phone", client.phone[-3:]),
        ("date_of_birth", "Date of birth", client.date_of_birth[:4]),
        ("residence", "Address", masked_residence(client)),
        ("tax_number", "Tax number", client.tax_number[-4:]),
    )
    for field, label, shown in values:
        yield Personal(field, label, shown)
