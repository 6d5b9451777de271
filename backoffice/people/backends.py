"""Sign-in by e-mail and password. Demonstration people are let in by a demonstration installation only."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings


class EmailBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth is untyped
    def user_can_authenticate(self, user: Any) -> bool:
        if user.is_demonstration and not settings.DEMONSTRATION:
            return False
        return bool(super().user_can_authenticate(user))
