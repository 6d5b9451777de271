"""What the frame itself puts on the registry: Today, the inbox's headings, the state bar's first items, health."""

from collections.abc import Iterator
from datetime import timedelta

from celery import current_app
from django.db.models import Count, Exists, Min, OuterRef, Q
from django.urls import NoReverseMatch, reverse
from kombu.exceptions import OperationalError as BrokerUnreachable

from backoffice.audit.models import Entry
from backoffice.broker.models import BrokerageSession, FamilyHealth, Gate, SessionState
from backoffice.core import clock, schema
from backoffice.home import formats, market_hours, registry, second_persons, selectors
from backoffice.home.records import selectors as records
from backoffice.home.registry import Health, HealthCheck, InboxGroup, InboxItem, NavigationEntry, StateBarItem, Tone
from backoffice.journal.models import Answer, Heartbeat, Rejection, State, Submission
from backoffice.journal.selectors import awaiting, visible
from backoffice.people.models import User
from backoffice.people.policy import may

GROUPS = (
    InboxGroup("answer", "Answer now", "An outcome or an order is waiting on you", "bolt", 10),
    InboxGroup("approval", "Waiting for your approval", "You did not make any of these", "checks", 20),
    InboxGroup("doubt", "Outcome unknown", "Nothing is sent again while a look can still answer", "help-hexagon", 30),
    InboxGroup("stuck", "Applications stuck", "Somebody must do something before IBKR goes on", "layout-kanban", 40),
    InboxGroup("money", "Money on its way", "Followed until IBKR says it is done", "arrows-exchange", 50),
    InboxGroup("reports", "Reports missing or late", "Retries run by themselves", "calendar-time", 60),
    InboxGroup("other", "Also yours", "Nothing here is urgent", "inbox", 90),
)

# Workers ring every ten seconds (the schedule); three silences in a row are a fault.
_SILENCE = timedelta(seconds=35)
_RETURNED_SHOWN = timedelta(days=7)
_SESSION_TONES: dict[str, Tone] = {
    SessionState.LIVE: "good",
    SessionState.STARTING: "wait",
    SessionState.COMPETING: "wait",
    SessionState.DOWN: "bad",
}


def register() -> None:
    """Put the frame's own parts on the registry."""
    registry.navigation.add(
        NavigationEntry("", "Today", "inbox", "home:today", "home.view_today", count=_waiting, order=1, mobile=1)
    )
    # People, the journal and the broker stand below the frame and cannot register themselves.
    registry.navigation.add(
        NavigationEntry(
            "", "Approvals", "checks", "journal:approval_list", "journal.approve", count=_proposed, order=2, mobile=2
        )
    )
    registry.navigation.add(
        NavigationEntry(
            "System", "Connections", "plug-connected", "broker:connection_list", "broker.view_connections", order=90
        )
    )
    registry.navigation.add(
        NavigationEntry("System", "Stop sending", "hand-stop", "broker:gate_set", "broker.close_gate", order=91)
    )
    registry.navigation.add(NavigationEntry("System", "Policies", "shield", "policies:list", "policies.view", order=94))
    registry.navigation.add(NavigationEntry("System", "People", "users", "people:list", "people.view", order=95))
    registry.navigation.add(
        NavigationEntry("Records", "Audit", "shield-check", "audit:entry_list", "audit.view", order=90)
    )
    registry.inbox.add(records.inbox)
    for group in GROUPS:
        registry.inbox_groups.add(group)
    registry.inbox.add(trouble)
    registry.inbox.add(returned)
    registry.inbox.add(came_late)
    registry.inbox.add(other_doubts)
    registry.inbox.add(second_persons.inbox)
    for provider in (sessions, gates, families, queues, market):
        registry.state_bar.add(provider)
    for check in (
        HealthCheck("database", database_health),
        HealthCheck("broker", broker_health, in_database=False),
        HealthCheck("workers", workers_health),
        HealthCheck("beat", beat_health),
        HealthCheck("session", session_health, needed=False),
    ):
        registry.health.add(check)


