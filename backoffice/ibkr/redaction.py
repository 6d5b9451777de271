"""What may be kept of an exchange with IBKR: everything but secrets, personal numbers and file contents.

Redaction is by field name, so a value is hidden before anybody has decided whether it is harmless. It takes longer than
reading the answer did, and few answers are ever looked at again: so it happens when somebody looks (`Veiled`).
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any, Generic, TypeVar

KeptT = TypeVar("KeptT")

HIDDEN = "[hidden]"
LONGEST_TEXT = 2_000

_SECRET_NAMES = frozenset(
    {  # in lower case, letters and digits only
        "accesstoken",
        "refreshtoken",
        "idtoken",
        "clientassertion",
        "clientsecret",
        "authorization",
        "token",
        "bearertoken",
        "oauthtoken",
        "oauthtokensecret",
        "session",
        "sessionid",
        "sid",
        "password",
        "encryptedpassword",
        "mac",
        "hardwareinfo",
        "url",
        "hostedlinkurl",
        "linktoken",
        "ssn",
        "sin",
        "tin",
        "taxid",
        "ein",
        "passport",
        "nationalcard",
        "driverslicense",
        "aliencard",
        "hktravelpermit",
        "medicarecard",
        "medicarereference",
        "pannumber",
        "proofofagecard",
        "foreigntaxid",
        "foreigntin",
        "ustin",
        "taxids",
        "contrabrokertaxid",
        "registrationnumber",
        "licensenumber",
        "identitydocuments",
        "bankaccountnumber",
        "bankroutingnumber",
        "accountnumber",
        "accountatbroker",
        "routingnumber",
        "acctnumber",
        "identifier",
        "iban",
        "dateofbirth",
        "cityofbirth",
        "birthname",
        "fathersname",
        "mothermaidenname",
        "motersmaidenname",
        "street1",
        "street2",
        "street",
        "postalcode",
        "residence",  # these three are objects whose members IBKR does not describe
        "mailing",
        "registeredaddress",
        "email",
        "emailaddress",
        "companyemailaddress",
        "contactemail",
        "alertemail",
        "phones",
        "phonenumber",
        "companyphone",
        "contactphone",
        "number",
        "employerphone",
        "securityquestions",
        "answer",
        "ip",
        "alternativeips",
    }
)
# `payload.data` is a file and `data` elsewhere an envelope; a firm's `identification` is its number, a person's an object.
_SECRET_AS_TEXT = frozenset({"data", "identification"})

_NAMES_A_PERSON = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b\d{3}-\d{2}-\d{4}\b"
    r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"
    r"|\+?(?<![A-Za-z0-9])\d{9,}(?!\d)"
)


class Veiled(Generic[KeptT]):
    """Something of IBKR's that can only be seen redacted. Copies, pickles and representations hold no more than that."""

    __slots__ = ("_hidden", "_redacted", "_seen")

    def __init__(self, redacted: Callable[[Any], KeptT], hidden: object) -> None:
        self._redacted: Callable[[Any], KeptT] | None = redacted
        self._hidden: object = hidden
        self._seen: KeptT | None = None

    def seen(self) -> KeptT | None:
        """Return the redacted value, made at the first look; what was hidden is forgotten then."""
        hidden, redacted = self._hidden, self._redacted  # in this order, for another thread forgets them in the other
        if redacted is not None:
            self._seen = redacted(hidden)
            self._redacted = None
            self._hidden = None
        return self._seen

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Veiled) and self.seen() == other.seen()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        return Veiled, (_itself, self.seen())

    def __deepcopy__(self, memo: object) -> "Veiled[KeptT]":
        return self  # nobody can change it

    def __repr__(self) -> str:
        return "Veiled()"


def _itself(value: KeptT) -> KeptT:
    return value


def redact(value: object) -> object:
    """Return a copy of a JSON-like value that is fit to be stored and shown: secrets hidden, long texts fingerprinted."""
    match value:
        case Mapping():
            return {
                str(name): HIDDEN if _is_secret(str(name), member) else redact(member) for name, member in value.items()
            }
        case list() | tuple():
            return [redact(item) for item in value]
        case str() if len(value) > LONGEST_TEXT:
            digest = sha256(value.encode("utf-8", "replace")).hexdigest()
            return f"[{len(value)} characters, sha256 {digest}]"
        case str() if " " in value:
            return spoken(value)
        case None | bool() | int() | str() | Decimal():
            return value
    return str(value)


def spoken(sentence: str) -> str:
    """Return a sentence of IBKR's without what names a person: refusals say the number or address back that they refuse.

    Hidden are e-mail addresses, tax numbers with dashes, IBANs and runs of nine digits and more; account numbers stay.
    """
    return _NAMES_A_PERSON.sub(HIDDEN, sentence)


def redact_members(value: Mapping[str, object]) -> dict[str, object]:
    """Return `redact` of one object, as an object."""
    return {str(name): HIDDEN if _is_secret(str(name), member) else redact(member) for name, member in value.items()}


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_secret(name: str, value: object) -> bool:
    plain = _plain(name)
    if plain in _SECRET_AS_TEXT:
        return isinstance(value, str)
    return value is not None and plain in _SECRET_NAMES and value != ""
