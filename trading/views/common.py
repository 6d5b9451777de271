"""What all pages share: who reads, and which answer htmx wants."""

import hashlib

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from backoffice.journal.models import Inquiry
from backoffice.people.models import User


def reader(request: HttpRequest) -> User:
    """Return who is signed in; every page stands behind sign-in."""
    assert isinstance(request.user, User)
    return request.user


def is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def mark(*parts: object) -> str:
    """Return a short text that changes when any of the parts does."""
    return hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=6).hexdigest()


def unchanged(request: HttpRequest, now: str) -> bool:
    """Tell whether a part that asks for itself shows already what is so."""
    return is_fragment(request) and request.GET.get("mark") == now


def own_inquiry(request: HttpRequest, pk: object, kind: str) -> Inquiry:
    """Return an inquiry of the person who asks; anybody else's is not found."""
    return get_object_or_404(Inquiry, pk=pk, kind=kind, asked_by=reader(request))


def go(request: HttpRequest, name: str, *args: object) -> HttpResponse:
    """Send the browser on after something was done, whether it asked by htmx or by a form."""
    url = reverse(name, args=args)
    if is_fragment(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
