"""What reporting hangs on the frame and on the client page."""

from collections.abc import Iterable, Iterator

from django.db.models.functions import Length

from backoffice.home import registry
from backoffice.home.registry import Count, DemonstrationLoader, InboxItem, NavigationEntry, SearchHit
from backoffice.people.models import User
from backoffice.people.policy import may
from clients import panels
from clients.selectors.search import accounts_meant
from clients.services import retention
from reporting import demonstration, services, translate
from reporting import selectors as vault
from reporting.models import Report, State


def register() -> None:
    """Put reporting's parts in their places."""
    registry.navigation.add(
        NavigationEntry(
            "Records", "Report vault", "calendar-stats", "reporting:list", "reporting.view", count=count, order=10
        )
    )
    registry.inbox.add(inbox)
    registry.search.add(search)
    registry.evidence.add(vault.evidence)
    registry.demonstration.add(DemonstrationLoader(order=40, name="reporting", load=demonstration.load))
    panels.panels.add(panels.Panel(40, "reporting", "Statements", "reporting:client_panel", "reporting.view"))
    retention.erasers.add(services.forget)


def count(user: User) -> Count | None:
    """How many reports could not be fetched."""
    failed = Report.objects.visible_to(user).filter(state=State.FAILED).count()
    return Count(failed, "wait") if failed else None


def inbox(user: User) -> Iterator[InboxItem]:
    """Reports that came to nothing after every try: a person decides."""
    if not may(user, "reporting.fetch"):
        return
    failed = Report.objects.visible_to(user).filter(state=State.FAILED).select_related("account__client")
    for report in failed.order_by("-period")[:20]:
        yield InboxItem(
            kind=f"reporting.failed:{report.pk}",
            group="reports",
            title=f"{translate.period_words(report.period)} statement of {report.account.client.name}",
            detail=translate.meaning(report.failure),
            ibkr_words=report.failure,
            action="See it",
            url=report.get_absolute_url(),
            icon="file-x",
            tone="bad",
            chip=report.account.number,
        )


def search(user: User, text: str) -> Iterable[SearchHit]:
    """Find held reports by the account's number, the client's name, the period, or a period of one of them; newest first."""
    if not may(user, "reporting.view") or len(text) < 3:
        return []
    held = Report.objects.visible_to(user).filter(version__gt=0).select_related("account")
    period, whose = translate.period_typed(text)
    if not period:
        found = held.filter(account__in=accounts_meant(user, text)).order_by("-period")
    elif whose:
        of_them = held.filter(account__in=accounts_meant(user, whose), period__startswith=period)
        found = of_them.order_by(Length("period"), "-period")  # the month's own before its days
    else:  # in the index's own order: sorting every account's of one month would take long among many
        found = held.filter(granularity=translate.granularity_of(period), period=period).order_by()
    return [
        SearchHit(
            f"{each.get_granularity_display()} statement, {translate.period_words(each.period)}",
            f"{each.account.number}, version {each.version}",
            "Report",
            each.get_absolute_url(),
            "file-type-pdf",
        )
        for each in found[:4]
    ]
