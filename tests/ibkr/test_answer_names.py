"""Wherever IBKR's documents, its specification and what was recorded disagree on a name, every spelling is read.

Section 22 of the account management facts and 10.7 of the trading facts list the disagreements. What the specification
itself spells in two ways, in a schema and in its example, is found by comparing it with every answer of ours.
"""

import inspect
import json
import re
import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import AliasChoices, Field

from backoffice.ibkr import client, coverage
from backoffice.ibkr.types.accounts import LoginMessage, RequestDetail, RequestStatus, Task
from backoffice.ibkr.types.balances import ProfitRow
from backoffice.ibkr.types.base import Answer
from backoffice.ibkr.types.contracts import TradingRules
from backoffice.ibkr.types.orders import LiveOrder
from backoffice.ibkr.types.portfolio import PortfolioAccount, Position, SummaryValue
from backoffice.ibkr.types.session import AccountProperties, BrokerageAccounts, SsoValidation, Tickle
from backoffice.ibkr.types.spellings import SHORT_NAMES, either
from tests.ibkr.test_coverage import FACTS

DISAGREEMENTS: list[tuple[type[Answer], str, object, object, tuple[str, ...]]] = [
    (Task, "is_completed", "true", True, ("isCompleted", "isComplete")),
    (Task, "is_required_for_approval", True, True, ("isRequiredForApproval", "requiredForApproval")),
    (Task, "is_required_for_trading", True, True, ("isRequiredForTrading", "requiredForTrading")),
    (Task, "is_online", True, True, ("isOnlineTask", "onlineTask")),
    (LoginMessage, "type", "W8INFO", "W8INFO", ("messageType", "type")),
    (RequestDetail, "account_id", "U1", "U1", ("accountID", "acctId", "accountId")),
    (RequestStatus, "account_id", "U1", "U1", ("accountID", "acctId", "accountId")),
    (SsoValidation, "login_type", 2, "2", ("LOGIN_TYPE", "loginType")),
    (AccountProperties, "has_no_currency_conversion", True, True, ("noFXConv", "noFxConv")),
    (BrokerageAccounts, "is_first_time", True, True, ("isFT", "isFt")),
    (Tickle, "collision", False, False, ("collission", "collision")),
    (PortfolioAccount, "is_advisor_client", True, True, ("faclient", "faClient")),
    (Position, "market_price", "2.50", Decimal("2.50"), ("mktPrice", "marketPrice")),
    (Position, "market_value", 1, Decimal(1), ("mktValue", "marketValue")),
    (Position, "asset_class", "STK", "STK", ("assetClass", "secType")),
    (SummaryValue, "is_null", True, True, ("isNull", "isNone")),
    (ProfitRow, "excess_liquidity", 1, Decimal(1), ("uel", "el")),
    (TradingRules, "stop_price", "1.5", Decimal("1.5"), ("stopprice", "stopPrice")),
    (LiveOrder, "client_order_id", "k1", "k1", ("order_ref", "cOID")),
]
NEEDED = {"requestId": 1, "accountId": "U1", "acctId": "U1", "conid": 1, "orderId": 1, "id": "U1"}
# Read elsewhere: the method takes these out of their place in IBKR's answer and hands them over by our own names.
TAKEN_OUT = {
    ("AccountDetails", name) for name in ("market_data", "sources_of_wealth", "trade_bundles", "withholding_statement")
} | {
    ("ApplicationRecord", "account_id"), ("ApplicationRecord", "is_processed"), ("AuthStatus", "server_name"),
    ("AuthStatus", "server_version"), ("Instruction", "error_code"), ("Instruction", "error_message"),
    ("Ledger", "base"), ("Owner", "first_name"), ("Owner", "last_name"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "field", "written", "read", "spellings"),
    DISAGREEMENTS,
    ids=[f"{model.__name__}.{field}" for model, field, *_ in DISAGREEMENTS],
)
def test_every_spelling_is_read(
    model: type[Answer], field: str, written: object, read: object, spellings: tuple[str, ...]
) -> None:
    others = {name: value for name, value in NEEDED.items() if name not in spellings}

    for spelling in spellings:
        assert getattr(model.read({**others, spelling: written}), field) == read, spelling


