"""One transfer: followed until it is over, approved or not, taken back."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from backoffice.core.errors import Conflict, NotPermitted
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from backoffice.people.policy import may, requires
from funding import selectors, services, timeline, translate
from funding.forms import ApprovalForm, ReasonForm
from funding.models import CashTransfer
from funding.views import closed_until, reader


def _transfer(request: HttpRequest, pk: UUID) -> CashTransfer:
    return get_object_or_404(CashTransfer.objects.visible_to(reader(request)).listed(), pk=pk)


def _detail_context(request: HttpRequest, transfer: CashTransfer) -> dict[str, Any]:
    user = reader(request)
    submission = journal.current_for(transfer)
    state = selectors.state_of(transfer, submission)
    context: dict[str, Any] = {
        "transfer": transfer,
        "submission": submission,
        "state": state,
        "events": timeline.events(transfer, submission),
        "left": transfer.withdrawable - transfer.amount if transfer.withdrawable is not None else None,
        "money": transfer.money.rounded(),
    }
    if submission is not None:
        is_proposed, is_absent = submission.state == State.PROPOSED, submission.state == State.ABSENT
        can_release = may(user, "journal.release")
        context |= {
            "payload": _payload_facts(submission, transfer),
            "approvals": list(submission.approvals.select_related("approver")),
            "checks": timeline.checks(transfer, submission, user) if is_proposed else [],
            "is_proposed": is_proposed,
            "is_unknown": submission.state == State.UNKNOWN,
            "is_absent": is_absent,
            "doubt": f"{submission.reason.rstrip('. ')}." if submission.reason else "",
            "may_decide": submission.may_be_decided_by(user),
            "may_request": may(user, "funding.request"),
            "attempts": submission.attempts.count(),
            "looks": submission.observations.count(),
            "is_maker": submission.maker_id == user.pk,
            "may_take_back": submission.state in {State.PROPOSED, State.READY, State.ABSENT}
            and (can_release or (may(user, "funding.request") and transfer.requested_by_id == user.pk)),
            "may_release": is_absent and can_release,
            "releases": list(submission.releases.select_related("person")) if is_absent else [],
            "parked_until": _parked_until(submission),
            "meaning": translate.meaning(transfer.ibkr_words) if transfer.ibkr_status == "REJECTED" else None,
        }
    context["mark"] = _mark(transfer, submission)
    return context


def _parked_until(submission: Submission) -> datetime | None:
    if submission.state not in {State.PROPOSED, State.READY}:
        return None
    return closed_until(submission.master)


def _payload_facts(submission: Submission, transfer: CashTransfer) -> list[tuple[str, str]]:
    """The payload as it will be sent, in IBKR's names; the bank's name is its key at IBKR, its number is not in it."""
    sent = submission.payload["instruction"]
    shown = dict(sent)
    shown["amount"] = f"{sent['amount']} {sent['currency']}"
    shown.pop("currency")
    if transfer.bank is not None and transfer.bank.last4:
        shown["bankInstructionName"] = f"{sent['bankInstructionName']} \u2022\u2022\u2022\u2022 {transfer.bank.last4}"
    return [("type", submission.payload["instructionType"]), *((name, str(shown[name])) for name in sorted(shown))]


def _mark(transfer: CashTransfer, submission: Submission | None) -> str:
    """A short digest that changes when the page would."""
    said = [transfer.status, transfer.ibkr_status, transfer.polls, transfer.is_unfamiliar]
    if submission is not None:
        said += [
            submission.state,
            submission.looks,
            submission.next_look_at,
            submission.unsent_tries,
            submission.due_at,
        ]
        said += [
            submission.approvals.count(),
            submission.releases.count(),
            submission.attestations.count(),
            submission.observations.count(),
        ]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


@require_safe
@requires("funding.view")
def transfer_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One transfer: what is so, who agreed to what, what happened, and what happens next."""
    return _draw_detail(request, _transfer(request, pk))


def _draw_detail(
    request: HttpRequest, transfer: CashTransfer, *, status: int = 200, **forms_sent: forms.Form
) -> HttpResponse:
    context = _detail_context(request, transfer)
    submission = context["submission"]
    sha = submission.payload_sha256 if submission else ""
    context |= {
        "approval_form": ApprovalForm(transfer.amount, initial={"payload_sha256": sha}),
        "decline_form": ReasonForm(prefix="decline"),
        "back_form": ReasonForm(prefix="back"),
        **forms_sent,
        "sent_approval": "approval_form" in forms_sent,
        "sent_decline": "decline_form" in forms_sent,
        "sent_back": "back_form" in forms_sent,
    }
    return render(request, "funding/transfer_detail.html", context, status=status)


@require_safe
@requires("funding.view")
def transfer_live(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The moving part of the page; 204 while nothing has changed since `mark`."""
    transfer = _transfer(request, pk)
    if _mark(transfer, journal.current_for(transfer)) == request.GET.get("mark"):
        return HttpResponse(status=204)
    return render(request, "funding/_transfer.html", _detail_context(request, transfer))


@require_POST
@requires("journal.approve")
def approve(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A second person's yes, to the payload whose seal was shown, with the amount typed again."""
    transfer = _transfer(request, pk)
    form = ApprovalForm(transfer.amount, request.POST)
    if form.is_valid():
        try:
            services.approve(
                transfer,
                by=reader(request),
                payload_sha256=form.cleaned_data["payload_sha256"],
                reason=form.cleaned_data["reason"],
            )
            return redirect(transfer)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _draw_detail(request, transfer, status=422, approval_form=form)


@require_POST
@requires("journal.approve")
def decline(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A second person's no, with its reason."""
    transfer = _transfer(request, pk)
    form = ReasonForm(request.POST, prefix="decline")
    if form.is_valid():
        try:
            services.decline(transfer, by=reader(request), reason=form.cleaned_data["reason"])
            return redirect(transfer)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _draw_detail(request, transfer, status=422, decline_form=form)


@require_POST
@requires("funding.request")
def take_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give up what was not sent, or what is proven absent."""
    transfer = _transfer(request, pk)
    form = ReasonForm(request.POST, prefix="back")
    if form.is_valid():
        try:
            services.take_back(transfer, by=reader(request), reason=form.cleaned_data["reason"])
            return redirect(transfer)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _draw_detail(request, transfer, status=422, back_form=form)
