"""The private key: where it may come from, what it must be, and how a pair is made.

A key comes from a file that only its own user can read, or from a command that prints it (a vault's client, say);
never from the database or the repository. IBKR takes RSA keys of 3072 or 4096 bits, another one per environment.

A rotation, without a minute's interruption:
    1. make a pair; send IBKR its public half and its key id; keep the old key in use,
    2. name the new key as the connection's next one (`Credentials.next_key`) and check it (`checkup.check` with
       `Credentials.with_next_key()`) until IBKR accepts it; both keys are live from then on,
    3. make the next key the current one, and tell IBKR to withdraw the old one; tokens in use stay valid.
"""

import base64
import hashlib
import os
import shlex
import stat
import subprocess
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key

from backoffice.ibkr.errors import NotSent

KEY_SIZES = (3072, 4096)
COMMAND = "command:"
COMMAND_SECONDS = 10
_LARGEST_KEY = 64 * 1024
_PRIVATE_MODES = (0o600, 0o400)


class KeyProblem(NotSent):
    """The private key cannot be had or used, so nothing can be sent. `reason` is the cause, `fix` what to do about it."""

    def __init__(self, reason: str, *, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new pair as PEM (PKCS 8 and SubjectPublicKeyInfo) and the key id we suggest: its RFC 7638 thumbprint."""

    private_pem: bytes = field(repr=False)
    public_pem: bytes
    key_id: str
    bits: int


def make_key_pair(bits: int = 3072) -> KeyPair:
    """Return a new RSA key pair of 3072 or 4096 bits. Raises ValueError for any other size."""
    if bits not in KEY_SIZES:
        raise ValueError(f"IBKR takes RSA keys of 3072 or 4096 bits, not {bits}.")
    key = generate_private_key(public_exponent=65537, key_size=bits)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeyPair(pem, public_pem(key), thumbprint(key.public_key()), bits)


def read_private_key(source: str, *, seconds: int = COMMAND_SECONDS) -> bytes:
    """Return the PEM of the private key at `source`: a path, or "command:/path/of/program arguments".

    The program runs without a shell, prints the PEM and has `seconds`. Raises KeyProblem when the key cannot be
    had, is readable by others, or is not one that IBKR takes.
    """
    pem = _from_command(source.removeprefix(COMMAND), seconds) if source.startswith(COMMAND) else _from_file(source)
    parsed(pem)
    return pem


@lru_cache(maxsize=32)  # reading a key proves its primes: 140 ms, a hundred times what a signature takes
def parsed(pem: bytes) -> RSAPrivateKey:
    """Return the key in a PEM text. Raises KeyProblem unless it is an unencrypted RSA key of 3072 or 4096 bits."""
    make_another = "Make a pair with `manage.py make_key` and send IBKR its public half."
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as problem:
        raise KeyProblem(
            "The private key is protected by a passphrase.",
            fix="Store it without one in a file that only this user can read, or name a command that prints it.",
        ) from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise KeyProblem(
            "The private key is not a PEM text that can be read.",
            fix="Name the file that begins with -----BEGIN PRIVATE KEY-----, not the public key or a certificate.",
        ) from problem
    if not isinstance(key, RSAPrivateKey):
        raise KeyProblem("The private key is not an RSA key, and IBKR takes no other kind.", fix=make_another)
    if key.key_size not in KEY_SIZES:
        raise KeyProblem(
            f"The private key has {key.key_size} bits; IBKR takes RSA keys of 3072 or 4096 bits.", fix=make_another
        )
    return key


def thumbprint(key: RSAPublicKey) -> str:
    """Return the RFC 7638 thumbprint of a public key: 43 letters, digits, "-" and "_"."""
    numbers = key.public_numbers()
    members = f'{{"e":"{_base64(_bytes(numbers.e))}","kty":"RSA","n":"{_base64(_bytes(numbers.n))}"}}'
    return _base64(hashlib.sha256(members.encode("ascii")).digest())


def public_pem(key: RSAPrivateKey) -> bytes:
    """Return the public half as PEM: what IBKR is sent."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _from_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())  # of the very file that is read, whatever the path means a moment later
            _require_private(path, facts)
            return _checked_size(file.read(_LARGEST_KEY + 1))
    except FileNotFoundError as problem:
        raise KeyProblem(
            f"There is no key file at {path}.", fix="Put the private key there, or name the file that holds it."
        ) from problem
    except PermissionError as problem:
        raise KeyProblem(
            f"The key file {path} may not be read by this user.",
            fix=f"Run: chown {_own_name()} {path} && chmod 600 {path}",
        ) from problem
    except (OSError, ValueError) as problem:
        raise KeyProblem(
            f"The key file {path!r} cannot be read: {getattr(problem, 'strerror', None) or problem}.",
            fix="Name a file that holds the private key.",
        ) from problem


def _require_private(path: str, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise KeyProblem(f"{path} is not a file.", fix="Name the file that holds the private key.")
    if facts.st_uid != os.geteuid():
        raise KeyProblem(f"The key file {path} belongs to another user.", fix=f"Run: chown {_own_name()} {path}")
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o077:
        raise KeyProblem(f"The key file {path} is readable by others (mode {mode:04o}).", fix=f"Run: chmod 600 {path}")
    if mode not in _PRIVATE_MODES:
        raise KeyProblem(f"The key file {path} has mode {mode:04o} instead of 0600.", fix=f"Run: chmod 600 {path}")


def _own_name() -> str:
    return str(os.geteuid())


def _from_command(line: str, seconds: int) -> bytes:
    fix = "Run the command by hand as this user and make it print the PEM of the private key."
    try:
        arguments = shlex.split(line)
    except ValueError as problem:
        raise KeyProblem(
            f"The key command cannot be read: {problem}.", fix="Quote its arguments properly."
        ) from problem
    if not arguments or not os.path.isabs(arguments[0]):
        raise KeyProblem(
            "The key command does not begin with the whole path of a program.",
            fix='Write it as "command:/path/of/program arguments".',
        )
    program = arguments[0]
    try:
        done = subprocess.run(  # noqa: S603 - an administrator's own setting, run without a shell
            arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise KeyProblem(f"The key command {program} did not answer in {seconds} seconds.", fix=fix) from problem
    except OSError as problem:
        raise KeyProblem(f"The key command {program} cannot be run: {problem.strerror}.", fix=fix) from problem
    if done.returncode != 0:
        # Neither stream is repeated: what a vault says may hold what it keeps.
        raise KeyProblem(f"The key command {program} ended with code {done.returncode}.", fix=fix)
    return _checked_size(done.stdout)


def _checked_size(content: bytes) -> bytes:
    if len(content) > _LARGEST_KEY:
        raise KeyProblem("The private key is larger than any key is.", fix="Name the source of the PEM text itself.")
    return content


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
