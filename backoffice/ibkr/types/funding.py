"""Cash instructions and saved bank instructions."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from backoffice.ibkr.parsing import Id, OptionalId, Text
from backoffice.ibkr.types.base import Answer, Request
from backoffice.ibkr.types.people import AccountId, Currency

PositiveAmount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=4, allow_inf_nan=False)]
LARGEST_WITHDRAWAL_USD = Decimal(100_000)  # by this API (account-management.md 14.1); more goes through the portal
FINAL_STATUSES = frozenset({"PROCESSED", "REJECTED"})


class DepositNotice(Request):
    """Notice of money that will arrive. A WIRE notice moves nothing: the client wires it; an ACH deposit is a pull."""

    account_id: AccountId
    currency: Currency
    amount: PositiveAmount
    bank_instruction_method: Literal["WIRE", "ACH"] = "WIRE"
    bank_instruction_name: Annotated[str, Field(min_length=1, max_length=150)] | None = None  # needed for ACH
    sending_institution: Annotated[str, Field(max_length=128)] | None = None
    identifier: Annotated[str, Field(max_length=64)] | None = None
    special_instruction: Annotated[str, Field(max_length=128)] | None = None
    sender_institution_name: Annotated[str, Field(max_length=128)] | None = None


class Withdrawal(Request):
    """Money to be paid out to a saved bank instruction. IBKR takes at most LARGEST_WITHDRAWAL_USD each by API."""

    account_id: AccountId
    currency: Currency
    amount: PositiveAmount
    bank_instruction_name: Annotated[str, Field(min_length=1, max_length=150)]
    bank_instruction_method: Literal["ACH", "WIRE", "SEPA"]


class Instruction(Answer):
    """One instruction as IBKR sees it. `status` is PENDING, PROCESSED, REJECTED, PENDING_VERIFICATION or a new word.

    PROCESSED of a wire deposit means the notice was recorded, not that money arrived.
    """

    client_instruction_id: Id = Field(alias="clientInstructionId")
    instruction_id: OptionalId = Field(default=None, alias="instructionId")
    instruction_set_id: OptionalId = Field(default=None, alias="instructionSetId")
    instruction_type: Text = Field(default="", alias="instructionType")
    status: Text = Field(alias="instructionStatus")
    reference: OptionalId = Field(default=None, alias="ibReferenceId")
    description: Text = ""
    error_code: Text = ""
    error_message: Text = ""

    @property
    def is_final(self) -> bool:
        """Whether the status will not change any more."""
        return self.status.upper() in FINAL_STATUSES


@dataclass(frozen=True, slots=True)
class Duplicate:
    """HTTP 208 to a poll: the instruction id was used for more than one request. Stop; this is an incident.

    `first` is the state of the first of them, as IBKR reports it.
    """

    first: Instruction


class BankInstruction(Answer):
    """A saved bank link. Only those whose `status` is PROCESSED can be used. The account number is masked by IBKR."""

    name: Text = Field(default="", validation_alias=AliasChoices("instructionName", "bankInstructionName"))
    method: Text = ""
    type: Text = ""
    currency: Text = ""
    status: Text = Field(default="", alias="instructionStatus")
    masked_account: Text = Field(default="", alias="bankAccountNumber")
    routing_number: Text = Field(default="", alias="bankRoutingNumber", repr=False)

    @property
    def is_usable(self) -> bool:
        """Whether money can be sent to it."""
        return self.status.upper() == "PROCESSED"


def envelope(instruction_type: str, client_instruction_id: int, members: dict[str, Any]) -> dict[str, Any]:
    """Return the single-instruction envelope of the banking engine."""
    return {
        "instructionType": instruction_type,
        "instruction": {"clientInstructionId": client_instruction_id, **members},
    }
