"""The pages of clients. Decisions are made in services; a view reads, asks, and draws."""

from django.http import HttpRequest

from backoffice.people.models import User


def reader(request: HttpRequest) -> User:
    """Return the person who asked; views here are behind sign-in."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("a page behind sign-in was reached without it")
    return user


def is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"
