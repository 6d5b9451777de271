"""What IBKR still wants for an account, or wanted."""

import re
from typing import Any, Literal

from pydantic import AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Flag, Id, Instant, OptionalId, Text
from backoffice.ibkr.types.base import Answer


class Task(Answer):
    """One thing IBKR still wants, or wanted, with both spellings of its flags brought together.

    `action` is one of "to sign", "to send", "to complete" (portal only), "to check" (IBKR is looking).
    """

    form_number: OptionalId = Field(default=None, alias="formNumber")
    form_name: Text = Field(default="", alias="formName")
    task_number: OptionalId = Field(default=None, alias="taskNumber")
    action: Text = ""
    state: Text = ""
    external_id: OptionalId = Field(default=None, alias="externalId")
    entity_id: OptionalId = Field(default=None, alias="entityId")
    url: Text = Field(default="", repr=False)
    warning: Text = ""
    date_completed: Instant = Field(default=None, alias="dateCompleted")
    start_date: Instant = Field(default=None, alias="startDate")
    link_created: Instant = Field(default=None, alias="au10tixCreatedDate")
    expires: Instant = Field(default=None, alias="au10tixExpiryDate")
    question_ids: tuple[Id, ...] = Field(default=(), alias="questionIds")
    reject_reasons: tuple[str, ...] = Field(default=(), alias="documentRejectReason")
    is_required_for_approval: Flag = Field(
        default=None, validation_alias=AliasChoices("isRequiredForApproval", "requiredForApproval")
    )
    is_required_for_trading: Flag = Field(
        default=None, validation_alias=AliasChoices("isRequiredForTrading", "requiredForTrading")
    )
    is_online: Flag = Field(default=None, validation_alias=AliasChoices("isOnlineTask", "onlineTask"))
    is_completed: Flag = Field(default=None, validation_alias=AliasChoices("isCompleted", "isComplete", "completed"))
    is_declined: Flag = Field(default=None, validation_alias=AliasChoices("isDeclined", "declined"))

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = {name: value for name, value in data.items() if name not in ("documentRejectReason", "questionIds")}
        reasons, questions = data.get("documentRejectReason"), data.get("questionIds")
        if isinstance(reasons, str):
            reasons = [reasons]
        if isinstance(reasons, list):
            given["documentRejectReason"] = [text for text in reasons if isinstance(text, str) and text.strip()]
        if isinstance(questions, list):
            given["questionIds"] = [each for each in questions if isinstance(each, int | str) and str(each).strip()]
        return given

    @property
    def is_rejected(self) -> bool:
        """Whether what was handed in was refused; the reason is in `reject_reason`."""
        return self.state.lower().startswith("rejected") or bool(self.reject_reasons)

    @property
    def reject_reason(self) -> str:
        """Why a document was refused, from either place IBKR puts it ("Rejected .. <reason>")."""
        if self.reject_reasons:
            return "; ".join(self.reject_reasons)
        return re.sub(r"(?i)^rejected[ .:-]*", "", self.state) if self.is_rejected else ""


class Tasks(Answer):
    """An account's tasks. `kind` says which list was asked for; "pending" hides those of open accounts."""

    account_id: Text = Field(default="", alias="accountId")
    kind: Literal["registration", "pending"] = "registration"
    status: Text = ""
    description: Text = ""
    state: Text = ""
    tasks: tuple[Task, ...] = ()
