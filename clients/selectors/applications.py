"""Applications: the board and the table, one application with everything that happened to it, and what workers ask."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from statistics import median

from django.db.models import Q

from backoffice.broker.models import Environment, MasterAccount
from backoffice.core import clock
from backoffice.home import formats
from backoffice.home.registry import Tone
from backoffice.journal.models import Attempt, Observation, State, Submission
from backoffice.people.models import User
from backoffice.people.policies import services as policies
from clients.models import Account, AccountTask, Application, ApplicationStatus, Document, Stage
from clients.rules import facts

BADGES: dict[str, tuple[Tone, str]] = {
    Stage.DRAFT: ("neutral", "pencil"),
    Stage.SUBMITTED: ("info", "send"),
    Stage.CLIENT: ("wait", "signature"),
    Stage.DOCUMENTS: ("bad", "file-text"),
    Stage.REVIEW: ("info", "eye"),
    Stage.OPEN: ("good", "check"),
    Stage.REJECTED: ("bad", "x"),
}
ENDED_SHOWN = timedelta(days=30)
MOST = 400
# The sandbox lives in minutes, so it is asked at every beat; IBKR in hours (section 9.2: no cadence is prescribed).
POLL_EVERY = {
    Environment.SANDBOX: timedelta(0),
    Environment.QA: timedelta(minutes=2),
    Environment.PRODUCTION: timedelta(minutes=5),
}


@dataclass(frozen=True)
class Blocker:
    """What keeps an application where it is, in words."""

    words: str
    tone: Tone = "neutral"
    icon: str = "point"


@dataclass(frozen=True)
class Card:
    """One application on the board or in the table. `elapsed` and `target` are seconds in the present stage."""

    application: Application
    tasks: tuple[AccountTask, ...]
    submission: Submission | None
    blocker: Blocker
    elapsed: int
    target: int | None

    @property
    def stage(self) -> Stage:
        return Stage(self.application.stage)

    @property
    def is_unknown(self) -> bool:
        return self.submission is not None and self.submission.is_in_doubt

    @property
    def is_over(self) -> bool:
        return self.target is not None and self.elapsed > self.target

    @property
    def tone(self) -> Tone:
        return "unknown" if self.is_unknown else BADGES[self.stage][0]

    @property
    def icon(self) -> str:
        return "help-hexagon" if self.is_unknown else BADGES[self.stage][1]

    @property
    def word(self) -> str:
        if self.is_unknown:
            return "Outcome unknown"
        status = self.application.status
        if status in {ApplicationStatus.REFUSED, ApplicationStatus.ABANDONED}:
            return "Refused" if status == ApplicationStatus.REFUSED else "Abandoned"
        return str(self.stage.label)

    @property
    def kind(self) -> str:
        """ "Individual margin, Portugal"."""
        margin = {"RegT": "margin", "Cash": "cash"}.get(self.application.margin, "")
        return ", ".join(filter(None, (f"Individual {margin}".strip(), self.country)))

    @property
    def country(self) -> str:
        return facts.country_name(self.application.country)

    @property
    def blocks(self) -> str:
        """What the open tasks keep from happening: approval, trading, both or nothing."""
        open_tasks = [task for task in self.tasks if not task.is_completed]
        approval = any(task.is_required_for_approval for task in open_tasks) and self.application.status == "submitted"
        trading = any(task.is_required_for_trading and not task.is_required_for_approval for task in open_tasks)
        return "Both" if approval and trading else "Approval" if approval else "Trading" if trading else "nothing"


@dataclass(frozen=True)
class Lane:
    """One lane of the board. `is_folded` ones show their name and count only."""

    stage: Stage
    cards: tuple[Card, ...]
    is_folded: bool
    target: timedelta | None
    median: str  # in words
    over: int


@dataclass(frozen=True)
class Board:
    """All that is under way, in lanes and as a list; `mark` changes when something moved, not when it aged."""

    lanes: tuple[Lane, ...]
    cards: tuple[Card, ...]
    mark: str
    polled_at: datetime | None


def cards_of(applications: Sequence[Application]) -> list[Card]:
    """Return the cards of applications, with four queries for all of them."""
    now, hours = clock.now(), policies.in_force().document.lane_hours
    by_account: dict[object, list[AccountTask]] = {}
    numbers = [application.account_id for application in applications if application.account_id]
    for task in AccountTask.objects.filter(account__in=numbers):
        by_account.setdefault(task.account_id, []).append(task)
    submissions: dict[str, Submission] = {}
    wanted = [str(application.pk) for application in applications]
    about = Submission.objects.filter(subject_model="clients.application", subject_id__in=wanted).order_by("created_at")
    for submission in about.defer("payload_text"):
        submissions[submission.subject_id] = submission
    return [
        _card(
            application,
            tuple(by_account.get(application.account_id, ())),
            submissions.get(str(application.pk)),
            hours.get(application.stage),
            now,
        )
        for application in applications
    ]


def _card(
    application: Application,
    tasks: tuple[AccountTask, ...],
    submission: Submission | None,
    hours: int | None,
    now: datetime,
) -> Card:
    return Card(
        application=application,
        tasks=tasks,
        submission=submission,
        blocker=_blocker(application, tasks, submission),
        elapsed=max(int((now - application.stage_since).total_seconds()), 0),
        target=None if hours is None else hours * 3600,
    )


_WAY_OUT = {
    State.UNKNOWN: Blocker("Outcome unknown, looked for", "unknown", "help-hexagon"),
    State.ABSENT: Blocker("Proven absent at IBKR", "unknown", "help-hexagon"),
    State.PROPOSED: Blocker("Waiting for approval", "wait", "clock"),
    State.VOID: Blocker("Withdrawn before it left", "neutral"),
}


def _blocker(application: Application, tasks: Iterable[AccountTask], submission: Submission | None) -> Blocker:
    match application.status:
        case ApplicationStatus.DRAFT if application.stops:
            plural = "defect stops" if application.stops == 1 else "defects stop"
            return Blocker(f"{application.stops} {plural} it", "bad", "circle-x")
        case ApplicationStatus.DRAFT:
            return Blocker("Ready to submit", "neutral", "circle-check")
        case ApplicationStatus.REFUSED:
            return Blocker("IBKR refused it, mend and send again", "bad", "circle-x")
        case ApplicationStatus.OPENED:
            return Blocker("none")
        case ApplicationStatus.REJECTED:
            return Blocker(application.ibkr_state or "Rejected by IBKR", "bad", "circle-x")
        case ApplicationStatus.ABANDONED:
            return Blocker(application.ibkr_state or "Given up")
    if application.account_id is None:
        state = submission.state if submission else ""
        return _WAY_OUT.get(State(state), Blocker("On its way to IBKR")) if state else Blocker("On its way to IBKR")
    return _waiting_for(application, [task for task in tasks if not task.is_completed])


def _waiting_for(application: Application, waiting: list[AccountTask]) -> Blocker:
    if rejected := next((task for task in waiting if task.is_rejected), None):
        return Blocker(f"{rejected.form_name} rejected", "bad", "file-x")
    portal = [task for task in waiting if task.is_online and not task.is_at_ibkr]
    if application.stage == Stage.CLIENT:
        if len(portal) == 1:
            return Blocker(portal[0].form_name, "wait", "alert-triangle")
        return Blocker(
            f"{len(portal)} steps left in the portal" if portal else "To be finished in the portal",
            "wait",
            "alert-triangle",
        )
    if paper := next((task for task in waiting if task.takes_document), None):
        return Blocker(f"{paper.form_name} to send", "wait", "file-upload")
    if application.ibkr_state.lower() == "pending approval":
        return Blocker("Opens by the next business day")
    if application.stage == Stage.SUBMITTED and application.ibkr_state:
        return Blocker(application.ibkr_state)
    return Blocker("No open task")


def active_for(user: User) -> "list[Application]":
    """Return what is under way, and what ended lately."""
    recently = clock.now() - ENDED_SHOWN
    found = (
        Application.objects.visible_to(user)
        .filter(Q(status__in=["draft", "refused", "submitted"]) | Q(ended_at__gte=recently))
        .select_related("owner", "account")
        .defer("draft_text", "refusal_text")
        .order_by("stage_since", "pk")
    )
    return list(found[:MOST])


def board(user: User, asked: Mapping[str, str]) -> Board:
    """Return the board and the table as one person may see them; `asked` holds view, country, owner and stage."""
    everything = cards_of(active_for(user))
    cards = [card for card in everything if _fits(card, user, asked)]
    ordered = sorted(cards, key=lambda card: -(card.elapsed - (card.target or 10**9)))
    hours = policies.in_force().document.lane_hours
    lanes = tuple(
        _lane(stage, tuple(card for card in ordered if card.stage == stage), hours.get(stage)) for stage in Stage
    )
    said = "\n".join(f"{card.application.pk}|{card.word}|{card.blocker.words}|{card.is_over}" for card in ordered)
    read = [
        card.application.polled_at
        for card in everything
        if card.application.polled_at and not card.application.is_final
    ]
    return Board(lanes, tuple(ordered), sha256(said.encode()).hexdigest()[:12], min(read, default=None))


def _lane(stage: Stage, cards: tuple[Card, ...], hours: int | None) -> Lane:
    ages = [card.elapsed for card in cards]
    middle = formats.span(timedelta(seconds=int(median(ages)))) if ages else ""
    over = sum(card.is_over for card in cards)
    target = None if hours is None else timedelta(hours=hours)
    return Lane(stage, cards, stage == Stage.OPEN or not cards, target, middle, over)


def _fits(card: Card, user: User, asked: Mapping[str, str]) -> bool:
    application = card.application
    view = asked.get("view", "")
    if view == "overdue" and not card.is_over:
        return False
    if view == "rejected" and card.stage != Stage.REJECTED:
        return False
    if view == "mine" and application.owner_id != user.pk:
        return False
    if asked.get("country") and application.country != asked["country"]:
        return False
    if asked.get("owner") and str(application.owner_id) != asked["owner"]:
        return False
    return not asked.get("stage") or application.stage == asked["stage"]


@dataclass(frozen=True)
class Story:
    """One application with everything that happened to it."""

    card: Card
    submissions: tuple[Submission, ...]
    attempts: tuple[Attempt, ...]
    observations: tuple[Observation, ...]
    documents: tuple[Document, ...]


def story(application: Application) -> Story:
    """Return an application's tasks, documents, sendings and looks."""
    card = cards_of([application])[0]
    submissions = tuple(
        Submission.objects.for_subject(application)
        .select_related("maker")
        .defer("payload_text")
        .order_by("-created_at")
    )
    documents = (
        tuple(
            Document.objects.filter(task__account=application.account_id)
            .select_related("task", "uploaded_by")
            .defer("content")
        )
        if application.account_id
        else ()
    )
    return Story(
        card=card,
        submissions=submissions,
        attempts=tuple(Attempt.objects.filter(submission__in=submissions).order_by("-prepared_at")),
        observations=tuple(Observation.objects.filter(submission__in=submissions).order_by("-at", "-id")[:30]),
        documents=documents,
    )


# ---- what workers ask


def due_for_poll(now: datetime) -> dict[MasterAccount, list[Account]]:
    """Return the accounts whose application has no end yet and was not read lately, by master."""
    found: dict[MasterAccount, list[Account]] = {}
    unfinished = Application.objects.at_ibkr().select_related("account__master").defer("draft_text", "refusal_text")
    for application in unfinished:
        account = application.account
        if account is None:
            continue
        master = account.master
        if application.polled_at is None or now - application.polled_at >= POLL_EVERY[Environment(master.environment)]:
            account.application = application
            found.setdefault(master, []).append(account)
    return found


def another_registered(master: MasterAccount, *, besides: str) -> str | None:
    """Return the external id of another application that IBKR is known to have; the control of a look that finds nothing."""
    account: Account | None = (
        Account.objects.filter(master=master).exclude(external_id__in=["", besides]).order_by("-status_as_of").first()
    )
    return account.external_id if account else None


def unexplained(numbers: Iterable[str]) -> list[str]:
    """Return the account numbers nothing here knows of."""
    seen = list(numbers)
    known = set(Account.objects.filter(number__in=seen).values_list("number", flat=True))
    return [number for number in seen if number not in known]
