"""What clients bring to the frame: Today, the counts beside the navigation, the feed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q
from django.urls import reverse

from backoffice.home import formats
from backoffice.home.registry import Count, FeedItem, InboxItem
from backoffice.journal.models import State, Submission
from backoffice.people.models import User
from backoffice.people.policy import may
from clients.models import (
    AccountTask,
    Application,
    ApplicationStatus,
    CaseStatus,
    Client,
    MaintenanceRequest,
    Stage,
)
from clients.selectors import applications, maintenance, retention


def inbox(user: User) -> Iterator[InboxItem]:
    """What a person must do about applications and maintenance cases."""
    if not may(user, "clients.view"):
        return
    for card in applications.cards_of(applications.active_for(user)):
        yield from _of_application(card)
    yield from _of_retention(user)
    for case in maintenance.cases_of(maintenance.waiting_for(user)):
        yield from _of_case(case)


def _of_retention(user: User) -> Iterator[InboxItem]:
    """Destruction that waits for a second principal. (What is merely due stands on the page; nothing presses.)"""
    if not may(user, "clients.destroy"):
        return
    for row in retention.waiting(user).exclude(proposed_by=user):
        yield InboxItem(
            kind=f"clients.destruction:{row.pk}",
            group="approval",
            title=f"Destroy the personal data of {row.client.name}?",
            detail=f"Kept until {row.kept_until:%d %b %Y}, asked for by {row.proposed_by.name}. It cannot be undone.",
            action="Decide",
            url=reverse("clients:client_retention", args=[row.client_id]),
            icon="archive",
            tone="wait",
            since=row.proposed_at,
            since_words="Waiting",
        )


def _of_application(card: applications.Card) -> Iterator[InboxItem]:
    application = card.application
    name, url, owner = application.name, application.get_absolute_url(), application.owner
    if card.is_unknown and card.submission:
        yield InboxItem(
            kind=f"clients.unknown:{application.pk}",
            group="doubt",
            title=f"Application of {name}",
            detail=_doubt(card.submission),
            action="See the looks",
            url=url,
            icon="help-hexagon",
            tone="unknown",
            owner=owner,
            since=card.submission.unknown_since,
            since_words="Unknown",
        )
        return
    if application.status == ApplicationStatus.REFUSED:
        yield InboxItem(
            kind=f"clients.refused:{application.pk}",
            group="stuck",
            title=f"{name}: IBKR refused the application",
            detail="Nothing was created. IBKR's words stand at the fields; mend them and submit again.",
            action="Mend it",
            url=url,
            icon="circle-x",
            tone="bad",
            owner=owner,
            since=application.stage_since,
            since_words="Refused",
            urgency=20,
        )
    for task in card.tasks:
        if task.is_rejected and application.status == ApplicationStatus.SUBMITTED:
            yield InboxItem(
                kind=f"clients.rejected:{task.pk}",
                group="stuck",
                title=f"{name}: {formats.in_sentence(task.form_name)} rejected",
                detail="Ask the client for another and send it; the application waits.",
                ibkr_words=task.reject_reason,
                action="Send another",
                url=f"{url}#task-{task.pk}",
                icon="file-x",
                tone="bad",
                amount="blocks approval" if task.is_required_for_approval else "",
                owner=owner,
                since=task.since,
                since_words="Rejected",
                urgency=10,
            )
    if card.stage == Stage.CLIENT:
        yield InboxItem(
            kind=f"clients.client:{application.pk}",
            group="stuck",
            title=f"{name} must finish in IBKR's portal",
            detail=f"{card.blocker.words}. IBKR goes on by itself once it is done.",
            action="Open",
            url=url,
            icon="signature",
            tone="wait",
            owner=owner,
            due=_due(card),
            due_words="Should take",
            since=application.stage_since,
            since_words="Waiting",
            urgency=30 if card.is_over else 40,
        )
    elif _is_overdue(card):
        yield _of_overdue(card)


def _is_overdue(card: applications.Card) -> bool:
    """Whether it stands for too long and no other line says so: a rejected paper, or a second person who has it."""
    is_said = any(task.is_rejected for task in card.tasks) or card.application.status == ApplicationStatus.REFUSED
    is_proposed = card.submission is not None and card.submission.state == State.PROPOSED
    return card.is_over and not is_said and not is_proposed and not card.application.is_final


def _due(card: applications.Card) -> datetime | None:
    return None if card.target is None else card.application.stage_since + timedelta(seconds=card.target)


def _of_overdue(card: applications.Card) -> InboxItem:
    """What stands in its lane for longer than the policy gives it."""
    application = card.application
    lane = {
        Stage.DRAFT: ("rests as a draft", "Submit it, or give it up."),
        Stage.SUBMITTED: ("has waited for an account number", "Ask IBKR about it, by its external id."),
        Stage.DOCUMENTS: ("waits for documents", f"{card.blocker.words}."),
        Stage.REVIEW: ("stands in IBKR's review", "Ask IBKR what it waits for."),
    }
    words, mend = lane.get(card.stage, ("stands still", f"{card.blocker.words}."))
    return InboxItem(
        kind=f"clients.over:{application.pk}:{card.stage}", group="other" if card.stage == Stage.DRAFT else "stuck",
        title=f"{application.name} {words} for longer than it should", detail=mend, action="Open",
        url=application.get_absolute_url(), icon="hourglass", tone="wait", owner=application.owner, due=_due(card),
        since=application.stage_since, urgency=35,
    )  # fmt: skip


def _doubt(submission: Submission) -> str:
    if submission.state == State.ABSENT:
        return f"{submission.why_absent} Two people may release it under its own key, or one gives it up."
    return (
        f"Sent or perhaps sent; {submission.looks} looks so far. It is not sent again, the looks go on by themselves."
    )


def _of_case(case: maintenance.Case) -> Iterator[InboxItem]:
    request = case.request
    what = f"{request.get_kind_display()} of {request.account.number}"
    if case.is_unknown and case.submission:
        yield InboxItem(
            kind=f"clients.case_unknown:{request.pk}", group="doubt", title=what, detail=_doubt(case.submission),
            action="See the looks",
            url=request.get_absolute_url(), icon="help-hexagon", tone="unknown", owner=request.requested_by,
            since=case.submission.unknown_since, since_words="Unknown",
        )  # fmt: skip
    elif request.status == CaseStatus.AT_IBKR and request.doubt:
        yield InboxItem(
            kind=f"clients.case:{request.pk}", group="other", title=f"{what} is not shown by IBKR yet", detail=request.doubt,
            action="Open", url=request.get_absolute_url(), icon="refresh", tone="wait", owner=request.requested_by,
            since=request.requested_at, since_words="Waiting",
        )  # fmt: skip


def application_count(user: User) -> Count | None:
    """The number of applications under way; amber when IBKR or the client waits for somebody, violet when one is unknown."""
    unfinished = Application.objects.visible_to(user).unfinished()
    ids = [str(pk) for pk in unfinished.values_list("pk", flat=True)[: applications.MOST]]
    if not ids:
        return None
    doubts = Submission.objects.filter(subject_model="clients.application", subject_id__in=ids).needing_a_person()
    if doubts.exists():
        return Count(len(ids), "unknown")
    waits = unfinished.filter(
        Q(stage__in=[Stage.DOCUMENTS, Stage.CLIENT]) | Q(status=ApplicationStatus.REFUSED)
    ).exists()
    return Count(len(ids), "wait" if waits else "neutral")


def maintenance_count(user: User) -> Count | None:
    ids = [str(pk) for pk in MaintenanceRequest.objects.visible_to(user).waiting().values_list("pk", flat=True)[:200]]
    if not ids:
        return None
    doubts = Submission.objects.filter(
        subject_model="clients.maintenancerequest", subject_id__in=ids
    ).needing_a_person()
    return Count(len(ids), "unknown" if doubts.exists() else "neutral")


def feed(user: User, since: datetime) -> Iterator[FeedItem]:
    """What moved since: accounts opened, papers rejected, changes done."""
    if not may(user, "clients.view"):
        return
    ended = (
        Application.objects.visible_to(user)
        .filter(ended_at__gte=since)
        .select_related("account")
        .defer("draft_text", "refusal_text")
    )
    for application in ended.order_by("-ended_at")[:8]:
        number = application.account.number if application.account else "application"
        word = {"opened": "is open", "rejected": "was rejected by IBKR"}.get(application.status, "was abandoned")
        if application.ended_at:
            yield FeedItem(application.ended_at, application.name, f"{number} {word}", application.get_absolute_url())
    rejected = (
        AccountTask.objects.filter(since__gte=since, is_completed=False)
        .exclude(reject_reason="")
        .select_related("account__client")
    )
    seen = set(Client.objects.visible_to(user).filter(accounts__tasks__in=rejected).values_list("pk", flat=True))
    for task in rejected[:8]:
        if task.account.client_id in seen:
            yield FeedItem(
                task.since,
                task.account.client.name,
                f"{formats.in_sentence(task.form_name)} rejected",
                task.account.client.get_absolute_url(),
            )
    done = MaintenanceRequest.objects.visible_to(user).filter(ended_at__gte=since).select_related("account")
    for case in done.defer("before_text", "after_text").order_by("-ended_at")[:8]:
        word = {"seen": "changed", "refused": "change refused by IBKR", "withdrawn": "change not sent"}.get(
            case.status, "change replaced"
        )
        if case.ended_at:
            text = f"{case.get_kind_display().lower()} {word}"
            yield FeedItem(case.ended_at, case.account.number, text, case.get_absolute_url())
