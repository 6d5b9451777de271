"""Every exchange of a test with the sandbox is held against IBKR's own OpenAPI file.

`Specification.judge(exchange)` returns what is wrong with one request and its answer. openapi-core does the work:
parameters, media types, deserialising, schemas, status codes. On top of it, because OpenAPI 3.0 cannot say it: names of
query parameters that no operation has, and signed bodies, which are opaque to the file: the signature is verified and
the claims, without iss, iat and exp, are held against the schema. Verdicts are kept by the shape of an exchange (names,
types, enumerated values, lengths), which is all that a schema can see, so that a run pays once for each shape.

Who has to be right. A request of our client (its User-Agent begins with AdvisorBackOffice) always. A request that a test
wrote itself, when the sandbox took it: a deliberately bad one must be refused. Every answer, except one that a planned
fault altered.

Where an example in the file breaks the file's own schema, the schema proves nothing, and that rule in that place is let go.
tests/specification_exceptions.py lists what the facts know better than the file.

The file is `../shared/ibkr/openapi.json` beside the repository, or IBKR_OPENAPI; it is IBKR's and never committed. Without
it this check is off, and the last lines of the run say so.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import jwt
from jsonschema.exceptions import ValidationError
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.media_types.exceptions import MediaTypeNotFound
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.validation.request.exceptions import ParameterValidationError
from openapi_core.validation.schemas.exceptions import InvalidSchemaValue
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.specification_exceptions import EXCEPTIONS, OF_TESTS
from tests.specification_patches import KEY_OF_A_MAP, Document, operations, patched, resolved
from tests.specification_shapes import Shapes, claims_of

FILE = Path(os.environ.get("IBKR_OPENAPI") or Path(__file__).resolve().parents[2] / "shared" / "ibkr" / "openapi.json")
OUR_CLIENT = "AdvisorBackOffice"
BESIDE = ("/_sandbox/", "/sso/", "/au10tix/", "/docs")  # what the sandbox serves that is not IBKR's API


class Violation(NamedTuple):
    """What is wrong: in which operation, where in the exchange, by which rule, and the whole story for people."""

    operation: str
    where: str
    rule: str
    story: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.where}: {self.rule}: {self.story}"


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, as bytes. Header names are in lower case; `fault` says that a fault altered the answer."""

    method: str
    path: str  # as sent, still quoted
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None  # None: not answered, or not to the end
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = b""
    fault: str | None = None

    @property
    def is_ours(self) -> bool:
        return self.headers.get("user-agent", "").startswith(OUR_CLIENT)

    @property
    def is_taken(self) -> bool:
        """Whether the sandbox took the request: IBKR also refuses with 200 and an error inside (sections 7 and 20; 12)."""
        if self.status is None or not 200 <= self.status < 300 or self.fault is not None:
            return False
        with suppress(ValueError):
            answer = json.loads(self.answer)
            if isinstance(answer, dict):
                refused = answer.get("error") or answer.get("hasError") or answer.get("success") is False
                return not refused and '"status":"Error"' not in json.dumps(answer, separators=(",", ":"))
        return True


@dataclass(frozen=True)
class _Request:
    """What openapi-core wants to see of a request."""

    method: str
    path: str
    parameters: RequestParameters
    body: bytes | None
    content_type: str
    host_url: str = "http://sandbox"


@dataclass(frozen=True)
class _Response:
    status_code: int
    data: bytes
    content_type: str
    headers: Headers


