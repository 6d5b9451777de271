"""What allauth is told about this firm: who may sign in, where secrets are kept, who may put a factor down."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from backoffice.audit.services import digest_now
from backoffice.core.crypto import seal, unseal
from backoffice.people import freshness
from backoffice.people.models import Role, User

SECRETS_PLACE = "mfa_authenticator|secret"


def needs_second_factor(user: User) -> bool:
    """Tell whether this person must have a second factor to come in: everybody but a viewer, unless the demonstration says none.

    A viewer is asked for one once personal data is to leave (`second_factor`).
    """
    return bool(settings.MFA_REQUIRED) and user.role != Role.VIEWER


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """People are invited, they do not sign themselves up."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The e-mail address or the password is not right.",
        "too_many_login_attempts": "Too many wrong attempts. Wait a few minutes, then try again.",
        "incorrect_password": "The password is not right.",
        "enter_current_password": "The present password is not right.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse | None:
        """Passkeys reach this without a password backend, so what `EmailBackend` refuses is refused here again."""
        if user.is_demonstration and not settings.DEMONSTRATION:
            user.is_active = False  # not saved: allauth then answers as for any closed account
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def set_password(self, user: Any, password: str) -> None:
        """Keep the person's digest from before for the entry, which is written when allauth says that it is done."""
        user.digest_before = digest_now(user)
        super().set_password(user, password)

    def reauthenticate(self, user: Any, password: str) -> bool:
        """Compare as at sign-in, so that wrong passwords count towards the same lock-out."""
        return bool(self.authenticate(context.request, email=user.email, password=password) == user)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Changing a factor asks for the same freshness as everything else; signing in counts."""
        return not freshness.is_fresh(context.request)


class SealedSecrets(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """TOTP keys and recovery seeds are sealed at rest; the last factor of a person who needs one stays."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is not right, or it has been used. Each code works once.",
        "cannot_delete_authenticator": "Your role needs a second factor. Add another one first.",
    }

    def encrypt(self, text: str) -> str:
        return seal(text.encode(), SECRETS_PLACE)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, SECRETS_PLACE).decode()

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        return f"Passkey {Authenticator.objects.filter(user=user, type=type).count() + 1}"

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        if not needs_second_factor(authenticator.user):
            return True
        others = Authenticator.objects.filter(user=authenticator.user).exclude(pk=authenticator.pk)
        return bool(others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists())
