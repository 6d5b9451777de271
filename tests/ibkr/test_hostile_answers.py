"""Whatever IBKR puts where: an answer is read, with None for what cannot be, or refused as a ValueError; nothing else."""

import importlib
import pkgutil
import traceback
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AliasChoices

from backoffice.ibkr import types
from backoffice.ibkr.types.accounts import AccountStatus
from backoffice.ibkr.types.base import Answer
from backoffice.ibkr.types.changes import AddressChange
from backoffice.ibkr.types.history import History

for _module in pkgutil.walk_packages(types.__path__, f"{types.__name__}."):
    importlib.import_module(_module.name)


def below(model: type[Answer]) -> Iterator[type[Answer]]:
    for each in model.__subclasses__():
        if each.__module__.startswith(types.__name__):
            yield each
        yield from below(each)


MODELS = sorted(set(below(Answer)), key=lambda model: model.__qualname__)
# What the methods ask for is there, so that the rest of an answer is looked at too.
IDENTIFIED = {
    "requestId": 1, "accountId": "U1", "acctId": "U1", "conid": 1, "orderId": 1, "order_id": 1, "id": "U1", "ID": "1",
    "FC": "BA", "account_id": "U1", "currencies": {}, "values": {},
}  # fmt: skip
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**13, -(10**13), 10**30, 10**400, Decimal("1e999999"), Decimal("-1e-999999"), Decimal("0.1"),
    "", "  ", "n/a", "NaN", "None", "null", "1,300", "1e99", "9" * 500, "\u0663", "\x00", "C", "H", "C1", "50M", "-5",
    "2026-02-30", "20261340", "99999999999999", "Tue Foo 31 00:00:00 EDT 2026", "253402300800000", "-62135596800001",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    [], [[]], [None], [1, "a", {}], [{}], [{"conid": None}], {}, {"a": 1}, {"": None},
)  # fmt: skip


def names_of(model: type[Answer]) -> list[str]:
    """Return every name under which a model reads something."""
    found: list[str] = []
    for field, info in model.model_fields.items():
        alias = info.validation_alias or field
        found += [str(each) for each in (alias.choices if isinstance(alias, AliasChoices) else [alias])]
    return found


def look_at(answer: Answer) -> None:
    """Use everything an answer offers."""
    assert isinstance(answer.raw, dict)
    repr(answer)
    offered = [name for name in dir(type(answer)) if not name.startswith(("_", "model_"))]
    for name in offered:
        if isinstance(getattr(type(answer), name, None), property):
            getattr(answer, name)
    for value in vars(answer).values():
        assert not isinstance(value, datetime) or value.tzinfo is not None
        assert not isinstance(value, float)


def read(model: type[Answer], members: dict[str, Any]) -> None:
    try:
        answer = model.read(members)
    except ValueError:
        return
    look_at(answer)


def test_a_price_beyond_reckoning_is_none() -> None:
    history = History.read({"high": Decimal("1e999999"), "priceFactor": Decimal("1e-999999")})

    assert (history.scaled_high, history.highest) == (Decimal("1e999999"), None)


def test_all_answers_are_tried() -> None:
    assert len(MODELS) > 80


@pytest.mark.parametrize("model", MODELS, ids=[model.__qualname__ for model in MODELS])
def test_no_single_member_breaks_an_answer(model: type[Answer]) -> None:
    for name in names_of(model):
        for value in HOSTILE:
            read(model, {**IDENTIFIED, name: value})


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_mixture_of_members_breaks_an_answer(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    members = data.draw(st.dictionaries(st.sampled_from(names_of(model)), st.sampled_from(HOSTILE)))

    read(model, {**IDENTIFIED, **members})


def test_what_cannot_be_read_is_named_and_never_quoted() -> None:
    """A traceback with its causes is what a log keeps of a failed task."""
    secret = "718293645"
    for read in (
        lambda: AccountStatus.read({"accountId": [secret], "status": {"x": secret}}),
        lambda: AddressChange.model_validate({"street1": {"x": secret}, "unknown": secret}),
    ):
        with pytest.raises(ValueError) as refused:  # noqa: PT011 (pydantic's is one too)
            read()

        assert secret not in "".join(traceback.format_exception(refused.value))
