"""`/gw/api/v1/validations`: may a username be taken?"""

import re

from backoffice.ibkr.answers import object_read
from backoffice.ibkr.errors import BadIdentifier
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.types.enumerations import UsernameAnswer

_ASKABLE = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 128


class Validations:
    """What IBKR checks before an application is sent."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def username(self, username: str) -> UsernameAnswer:
        """GET /validations/usernames/{username}: whether it is well formed and free.

        Well formed are 9 to 63 small letters and digits, three letters at least. Trap: free is not reserved; somebody
        else may take it before the application arrives.
        """
        if len(username) > _LONGEST or not _ASKABLE.fullmatch(username):
            raise BadIdentifier(f"{username!r} is not a username.")
        reply = self._requestor.gateway_get("validations", "usernames", username)
        return read_answer(UsernameAnswer, object_read(reply), reply)
