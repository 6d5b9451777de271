"""Where other apps hang what they show of a client: panels, quick actions and events of the client page.

    from clients import panels

    panels.panels.add(panels.Panel(20, "funding", "Money", "funding:client_panel", "funding.view"))
    panels.actions.add(panels.QuickAction(20, "Withdraw", "arrow-up-right", "funding:withdraw", "funding.request"))
    panels.events.add(funding.selectors.events_of_client)      # (client, user) -> Iterable[TimelineEvent]

Both `url_name`s take the client's primary key. A panel's page is a fragment, loaded by htmx after the client page; it
draws its own `{% panel %}`s and may draw nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from backoffice.home.parts import TimelineEvent
from backoffice.home.registry import Registry
from backoffice.people.models import User
from clients.models import Client


@dataclass(frozen=True)
class Panel:
    """One panel of the client page. `title` is what is shown while it loads; "summary" stands in the page's head."""

    order: int
    key: str
    title: str
    url_name: str
    permission: str
    place: Literal["main", "summary"] = "main"


@dataclass(frozen=True)
class QuickAction:
    """One button in the head of the client page; a link."""

    order: int
    label: str
    icon: str
    url_name: str
    permission: str


EventProvider = Callable[[Client, User], Iterable[TimelineEvent]]

panels: Registry[Panel] = Registry()
actions: Registry[QuickAction] = Registry()
events: Registry[EventProvider] = Registry()
