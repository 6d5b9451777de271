"""The schemas of IBKR's OpenAPI document, where it lies beside the repository, for checking single answers."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import requests
from jsonschema import Draft202012Validator

PLACE = Path(os.environ.get("IBKR_OPENAPI", Path(__file__).parents[3] / "shared" / "ibkr" / "openapi.json"))
# What the facts know better than the document: the type it prints, and the one that is sent.
ANY = {"FileData": ["data"], "EnumerationResponse": ["jsonData"], "StatusResponse": ["dateSubmitted"]}


@cache
def schemas() -> dict[str, Any]:
    """`components.schemas` with the known misprints taken out; empty where the document is not at hand."""
    if not PLACE.exists():
        return {}
    read: dict[str, Any] = json.loads(PLACE.read_text(encoding="utf-8"))["components"]["schemas"]
    for name, members in ANY.items():
        for member in members:
            read[name]["properties"][member] = {}
    return read


def fits(answer: requests.Response, schema: str) -> None:
    """Assert that a JSON answer has no member the schema lacks, and fits it."""
    if not schemas():
        return
    wanted = {"components": {"schemas": schemas()}, "$ref": f"#/components/schemas/{schema}"}
    Draft202012Validator(wanted).validate(answer.json())
    properties = schemas()[schema].get("properties", {})
    assert not answer.json().keys() - properties.keys(), answer.json().keys() - properties.keys()
