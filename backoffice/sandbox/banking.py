"""Money in and out: instructions with the client's own id, executed once, settled later by the virtual clock.

A transfer answers 202 PENDING and becomes PROCESSED or REJECTED after `instruction_seconds` (20). A wire deposit that
is PROCESSED is an announcement: the cash arrives `deposit_arrival_seconds` (60) after that. A withdrawal reserves
nothing; it leaves the books when it is processed, once, or is rejected if the cash is no longer there.

Reuse of a `clientInstructionId`: with `dedupe_instruction_ids` (true) the second call executes nothing and gets the
first's ids, or 422 when `reuse_answer` is "error"; with false it executes again. Polling answers 208 with the first
one either way. Queries and business rejects burn the id; a syntax error (400) does not.

The error codes ERROR_BANK_INSTRUCTION_NOT_FOUND, ERROR_AMOUNT_ABOVE_API_LIMIT and ERROR_INSUFFICIENT_FUNDS are the
sandbox's own: IBKR prints none for these cases.
"""

import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import callbacks, instruction_members
from .accounts import AccountRow
from .clock import moment, stamp
from .gateway import Call, Refusal, problem, resource
from .jsonio import answer, dumps, loads
from .kernel import Sandbox
from .market import UnknownCurrency

SCHEMA = """
CREATE TABLE IF NOT EXISTS bank_instructions (account TEXT NOT NULL, name TEXT NOT NULL, method TEXT NOT NULL,
currency TEXT NOT NULL,
    routing TEXT NOT NULL, last4 TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL, PRIMARY KEY (account, name,
    method, currency));
CREATE TABLE IF NOT EXISTS instructions (
    id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, client_instruction_id TEXT NOT NULL, kind TEXT NOT NULL, account
    TEXT NOT NULL,
    status TEXT NOT NULL, description TEXT NOT NULL, error_code TEXT, error_message TEXT, details TEXT NOT NULL DEFAULT '{}',
    payload TEXT NOT NULL, created_at TEXT NOT NULL, due_at TEXT, arrives_at TEXT, reuses INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS instructions_client ON instructions (client_id, client_instruction_id)
"""

FIRST_INSTRUCTION, FIRST_SET = 43_000_000, 8_300_000
LONGEST_ID = 18  # digits; one more may not fit where ids are kept
LIMIT_USD = Decimal(100_000)
INVALID = "Funds & Banking: Server cannot process your request because it contains invalid data"


@dataclass(frozen=True)
class Bank:
    name: str
    method: str
    currency: str
    routing: str
    last4: str
    type: str
    status: str


