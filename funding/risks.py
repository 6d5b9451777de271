"""What the policy looks at in a transfer, and what a second person should look at twice."""

from datetime import timedelta

from backoffice.core import clock
from backoffice.people.policies.document import Facts
from clients.models import MaintenanceRequest
from funding import translate
from funding.models import CashTransfer, Kind, Status

RECENTLY = timedelta(days=7)
TWIN_WINDOW = timedelta(minutes=10)
USUAL = 2  # times the largest withdrawal of this account so far


def facts(transfer: CashTransfer) -> Facts:
    """Return the facts of a transfer as they stand when it is asked for."""
    if transfer.kind == Kind.DEPOSIT:
        return Facts("deposit", translate.usd_worth(transfer.money), True, (transfer.account.number,))
    return Facts(
        kind="withdrawal",
        amount_usd=translate.usd_worth(transfer.money),
        has_amount=True,
        accounts=(transfer.account.number,),
        destination_since=transfer.bank.appeared_at if transfer.bank else None,
        flags=tuple(_flags(transfer)),
    )


def _flags(transfer: CashTransfer) -> list[str]:
    now = clock.now()
    others = CashTransfer.objects.filter(kind=Kind.WITHDRAWAL).exclude(pk=transfer.pk)
    gone = others.exclude(status__in=[Status.REJECTED, Status.CANCELLED])
    of_account = gone.filter(account=transfer.account)
    found = []
    if not gone.filter(bank=transfer.bank).exists():
        found.append("new_destination")
    if not CashTransfer.objects.filter(account__client=transfer.account.client_id).exclude(pk=transfer.pk).exists():
        found.append("new_client")
    largest = of_account.filter(currency=transfer.currency).order_by("-amount").first()
    if largest is not None and transfer.amount > largest.amount * USUAL:
        found.append("above_usual")
    if MaintenanceRequest.objects.filter(
        account__client=transfer.account.client_id, requested_at__gte=now - RECENTLY
    ).exists():
        found.append("changed_recently")
    if gone.filter(
        account=transfer.account, bank=transfer.bank, amount=transfer.amount, requested_at__gte=now - TWIN_WINDOW
    ).exists():
        found.append("twin")
    return found
