"""What everybody sees of their own account: where they are signed in, keys for programs, proving who they are again."""

from uuid import UUID

from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.mfa.base.forms import ReauthenticateForm as CodeAgain
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.core.errors import Conflict, InvalidInput
from backoffice.people import policy, selectors, services, step_up, tokens
from backoffice.people.forms import ConfirmForm, TokenForm
from backoffice.people.models import ApiToken
from backoffice.people.policy import requires
from backoffice.people.views.directory import reader


@require_safe
@requires("people.view_own")
def session_list(request: HttpRequest) -> HttpResponse:
    devices = selectors.devices(reader(request), here=request.session.session_key)
    return render(request, "people/session_list.html", {"devices": devices})


@require_POST
@requires("people.view_own")
def session_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign out one browser of one's own."""
    services.end_session(get_object_or_404(UserSession, pk=pk, user=reader(request)), by=reader(request))
    return redirect("people:sessions")


@require_POST
@requires("people.view_own")
def session_end_others(request: HttpRequest) -> HttpResponse:
    number = services.end_other_sessions(reader(request), by=reader(request), but=request.session.session_key)
    messages.info(request, f"{number} signed out." if number else "You are signed in nowhere else.")
    return redirect("people:sessions")


@require_safe
@requires("people.view_own")
def stay(request: HttpRequest) -> HttpResponse:
    """Say that somebody is there: the page's warning asks for this."""
    return HttpResponse(status=204)


@require_safe
@requires("people.view_own")
def file_waiting(request: HttpRequest) -> HttpResponse:
    """Fetch the file that waited for a proof (`?file=`), on a page with the way `back` to where it was asked for."""
    file, back = request.GET.get("file", ""), request.GET.get("back", "")
    if not (_is_local(file) and policy.is_file_behind_proof(file)):
        return redirect("home:today")
    context = {"file": file, "back": back if _is_local(back) else reverse("home:today")}
    return render(request, "people/file_waiting.html", context)


def _is_local(address: str) -> bool:
    return address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)


@require_http_methods(["GET", "POST"])
@requires("people.manage_tokens")
def token_list(request: HttpRequest) -> HttpResponse:
    """One's tokens, and the form for a new one. The answer to the form is the only page that ever shows the token."""
    person = reader(request)
    scopes = {name: policy.SCOPE_WORDS[name] for name in policy.grantable(person)}
    form = TokenForm(request.POST or None, scopes=scopes)
    made, text, refused = None, "", ""
    if request.method == "POST" and form.is_valid():
        try:
            made, text = tokens.create(owner=person, **form.cleaned_data)
        except InvalidInput as error:
            form.add_error(error.field, str(error))
        except Conflict as error:
            form, refused = TokenForm(scopes=scopes), str(error)
        else:
            form = TokenForm(scopes=scopes)
    context = {
        "tokens": person.tokens.select_related("revoked_by").order_by("-created_at"),
        "form": form,
        "made": made,
        "text": text,
        "refused": refused,
    }
    status = 409 if refused else 422 if form.is_bound else 200
    return render(request, "people/token_list.html", context, status=status)


@require_POST
@requires("people.view_own")
def token_revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    tokens.revoke(get_object_or_404(ApiToken, pk=pk, owner=reader(request)), by=reader(request))
    return redirect("people:tokens")


@sensitive_post_parameters()
@require_POST
@requires("people.view_own")
def confirm(request: HttpRequest) -> HttpResponse:
    """Take the proof that the dialog asks for; the page then sends again what was held back."""
    form = ConfirmForm(request.POST, user=reader(request))
    if not form.is_valid():
        return step_up.dialog(request, form)
    if isinstance(form.judge, CodeAgain):
        form.judge.save()
    else:
        reauthenticate_by_password(request)
    return HttpResponse(headers={"HX-Retarget": "#confirm", "HX-Reswap": "innerHTML", "HX-Trigger": "bo:confirmed"})
