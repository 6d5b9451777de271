"""From an answer's bytes to a meaning: pure functions, one place for IBKR's many error bodies.

What a write's answer means is decided by the narrowest reading that is safe: a refusal must be one we recognise;
everything that is neither a recognised refusal nor a readable success is OutcomeUnknown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from backoffice.ibkr.errors import (
    AuthFailed,
    FieldProblem,
    IbkrError,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SessionNotReady,
    Unavailable,
)
from backoffice.ibkr.transport import Reply, retry_after
from backoffice.ibkr.wire import Json, Unreadable, decode

# The request, or one with the same key, is already there: look, do not count it as refused.
_EVIDENCE_OF_PRESENCE = re.compile(
    r"already registered|already processed|DU[BP]\w*_CP|already exists for counterparty"
    r"|external (?:\w+ )?id\b.*\balready in use",
    re.IGNORECASE,
)
_SESSION_NOT_READY = re.compile(
    r"no bridge|init session first|query /(?:portfolio/)?(?:sub)?accounts first|not authenticated|not primed",
    re.IGNORECASE,
)
_INTERNAL_FAILURE = re.compile(
    r"java\.|exception|timed? ?out|unavailable|try again|internal server error", re.IGNORECASE
)
REFUSING_STATUSES = frozenset({400, 402, 404, 405, 409, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error body says, whichever of IBKR's shapes it has."""

    text: str
    code: str = ""
    reasons: tuple[str, ...] = ()
    fields: tuple[FieldProblem, ...] = ()

    @property
    def shows_presence(self) -> bool:
        """Whether the text is evidence that the thing to be made exists already."""
        return any(_EVIDENCE_OF_PRESENCE.search(text) for text in (self.text, self.code, *self.reasons))

    @property
    def is_internal(self) -> bool:
        """Whether the text is a failure inside IBKR rather than a decision about the request."""
        return _INTERNAL_FAILURE.search(self.text) is not None

    @property
    def means_session_not_ready(self) -> bool:
        """Whether the brokerage session has to be opened or primed first."""
        return _SESSION_NOT_READY.search(self.text) is not None


def readable_or_none(reply: Reply) -> Json:
    """Return the JSON of an answer, or None when it is not readable (HTML, empty, cut off)."""
    try:
        return decode(reply.body)
    except Unreadable:
        return None


def problem_in(body: Json) -> Problem | None:
    """Return the problem a body states, or None when it states none.

    Shapes: problem+json, {"error": text or object}, {"status": 400, "error", "message"}, {"success": false, ...},
    {"fail": text}, {"hasError": true, "errorDescription"}, banking's {"instructionResult": {"error": {...}}}.
    """
    if not isinstance(body, dict):
        return None
    result = body.get("instructionResult")
    if isinstance(result, dict) and isinstance(error := result.get("error"), dict):
        return Problem(
            _text(error.get("errorMessage")) or "The instruction was rejected.", code=_text(error.get("errorCode"))
        )
    if body.get("hasError") is True:
        inner = body.get("error")
        code = _text(inner.get("error")) if isinstance(inner, dict) else ""
        text = _text(body.get("errorDescription")) or _of_error(inner) or "IBKR reports an error without a description."
        return Problem(text, code=code)
    if text := _of_error(body.get("error")):
        if isinstance(body.get("status"), int) and (message := _text(body.get("message"))):
            return Problem(message, code=text)  # the newer ErrorResponse: its `error` only names the status
        return Problem(text)
    if _text(body.get("title")) and (isinstance(body.get("status"), int) or _text(body.get("type")).startswith("/")):
        fields = tuple(_field_problems(body.get("invalidArguments")))
        text = _text(body.get("detail")) or _text(body.get("title"))
        reasons = (text, *(f"{each.field}: {each.description}" for each in fields))
        return Problem(text, code=_text(body.get("type")), reasons=reasons, fields=fields)
    if body.get("success") is False:
        text = _text(body.get("text")) or _text(body.get("message")) or _text(body.get("failure_list"))
        return Problem(text or "IBKR answered that it did not succeed.")
    if text := _text(body.get("fail")):
        return Problem(text)
    return None


def refused_access(reply: Reply, body: Json) -> IbkrError | None:
    """Return the error for 401, 403, 410 and 429, or None for any other status."""
    problem = problem_in(body)
    text = problem.text if problem else ""
    match reply.status:
        case 429:
            reason = text or "IBKR limits the number of requests."
            return RateLimited(reason, retry_after=retry_after(reply), exchange=reply.exchange)
        case 401 | 410 if problem is not None and problem.means_session_not_ready:
            return SessionNotReady(text, status=reply.status, exchange=reply.exchange)
        case 401 | 403 | 410:
            reason = text or f"IBKR did not accept the credentials or the session (HTTP {reply.status})."
            return AuthFailed(reason, status=reply.status, exchange=reply.exchange)
    return None