def _waiting(user: User) -> registry.Count | None:
    items = selectors.waiting(user)
    if not items:
        return None
    tones = {item.tone for item in items}
    return registry.Count(
        len(items), "unknown" if "unknown" in tones else "wait" if tones & {"bad", "wait"} else "neutral"
    )


def _proposed(user: User) -> registry.Count | None:
    waiting = awaiting(user).count()
    return registry.Count(waiting) if waiting else None


def _connections_url(user: User) -> str:
    """Where the connections stand, for whoever may read them; nobody is led to a page that refuses them."""
    if not may(user, "broker.view_connections"):
        return ""
    try:
        return reverse("broker:connection_list")
    except NoReverseMatch:
        return ""


def sessions(user: User) -> Iterator[StateBarItem]:
    """Say how each trading session is; what is wrong is said in the keeper's words."""
    now = clock.now()
    trading = BrokerageSession.objects.exclude(master__username="")
    for session in trading.select_related("master").order_by("master__account"):
        if session.is_live and session.last_tickle_at:
            detail = f"{session.master.username}, kept alive {formats.span(now - session.last_tickle_at)} ago"
        else:
            detail = f"{session.master.username}, {session.detail}" if session.detail else session.master.username
        word = f"Trading session {session.get_state_display().lower()}"
        yield StateBarItem(word, detail, _SESSION_TONES[session.state], _connections_url(user), order=10)


def trouble(user: User) -> Iterator[InboxItem]:
    """What keeps the firm from IBKR and needs a person: sessions that are not live, closed gates, silent workers."""
    if may(user, "broker.view_connections"):
        yield from _sessions_in_trouble(user)
    if may(user, "broker.open_gate"):
        for gate in Gate.objects.filter(is_open=False):
            yield InboxItem(
                kind=f"broker.gate:{gate.pk}", group="answer", title=f"{gate}: sending is stopped", detail=gate.reason,
                action="See it", url=_connections_url(user), icon="ban", tone="bad", since=gate.set_at, urgency=20,
            )  # fmt: skip
    beat = beat_health()
    if not beat.ok and may(user, "broker.view_connections"):
        yield InboxItem(
            kind="home.workers", group="answer", title="The workers are silent", urgency=10, icon="player-pause", tone="bad",
            detail="Nothing is sent to IBKR or read from it until they run again. What was asked for is kept.",
            action="See it", url=_connections_url(user),
        )  # fmt: skip


def returned(user: User) -> Iterator[InboxItem]:
    """What a second person did not approve, or gave back to its maker to change: for a week, or until it is made anew."""
    is_same = Q(subject_model=OuterRef("submission__subject_model"), subject_id=OuterRef("submission__subject_id"))
    is_like_it = Q(operation=OuterRef("submission__operation"), accounts=OuterRef("submission__accounts"))
    anew = Submission.objects.filter(
        is_same | (is_like_it & ~Q(accounts=[])), maker=user, created_at__gt=OuterRef("at")
    )
    answered = Rejection.objects.filter(~Exists(anew), submission__maker=user, at__gte=clock.now() - _RETURNED_SHOWN)
    found = list(answered.select_related("submission", "person").order_by("at")[:50])
    seen = {listed.submission.pk for listed in visible([each.submission for each in found], user)}  # books change
    for each in found:
        if each.submission_id not in seen:
            continue
        is_returned, why = each.answer == Answer.RETURNED, each.reason.rstrip(".")
        yield InboxItem(
            kind=f"journal.returned:{each.submission_id}", icon="arrow-back-up" if is_returned else "circle-x",
            group="answer" if is_returned else "other", tone="wait" if is_returned else "bad", urgency=40,
            title=f"{'Returned to you' if is_returned else 'Not approved'}: {each.submission.summary}",
            detail=f"{each.person.name}: {why}. Nothing was sent; what you typed is kept.",
            action="Change it" if is_returned else "See why", owner=user, since=each.at,
            url=reverse("journal:approval_detail", args=[each.submission_id]),
        )  # fmt: skip


