"""Questions IBKR asks about a client, and the answers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import AccountId, EntityId, ExternalId

FormNumber = Annotated[int, Field(gt=0, lt=100_000)]
QuestionId = Annotated[int, Field(ge=0, le=2**63 - 1)]


class AnswerDetail(Request):
    """One named part of an answer."""

    name: Annotated[str, Field(min_length=1)]
    detail: Annotated[str, Field(min_length=1, max_length=350)]


class GivenAnswer(Request):
    """The answer to one question: the `id` of the chosen answer, and words where the question wants them."""

    question_id: QuestionId
    id: QuestionId | None = None
    detail: Annotated[str, Field(min_length=1, max_length=350)] | None = None
    answer_detail: tuple[AnswerDetail, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.id is None and self.detail is None and not self.answer_detail:
            raise ValueError("a question is answered by an answer's id or by words")
        return self


class AnsweredForm(Request):
    """The answers to one questionnaire, which has a form number."""

    form_number: FormNumber
    answers: Annotated[tuple[GivenAnswer, ...], Field(min_length=1)]


class QuizTask(Request):
    """The task that a quiz belongs to; `status` is False while it is not done."""

    form_number: FormNumber
    status: bool


class ProhibitedCountryAnswer(Request):
    """One tie to a prohibited country. A tie that exists must be explained."""

    code: Literal["PASSPORT", "CITIZENSHIP", "BUSINESSDEALINGS", "FINANCIALACCOUNTS", "RESIDENT", "MULTI", "BIRTH"]
    status: bool
    details: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.status and self.details is None:
            raise ValueError("a tie to a prohibited country must be explained")
        return self


class ProhibitedCountryAnswers(Request):
    """The same answers inside a person's details. Trap: there the list's name is in the singular."""

    prohibited_questionnaire_detail: Annotated[tuple[ProhibitedCountryAnswer, ...], Field(min_length=1)]
    account_id: AccountId | None = None
    external_id: ExternalId | None = None
    entity_id: EntityId | None = None
