"""`/gw/api/v1/statements`: what is available, and the file. Asking twice has no effect, so these are reads."""

import re
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from hashlib import sha256
from typing import Literal

from backoffice.ibkr import paths
from backoffice.ibkr.answers import object_read
from backoffice.ibkr.errors import Unavailable, Unsendable
from backoffice.ibkr.parsing import day
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import LARGEST_ANSWER, Effect, Reply
from backoffice.ibkr.types.reports import AvailableStatements, StatementFile

MimeType = Literal["application/pdf", "text/html", "text/csv"]
_PERIOD = re.compile(r"\d{4}(?:\d{2}(?:\d{2})?)?")


class Reports:
    """Statements of accounts."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def available_statements(self, account_id: str) -> AvailableStatements:
        """GET /statements/available: the range of days, the months and the years that can be fetched."""
        query = {"accountId": paths.account_id(account_id)}
        reply = self._requestor.gateway_get("statements", "available", query=query)
        data = object_read(reply).get("data")
        value = data.get("value") if isinstance(data, dict) else None
        if not isinstance(value, dict):
            raise Unavailable("IBKR's answer lists no statements.", status=reply.status, exchange=reply.exchange)
        daily = value.get("daily") if isinstance(value.get("daily"), dict) else {}
        assert isinstance(daily, dict)
        try:
            start, end = day(daily.get("startDate")), day(daily.get("endDate"))
        except ValueError as problem:
            raise Unavailable(str(problem), status=reply.status, exchange=reply.exchange) from problem
        periods = {
            name: tuple(str(each) for each in listed) if isinstance(listed := value.get(name), list) else ()
            for name in ("monthly", "annual")
        }
        return read_answer(AvailableStatements, {**value, "daily_start": start, "daily_end": end, **periods}, reply)

    def statement(
        self, account_id: str, start: str, end: str, *, mime_type: MimeType = "application/pdf", language: str = "en"
    ) -> StatementFile:
        """POST /statements: one statement. The form of the dates chooses its kind: YYYY, YYYYMM or YYYYMMDD (at most 365 days).

        Raises Rejected with status 402 for an account that is not ours.
        """
        if len(start) != len(end) or not _PERIOD.fullmatch(start) or not _PERIOD.fullmatch(end) or start > end:
            raise Unsendable(f"{start!r} to {end!r} is not a period IBKR knows (YYYY, YYYYMM or YYYYMMDD, both alike).")
        reply = self._requestor.gateway_signed(
            "statements",
            claims={
                "accountId": paths.account_id(account_id),
                "startDate": start,
                "endDate": end,
                "mimeType": mime_type,
                "language": language,
                "gzip": False,
            },
            effect=Effect.READ,
            read_timeout=self._requestor.timeouts.reports,
        )
        content, actual_type = _content(reply)
        if not content or (actual_type == "application/pdf" and not content.startswith(b"%PDF-")):
            raise Unavailable(
                "IBKR's statement is not the file it says it is.", status=reply.status, exchange=reply.exchange
            )
        return StatementFile(
            account_id=account_id,
            start=start,
            end=end,
            mime_type=actual_type,
            sha256=sha256(content).hexdigest(),
            content=content,
        )


def _content(reply: Reply) -> tuple[bytes, str]:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if reply.status == 200 and kind in ("application/pdf", "text/html", "text/csv"):
        return reply.body, kind
    data = object_read(reply).get("data")
    value = data.get("value") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(value, str):
        raise Unavailable("IBKR's answer has no statement in it.", status=reply.status, exchange=reply.exchange)
    try:
        content = b64decode(value, validate=True)
        if data.get("gzip") is True:
            content = _unpacked(content)
    except (NotBase64, zlib.error, ValueError) as problem:
        raise Unavailable(
            "IBKR's statement cannot be unpacked.", status=reply.status, exchange=reply.exchange
        ) from problem
    return content, str(data.get("mimeType") or "application/pdf")


def _unpacked(packed: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    content = stream.decompress(packed, LARGEST_ANSWER)
    if stream.unconsumed_tail or not stream.eof:
        raise ValueError("too large or cut off")
    return content
