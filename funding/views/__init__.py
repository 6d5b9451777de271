"""The funding pages. They read and write rows; what IBKR must be asked is asked by workers.

`lists`: transfers, bank instructions, and the panel of a client's page; `tickets`: asking for a withdrawal or announcing a
deposit; `transfer`: one transfer, followed and decided on.
"""

from datetime import datetime

from django.http import HttpRequest

from backoffice.broker import calendar
from backoffice.broker.models import MasterAccount
from backoffice.people.models import User


def reader(request: HttpRequest) -> User:
    """Return the person who asked."""
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


def closed_until(master: MasterAccount) -> datetime | None:
    """Return when IBKR's funds and banking opens again (UTC), or None while it is open."""
    closed = calendar.parked_until(master, "funding")
    return closed.ends if closed else None
