"""The document of a policy version: what needs whom, what is capped, what a rule may answer, how long things may take.

Amounts are USD, converted at IBKR's ledger rates by whoever asks; an amount nobody can convert counts as above every
threshold. Everything is exact: amounts are text in the JSON.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from backoffice.core.errors import InvalidInput
from backoffice.ibkr.types.funding import LARGEST_WITHDRAWAL_USD
from backoffice.people.models import Role


@dataclass(frozen=True)
class Kind:
    """A kind of effect at IBKR. `permission` is what its maker must still hold when it is sent."""

    label: str
    permission: str


KINDS = {
    "withdrawal": Kind("Withdrawal", "funding.request"),
    "deposit": Kind("Deposit notice", "funding.request"),
    "order": Kind("Order", "trading.trade"),
    "cancel": Kind("Cancelling an order", "trading.trade"),
    "group": Kind("Allocation group", "trading.manage_groups"),
    "application": Kind("Application", "clients.apply"),
    "change": Kind("Change of a client's account", "clients.maintain"),
    "document": Kind("Document", "clients.apply"),
}
APPROVABLE = ("withdrawal", "order", "application", "change")  # the kinds whose pages can wait for a second person
LIMITED = ("withdrawal", "order")
# Whom a rule may name: each choice is a set of roles. A principal may decide whatever operations may.
APPROVERS = {
    "principal": (Role.PRINCIPAL.value,),
    "operations": (Role.OPERATIONS.value, Role.PRINCIPAL.value),
}
WINDOWS = {"minute": timedelta(minutes=1), "day": timedelta(days=1)}
SCOPES = {"account": "each account", "firm": "the whole firm"}
ANSWERS = {"ask": "Ask a person", "auto": "Confirm by rule", "refuse": "Decline by rule"}
# How long an application may stand in each lane before somebody should ask, in hours (ours, not IBKR's).
LANES = {
    "draft": ("A draft may rest", 168),
    "submitted": ("A submitted application may wait for IBKR", 24),
    "client": ("An application may wait for its client", 72),
    "documents": ("An application may wait for documents", 48),
    "review": ("An application may stand in IBKR's review", 96),
}
FLAGS = {
    "new_destination": "First payment to this bank",
    "new_client": "First movement of this client",
    "above_usual": "Above what is usual here",
    "far_from_market": "Price far from the market",
    "changed_recently": "Client's data changed in the last 7 days",
    "twin": "Looks like another one made within 10 min",
}


@dataclass(frozen=True)
class Facts:
    """What the rules look at in one effect. `destination_since` is None when the destination was known from the start."""

    kind: str
    amount_usd: Decimal | None = None
    has_amount: bool = False
    accounts: tuple[str, ...] = ()
    destination_since: datetime | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApprovalRule:
    """`approvals` other people with one of `roles`, above an amount, to a destination younger than so many days.

    `above_usd` zero means every amount; `younger_than_days` zero means every age.
    """

    kind: str
    approvals: int
    above_usd: Decimal = Decimal(0)
    younger_than_days: int = 0
    roles: tuple[str, ...] = APPROVERS["principal"]

    def catches(self, facts: Facts, at: datetime) -> bool:
        if facts.kind != self.kind:
            return False
        if self.above_usd and facts.amount_usd is not None and facts.amount_usd <= self.above_usd:
            return False
        if self.younger_than_days:
            since = facts.destination_since
            return since is not None and at - since < timedelta(days=self.younger_than_days)
        return True

    def __str__(self) -> str:
        parts = [KINDS[self.kind].label]
        if self.above_usd:
            parts.append(f"above USD {self.above_usd:,.0f}")
        if self.younger_than_days:
            parts.append(f"to a destination younger than {self.younger_than_days} days")
        who = " or ".join(Role(role).label.lower() for role in self.roles)
        return f"{' '.join(parts)}: {self.approvals} × {who}"


@dataclass(frozen=True)
class Limit:
    """At most `count` effects of a kind, or USD `usd` of them, in one window; None is no such cap."""

    kind: str
    scope: str
    window: str
    count: int | None = None
    usd: Decimal | None = None

    def __str__(self) -> str:
        caps = [
            f"{self.count:,}" if self.count is not None else "",
            f"USD {self.usd:,.0f}" if self.usd is not None else "",
        ]
        return f"{KINDS[self.kind].label}, {SCOPES[self.scope]}, each {self.window}: {' and '.join(filter(None, caps))}"


@dataclass(frozen=True)
class QuestionRule:
    """What happens when IBKR asks with this message id. Ids without a rule are always asked of a person."""

    message_id: str
    answer: str

    def __str__(self) -> str:
        return f"{self.message_id}: {ANSWERS[self.answer].lower()}"


@dataclass(frozen=True)
class Ruling:
    """What a version says about one effect; `hits` are the rules that caught it, in words."""

    approvals: int
    roles: tuple[str, ...]
    hits: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """One version's whole content."""

    approvals: tuple[ApprovalRule, ...] = ()
    limits: tuple[Limit, ...] = ()
    questions: tuple[QuestionRule, ...] = ()
    order_limits_usd: dict[str, Decimal] = field(default_factory=dict)
    cooling_off_hours: int = 24
    batch_below_usd: Decimal = Decimal(0)
    approval_minutes: int = 240
    preview_minutes: int = 30
    lane_hours: dict[str, int] = field(default_factory=lambda: {lane: hours for lane, (_, hours) in LANES.items()})

    def rule_on(self, facts: Facts, at: datetime) -> Ruling:
        """Say who must agree to an effect. The strictest of the rules that catch it decides."""
        caught = [rule for rule in self.approvals if rule.catches(facts, at)]
        needed = max((rule.approvals for rule in caught), default=0)
        strictest = [set(rule.roles) for rule in caught if rule.approvals]
        roles = set.intersection(*strictest) if strictest else set()
        if strictest and not roles:
            roles = {Role.PRINCIPAL.value}
        return Ruling(needed, tuple(sorted(roles)), tuple(str(rule) for rule in caught if rule.approvals))

    def answer_to(self, message_ids: list[str]) -> str:
        """Return "auto", "refuse" or "ask" for a question; several ids at once are confirmed only if each may be."""
        known = {rule.message_id: rule.answer for rule in self.questions}
        answers = {known.get(each, "ask") for each in message_ids} or {"ask"}
        if "refuse" in answers:
            return "refuse"
        return "auto" if answers == {"auto"} else "ask"

    def as_text(self) -> str:
        """Return the canonical JSON that is hashed and approved."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=_plain)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.as_text().encode()).hexdigest()

    def lines(self) -> list[tuple[str, str]]:
        """Return the document in words, one pair of heading and value for each rule, for pages and comparisons."""
        found = [(f"Approval {number}", str(rule)) for number, rule in enumerate(self.approvals, 1)]
        found += [(f"Limit {number}", str(limit)) for number, limit in enumerate(self.limits, 1)]
        found += [(f"IBKR's question {rule.message_id}", ANSWERS[rule.answer]) for rule in self.questions]
        found += [
            (f"Largest order of one {Role(role).label.lower()}", f"USD {amount:,.0f}")
            for role, amount in sorted(self.order_limits_usd.items())
        ]
        return [
            *found,
            ("New bank details rest", f"{self.cooling_off_hours} h"),
            ("Approved several at once below", f"USD {self.batch_below_usd:,.0f}" if self.batch_below_usd else "never"),
            ("An approval should take at most", _span(self.approval_minutes)),
            ("A preview is looked at again after", _span(self.preview_minutes)),
            *((words, _span(60 * self.lane_hours[lane])) for lane, (words, _) in LANES.items()),
        ]


def _span(minutes: int) -> str:
    """Say minutes as the pages do: "45 min", "4 h", "4 h 22"."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d}" if hours and rest else f"{hours} h" if hours else f"{rest} min"


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} is not part of a policy")


