"""What is repaired in IBKR's OpenAPI file, in memory, before anything is held against it.

The file (2.28.0) is invalid as it stands and wrong about itself in ways that no single answer shows. Each repair is a
function over the document whose docstring is its reason; `patched` runs them all. What the file says well and the
facts still know better is no repair: that is an exception, listed in tests/specification_exceptions.py.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

Document = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
TRADING = "/v1/api"
OURS = ("/gw/api/", "/oauth2/")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY_OF_A_MAP = re.compile(r"D?[FIU]\d{4,}(C|\.Core)?|U\d+|All|BASE|[A-Z]{3}|\d{4,}")
WORDS_FOR_A_KEY = ("symbol", "date", "currency")  # of futures, schedules and market values: the key itself is meant
EXAMPLES_OF_ENUMS = (  # schema, members on the way: a list of one value that is an example, not a rule
    ("accountAttributes", "currency"),  # every currency (trading.md 13, trap 14)
    ("accountAttributes", "tradingType"),  # STKCASH, STKMRGN, PMRGN, ... (trading.md 6)
    ("accountAttributes", "type"),  # DEMO is of a demonstration account (trading.md 6)
)


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation as (method in capitals, path, operation)."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every object below `node` that may be a schema; examples are passed over."""
    if isinstance(node, dict):
        yield node
        for name, below in node.items():
            if name not in ("example", "examples", "enum"):
                yield from schemas(below)
    elif isinstance(node, list):
        for below in node:
            yield from schemas(below)


