"""Orders as pages show them: the state in our words, rows of the blotter, the allocation compared, what happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, F, Prefetch, Q, Sum
from django.db.models.functions import Coalesce

from backoffice.core import clock
from backoffice.home import formats
from backoffice.home.parts import Step, TimelineEvent
from backoffice.home.registry import Tone
from backoffice.journal.models import Attempt, AttemptOutcome, State, Submission
from backoffice.people.models import User
from trading import policy, translate
from trading.models import Execution, Order, OrderAllocation, OrderQuestion, Status, Target
from trading.models.orders import OPEN, OrderQuerySet

ZERO = Decimal(0)


@dataclass(frozen=True)
class StateWords:
    """Tone, word and icon of a state."""

    tone: Tone
    word: str
    icon: str


_OF_STATUS = {
    Status.DRAFT: StateWords("neutral", "Draft", "pencil"),
    Status.REQUESTED: StateWords("info", "To be sent", "send"),
    Status.WORKING: StateWords("info", "Working", "player-play"),
    Status.FILLED: StateWords("good", "Filled", "check"),
    Status.CANCELLED: StateWords("neutral", "Cancelled", "ban"),
    Status.REJECTED: StateWords("bad", "Refused", "x"),
    Status.DECLINED: StateWords("neutral", "Declined", "ban"),
    Status.VOID: StateWords("neutral", "Not sent", "send-off"),
}
_OF_SUBMISSION = {
    State.PROPOSED: StateWords("wait", "Awaiting approval", "user-check"),
    State.READY: StateWords("info", "To be sent", "send"),
    State.CLAIMED: StateWords("info", "To be sent", "send"),
    State.SENDING: StateWords("info", "Being sent", "send"),
    State.QUESTION: StateWords("wait", "Needs reply", "message-question"),
    State.REPLYING: StateWords("info", "Answer on its way", "send"),
    State.UNKNOWN: StateWords("unknown", "Unknown", "help-hexagon"),
    State.ABSENT: StateWords("unknown", "Proven absent", "help-hexagon"),
}


def state_of(order: Order) -> StateWords:
    """Say where an order stands. Doubts and questions are its submission's, the rest its own."""
    if order.status == Status.REQUESTED and order.submission is not None:
        return _OF_SUBMISSION.get(State(order.submission.state), _OF_STATUS[Status.REQUESTED])
    if order.status == Status.WORKING:
        if order.cancel is not None and order.cancel.state in {State.UNKNOWN, State.ABSENT}:
            return StateWords("unknown", "Cancel unknown", "help-hexagon")
        if order.cancel is not None and order.cancel.state != State.REJECTED:
            return StateWords("info", "Cancel asked", "player-stop")
        if order.ibkr_status == "Inactive":
            return StateWords("wait", "Held by IBKR", "player-pause")
        if order.filled:
            return StateWords("info", "Part filled", "player-play")
    if order.status == Status.CANCELLED and order.filled:
        return StateWords("neutral", "Cancelled, part filled", "ban")
    return _OF_STATUS[Status(order.status)]


@dataclass(frozen=True)
class Compared:
    """One account: promised, filled, and the difference. `is_settled`: the fills are all here."""

    allocation: OrderAllocation
    filled: Decimal
    average_price: Decimal | None
    commission: Decimal | None

    @property
    def difference(self) -> Decimal:
        promised: Decimal = self.allocation.quantity
        return self.filled - promised


