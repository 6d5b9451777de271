import zipfile
from base64 import b64encode
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha1
from io import BytesIO
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backoffice.ibkr import AuthFailed, BadIdentifier, RateLimited, Rejected, Unavailable, Unsendable
from backoffice.ibkr.account_management import archives
from backoffice.ibkr.account_management.archives import BadArchive, decoded, unpacked
from backoffice.ibkr.types.forms import RequiredFormsQuery
from tests.ibkr.conftest import Bench, answer

ENGLISH, GERMAN = b"%PDF-1.4 english", b"%PDF-1.4 deutsch"
WRAPPED = {"hasError": True, "errorDescription": "Form 1 not found", "error": {"hasError": True}}


def packed(*files: tuple[str, bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def described(name: str, language: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {
        "formNumber": 3024,
        "formName": "Customer Agreement",
        "language": language,
        "fileName": name,
        "fileLength": len(content),
        "sha1Checksum": sha1(content, usedforsecurity=False).hexdigest().upper(),
        "dateModified": "2025-01-02T15:00:00Z",
        "action": "to sign",
        "apiSupportedTask": True,
        "acceptableDocs": ["a", None],
        **more,
    }


def data(content: bytes) -> str:
    return b64encode(content).decode()


DETAILS = [described("Form3024.pdf", "en", ENGLISH), described("Form3024_de.pdf", "de", GERMAN)]
ARCHIVE = packed(("forms/Form3024.pdf", ENGLISH), ("Form3024_de.pdf", GERMAN))
BOTH = {"fileData": {"name": "forms.zip", "data": data(ARCHIVE)}, "formDetails": DETAILS, "hasError": False}


# ---- forms


@time_machine.travel(datetime(2026, 11, 24, 17, tzinfo=UTC), tick=False)
def test_forms_are_asked_for_in_the_way_that_documents_and_specification_both_allow(bench: Bench) -> None:
    bench.server.play(answer(200, {"formDetails": DETAILS, "hasError": False}))

    found = bench.client.forms.details((3024, 8001), language="en")

    assert bench.server.received[0].target == (
        "/gw/api/v1/forms?getDocs=F&fromDate=2000-01-01&toDate=2026-11-24&projection=NONE&formNo=3024%2C8001&language=en"
    )
    assert [(each.form_number, each.language, each.file_name) for each in found] == [
        ("3024", "en", "Form3024.pdf"),
        ("3024", "de", "Form3024_de.pdf"),
    ]
    assert found[0].file_length == 16
    assert found[0].modified == datetime(2025, 1, 2, 15, tzinfo=UTC)
    assert found[0].acceptable_documents == ("a",)


def test_files_of_all_languages_are_unpacked_and_one_is_picked(bench: Bench) -> None:
    bench.server.play(answer(200, BOTH))

    library = bench.client.forms.files((3024,))

    assert "getDocs=T" in bench.server.received[0].target
    assert [file.name for file in library.files] == ["Form3024.pdf", "Form3024_de.pdf"]
    assert [file.content for file in library.in_language("DE")] == [GERMAN]
    picked = bench.client.forms.file(3024)
    assert picked is not None
    assert (picked.content, picked.mime_type) == (ENGLISH, "application/pdf")
    assert bench.client.forms.file(3024, language="fr") is None
    assert "english" not in repr(picked)
    assert data(ENGLISH) not in repr(bench.exchanges)


def test_a_single_pdf_is_a_library_of_one(bench: Bench) -> None:
    bench.server.play(
        answer(
            200,
            {
                "fileData": {"name": "Form3024.pdf", "data": data(ENGLISH)},
                "formDetails": [DETAILS[0]],
                "hasError": False,
            },
        )
    )

    picked = bench.client.forms.file(3024)

    assert picked is not None
    assert picked.content == ENGLISH


def test_a_file_that_nobody_describes_is_taken_when_it_is_the_only_one(bench: Bench) -> None:
    bench.server.play(answer(200, {"fileData": {"name": "x.pdf", "data": data(ENGLISH)}, "formDetails": None}))

    picked = bench.client.forms.file(3024)

    assert picked is not None
    assert (picked.name, picked.details) == ("x.pdf", None)


def test_files_may_also_come_beside_each_form(bench: Bench) -> None:
    payload = {"mimeType": "application/pdf", "data": data(ENGLISH)}
    bench.server.play(answer(200, {"formDetails": [DETAILS[0] | {"payload": payload}], "hasError": False}))

    library = bench.client.forms.files((3024,), projection="PAYLOAD")

    assert "projection=PAYLOAD" in bench.server.received[0].target
    assert [(file.name, file.content) for file in library.files] == [("Form3024.pdf", ENGLISH)]


def test_a_file_that_is_not_what_its_sha1_says_is_refused(bench: Bench) -> None:
    changed = packed(("Form3024.pdf", ENGLISH + b" "), ("Form3024_de.pdf", GERMAN))
    bench.server.play(answer(200, BOTH | {"fileData": {"name": "forms.zip", "data": data(changed)}}))

    with pytest.raises(Unavailable, match=r"Form3024\.pdf is not the file"):
        bench.client.forms.files((3024,))


UNSAFE_NAMES = [
    "../Form.pdf",
    "/etc/form.pdf",
    "a/../../form.pdf",
    "C:\\form.pdf",
    "..\\form.pdf",
    "a/..",
    "\\form.pdf",
]


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_a_name_that_leads_out_of_an_archive_condemns_it(bench: Bench, name: str) -> None:
    content = data(packed((name, ENGLISH)))
    bench.server.play(answer(200, {"fileData": {"name": "forms.zip", "data": content}, "formDetails": []}))

    with pytest.raises(Unavailable, match="unsafe name"):
        bench.client.forms.files((3024,))


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_a_single_file_with_such_a_name_is_refused_too(name: str) -> None:
    with pytest.raises(BadArchive, match="unsafe name"):
        unpacked(name, ENGLISH)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed(("big.pdf", b"\0" * (archives.LARGEST_FILE + 1)))

    assert len(bomb) < 100_000
    with pytest.raises(BadArchive, match="larger unpacked"):
        unpacked("forms.zip", bomb)


def test_many_files_together_are_limited_too() -> None:
    count = archives.LARGEST_TOTAL // archives.LARGEST_FILE + 1
    bomb = packed(*((f"{index}.pdf", b"\0" * archives.LARGEST_FILE) for index in range(count)))

    with pytest.raises(BadArchive, match="larger unpacked"):
        unpacked("forms.zip", bomb)


def test_too_many_files_are_refused() -> None:
    with pytest.raises(BadArchive, match="more files"):
        unpacked("forms.zip", packed(*((f"{index}.pdf", b"") for index in range(archives.MOST_FILES + 1))))


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(BadArchive, match="twice"):
        unpacked("forms.zip", packed(("a/x.pdf", ENGLISH), ("b/x.pdf", GERMAN)))


def test_a_link_is_not_a_file() -> None:
    link = zipfile.ZipInfo("x.pdf")
    link.external_attr = 0o120777 << 16
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")

    with pytest.raises(BadArchive, match="not a plain file"):
        unpacked("forms.zip", out.getvalue())


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=len(ARCHIVE)))
def test_a_damaged_archive_is_either_read_or_refused(noise: bytes, at: int) -> None:
    damaged = ARCHIVE[:at] + noise + ARCHIVE[at + len(noise) :]

    try:
        files = unpacked("forms.zip", damaged)
    except BadArchive:
        return

    assert all("/" not in name for name in files)


@pytest.mark.parametrize("text", [None, 5, "not base64!", "YWJ", "YWJj\u00e9"])
def test_what_is_not_base64_is_refused(text: Any) -> None:
    with pytest.raises(BadArchive):
        decoded(text)


def test_base64_in_lines_is_read() -> None:
    assert decoded("YW\r\nJj\n") == b"abc"


def test_the_forms_an_application_needs_are_asked_for_in_a_flat_query(bench: Bench) -> None:
    bench.server.play(answer(200, {"forms": ["3024", 5001, None], "hasError": False}))
    traits = RequiredFormsQuery(
        residence_country="DEU",
        ira=False,
        requested_syep=True,
        capability=("CLP", "LEVFX"),
        trading_permissions=("US-Sec",),
    )

    assert bench.client.forms.required(traits) == ("3024", "5001")
    assert bench.server.received[0].target == (
        "/gw/api/v1/forms/required-forms?residenceCountry=DEU&ira=false&requestedSYEP=true&tradingPermissions=US-Sec"
        "&capability=CLP%2CLEVFX"
    )
    with pytest.raises(ValidationError):
        RequiredFormsQuery(residence_country="Germany")


# ---- enumerations


def rows(kind: str, *listed: Any, **more: Any) -> Any:
    return answer(200, {"enumerationsType": kind, "jsonData": list(listed), **more})


WIRE = {
    "currency": "USD",
    "accountNameAndBeneficiary": "Interactive Brokers LLC",
    "accountNumber": "000000000000",
    "routingNumber": "021000021",
    "bankSWIFTCode": "XXXXUS33",
    "bankTitleAndAddress": "A bank",
    "alternateAccountInfo": None,
    "paymentReference": "U1000011 / Ada Examplewright",
}


def test_wire_instructions_are_asked_for_one_account_and_currency(bench: Bench) -> None:
    bench.server.play(rows("wire-instructions", WIRE))

    (wire,) = bench.client.enumerations.wire_instructions("U1000011", "USD")

    assert bench.server.received[0].method == "GET"
    assert bench.server.received[0].target == (
        "/gw/api/v1/enumerations/wire-instructions?accountId=U1000011&currency=USD"
    )
    assert (wire.account_number, wire.routing_number, wire.swift_code) == ("000000000000", "021000021", "XXXXUS33")
    assert wire.payment_reference == "U1000011 / Ada Examplewright"
    assert wire.alternate_account == ""
    assert "000000000000" not in repr(wire)


def test_rows_are_typed_where_their_form_is_known(bench: Bench) -> None:
    bench.server.play(
        rows("exchange-bundles", {"exchangeGroup": "US-Sec", "description": "US stocks"}, "US-Penny"),
        rows("product-country-bundles", {"country": "HK-CHINA", "product": "STOCKS"}),
        rows(
            "fin-info-ranges", {"currency": "EUR", "type": "netWorth", "id": 3, "lowerBound": 1000, "upperBound": None}
        ),
        rows("acats", {"brokerId": "0226", "brokerName": "Norfield"}),
        rows("aton", {"brokerId": 79, "brokerName": "Maple"}),
        rows("employee-track", {"companyId": 1001, "companyName": "Fernbank"}),
    )
    enumerations = bench.client.enumerations

    assert [each.exchange_group for each in enumerations.exchange_bundles()] == ["US-Sec", "US-Penny"]
    assert [(each.country, each.product) for each in enumerations.product_countries()] == [("HK-CHINA", "STOCKS")]
    (span,) = enumerations.financial_ranges(currency="EUR", ib_entity="IB-IE")
    assert (span.id, span.type, span.lower, span.upper) == ("3", "netWorth", Decimal(1000), None)
    assert [(each.broker_id, each.name) for each in enumerations.acats_brokers()] == [("0226", "Norfield")]
    assert [(each.broker_id, each.name) for each in enumerations.aton_brokers()] == [("79", "Maple")]
    assert [(each.company_id, each.name) for each in enumerations.tracked_companies()] == [("1001", "Fernbank")]
    assert bench.server.received[2].target == "/gw/api/v1/enumerations/fin-info-ranges?currency=EUR&ibEntity=IB-IE"


@pytest.mark.parametrize("answer_id", ["answerId", "id"])
def test_questions_are_read_with_either_name_of_an_answers_id(bench: Bench, answer_id: str) -> None:
    question = {
        "questionId": 2**40,
        "question": "Why?",
        "isMandatoryToAnswer": True,
        "questionType": "SINGLE_CHOICE",
        "answers": [
            {answer_id: 2**40 + 1, "answer": "Because", "dependentQuestionId": None, "multiAnswerDetail": ["a"]}
        ],
    }
    bench.server.play(
        rows("edd-avt", question, formNumber="9943"),
        rows("quiz-questions", {"formNumber": 2430, "questions": [question]}),
    )

    (direct,) = bench.client.enumerations.questions("edd-avt", 9943, language="de")
    (nested,) = bench.client.enumerations.questions("quiz-questions", 2430)

    assert bench.server.received[0].target == "/gw/api/v1/enumerations/edd-avt?form-number=9943&language=de"
    for found in (direct, nested):
        assert (found.id, found.text, found.is_mandatory) == ("1099511627776", "Why?", True)
        assert [(each.id, each.text, each.parts) for each in found.answers] == [("1099511627777", "Because", ("a",))]


def test_rows_of_any_type_are_given_as_they_are(bench: Bench) -> None:
    bench.server.play(rows("market-data", {"value": 460, "name": "Bundle"}, "bare", 5))

    found = bench.client.enumerations.rows(
        "market-data", is_private=False, account_id="U1", username="adaex001", form_number=1, language="zh_CN"
    )

    assert found == ({"value": 460, "name": "Bundle"}, {"value": "bare"})
    assert bench.server.received[0].target == (
        "/gw/api/v1/enumerations/market-data?mdStatusNonPro=false&form-number=1&language=zh_CN&accountId=U1"
        "&userName=adaex001"
    )


def test_brokers_and_banks_have_addresses_of_their_own(bench: Bench) -> None:
    bank = {"institutionName": "WELAB BANK LIMITED", "clearingCode": "390", "BIC": "WEDIHKHHXXX"}
    bench.server.play(
        answer(200, {"instructionType": "COMPLEX_ASSET_TRANSFER", "brokers": ["DONNER & REUSCHEL", None]}),
        answer(200, {"type": "eDDA", "participatingBanks": [bank, "x"]}),
    )

    assert bench.client.enumerations.complex_transfer_brokers() == ("DONNER & REUSCHEL",)
    (found,) = bench.client.enumerations.participating_banks()

    assert (found.name, found.clearing_code, found.bic) == ("WELAB BANK LIMITED", "390", "WEDIHKHHXXX")
    assert [request.target for request in bench.server.received] == [
        "/gw/api/v1/enumerations/complex-asset-transfer?instructionType=COMPLEX_ASSET_TRANSFER",
        "/gw/api/v1/participating-banks?type=eDDA",
    ]


def test_an_enumeration_without_its_list_is_unavailable(bench: Bench) -> None:
    bench.server.play(answer(200, {"enumerationsType": "acats", "jsonData": "soon"}))

    with pytest.raises(Unavailable):
        bench.client.enumerations.acats_brokers()


# ---- usernames


def test_a_username_is_valid_free_or_has_free_neighbours(bench: Bench) -> None:
    taken = {"isValid": True, "isAvailable": False, "suggestedUserName": ["adaexample1", None], "hasError": False}
    bench.server.play(answer(200, taken))

    found = bench.client.validations.username("adaexample")

    assert bench.server.received[0].target == "/gw/api/v1/validations/usernames/adaexample"
    assert (found.is_valid, found.is_available, found.suggestions) == (True, False, ("adaexample1",))


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "a b", "é", "x" * 129, "a%2fb"])
def test_what_would_address_something_else_is_not_asked(bench: Bench, name: str) -> None:
    bench.server.play(answer(200, {}))

    with pytest.raises(BadIdentifier):
        bench.client.validations.username(name)

    assert bench.server.connections == 0


# ---- errors


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, WRAPPED, Rejected),
        (200, b"<html>", Unavailable),
        (400, {"type": "/simple", "title": "Bad Request", "status": 400}, Rejected),
        (401, {}, AuthFailed),
        (403, {"title": "Forbidden", "status": 403, "detail": "insufficient scope"}, AuthFailed),
        (415, {}, Rejected),
        (429, {}, RateLimited),
        (500, {}, Unavailable),
    ],
)
def test_each_look_up_fails_in_the_same_words(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))
    client = bench.client
    reads = [
        lambda: client.forms.details(),
        lambda: client.forms.files((1,)),
        lambda: client.forms.required(RequiredFormsQuery(residence_country="DEU")),
        lambda: client.enumerations.rows("acats"),
        lambda: client.enumerations.wire_instructions("U1", "USD"),
        lambda: client.enumerations.complex_transfer_brokers(),
        lambda: client.enumerations.participating_banks(),
        lambda: client.validations.username("adaexample"),
    ]

    for read in reads:
        with pytest.raises(error):
            read()


def test_a_form_number_below_one_is_not_asked_for(bench: Bench) -> None:
    with pytest.raises(Unsendable):
        bench.client.forms.details((0,), since=date(2026, 1, 1))
