"""What the search of the frame finds here: clients, accounts and applications, by name, number, reference or last four."""

from collections.abc import Iterator

from django.db.models import QuerySet

from backoffice.home.registry import SearchHit
from backoffice.people.models import User
from backoffice.people.policy import may
from clients.models import Account, Application, Client

MOST = 4
_SEALED = ("email", "phone", "date_of_birth", "residence", "tax_number")


def search(user: User, text: str) -> Iterator[SearchHit]:
    """Answer from indexes alone, so that a hundred thousand clients make no difference."""
    if not may(user, "clients.view"):
        return
    typed = "".join(text.split())
    by_name = Client.objects.visible_to(user).named(text).order_by("last_name", "first_name", "id")
    for client in _light(by_name):
        yield SearchHit(client.name, _numbers(client), "Client", client.get_absolute_url(), "user")
    if len(typed) >= 4 and any(letter.isdigit() for letter in typed):
        for client in _light(Client.objects.visible_to(user).with_tax_number(typed)):
            detail = f"Tax number ending {typed[-4:]}"
            yield SearchHit(client.name, detail, "Client", client.get_absolute_url(), "user")
    accounts = Account.objects.visible_to(user).filter(number__startswith=typed.upper()).select_related("client")
    for account in accounts.order_by("number")[:MOST]:
        yield SearchHit(account.number, account.client.name, "Account", account.client.get_absolute_url(), "id")
    for application in _applications(user, text, typed):
        yield SearchHit(
            application.name,
            str(application.get_stage_display()),
            "Application",
            application.get_absolute_url(),
            "layout-kanban",
        )


def _light(found: "QuerySet[Client]") -> list[Client]:
    return list(found.prefetch_related("accounts").defer(*_SEALED)[:MOST])


def _numbers(client: Client) -> str:
    return ", ".join(account.number for account in client.accounts.all())


def _applications(user: User, text: str, typed: str) -> "list[Application]":
    mine = Application.objects.visible_to(user).defer("draft_text", "refusal_text").order_by("-created_at")
    named = list(mine.unfinished().named(text)[:MOST])
    return named or list(mine.filter(external_id=typed)[:MOST])