@dataclass(frozen=True)
class Comparison:
    """The frozen allocation against what was booked."""

    rows: Sequence[Compared]
    is_settled: bool  # the order has ended and its executions are all here
    is_awaited: bool = False  # the order has ended, and IBKR's executions by account do not add up to what was filled
    is_looked_for: bool = True
    moves_until: datetime | None = None  # so long IBKR may still move shares between the accounts

    @property
    def promised(self) -> Decimal:
        return sum((row.allocation.quantity for row in self.rows), ZERO)

    @property
    def filled(self) -> Decimal:
        return sum((row.filled for row in self.rows), ZERO)

    @property
    def difference(self) -> Decimal:
        return self.filled - self.promised

    @property
    def off(self) -> list[Compared]:
        return [row for row in self.rows if row.difference]

    @property
    def sentence(self) -> str:
        """Explain a difference, or nothing."""
        if self.is_awaited and len(self.rows) > 1:
            return (
                "IBKR has not shown yet which account got how much of what was filled. It is looked for again."
                if self.is_looked_for
                else "IBKR has not shown which account got how much of what was filled. Its trade confirmations say so."
            )
        if not self.is_settled or not self.off:
            return ""
        return f"{self._difference_explained}{self._may_still_move}"

    @property
    def _may_still_move(self) -> str:
        if self.moves_until is None:
            return ""
        until = formats.moment(self.moves_until, now=clock.now())
        return f" It may still move units between them: this is looked at again until {until}."

    @property
    def _difference_explained(self) -> str:
        if self.difference:
            return (
                f"The order ended with {formats.quantity(self.filled)} of {formats.quantity(self.promised)} filled."
                " IBKR shares out what was executed among the same accounts."
            )
        more = ", ".join(row.allocation.account.client.name for row in self.off if row.difference > 0)
        less = ", ".join(row.allocation.account.client.name for row in self.off if row.difference < 0)
        units = formats.quantity(sum((row.difference for row in self.off if row.difference > 0), ZERO))
        noun = "unit" if units == "1" else "units"
        return (
            f"{units} {noun} went to {more} in place of {less}. IBKR computes the ratios itself when the order comes."
        )


def compare(order: Order) -> Comparison:
    """Set what was promised beside what was booked, account by account."""
    booked: dict[object, list[Execution]] = {}
    for execution in order.executions.all():
        booked.setdefault(execution.account_id, []).append(execution)
    rows = []
    for allocation in order.allocations.all():
        fills = booked.get(allocation.account_id, [])
        units = sum((fill.quantity for fill in fills), ZERO)
        paid = sum((fill.quantity * fill.price for fill in fills), ZERO)
        known = [fill.commission for fill in fills if fill.commission is not None]
        commission = sum(known, ZERO) if fills and len(known) == len(fills) else None
        rows.append(Compared(allocation, units, paid / units if units else None, commission))
    total = sum((row.filled for row in rows), ZERO)
    has_ended = order.status in (Status.FILLED, Status.CANCELLED) and order.filled > 0
    moves_until = None
    if has_ended and order.target != Target.ACCOUNT and order.settled_at is not None:
        ends = order.settled_at + policy.SETTLING
        moves_until = ends if ends > clock.now() else None
    is_settled = has_ended and total == order.filled
    return Comparison(
        rows,
        is_settled,
        is_awaited=has_ended and not is_settled,
        is_looked_for=order.settled_at is None or order.settled_at > clock.now() - policy.LATE_SHARES,
        moves_until=moves_until,
    )


@dataclass(frozen=True)
class Row:
    """One order in the blotter."""

    order: Order
    state: StateWords
    accounts: int
    comparison: Comparison
    question: OrderQuestion | None

    @property
    def target(self) -> str:
        """Who it is for, in few words."""
        order = self.order
        if order.target == Target.GROUP:
            return f"{order.target_name}, {self.accounts}"
        if order.target == Target.CHOSEN:
            return f"{self.accounts} chosen accounts"
        first = next(iter(self.comparison.rows), None)
        return first.allocation.account.client.name if first else order.target_name

    @property
    def allocation(self) -> tuple[str, str]:
        """(tone, words) of the allocation's state."""
        order = self.order
        if self.state.tone == "unknown":
            return "unknown", "Not known"
        if order.is_final and not order.filled:
            return "neutral", "Nothing traded"
        if self.comparison.is_awaited:
            return "wait", "Awaited"
        if not self.comparison.is_settled:
            return "neutral", "After fill"
        off = len(self.comparison.off)
        return ("wait", f"{off} differ") if off else ("good", "Matches")

    @property
    def age(self) -> str:
        """How long ago it was sent."""
        return formats.span(clock.now() - self.order.sent_at) if self.order.sent_at else ""

    @property
    def doubt(self) -> Submission | None:
        """The submission whose outcome is not known: the order's own, or its cancel's."""
        order = self.order
        return next((each for each in (order.cancel, order.submission) if each is not None and each.is_in_doubt), None)

    @property
    def doubt_reason(self) -> str:
        """Why it is not known, as a whole sentence."""
        reason = self.doubt.reason.strip() if self.doubt else ""
        return reason if reason.endswith((".", "!", "?")) or not reason else f"{reason}."

    @property
    def doubt_age(self) -> str:
        doubt = self.doubt
        return formats.span(clock.now() - doubt.unknown_since) if doubt and doubt.unknown_since else ""

    @property
    def is_unknown(self) -> bool:
        return self.state.tone == "unknown"


