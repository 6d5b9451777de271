"""The archive of published forms: `GET /forms`, `GET /forms/required-forms` and `POST /accounts/documents`.

A form that is signed has a blank PDF in each of three languages; its bytes follow from number, language and revision,
so their SHA-1 is the same in every run. `POST /_sandbox/forms {"formNumber": n}` publishes the next revision; files of
the one before are taken for seven more calendar days. `getDocs=T` or `projection=DOCS` packs the PDFs of all languages
into one ZIP (a single file stays a PDF) in `fileData`; `projection=PAYLOAD` puts each file beside its details.
With the knob `forms_need_dates` (false) getDocs, fromDate and toDate are required, as the documentation says and the
specification does not. Titles that IBKR does not print, the files and the rule behind required-forms are invented.
"""

import base64
import hashlib
import zipfile
from datetime import UTC, date, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import enumerations
from .backstage import Mistake, backstage
from .clock import NEW_YORK, moment, stamp
from .gateway import Call, resource
from .jsonio import answer, loads
from .kernel import Sandbox
from .queries import bad_query, instant, wrapped_error
from .rules import day

SCHEMA = """
CREATE TABLE IF NOT EXISTS form_revisions (form INTEGER NOT NULL, revision INTEGER NOT NULL, published_at TEXT NOT NULL,
    PRIMARY KEY (form, revision))
"""

LANGUAGES = ("en", "de", "es")
FIRST_PUBLISHED = datetime(2025, 1, 2, 15, 0, tzinfo=UTC)
GRACE = timedelta(days=7)
ACTIONS = {"signature": "to sign", "upload": "to send"}
GENERAL = (2109, 3024, 4016, 9130)


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/forms", _forms, "accounts.read", "forms.read"),
        resource(sandbox, "GET", "/forms/required-forms", _required, "accounts.read"),
        backstage(sandbox, "POST", "/forms", _publish),
    ]


@cache
def facts() -> dict[int, dict[str, Any]]:
    read = loads((Path(__file__).parent / "data" / "forms.json").read_text(encoding="utf-8"))
    return {form["formNumber"]: form for form in read["forms"]}


def name_of(form: int) -> str:
    found = facts().get(form)
    return str(found["formName"]) if found else f"Form {form}"


def is_signed(form: int) -> bool:
    """Whether the form is a published paper that comes back signed, byte for byte as published."""
    return form in facts() and facts()[form]["delivery"] == "signature"


def file_name(form: int, language: str) -> str:
    return f"Form{form}.pdf" if language == "en" else f"Form{form}_{language}.pdf"


@cache
def blank(form: int, language: str, revision: int) -> bytes:
    """The published file: a one-page PDF."""
    lines = [
        name_of(form)[:70], f"Form {form}, language {language}, revision {revision}",
        "Simulated by the sandbox. Not a form of Interactive Brokers.",
    ]  # fmt: skip
    shown = " T* ".join(f"({line})Tj" for line in (text.replace("(", "[").replace(")", "]") for text in lines))
    drawn = f"BT /F1 12 Tf 16 TL 72 720 Td {shown} ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]  # fmt: skip
    text, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(text))
        text += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(text)}\n%%EOF\n"
    return (text + end).encode("ascii", "replace")


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def revision(sandbox: Sandbox, form: int) -> tuple[int, datetime]:
    """Number and day of the revision in force."""
    row = sandbox.store.row(
        "SELECT revision, published_at FROM form_revisions WHERE form = ? ORDER BY revision DESC LIMIT 1", form
    )
    return (1, FIRST_PUBLISHED) if row is None else (int(row["revision"]), moment(row["published_at"]))


def accepted_sha1s(sandbox: Sandbox, form: int) -> set[str]:
    """Check sums taken now: of the revision in force, and of the one before for seven calendar days."""
    number, published = revision(sandbox, form)
    numbers = [number]
    days = (sandbox.clock.now().astimezone(NEW_YORK).date() - published.astimezone(NEW_YORK).date()).days
    if number > 1 and days <= GRACE.days:
        numbers.append(number - 1)
    return {sha1(blank(form, language, each)) for language in LANGUAGES for each in numbers}


def publish(sandbox: Sandbox, form: int) -> int:
    """Put the next revision of a form into force now."""
    number = revision(sandbox, form)[0] + 1
    sandbox.store.execute("INSERT INTO form_revisions VALUES (?, ?, ?)", form, number, stamp(sandbox.clock.now()))
    return number


