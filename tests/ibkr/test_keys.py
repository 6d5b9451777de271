import base64
import hashlib
import json
import os
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from backoffice.ibkr import Credentials, NotSent, keys, signing
from backoffice.ibkr.environments import SigningKey
from backoffice.ibkr.keys import KeyProblem
from tests.ibkr.conftest import Bench


@pytest.fixture(scope="session")
def pair() -> keys.KeyPair:
    return keys.make_key_pair()


@pytest.fixture
def key_file(tmp_path: Path, pair: keys.KeyPair) -> Path:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(pair.private_pem)
    return path


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    cover = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cover)


def test_a_new_pair_is_named_by_its_thumbprint(pair: keys.KeyPair) -> None:
    public = serialization.load_pem_public_key(pair.public_pem)
    assert isinstance(public, rsa.RSAPublicKey)

    members = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(public))
    canonical = json.dumps({name: members[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).digest()

    assert (pair.bits, public.key_size, len(pair.key_id)) == (3072, 3072, 43)
    assert pair.key_id == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert pair.private_pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert "PRIVATE" not in repr(pair)


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    number = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhM"
        "stn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5"
        "hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    public = jwt.algorithms.RSAAlgorithm.from_jwk(json.dumps({"kty": "RSA", "e": "AQAB", "n": number}))
    assert isinstance(public, rsa.RSAPublicKey)

    assert keys.thumbprint(public) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("bits", [1024, 2048, 3000, 8192])
def test_no_pair_of_another_size_is_made(bits: int) -> None:
    with pytest.raises(ValueError, match="3072 or 4096"):
        keys.make_key_pair(bits)


def test_a_key_comes_from_a_file_only_its_user_can_read(key_file: Path, pair: keys.KeyPair) -> None:
    assert keys.read_private_key(str(key_file)) == pair.private_pem

    key_file.chmod(0o400)
    assert keys.read_private_key(str(key_file)) == pair.private_pem


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_key_file_that_others_can_read_is_refused_with_the_remedy(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)

    with pytest.raises(KeyProblem) as caught:
        keys.read_private_key(str(key_file))

    assert caught.value.reason == f"The key file {key_file} is readable by others (mode {mode:04o})."
    assert caught.value.fix == f"Run: chmod 600 {key_file}"


def test_an_executable_key_file_is_refused(key_file: Path) -> None:
    key_file.chmod(0o700)

    with pytest.raises(KeyProblem, match="mode 0700 instead of 0600"):
        keys.read_private_key(str(key_file))


def test_a_key_file_of_another_user_is_refused(key_file: Path) -> None:
    foreign = Path("/etc/passwd")  # root's, whoever else runs this
    if os.geteuid() == 0:
        os.chown(key_file, 65534, -1)
        foreign = key_file

    with pytest.raises(KeyProblem, match="belongs to another user") as caught:
        keys.read_private_key(str(foreign))

    assert caught.value.fix == f"Run: chown {os.geteuid()} {foreign}"


def test_a_missing_file_a_folder_and_nonsense_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="There is no key file at"):
        keys.read_private_key(str(tmp_path / "absent.pem"))
    with pytest.raises(KeyProblem, match="cannot be read"):
        keys.read_private_key(str(tmp_path))
    with pytest.raises(KeyProblem, match="cannot be read"):
        keys.read_private_key("a\0b")


def test_a_key_that_ibkr_would_not_take_is_refused() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(KeyProblem, match="has 2048 bits; IBKR takes RSA keys of 3072 or 4096"):
        keys.parsed(pem_of(short))
    with pytest.raises(KeyProblem, match="not an RSA key"):
        keys.parsed(pem_of(curve))
    with pytest.raises(KeyProblem, match="passphrase"):
        keys.parsed(pem_of(short, b"secret"))
    with pytest.raises(KeyProblem, match="not a PEM text"):
        keys.parsed(b"hello")


def test_a_public_key_in_place_of_the_private_one_is_named(pair: keys.KeyPair) -> None:
    with pytest.raises(KeyProblem, match="not a PEM text") as caught:
        keys.parsed(pair.public_pem)

    assert "not the public key" in caught.value.fix


def program(folder: Path, text: str) -> Path:
    path = folder / "print-key"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def test_a_key_comes_from_a_command_run_without_a_shell(tmp_path: Path, key_file: Path, pair: keys.KeyPair) -> None:
    path = program(tmp_path, 'test "$#" -eq 2 && test "$2" = "a b; exit 3" && cat "$1"')

    assert keys.read_private_key(f"command:{path} {key_file} 'a b; exit 3'") == pair.private_pem


def test_a_command_that_fails_is_named_and_its_words_are_not_repeated(tmp_path: Path) -> None:
    path = program(tmp_path, "echo the-vault-token >&2; exit 7")

    with pytest.raises(KeyProblem, match="ended with code 7") as caught:
        keys.read_private_key(f"command:{path}")

    assert "the-vault-token" not in f"{caught.value.reason} {caught.value.fix}"


def test_a_command_that_hangs_is_given_up(tmp_path: Path) -> None:
    path = program(tmp_path, "exec sleep 30")

    with pytest.raises(KeyProblem, match="did not answer in 1 seconds"):
        keys.read_private_key(f"command:{path}", seconds=1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("command:", "whole path of a program"),
        ("command:cat key.pem", "whole path of a program"),
        ("command:/nowhere/at/all", "cannot be run"),
        ("command:/bin/cat 'open", "cannot be read"),
        ("command:/bin/echo hello", "not a PEM text"),
        ("command:/usr/bin/head -c 70000 /dev/zero", "larger than any key"),
    ],
)
def test_a_command_that_gives_no_key_is_named(source: str, words: str) -> None:
    with pytest.raises(KeyProblem, match=words) as caught:
        keys.read_private_key(source)

    assert caught.value.fix


def test_without_a_usable_key_nothing_was_sent(bench: Bench, credentials: Credentials) -> None:
    from backoffice.ibkr import IbkrClient
    from tests.ibkr.test_transport import withdraw

    keyless = Credentials(client_id="FIRM-CLIENT", key_id="key-7", private_key=b"nonsense")
    client = IbkrClient(base_url=bench.server.url, credentials=keyless, tokens=bench.tokens)

    with pytest.raises(NotSent, match="not a PEM text"):
        withdraw(client)

    assert bench.server.connections == 0


def test_the_next_key_signs_nothing_until_it_is_the_current_one(
    credentials: Credentials, private_key: rsa.RSAPrivateKey, pair: keys.KeyPair
) -> None:
    both = Credentials("FIRM-CLIENT", "key-7", credentials.private_key, SigningKey("key-8", pair.private_pem))

    now = signing.sign(b"{}", credentials=both, token_type="JWT").decode()
    after = signing.sign(b"{}", credentials=both.with_next_key(), token_type="JWT").decode()

    assert jwt.get_unverified_header(now)["kid"] == "key-7"
    assert jwt.get_unverified_header(after)["kid"] == "key-8"
    jwt.PyJWS().decode(now, private_key.public_key(), algorithms=["RS256"])
    jwt.PyJWS().decode(after, pair.public_pem, algorithms=["RS256"])
    assert both.with_next_key().next_key is None
    with pytest.raises(ValueError, match="no next key"):
        credentials.with_next_key()
    assert "PRIVATE" not in repr(both)
