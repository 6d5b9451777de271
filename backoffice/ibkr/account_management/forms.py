"""`/gw/api/v1/forms`: the forms IBKR publishes, their blank files, and which of them an application needs."""

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha1
from typing import Any

from backoffice.core import clock
from backoffice.ibkr.account_management.archives import BadArchive, decoded, mime_type, plain_name, unpacked
from backoffice.ibkr.answers import list_of, object_read
from backoffice.ibkr.errors import Unavailable, Unsendable
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.forms import FormDetails, FormFile, FormLibrary, Projection, RequiredFormsQuery

_BEFORE_ALL_FORMS = date(2000, 1, 1)


class Forms:
    """The archive of forms. A form is signed on IBKR's own file, byte for byte, so files are checked against their SHA-1."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def details(
        self,
        numbers: Sequence[int] = (),
        *,
        since: date | None = None,
        until: date | None = None,
        language: str | None = None,
    ) -> tuple[FormDetails, ...]:
        """GET /forms without files: the forms, or those with these numbers, that changed from `since` to `until`.

        Trap: a revised form replaces the old one after seven calendar days, so ask with `since` every day.
        """
        body, reply = self._ask(numbers, since, until, language, has_files=False, projection="NONE")
        return _details(body, reply)

    def files(
        self,
        numbers: Sequence[int] = (),
        *,
        since: date | None = None,
        until: date | None = None,
        language: str | None = None,
        projection: Projection = "DOCS",
    ) -> FormLibrary:
        """GET /forms with files: the forms and their blank PDFs, from a ZIP, a single PDF or beside each form.

        Raises Unavailable for an archive that cannot be trusted, and for a file that is not what its SHA-1 says. Traps:
        the ZIP holds the files of all languages, so pick by `in_language`; IBKR's documents show one number for each call.
        """
        body, reply = self._ask(numbers, since, until, language, has_files=True, projection=projection)
        forms = _details(body, reply)
        try:
            contents = _files(body)
        except BadArchive as problem:
            raise Unavailable(str(problem), status=reply.status, exchange=reply.exchange) from problem
        described = {each.file_name: each for each in forms if each.file_name}
        found = tuple(
            FormFile(name, content, mime_type(name), described.get(name)) for name, content in contents.items()
        )
        for file in found:
            if not _is_intact(file):
                raise Unavailable(
                    f"{file.name} is not the file that IBKR describes (its SHA-1 or length differs).",
                    status=reply.status,
                    exchange=reply.exchange,
                )
        return FormLibrary(forms, found)

    def file(self, number: int, *, language: str = "en") -> FormFile | None:
        """GET /forms: the blank file of one form in one language; None when there is none in it.

        Trap: hand in exactly these bytes; a PDF written anew has another SHA-1 and is refused.
        """
        library = self.files((number,))
        matching = [
            file for file in library.in_language(language) if file.details and file.details.form_number == str(number)
        ]
        if not matching and len(library.files) == 1 and not any(each.language for each in library.forms):
            return library.files[0]
        return matching[0] if matching else None

    def required(self, query: RequiredFormsQuery) -> tuple[str, ...]:
        """GET /forms/required-forms: the numbers of the forms that an application with these traits needs.

        Trap: the specification nests the query in an object, which the server does not take; it is sent flat.
        """
        body = object_read(self._requestor.gateway_get("forms", "required-forms", query=query.query()))
        return tuple(str(number) for number in list_of(body.get("forms")) if isinstance(number, str | int))

    def _ask(
        self,
        numbers: Sequence[int],
        since: date | None,
        until: date | None,
        language: str | None,
        *,
        has_files: bool,
        projection: Projection,
    ) -> tuple[dict[str, Any], Reply]:
        if any(number <= 0 for number in numbers):
            raise Unsendable("A form number is a whole number above 0.")
        query = {  # IBKR's documents require these three, its specification none
            "getDocs": "T" if has_files else "F",
            "fromDate": (since or _BEFORE_ALL_FORMS).isoformat(),
            "toDate": (until or clock.today(clock.NEW_YORK)).isoformat(),
            "projection": projection,
        }
        if numbers:
            query["formNo"] = ",".join(str(number) for number in numbers)
        if language is not None:
            query["language"] = language
        reply = self._requestor.gateway_get("forms", query=query)
        return dict(object_read(reply)), reply


def _details(body: Mapping[str, Any], reply: Reply) -> tuple[FormDetails, ...]:
    rows = [row for row in list_of(body.get("formDetails")) if isinstance(row, dict)]
    return tuple(read_answer(FormDetails, row, reply) for row in rows)


def _files(body: Mapping[str, Any]) -> dict[str, bytes]:
    """Return all files in an answer: the packed ones, then those beside each form that were not packed."""
    contents: dict[str, bytes] = {}
    packed = body.get("fileData")
    if isinstance(packed, dict) and packed.get("data"):
        contents = unpacked(str(packed.get("name") or "form.pdf"), decoded(packed["data"]))
    for row in list_of(body.get("formDetails")):
        payload = row.get("payload") if isinstance(row, dict) else None
        if isinstance(row, dict) and isinstance(payload, dict) and payload.get("data"):
            name = plain_name(str(row.get("fileName") or f"Form{row.get('formNumber')}.pdf"))
            if name not in contents:
                contents.update(unpacked(name, decoded(payload["data"])))
    return contents


def _is_intact(file: FormFile) -> bool:
    told = file.details
    if told is None:
        return True
    digest = sha1(file.content, usedforsecurity=False).hexdigest()
    return told.sha1.lower() in ("", digest) and told.file_length in (None, len(file.content))