def read(text: str) -> Document:
    """Return the document of a stored text. Raises InvalidInput where it contradicts itself, or has a name nobody knows.

    A stored version was agreed by two people, so it is read also where the floor of `check` has risen since.
    """
    try:
        raw = json.loads(text)
        document = Document(
            approvals=tuple(
                ApprovalRule(**{**each, "above_usd": Decimal(each["above_usd"]), "roles": tuple(each["roles"])})
                for each in raw.pop("approvals")
            ),
            limits=tuple(
                Limit(**{**each, "usd": None if each["usd"] is None else Decimal(each["usd"])})
                for each in raw.pop("limits")
            ),
            questions=tuple(QuestionRule(**each) for each in raw.pop("questions")),
            order_limits_usd={role: Decimal(amount) for role, amount in raw.pop("order_limits_usd").items()},
            batch_below_usd=Decimal(raw.pop("batch_below_usd")),
            **raw,
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise InvalidInput("document", "This is not a policy.", "Make the change on the policy's own form.") from error
    _check_form(document)
    return document


def check(document: Document) -> None:
    """Raise InvalidInput where the document contradicts itself or opens what must stay closed.

    The floor is tried at the largest withdrawal there can be, not at one that nobody can make: a rule that begins above it
    never holds anything back. Rules only add to each other, so what holds there holds for every larger amount too.
    """
    _check_form(document)
    largest = Facts("withdrawal", LARGEST_WITHDRAWAL_USD)
    if Document(approvals=document.approvals).rule_on(largest, _ANY_DAY).approvals < 1:
        raise InvalidInput(
            "approvals",
            f"A withdrawal of USD {LARGEST_WITHDRAWAL_USD:,.0f}, IBKR's largest, would leave without a second person.",
            "Keep one rule for withdrawals of any destination age that begins below it and asks for at least one.",
        )


def _check_form(document: Document) -> None:
    for rule in document.approvals:
        if rule.kind not in APPROVABLE or rule.roles not in APPROVERS.values():
            raise InvalidInput("approvals", "A rule names a kind or a role that cannot be used here.")
        if not 0 <= rule.approvals <= 5 or rule.above_usd < 0 or rule.younger_than_days < 0:
            raise InvalidInput("approvals", "A rule asks for none to five people, above zero or more.")
    seen = set()
    for limit in document.limits:
        if limit.kind not in LIMITED or limit.scope not in SCOPES or limit.window not in WINDOWS:
            raise InvalidInput("limits", "A limit names a kind, a scope or a window that is not known.")
        if limit.count is None and limit.usd is None:
            raise InvalidInput("limits", "A limit needs a count, an amount, or both.")
        if (limit.count is not None and limit.count < 1) or (limit.usd is not None and limit.usd <= 0):
            raise InvalidInput("limits", "A limit must let something through.", "To stop everything, close the gate.")
        if (limit.kind, limit.scope, limit.window) in seen:
            raise InvalidInput("limits", "Two limits say the same kind, scope and window.", "Keep one of them.")
        seen.add((limit.kind, limit.scope, limit.window))
    ids = [rule.message_id for rule in document.questions]
    if len(set(ids)) != len(ids) or any(not each.isalnum() or len(each) > 20 for each in ids):
        raise InvalidInput("questions", "Each of IBKR's message ids stands once, such as o163.")
    if any(rule.answer not in ANSWERS for rule in document.questions):
        raise InvalidInput("questions", "A question is asked of a person, confirmed or declined.")
    if any(role not in Role.values or amount < 0 for role, amount in document.order_limits_usd.items()):
        raise InvalidInput("order_limits_usd", "The largest order must be zero or more.")
    if not 0 <= document.cooling_off_hours <= 240 or document.batch_below_usd < 0:
        raise InvalidInput("cooling_off_hours", "New bank details rest between 0 and 240 hours.")
    if not 1 <= document.approval_minutes <= 10_080 or not 1 <= document.preview_minutes <= 1_440:
        raise InvalidInput("approval_minutes", "Times are at least a minute and at most a week.")
    hours = document.lane_hours
    if set(hours) != set(LANES) or any(type(each) is not int or not 1 <= each <= 8_760 for each in hours.values()):
        raise InvalidInput("lane_hours", "Each lane of applications has a time, from an hour to a year.")


_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)  # compared with no destination, so any day does

FIRST = Document(
    approvals=(ApprovalRule("withdrawal", 1),),
    limits=(
        Limit("withdrawal", "account", "day", 100, Decimal(1_000_000)),
        Limit("withdrawal", "firm", "minute", 60),
        Limit("withdrawal", "firm", "day", 500, Decimal(20_000_000)),
        Limit("order", "account", "minute", 60),
        Limit("order", "account", "day", 1_000, Decimal(10_000_000)),
        Limit("order", "firm", "minute", 120),
        Limit("order", "firm", "day", 5_000, Decimal(100_000_000)),
    ),
    order_limits_usd={Role.ADVISOR.value: Decimal(500_000), Role.PRINCIPAL.value: Decimal(2_000_000)},
)  # version 1, kept for ever: older decisions refer to it