def came_late(user: User) -> Iterator[InboxItem]:
    """What was given up as absent at IBKR and showed up there after all: for a week, to those who may release."""
    if not may(user, "journal.release"):
        return
    entries = Entry.objects.filter(action="journal.came_late", at__gte=clock.now() - timedelta(days=7))
    late = {entry.subject_id: entry for entry in entries.order_by("at")}
    for submission in visible(list(Submission.objects.filter(pk__in=late)), user):
        entry = late[str(submission.submission.pk)]
        yield InboxItem(
            kind=f"journal.late:{entry.pk}", group="doubt", icon="help-hexagon", tone="unknown", chip_tone="unknown",
            title=entry.summary, urgency=5, action="Evidence", since=entry.at, since_words="Seen",
            detail="It was proven absent and given up, and now IBKR shows it. Look at it at IBKR and cancel it there"
            " if it is not wanted; do not make it a second time.",
            url=reverse("journal:submission_detail", args=[submission.submission.pk]),
        )  # fmt: skip


def other_doubts(user: User) -> Iterator[InboxItem]:
    """Every doubt whose subject no app tells of itself: whatever is sent, its doubt is on somebody's desk."""
    doubts = Submission.objects.needing_a_person().exclude(subject_model__in=list(registry.told_doubts))
    listed = visible(list(doubts.select_related("maker").order_by("unknown_since")[:50]), user)
    for submission in (each.submission for each in listed):
        is_absent = submission.state == State.ABSENT
        yield InboxItem(
            kind=f"journal.doubt:{submission.pk}", group="doubt", icon="help-hexagon", tone="unknown", title=submission.summary,
            detail=f"{submission.why_absent} Two people may release it, or one gives it up." if is_absent else
            f"Sent or perhaps sent; {submission.looks} looks so far. It is not sent again, the looks go on by themselves.",
            action="Decide" if is_absent else "See the looks", owner=submission.maker,
            url=reverse("journal:submission_detail", args=[submission.pk]),
            since=submission.unknown_since, since_words="Unknown", urgency=10,
        )  # fmt: skip


def _sessions_in_trouble(user: User) -> Iterator[InboxItem]:
    words = {
        SessionState.DOWN: "has ended",
        SessionState.COMPETING: "was taken by another login",
    }
    for session in BrokerageSession.objects.filter(state__in=list(words)).select_related("master"):
        yield InboxItem(
            kind=f"broker.session:{session.pk}:{session.state}", group="answer", urgency=30, icon="plug-connected-x",
            title=f"The trading session of {session.master.username} {words[SessionState(session.state)]}",
            detail=f"{session.detail.rstrip('.') or 'The keeper tries again by itself'}. Orders wait until it is live again.",
            action="See it", url=_connections_url(user), tone="bad",
        )  # fmt: skip


def gates(user: User) -> Iterator[StateBarItem]:
    """Name each closed gate: nothing leaves behind it."""
    for gate in Gate.objects.filter(is_open=False):
        url = reverse("broker:gate_set") if may(user, "broker.close_gate") else ""
        yield StateBarItem(f"{gate} stopped", gate.reason, "bad", url, order=5)


def families(user: User) -> Iterator[StateBarItem]:
    """Name the API families that failed last; when all are well, one item says so."""
    rows = list(FamilyHealth.objects.select_related("master").order_by("family"))
    ill = [row for row in rows if not row.is_well and row.last_failure_at]
    for row in ill:
        since = formats.moment(row.last_failure_at, now=clock.now()) if row.last_failure_at else ""
        yield StateBarItem(
            f"{row.family.capitalize()} API not well", f"since {since}", "wait", _connections_url(user), order=20
        )
    if rows and not ill:
        latest = max((row.last_success_at for row in rows if row.last_success_at), default=None)
        detail = f"last answer {formats.span(clock.now() - latest)} ago" if latest else ""
        yield StateBarItem("IBKR answers", detail, "good", _connections_url(user), order=20)