def _publish(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    form = body.get("formNumber")
    if not isinstance(form, int) or not is_signed(form):
        raise Mistake("formNumber must be the number of a form that is signed")
    return {"formNumber": form, "revision": publish(sandbox, form)}


def _day(call: Call, name: str) -> date | None:
    text = call.query(name)
    found = day(text or "")
    if text is not None and found is None:
        raise bad_query(name)
    return found


def _numbers(call: Call) -> list[int]:
    """`formNo` repeated or comma-separated."""
    texts = [text for value in call.request.query_params.getlist("formNo") for text in value.split(",") if text]
    if not all(text.isdecimal() for text in texts):
        raise bad_query("formNo")
    return [int(text) for text in texts]


def _forms(call: Call) -> Response:
    sandbox = call.sandbox
    wanted, since, until = _numbers(call), _day(call, "fromDate"), _day(call, "toDate")
    get_docs, projection, language = call.query("getDocs"), call.query("projection") or "NONE", call.query("language")
    if get_docs not in (None, "T", "F"):
        raise bad_query("getDocs")
    if projection not in ("PAYLOAD", "DOCS", "NONE"):
        raise bad_query("projection")
    if sandbox.config.get("forms_need_dates", False):
        given = {"getDocs": get_docs, "fromDate": since, "toDate": until}
        if missing := [name for name, value in given.items() if value is None]:
            raise bad_query(*missing)
    now = instant(sandbox.clock.now())
    unknown = [form for form in wanted if form not in facts()]
    if unknown:
        return wrapped_error(f"Form {unknown[0]} not found", timestamp=now)
    details, files = [], []
    for form in wanted or sorted(facts()):
        number, published = revision(sandbox, form)
        changed = published.astimezone(NEW_YORK).date()
        if (since and changed < since) or (until and changed > until):
            continue
        for each in LANGUAGES if is_signed(form) else LANGUAGES[:1]:
            if language in (None, each):
                content = blank(form, each, number) if is_signed(form) else None
                details.append(_details(form, each, content, published, has_payload=projection == "PAYLOAD"))
                files += [(file_name(form, each), content)] if content else []
    found: dict[str, Any] = {"timestamp": now, "formDetails": details, "hasError": False}
    if files and (get_docs == "T" or projection == "DOCS"):
        found["fileData"] = _packed(files, sandbox.clock.now())
    return answer(found)


def _details(
    form: int, language: str, content: bytes | None, published: datetime, *, has_payload: bool
) -> dict[str, Any]:
    fact = facts()[form]
    questions = enumerations.questions(form)
    found: dict[str, Any] = {
        "formNumber": form, "formName": fact["formName"], "language": language, "dateModified": instant(published),
        "type": fact["kind"], "action": ACTIONS.get(fact["delivery"], "to complete"),
        "apiSupportedTask": fact["delivery"] in ("signature", "upload", "questionnaire"),
        "acceptableDocs": fact.get("acceptableDocs", []), "questionnaire": questions,
    }  # fmt: skip
    if content is not None:
        found.update(fileName=file_name(form, language), fileLength=len(content), sha1Checksum=sha1(content))
        if has_payload:
            found["payload"] = {"mimeType": "application/pdf", "data": base64.b64encode(content).decode()}
    return found


def _packed(files: list[tuple[str, bytes]], now: datetime) -> dict[str, Any]:
    """One file as it is, several as a ZIP; base64 either way."""
    if len(files) == 1:
        name, content = files[0]
        return {"name": name, "data": base64.b64encode(content).decode()}
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, date_time=(2025, 1, 2, 10, 0, 0)), content)
    return {"name": f"forms_{now:%Y%m%d%H%M%S}.zip", "data": base64.b64encode(out.getvalue()).decode()}


def _required(call: Call) -> Response:
    """`GET /forms/required-forms`: which forms an application with these traits attaches. A flat query.

    The sample sets of the documentation for a US individual, an ISA and a JISA; four general agreements elsewhere;
    the tax form always; 4155 with the capability CLP.
    """
    country = call.query("residenceCountry")
    if country is None:
        return wrapped_error("residenceCountry is missing")
    for name in (
        "ira",
        "requestedSYEP",
        "requestedFCBP",
        "additionalAccount",
        "additionalApplicant",
        "faTradingAccount",
    ):
        if call.query(name) not in (None, "true", "false"):
            raise bad_query(name)
    ira_type, is_ira = call.query("iraType") or "", call.query("ira") == "true"
    which = ira_type if is_ira and ira_type in ("ISA", "JISA") else country
    found = {form for form, fact in facts().items() if which in fact.get("sets", [])} or set(GENERAL)
    found.add(5002 if country == "USA" else 5001)
    capabilities = [text for value in call.request.query_params.getlist("capability") for text in value.split(",")]
    if "CLP" in capabilities:
        found.add(4155)
    return answer({"forms": [str(form) for form in sorted(found)], "hasError": False})
