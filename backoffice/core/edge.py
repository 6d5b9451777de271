"""Where a request enters: whose address it comes from, how much of it is read, and that its texts are texts."""

import ipaddress
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

Answer = Callable[[HttpRequest], HttpResponse]


class ClientAddress:
    """Behind the firm's own proxy (TRUSTED_PROXY), take the person's address from it: the last of X-Forwarded-For.

    Without this the audit would name the proxy for everybody, one person's wrong passwords would hold everybody's door,
    and IBKR would be told the wrong address when its portal is opened. The earlier ones in the header are whatever the
    caller wrote, so they are not read; and without the setting none is.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.TRUSTED_PROXY:
            told = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
            if _is_address(told):
                request.META["REMOTE_ADDR"] = told
        return self.get_response(request)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class SmallBodies:
    """Refuse what is too long by its announced length, before anything reads it (reliability.md Z08).

    Stands before the check of the form's token, which would read all of it, to a disk if need be. What announces no
    length is read as empty. As a view's answer it passes through the audit like every refusal.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if _length(request) <= most:
            return None
        sentence = f"At most {most // 1048576} MB can be sent at once. Scan the document smaller, or send less."
        return _refused(request, "too_large", sentence, status=413)


class WholeTexts:
    """Refuse a zero character, in whatever field or question: it is no text, and PostgreSQL keeps none (Z10).

    Stands behind the check of the form's token, which has read the body already.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        given = [*request.GET.lists(), *request.POST.lists()]
        if not any("\0" in text for name, values in given for text in (name, *values)):
            return None
        sentence = "A zero character, which no text holds, was sent along. Go back, and type what you pasted."
        return _refused(request, "invalid", sentence, status=400)


def _refused(request: HttpRequest, code: str, sentence: str, *, status: int) -> HttpResponse:
    if request.resolver_match and request.resolver_match.app_name == "api":
        return JsonResponse({"error": {"code": code, "message": sentence, "fields": []}}, status=status)
    return render(request, "refused.html", {"sentence": sentence}, status=status)


def _length(request: HttpRequest) -> int:
    told = request.META.get("CONTENT_LENGTH") or "0"
    return int(told) if told.isdecimal() else 0