class Specification:
    """The patched file, its compiled validators, and every verdict so far."""

    def __init__(self, document: Document) -> None:
        self._document = patched(document)
        self._api = OpenAPI.from_dict(
            self._document,
            config=Config(
                spec_validator_cls=None,  # type: ignore[arg-type]  # the file does not pass it
                extra_media_type_deserializers={"application/jwt": claims_of, "application/problem+json": json.loads},
                extra_format_validators={"binary": lambda _: True},
                additional_properties_default_policy="forbid",
            ),
        )
        self._routes = [(method, _pattern(path), path) for method, path, _ in operations(self._document)]
        self._routes.sort(key=lambda route: route[2].count("{"))
        self._queries = {
            f"{method} {path}": frozenset(
                resolved(self._document, each)["name"] for each in operation["parameters"] if each.get("in") == "query"
            )
            for method, path, operation in operations(self._document)
        }
        self._signed = {
            f"{method} {path}"
            for method, path, operation in operations(self._document)
            if operation.get("x-ib-gateway-security-policy") == "SIGNED_JWT"
        }
        self._shapes = Shapes(self._document)
        self._contradicted: dict[str, frozenset[tuple[str, str]]] = {}
        self._verdicts: dict[Any, tuple[Violation, ...]] = {}
        self.keys: dict[str, list[str]] = {}  # client id -> public keys registered at the sandbox
        self.used: set[tuple[str, str, str]] = set()
        self.operation_of = lru_cache(maxsize=None)(self._operation_of)

    def judge(self, exchange: Exchange) -> list[Violation]:
        """What is wrong with the exchange, the listed exceptions left out."""
        if exchange.path.startswith(BESIDE):
            return []
        return [found for found in self._found(exchange) if not self._is_excepted(found, is_ours=exchange.is_ours)]

    def _found(self, exchange: Exchange) -> Iterator[Violation]:
        template = self.operation_of(exchange.method, exchange.path)
        was_read = not (exchange.fault or "").startswith("pre_read")
        must_be_right = (exchange.is_ours and was_read) or exchange.is_taken
        if template is None:
            operation = f"{exchange.method} {re.sub(r'(?<=/)U?[0-9]+(?=/|$)', '0', exchange.path)}"
            if must_be_right:
                yield Violation(operation, "operation", "unknown", "the file has no such operation")
            return
        operation = f"{exchange.method} {template}"
        if must_be_right:
            if operation in self._signed and exchange.is_taken:
                yield from self._signature(operation, exchange)
            yield from self._kept(self._request_shape(operation, exchange), lambda: self._request(operation, exchange))
        if exchange.status is not None and exchange.fault is None:
            yield from self._kept(self._answer_shape(operation, exchange), lambda: self._answer(operation, exchange))

    def _kept(self, shape: Any, look: Callable[[], Iterator[Violation]]) -> tuple[Violation, ...]:
        if shape not in self._verdicts:
            self._verdicts[shape] = tuple(dict.fromkeys(look()))
        return self._verdicts[shape]

    def _operation_of(self, method: str, path: str) -> str | None:
        path = unquote(path)
        return next((each for verb, pattern, each in self._routes if verb == method and pattern.fullmatch(path)), None)

    def contradicted(self, operation: str) -> frozenset[tuple[str, str]]:
        """Where and by which rule the file's own examples of this operation's answers break its schema: there it proves nothing."""
        if operation not in self._contradicted:
            method, path = operation.split(" ")
            answers = self._document["paths"][path][method.lower()]["responses"]
            self._contradicted[operation] = frozenset(
                (found.where, found.rule)
                for status, answer in answers.items()
                for kind, content in resolved(self._document, answer).get("content", {}).items()
                for example in self._examples(content)
                for found in self._answer(operation, _example(operation, status, kind, example))
            )
        return self._contradicted[operation]

    def _examples(self, content: dict[str, Any]) -> Iterator[Any]:
        if "example" in content:
            yield content["example"]
        for each in content.get("examples", {}).values():
            yield resolved(self._document, each).get("value")

    def _is_excepted(self, found: Violation, *, is_ours: bool) -> bool:
        if found.operation in self._queries and (found.where, found.rule) in self.contradicted(found.operation):
            return True
        for key in EXCEPTIONS:
            if is_ours and key in OF_TESTS:
                continue
            if all(_fits(pattern, text) for pattern, text in zip(key, found[:3], strict=True)):
                self.used.add(key)
                return True
        return False

    # -- requests -----------------------------------------------------------------------------------------------

    def _request_shape(self, operation: str, exchange: Exchange) -> Any:
        body: Any = None
        if exchange.body:
            body = self._shapes.of_bytes(exchange.body, exchange.headers.get("content-type", ""))
        path = re.sub(r"\d+", "0", exchange.path)
        has_bearer = exchange.headers.get("authorization", "")[:7]
        return operation, path, exchange.query, exchange.headers.get("content-type"), has_bearer, body

    def _request(self, operation: str, exchange: Exchange) -> Iterator[Violation]:
        query = parse_qsl(exchange.query, keep_blank_values=True)
        for name in dict.fromkeys(name for name, _ in query):
            if name not in self._queries[operation]:
                yield Violation(operation, f"query {name}", "unknown", "the operation has no such parameter")
        parameters = RequestParameters(
            query=ImmutableMultiDict(query), header=Headers(list(exchange.headers.items())), cookie=ImmutableMultiDict()
        )
        request = _Request(
            exchange.method.lower(), unquote(exchange.path), parameters, exchange.body or None,
            exchange.headers.get("content-type", ""),
        )  # fmt: skip
        for error in self._api.request_validator.iter_errors(request):
            yield from _violations(operation, "request", error)

    def _signature(self, operation: str, exchange: Exchange) -> Iterator[Violation]:
        token = exchange.body.decode("ascii", "replace")
        with suppress(jwt.InvalidTokenError):
            client = jwt.decode(token, options={"verify_signature": False}).get("iss")
            for key in self.keys.get(client, ()):
                with suppress(jwt.InvalidSignatureError):
                    options = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
                    jwt.decode(token, key, algorithms=["RS256"], options=options)  # type: ignore[arg-type]
                    return
            if client and client not in self.keys:
                return  # registered before this process was there to see it; the sandbox has verified it
        yield Violation(operation, "request", "signature", "the body is not a JWS signed by a registered key")

    # -- answers ------------------------------------------------------------------------------------------------

    def _answer_shape(self, operation: str, exchange: Exchange) -> Any:
        kind = exchange.answer_headers.get("content-type", "")
        return (
            operation,
            exchange.status,
            kind,
            self._shapes.of_bytes(exchange.answer, kind) if exchange.answer else None,
        )

    def _answer(self, operation: str, exchange: Exchange) -> Iterator[Violation]:
        request = _Request(
            exchange.method.lower(), unquote(exchange.path), RequestParameters(), None, ""
        )  # fmt: skip
        response = _Response(
            int(exchange.status or 0), exchange.answer, exchange.answer_headers.get("content-type", ""),
            Headers(list(exchange.answer_headers.items())),
        )  # fmt: skip
        for error in self._api.response_validator.iter_errors(request, response):
            yield from _violations(operation, f"answer {exchange.status}", error)


