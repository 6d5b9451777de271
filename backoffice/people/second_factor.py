"""Asking for a second factor before personal data leaves, of whoever may be signed in without one: viewers.

They stay where they are. A form asked for by htmx gets a dialog over its page; anything else gets a page in its place, with
the way on to what was asked for and, of a posted form, with what was typed. A factor is set up in a tab beside it.
"""

from urllib.parse import urlsplit, urlunsplit

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from backoffice.people.models import User

SENTENCE = "This shows or hands out people's data, so it asks for a second factor, and your account has none."
CODE = "second_factor_needed"
_CSRF = "csrfmiddlewaretoken"  # the page has its own


def has_one(user: User) -> bool:
    """Tell whether this person has a factor of their own; recovery codes alone are none."""
    return bool(Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES).exists())


def is_lacking(user: User) -> bool:
    """Tell whether the firm enforces second factors and this person has none."""
    return bool(settings.MFA_REQUIRED) and not has_one(user)


def lead(request: HttpRequest) -> HttpResponse:
    """Say what is missing and lead to where it is set up; nothing of the request has been done."""
    if request.headers.get("HX-Request"):
        response = render(request, "people/_second_factor_needed.html", {"sentence": SENTENCE}, status=422)
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#confirm", "innerHTML"
        return response
    accepted = request.headers.get("Accept", "text/html")
    if "text/html" not in accepted and "*/*" not in accepted:
        return JsonResponse({"detail": SENTENCE, "code": CODE}, status=403)
    context = {
        "sentence": SENTENCE,
        "address": request.get_full_path(),
        "typed": [(name, value) for name, values in request.POST.lists() for value in values if name != _CSRF],
        "back": page_before(request),
    }
    return render(request, "people/second_factor_needed.html", context, status=403)


def page_before(request: HttpRequest) -> str:
    """Return the address in this site that the request came from, or "" when the browser does not say."""
    before = urlsplit(request.headers.get("Referer", ""))
    return urlunsplit(before._replace(scheme="", netloc="")) if before.netloc == request.get_host() else ""
