"""The firm's policies: what is in force, what was, what is proposed, and what a change would have caught."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.audit import services as audit
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted, Refusal
from backoffice.journal import dry_run
from backoffice.journal.policy_forms import DecisionForm, PolicyForm
from backoffice.people.models import PolicyStatus, PolicyVersion, User
from backoffice.people.policies import comparing
from backoffice.people.policies import document as documents
from backoffice.people.policies import services as policies
from backoffice.people.policy import may, requires

SHOWN = 50


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


@require_safe
@requires("policies.view")
def policy_list(request: HttpRequest) -> HttpResponse:
    """The version in force in words, and every version there was."""
    current = policies.in_force()
    context = {
        "current": current,
        "lines": current.document.lines(),
        "versions": PolicyVersion.objects.select_related("maker", "approval__approver")[:SHOWN],
        "may_propose": may(request.user, "policies.propose"),
        "coming": [row.number for row in policies.scheduled()],
    }
    return render(request, "policies/policy_list.html", context)


@require_safe
@requires("policies.view")
def policy_detail(request: HttpRequest, number: int) -> HttpResponse:
    """One version beside another, and for principals what it would have caught."""
    return _draw(request, number)


def _draw(request: HttpRequest, number: int, *, error: str = "", status: int = 200) -> HttpResponse:
    shown = policies.version(number)
    if shown is None:
        raise Http404
    typed = request.GET.get("with", "")
    base = shown.row.based_on if shown.row else 1
    other = policies.version(int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 8 else base)
    if other is None:
        raise Http404
    user, row = _reader(request), shown.row
    is_waiting = row is not None and row.status == PolicyStatus.PROPOSED
    lines = comparing.compare(other.document, shown.document)
    numbers = [1, *PolicyVersion.objects.order_by("number").values_list("number", flat=True)]
    context = {
        "policy": shown,
        "row": row,
        "other": other,
        "current": policies.in_force(),
        "changes": [line for line in lines if line.is_changed],
        "same": [(line.label, line.after) for line in lines if not line.is_changed],
        "lines": shown.document.lines(),
        "views": [
            {"label": f"Against version {each}", "url": f"?with={each}", "selected": each == other.number}
            for each in numbers[-12:]
            if each != number
        ],
        "trial": dry_run.trial(shown.document, by=user) if may(user, "policies.propose") else None,
        "may_decide": is_waiting and may(user, "policies.approve"),
        "is_maker": row is not None and row.maker_id == user.pk,
        "is_waiting": is_waiting,
        "coming": policies.scheduled(),
        "form": DecisionForm(initial={"document_sha256": row.document_sha256 if row else ""}),
        "error": error,
    }
    return render(request, "policies/policy_detail.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("policies.propose")
def policy_edit(request: HttpRequest) -> HttpResponse:
    """Write a change, try it on the last 30 days, propose it. Nothing typed is lost when it is refused."""
    current, coming = policies.in_force(), policies.scheduled()
    if request.method != "POST":
        form = PolicyForm(current.document, current.number)
        return render(request, "policies/policy_edit.html", {"form": form, "coming": coming})
    form, error, trial = PolicyForm(current.document, current.number, request.POST), "", None
    changes: list[comparing.Difference] = []
    if form.is_valid():
        document = form.document()
        try:
            documents.check(document)
            if "propose" in request.POST:
                row = policies.propose(
                    document,
                    by=_reader(request),
                    reason=form.rest.cleaned_data["reason"],
                    effective_at=form.effective_at(),
                    based_on=form.rest.cleaned_data["based_on"],
                )
                return redirect("policies:detail", row.number)
            trial = dry_run.trial(document, by=_reader(request))
            changes = [line for line in comparing.compare(current.document, document) if line.is_changed]
        except Refusal as refusal:
            error = str(refusal)
            _remember(request, error)
    context = {"form": form, "error": error, "trial": trial, "changes": changes, "current": current, "coming": coming}
    return render(request, "policies/policy_edit.html", context, status=200 if trial is not None else 422)


def _remember(request: HttpRequest, error: str) -> None:
    audit.record("policies.refused", by=_reader(request), summary=f"Policy refused: {error}"[:200])


def _row(number: int) -> PolicyVersion:
    found = PolicyVersion.objects.filter(number=number).first()
    if found is None:
        raise Http404
    return found


@require_POST
@requires("policies.approve")
def policy_approve(request: HttpRequest, number: int) -> HttpResponse:
    """A second principal's yes to the document that was shown."""
    row = _row(number)
    try:
        policies.approve(row, by=_reader(request), document_sha256=request.POST.get("document_sha256", ""))
    except (Conflict, NotPermitted) as error:
        _remember(request, str(error))
        return _draw(request, number, error=str(error), status=422)
    return redirect("policies:detail", number)


@require_POST
@requires("policies.approve")
def policy_decline(request: HttpRequest, number: int) -> HttpResponse:
    """No to a proposed version, or its author's own withdrawal."""
    row = _row(number)
    try:
        policies.decline(row, by=_reader(request), reason=request.POST.get("reason", ""))
    except (Conflict, NotPermitted, InvalidInput) as error:
        _remember(request, str(error))
        return _draw(request, number, error=str(error), status=422)
    return redirect("policies:detail", number)
