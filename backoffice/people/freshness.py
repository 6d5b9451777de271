"""When the person behind a session last proved who they are: by signing in, by their password again, or by a factor."""

from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest

from backoffice.core import clock

_PROVEN = "proven_at"


def note(request: HttpRequest) -> None:
    """The person has just proven who they are."""
    request.session[_PROVEN] = clock.now().isoformat()


def forget(request: HttpRequest) -> None:
    request.session.pop(_PROVEN, None)


def is_fresh(request: HttpRequest) -> bool:
    """Tell whether the last proof is at most STEP_UP_SECONDS old."""
    proven = request.session.get(_PROVEN)
    if proven is None:
        return False
    age = clock.now() - datetime.fromisoformat(proven)
    return timedelta(0) <= age <= timedelta(seconds=settings.STEP_UP_SECONDS)
