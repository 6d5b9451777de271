"""The evidence of one submission, its release, and the word of people where looks cannot end a doubt.

The journal is the ground below the apps: a subject is reached by its name, and its page by its own address.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from backoffice.core.errors import Conflict, NotPermitted
from backoffice.core.lifecycle import history
from backoffice.journal import looking, selectors
from backoffice.journal import services as journal
from backoffice.journal.forms import AttestationForm, GivingUpForm, ReleaseForm
from backoffice.journal.models import State, Submission
from backoffice.people.models import User
from backoffice.people.policy import may, requires


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


def _listed(request: HttpRequest, pk: UUID) -> selectors.Listed:
    submission = get_object_or_404(Submission.objects.select_related("maker", "master"), pk=pk)
    found = selectors.visible([submission], _reader(request))
    if not found:
        raise Http404
    return found[0]


@require_safe
@requires("clients.view")
def submission_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Everything kept about one effect: payload, people, attempts, looks and moves."""
    return _draw(request, _listed(request, pk))


def _draw(request: HttpRequest, listed: selectors.Listed, **filled: Form) -> HttpResponse:
    """Draw the page; `filled` is the form that was refused, under its name on the page."""
    submission, user = listed.submission, _reader(request)
    attempts = list(submission.attempts.all())
    releases = list(submission.releases.select_related("person"))
    attestations = list(submission.attestations.select_related("person"))
    may_decide = may(user, "journal.release")
    may_attest = submission.state == State.UNKNOWN and may_decide
    context = {
        "submission": submission,
        "url": listed.url,
        "payload": selectors.payload_facts(submission),
        "approvals": list(submission.approvals.select_related("approver")),
        "releases": releases,
        "attempts": attempts,
        "observations": list(submission.observations.all()),
        "moves": list(history(submission)),
        "may_release": submission.state == State.ABSENT and may_decide,
        "has_released": any(each.person_id == user.pk and each.for_attempt == len(attempts) for each in releases),
        "attestations": attestations,
        "may_attest": may_attest,
        "has_attested": any(each.person_id == user.pk and each.for_attempt == len(attempts) for each in attestations),
        "speaks_against": looking.speaks_against_absence(submission) if may_attest else "",
        "release_form": ReleaseForm(),
        "giving_up_form": GivingUpForm(),
        "attestation_form": AttestationForm(),
        **filled,
        "refused": next(iter(filled.values()), None),
    }
    return render(request, "journal/submission_detail.html", context, status=422 if filled else 200)


@require_POST
@requires("journal.release")
def submission_release(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One of two people's word that it may be sent again, under its own key."""
    listed, by = _listed(request, pk), _reader(request)
    return _decide(request, listed, release_form=(ReleaseForm, partial(journal.release, listed.submission, by=by)))


@require_POST
@requires("journal.release")
def submission_give_up(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What is absent at IBKR is not sent again; the app whose row it is about closes that within seconds."""
    listed, by = _listed(request, pk), _reader(request)

    def give_up(reason: str) -> None:
        if listed.submission.state != State.ABSENT:
            raise Conflict("Only what is absent at IBKR can be given up here.")
        journal.withdraw(listed.submission, by=by, reason=reason)

    return _decide(request, listed, giving_up_form=(GivingUpForm, give_up))


@require_POST
@requires("journal.release")
def submission_attest(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One of two people's word that IBKR has nothing of it; the second makes it absent, and nothing leaves by it."""
    listed, by = _listed(request, pk), _reader(request)
    act = partial(journal.attest, listed.submission, by=by)
    return _decide(request, listed, attestation_form=(AttestationForm, act))


def _decide(
    request: HttpRequest, listed: selectors.Listed, **posted: tuple[type[Form], Callable[..., Any]]
) -> HttpResponse:
    """Do what was posted, a form under its name on the page and the act it asks for, and show what it came to; or draw the
    page with what is wrong.
    """
    ((name, (kind, act)),) = posted.items()
    form = kind(request.POST)
    if form.is_valid():
        try:
            act(**form.cleaned_data)
            return redirect("journal:submission_detail", pk=listed.submission.pk)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _draw(request, listed, **{name: form})
