"""Who may do what. The only place that decides; views, templates and services ask here.

A permission is a name, "funding.request_withdrawal". Which rows it reaches is decided by querysets
(`.visible_to(user)`), so a person who may not see a row gets "not found", never "forbidden". A name that is not in the
table is refused to everybody.

What cannot be taken back, or shows much of a person, is done by somebody who has proven who they are in the last five
minutes (`STEP_UP`); `requires` asks for it, and for a second factor where personal data leaves (`_PERSONAL`). Programs
cannot be asked who they are, so their tokens never hold such a permission.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve

from backoffice.people import freshness, second_factor, step_up
from backoffice.people.models import Role, User

_EVERYBODY = frozenset(Role.values)
_READERS = {Role.ADVISOR, Role.OPERATIONS, Role.PRINCIPAL, Role.VIEWER}
_DESK = {Role.ADVISOR, Role.OPERATIONS, Role.PRINCIPAL}

PERMISSIONS: dict[str, frozenset[str]] = {
    name: frozenset(roles)
    for name, roles in {
        "home.view_today": _EVERYBODY,
        "home.view_components": {Role.ADMINISTRATOR},
        "people.view_own": _EVERYBODY,
        "people.manage_tokens": _EVERYBODY,
        "people.view": {Role.ADMINISTRATOR, Role.PRINCIPAL},
        "people.manage": {Role.ADMINISTRATOR},
        "people.agree": {Role.ADMINISTRATOR, Role.PRINCIPAL},
        "clients.view": _READERS,
        "clients.reveal": _READERS,
        "clients.export": _READERS,
        "clients.apply": _DESK,
        "clients.submit": _DESK,
        "clients.maintain": _DESK,
        "clients.open_portal": _DESK,
        "clients.view_retention": {Role.OPERATIONS, Role.PRINCIPAL},
        "clients.hold": {Role.OPERATIONS, Role.PRINCIPAL},
        "clients.release_hold": {Role.PRINCIPAL},
        "clients.destroy": {Role.PRINCIPAL},
        "funding.view": _READERS,
        "funding.export": _READERS,
        "funding.request": _DESK,
        "funding.send": _DESK,  # where the policy lets a withdrawal go without a second person
        "trading.view": _READERS,
        "trading.export": _READERS,
        "trading.trade": {Role.ADVISOR, Role.PRINCIPAL},
        "trading.send": {Role.ADVISOR, Role.PRINCIPAL},
        "trading.manage_groups": {Role.ADVISOR, Role.PRINCIPAL},
        "reporting.view": _READERS,
        "reporting.fetch": _DESK,
        "journal.approve": {Role.PRINCIPAL, Role.OPERATIONS},  # of what the policy gives to their role
        "journal.add_evidence": _DESK,
        "policies.view": _READERS | {Role.ADMINISTRATOR},
        "policies.propose": {Role.PRINCIPAL},
        "policies.approve": {Role.PRINCIPAL},
        "journal.release": {Role.PRINCIPAL, Role.OPERATIONS},
        "audit.view": {Role.PRINCIPAL, Role.ADMINISTRATOR},
        "audit.export": {Role.PRINCIPAL, Role.ADMINISTRATOR},
        "audit.verify": {Role.PRINCIPAL, Role.ADMINISTRATOR},
        "audit.evidence": {Role.PRINCIPAL, Role.OPERATIONS},
        "audit.who_saw": {Role.PRINCIPAL, Role.OPERATIONS},
        "broker.view_connections": {Role.PRINCIPAL, Role.ADMINISTRATOR},
        "broker.test_connection": {Role.PRINCIPAL, Role.ADMINISTRATOR},
        "broker.close_gate": {Role.PRINCIPAL, Role.ADMINISTRATOR, Role.OPERATIONS},
        "broker.open_gate": {Role.PRINCIPAL},
    }.items()
}

# What a token may be given, as its owner reads it.
SCOPE_WORDS = {
    "home.view_today": "Read Today and the notices",
    "clients.view": "Read clients, accounts and applications",
    "clients.apply": "Write applications",
    "clients.view_retention": "Read how long personal data is kept",
    "clients.hold": "Place a legal hold",
    "funding.view": "Read transfers and bank instructions",
    "funding.request": "Ask for withdrawals and announce deposits",
    "trading.view": "Read portfolios and orders",
    "trading.trade": "Write order drafts",
    "reporting.view": "Read and download reports",
    "reporting.fetch": "Fetch reports from IBKR",
    "journal.add_evidence": "Add papers to an approval",
    "policies.view": "Read the policies",
    "audit.view": "Read the audit trail",
    "audit.verify": "Check the audit chain",
    "audit.who_saw": "Read who saw a person",
    "broker.view_connections": "Read the connections",
    "broker.test_connection": "Test a connection",
    "broker.close_gate": "Stop outgoing writes",
    "home.view_components": "Read the page of components",
}

# Asked for again whatever the method: reading is the act. These are the files with many people in them: lists of clients,
# transfers, orders and holdings, the audit with who did what from which address, and the packs of evidence. One statement,
# tax form or paper of one client (reporting.view, clients.view) is no export: whoever takes it has that client before them,
# the entry names whose it is, and an hour's share bounds how many (`audit.disclosures`). Programs read statements by the
# same rule; no token holds what is listed here. tests/backoffice/test_downloads.py knows every file that is handed out.
_STEP_UP_TO_READ = frozenset({"clients.export", "funding.export", "trading.export", "audit.export", "audit.evidence"})
# Asked for again when something is posted: approve, send, change people, reveal, open a gate. A document is sent without,
# since a form with a file cannot be put aside; only IBKR's own request for it opens that form. So is a cancel: it cannot wait.
STEP_UP = _STEP_UP_TO_READ | {
    "clients.submit",
    "clients.maintain",
    "clients.reveal",
    "clients.open_portal",  # signs in with the client's rights
    "clients.release_hold",
    "clients.destroy",
    "funding.send",
    "trading.send",
    "trading.manage_groups",
    "journal.approve",
    "journal.release",
    "policies.propose",
    "policies.approve",
    "broker.open_gate",
    "people.manage",
    "people.agree",
    "people.manage_tokens",
}


# What takes personal data out or shows it whole: nobody does so with a password alone where the firm enforces second
# factors, not even who may look around without one. Views of one person's file say so themselves (`hands_out`).
_PERSONAL = frozenset(
    {
        "clients.reveal", "clients.export", "funding.export", "trading.export", "audit.export", "audit.evidence",
        "audit.who_saw",
    }
)  # fmt: skip


def lacks_second_factor(user: Any, permission: str, view: object) -> bool:
    """Tell whether this person must set up a second factor before a view, or what a permission gives, is theirs."""
    return (permission in _PERSONAL or getattr(view, "hands_out", False)) and second_factor.is_lacking(user)


def needs_step_up(permission: str, method: str | None) -> bool:
    """Tell whether using `permission` by an HTTP method asks for a proof of at most five minutes ago."""
    return permission in _STEP_UP_TO_READ or (permission in STEP_UP and method not in {"GET", "HEAD", "OPTIONS"})


def is_file_behind_proof(address: str) -> bool:
    """Tell whether a local `address`, with or without a query, is a file that asks for a proof though it is only read."""
    try:
        view = resolve(urlsplit(address).path).func
    except (Resolver404, ValueError):
        return False
    return getattr(view, "permission", "") in _STEP_UP_TO_READ


def grantable(user: User) -> list[str]:
    """Return, sorted, the permissions this person may hand on to a token of theirs."""
    return sorted(
        name for name in PERMISSIONS if may(user, name) and name not in STEP_UP and not name.startswith("people.")
    )


def may(user: Any, permission: str) -> bool:
    """Tell whether `user` holds `permission` now. Signed out, inactive and unknown are all no."""
    return isinstance(user, User) and user.is_active and user.role in PERMISSIONS.get(permission, frozenset())


def held_back(request: HttpRequest, permission: str) -> HttpResponse | None:
    """Return the question who it is, when using `permission` now needs a fresher proof; None when it may go on.

    `requires` asks this by itself. A view calls it only where one address serves two permissions, such as a gate's.
    """
    return None if is_proven(request, permission) else step_up.ask(request)


def is_proven(request: HttpRequest, permission: str) -> bool:
    """Tell whether using `permission` now needs no further proof of who it is."""
    return not needs_step_up(permission, request.method) or freshness.is_fresh(request)


View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def hands_out(view: View) -> View:
    """Mark a view that hands out a file of one person; stands below `requires`."""
    view.hands_out = True  # type: ignore[attr-defined]
    return view


def requires(permission: str) -> Callable[[View], View]:
    """Guard a view with one permission; its name stays readable on the view as `.permission`."""
    if permission not in PERMISSIONS:
        raise LookupError(f"{permission} is not in the policy")

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, permission):
                raise PermissionDenied(f"Your role does not include {permission}.")
            if lacks_second_factor(request.user, permission, view):
                return second_factor.lead(request)
            return held_back(request, permission) or view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return cast(View, guarded)

    return decorate
