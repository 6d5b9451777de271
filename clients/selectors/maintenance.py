"""Maintenance cases: the list, one case, and what workers ask."""

from dataclasses import dataclass
from datetime import datetime

from backoffice.home.parts import Change
from backoffice.home.registry import Tone
from backoffice.journal.models import Attempt, Observation, Submission
from backoffice.people.models import User
from clients import translate
from clients.models import CaseKind, CaseStatus, MaintenanceRequest
from clients.rules import facts
from clients.selectors.applications import POLL_EVERY

is_shown = translate.is_shown

LABELS = {
    "alias": "Alias",
    "country": "Country",
    "street1": "Street",
    "street2": "Flat, building",
    "city": "City",
    "postal_code": "Postal code",
    "state": "State",
}
_MASKED = {"street1", "street2", "postal_code"}
BADGES: dict[str, tuple[Tone, str]] = {
    CaseStatus.REQUESTED: ("info", "send"),
    CaseStatus.AT_IBKR: ("info", "eye"),
    CaseStatus.SEEN: ("good", "check"),
    CaseStatus.REFUSED: ("bad", "x"),
    CaseStatus.REPLACED: ("neutral", "replace"),
    CaseStatus.WITHDRAWN: ("neutral", "ban"),
}


@dataclass(frozen=True)
class Case:
    """One case as a row: its badge, its newest submission, and one sentence about it."""

    request: MaintenanceRequest
    submission: Submission | None

    @property
    def is_unknown(self) -> bool:
        return self.submission is not None and self.submission.is_in_doubt

    @property
    def tone(self) -> Tone:
        return "unknown" if self.is_unknown else BADGES[self.request.status][0]

    @property
    def icon(self) -> str:
        return "help-hexagon" if self.is_unknown else BADGES[self.request.status][1]

    @property
    def word(self) -> str:
        return "Outcome unknown" if self.is_unknown else str(self.request.get_status_display())

    @property
    def changes(self) -> list[Change]:
        before, after = self.request.before, self.request.after
        return [_change(name, before.get(name, ""), value) for name, value in after.items()]

    @property
    def towns(self) -> str:
        """What of two addresses is shown without asking; empty for another kind of change."""
        if self.request.kind != CaseKind.ADDRESS:
            return ""
        return " → ".join(values.get("city") or "empty" for values in (self.request.before, self.request.after))


def _change(name: str, before: str, after: str) -> Change:
    was, becomes = _shown(name, before), _shown(name, after)
    if was == becomes and before != after:
        becomes += " (another)"  # the part that differs is masked
    return Change(LABELS[name], was, becomes)


def _shown(name: str, value: str) -> str:
    """A value as the page shows it: enough of a street or a postal code to compare by, not to write a letter to."""
    if name in _MASKED and value:
        return f"{value[:2]}••••"
    return facts.country_name(value) if name == "country" else value


def cases_of(requests: list[MaintenanceRequest]) -> list[Case]:
    """Return cases with their newest submissions, in one query."""
    about = Submission.objects.filter(
        subject_model="clients.maintenancerequest", subject_id__in=[str(request.pk) for request in requests]
    )
    newest = {submission.subject_id: submission for submission in about.defer("payload_text").order_by("created_at")}
    return [Case(request, newest.get(str(request.pk))) for request in requests]


@dataclass(frozen=True)
class CaseStory:
    case: Case
    attempts: tuple[Attempt, ...]
    observations: tuple[Observation, ...]


def story(request: MaintenanceRequest) -> CaseStory:
    case = cases_of([request])[0]
    submissions = Submission.objects.for_subject(request)
    return CaseStory(
        case,
        tuple(Attempt.objects.filter(submission__in=submissions).order_by("-prepared_at")),
        tuple(Observation.objects.filter(submission__in=submissions).order_by("-at", "-id")[:20]),
    )


def waiting_for(user: User) -> list[MaintenanceRequest]:
    found = MaintenanceRequest.objects.visible_to(user).waiting().select_related("account__client", "requested_by")
    return list(found.defer("before_text", "after_text").order_by("requested_at")[:100])


# ---- what workers ask


def due_for_look(now: datetime) -> list[MaintenanceRequest]:
    """Return the cases IBKR took that it does not show yet, and whose details were not read lately."""
    found = (
        MaintenanceRequest.objects.filter(status=CaseStatus.AT_IBKR)
        .select_related("account__master")
        .order_by("checked_at")[:100]
    )
    return [
        case
        for case in found
        if case.checked_at is None or now - case.checked_at >= POLL_EVERY[case.account.master.environment]  # type: ignore[index]
    ]


def is_at_ibkr(case: MaintenanceRequest) -> bool:
    return bool(case.status == CaseStatus.AT_IBKR)
