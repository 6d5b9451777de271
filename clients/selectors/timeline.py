"""What happened, newest first: to an application, to a maintenance case, to a client."""

from collections.abc import Iterable, Iterator

from backoffice.core.lifecycle import history
from backoffice.core.models import StatusEvent
from backoffice.home.parts import TimelineEvent
from backoffice.journal.models import Attempt, AttemptOutcome, Finding, Observation, State, Submission
from clients.models import Application, ApplicationStatus, CaseStatus, Document, DocumentStatus, MaintenanceRequest
from clients.selectors import applications, maintenance, people

_SENT = {
    AttemptOutcome.ACK: ("IBKR took it", "done"),
    AttemptOutcome.REJECT: ("IBKR refused it", "failed"),
    AttemptOutcome.AMBIGUOUS: ("Sent, outcome unknown", "unknown"),
    AttemptOutcome.NOT_SENT: ("Not sent: IBKR could not be reached", "wait"),
    None: ("Being sent", "fact"),
}
_LOOKED = {
    Finding.FOUND: ("Looked at IBKR and found it", "done"),
    Finding.CLEAN: ("Looked at IBKR: not there", "fact"),
    Finding.INCONCLUSIVE: ("Looked at IBKR: proves nothing", "fact"),
    Finding.MISMATCH: ("Looked at IBKR: something else is there", "failed"),
}


def newest_first(events: Iterable[TimelineEvent]) -> list[TimelineEvent]:
    dated = [event for event in events if event.at is not None]
    return sorted(dated, key=lambda event: event.at, reverse=True)  # type: ignore[arg-type,return-value]


def _sendings(attempts: Iterable[Attempt], observations: Iterable[Observation]) -> Iterator[TimelineEvent]:
    for attempt in attempts:
        title, kind = _SENT[AttemptOutcome(attempt.outcome) if attempt.outcome else None]
        is_refused = attempt.outcome == AttemptOutcome.REJECT
        yield TimelineEvent(
            at=attempt.finished_at or attempt.prepared_at,
            title=title,
            kind=kind,  # type: ignore[arg-type]
            words=attempt.detail if is_refused else "",
            detail="" if is_refused or attempt.outcome == AttemptOutcome.ACK else attempt.detail,
            raw=f"sending {attempt.number}",
        )
    for look in observations:
        title, kind = _LOOKED[Finding(look.finding)]
        yield TimelineEvent(at=look.at, title=title, kind=kind, detail=look.detail, raw=look.source)  # type: ignore[arg-type]


def of_application(story: applications.Story) -> list[TimelineEvent]:
    """Return the moves of an application, its sendings and looks, its documents and its tasks."""
    application = story.card.application
    events = [
        TimelineEvent(application.created_at, "Application started", "fact", icon="pencil", by=application.owner.name),
        *(_move(event) for event in history(application)),
        *_sendings(story.attempts, story.observations),
        *(_made(submission) for submission in story.submissions),
    ]
    events += [_handed_in(document) for document in story.documents]
    for task in story.card.tasks:
        if task.is_rejected:
            events.append(
                TimelineEvent(task.since, f"IBKR rejected: {task.form_name}", "failed", words=task.reject_reason)
            )
        elif task.is_completed and task.completed_at:
            events.append(TimelineEvent(task.completed_at, f"{task.form_name} accepted", "done", raw=task.form_number))
    return newest_first(events)


def _handed_in(document: Document) -> TimelineEvent:
    """What IBKR thinks of the paper stands at its task; here is only that it left."""
    words = {
        DocumentStatus.PROMISED: "on its way to IBKR",
        DocumentStatus.REFUSED: "not taken by IBKR",
    }.get(DocumentStatus(document.status), "handed in to IBKR")
    is_refused = document.status == DocumentStatus.REFUSED
    return TimelineEvent(
        at=document.sent_at or document.uploaded_at,
        title=f"{document.task.form_name} {words}",
        kind="failed" if is_refused else "fact",
        words=document.reason if is_refused else "",
        raw=document.file_name,
        by=document.uploaded_by.name,
        icon="" if is_refused else "file-text",
    )


def _made(submission: Submission) -> TimelineEvent:
    return TimelineEvent(
        submission.created_at,
        "Promised to IBKR",
        "fact",
        detail=f"Key {submission.key}, seal {submission.payload_sha256[:12]}.",
        by=submission.maker.name if submission.maker else "",
        icon="writing-sign",
    )


