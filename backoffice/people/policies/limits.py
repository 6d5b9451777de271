"""Caps on what leaves: counted in the transaction that promises the effect, on rows locked until it commits.

A thing that is refused or withdrawn later stays counted until its window ends: a loop that makes and drops is a loop.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from backoffice.core import clock
from backoffice.core.errors import Conflict
from backoffice.people.models import LimitCounter
from backoffice.people.policies.document import KINDS, Document, Facts, Limit

KEPT_FOR = timedelta(days=35)  # a month of days for whoever asks why something was refused


def take(document: Document, facts: Facts, at: datetime) -> None:
    """Count an effect against every limit it falls under, or raise Conflict with the rule, the figure and who helps.

    An amount nobody can convert is counted, and refused where its limit caps amounts. Days are New York's.
    """
    for limit, owner in _met(document, facts):
        key = {"kind": limit.kind, "scope": owner, "window": limit.window, "starts_at": _start(limit.window, at)}
        LimitCounter.objects.bulk_create([LimitCounter(**key)], ignore_conflicts=True)
        counter = LimitCounter.objects.select_for_update().get(**key)
        count, usd = counter.count + 1, counter.usd + (facts.amount_usd or Decimal(0))
        _must_fit(limit, owner, facts, count, usd)
        LimitCounter.objects.filter(pk=counter.pk).update(count=count, usd=usd)


def forget(at: datetime) -> int:
    """Delete what was counted in windows long over; return how many rows. No limit looks further back than a day."""
    gone, _ = LimitCounter.objects.filter(starts_at__lt=at - KEPT_FOR).delete()
    return gone


def _met(document: Document, facts: Facts) -> list[tuple[Limit, str]]:
    """In one order for everybody, so that two transactions never wait for each other."""
    found = [
        (limit, owner)
        for limit in document.limits
        if limit.kind == facts.kind
        for owner in (sorted(set(facts.accounts)) if limit.scope == "account" else ["firm"])
    ]
    return sorted(found, key=lambda each: (each[1], each[0].window))


def windows(document: Document, facts: Facts, at: datetime) -> list[tuple[Limit, tuple[object, ...]]]:
    """Return the limits an effect falls under, each with the window it would be counted in."""
    return [
        (limit, (limit.kind, owner, limit.window, _start(limit.window, at))) for limit, owner in _met(document, facts)
    ]


def _start(window: str, at: datetime) -> datetime:
    if window == "minute":
        return at.replace(second=0, microsecond=0)
    return at.astimezone(clock.NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)


def _must_fit(limit: Limit, owner: str, facts: Facts, count: int, usd: Decimal) -> None:
    what, whose = KINDS[limit.kind].label.lower(), "The firm" if owner == "firm" else owner
    helps = "Nothing was sent. It fits the next window; a principal can propose another limit under Policies."
    if limit.count is not None and count > limit.count:
        raise Conflict(
            f"{whose} may have {limit.count} {what}s each {limit.window}; this would be number {count}. {helps}"
        )
    if limit.usd is None or not facts.has_amount:
        return
    if facts.amount_usd is None:
        raise Conflict(f"The limit of USD {limit.usd:,.0f} a {limit.window} cannot be checked without a rate. {helps}")
    if usd > limit.usd:
        # How much the firm has moved is told to nobody here: most of it is other people's books.
        would_be = "this would be more" if owner == "firm" else f"with this it would be USD {usd:,.0f}"
        raise Conflict(f"{whose} may have USD {limit.usd:,.0f} of {what}s each {limit.window}; {would_be}. {helps}")
