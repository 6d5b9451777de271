"""What the search of the frame finds here: clients, accounts and applications, by name, number, key or last four."""

import re
from collections.abc import Iterator
from uuid import UUID

from django.db.models import QuerySet

from backoffice.home.registry import SearchHit
from backoffice.people.models import User
from backoffice.people.policy import may
from clients.models import Account, Application, Client

MOST = 4
# Whoever types half a name means one of the first few; what belongs to more accounts than that helps nobody.
MOST_ACCOUNTS = 8
_KEY = re.compile(r"(?:BO-?)?(?P<unique>[0-9A-F]{6,12})(?:\.\d+)?", re.IGNORECASE)  # an application's, or its beginning
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
    accounts = Account.objects.visible_to(user).meant_by(typed).select_related("client")
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


def accounts_meant(user: User, text: str) -> list[UUID]:
    """Return the keys of the first accounts a person may see whose number, or whose client's name, begins as typed.

    For the searches of the apps above. They ask by these few keys, and never for their own rows joined with a name: with
    one side of an OR in another table the database would read all of theirs for each letter typed.
    """
    typed = "".join(text.split()).upper()
    mine = Account.objects.visible_to(user)
    numbered = mine.filter(number__startswith=typed).order_by("number") if typed else mine.none()
    if found := list(numbered.values_list("pk", flat=True)[:MOST_ACCOUNTS]):
        return found
    named = Client.objects.visible_to(user).named(text).order_by("last_name", "first_name", "id")[:MOST_ACCOUNTS]
    of_them = Account.objects.filter(client__in=list(named.values_list("pk", flat=True))).order_by("number")
    return list(of_them.values_list("pk", flat=True)[:MOST_ACCOUNTS])


def _light(found: "QuerySet[Client]") -> list[Client]:
    return list(found.prefetch_related("accounts").defer(*_SEALED)[:MOST])


def _numbers(client: Client) -> str:
    return ", ".join(account.number for account in client.accounts.all())


def _applications(user: User, text: str, typed: str) -> "list[Application]":
    mine = Application.objects.visible_to(user).defer("draft_text", "refusal_text").order_by("-created_at")
    named = list(mine.unfinished().named(text)[:MOST])
    if named or (key := _KEY.fullmatch(typed)) is None:
        return named
    # After a refusal the next sending has a key of its own, ".2": whoever has the first one means the same application.
    return list(mine.filter(external_id__startswith=f"BO-{key['unique'].lower()}")[:MOST])