_MOVES = {
    ApplicationStatus.DRAFT: ("Back to a draft", "wait"),
    ApplicationStatus.SUBMITTED: ("Submitted", "fact"),
    ApplicationStatus.REFUSED: ("Back to be mended", "wait"),
    ApplicationStatus.OPENED: ("Account open", "done"),
    ApplicationStatus.REJECTED: ("IBKR rejected the application", "failed"),
    ApplicationStatus.ABANDONED: ("Application abandoned", "fact"),
}


def _move(event: StatusEvent) -> TimelineEvent:
    title, kind = _MOVES.get(ApplicationStatus(event.new), (event.new, "fact"))
    return TimelineEvent(event.at, title, kind, detail=event.because, by=event.actor.name if event.actor else "")  # type: ignore[arg-type]


def of_case(story: maintenance.CaseStory) -> list[TimelineEvent]:
    """Return the moves, sendings and looks of one maintenance case."""
    request = story.case.request
    titles = {
        CaseStatus.AT_IBKR: ("IBKR has it", "fact"),
        CaseStatus.SEEN: ("IBKR shows the new value", "done"),
        CaseStatus.REFUSED: ("IBKR refused it", "failed"),
        CaseStatus.REPLACED: ("Replaced by a newer request", "wait"),
        CaseStatus.WITHDRAWN: ("Stopped before it left", "fact"),
    }
    moves = [
        TimelineEvent(
            event.at, titles[CaseStatus(event.new)][0], titles[CaseStatus(event.new)][1],  # type: ignore[arg-type]
            words=request.words if event.new == CaseStatus.REFUSED else "",
            detail=event.because if event.new == CaseStatus.WITHDRAWN else "",
            raw=f"request {request.request_id}" if event.new == CaseStatus.AT_IBKR and request.request_id else "",
        )
        for event in history(request)
    ]  # fmt: skip
    asked = TimelineEvent(request.requested_at, "Asked for", "fact", icon="pencil", by=request.requested_by.name)
    return newest_first([asked, *moves, *_sendings(story.attempts, story.observations)])


def of_client(portrait: people.Portrait) -> list[TimelineEvent]:
    """Return the milestones of a client: applications, accounts and changes. Other apps add theirs through `panels.events`."""
    events: list[TimelineEvent] = []
    for card in portrait.applications:
        events += _of_card(card)
    for case in portrait.cases:
        events += _of_case_row(case.request, case.submission)
    return newest_first(events)


def _of_card(card: applications.Card) -> Iterator[TimelineEvent]:
    application: Application = card.application
    if card.is_unknown:
        yield TimelineEvent(
            card.submission.unknown_since if card.submission else None, "Application, outcome unknown", "unknown",
            "Looked for at IBKR; not sent again.",
        )  # fmt: skip
    for task in card.tasks:
        if task.is_rejected:
            yield TimelineEvent(task.since, f"{task.form_name} rejected", "failed", words=task.reject_reason)
    if application.status == ApplicationStatus.OPENED and application.account:
        yield TimelineEvent(application.ended_at, f"Account {application.account.number} opened", "done")
    elif application.ended_at:
        yield TimelineEvent(application.ended_at, f"Application {card.word.lower()}", "fact")
    if application.submitted_at:
        yield TimelineEvent(
            application.submitted_at, "Application submitted", "fact", by=application.owner.name, icon="send"
        )


def _of_case_row(request: MaintenanceRequest, submission: Submission | None) -> Iterator[TimelineEvent]:
    title = str(request.get_kind_display())
    if submission is not None and submission.state == State.UNKNOWN:
        yield TimelineEvent(submission.unknown_since, f"{title} change, outcome unknown", "unknown")
    match request.status:
        case CaseStatus.SEEN:
            yield TimelineEvent(request.ended_at, f"{title} changed", "done", detail="IBKR shows the new value.")
        case CaseStatus.REFUSED:
            yield TimelineEvent(request.ended_at, f"{title} change refused", "failed", words=request.words)
        case CaseStatus.REPLACED:
            yield TimelineEvent(request.ended_at, f"{title} change replaced", "wait")
        case CaseStatus.WITHDRAWN:
            yield TimelineEvent(request.ended_at, f"{title} change not sent", "fact")
        case _:
            yield TimelineEvent(request.requested_at, f"{title} change asked for", "wait", by=request.requested_by.name)
