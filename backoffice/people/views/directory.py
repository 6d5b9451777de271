"""The people page: who is here, as what, with whose clients; seats offered; closing a door."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.audit.models import Entry
from backoffice.core.errors import Conflict, InvalidInput, Refusal
from backoffice.people import seats, selectors, services
from backoffice.people.forms import BooksForm, InvitationForm, RoleForm
from backoffice.people.models import Book, Invitation, Role, SeatChange, SeatStatus, User
from backoffice.people.policy import may, requires
from backoffice.people.tokens import revoke

STATES = {"": "Everybody", "active": "Active", "no-factor": "Without a second factor", "closed": "Closed"}


def reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


def _link(request: HttpRequest) -> Callable[[str], str]:
    return lambda secret: request.build_absolute_uri(reverse("people:accept", args=[secret]))


def _decisions(changes: Iterable[SeatChange], user: User) -> list[dict[str, Any]]:
    """What waits for a second person, with what this one may do about it."""
    return [
        {
            "change": change,
            "may_agree": seats.may_decide(change, user),
            "may_take_back": may(user, "people.agree") and change.asked_by_id == user.pk,
        }
        for change in changes
    ]


@require_safe
@requires("people.view")
def person_list(request: HttpRequest) -> HttpResponse:
    """Everybody by name, narrowed by state and role."""
    state, role = request.GET.get("state", ""), request.GET.get("role", "")
    state, role = state if state in STATES else "", role if role in Role.values else ""

    def address(**chosen: str) -> str:
        return "?" + urlencode(
            {name: value for name, value in ({"state": state, "role": role} | chosen).items() if value}
        )

    context = {
        "rows": selectors.rows(role=role, state=state),
        "waiting": _decisions(seats.waiting(), reader(request)),
        "invitations": selectors.open_invitations().select_related("invited_by").prefetch_related("books"),
        "views": [{"label": word, "url": address(state=key), "selected": key == state} for key, word in STATES.items()],
        "filters": [
            {
                "label": "Role",
                "value": Role(role).label if role else "",
                "url": address(role=""),
                "choices": [(address(role=key), word) for key, word in Role.choices],
            }
        ],
        "may_manage": may(request.user, "people.manage"),
    }
    return render(request, "people/person_list.html", context)


@require_http_methods(["GET", "POST"])
@requires("people.manage")
def invite(request: HttpRequest) -> HttpResponse:
    """Offer a seat."""
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitation = services.invite(**form.cleaned_data, by=reader(request), link=_link(request))
        except InvalidInput as error:
            form.add_error(error.field, str(error))
        except Conflict as error:
            form.add_error(None, str(error))
        else:
            messages.info(request, _said_of(invitation))
            return redirect("people:list")
    return render(request, "people/invite.html", {"form": form}, status=422 if form.is_bound else 200)


def _said_of(invitation: Invitation) -> str:
    if seats.waiting().filter(invitation=invitation).exists():
        return "A second principal or administrator must agree; then the letter goes out."
    return "The invitation is on its way."


@require_POST
@requires("people.manage")
def invitation_resend(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.resend(get_object_or_404(Invitation, pk=pk), by=reader(request), link=_link(request))
    messages.info(request, "Sent again. The earlier link no longer works.")
    return redirect("people:list")


@require_POST
@requires("people.manage")
def invitation_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.withdraw(get_object_or_404(Invitation, pk=pk), by=reader(request))
    messages.info(request, "The invitation is withdrawn.")
    return redirect("people:list")


@require_POST
@requires("people.agree")
def seat_agree(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A second person's yes to power that somebody is to have."""
    change = get_object_or_404(SeatChange, pk=pk)
    if not seats.was_said(change, by=reader(request), status=SeatStatus.AGREED):
        services.agree(change, by=reader(request), link=_link(request))
    messages.info(request, f"Agreed: {change.about} {change.words}.")
    return _back(change)


