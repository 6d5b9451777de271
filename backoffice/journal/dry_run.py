"""What a version would have caught: the last 30 days judged again, by the facts kept with each submission."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from backoffice.core import clock
from backoffice.journal.models import Submission
from backoffice.people.models import User
from backoffice.people.policies import limits
from backoffice.people.policies.document import ANSWERS, Document, Facts

SPAN = timedelta(days=30)
LONGEST = 20_000  # submissions looked at, newest first


@dataclass(frozen=True)
class Caught:
    """One item and what the version would have said; `is_different` when the version then in force said otherwise."""

    submission: Submission
    approvals: int
    hits: tuple[str, ...]
    reached: tuple[str, ...]

    @property
    def is_different(self) -> bool:
        return bool(self.reached) or self.approvals != self.submission.approvals_needed


@dataclass(frozen=True)
class Question:
    """One question of IBKR's, as an app kept it: what it was about, its message ids and who answered."""

    about: str
    url: str
    message_ids: tuple[str, ...]
    answered: str
    at: datetime
    takes_yes: bool = True  # one that offers its own options is never confirmed by a rule

    def ruled_by(self, document: Document) -> str:
        """Return "auto", "refuse" or "ask", as the version would have it."""
        said = document.answer_to(list(self.message_ids))
        return said if self.takes_yes or said == "refuse" else "ask"


@dataclass(frozen=True)
class Answered:
    """A question that a rule of the version would have answered, "auto" or "refuse"."""

    question: Question
    said: str

    @property
    def words(self) -> str:
        return ANSWERS[self.said]


QuestionLog = Callable[[User, datetime], Iterable[Question]]
_logs: list[QuestionLog] = []


def register_questions(log: QuestionLog) -> None:
    """Let an app say which questions IBKR asked since an instant, as far as a person may see them; newest first."""
    if log not in _logs:
        _logs.append(log)


@dataclass(frozen=True)
class Trial:
    """`looked_at` items were judged; `caught` are those that would wait for somebody or be refused, newest first.
    Of `asked` questions, `answered` would have been answered by a rule.
    """

    looked_at: int
    caught: list[Caught]
    asked: int = 0
    answered: list[Answered] = field(default_factory=list)

    @property
    def different(self) -> list[Caught]:
        return [each for each in self.caught if each.is_different]


def facts_of(row: Submission) -> Facts:
    return Facts(
        kind=row.kind,
        amount_usd=row.amount_usd,
        has_amount=row.kind in {"withdrawal", "deposit", "order"},
        accounts=tuple(row.accounts),
        destination_since=row.destination_since,
        flags=tuple(row.flags),
    )


def trial(document: Document, *, by: User) -> Trial:
    """Judge what was made and asked in the last 30 days by a document. Nothing is counted, nothing changes."""
    since = clock.now() - SPAN
    rows = list(
        Submission.objects.filter(created_at__gte=since)
        .exclude(kind="")
        .select_related("maker", "master")
        .defer("payload_text")
        .order_by("-created_at")[:LONGEST]
    )
    asked = [each for log in _logs for each in log(by, since)]
    ruled = [Answered(each, each.ruled_by(document)) for each in asked]
    return Trial(
        len(rows), list(_judged(document, rows))[::-1], len(asked), [each for each in ruled if each.said != "ask"]
    )


def _stopped(document: Document, row: Submission, facts: Facts) -> tuple[str, ...]:
    """What would have been refused when it was asked for, whatever had gone before it."""
    found = []
    if facts.kind == "order" and row.maker is not None and facts.amount_usd is not None:
        largest = document.order_limits_usd.get(row.maker.role, Decimal(0))
        if facts.amount_usd > largest:
            found.append(f"Largest order of one {row.maker.get_role_display().lower()}: USD {largest:,.0f}")
    since, hours = facts.destination_since, document.cooling_off_hours
    if facts.kind == "withdrawal" and since is not None and row.created_at < since + timedelta(hours=hours):
        found.append(f"New bank details rest: {hours} h")
    return tuple(found)


def _judged(document: Document, rows: list[Submission]) -> Iterator[Caught]:
    counts: dict[tuple[object, ...], int] = defaultdict(int)
    sums: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for row in reversed(rows):
        facts = facts_of(row)
        ruling = document.rule_on(facts, row.created_at)
        met = limits.windows(document, facts, row.created_at)
        usd = row.amount_usd or Decimal(0)
        reached = tuple(
            str(limit)
            for limit, key in met
            if (limit.count is not None and counts[key] + 1 > limit.count)
            or (
                limit.usd is not None and facts.has_amount and (facts.amount_usd is None or sums[key] + usd > limit.usd)
            )
        )
        reached += _stopped(document, row, facts)
        if not reached:
            for _, key in met:
                counts[key] += 1
                sums[key] += usd
        if ruling.approvals or reached:
            yield Caught(row, ruling.approvals, ruling.hits, reached)
