"""Recording what allauth, Django and axes tell about sign-in. They tell by signals, so this listens; it decides nothing."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.db.models.signals import pre_delete
from django.http import HttpRequest

from backoffice.audit.services import Standing, digest, digest_now, record
from backoffice.core.crypto import blind_index
from backoffice.people import freshness, middleware
from backoffice.people.models import User

_FACTORS = {
    Authenticator.Type.TOTP: "An authenticator app",
    Authenticator.Type.WEBAUTHN: "A passkey",
    Authenticator.Type.RECOVERY_CODES: "Recovery codes",
}
_WAYS = {"password": "password", "mfa": "second factor"}


def listen() -> None:
    """Connect everything; called once, when the app is ready."""
    for signal, hear in {
        user_logged_in: session_begins,
        user_logged_out: signed_out,
        user_login_failed: sign_in_failed,
        user_locked_out: locked_out,
        account.user_logged_in: signed_in,
        account.password_changed: password_changed,
        account.password_set: password_changed,
        account.password_reset: password_changed,
        account.authentication_step_completed: proven,
        mfa.authenticator_added: factor_added,
        mfa.authenticator_removed: factor_removed,
        mfa.authenticator_reset: factor_reset,
        mfa.authentication_failed: code_failed,
    }.items():
        signal.connect(hear, dispatch_uid=f"{__name__}.{hear.__name__}.{id(signal)}")
    pre_delete.connect(about_to_go, sender=Authenticator, dispatch_uid=f"{__name__}.about_to_go")


def session_begins(*, request: HttpRequest, user: User, **_: Any) -> None:
    """Any way in starts the clocks; signing in is a proof of who one is. Django notes when it was only after this."""
    user.digest_before = digest_now(user)  # type: ignore[attr-defined]
    middleware.begin(request, user)
    freshness.note(request)


def proven(*, request: HttpRequest, user: User, method: str, **about: Any) -> None:
    """The person of a running session has proven who they are once more."""
    if about.get("reauthenticated"):
        freshness.note(request)
        record("people.prove_again", by=user, on=user, summary=f"By {_WAYS.get(method, method)}")


def signed_in(*, request: HttpRequest, user: User, **_: Any) -> None:
    methods = [
        _WAYS.get(each["method"], each["method"]) for each in request.session.get("account_authentication_methods", [])
    ]
    words = f"Signed in by {' and '.join(methods) or 'password'}"
    record("people.sign_in", by=user, on=user, summary=words, before=getattr(user, "digest_before", ""))


def signed_out(*, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        record("people.sign_out", by=user, on=user, summary="Signed out")


def sign_in_failed(*, credentials: dict[str, Any], **_: Any) -> None:
    """Name the person whose door it was; an address that is nobody's is kept as a keyed digest only."""
    _failed("people.sign_in_failed", credentials.get("email"), "Wrong password")


def locked_out(*, username: str | None, **_: Any) -> None:
    _failed("people.lock_out", username, "Held back after too many wrong passwords")


def _failed(action: str, email: str | None, summary: str) -> None:
    person = User.objects.filter(email__iexact=email or "").first()
    record(action, by=None, on=person, summary=summary, tried="" if person else blind_index(email or ""))


def password_changed(*, user: User, **_: Any) -> None:
    before = getattr(user, "digest_before", "")  # the adapter took it, as allauth speaks when it is done
    record("people.change_password", by=user, on=user, summary="Password changed", before=before)


def factor_added(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    made = [Standing(authenticator)]
    record("people.add_second_factor", by=user, on=user, summary=_factor(authenticator), changed=made)


def factor_removed(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    gone = _as_it_was(authenticator)
    record("people.remove_second_factor", by=user, on=user, summary=_factor(authenticator), changed=gone)


def factor_reset(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    made = [Standing(authenticator)]
    record("people.renew_recovery_codes", by=user, on=user, summary=_factor(authenticator), changed=made)


def code_failed(*, user: User, authenticator: Model, **_: Any) -> None:
    record("people.code_failed", by=None, on=user, summary="Wrong or used code")


def about_to_go(*, instance: Authenticator, **_: Any) -> None:
    """Keep what is gone when allauth tells of it: Django takes the key off a deleted row."""
    instance.stood = Standing(Authenticator(pk=instance.pk), digest(instance))


def _as_it_was(authenticator: Authenticator) -> list[Standing]:
    stood: Standing | None = getattr(authenticator, "stood", None)
    return [stood or Standing(authenticator, digest(authenticator))]


def _factor(authenticator: Authenticator) -> str:
    return _FACTORS[Authenticator.Type(authenticator.type)]