def queues(user: User) -> Iterator[StateBarItem]:
    """Say how much waits to be sent, and since when; and a beat that has stopped."""
    now = clock.now()
    beat = beat_health()
    if not beat.ok:
        yield StateBarItem(
            "Workers silent", "nothing is sent or read until they are back", "bad", _connections_url(user), order=30
        )
        return
    waiting = Submission.objects.filter(state__in=[State.READY, State.CLAIMED], due_at__lte=now).aggregate(
        number=Count("pk"), oldest=Min("due_at")
    )
    if not waiting["number"]:
        yield StateBarItem("Queues clear", "", "good", _connections_url(user), order=30)
        return
    age = now - waiting["oldest"]
    tone: Tone = "wait" if age > timedelta(seconds=60) else "good"
    yield StateBarItem(
        f"{waiting['number']} to send", f"oldest {formats.span(age)}", tone, _connections_url(user), order=30
    )


def market(user: User) -> Iterator[StateBarItem]:
    """Say whether the regular session in New York is open."""
    now = clock.now()
    is_open, bell = market_hours.next_bell(now)
    word, verb = ("NYSE open", "closes") if is_open else ("NYSE closed", "opens")
    yield StateBarItem(word, f"{verb} in {formats.span(bell - now)}", "neutral", order=40)


# ---- health


def database_health() -> Health:
    """Ask whether it answers, and whether its tables are those of the code that asks."""
    if pending := schema.pending_migrations():
        return Health(False, f"{len(pending)} migrations of this version are not applied: run manage.py migrate", 0)
    return Health(True, "answers", 0)


def broker_health() -> Health:
    """Ask the broker to take a connection; it only rings doorbells, so pages work without it."""
    with current_app.connection_for_write(connect_timeout=1) as link:
        try:
            link.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except (BrokerUnreachable, OSError) as error:
            return Health(False, f"does not answer: {type(error).__name__}")
    return Health(True, "answers", 0)


def workers_health() -> Health:
    """Every lane must have been heard lately, one that nobody has started yet too."""
    rows = dict(Heartbeat.objects.filter(name__in=_lanes()).values_list("name", "at"))
    if not rows:
        return Health(False, "no worker has been heard yet")
    now = clock.now()
    silent = [name for name in _lanes() if name not in rows or now - rows[name] > _SILENCE]
    oldest = int((now - min(rows.values())).total_seconds())
    if silent:
        return Health(False, f"silent: {', '.join(silent)}", oldest)
    return Health(True, f"{len(rows)} lanes heard", oldest)


def _lanes() -> list[str]:
    """Return the lanes that the clock asks for a sign of life."""
    schedule = current_app.conf.beat_schedule.values()
    return sorted(entry["args"][0] for entry in schedule if entry["task"] == "journal.beat_heart")


def beat_health() -> Health:
    """The clock that rings the lanes: if any lane was heard lately, it runs."""
    latest = Heartbeat.objects.order_by("-at").values_list("at", flat=True).first()
    if latest is None:
        return Health(False, "has not rung yet")
    age = clock.now() - latest
    return Health(age <= _SILENCE, f"last rang {formats.span(age)} ago", int(age.total_seconds()))


def session_health() -> Health:
    """The trading sessions; reported, but pages and every other lane are ready without one.

    Strangers may ask, so it names no login: that is the half of one they lack. The state bar says which it is.
    """
    known = list(BrokerageSession.objects.select_related("master"))
    if not known:
        return Health(False, "no keeper has started")
    rows = [row for row in known if row.master.username]
    if not rows:
        return Health(True, "no connection has a trading username")
    down = sum(not row.is_live for row in rows)
    ages = [int((clock.now() - row.last_tickle_at).total_seconds()) for row in rows if row.last_tickle_at]
    return Health(not down, f"{down} of {len(rows)} not live" if down else "live", max(ages, default=None))
