"""What stands on the approval page of an application and of a change, and on Today. No value of a person's is shown."""

from typing import Any

from backoffice.journal.decisions import Headline, Review
from backoffice.journal.models import Submission
from backoffice.people.policies.comparing import Difference
from clients.models import Application, CaseKind, MaintenanceRequest
from clients.rules import facts
from clients.selectors.maintenance import LABELS


def application_headline(submission: Submission, subject: Any) -> Headline:
    application: Application = subject
    return Headline(f"Application of {application.name}", f"{facts.country_name(application.country)}.")


def review_application(submission: Submission, subject: Any) -> Review:
    """Say whose account it would be; everything that was typed stands on the application's own page."""
    application: Application = subject
    margin = {"RegT": "margin", "Cash": "cash"}.get(application.margin, application.margin)
    return Review(
        [
            ("Application of", application.name),
            ("Country", facts.country_name(application.country)),
            ("Account", f"{application.draft.get('base_currency', '')} {margin}".strip()),
            ("Warnings left", str(application.warnings) if application.warnings else "none"),
        ],
        [Difference("Version of the draft", f"{application.version}", f"{application.version}")],
        redo=application.get_absolute_url(),
    )


def change_headline(submission: Submission, subject: Any) -> Headline:
    case: MaintenanceRequest = subject
    return Headline(f"{case.get_kind_display()} of {case.account.client.name}", f"{case.account.number}.")


def review_change(submission: Submission, subject: Any) -> Review:
    """Say what would change; an alias in full, of an address only which lines."""
    case: MaintenanceRequest = subject
    changed = [name for name, value in case.after.items() if value != case.before.get(name, "")]
    if case.kind == CaseKind.ALIAS:
        what = f"{case.before.get('alias') or 'no alias'} to {case.after.get('alias') or 'no alias'}"
    else:
        what = ", ".join(LABELS[name] for name in changed)
    return Review(
        [
            ("Change", str(case.get_kind_display())),
            ("Account", f"{case.account.client.name}, {case.account.number}"),
            ("What changes", what),
        ],
        [Difference("Account", "open", "open" if case.account.is_open else "not open")],
        redo=case.account.client.get_absolute_url(),
    )