class Reject(Exception):
    """A business rule says no: (code, sentence)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: _settle_due(sandbox))


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "POST", "/external-cash-transfers", _transfer, "transfers.write", signed=True),
        resource(sandbox, "POST", "/external-cash-transfers/query", _withdrawable_funds, "transfers.read", signed=True),
        resource(
            sandbox, "POST", "/bank-instructions/query", _bank_instructions, "bank-instructions.read", signed=True
        ),
        resource(sandbox, "GET", "/client-instructions/{id}", _by_client_id, "instructions.read"),
        resource(sandbox, "GET", "/instructions/{id}", _by_id, "instructions.read"),
        resource(sandbox, "GET", "/instruction-sets/{id}", _by_set, "instructions.read"),
    ]


def save_bank(
    sandbox: Sandbox,
    account: str,
    name: str,
    method: str,
    currency: str,
    routing: str,
    last4: str,
    status: str = "PROCESSED",
) -> None:
    sandbox.store.execute(
        "INSERT INTO bank_instructions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        account, name, method, currency, routing, last4, "LOCAL_BANK" if routing.isdecimal() else "FOREIGN_BANK",
        status,
    )  # fmt: skip


def banks(sandbox: Sandbox, account: str) -> list[Bank]:
    rows = sandbox.store.rows(
        "SELECT name, method, currency, routing, last4, type, status FROM bank_instructions WHERE account = ? ORDER BY rowid",
        account,
    )
    return [Bank(**dict(row)) for row in rows]


def withdrawable(sandbox: Sandbox, account: str, currency: str) -> Decimal:
    """Cash in the currency less what pending withdrawals will take; never below zero."""
    rows = sandbox.store.rows(
        "SELECT payload FROM instructions WHERE account = ? AND kind = 'WITHDRAWAL' AND status = 'PENDING'", account
    )
    pending = [loads(row["payload"]) for row in rows]
    reserved = sum((Decimal(item["amount"]) for item in pending if item["currency"] == currency), Decimal(0))
    return max(sandbox.books.cash(account).get(currency, Decimal(0)) - reserved, Decimal(0))


def _admit(call: Call, kind: str, instruction: dict[str, Any]) -> AccountRow:
    """The open account the instruction is for; raises `Reject` or, for the master itself, a 403 `Refusal`."""
    number = instruction["accountId"]
    account = call.sandbox.accounts.get(number)
    if number == call.master:
        raise Reject("ERROR_PERMISSION_DENIED", f"Permission denied for {kind} Instruction")
    if account is None:
        raise Reject("CORRUPT_DATA_INVALID_ACCT", f"Account {number} does not exist")
    if account.master != call.master:
        raise Reject(
            "ERROR_ACCOUNT_CP_NOT_RELATED", f"Account {number} not related to counterparty {call.client.client_id}"
        )
    if not account.is_open:
        raise Reject("NOT_OPEN_ACCOUNT", f"Account {number} is not open")
    return account


def _book(
    call: Call, kind: str, instruction: dict[str, Any], status: str, description: str, **fields: Any
) -> sqlite3.Row:
    sandbox = call.sandbox
    highest = sandbox.store.value("SELECT MAX(id) FROM instructions") or FIRST_INSTRUCTION
    values = {
        "id": int(highest) + 3, "client_id": call.client.client_id,
        "client_instruction_id": str(instruction["clientInstructionId"]),
        "kind": kind, "account": instruction["accountId"], "status": status, "description": description,
        "payload": dumps(instruction),
        "created_at": stamp(sandbox.clock.now()), **fields,
    }  # fmt: skip
    names, marks = ", ".join(values), ", ".join("?" for _ in values)
    sandbox.store.execute(f"INSERT INTO instructions ({names}) VALUES ({marks})", *values.values())
    return _first(sandbox, "id = ?", values["id"])


def _first(sandbox: Sandbox, condition: str, *params: Any) -> sqlite3.Row:
    row = sandbox.store.row(f"SELECT * FROM instructions WHERE {condition} ORDER BY id LIMIT 1", *params)
    if row is None:
        raise LookupError(condition)
    return row


def _set_of(row: sqlite3.Row) -> int:
    return int(row["id"]) - FIRST_INSTRUCTION + FIRST_SET


def _result(row: sqlite3.Row) -> dict[str, Any]:
    result = {
        "clientInstructionId": int(row["client_instruction_id"]), "instructionType": row["kind"],
        "instructionStatus": row["status"],
        "instructionId": row["id"], **loads(row["details"]),
    }  # fmt: skip
    if row["description"]:
        result["description"] = row["description"]
    if row["error_code"]:
        result["error"] = {"errorCode": row["error_code"], "errorMessage": row["error_message"]}
    return result


def _answer(call: Call, row: sqlite3.Row, status: int) -> Response:
    """The result of one instruction. A client in the field takes only 200 for success: the knob says it with the body alone."""
    said = {"status": status, "instructionSetId": _set_of(row), "instructionResult": _result(row)}
    is_documented = call.sandbox.config.get("instruction_http_status", "documented") == "documented"
    return answer(said, status if is_documented else 200)


def _rejected(call: Call, kind: str, instruction: dict[str, Any], reject: Reject) -> Response:
    row = _book(call, kind, instruction, "REJECTED", "", error_code=reject.code, error_message=reject.text)
    if reject.code == "ERROR_PERMISSION_DENIED":
        detail = "Permission denied- Insufficient rights for using resource"
        return problem(403, detail, instructionSetId=_set_of(row), instructionResult=_result(row))
    return problem(422, INVALID, instructionSetId=_set_of(row), instructionResult=_result(row))


def _reused(call: Call, instruction: dict[str, Any], status: int) -> Response | None:
    """The answer to an id that was used before, or None when the call may go on."""
    sandbox, number = call.sandbox, str(instruction["clientInstructionId"])
    row = sandbox.store.row(
        "SELECT * FROM instructions WHERE client_id = ? AND client_instruction_id = ? ORDER BY id LIMIT 1",
        call.client.client_id,
        number,
    )
    if row is None:
        return None
    sandbox.store.execute("UPDATE instructions SET reuses = reuses + 1 WHERE id = ?", row["id"])
    if not sandbox.config.get("dedupe_instruction_ids", True):
        return None
    if sandbox.config.get("reuse_answer", "accepted") == "error":
        text = f"counterPartyTranId {number} already exists for counterparty {call.client.client_id}"
        error = {"errorCode": "CORRUPT_DATA_DUBPLICATE_CP", "errorMessage": text}
        return problem(
            422,
            INVALID,
            instructionSetId=_set_of(row),
            instructionResult={**_result(row), "instructionStatus": "REJECTED", "error": error},
        )
    return _answer(call, row, status)


def _transfer(call: Call) -> Response:
    """`POST /external-cash-transfers`: DEPOSIT or WITHDRAWAL."""
    kind, instruction = instruction_members.read(call, "DEPOSIT", "WITHDRAWAL")
    if (repeated := _reused(call, instruction, 202)) is not None:
        return repeated
    sandbox, now = call.sandbox, call.sandbox.clock.now()
    due = now + timedelta(seconds=int(sandbox.config.get("instruction_seconds", 20)))
    try:
        account = _admit(call, kind, instruction)
        if kind == "WITHDRAWAL":
            _check_withdrawal(sandbox, account, instruction)
            occurs = instruction_members.instant(str(instruction.get("dateTimeToOccur", "")))
            due = max(due, occurs) if occurs else due
        elif instruction["bankInstructionMethod"] == "ACH":
            _saved_bank(sandbox, account.account, instruction)
    except Reject as reject:
        return _rejected(call, kind, instruction, reject)
    row = _book(call, kind, instruction, "PENDING", "Please poll for status after 10 minutes", due_at=stamp(due))
    effect = {name: str(instruction[name]) for name in ("accountId", "currency", "amount", "bankInstructionMethod")}
    sandbox.ledger.record(kind.lower(), str(instruction["clientInstructionId"]), str(row["id"]), effect)
    return _answer(call, row, 202)


def _saved_bank(sandbox: Sandbox, account: str, instruction: dict[str, Any]) -> Bank:
    wanted = (instruction.get("bankInstructionName"), instruction["bankInstructionMethod"], instruction["currency"])
    for bank in banks(sandbox, account):
        if (bank.name, bank.method, bank.currency) == wanted and bank.status == "PROCESSED":
            return bank
    text = f"No {wanted[1]} instruction called {wanted[0]} in {wanted[2]} on file for account {account}"
    raise Reject("ERROR_BANK_INSTRUCTION_NOT_FOUND", text)


def _check_withdrawal(sandbox: Sandbox, account: AccountRow, instruction: dict[str, Any]) -> None:
    _saved_bank(sandbox, account.account, instruction)
    amount, currency = Decimal(instruction["amount"]), instruction["currency"]
    try:
        in_dollars = amount * sandbox.market.fx(currency, "USD")
    except UnknownCurrency as error:
        raise Reject("CORRUPT_DATA_INVALID_CURRENCY", f"Currency {currency} is not supported") from error
    if in_dollars > LIMIT_USD:
        raise Reject("ERROR_AMOUNT_ABOVE_API_LIMIT", "Withdrawals over USD 100,000 must be entered in the portal")
    available = withdrawable(sandbox, account.account, currency)
    if amount > available:
        raise Reject(
            "ERROR_INSUFFICIENT_FUNDS", f"Withdrawable cash of account {account.account} is {available} {currency}"
        )


def _query(call: Call, kind: str, instruction: dict[str, Any], details: dict[str, Any]) -> Response:
    return _answer(call, _book(call, kind, instruction, "PROCESSED", "", details=dumps(details)), 201)


def _withdrawable_funds(call: Call) -> Response:
    """`POST /external-cash-transfers/query` QUERY_WITHDRAWABLE_FUNDS."""
    kind, instruction = instruction_members.read(call, "QUERY_WITHDRAWABLE_FUNDS")
    if (repeated := _reused(call, instruction, 201)) is not None:
        return repeated
    try:
        account = _admit(call, kind, instruction)
    except Reject as reject:
        return _rejected(call, kind, instruction, reject)
    amount, currency = withdrawable(call.sandbox, account.account, instruction["currency"]), instruction["currency"]
    details: dict[str, Any] = {
        "accountId": account.account, "currency": currency, "withdrawableAmount": amount,
        "withdrawableAmountNoBorrow": amount,
        "allowedTransferAmountToMaster": Decimal(0), "allowedTransferAmountToMasterNoBorrow": Decimal(0),
    }  # fmt: skip
    if instruction.get("bankInstructionName") or instruction.get("bankAccountNumber"):
        details = {
            "accountId": account.account, "currency": currency, "withdrawableAmountWithoutOriginationHold": amount,
            "withdrawableAmountWithoutOriginationHoldNoBorrow": amount,
        }  # fmt: skip
    return _query(call, kind, instruction, details)


def _bank_instructions(call: Call) -> Response:
    """`POST /bank-instructions/query` QUERY_BANK_INSTRUCTION: rejected ones are listed too."""
    kind, instruction = instruction_members.read(call, "QUERY_BANK_INSTRUCTION")
    if (repeated := _reused(call, instruction, 201)) is not None:
        return repeated
    try:
        account = _admit(call, kind, instruction)
    except Reject as reject:
        return _rejected(call, kind, instruction, reject)
    method = instruction["bankInstructionMethod"]
    found = [
        {
            "instructionName": bank.name, "type": bank.type, "currency": bank.currency,
            "instructionStatus": bank.status,
            "bankRoutingNumber": bank.routing, "bankAccountNumber": f"*****{bank.last4}",
        }
        for bank in banks(call.sandbox, account.account)
        if bank.method == instruction_members.QUERY_METHODS[method]
    ]  # fmt: skip
    details = {
        "accountId": account.account,
        "bankInstructionMethod": method,
        "bankInstructionDetails": found,
        "ibReferenceId": 0,
    }
    return _query(call, kind, instruction, details)


def _unknown(call: Call, text: str) -> Refusal:
    detail = f"Funds & Banking: Could not get status for clientId: {call.client.client_id}, transactionId : {text}"
    return Refusal(problem(404, detail))


def _visible(call: Call, condition: str, value: Any, text: str) -> sqlite3.Row:
    row = call.sandbox.store.row(
        f"SELECT * FROM instructions WHERE client_id = ? AND {condition} ORDER BY id LIMIT 1",
        call.client.client_id,
        value,
    )
    hidden = timedelta(seconds=int(call.sandbox.config.get("instruction_hidden_seconds", 0)))
    if row is None or moment(row["created_at"]) + hidden > call.sandbox.clock.now():
        raise _unknown(call, text)
    return row


def _by_client_id(call: Call) -> Response:
    text = call.request.path_params["id"]
    call.about(text)
    row = _visible(call, "client_instruction_id = ?", text, text)
    return _answer(call, row, 208 if row["reuses"] else 200)


def _by_id(call: Call) -> Response:
    text = call.request.path_params["id"]
    return _answer(call, _visible(call, "id = ?", _number(text), text), 200)


def _number(text: str) -> int:
    """The id in a path; -1, which nobody has, for what is no number or longer than any id."""
    return int(text) if text.isdecimal() and len(text) < LONGEST_ID else -1


def _by_set(call: Call) -> Response:
    text = call.request.path_params["id"]
    number = _number(text)
    row = call.sandbox.store.row(
        "SELECT * FROM instructions WHERE client_id = ? AND id = ?",
        call.client.client_id,
        number - FIRST_SET + FIRST_INSTRUCTION,
    )
    if row is None:
        raise Refusal(problem(404, "No such instruction set found", instructionSetId=number))
    return answer({"status": 200, "instructionSetId": number, "instructionResults": [{"status": 200, **_result(row)}]})


def _settle_due(sandbox: Sandbox) -> None:
    now = stamp(sandbox.clock.now())
    for row in sandbox.store.rows("SELECT * FROM instructions WHERE due_at <= ? ORDER BY due_at, id", now):
        _process(sandbox, row)
    for row in sandbox.store.rows("SELECT * FROM instructions WHERE arrives_at <= ? ORDER BY arrives_at, id", now):
        payload, at = loads(row["payload"]), moment(row["arrives_at"])
        text = f"{payload['bankInstructionMethod']} deposit"
        sandbox.books.post_cash(
            row["account"], payload["currency"], Decimal(payload["amount"]), "deposit", text, str(row["id"]), at
        )
        sandbox.store.execute("UPDATE instructions SET arrives_at = NULL WHERE id = ?", row["id"])


def _process(sandbox: Sandbox, row: sqlite3.Row) -> None:
    payload, at = loads(row["payload"]), moment(row["due_at"])
    amount, currency = Decimal(payload["amount"]), payload["currency"]
    arrives: str | None = None
    if row["kind"] == "WITHDRAWAL":
        if sandbox.books.cash(row["account"]).get(currency, Decimal(0)) < amount:
            text = f"Withdrawable cash of account {row['account']} does not cover {amount} {currency}"
            sandbox.store.execute(
                "UPDATE instructions SET status = 'REJECTED', description = '', due_at = NULL,"
                " error_code = 'ERROR_INSUFFICIENT_FUNDS', error_message = ? WHERE id = ?",
                text, row["id"],
            )  # fmt: skip
            _tell(sandbox, row["id"])
            return
        text = f"{payload['bankInstructionMethod']} withdrawal to {payload['bankInstructionName']}"
        sandbox.books.post_cash(row["account"], currency, -amount, "withdrawal", text, str(row["id"]), at)
    else:
        arrives = stamp(at + timedelta(seconds=int(sandbox.config.get("deposit_arrival_seconds", 60))))
    details = {"ibReferenceId": 23_000_000 + int(row["id"]) - FIRST_INSTRUCTION}
    sandbox.store.execute(
        "UPDATE instructions SET status = 'PROCESSED', description = '', due_at = NULL, arrives_at = ?, details = ? WHERE id = ?",
        arrives, dumps(details), row["id"],
    )  # fmt: skip
    _tell(sandbox, row["id"])


def _tell(sandbox: Sandbox, number: int) -> None:
    row = _first(sandbox, "id = ?", number)
    if (account := sandbox.accounts.get(row["account"])) is not None:
        callbacks.emit_transfer(sandbox, account.master, _set_of(row), _result(row))
