"""What may be done with reports: note what IBKR offers, order a fetch, keep a file, open it.

The only writer of Report, ReportFile, Offer, FetchRequest and FetchItem. No network: `dispatch` talks to IBKR.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.crypto import seal, unseal
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.people.models import User
from backoffice.people.policy import may
from clients.models import Account, Client
from reporting import translate
from reporting.models import LIFECYCLE, FetchItem, FetchRequest, ItemState, Offer, Report, ReportFile, State

MONTHS_SHOWN = 12
LARGEST_FETCH = 500
RETRY_MINUTES = (1, 10, 60)  # then a person: the cell stays red with IBKR's words
TAKEN_AT_MOST = timedelta(minutes=3)  # a worker that has not answered by then is gone; reading again does no harm
OFFERS_STALE_AFTER = timedelta(minutes=50)


# What IBKR offers


@transaction.atomic
def record_offer(
    account: Account,
    *,
    monthly: Iterable[str],
    annual: Iterable[str],
    daily: tuple[date | None, date | None] = (None, None),
) -> int:
    """Note what IBKR offers: the last 12 months and every year. Returns how many were new."""
    now = clock.now()
    oldest = translate.months_back(clock.today(clock.NEW_YORK), MONTHS_SHOWN)[0]
    periods = [
        period for period in {*monthly, *annual} if _is_period(period) and (len(period) == 4 or period >= oldest)
    ]
    known = set(Report.objects.filter(account=account, period__in=periods).values_list("period", flat=True))
    new = [
        Report(account=account, granularity=translate.granularity_of(period), period=period, offered_at=now)
        for period in sorted(set(periods) - known)
    ]
    # Two readings of the same list at once must not fail: the second finds the rows of the first.
    Report.objects.bulk_create(new, ignore_conflicts=True)
    Offer.objects.update_or_create(
        account=account, defaults={"read_at": now, "failure": "", "daily_from": daily[0], "daily_to": daily[1]}
    )
    return len(new)


def _is_period(period: str) -> bool:
    return period.isdecimal() and (len(period) == 4 or (len(period) == 6 and "01" <= period[4:] <= "12"))


def record_offer_failure(account: Account, *, reason: str) -> None:
    """Say why the list could not be read; what is known stays, with its age."""
    Offer.objects.update_or_create(account=account, defaults={"failure": reason})


# Fetching


@transaction.atomic
def request_fetch(*, reports: Iterable[Report], by: User, intent: UUID) -> FetchRequest:
    """Order reports to be fetched; each is one item with its own tries. The same `intent` again yields the first order.

    Raises InvalidInput, NotPermitted.
    """
    if not may(by, "reporting.fetch"):
        raise NotPermitted("Your role may read reports, not fetch them.")
    if (made := FetchRequest.objects.filter(intent=intent, asked_by=by).first()) is not None:
        return made
    wanted = list(Report.objects.visible_to(by).filter(pk__in=[each.pk for each in reports])[: LARGEST_FETCH + 1])
    if not wanted:
        raise InvalidInput("report", "No report is chosen.", "Tick at least one period that IBKR offers.")
    if len(wanted) > LARGEST_FETCH:
        raise InvalidInput("report", f"At most {LARGEST_FETCH} reports are fetched at once.", "Choose fewer accounts.")
    now = clock.now()
    try:
        with transaction.atomic():
            request = FetchRequest.objects.create(intent=intent, asked_by=by, asked_at=now)
    except IntegrityError:
        return FetchRequest.objects.get(intent=intent, asked_by=by)
    items = [FetchItem(request=request, report=report, due_at=now) for report in wanted]
    FetchItem.objects.bulk_create(items)
    moved = [report for report in sorted(wanted, key=lambda each: each.pk) if report.state != State.FETCHING]
    was = audit.standing(*moved)
    for report in moved:
        LIFECYCLE.move(report, to=State.FETCHING, because="asked for", by=by, next_try_at=None)
    audit.record("reporting.fetch", by=by, on=request, summary=f"Fetch of {len(items)} reports ordered", changed=was)
    for item in items:
        ring_on_commit("reporting.fetch_report", item.pk)
    return request


def take(item_pk: str) -> FetchItem | None:
    """Take one item for fetching; None when another worker has it, it is over, or it is not due."""
    now = clock.now()
    taken = FetchItem.objects.filter(pk=item_pk, state=ItemState.WAITING, due_at__lte=now).update(
        state=ItemState.TAKEN, taken_at=now
    )
    if not taken:
        return None
    return FetchItem.objects.select_related("report__account__master", "request__asked_by").get(pk=item_pk)


@transaction.atomic
def keep(item: FetchItem, content: bytes) -> ReportFile:
    """Keep what IBKR gave: the same bytes are the version we hold, other bytes are a new one. Both are kept."""
    report = Report.objects.select_for_update().get(pk=item.report_id)
    now = clock.now()
    digest = hashlib.sha256(content).hexdigest()
    before, made = audit.digest(report), None
    file = report.files.filter(sha256=digest).first()
    if file is None:
        file = ReportFile(
            id=uuid4(),
            report=report,
            version=report.version + 1,
            sha256=digest,
            size=len(content),
            fetched_at=now,
            fetched_by=item.request.asked_by,
        )
        file.stored_as = default_storage.save(
            f"reports/{uuid4().hex}", ContentFile(seal(content, place_of(file)).encode())
        )
        file.save(force_insert=True)
        made = file
    changes = {
        "version": max(report.version, file.version),
        "fetched_at": now,
        "failure": "",
        "tries": 0,
        "next_try_at": None,
    }
    if report.state == State.FETCHING:
        LIFECYCLE.move(report, to=State.HELD, because=f"version {file.version} held", as_of=now, **changes)
    else:
        Report.objects.filter(pk=report.pk).update(**changes)
    if made is not None:
        again = f"IBKR re-issued {report}: version {made.version}, version {made.version - 1} kept"
        audit.record(
            "reporting.reissue" if made.version > 1 else "reporting.keep", by=None, on=report, before=before,
            summary=again if made.version > 1 else f"Kept {report}", changed=[audit.Standing(made)], sha256=digest,
        )  # fmt: skip
    _finish(item, ItemState.DONE)
    return file


@transaction.atomic
def record_failure(item: FetchItem, *, reason: str, is_final: bool) -> None:
    """Write why IBKR gave no file; the item waits for its next try, or is over when another try cannot help."""
    report = Report.objects.select_for_update().get(pk=item.report_id)
    now = clock.now()
    tries = item.tries + 1
    again = None if is_final or tries > len(RETRY_MINUTES) else now + timedelta(minutes=RETRY_MINUTES[tries - 1])
    changes = {"failure": reason, "tries": tries, "next_try_at": again}
    if again is None:
        if report.state == State.FETCHING:
            # A failed second look does not take away what is held.
            LIFECYCLE.move(
                report, to=State.HELD if report.is_held else State.FAILED, because=reason, as_of=now, **changes
            )
        FetchItem.objects.filter(pk=item.pk).update(tries=tries)
        _finish(item, ItemState.FAILED)
    else:
        Report.objects.filter(pk=report.pk).update(**changes)
        FetchItem.objects.filter(pk=item.pk).update(state=ItemState.WAITING, tries=tries, due_at=again, taken_at=None)


def _finish(item: FetchItem, state: str) -> None:
    FetchItem.objects.filter(pk=item.pk).update(state=state)
    is_open = FetchItem.objects.filter(request=item.request_id, state__in=[ItemState.WAITING, ItemState.TAKEN])
    if not is_open.exists():
        FetchRequest.objects.filter(pk=item.request_id, finished_at__isnull=True).update(finished_at=clock.now())


def free_lapsed(at: datetime) -> None:
    """Put back items whose worker is gone."""
    FetchItem.objects.filter(state=ItemState.TAKEN, taken_at__lt=at - TAKEN_AT_MOST).update(
        state=ItemState.WAITING, taken_at=None
    )


# Opening


def place_of(file: ReportFile) -> str:
    """Return what a file's seal is bound to."""
    return f"reporting_reportfile|content|{file.pk}"


def open_file(file: ReportFile, *, by: User) -> bytes:
    """Return the bytes of one version, after writing who opened it. Raises NotPermitted (also past the hour's share), Conflict.

    A file that does not match its digest raises ValueError: it is evidence, so it is never handed out altered.
    """
    if not may(by, "reporting.view"):
        raise NotPermitted("Your role may not open reports.")
    if file.report.account.client.erased_at is not None:
        raise Conflict("This statement was destroyed with the client's personal data.")
    disclosures.let_out(
        "reporting.open",
        by=by,
        on=file.report,
        summary=f"Opened {file.report}, version {file.version}",
        disclosed=[file.report.account.client],
        sha256=file.sha256,
    )
    with default_storage.open(file.stored_as) as stored:
        content = unseal(stored.read().decode(), place_of(file))
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ValueError(f"report file {file.pk} does not match its digest")
    return content


def forget(client: Client) -> list[audit.Standing]:
    """Delete the bytes of a client's statements once their destruction is kept; the rows and digests stay."""
    names = list(ReportFile.objects.filter(report__account__client=client).values_list("stored_as", flat=True))

    def delete() -> None:
        for name in names:
            default_storage.delete(name)

    transaction.on_commit(delete)
    return []  # no row of ours changes
