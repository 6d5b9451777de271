"""The archive of forms: listing, the ZIP of all languages, check sums at submission, and what is stored once a day."""

import base64
import hashlib
import io
import zipfile
from typing import Any

import pytest

from tests.sandbox.support import Caller, application, errors, outcome
from tests.sandbox.test_review import PDF, paper


def published(caller: Caller, form: int) -> bytes:
    """The blank English file of a form."""
    answer = caller.get("/forms", formNo=form, getDocs="T", language="en").json()
    return base64.b64decode(answer["fileData"]["data"])


def store_for_today(caller: Caller, *papers: dict[str, Any]) -> Any:
    whole = {"processDocuments": {"documents": list(papers), "inputLanguage": "en", "translation": False}}
    return caller.post("/accounts/documents", whole)


def agreement(content: bytes, **more: Any) -> dict[str, Any]:
    return paper(3024, name="Form3024.pdf", content=content, **more)


def test_every_known_form_is_listed_without_files(steady: Caller) -> None:
    answer = steady.get("/forms")

    found = answer.json()
    assert len({form["formNumber"] for form in found["formDetails"]}) == 85
    assert "fileData" not in found
    assert all("payload" not in form for form in found["formDetails"])


def test_the_pdfs_of_all_languages_come_in_one_zip_with_their_check_sums(steady: Caller) -> None:
    answer = steady.get("/forms", formNo=3024, getDocs="T", fromDate="2020-01-01", toDate="2030-01-01")

    found = answer.json()
    assert found["fileData"]["name"].endswith(".zip")
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(found["fileData"]["data"])))
    assert archive.namelist() == ["Form3024.pdf", "Form3024_de.pdf", "Form3024_es.pdf"]
    details = {form["fileName"]: form for form in found["formDetails"]}
    for name in archive.namelist():
        content = archive.read(name)
        assert content.startswith(b"%PDF-")
        assert details[name]["sha1Checksum"] == hashlib.sha1(content).hexdigest()
        assert details[name]["fileLength"] == len(content)


def test_a_single_file_is_a_pdf_and_payload_puts_it_beside_the_details(steady: Caller) -> None:
    one = steady.get("/forms", formNo=5001, projection="DOCS", language="en").json()
    payload = steady.get("/forms", formNo=5001, projection="PAYLOAD", language="en").json()

    assert one["fileData"]["name"] == "Form5001.pdf"
    assert payload["formDetails"][0]["payload"] == {"mimeType": "application/pdf", "data": one["fileData"]["data"]}


def test_several_form_numbers_may_be_repeated_or_separated_by_commas(steady: Caller) -> None:
    commas = steady.get("/forms", formNo="5001,5002", language="en").json()["formDetails"]
    repeated = steady.get("/forms", formNo=[5001, 5002], language="en").json()["formDetails"]

    assert [form["formNumber"] for form in commas] == [form["formNumber"] for form in repeated] == [5001, 5002]


def test_an_unknown_form_is_an_error_in_a_200(steady: Caller) -> None:
    answer = steady.get("/forms", formNo=1)

    assert (answer.status_code, answer.json()["hasError"]) == (200, True)


@pytest.mark.parametrize(
    "query", [{"getDocs": "yes"}, {"projection": "payload"}, {"fromDate": "2025-1-1"}, {"formNo": "W8"}]
)
def test_a_bad_query_is_400(steady: Caller, query: dict[str, str]) -> None:
    assert steady.get("/forms", **query).status_code == 400


def test_the_dates_can_be_made_mandatory(caller: Caller) -> None:
    caller.config(forms_need_dates=True)

    assert caller.get("/forms", formNo=3024).status_code == 400
    assert caller.get("/forms", formNo=3024, getDocs="F", fromDate="2020-01-01", toDate="2030-01-01").status_code == 200


def test_only_forms_revised_since_a_day_are_listed(caller: Caller) -> None:
    caller.control("POST", "forms", {"formNumber": 3024})

    found = caller.get("/forms", fromDate="2026-01-01", language="en").json()

    assert [form["formNumber"] for form in found["formDetails"]] == [3024]


@pytest.mark.parametrize(
    ("query", "some"),
    [
        ({"residenceCountry": "USA"}, {"1005", "9490", "5002"}),
        ({"residenceCountry": "GBR", "ira": "true", "iraType": "ISA"}, {"4319", "5001"}),
        ({"residenceCountry": "DEU", "capability": "CLP"}, {"4155", "5001"}),
    ],
)
def test_required_forms_depend_on_the_application(steady: Caller, query: dict[str, str], some: set[str]) -> None:
    answer = steady.get("/forms/required-forms", **query)

    assert some <= set(answer.json()["forms"])


def test_an_agreement_is_stored_for_the_day_and_then_needs_no_file(caller: Caller) -> None:
    content = published(caller, 3024)
    bare = {name: value for name, value in agreement(content).items() if name != "payload"}

    assert errors(caller.post("/accounts", application("f-1", documents=[bare]))) == ["I/O error file processing"]
    answer = store_for_today(caller, agreement(content, signer="Alder Row"))
    assert outcome(answer)["status"] == "Success"
    assert outcome(caller.post("/accounts", application("f-1", documents=[bare])))["status"] == "Success"
    caller.advance(24 * 3600)
    assert errors(caller.post("/accounts", application("f-2", documents=[bare]))) == ["I/O error file processing"]


def test_a_tax_form_is_not_stored_for_the_day(caller: Caller) -> None:
    form = paper(5001, name="Form5001.pdf", content=published(caller, 5001))

    assert errors(store_for_today(caller, form)) == ["Form 5001 is a tax form and must be attached to the application"]


def test_an_altered_agreement_is_refused(caller: Caller) -> None:
    found = errors(caller.post("/accounts", application("f-3", documents=[agreement(PDF)])))

    assert found == ["File has a different SHA-1 check sum in the archived original"]


def test_the_revision_before_is_taken_for_seven_more_days(caller: Caller) -> None:
    old = published(caller, 3024)
    caller.control("POST", "forms", {"formNumber": 3024})

    assert published(caller, 3024) != old
    caller.advance(7 * 86400)
    assert outcome(caller.post("/accounts", application("f-4", documents=[agreement(old)])))["status"] == "Success"
    caller.advance(86400)
    found = errors(caller.post("/accounts", application("f-5", documents=[agreement(old)])))
    assert found == ["File has a different SHA-1 check sum in the archived original"]