@pytest.mark.parametrize(
    ("model", "field", "written", "read", "spellings"),
    DISAGREEMENTS,
    ids=[f"{model.__name__}.{field}" for model, field, *_ in DISAGREEMENTS],
)
def test_a_null_under_one_spelling_hides_nothing_under_another(
    model: type[Answer], field: str, written: object, read: object, spellings: tuple[str, ...]
) -> None:
    others = {name: value for name, value in NEEDED.items() if name not in spellings}

    for said in spellings:
        row = others | dict.fromkeys(spellings) | {said: written}
        (first,) = model.read_all([row])
        assert getattr(model.read(row), field) == getattr(first, field) == read, said


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_the_names_of_models_are_read_in_both_generations(name: str) -> None:
    class Row(Answer):
        value: str = Field(validation_alias=either(name))

    assert Row.read({name: "x"}).value == Row.read({SHORT_NAMES[name]: "x"}).value == "x"


def folded(name: str) -> str:
    return re.sub(r"[_-]", "", name.lower())


def members_of(schema: Any, specification: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield every member that a schema or an example of the specification names, at any depth."""
    if depth > 14 or not isinstance(schema, dict):
        return
    if isinstance(reference := schema.get("$ref"), str):
        found: Any = specification
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        yield from members_of(found, specification, depth + 1)
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        yield name
        yield from members_of(part, specification, depth + 1)
    for key in ("items", "additionalProperties", "schema"):
        yield from members_of(schema.get(key), specification, depth + 1)
    for key in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(key) or ():
            yield from members_of(part, specification, depth + 1)
    examples = schema.get("examples")
    for example in [schema.get("example"), *(examples.values() if isinstance(examples, dict) else ())]:
        yield from names_in(example)


def names_in(value: Any) -> Iterator[str]:
    for name, member in value.items() if isinstance(value, dict) else ():
        yield name
        yield from names_in(member)
    for item in value if isinstance(value, list) else ():
        yield from names_in(item)


def answers_in(annotation: Any, seen: set[type[Answer]]) -> set[type[Answer]]:
    """Collect every model of ours inside the return type of a method."""
    if inspect.isclass(annotation) and issubclass(annotation, Answer) and annotation not in seen:
        seen.add(annotation)
        for field in annotation.model_fields.values():
            answers_in(field.annotation, seen)
    for part in typing.get_args(annotation):
        answers_in(part, seen)
    return seen


def answers_of_specification(specification: dict[str, Any]) -> dict[str, set[str]]:
    """Return the members of each operation's good answers, by "GET /path/{}"."""
    found = {}
    for path, operations in specification["paths"].items():
        whole = path if path.startswith(("/gw/", "/oauth2/")) else f"/v1/api{path}"
        for verb, operation in operations.items():
            contents = [
                content
                for status, reply in operation.get("responses", {}).items()
                if status.startswith("2")
                for content in reply.get("content", {}).values()
            ]
            names = {name for content in contents for name in members_of(content, specification)}
            found[f"{verb.upper()} {re.sub(r'{[^}]*}', '{}', whole)}"] = names
    return found


def test_no_name_is_missed_for_the_case_of_a_letter() -> None:
    if not FACTS.is_file():
        return  # the table above stands by itself
    described = answers_of_specification(json.loads(FACTS.read_text(encoding="utf-8")))
    families = dict(re.findall(r"self\.(\w+) = (\w+)\(requestor\)", inspect.getsource(client.IbkrClient)))
    missed, compared = set(), 0
    for method in coverage.methods():
        if method.family not in families:
            continue
        family = getattr(client, families[method.family])
        returned = typing.get_type_hints(getattr(family, method.name)).get("return")
        names = {name for each in method.operations for name in described.get(re.sub(r"{[^}]*}", "{}", each), ())}
        for model in answers_in(returned, set()):
            for field, info in model.model_fields.items():
                alias = info.validation_alias or field
                ours = alias.choices if isinstance(alias, AliasChoices) else [alias]
                compared += 1
                twins = {each for each in names for our in ours if folded(each) == folded(str(our))} - set(
                    map(str, ours)
                )
                if twins and (model.__name__, field) not in TAKEN_OUT:
                    missed.add((method.family, method.name, model.__name__, field, *sorted(twins)))

    assert compared > 500
    assert missed == set()
