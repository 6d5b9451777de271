"""How long a client's personal data is kept, why, and whose may go.

Six years cover what binds an advisor and a broker: Advisers Act 204-2 asks for five from the end of the fiscal year, SEC
17a-4 and FINRA 4511 for up to six. They count from the end of the year in which the last account was closed or, where there
never was one, the last application ended. A legal hold stops the clock whatever it says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import Q, QuerySet

from backoffice.core import clock
from backoffice.people.models import User
from clients.models import ApplicationStatus, Client, Destruction, LegalHold

YEARS = 6
SOURCE = "SEC 17a-4, FINRA 4511 (six years); Advisers Act 204-2 (five)"
_ENDED = [ApplicationStatus.REJECTED, ApplicationStatus.ABANDONED, ApplicationStatus.OPENED]


@dataclass(frozen=True)
class Clock:
    """`until` is the last day it is kept; None while the relation goes on. `why` is a sentence."""

    client: Client
    ended: date | None
    until: date | None
    why: str
    holds: tuple[LegalHold, ...]

    @property
    def is_over(self) -> bool:
        return self.until is not None and self.until < clock.today(clock.NEW_YORK)

    @property
    def may_go(self) -> bool:
        return self.is_over and not self.holds and self.client.erased_at is None


def clock_of(client: Client) -> Clock:
    """Return one client's clock."""
    holds = tuple(client.holds.filter(released_at=None).select_related("placed_by"))
    if client.erased_at is not None:
        return Clock(client, None, None, f"Destroyed on {client.erased_at:%d %b %Y}.", holds)
    accounts = list(client.accounts.values_list("closed_on", flat=True))
    if None in accounts:
        return Clock(
            client, None, None, "Kept while the client has an account; the years begin when the last one closes.", holds
        )
    if client.applications.exclude(status__in=_ENDED).exists():
        return Clock(client, None, None, "Kept while an application is under way.", holds)
    applications = client.applications.exclude(ended_at=None).values_list("ended_at", flat=True)
    days = [each for each in accounts if each] + [each.date() for each in applications if each]
    ended = max([*days, client.created_at.date()])
    what = "The last account was closed" if accounts else "The last application ended"
    why = f"{what} on {ended:%d %b %Y}; {YEARS} years from the end of that year."
    return Clock(client, ended, date(ended.year + YEARS, 12, 31), why, holds)


def over(user: User) -> Iterator[Clock]:
    """Return the clocks that have run out, of clients this person may see, the oldest first."""
    for client in _ended(user).order_by("created_at"):
        found = clock_of(client)
        if found.is_over and not found.holds:
            yield found


def _ended(user: User) -> "QuerySet[Client]":
    last_year = clock.today(clock.NEW_YORK).year - YEARS - 1
    still = Q(accounts__isnull=False, accounts__closed_on__isnull=True) | Q(accounts__closed_on__year__gt=last_year)
    candidates = Client.objects.visible_to(user).filter(erased_at=None, created_at__year__lte=last_year)
    found: QuerySet[Client] = candidates.exclude(pk__in=Client.objects.filter(still).values("pk"))
    return found


def holds(user: User) -> "QuerySet[LegalHold]":
    """Return the holds that stand, of clients this person may see."""
    return LegalHold.objects.filter(released_at=None, client__in=Client.objects.visible_to(user)).select_related(
        "client", "placed_by"
    )


def waiting(user: User) -> "QuerySet[Destruction]":
    """Return the proposals that wait for a second person."""
    return Destruction.objects.filter(
        done_at=None, dropped_at=None, client__in=Client.objects.visible_to(user)
    ).select_related("client", "proposed_by")
