"""The rows of clients: whom the firm serves, their applications, tasks and documents, accounts and maintenance cases."""

from clients.models.applications import (
    APPLICATION_LIFECYCLE,
    DOCUMENT_LIFECYCLE,
    AccountTask,
    Application,
    ApplicationStatus,
    Document,
    DocumentStatus,
    Stage,
)
from clients.models.clients import Account, AccountQuerySet, Client, ClientQuerySet, Household
from clients.models.maintenance import CASE_LIFECYCLE, CaseKind, CaseStatus, MaintenanceRequest
from clients.models.retention import Destruction, LegalHold

__all__ = [
    "APPLICATION_LIFECYCLE",
    "CASE_LIFECYCLE",
    "DOCUMENT_LIFECYCLE",
    "Account",
    "AccountQuerySet",
    "AccountTask",
    "Application",
    "ApplicationStatus",
    "CaseKind",
    "CaseStatus",
    "Client",
    "ClientQuerySet",
    "Destruction",
    "Document",
    "DocumentStatus",
    "Household",
    "LegalHold",
    "MaintenanceRequest",
    "Stage",
]