def value_read(reply: Reply) -> Json:
    """Return the JSON a read was answered with.

    Raises AuthFailed, SessionNotReady, RateLimited, Rejected (a 4xx, or a 200 that states a problem) or Unavailable.
    """
    body: Json = None
    unreadable: Unreadable | None = None
    try:
        body = decode(reply.body)
    except Unreadable as problem_of_reading:
        unreadable = problem_of_reading
    if (error := refused_access(reply, body)) is not None:
        raise error
    problem = problem_in(body)
    if problem is not None and problem.means_session_not_ready:
        raise SessionNotReady(problem.text, status=reply.status, exchange=reply.exchange)
    if 200 <= reply.status < 300:
        if problem is not None:
            raise _rejected(problem, reply)
        if unreadable is not None:
            raise Unavailable(
                f"IBKR's answer cannot be read: {unreadable}", status=reply.status, exchange=reply.exchange
            ) from unreadable
        return body
    if 400 <= reply.status < 500:
        raise _rejected(problem or Problem(f"IBKR answered HTTP {reply.status}."), reply)
    reason = problem.text if problem else f"IBKR answered HTTP {reply.status}."
    raise Unavailable(reason, status=reply.status, exchange=reply.exchange)


def object_read(reply: Reply) -> dict[str, Json]:
    """Return the JSON object a read was answered with; another kind of value is Unavailable."""
    value = value_read(reply)
    if not isinstance(value, dict):
        raise Unavailable("IBKR's answer is not the object it should be.", status=reply.status, exchange=reply.exchange)
    return value


def gateway_write(reply: Reply) -> dict[str, Json]:
    """Return the JSON object of an accepted signed write; what it says about success is the family's business.

    Raises Rejected for a recognised refusal, AuthFailed or RateLimited for theirs, OutcomeUnknown for all else.
    """
    body = readable_or_none(reply)
    problem = problem_in(body)
    if problem is not None and problem.shows_presence:
        raise OutcomeUnknown(
            f"IBKR already knows this key: {problem.text}",
            status=reply.status,
            is_known_there=True,
            exchange=reply.exchange,
        )
    if is_rejected_instruction(body) and 400 <= reply.status < 500:
        raise _rejected(problem or Problem("The instruction was rejected."), reply)
    if (error := refused_access(reply, body)) is not None:
        raise error
    if reply.status == 208:
        raise OutcomeUnknown(
            "IBKR already knows this instruction id.", status=208, is_known_there=True, exchange=reply.exchange
        )
    if 200 <= reply.status < 300:
        if not isinstance(body, dict):
            raise OutcomeUnknown("IBKR's answer cannot be read.", status=reply.status, exchange=reply.exchange)
        return body
    if reply.status == 415 and isinstance(body, dict):
        raise _rejected(problem or Problem("IBKR does not take this content type."), reply)
    if reply.status in REFUSING_STATUSES and problem is not None:
        raise _rejected(problem, reply)
    said = f": {problem.text}" if problem else ""
    raise OutcomeUnknown(f"IBKR answered HTTP {reply.status}{said}", status=reply.status, exchange=reply.exchange)


def is_rejected_instruction(body: Json) -> bool:
    """Return whether a banking answer says the instruction is REJECTED."""
    result = body.get("instructionResult") if isinstance(body, dict) else None
    return isinstance(result, dict) and _text(result.get("instructionStatus")).upper() == "REJECTED"


def rejected(problem: Problem, reply: Reply) -> Rejected:
    """Return the refusal a body states, as the error to raise."""
    return _rejected(problem, reply)


def list_of(value: object) -> list[Json]:
    """Return a JSON list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def _rejected(problem: Problem, reply: Reply) -> Rejected:
    return Rejected(
        problem.text,
        status=reply.status,
        code=problem.code,
        reasons=problem.reasons,
        fields=problem.fields,
        exchange=reply.exchange,
    )


def _of_error(error: Json) -> str:
    if isinstance(error, Mapping):
        return _text(error.get("message")) or _text(error.get("errorMessage")) or _text(error.get("error"))
    text = _text(error)
    return "" if text == "None" else text


def _field_problems(arguments: Json) -> list[FieldProblem]:
    if not isinstance(arguments, list):
        return []
    return [
        FieldProblem(_text(item.get("field")), _text(item.get("description")))
        for item in arguments
        if isinstance(item, dict)
    ]


def _text(value: Json) -> str:
    return value.strip() if isinstance(value, str) else ""
