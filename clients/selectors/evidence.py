"""What belongs to a client in an evidence pack."""

from collections.abc import Iterator
from typing import Any

from backoffice.home.registry import Evidence, EvidenceDocument
from clients.models import AccountTask, Application, Client, Document, MaintenanceRequest


def of(root: Any) -> Iterator[Evidence]:
    """Return accounts, applications, tasks, cases and documents of a client; nothing for anything else."""
    if not isinstance(root, Client):
        return
    accounts = list(root.accounts.all())
    documents = Document.objects.filter(task__account__in=accounts).defer("content").order_by("uploaded_at")
    yield Evidence(
        rows=(
            *accounts,
            *Application.objects.filter(client=root),
            *AccountTask.objects.filter(account__in=accounts),
            *MaintenanceRequest.objects.filter(account__in=accounts),
            *documents,
        ),
        documents=tuple(
            EvidenceDocument(f"{each.form_number} {each.pk}", f"given to IBKR, {each.get_status_display().lower()}",
                             each.sha256, each.size, each.uploaded_at)
            for each in documents
        ),
    )  # fmt: skip