def with_parts(orders: "OrderQuerySet") -> "OrderQuerySet":
    """Fetch what rows show: allocations with their clients, executions, questions; four queries however many rows."""
    return orders.listed().prefetch_related(
        Prefetch("allocations", OrderAllocation.objects.select_related("account__client")),
        "executions",
        Prefetch("questions", OrderQuestion.objects.select_related("answered_by")),
    )


def rows(orders: Iterable[Order]) -> list[Row]:
    """Return blotter rows for orders read by `with_parts`."""
    found = []
    for order in orders:
        allocations = list(order.allocations.all())
        question = next((each for each in order.questions.all() if each.is_open), None)
        found.append(Row(order, state_of(order), len(allocations), compare(order), question))
    return found


TABS = {
    "today": "All today",
    "working": "Working",
    "reply": "Needs reply",
    "unknown": "Unknown",
    "done": "Done today",
    "history": "History",
}


def in_tab(user: User, tab: str) -> "OrderQuerySet":
    """Return the orders of one tab of the blotter, that the person may see."""
    found: OrderQuerySet = Order.objects.visible_to(user).sent()
    match tab:
        case "working":
            return found.working().exclude(submission__state__in=[State.UNKNOWN, State.ABSENT, State.QUESTION])
        case "reply":
            return found.asked()
        case "unknown":
            return found.filter(_DOUBT)
        case "done":
            return found.exclude(status__in=OPEN).filter(changed_at__gte=day_start())
        case "history":
            return found.exclude(status__in=OPEN)
        case _:
            return found.filter(Q(sent_at__gte=day_start()) | Q(status__in=OPEN))


_DOUBT = Q(status__in=OPEN) & (
    Q(submission__state__in=[State.UNKNOWN, State.ABSENT]) | Q(cancel__state__in=[State.UNKNOWN, State.ABSENT])
)


def day_start() -> datetime:
    """The midnight in New York that today began with; orders are days of New York."""
    local = clock.now().astimezone(clock.NEW_YORK)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def tab_counts(user: User) -> dict[str, int]:
    """Count the tabs that ask for somebody, and today, in one query."""
    start = day_start()
    visible = Order.objects.visible_to(user).sent().filter(Q(status__in=OPEN) | Q(changed_at__gte=start))
    is_open = Q(status__in=OPEN)
    asked = Q(status=Status.REQUESTED, submission__state=State.QUESTION)
    known: dict[str, int] = visible.aggregate(
        today=Count("pk", filter=Q(sent_at__gte=start) | is_open),
        working=Count("pk", filter=is_open & ~_DOUBT & ~asked),
        reply=Count("pk", filter=asked),
        unknown=Count("pk", filter=_DOUBT),
        done=Count("pk", filter=~is_open & Q(changed_at__gte=start)),
    )
    return known


def differing(user: User, *, since: timedelta = timedelta(days=1)) -> list[Order]:
    """Return filled orders whose accounts did not get what they were promised."""
    recent = Order.objects.visible_to(user).filter(status=Status.FILLED, settled_at__gte=clock.now() - since)
    ended = recent.annotate(booked=Coalesce(Sum("executions__quantity"), ZERO)).filter(booked=F("filled"))
    found = with_parts(Order.objects.filter(pk__in=[order.pk for order in ended]))
    return [order for order in found if compare(order).off]


def steps(order: Order, *, stops: int = 0, warns: int = 0) -> list[Step]:
    """Return the stepper: ticket, allocation, checks, sent, questions, fills, proof."""
    names = ["Ticket", "Allocation", "Checks", "Sent", "Questions", "Fills", "Proof"]
    if order.is_draft:
        current = 2 if stops or warns else 3
    elif order.status == Status.REQUESTED:
        asked = order.submission is not None and order.submission.state in {State.QUESTION, State.REPLYING}
        current = 4 if asked else 3
    elif order.status == Status.WORKING:
        current = 5
    else:
        current = 7 if order.filled else 5 if order.ibkr_order_id else 4
    found = []
    for place, name in enumerate(names):
        state = "done" if place < current else "current" if place == current else "todo"
        defects = stops + warns if name == "Checks" and order.is_draft else 0
        found.append(Step(name, state, defects, defects_stop=bool(stops)))  # type: ignore[arg-type]
    return found