@require_POST
@requires("people.agree")
def seat_decline(request: HttpRequest, pk: UUID) -> HttpResponse:
    change = get_object_or_404(SeatChange, pk=pk)
    said = SeatStatus.DROPPED if change.asked_by_id == reader(request).pk else SeatStatus.DECLINED
    if not seats.was_said(change, by=reader(request), status=said):
        seats.decline(change, by=reader(request))
    messages.info(request, "Left as it was.")
    return _back(change)


def _back(change: SeatChange) -> HttpResponse:
    return redirect("people:detail", pk=change.person_id) if change.person_id else redirect("people:list")


@require_safe
@requires("people.view")
def person_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _page(request, get_object_or_404(User, pk=pk))


def _page(
    request: HttpRequest, person: User, *, form: Any = None, sentence: str = "", status: int = 200
) -> HttpResponse:
    is_self = person.pk == reader(request).pk
    context = {
        "person_shown": person,
        "is_self": is_self,
        "may_change": may(request.user, "people.manage") and not is_self,
        "may_manage": may(request.user, "people.manage"),
        "role_form": form if isinstance(form, RoleForm) else RoleForm(initial={"role": person.role}),
        "books_form": BooksForm(initial={"books": person.books.all()}),
        "books": [book.name for book in person.books.order_by("name")],
        "factors": selectors.factors_of(person),
        "devices": selectors.devices(person),
        "tokens": person.tokens.select_related("revoked_by").order_by("-created_at"),
        "history": Entry.objects.filter(subject_model="people.user", subject_id=str(person.pk))
        .select_related("actor")
        .order_by("-at")[:20],
        "sentence": sentence,
        "waiting": _decisions(seats.waiting().filter(person=person), reader(request)),
        "has_books": Book.objects.exists(),
    }
    return render(request, "people/person_detail.html", context, status=status)


@require_POST
@requires("people.manage")
def person_role(request: HttpRequest, pk: UUID) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _page(request, get_object_or_404(User, pk=pk), form=form, status=422)
    return _change(
        request, pk, lambda person: services.change_role(person, role=form.cleaned_data["role"], by=reader(request))
    )


@require_POST
@requires("people.manage")
def person_books(request: HttpRequest, pk: UUID) -> HttpResponse:
    form = BooksForm(request.POST)
    if not form.is_valid():
        gone = "One of these books is not there any more."
        sentence = gone if "books" in form.errors else str(form.non_field_errors()[0])
        return _page(request, get_object_or_404(User, pk=pk), sentence=sentence, status=422)
    return _change(
        request, pk, lambda person: services.change_books(person, books=form.cleaned_data["books"], by=reader(request))
    )


@require_POST
@requires("people.manage")
def person_close(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _change(request, pk, lambda person: services.deactivate(person, by=reader(request)))


@require_POST
@requires("people.manage")
def person_open(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _change(request, pk, lambda person: services.reactivate(person, by=reader(request)))


@require_POST
@requires("people.manage")
def person_factors(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _change(request, pk, lambda person: services.remove_second_factors(person, by=reader(request)))


@require_POST
@requires("people.manage")
def person_sign_out(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _change(request, pk, lambda person: services.end_other_sessions(person, by=reader(request)))


@require_POST
@requires("people.manage")
def person_token_revoke(request: HttpRequest, pk: UUID, token: UUID) -> HttpResponse:
    return _change(request, pk, lambda person: revoke(get_object_or_404(person.tokens, pk=token), by=reader(request)))


def _change(request: HttpRequest, pk: UUID, change: Callable[[User], object]) -> HttpResponse:
    """Make one change to a person and come back to their page; a refusal is said there."""
    person = get_object_or_404(User, pk=pk)
    try:
        change(person)
    except InvalidInput as refused:
        return _page(request, person, sentence=str(refused), status=422)
    except Refusal as refused:
        return _page(request, person, sentence=str(refused), status=403)
    return redirect("people:detail", pk=pk)
