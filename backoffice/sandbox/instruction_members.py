"""What a banking instruction must look like: its members, which of them are required, and what each takes.

A mistake here is one of syntax: 400, and the `clientInstructionId` is not burnt. A null
member is one.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from . import payloads
from .books import CENT
from .gateway import Call, Refusal, invalid_arguments

LARGEST_AMOUNT = 10**15
LARGEST_ID = 10**20
REQUIRED, INVALID_OR_MISSING = "Missing required parameter", "Invalid or Missing required parameter"
QUERY_METHODS = {
    "ACH": "ACH", "USACH": "ACH", "CAACH": "ACH", "WIRE": "WIRE", "SEPA": "SEPA", "eDDA": "eDDA", "eGIRO": "eGIRO",
    "OPEN_BANKING": "OPEN_BANKING",
}  # fmt: skip

# instruction type -> {member: (is required, accepted values or longest text)}
MEMBERS: dict[str, dict[str, tuple[bool, Any]]] = {
    "DEPOSIT": {
        "clientInstructionId": (True, "id"), "accountId": (True, 32), "currency": (True, 3), "amount": (True, "amount"),
        "bankInstructionMethod": (True, {"ACH", "WIRE", "eDDA", "OPEN_BANKING"}), "sendingInstitution": (False, 128),
        "identifier": (False, 64),
        "specialInstruction": (False, 128), "bankInstructionName": (False, 150), "senderInstitutionName": (False, 128),
        "openBanking": (False, "object"), "iraDepositDetail": (False, "object"),
        "recurringInstructionDetail": (False, "object"),
    },
    "WITHDRAWAL": {
        "clientInstructionId": (True, "id"), "accountId": (True, 32), "currency": (True, 3), "amount": (True, "amount"),
        "bankInstructionName": (True, 150), "bankInstructionMethod": (True, {"ACH", "WIRE", "SEPA"}),
        "dateTimeToOccur": (False, "time"),
        "iraWithdrawalDetail": (False, "object"), "recurringInstructionDetail": (False, "object"),
    },
    "QUERY_BANK_INSTRUCTION": {
        "clientInstructionId": (True, "id"), "accountId": (True, 32),
        "bankInstructionMethod": (True, set(QUERY_METHODS)),
    },
    "QUERY_WITHDRAWABLE_FUNDS": {
        "clientInstructionId": (True, "id"), "accountId": (True, 32), "currency": (True, 3),
        "bankRoutingNumber": (False, 24),
        "bankAccountNumber": (False, 32), "bankInstructionName": (False, 150),
    },
}  # fmt: skip


def read(call: Call, *kinds: str) -> tuple[str, dict[str, Any]]:
    """Instruction type and checked instruction; a syntax error is 400 and burns nothing."""
    body = call.body
    if nulls := payloads.nulls(body):
        raise Refusal(invalid_arguments(*((path, INVALID_OR_MISSING) for path in nulls)))
    unknown = sorted(body.keys() - {"instructionType", "instruction"})
    kind, instruction = body.get("instructionType"), body.get("instruction")
    if unknown or kind not in kinds or not isinstance(instruction, dict):
        wrong = unknown or (["instructionType"] if kind not in kinds else ["instruction"])
        raise Refusal(invalid_arguments(*((name, INVALID_OR_MISSING) for name in wrong)))
    mistakes = _mistakes(MEMBERS[kind], instruction)
    if mistakes:
        raise Refusal(invalid_arguments(*mistakes))
    call.about(str(instruction["clientInstructionId"]))
    return kind, instruction


def _mistakes(members: dict[str, tuple[bool, Any]], instruction: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(f"instruction.{name}", INVALID_OR_MISSING) for name in instruction if name not in members]
    for name, (is_required, rule) in members.items():
        path = f"instruction.{name}"
        if name not in instruction:
            found += [(path, REQUIRED)] if is_required else []
        elif not _fits(rule, instruction[name]):
            found.append((path, INVALID_OR_MISSING))
    return found


def _fits(rule: Any, value: Any) -> bool:
    if rule == "id":
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value < LARGEST_ID
    if rule == "amount":
        return (
            isinstance(value, int | Decimal)
            and not isinstance(value, bool)
            and 0 < value < LARGEST_AMOUNT
            and value == Decimal(value).quantize(CENT)
        )
    if rule == "object":
        return isinstance(value, dict)
    if rule == "time":
        return isinstance(value, str) and instant(value) is not None
    if isinstance(rule, set):
        return isinstance(value, str) and value in rule
    return isinstance(value, str) and 0 < len(value) <= rule


def instant(text: str) -> datetime | None:
    """An aware instant, or None when the text is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else None
