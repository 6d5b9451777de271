"""What all requests and all answers have in common."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from backoffice.ibkr.redaction import Veiled, redact_members

_RAW = (
    "_raw"  # in the instance beside its fields: a private attribute of pydantic's would cost more than all its fields
)


class Request(BaseModel):
    """A request: snake_case here, IBKR's camelCase on the wire, and not one unknown field (IBKR ignores or refuses them)."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        str_strip_whitespace=True,
        hide_input_in_errors=True,  # what is wrong is named, never quoted: a traceback ends in a log
    )

    def wire_members(self) -> dict[str, Any]:
        """Return the request as IBKR spells it, without the members that are not set."""
        return _without_empty(self.model_dump(by_alias=True, exclude_none=True))


class Answer(BaseModel):
    """An answer: unknown fields are tolerated, and `raw` keeps everything IBKR said, redacted by field name."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True
    )

    @property
    def raw(self) -> dict[str, Any]:
        """Everything IBKR said, redacted; empty for a part of an answer, whose whole has it."""
        veiled: Veiled[dict[str, Any]] | None = self.__dict__.get(_RAW)
        return {} if veiled is None else veiled.seen() or {}

    @classmethod
    def read(cls, data: object, *, raw: Mapping[str, object] | None = None) -> Self:
        """Return the answer in one JSON object; `raw` is what IBKR said where `data` has been rearranged.

        Raises ValueError when `data` cannot be one.
        """
        if type(data) is not dict and not isinstance(data, Mapping):
            raise ValueError(f"{cls.__name__} expects an object, not {type(data).__name__}.")
        try:
            answer = cls.model_validate(dict(_best_spelled(cls, data)), by_alias=True, by_name=False)
        except ValidationError as problem:
            where = ", ".join(".".join(str(part) for part in error["loc"]) for error in problem.errors())
            # The causes quote what IBKR said, which may be a person's number; a log keeps them with the traceback.
            raise ValueError(f"{cls.__name__} cannot be read: {where}") from None
        answer.__dict__[_RAW] = Veiled(redact_members, data if raw is None else raw)
        return answer

    @classmethod
    def read_all(cls, rows: Iterable[object]) -> tuple[Self, ...]:
        """Return `read` of each row, in one pass. Raises ValueError when a row cannot be one."""
        listed = list(rows)
        try:
            spelled = [_best_spelled(cls, row) if isinstance(row, dict) else row for row in listed]
            answers: list[Self] = _adapter(cls).validate_python(spelled, by_alias=True, by_name=False)
        except ValidationError:
            return tuple(cls.read(row) for row in listed)  # names the row's own problem
        for answer, row in zip(answers, listed, strict=True):
            answer.__dict__[_RAW] = Veiled(redact_members, row)
        return tuple(answers)


@lru_cache(maxsize=256)
def _adapter(model: type[Answer]) -> TypeAdapter[Any]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]


@lru_cache(maxsize=256)
def _first_spellings(model: type[Answer]) -> tuple[str, ...]:
    """Return, for each member that IBKR spells in more than one way, every spelling but the last."""
    choices = [field.validation_alias for field in model.model_fields.values()]
    return tuple(str(each) for one in choices if isinstance(one, AliasChoices) for each in one.choices[:-1])


def _best_spelled(model: type[Answer], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the members without a null that would hide what IBKR says under another spelling of the same member."""
    for name in _first_spellings(model):
        if name in data and data[name] is None:
            nulls = {each for each in _first_spellings(model) if each in data and data[each] is None}
            return {each: value for each, value in data.items() if each not in nulls}
    return data


def _without_empty(members: dict[str, Any]) -> dict[str, Any]:
    """Drop empty lists and objects that only said "not given"."""
    kept: dict[str, Any] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            value = _without_empty(value)
        elif isinstance(value, list | tuple):
            value = [_without_empty(item) if isinstance(item, dict) else item for item in value]
        if value not in ({}, []):
            kept[name] = value
    return kept