def timeline(order: Order) -> list[TimelineEvent]:
    """Return what happened to an order, newest first: sealed, sent, asked, answered, taken, filled, ended."""
    events: list[TimelineEvent] = []
    if order.previewed_at:
        count = order.allocations.count()
        noun = "account" if count == 1 else "accounts"
        events.append(
            TimelineEvent(
                order.previewed_at, "Allocation sealed", detail=f"{count} {noun}, {formats.quantity(order.quantity)} units",
                raw=formats.fours(order.allocation_sha256[:12]), by=order.maker.name if order.maker else "",
            )
        )  # fmt: skip
    for submission in (order.submission, order.cancel):
        if submission is not None:
            events += _of_submission(submission, is_cancel=submission == order.cancel)
    for question in order.questions.all():
        events += _of_question(question)
    fills = list(order.executions.all())
    if fills:
        word = "Filled" if order.status == Status.FILLED else "Part filled"
        noun = "execution" if len(fills) == 1 else "executions"
        detail = f"{len(fills)} {noun}"
        if order.average_price is not None:
            detail += f", average {formats.price(order.average_price)}"
        events.append(TimelineEvent(max(fill.at for fill in fills), word, "done", detail=detail))
    if order.is_final and order.status != Status.FILLED:
        kind = "failed" if order.status == Status.REJECTED else "fact"
        state = state_of(order)
        is_ours = order.status == Status.VOID
        events.append(
            TimelineEvent(
                order.settled_at, state.word, kind,  # type: ignore[arg-type]
                detail=order.ibkr_words if is_ours else "",
                words="" if is_ours else translate.sentences(translate.plain_words([order.ibkr_words])),
            )
        )  # fmt: skip
    events.reverse()  # the sort keeps equal instants as they stand: what came later stays above
    return sorted(events, key=lambda event: event.at or order.created_at, reverse=True)


_ATTEMPT_WORDS = {
    AttemptOutcome.NOT_SENT: ("Not sent", "fact"),
    AttemptOutcome.ACK: ("Taken by IBKR", "done"),
    AttemptOutcome.REJECT: ("Refused by IBKR", "failed"),
    AttemptOutcome.QUESTION: ("", "fact"),
    AttemptOutcome.AMBIGUOUS: ("Answer not known", "unknown"),
}


def _of_submission(submission: Submission, *, is_cancel: bool) -> list[TimelineEvent]:
    events: list[TimelineEvent] = []
    name = "Cancel" if is_cancel else "Order"
    for attempt in submission.attempts.all():
        events += _of_attempt(attempt, submission, name)
    for look in submission.observations.all():
        title = {"found": "Found at IBKR", "clean": "Look was clean", "mismatch": "Something else found"}.get(
            look.finding, "Look proves nothing"
        )
        kind = "done" if look.finding == "found" else "unknown"
        events.append(TimelineEvent(look.at, title, kind, detail=look.detail, icon="eye"))  # type: ignore[arg-type]
    return events


def _of_attempt(attempt: Attempt, submission: Submission, name: str) -> list[TimelineEvent]:
    verb = "Answer sent" if attempt.phase == "reply" else f"{name} sent"
    events = []
    if attempt.outcome != AttemptOutcome.NOT_SENT:
        events.append(TimelineEvent(attempt.prepared_at, verb, detail="Once, our id", raw=submission.key, icon="send"))
    if attempt.outcome is not None:
        word, kind = _ATTEMPT_WORDS[AttemptOutcome(attempt.outcome)]
        if word:
            is_id = attempt.outcome == AttemptOutcome.ACK and name != "Cancel"
            detail = "IBKR id" if is_id else "" if attempt.outcome == AttemptOutcome.ACK else attempt.detail
            raw = attempt.detail if is_id else ""
            is_words = attempt.outcome == AttemptOutcome.REJECT
            events.append(
                TimelineEvent(
                    attempt.finished_at, word, kind, detail="" if is_words else detail,  # type: ignore[arg-type]
                    words=translate.sentences(attempt.detail) if is_words else "", raw=raw,
                )
            )  # fmt: skip
    return events


def _of_question(question: OrderQuestion) -> list[TimelineEvent]:
    ids = ", ".join(question.message_ids)
    asked = TimelineEvent(
        question.asked_at, f"IBKR asks, question {question.number}", "fact" if question.answered_at else "wait",
        words=translate.sentences(question.words), raw=ids, icon="message-question",
    )  # fmt: skip
    if question.answered_at is None:
        return [asked]
    who = question.answered_by.name if question.answered_by else f"rule: {question.rule}"
    took = formats.span(question.answered_at - question.asked_at)
    return [asked, TimelineEvent(question.answered_at, f"Answered {question.answer}", detail=f"after {took}", by=who)]
