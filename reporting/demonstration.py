"""Reporting's share of the demonstration firm: three months of statements that IBKR offers and nobody has fetched."""

from typing import Any

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.people.models import User
from clients.models import Account
from reporting import services, translate
from reporting.models import Offer

MONTHS = 3


def load(world: dict[str, Any], people: dict[str, User], master: MasterAccount) -> None:
    """Note the offers once; the hourly reading of IBKR's own list goes on from there."""
    months = translate.months_back(clock.today(clock.NEW_YORK), MONTHS)
    for account in Account.objects.filter(master=master).open():
        if Offer.objects.filter(account=account, read_at__isnull=False).exists():
            continue
        since = f"{account.opened_on:%Y%m}" if account.opened_on else ""
        services.record_offer(account, monthly=[month for month in months if month >= since], annual=())
