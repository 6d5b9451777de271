"""Reads of IBKR's reports, and what they showed recorded. Workers only. Nothing here has an effect at IBKR.

Paths: GET /gw/api/v1/statements/available, POST /gw/api/v1/statements.
"""

from backoffice.broker import client as broker
from backoffice.core import clock
from backoffice.core.doorbell import remind, ring
from backoffice.ibkr import IbkrError, Rejected
from clients.models import Account
from reporting import services
from reporting.models import FetchItem, ItemState, Offer

PDF = b"%PDF-"


def sync_available() -> None:
    """Ring for every open account whose list of statements is old, and for fetches that wait."""
    old = clock.now() - services.OFFERS_STALE_AFTER
    fresh = Offer.objects.filter(read_at__gt=old).values("account")
    for pk in Account.objects.open().exclude(pk__in=fresh).order_by("number").values_list("pk", flat=True):
        # The next round rings for what this one did not come to.
        ring("reporting.sync_account", pk, expires=int(services.OFFERS_STALE_AFTER.total_seconds()))
    sweep_fetches()


def sync_account(account_pk: str) -> None:
    """Read what IBKR offers for one account."""
    account = Account.objects.select_related("master").filter(pk=account_pk).first()
    if account is None:
        return
    client = broker.client_for(account.master, lane="reports")
    try:
        offered = client.reports.available_statements(account.number)
    except IbkrError as error:
        services.record_offer_failure(account, reason=error.reason)
        return
    services.record_offer(
        account, monthly=offered.monthly, annual=offered.annual, daily=(offered.daily_start, offered.daily_end)
    )


def fetch_report(item_pk: str) -> None:
    """Fetch one report. A read: doing it twice gives the same bytes, or a new version."""
    if (item := services.take(item_pk)) is None:
        return
    report = item.report
    client = broker.client_for(report.account.master, lane="reports")
    try:
        file = client.reports.statement(report.account.number, report.period, report.period, language=report.language)
    except Rejected as error:
        # 402 is said of accounts that are not ours, and may be said where there is no data yet (account-management.md 15).
        is_final = error.status == 402 and not report.account.is_open
        services.record_failure(item, reason=" ".join(error.reasons), is_final=is_final)
        return
    except IbkrError as error:
        services.record_failure(item, reason=error.reason, is_final=False)
        return
    if not file.content.startswith(PDF):
        services.record_failure(item, reason=f"IBKR sent {file.mime_type}, not a PDF document.", is_final=False)
        return
    services.keep(item, file.content)


def sweep_fetches() -> None:
    """Find what a lost message or a dead worker left."""
    now = clock.now()
    services.free_lapsed(now)
    due = FetchItem.objects.filter(state=ItemState.WAITING, due_at__lte=now).order_by("due_at")
    for pk in due.values_list("pk", flat=True)[:100]:
        remind("reporting.fetch_report", pk)
