"""The approvals inbox, one item to decide on, papers, and several at once."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.errors import Refusal
from backoffice.journal import decisions, selectors
from backoffice.journal import services as journal
from backoffice.journal.forms import TypedAmountForm
from backoffice.journal.models import Answer, State, Submission, SubmissionQuerySet
from backoffice.journal.selectors import Listed
from backoffice.people.models import User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import FLAGS, KINDS
from backoffice.people.policy import hands_out, may, requires

SHOWN = 50
VIEWS = {"others": "Waiting for you", "agreed": "Approved by you, not by all", "mine": "Made by you"}
AMOUNTS = {
    "small": ("below USD 10,000", 0, 10_000),
    "middle": ("USD 10,000 to 100,000", 10_000, 100_000),
    "large": ("above USD 100,000", 100_000, None),
}
AGES = {"late": "past its time", "hour": "over an hour"}
CLAIMS = {"nobody": "nobody yet", "me": "you", "others": "somebody else"}


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


@require_safe
@requires("journal.approve")
def approval_list(request: HttpRequest) -> HttpResponse:
    """What waits for a second person, oldest first: that is the one whose clock runs out first."""
    user, asked = _reader(request), request.GET
    view = asked.get("view", "others")
    view = view if view in VIEWS else "others"
    waiting = _of_view(view, user).select_related("maker", "master", "claimed_by")
    waiting = waiting.annotate(agreed=Count("approvals", distinct=True)).defer("payload_text")
    document = policies.in_force().document
    patience = timedelta(minutes=document.approval_minutes)
    found = _after(_filtered(waiting, asked, user, patience), asked.get("after", "")).order_by("created_at", "id")
    page = list(found[: SHOWN + 1])
    rows = selectors.visible(page[:SHOWN], user)
    kept = {
        name: asked[name] for name in ("view", "kind", "amount", "age", "maker", "flag", "claimed") if asked.get(name)
    }
    last = page[SHOWN - 1] if len(page) > SHOWN else None
    context = {
        "rows": [_Row(row, patience, user) for row in rows],
        "view": view,
        "views": [{"label": word, "url": f"?view={key}", "selected": key == view} for key, word in VIEWS.items()],
        "filters": _filters(kept, waiting, view),
        "page": {
            "older_url": f"?{urlencode({**kept, 'after': f'{last.created_at.isoformat()}_{last.pk}'})}" if last else "",
            "newer_url": f"?{urlencode(kept)}" if asked.get("after") else "",
        },
        "may_batch": view == "others" and document.batch_below_usd > 0,
        "batch_below": document.batch_below_usd,
    }
    return render(request, "journal/approval_list.html", context)


def _of_view(view: str, user: User) -> SubmissionQuerySet:
    waiting: SubmissionQuerySet = Submission.objects.filter(state=State.PROPOSED)
    if view == "mine":
        return waiting.filter(maker=user)
    return waiting.filter(approvals__approver=user) if view == "agreed" else selectors.awaiting(user)


class _Row:
    """One line of the inbox."""

    def __init__(self, listed: Listed, patience: timedelta, user: User) -> None:
        self.submission, self.url = listed.submission, listed.url
        self.due_at: datetime = self.submission.created_at + patience
        self.flags = [FLAGS.get(flag, flag) for flag in self.submission.flags]
        kind = KINDS[self.submission.kind].label if self.submission.kind in KINDS else "Other"
        self.kind = "" if self.submission.summary.startswith(kind) else kind  # said once
        self.is_late = self.due_at < clock.now()
        claimant = self.submission.claimant
        self.is_claimed_by_me = claimant is not None and claimant.pk == user.pk


def _filtered(rows: SubmissionQuerySet, asked: Any, user: User, patience: timedelta) -> SubmissionQuerySet:
    now = clock.now()
    if asked.get("kind") in KINDS:
        rows = rows.filter(kind=asked["kind"])
    if asked.get("amount") in AMOUNTS:
        _, low, high = AMOUNTS[asked["amount"]]
        rows = (
            rows.filter(amount_usd__gte=low) if high is None else rows.filter(amount_usd__gte=low, amount_usd__lt=high)
        )
    if asked.get("age") in AGES:
        rows = rows.filter(created_at__lt=now - (patience if asked["age"] == "late" else timedelta(hours=1)))
    if asked.get("flag") in FLAGS:
        rows = rows.filter(flags__contains=[asked["flag"]])
    if asked.get("maker"):
        try:
            rows = rows.filter(maker_id=UUID(asked["maker"]))
        except ValueError:
            rows = rows.none()
    match asked.get("claimed"):
        case "nobody":
            rows = rows.unclaimed()
        case "me":
            rows = rows.claimed().filter(claimed_by=user)
        case "others":
            rows = rows.claimed().exclude(claimed_by=user)
    return rows


def _after(rows: SubmissionQuerySet, key: str) -> SubmissionQuerySet:
    try:
        at, _, pk = key.partition("_")
        moment, last = datetime.fromisoformat(at), UUID(pk)
    except ValueError:
        return rows
    return rows.filter(Q(created_at__gt=moment) | Q(created_at=moment, pk__gt=last)) if moment.tzinfo else rows


def _filters(kept: dict[str, str], waiting: SubmissionQuerySet, view: str) -> list[dict[str, Any]]:
    makers = User.objects.filter(pk__in=waiting.values("maker_id")).order_by("name") if view == "others" else []
    choices: list[tuple[str, str, dict[str, str]]] = [
        ("kind", "Kind", {key: KINDS[key].label for key in KINDS}),
        ("amount", "Amount", {key: each[0] for key, each in AMOUNTS.items()}),
        ("age", "Waiting", AGES),
        ("maker", "Made by", {str(each.pk): each.name for each in makers}),
        ("flag", "Risk flag", FLAGS),
        ("claimed", "Looked at by", CLAIMS),
    ]
    return [
        {
            "label": label,
            "value": words.get(kept.get(name, ""), ""),
            "url": f"?{urlencode({key: value for key, value in kept.items() if key != name})}",
            "choices": [(f"?{urlencode({**kept, name: key})}", word) for key, word in words.items()],
        }
        for name, label, words in choices
        if words
    ]


def _listed(request: HttpRequest, pk: UUID) -> Listed:
    submission = Submission.objects.select_related("maker", "master", "claimed_by").filter(pk=pk).first()
    found = selectors.visible([submission], _reader(request)) if submission else []
    if not found:
        raise Http404
    return found[0]


@require_safe
@requires("clients.view")
def approval_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One thing that waits for a second person: what it is, what speaks against it, and the decision."""
    return _draw(request, _listed(request, pk))


