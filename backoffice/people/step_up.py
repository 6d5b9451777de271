"""Asking somebody to prove who they are before what cannot be taken back, without losing what they typed.

A plain form that comes too late is put aside, sealed, in the person's own session, and carried out once they have
answered on allauth's page for it. A file waits on a page that fetches it: a browser that is sent to a file stays where it
was, so it would stay on the question. An htmx form stays where it is: a dialog opens over the page, and the browser sends
the form again. A program gets 403 and a sentence.
"""

import json
from typing import Any

from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.account.utils import get_next_redirect_url
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import resolve, reverse
from django.utils.http import urlencode

from backoffice.audit.services import record
from backoffice.core.crypto import Undecipherable, seal, unseal
from backoffice.people.forms import ConfirmForm
from backoffice.people.models import User
from backoffice.people.second_factor import page_before

SENTENCE = "This asks for your password or your second factor again, because the last time is too long ago."


def ask(request: HttpRequest) -> HttpResponse:
    """Answer a request that needs a fresher proof; nothing of it has been done."""
    record("people.step_up", by=request.user, summary="Asked to prove who they are", route=_route(request))
    if request.headers.get("HX-Request"):
        assert isinstance(request.user, User)
        return dialog(request, ConfirmForm(user=request.user))
    if "text/html" not in request.headers.get("Accept", "text/html") and "*/*" not in request.headers.get("Accept", ""):
        return JsonResponse({"detail": SENTENCE, "code": "step_up_needed"}, status=403)
    if request.method == "POST":
        place = request.get_full_path()
        request.session[STATE_SESSION_KEY] = {
            "callback": f"{__name__}.go_on",
            "state": {
                "path": request.path, "query": request.GET.urlencode(), "place": place, "sealed": _put_aside(request),
            },
        }  # fmt: skip
    else:  # only files ask to be read: policy.needs_step_up
        place = f"{reverse('people:file')}?{urlencode({'file': request.get_full_path(), 'back': page_before(request)})}"
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{urlencode({REDIRECT_FIELD_NAME: place})}")


def dialog(request: HttpRequest, form: ConfirmForm) -> HttpResponse:
    """Draw the dialog over the page the person is on; the page itself is left as it is."""
    response = render(request, "people/_confirm.html", {"form": form}, status=422)
    for name, value in {"HX-Retarget": "#confirm", "HX-Reswap": "innerHTML", "X-Step-Up": "needed"}.items():
        response.headers[name] = value
    return response


def _route(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def _place(request: HttpRequest) -> str:
    return f"step_up|{request.user.pk}|{request.path}"


def _put_aside(request: HttpRequest) -> str:
    """Seal what was typed. Files are not kept: a form with one is drawn again, and says so."""
    kept = {"form": request.POST.urlencode(), "had_files": bool(request.FILES)}
    return seal(json.dumps(kept).encode(), _place(request))


def go_on(request: HttpRequest, state: dict[str, Any]) -> HttpResponseBase:
    """Carry out the form that was put aside. Called by allauth once the person has proven who they are.

    allauth calls it whatever the proof was for, so a form that was left at its question is dropped by the next one: whoever
    proves who they are to fetch a file has not approved what they walked away from.
    """
    asked_for = get_next_redirect_url(request, REDIRECT_FIELD_NAME)
    if asked_for != state.get("place"):
        return HttpResponseRedirect(asked_for or reverse("home:today"))
    request.path = request.path_info = state["path"]
    try:
        kept = json.loads(unseal(state["sealed"], _place(request)))
    except Undecipherable:  # the key was taken out of use in between; the form is drawn empty
        return HttpResponseRedirect(state["path"])
    if kept["had_files"]:
        return HttpResponseRedirect(state["path"])
    request.GET = QueryDict(state["query"])
    request.POST = QueryDict(kept["form"])
    match = resolve(state["path"])
    request.resolver_match = match
    answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return answer
