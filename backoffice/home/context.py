"""What the frame of every page is told. Lazy: a fragment that draws no frame asks nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from backoffice.broker.models import Environment, Gate, MasterAccount
from backoffice.home import notices, registry
from backoffice.home.registry import Count, NavigationEntry
from backoffice.people import demonstration
from backoffice.people.models import User
from backoffice.people.policy import may


@dataclass(frozen=True)
class Place:
    """A navigation entry as this person sees it."""

    entry: NavigationEntry
    url: str
    is_current: bool
    count: Count | None


@dataclass(frozen=True)
class Section:
    name: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Surroundings:
    """Where the pages are: the environment's key and words, and the connections' account numbers."""

    key: str
    name: str
    masters: tuple[str, ...]
    hosts: tuple[str, ...]


_NO_CONNECTION = Surroundings(key="none", name="No connection", masters=(), hosts=())


def surroundings() -> Surroundings:
    """Return the environment of the frame. One production connection makes the whole page production."""
    rows = list(MasterAccount.objects.order_by("account").values_list("environment", "account", "base_url"))
    if not rows:
        return _NO_CONNECTION
    found = {environment for environment, _, _ in rows}
    key = next(kind for kind in (Environment.PRODUCTION, Environment.QA, Environment.SANDBOX) if kind in found)
    hosts = sorted({url.split("//", 1)[-1].rstrip("/") for environment, _, url in rows if environment == key})
    return Surroundings(
        key=key.value, name=str(key.label), masters=tuple(account for _, account, _ in rows), hosts=tuple(hosts)
    )


def places(user: User, path: str) -> list[Place]:
    """Return the entries this person may open, in order; the deepest that contains `path` is the current one."""
    open_entries = []
    for entry in registry.navigation:
        if may(user, entry.permission):
            try:
                open_entries.append((entry, reverse(entry.url_name)))
            except NoReverseMatch:
                continue  # an app that is not switched on in this installation
    holding = [url for _, url in open_entries if path == url or (url != "/" and path.startswith(url))]
    current = max(holding, key=len, default=None)
    return [
        Place(entry=entry, url=url, is_current=url == current, count=entry.count(user) if entry.count else None)
        for entry, url in open_entries
    ]


@dataclass(frozen=True)
class Navigation:
    sections: tuple[Section, ...]
    bar: tuple[Place, ...]
    current: Place | None


def navigation(user: User, path: str) -> Navigation:
    """Return the side column in its fixed order of sections, and the bar of a narrow screen."""
    found = sorted(places(user, path), key=lambda place: place.entry.order)
    sections = tuple(
        Section(name, members)
        for name in registry.SECTIONS
        if (members := tuple(place for place in found if place.entry.section == name))
    )
    # Who has few of the usual places, such as an administrator, gets the first of their own instead.
    bar = sorted(found, key=lambda place: place.entry.mobile or 99)[:4]
    return Navigation(sections, tuple(bar), next((place for place in found if place.is_current), None))


@dataclass(frozen=True)
class Stopped:
    """The closed gates, which a banner names on every page; `mark` changes with them."""

    gates: tuple[Gate, ...]

    @property
    def mark(self) -> str:
        return " ".join(f"{gate.pk}:{gate.set_at:%y%m%d%H%M%S%f}" for gate in self.gates) or "nothing"


def stopped() -> Stopped:
    """Return what of the sending is stopped now."""
    return Stopped(tuple(Gate.objects.filter(is_open=False).select_related("set_by").order_by("set_at", "pk")))


@dataclass(frozen=True)
class Logins:
    """The demonstration's people and their one password, for its sign-in page only."""

    people: tuple[User, ...]
    password: str


def _demonstration_logins() -> Logins | None:
    if not settings.DEMONSTRATION:
        return None
    found = {user.email: user for user in User.objects.filter(is_demonstration=True, is_active=True)}
    people = tuple(found[login.email] for login in demonstration.LOGINS if login.email in found)
    return Logins(people, demonstration.PASSWORD) if people else None


class _Lazily:
    """Makes the parts of one page's frame lazy. One that the database did not answer fails all that follow.

    A template's `{% if %}` swallows the failure and the page goes on, so each further look would wait for the database anew.
    """

    def __init__(self) -> None:
        self._failure: DatabaseError | None = None

    def __call__(self, ask: Callable[[], Any]) -> Any:
        def asked() -> Any:
            if self._failure is not None:
                raise self._failure
            try:
                return ask()
            except DatabaseError as failure:
                self._failure = failure
                raise

        return SimpleLazyObject(asked)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `firm_name`, `environment`, `stopped`, `navigation`, `demonstration`, `logins`, `unread`, `reference`."""

    def draw() -> Navigation | None:
        return navigation(request.user, request.path) if isinstance(request.user, User) else None

    lazily = _Lazily()
    return {
        "firm_name": settings.FIRM_NAME,
        "environment": lazily(surroundings),
        "stopped": lazily(lambda: stopped() if isinstance(request.user, User) else Stopped(())),
        "navigation": lazily(draw),
        "demonstration": settings.DEMONSTRATION,
        "logins": lazily(_demonstration_logins),
        "unread": lazily(lambda: notices.unread_count(request.user) if isinstance(request.user, User) else 0),
        "reference": getattr(request, "reference", ""),
    }
