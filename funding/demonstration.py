"""Funding's share of the demonstration firm: banks as the sandbox lists them, past transfers, one that waits."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.journal import services as journal
from backoffice.people.models import User
from clients.models import Account
from funding import services
from funding.models import BankInstruction, BankListing, CashTransfer, Kind, Status

# Days ago, account, amount, IBKR's sentence: transfers of the time before this installation.
_PAST = (
    (29, "U1000011", "3000.00", Kind.DEPOSIT),
    (26, "U1000014", "1800.00", Kind.WITHDRAWAL),
    (12, "U1000013", "2400.00", Kind.WITHDRAWAL),
)
_NAMESPACE = uuid.UUID("6f1a1c2e-54d0-4f0e-9a57-1d6c2e8f7b11")


def load(world: dict[str, Any], people: dict[str, User], master: MasterAccount) -> None:
    """Make the rows once; run again it changes nothing that is there."""
    accounts = {account.number: account for account in Account.objects.filter(master=master)}
    for described in world["accounts"]:
        account = accounts.get(described["account"])
        if account is not None and account.is_open:
            _banks(account, described["bank_instructions"])
    for days, number, amount, kind in _PAST:
        if number in accounts:
            _past(accounts[number], days, Decimal(amount), kind, people)
    _waiting(accounts, people)


def _banks(account: Account, described: list[dict[str, str]]) -> None:
    if BankListing.objects.filter(account=account, read_at__isnull=False).exists():
        return
    listed = [
        services.ListedBank(each["name"], each["method"], each["currency"], each["last4"], "PROCESSED")
        for each in described
    ]
    services.record_banks(account, listed, methods={bank.method for bank in listed})
    # They were set up when the account was opened, long before this installation first looked.
    opened = clock.now() - timedelta(days=90)
    BankInstruction.objects.filter(account=account).update(first_seen_at=opened)


def _past(account: Account, days: int, amount: Decimal, kind: Kind, people: dict[str, User]) -> None:
    intent = uuid.uuid5(_NAMESPACE, f"{account.number}:{days}")
    bank = account.banks.usable().filter(currency=account.base_currency).first()
    if CashTransfer.objects.filter(intent=intent).exists() or bank is None:
        return
    at = clock.now() - timedelta(days=days)
    CashTransfer.objects.create(
        kind=kind,
        account=account,
        amount=amount,
        currency=bank.currency,
        bank=bank if kind == Kind.WITHDRAWAL else None,
        method=bank.method,
        sending_institution="" if kind == Kind.WITHDRAWAL else "Larkspur Savings",
        client_instruction_id=journal.next_instruction_id(),
        intent=intent,
        requested_by=people["operations"],
        requested_at=at,
        note="Carried over from the books before this installation",
        status=Status.DONE,
        ibkr_status="PROCESSED",
        settled_at=at + timedelta(minutes=11),
    )


def _waiting(accounts: dict[str, Account], people: dict[str, User]) -> None:
    """One withdrawal of the advisor's own book that waits for a principal."""
    advisor = people["advisor"]
    intent = uuid.uuid5(_NAMESPACE, "waiting")
    if CashTransfer.objects.filter(intent=intent).exists():
        return
    own = [
        account
        for account in Account.objects.visible_to(advisor).open().order_by("number")
        if account.number in accounts
    ]
    for account in own:
        bank = account.banks.usable().filter(method="WIRE", currency=account.base_currency).first()
        if bank is not None:
            services.request_withdrawal(
                account=account,
                money=Money(Decimal("4800.00"), bank.currency),
                bank=bank,
                by=advisor,
                intent=intent,
                note="Asked for by telephone this morning, for a roof repair",
            )
            return
