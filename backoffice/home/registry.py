"""Where apps hang what they contribute to the frame, each in its `AppConfig.ready()`.

    from backoffice.home import registry

    registry.navigation.add(registry.NavigationEntry(
        section="Money", label="Funding", icon="arrows-exchange", url_name="funding:list",
        permission="funding.view", count=selectors.navigation_count))
    registry.inbox.add(selectors.inbox)          # (user) -> Iterable[InboxItem]
    registry.told_doubts.add("funding.cashtransfer")  # doubts about these rows are in the app's own inbox
    registry.figures.add(selectors.figures)      # (user) -> Iterable[Figure]
    registry.feed.add(selectors.feed)            # (user, since) -> Iterable[FeedItem]
    registry.search.add(selectors.search)        # (user, text) -> Iterable[SearchHit]
    registry.state_bar.add(selectors.state)      # (user) -> Iterable[StateBarItem]
    registry.health.add(registry.HealthCheck("session", broker_health.session))
    registry.evidence.add(evidence.of)           # (object) -> Iterable[Evidence], what belongs to it in a pack
    registry.demonstration.add(registry.DemonstrationLoader(order=20, name="funding", load=demonstration.load))

A provider is a plain function; it starts from `.visible_to(user)` and returns what that person may see.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from backoffice.broker.models import MasterAccount
from backoffice.core.money import Money
from backoffice.people.models import User

Tone = Literal["neutral", "info", "wait", "good", "bad", "unknown"]
SECTIONS = ("", "Clients", "Money", "Trading", "Records", "System")

T = TypeVar("T")


class Registry(Generic[T]):
    """Parts in the order they were added; adding one twice keeps one."""

    def __init__(self) -> None:
        self._parts: list[T] = []

    def add(self, part: T) -> None:
        if part not in self._parts:
            self._parts.append(part)

    @contextmanager
    def holding(self, *parts: T) -> Iterator[None]:
        """Hold only these parts for a while: the frame is tried without the apps."""
        before, self._parts = self._parts, list(parts)
        try:
            yield
        finally:
            self._parts = before

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._parts))


@dataclass(frozen=True)
class Count:
    """The number beside a navigation entry. `wait` when something is overdue, `unknown` when an outcome is."""

    number: int
    tone: Literal["neutral", "wait", "unknown"] = "neutral"


@dataclass(frozen=True)
class NavigationEntry:
    """One line of the side column, shown to whoever holds `permission`.

    `order` sorts inside a section. The first four by `mobile` (1 is leftmost, 0 comes after all) make the bar of a narrow screen.
    """

    section: str
    label: str
    icon: str
    url_name: str
    permission: str
    count: Callable[[User], Count | None] | None = None
    order: int = 50
    mobile: int = 0


@dataclass(frozen=True)
class InboxGroup:
    """A heading of Today's inbox: what the person must do, in words."""

    key: str
    title: str
    sentence: str
    icon: str
    order: int


@dataclass(frozen=True)
class InboxItem:
    """One thing a person must do, as a whole sentence with one action.

    `kind` is a stable id ("funding.approval:<pk>"). `group` is the key of an `InboxGroup`.
    `title` names the thing; `detail` says what is so and what happens by itself, in whole sentences.
    `ibkr_words` is set in the serif face inside the detail, exactly as it came.
    `amount` is Money or a few words ("4 accounts", "blocks approval"). `owner` is who has it, None for nobody.
    The chip at the right is `due` (a countdown: "Cut-off in", then over), or `since` (an age: "Unknown 11 min"), or `chip` words.
    `urgency` sorts inside the group, smallest first.
    """

    kind: str
    group: str
    title: str
    detail: str
    action: str
    url: str
    icon: str = "point"
    tone: Tone = "neutral"
    ibkr_words: str = ""
    amount: Money | str = ""
    owner: User | None = None
    due: datetime | None = None
    due_words: str = ""
    since: datetime | None = None
    since_words: str = ""
    chip: str = ""
    chip_tone: Tone = "neutral"
    primary: bool = False
    urgency: int = 50


@dataclass(frozen=True)
class Figure:
    """One cell of Today's strip. `value` is Money, or the text of the figure; `note` stands small beside it.

    `as_of` with `kind` (a key of `formats.STALE_AFTER`) makes the stamp; `coverage` is "212 of 214" or "all 9 fresh";
    `complete` is False when a part of it is stale or missing.
    """

    label: str
    value: Money | str | None
    note: str = ""
    note_tone: Tone = "neutral"
    signed: bool = False
    as_of: datetime | None = None
    kind: str = "status"
    coverage: str = ""
    complete: bool = True
    url: str = ""
    order: int = 50


@dataclass(frozen=True)
class FeedItem:
    """One line of "Since you left": the time, a word in bold, the rest."""

    at: datetime
    word: str
    text: str
    url: str = ""


@dataclass(frozen=True)
class StateBarItem:
    """Dot, word, detail, link. `tone` good is green, wait amber, bad red, neutral grey."""

    word: str
    detail: str
    tone: Tone
    url: str = ""
    order: int = 50


@dataclass(frozen=True)
class SearchHit:
    """One answer of the search: where it leads and what it is."""

    title: str
    detail: str
    kind: str
    url: str
    icon: str = "point"


@dataclass(frozen=True)
class Health:
    """How one part is. `age` is seconds since it last showed life, None when unknown or not meaningful."""

    ok: bool
    detail: str
    age: int | None = None


@dataclass(frozen=True)
class HealthCheck:
    """A named part of `/readyz`. `needed` False: reported, but the installation is ready without it.

    `in_database` False: its answer does not come out of the database, so it is asked even when that is away.
    """

    name: str
    check: Callable[[], Health]
    needed: bool = True
    in_database: bool = True


@dataclass(frozen=True)
class EvidenceDocument:
    """A document as a pack names it: never its content. `name` holds no personal data."""

    name: str
    kind: str
    sha256: str
    size: int
    at: datetime | None


@dataclass(frozen=True)
class Evidence:
    """What one app keeps about an object: rows whose history belongs into its pack, and documents."""

    rows: tuple[Any, ...] = ()
    documents: tuple[EvidenceDocument, ...] = ()


@dataclass(frozen=True)
class DemonstrationLoader:
    """Loads one app's share of the demonstration firm: `load(world, users, connection)`, harmless when repeated, in `order`.

    `world` is the sandbox's `/_sandbox/world`, `users` the demonstration people by key.
    """

    order: int
    name: str
    load: Callable[[dict[str, Any], dict[str, User], MasterAccount], None]


InboxProvider = Callable[[User], Iterable[InboxItem]]
FigureProvider = Callable[[User], Iterable[Figure]]
FeedProvider = Callable[[User, datetime], Iterable[FeedItem]]
SearchProvider = Callable[[User, str], Iterable[SearchHit]]
StateBarProvider = Callable[[User], Iterable[StateBarItem]]

navigation: Registry[NavigationEntry] = Registry()
inbox_groups: Registry[InboxGroup] = Registry()
inbox: Registry[InboxProvider] = Registry()
told_doubts: Registry[str] = Registry()
figures: Registry[FigureProvider] = Registry()
feed: Registry[FeedProvider] = Registry()
search: Registry[SearchProvider] = Registry()
state_bar: Registry[StateBarProvider] = Registry()
evidence: Registry[Callable[[Any], Iterable[Evidence]]] = Registry()
health: Registry[HealthCheck] = Registry()
demonstration: Registry[DemonstrationLoader] = Registry()
