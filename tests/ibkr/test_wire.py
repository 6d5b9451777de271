import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.ibkr import Unsendable
from backoffice.ibkr.redaction import HIDDEN, redact
from backoffice.ibkr.wire import Unreadable, decode, encode

VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(max_size=20)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_ascii_and_reads_back_equal(value: object) -> None:
    written = encode(value)

    assert written.isascii()
    assert decode(written.encode("ascii")) == value


def test_amounts_are_plain_numbers_without_exponent() -> None:
    assert encode({"amount": Decimal("1E+3"), "price": Decimal("0.00000001")}) == '{"amount":1000,"price":0.00000001}'


def test_nulls_are_dropped_from_objects_and_refused_elsewhere() -> None:
    assert encode({"a": None, "b": [1]}) == '{"b":[1]}'
    with pytest.raises(Unsendable):
        encode([None])


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), Decimal("Infinity"), {1, 2}, b"x"])
def test_what_ibkr_has_no_form_for_is_not_sent(value: object) -> None:
    with pytest.raises(Unsendable):
        encode({"value": value})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a":1',
        b'{"a":1,"a":2}',
        b'{"a" :1,"a":2}',
        b'{"a"\t:1,"a":"10:30"}',
        b'{"a":"at 10:30","a":{"b":":"}}',
        b'{"\\u0061":1,"a":2}',
        b'{"a":NaN}',
        b"\xff\xfe",
        b'{"a":1}{',
        b"[" * 100_000,
        b"[1e9999999999999999999]",
        b"[" + b"9" * 5_000 + b"]",
    ],
)
def test_what_is_not_one_clean_json_value_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(body)


@pytest.mark.parametrize("value", [{"at": "10:30", "a:b": [{"c": '":'}]}, [{"a": 1}, {"a": ":"}], {":": ":"}, ":"])
def test_a_colon_in_a_text_is_no_name(value: object) -> None:
    assert decode(json.dumps(value).encode()) == value
    assert decode(json.dumps(value, separators=(",", " :\n")).encode()) == value


def test_numbers_are_read_as_decimals() -> None:
    assert decode(b'{"amount":0.1}') == {"amount": Decimal("0.1")}


def test_secrets_are_hidden_by_name_and_files_by_fingerprint() -> None:
    kept = redact(
        {
            "access_token": "abc",
            "accessToken": "abc",
            "accounts": [{"value": "U1", "password": "hunter2", "ssn": "078-05-1120"}],
            "payload": {"mimeType": "application/pdf", "data": "JVBERi0"},
            "data": {"kept": "envelope"},
            "note": "x" * 5_000,
        }
    )

    assert "abc" not in json.dumps(kept)
    assert "hunter2" not in json.dumps(kept)
    assert "078" not in json.dumps(kept)
    assert isinstance(kept, dict)
    assert kept["payload"] == {"mimeType": "application/pdf", "data": HIDDEN}
    assert kept["data"] == {"kept": "envelope"}
    assert str(kept["note"]).startswith("[5000 characters, sha256 ")