def _draw(
    request: HttpRequest,
    listed: Listed,
    *,
    error: str = "",
    reason: str = "",
    amount_form: TypedAmountForm | None = None,
    status: int = 200,
) -> HttpResponse:
    submission, user = listed.submission, _reader(request)
    papers = list(submission.evidence.select_related("added_by").defer("content"))
    may_add = submission.state == State.PROPOSED and may(user, "journal.add_evidence")
    document = policies.in_force().document
    review = decisions.review(submission, listed.subject)
    stale_after = timedelta(minutes=document.preview_minutes)
    context = {
        "submission": submission,
        "url": listed.url,
        "review": review,
        "is_stale": review.previewed_at is not None and clock.now() - review.previewed_at > stale_after,
        "flags": [FLAGS.get(flag, flag) for flag in submission.flags],
        "payload": selectors.payload_facts(submission),
        "approvals": list(submission.approvals.select_related("approver")),
        "papers": papers,
        "rejection": getattr(submission, "rejection", None),
        "due_at": submission.created_at + timedelta(minutes=document.approval_minutes),
        "is_waiting": submission.state == State.PROPOSED,
        "is_maker": submission.maker_id == user.pk,
        "may_decide": submission.may_be_decided_by(user),
        "who_decides": f"Somebody else decides: {submission.who_decides}.",
        "may_add": may_add and len(papers) < decisions.MOST_PAPERS,
        "full": decisions.FULL if may_add and len(papers) >= decisions.MOST_PAPERS else "",
        "error": error,
        "reason": reason,
        "amount_form": amount_form or (TypedAmountForm(review.amount.amount) if review.amount else None),
    }
    return render(request, "journal/approval_detail.html", context, status=status)


