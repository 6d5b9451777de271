"""The banking engine: `/external-cash-transfers`, `/client-instructions/{id}`, `/bank-instructions/query`.

Any 2xx is transport success; `instructionStatus` decides. The `key` of a write is its clientInstructionId, from one
sequence, never used twice: a reused one is not executed, and polling it answers HTTP 208.
"""

from collections.abc import Mapping
from typing import Any, Literal

from backoffice.ibkr import paths
from backoffice.ibkr.answers import (
    Problem,
    gateway_write,
    is_rejected_instruction,
    object_read,
    problem_in,
    readable_or_none,
    rejected,
)
from backoffice.ibkr.errors import OutcomeUnknown, Unavailable
from backoffice.ibkr.reading import read_answer, read_answers
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.funding import BankInstruction, DepositNotice, Duplicate, Instruction, Withdrawal, envelope

BankMethod = Literal["ACH", "WIRE", "USACH", "CAACH", "SEPA", "eDDA", "eGIRO", "OPEN_BANKING"]


class Funding:
    """Cash in and out of accounts."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def deposit(self, notice: DepositNotice, *, key: int | str) -> Instruction:
        """POST /external-cash-transfers, DEPOSIT. A write, sent once; `key` is its clientInstructionId.

        Raises Rejected (with IBKR's error code) when the instruction is REJECTED. Trap: a wire deposit that is
        PROCESSED is a recorded notice, not money.
        """
        return self._send("DEPOSIT", notice.wire_members(), paths.instruction_id(key))

    def withdraw(self, withdrawal: Withdrawal, *, key: int | str) -> Instruction:
        """POST /external-cash-transfers, WITHDRAWAL. A write, sent once; `key` is its clientInstructionId.

        Raises Rejected (with IBKR's error code) when the instruction is REJECTED. Trap: PENDING is the usual answer;
        poll `instruction` about every ten minutes.
        """
        return self._send("WITHDRAWAL", withdrawal.wire_members(), paths.instruction_id(key))

    def instruction(self, key: int | str) -> Instruction | Duplicate | None:
        """GET /client-instructions/{id}: where an instruction stands, also REJECTED ones (see `status`).

        None means IBKR does not know the id, or not yet: it is not proof of absence. `Duplicate` (HTTP 208) means the id
        was used twice: stop, and have a person look.
        """
        asked = paths.instruction_id(key)
        reply = self._requestor.gateway_get("client-instructions", str(asked))
        if reply.status == 404:
            return None
        if reply.status == 208:
            return Duplicate(_instruction_in(readable_or_none(reply), reply))
        body = readable_or_none(reply)
        if 200 <= reply.status < 300 and is_rejected_instruction(body):
            return _expect(_instruction_in(body, reply), asked, reply)
        return _expect(_instruction_in(object_read(reply), reply), asked, reply)

    def bank_instructions(self, account_id: str, *, method: BankMethod, key: int | str) -> tuple[BankInstruction, ...]:
        """POST /bank-instructions/query: the saved bank links of an account, by method; only `is_usable` ones can be paid to.

        Trap: a query uses up a clientInstructionId too, so it is sent once, and asked again under a new `key`.
        """
        members = {"accountId": paths.account_id(account_id), "bankInstructionMethod": method}
        reply = self._requestor.gateway_signed(
            "bank-instructions",
            "query",
            claims=envelope("QUERY_BANK_INSTRUCTION", paths.instruction_id(key), members),
            effect=Effect.READ_ONCE,
            read_timeout=self._requestor.timeouts.funding,
        )
        result = object_read(reply).get("instructionResult")
        listed = result.get("bankInstructionDetails") if isinstance(result, dict) else None
        if isinstance(result, dict) and listed is None and str(result.get("instructionStatus")).upper() == "PROCESSED":
            listed = []
        if not isinstance(listed, list):
            raise Unavailable(
                "IBKR has not listed the bank instructions.", status=reply.status, exchange=reply.exchange
            )
        rows = [{"method": method, **row} for row in listed if isinstance(row, dict)]
        return read_answers(BankInstruction, rows, reply)

    def _send(self, instruction_type: str, members: dict[str, Any], key: int) -> Instruction:
        reply = self._requestor.gateway_signed(
            "external-cash-transfers",
            claims=envelope(instruction_type, key, members),
            effect=Effect.WRITE,
            read_timeout=self._requestor.timeouts.funding,
        )
        body = gateway_write(reply)
        if is_rejected_instruction(body):
            raise rejected(problem_in(body) or Problem("The instruction was rejected."), reply)
        try:
            instruction = Instruction.read(_members(body))
        except ValueError as problem:
            raise OutcomeUnknown(str(problem), status=reply.status, exchange=reply.exchange) from problem
        if instruction.client_instruction_id != str(key) or not instruction.status:
            raise OutcomeUnknown(
                "IBKR's answer is about another instruction.", status=reply.status, exchange=reply.exchange
            )
        return instruction


def _members(body: Mapping[str, Any]) -> dict[str, Any]:
    result = body.get("instructionResult")
    if not isinstance(result, dict):
        raise ValueError("IBKR's answer has no instruction in it.")
    stated = result.get("error")
    error: dict[str, Any] = stated if isinstance(stated, dict) else {}
    return {
        "instructionSetId": body.get("instructionSetId"),
        **result,
        "error_code": error.get("errorCode"),
        "error_message": error.get("errorMessage"),
    }


def _instruction_in(body: object, reply: Reply) -> Instruction:
    try:
        members = _members(body if isinstance(body, dict) else {})
    except ValueError as problem:
        raise Unavailable(str(problem), status=reply.status, exchange=reply.exchange) from problem
    return read_answer(Instruction, members, reply)


def _expect(instruction: Instruction, asked: int, reply: Reply) -> Instruction:
    if instruction.client_instruction_id != str(asked):
        raise Unavailable("IBKR's answer is about another instruction.", status=reply.status, exchange=reply.exchange)
    return instruction
