"""Keys for programs: shown once, kept as a digest, holding some of their owner's permissions, until a day.

    Authorization: Bearer bo_...

A token may do what its scopes say and its owner may still do now. It never holds a permission that asks for step-up,
because nobody stands behind a program to be asked.
"""

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from backoffice.audit.services import digest as digest_of_row
from backoffice.audit.services import record
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.people import freshness, policy, second_factor
from backoffice.people.models import ApiToken, User
from backoffice.people.services import digest

PREFIX = "bo_"
MOST_DAYS = 365
_TOUCH = timedelta(minutes=1)  # how often a use is written down


@transaction.atomic
def create(*, owner: User, name: str, scopes: list[str], days: int, intent: UUID | None = None) -> tuple[ApiToken, str]:
    """Make a token for oneself; return its row and the only copy of its text.

    Raises InvalidInput, and Conflict when the same `intent` made one before: its text is not kept, so it cannot come again.
    """
    wanted = sorted(set(scopes))
    if not wanted:
        raise InvalidInput("scopes", "A token needs at least one permission.")
    if beyond := [scope for scope in wanted if scope not in policy.grantable(owner)]:
        raise InvalidInput("scopes", f"You cannot give a token {', '.join(beyond)}.")
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput("days", f"A token works for 1 to {MOST_DAYS} days.")
    text, now = PREFIX + secrets.token_urlsafe(32), clock.now()
    columns: dict[str, Any] = {"name": name.strip(), "hint": text[:8], "scopes": wanted, "created_at": now,
               "expires_at": now + timedelta(days=days)}  # fmt: skip
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(owner=owner, sha256=digest(text), intent=intent, **columns)
    except IntegrityError:
        if intent is None or not ApiToken.objects.filter(intent=intent).exists():
            raise
        raise Conflict(
            "This form was sent twice. Its token was made the first time and shown then; revoke it if you missed it."
        ) from None
    record("people.create_token", by=owner, on=token, summary=f"For {days} days: {', '.join(wanted)}")
    return token, text


@transaction.atomic
def revoke(token: ApiToken, *, by: User) -> None:
    """End a token now: one's own, or anybody's for whoever manages people. Ending it twice changes nothing."""
    if token.owner_id != by.pk and not policy.may(by, "people.manage"):
        raise NotPermitted("Only its owner or an administrator may revoke a token.")
    token = ApiToken.objects.select_for_update().get(pk=token.pk)
    if token.revoked_at is None:
        before = digest_of_row(token)
        token.revoked_at, token.revoked_by = clock.now(), by
        token.save(update_fields=["revoked_at", "revoked_by"])
        record("people.revoke_token", by=by, on=token, summary="Revoked", before=before)


class TokenAuthentication(BaseAuthentication):
    """`request.user` is the owner and `request.auth` the ApiToken. A wrong, ended or foreign token is 401, one sentence."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = ApiToken.objects.select_related("owner").filter(sha256=digest(text.strip())).first()
        if token is None or not token.is_working or not _may_act(token.owner):
            if token is not None:
                record("people.refuse_token", by=token.owner, on=token, summary="An ended token was tried")
            raise AuthenticationFailed("This token does not work: it is unknown, has expired or was revoked.")
        _touch(token, request.META.get("REMOTE_ADDR"))
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _may_act(owner: User) -> bool:
    return owner.is_active and (settings.DEMONSTRATION or not owner.is_demonstration)


def _touch(token: ApiToken, address: str | None) -> None:
    now = clock.now()
    if token.last_used_at is None or now - token.last_used_at >= _TOUCH or token.last_address != address:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_address=address)


def may(request: Request | HttpRequest, permission: str) -> bool:
    """Tell whether this request may use `permission`: the person's role now and, with a token, the token's scopes."""
    token = getattr(request, "auth", None)
    if not policy.may(request.user, permission):
        return False
    # A token made before a permission came to ask for step-up still does not hold it.
    return not isinstance(token, ApiToken) or (permission in token.scopes and permission not in policy.STEP_UP)


def _named(view: object, method: str) -> object:
    """Return the permission a view names for a method. What it does not serve at all is 405 to whoever may read it."""
    named = getattr(view, "permission", None)
    if not isinstance(named, dict):
        return named
    is_served = method != "OPTIONS" and hasattr(view, method.lower())
    return named.get(method if is_served else "GET")


class HasPermission(BasePermission):
    """Admit whoever holds the view's `permission` (a name, or one per method as a dict). A view without one is closed.

    In a browser's session, what asks for step-up asks for it here too: 403, with `step_up_needed` as its code.
    """

    def has_permission(self, request: Request, view: object) -> bool:
        name = _named(view, str(request.method))
        if not isinstance(name, str) or not may(request, name):
            self.message = f"Your role or your token does not include {name}."
            return False
        if policy.lacks_second_factor(request.user, name, view):
            self.message, self.code = second_factor.SENTENCE, second_factor.CODE
            return False
        if isinstance(request.auth, ApiToken):
            return True
        if policy.needs_step_up(name, request.method) and not freshness.is_fresh(request._request):
            self.message = "Prove who you are again first: your password or your second factor."
            self.code = "step_up_needed"
            return False
        return True