@require_POST
@requires("journal.approve")
def approval_decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Approve, reject, return, take on or leave: one press, one word, on the payload that was shown."""
    listed, user = _listed(request, pk), _reader(request)
    submission, reason = listed.submission, request.POST.get("reason", "")[:500]
    try:
        match request.POST.get("decision"):
            case "approve":
                review = decisions.review(submission, listed.subject)
                form = TypedAmountForm(review.amount.amount, request.POST) if review.amount else None
                if form is not None and not form.is_valid():
                    return _draw(request, listed, reason=reason, amount_form=form, status=422)
                journal.approve(
                    submission, by=user, payload_sha256=request.POST.get("payload_sha256", ""), reason=reason
                )
            case "reject":
                journal.refuse(submission, by=user, reason=reason)
            case "return":
                journal.refuse(submission, by=user, reason=reason, answer=Answer.RETURNED)
            case "take" | "leave" as word:
                journal.take_on(submission, by=user, is_mine=word == "take")
            case _:
                return _draw(request, listed, error="Choose what to do with it.", reason=reason, status=422)
    except Refusal as error:
        _remember(user, submission, error)
        return _draw(request, _listed(request, pk), error=str(error), reason=reason, status=422)
    return redirect("journal:approval_detail", pk)


def _remember(user: User, submission: Submission, error: Refusal) -> None:
    audit.record("journal.refused", by=user, on=submission, summary=f"Not done: {error}"[:200])


@require_POST
@requires("journal.add_evidence")
def evidence_add(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put a paper beside it, such as the note of a call-back."""
    listed, user = _listed(request, pk), _reader(request)
    given = request.FILES.get("file")
    if given is None:
        return _draw(request, listed, error="Choose a file first.", status=422)
    try:
        decisions.add_evidence(listed.submission, name=given.name or "paper", content=given.read(), by=user)
    except Refusal as error:
        _remember(user, listed.submission, error)
        return _draw(request, listed, error=str(error), status=422)
    return redirect("journal:approval_detail", pk)


@require_safe
@requires("clients.view")
@hands_out
def evidence_file(request: HttpRequest, pk: UUID, paper_pk: UUID) -> HttpResponse:
    """Hand out a paper, never shown in place, and write down who took it."""
    listed = _listed(request, pk)
    paper = listed.submission.evidence.filter(pk=paper_pk).first()
    if paper is None:
        raise Http404
    content = decisions.content_of(paper)
    disclosures.let_out(
        "journal.download_evidence",
        by=_reader(request),
        on=listed.submission,
        summary="Paper taken",
        disclosed=selectors.people_of(listed.subject),
        sha256=paper.sha256,
    )
    answer = HttpResponse(content, content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="{paper.file_name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@require_http_methods(["POST"])
@requires("journal.approve")
def approval_batch(request: HttpRequest) -> HttpResponse:
    """Several at once: the first press lists them one by one, the second approves each by the hash that was listed."""
    user = _reader(request)
    shown = [each.partition(":") for each in request.POST.getlist("shown")]
    hashes = {UUID(key): sha256 for key, _, sha256 in shown if _is_key(key)}  # a key can be written in several ways
    chosen_keys = [UUID(each) for each in request.POST.getlist("chosen") if _is_key(each)]
    keys = (list(hashes) or chosen_keys)[: decisions.MOST_AT_ONCE + 1]
    # At the second press what was decided meanwhile is not passed over: it is named among what became of each.
    waiting = Submission.objects.all() if hashes else selectors.awaiting(user)
    found = waiting.filter(pk__in=keys).select_related("maker", "master").order_by("created_at", "id")
    rows = selectors.visible(found, user)
    chosen = [row.submission for row in rows]
    refusal, results = decisions.why_not_together(chosen), None
    if hashes and not refusal:
        results = decisions.approve_together([(row, hashes[row.pk]) for row in chosen], by=user)
    if refusal:
        audit.record("journal.refused", by=user, summary=f"Not approved together: {refusal}"[:200])
    is_bad = bool(refusal) or any(each.error for each in results or [])
    context = {
        "rows": chosen,
        "refusal": refusal,
        "results": results,
        "total": sum(row.amount_usd or 0 for row in chosen),
    }
    return render(request, "journal/approval_batch.html", context, status=422 if is_bad else 200)


def _is_key(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
