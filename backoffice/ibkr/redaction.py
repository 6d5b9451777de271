"""What may be kept of an exchange with IBKR: everything but secrets, personal numbers and file contents.

Redaction is by field name, so a value is hidden before anybody has decided whether it is harmless.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256

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
        "birthname",
        "mothermaidenname",
        "motersmaidenname",
        "street1",
        "street2",
        "street",
        "postalcode",
        "email",
        "emailaddress",
        "phones",
        "number",
        "employerphone",
        "securityquestions",
        "answer",
        "ip",
        "alternativeips",
    }
)


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
        case None | bool() | int() | str() | Decimal():
            return value
    return str(value)


def redact_members(value: Mapping[str, object]) -> dict[str, object]:
    """Return `redact` of one object, as an object."""
    return {str(name): HIDDEN if _is_secret(str(name), member) else redact(member) for name, member in value.items()}


def _is_secret(name: str, value: object) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain == "data":  # `payload.data` is a file; `data` elsewhere is only an envelope
        return isinstance(value, str)
    return value is not None and plain in _SECRET_NAMES and value != ""
