"""Who may do what. The only place that decides; views, templates and services ask here.

A permission is a name, "funding.request_withdrawal". Which rows it reaches is decided by querysets
(`.visible_to(user)`), so a person who may not see a row gets "not found", never "forbidden". A name that is not in the
table is refused to everybody.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from backoffice.people.models import Role, User

_READERS = {Role.ADVISOR, Role.OPERATIONS, Role.PRINCIPAL, Role.VIEWER}
_DESK = {Role.ADVISOR, Role.OPERATIONS, Role.PRINCIPAL}

PERMISSIONS: dict[str, frozenset[str]] = {
    name: frozenset(roles)
    for name, roles in {
        "home.view_today": {*_READERS, Role.ADMINISTRATOR},
        "home.view_components": {Role.ADMINISTRATOR},
        "clients.view": _READERS,
        "clients.apply": _DESK,
        "clients.maintain": _DESK,
        "clients.open_portal": _DESK,
        "funding.view": _READERS,
        "funding.request": _DESK,
        "funding.approve": {Role.PRINCIPAL},
        "trading.view": _READERS,
        "trading.trade": {Role.ADVISOR, Role.PRINCIPAL},
        "trading.manage_groups": {Role.ADVISOR, Role.PRINCIPAL},
        "reporting.view": _READERS,
        "reporting.fetch": _DESK,
        "journal.approve": {Role.PRINCIPAL},
        "journal.release": {Role.PRINCIPAL, Role.OPERATIONS},
        "broker.view_connections": {Role.PRINCIPAL, Role.ADMINISTRATOR},
        "broker.test_connection": {Role.PRINCIPAL, Role.ADMINISTRATOR},
        "broker.close_gate": {Role.PRINCIPAL, Role.ADMINISTRATOR, Role.OPERATIONS},
        "broker.open_gate": {Role.PRINCIPAL},
    }.items()
}


def may(user: Any, permission: str) -> bool:
    """Tell whether `user` holds `permission` now. Signed out, inactive and unknown are all no."""
    return isinstance(user, User) and user.is_active and user.role in PERMISSIONS.get(permission, frozenset())


View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def requires(permission: str) -> Callable[[View], View]:
    """Guard a view with one permission; its name stays readable on the view as `.permission`."""
    if permission not in PERMISSIONS:
        raise LookupError(f"{permission} is not in the policy")

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, permission):
                raise PermissionDenied(f"Your role does not include {permission}.")
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return cast(View, guarded)

    return decorate
