"""How long wrong passwords hold an address back for one person: a quarter of an hour, doubled each time within a day."""

from datetime import timedelta

from axes.helpers import get_client_username
from axes.models import AccessFailureLog
from django.http import HttpRequest

from backoffice.core import clock

FIRST = timedelta(minutes=15)
LONGEST = timedelta(hours=8)


def wait(request: HttpRequest | None) -> timedelta:
    """Return the present wait, for django-axes. Whether the person exists makes no difference to it."""
    if request is None:
        return FIRST
    before: int = AccessFailureLog.objects.filter(
        locked_out=True,
        username=get_client_username(request),
        ip_address=getattr(request, "axes_ip_address", None),
        attempt_time__gte=clock.now() - timedelta(days=1),
    ).count()
    doublings = min(max(before - 1, 0), 5)
    return min(FIRST * (1 << doublings), LONGEST)


def person_tried(request: HttpRequest | None, credentials: dict[str, str] | None) -> str | None:
    """Return whose door was tried, for django-axes: allauth calls it "email", the form and axes itself "login"."""
    given = credentials or {}
    typed = given.get("email") or given.get("login") or (request.POST.get("login") if request is not None else None)
    return typed.strip().lower() if typed else None
