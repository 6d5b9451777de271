"""Second factors in the hands of a test: an authenticator app, and a passkey made of an elliptic key."""

import base64
import hashlib
import json
import struct
from typing import Any

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor

from backoffice.core import clock

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def give_app(person: Any) -> list[str]:
    """Enrol an authenticator app for somebody; return their recovery codes."""
    TOTP.activate(person, SECRET)
    codes: list[str] = RecoveryCodes.activate(person).generate_codes()
    return codes


def code(secret: str = SECRET, *, steps: int = 0) -> str:
    """What the app shows now, or so many half minutes from now."""
    text: str = format_hotp_value(hotp_value(secret, int(clock.now().timestamp()) // 30 + steps))
    return text


class Passkey:
    """A key that lives in a browser of `host`: makes and answers WebAuthn's JSON, with the person verified."""

    def __init__(self, host: str = "testserver") -> None:
        self.host = host
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = hashlib.sha256(str(id(self)).encode()).digest()
        self.uses = 0

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": f"http://{self.host}"}).encode()

    def _data(self, flags: int, more: bytes = b"") -> bytes:
        self.uses += 1
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + struct.pack(">I", self.uses) + more

    def register(self, options: dict[str, Any]) -> str:
        """Answer `creation_options`."""
        numbers = self.key.public_key().public_numbers()
        public = cbor.encode({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        held = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        made = cbor.encode({"fmt": "none", "attStmt": {}, "authData": self._data(0x45, held)})
        client = self._client("webauthn.create", options["publicKey"]["challenge"])
        response = {"clientDataJSON": _text(client), "attestationObject": _text(made)}
        return json.dumps(self._answer(response, {"credProps": {"rk": True}}))

    def sign(self, options: dict[str, Any], *, person: Any = None) -> str:
        """Answer `request_options`; a passkey that signs in by itself also says whose it is."""
        client = self._client("webauthn.get", options["publicKey"]["challenge"])
        data = self._data(0x05)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": _text(client), "authenticatorData": _text(data), "signature": _text(signature)}
        if person is not None:
            response["userHandle"] = _text(person.encode())
        return json.dumps(self._answer(response, {}))

    def _answer(self, response: dict[str, str], extensions: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "public-key", "id": _text(self.id), "rawId": _text(self.id), "response": response,
            "clientExtensionResults": extensions,
        }  # fmt: skip


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