def _example(operation: str, status: str, kind: str, value: Any) -> Exchange:
    method, path = operation.split(" ")
    headers = {"content-type": "application/json" if "*" in kind else kind}
    return Exchange(
        method, re.sub(r"\{[^}]*\}", "1", path), "", {}, b"", int(status), headers, json.dumps(value).encode()
    )


def _violations(operation: str, where: str, error: BaseException) -> Iterator[Violation]:
    """One finding of openapi-core as what is wrong and where: its cause is a chain that ends in the schema's errors."""
    cause: BaseException | None = error
    if isinstance(error, ParameterValidationError):
        where = f"{error.location} {error.name}"
    while cause is not None:
        if isinstance(cause, InvalidSchemaValue):
            for each in cause.schema_errors:
                if isinstance(each, ValidationError):
                    for leaf in _leaves(each):
                        place = "".join(
                            "[]" if isinstance(part, int) else f".{key(part)}" for part in leaf.absolute_path
                        )
                        for rule in _rules(leaf):
                            yield Violation(operation, f"{where} ${place}", rule, leaf.message[:300])
            return
        if isinstance(cause, MediaTypeNotFound):
            story = f"{cause.mimetype!r} is not one of {', '.join(cause.availableMimetypes)}"
            yield Violation(operation, where, "content type", story)
            return
        if isinstance(cause, ResponseNotFound):
            yield Violation(operation, where, "status", "the file has no answer with this status")
            return
        cause = cause.__cause__
    rule = re.sub(r"(?<!^)([A-Z])", r" \1", type(error.__cause__ or error).__name__).lower()
    yield Violation(operation, where, rule, str(error.__cause__ or error)[:300])


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """What went wrong at the bottom: of several alternatives, the errors of the one that fits best."""
    if not error.context:
        yield error
        return
    alternatives: dict[Any, list[ValidationError]] = {}
    for each in error.context:
        alternatives.setdefault(each.schema_path[0], []).append(each)
    for each in min(alternatives.values(), key=lambda found: sum(map(_weight, found))):
        yield from _leaves(each)


def _weight(error: ValidationError) -> int:
    """How wrong an alternative is by this error: another type at its top is worst, then each member too many or too few."""
    if error.validator == "type" and not error.relative_path and not error.message.startswith("Additional"):
        return 100
    return len(_rules(error)) + (1 if error.validator in ("required", "enum") else 0)


def _rules(error: ValidationError) -> list[str]:
    if error.message.startswith("Additional properties"):
        return [f"unknown {key(name)}" for name in re.findall(r"'([^']*)'", error.message)]
    if error.validator == "required":
        return [f"required {error.message.split(chr(39))[1]}"]
    if error.validator == "type" or error.instance is None:
        return [f"{error.validator} {_kind(error.instance)}"]
    return [str(error.validator)]


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {
        type(None): "null",
        bool: "boolean",
        int: "number",
        float: "number",
        str: "string",
        list: "array",
    }
    return kinds.get(type(value), "object")


def key(name: str) -> str:
    """The name of a member, or {} where members are named after accounts, currencies, conids or days."""
    return "{}" if KEY_OF_A_MAP.fullmatch(name) else name


def _fits(pattern: str, text: str) -> bool:
    if "|" in pattern:
        return any(_fits(each, text) for each in pattern.split("|"))
    if "*" not in pattern:
        return pattern == text
    return _wildcard(pattern).fullmatch(text) is not None


@cache
def _wildcard(pattern: str) -> "re.Pattern[str]":
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))


def _pattern(path: str) -> "re.Pattern[str]":
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)))


@lru_cache(maxsize=1)
def specification() -> Specification | None:
    """The one specification of this process, or None where the file is not there."""
    if not FILE.exists():
        return None
    return Specification(json.loads(FILE.read_bytes()))


__all__ = ["FILE", "Exchange", "Specification", "Violation", "specification"]
