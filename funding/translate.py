"""IBKR's words for instructions and ours, and the payload of each instruction. No writes."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from backoffice.core.money import Money, minor_unit
from backoffice.ibkr.types.funding import LARGEST_WITHDRAWAL_USD
from funding.models import CashTransfer, Kind, Status

# IBKR's instructionStatus (account-management.md 12). A word that is not here changes nothing and flags the row.
STATUSES: dict[str, str] = {
    "PENDING": Status.SUBMITTED,
    "PENDING_VERIFICATION": Status.SUBMITTED,
    "PROCESSED": Status.DONE,
    "REJECTED": Status.REJECTED,
    "CANCELLED": Status.CANCELLED,
}

# What IBKR's word for a bank instruction means to a person who wants to pay to it.
USABLE_WORDS: dict[str, tuple[str, str]] = {
    "PROCESSED": ("good", "Set up"),
    "PENDING": ("info", "Being set up"),
    "PENDING_VERIFICATION": ("wait", "Waits for the client"),
    "REJECTED": ("bad", "Refused"),
}

INSTRUCTION_TYPES = {Kind.WITHDRAWAL: "WITHDRAWAL", Kind.DEPOSIT: "DEPOSIT"}

API_LIMIT = Money(LARGEST_WITHDRAWAL_USD, "USD")

# About what one unit is worth in USD. It only decides whether the form stops an amount IBKR's limit would stop anyway;
# no money is ever computed with it, and a currency that is not here is left to IBKR.
ROUGH_USD: dict[str, Decimal] = {
    "USD": Decimal(1),
    "EUR": Decimal("1.10"),
    "GBP": Decimal("1.28"),
    "CHF": Decimal("1.14"),
    "CAD": Decimal("0.72"),
    "AUD": Decimal("0.65"),
    "HKD": Decimal("0.128"),
    "SGD": Decimal("0.75"),
    "JPY": Decimal("0.0067"),
    "MXN": Decimal("0.055"),
    "NOK": Decimal("0.094"),
    "SEK": Decimal("0.096"),
    "DKK": Decimal("0.147"),
    "PLN": Decimal("0.26"),
    "CNH": Decimal("0.14"),
}


def usd_worth(money: Money) -> Decimal | None:
    """Return roughly what `money` is worth in USD; None when we cannot say."""
    rate = ROUGH_USD.get(money.currency)
    return None if rate is None else money.amount * rate


def in_minor_units(money: Money) -> bool:
    """Tell whether the amount can be paid: USD 10.505 and JPY 10.5 cannot."""
    return money.amount == money.rounded().amount


def payload(transfer: CashTransfer) -> dict[str, Any]:
    """Return exactly what IBKR will be sent, for `POST /gw/api/v1/external-cash-transfers`."""
    instruction: dict[str, Any] = {
        "clientInstructionId": transfer.client_instruction_id,
        "accountId": transfer.account.number,
        # The one spelling of an amount, or the same instruction would have two hashes.
        "amount": transfer.amount.quantize(minor_unit(transfer.currency), rounding=ROUND_HALF_EVEN),
        "currency": transfer.currency,
        "bankInstructionMethod": transfer.method,
    }
    if transfer.bank is not None:
        instruction["bankInstructionName"] = transfer.bank.name
    if transfer.sending_institution:
        instruction["sendingInstitution"] = transfer.sending_institution
    return {"instructionType": INSTRUCTION_TYPES[Kind(transfer.kind)], "instruction": instruction}


# IBKR's error codes we have met, and what they mean for the person who must act (account-management.md 12).
MEANINGS: dict[str, tuple[str, str]] = {
    "CORRUPT_DATA_INVALID_ACCT": ("IBKR knows no such account.", "Check the account number with operations."),
    "ERROR_ACCOUNT_CP_NOT_RELATED": (
        "IBKR does not link this account with our connection.",
        "Operations checks the connection's master account.",
    ),
    "ERROR_PERMISSION_DENIED": (
        "Our connection may not move money for this account.",
        "Ask IBKR's API team for the permission, then make the transfer anew.",
    ),
    "NOT_OPEN_ACCOUNT": ("The account is not open at IBKR.", "Wait until it is open, then make the transfer anew."),
}


def meaning(words: str) -> tuple[str, str]:
    """Return what IBKR's refusal means and what to do next; a general answer for words we have not met."""
    for code, said in MEANINGS.items():
        if code in words:
            return said
    if "insufficient" in words.lower() or "exceed" in words.lower():
        return ("The account cannot pay this much now.", "Look at the withdrawable cash and make a smaller withdrawal.")
    return ("IBKR did not take this instruction. No money moved.", "Mend what IBKR names, then make the transfer anew.")
