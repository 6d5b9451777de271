"""The second factors' secrets under the current key: allauth keeps them inside a JSON column."""

from allauth.mfa.models import Authenticator

from backoffice.core.crypto import Undecipherable, is_current, reseal
from backoffice.core.resealing import Tally
from backoffice.people.adapter import SECRETS_PLACE


def second_factors() -> Tally:
    """Seal what is sealed in each authenticator's data anew, unless it has changed meanwhile."""
    tally = Tally("mfa_authenticator.data")
    for row in Authenticator.objects.all():
        try:
            anew = {name: _resealed(value) for name, value in row.data.items()}
        except Undecipherable:
            tally.unreadable += 1
            continue
        if anew != row.data:
            tally.resealed += Authenticator.objects.filter(pk=row.pk, data=row.data).update(data=anew)
    return tally


def _resealed(value: object) -> object:
    is_old = isinstance(value, str) and value.startswith("v1.") and not is_current(value)
    return reseal(str(value), SECRETS_PLACE) if is_old else value