def resolved(document: Document, node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def one_server(document: Document) -> None:
    """Operations list servers of their own, with and without /v1/api; the trading paths lack it. One server, whole paths."""
    document["servers"] = [{"url": "/"}]
    for _, _, operation in operations(document):
        operation.pop("servers", None)
    document["paths"] = {
        path if path.startswith(OURS) else TRADING + path: item for path, item in document["paths"].items()
    }


def bearer_everywhere(document: Document) -> None:
    """`bearerAuth: [null]` on two operations, no security scheme at all; the bearer is a header of every call (section 2)."""
    document.get("components", {}).pop("securitySchemes", None)
    document["components"]["securitySchemes"] = {"bearerAuth": {"type": "http", "scheme": "bearer"}}
    for _, path, operation in operations(document):
        operation["security"] = [] if path.startswith("/oauth2/") else [{"bearerAuth": []}]
        operation["parameters"] = [
            parameter
            for parameter in operation.get("parameters", [])
            if resolved(document, parameter)["name"].lower() != "authorization"
        ]


def parameters_of_the_path(document: Document) -> None:
    """`client-id` is in no path (left over from /v1/clients/{client-id}, section 2); others are misspelt or miscased."""
    for _, path, operation in operations(document):
        named = {part[1:-1].lower(): part[1:-1] for part in path.split("/") if part.startswith("{")}
        kept = []
        for each in operation["parameters"]:
            parameter = dict(resolved(document, each))
            if parameter["in"] == "path":
                name = "enumerationtype" if parameter["name"] == "type" else parameter["name"].lower()
                if name not in named:
                    continue
                parameter["name"] = named[name]
            kept.append(parameter)
        operation["parameters"] = kept


def flat_queries(document: Document) -> None:
    """Three operations name a query object where the wire has its members (account-management.md 22, trap 27)."""
    for _, _, operation in operations(document):
        flat: list[dict[str, Any]] = []
        for parameter in operation["parameters"]:
            schema = resolved(document, parameter.get("schema", {}))
            if parameter["in"] == "query" and schema.get("type") == "object":
                required = schema.get("required", ())
                flat += [
                    {"name": name, "in": "query", "required": name in required, "schema": member}
                    for name, member in schema["properties"].items()
                ]
            else:
                flat.append(parameter)
        operation["parameters"] = flat


def lists_in_queries(document: Document) -> None:
    """`conids` is one int32 where the wire has a comma-separated list; `fields` is one code (trading.md 5)."""
    snapshot = document["paths"][TRADING + "/iserver/marketdata/snapshot"]["get"]
    for parameter in snapshot["parameters"]:
        items = {"type": "integer"} if parameter["name"] == "conids" else {"type": "string"}
        parameter.update(style="form", explode=False, schema={"type": "array", "items": items})


def long_integers(document: Document) -> None:
    """int32 stands for 14-digit times, order ids and instruction ids beyond it (22, trap 5; trading.md 13, trap 15)."""
    for schema in schemas(document):
        if schema.get("format") == "int32":
            schema["format"] = "int64"


def alternatives_may_overlap(document: Document) -> None:
    """`oneOf` over schemas that require nothing: most answers fit several. Any of them must fit."""
    for schema in schemas(document):
        if isinstance(schema.get("oneOf"), list):
            schema["anyOf"] = schema.pop("oneOf")
            schema.pop("discriminator", None)


def signed_bodies(document: Document) -> None:
    """A signed body goes out as application/jwt everywhere; the file says application/json or text/plain for some (22, trap 2)."""
    for _, _, operation in operations(document):
        if operation.get("x-ib-gateway-security-policy") == "SIGNED_JWT":
            body = resolved(document, operation["requestBody"])
            (content,) = body["content"].values()
            operation["requestBody"] = {**body, "content": {"application/jwt": content}, "required": True}


def token_form(document: Document) -> None:
    """The token form has the names of RFC 6749 and 7523, not the camel case of the file (22, trap 6; section 3)."""
    members = {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
        "client_assertion": {"type": "string", "minLength": 1},
        "client_id": {"type": "string"},
        "scope": {"type": "string"},
    }
    required = ["grant_type", "client_assertion_type", "client_assertion", "scope"]
    document["components"]["schemas"]["TokenRequest"] = {
        "type": "object", "properties": members, "required": required, "additionalProperties": False,
    }  # fmt: skip


def enums_that_are_examples(document: Document) -> None:
    """One allowed value where that is an example: an account's currency is not always USD (trading.md 13, trap 14)."""
    for name, member in EXAMPLES_OF_ENUMS:
        document["components"]["schemas"][name]["properties"][member].pop("enum", None)


def inheritance_merged(document: Document) -> None:
    """`allOf` becomes one schema, so that a member which none of its parts names can be told from one that another names."""
    for schema in list(schemas(document)):
        if isinstance(schema.get("allOf"), list):
            _merge(document, schema)


def _merge(document: Document, schema: dict[str, Any]) -> None:
    for part in schema.pop("allOf"):
        whole = dict(resolved(document, part))
        if "allOf" in whole:
            _merge(document, whole)
        schema["properties"] = {**whole.pop("properties", {}), **schema.get("properties", {})}
        schema["required"] = [*whole.pop("required", []), *schema.get("required", [])]
        for name, value in whole.items():
            schema.setdefault(name, value)
    for name in ("properties", "required"):
        if not schema[name]:
            del schema[name]


def objects_of_java(document: Document) -> None:
    """`{"type": "object"}` and no more is Java's Object or Jackson's ArrayNode: anything at all, as the file's examples show."""
    for schema in schemas(document):
        if schema.get("type") == "object" and not schema.keys() - {"type", "description", "example", "nullable"}:
            del schema["type"]


def operations_in_arrays(document: Document) -> None:
    """An operation of PATCH /accounts is an object here and an array of such objects in the documents (section 10)."""
    members = document["components"]["schemas"]["AccountManagementRequests"]["properties"]
    for name, schema in members.items():
        members[name] = {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


def maps_by_name(document: Document) -> None:
    """Members named U1234567, All, USD or 20251218 are examples of a map's keys, not its only ones."""
    for schema in schemas(document):
        members = schema.get("properties")
        if isinstance(members, dict) and members and all(_is_a_key(*member) for member in members.items()):
            schema["additionalProperties"] = next(iter(members.values()))


def _is_a_key(name: str, member: dict[str, Any]) -> bool:
    if KEY_OF_A_MAP.fullmatch(name):
        return True
    return name in WORDS_FOR_A_KEY and member.get("type") in ("array", "object")


REPAIRS: tuple[Callable[[Document], None], ...] = (
    one_server,
    bearer_everywhere,
    parameters_of_the_path,
    flat_queries,
    lists_in_queries,
    long_integers,
    alternatives_may_overlap,
    signed_bodies,
    token_form,
    inheritance_merged,
    objects_of_java,
    enums_that_are_examples,
    maps_by_name,
    operations_in_arrays,
)


def patched(document: Document) -> Document:
    """The document, repaired in place."""
    for repair in REPAIRS:
        repair(document)
    return document
