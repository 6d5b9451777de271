"""Revealing a masked value, and the way into IBKR's portal."""

from typing import Any

from django.db import transaction

from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.audit.reasons import REVEAL_REASONS
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import inquiries
from backoffice.journal.models import Inquiry
from backoffice.people.models import User
from backoffice.people.policy import may
from clients import translate
from clients.models import Account, CaseKind, Client, MaintenanceRequest

REVEALABLE = {
    "email": "E-mail",
    "phone": "Phone",
    "date_of_birth": "Date of birth",
    "residence": "Address",
    "tax_number": "Tax number",
}


@transaction.atomic
def reveal(*, client: Client, field: str, reason: str, by: User) -> str:
    """Return one personal value, having written who saw it and why.

    Raises KeyError for a field that is not personal, InvalidInput (reason) without one of `REVEAL_REASONS`,
    NotPermitted past the hour's share.
    """
    label = REVEALABLE[field]
    _explained(reason)
    disclosures.let_out(
        "clients.reveal", by=by, on=client, summary=f"{label} shown: {reason}", field=field, reason=reason,
        disclosed=[client],
    )  # fmt: skip
    if field == "residence":
        return translate.address_words(translate.residence_fields(client.residence))
    return str(getattr(client, field))


@transaction.atomic
def reveal_change(*, case: MaintenanceRequest, reason: str, by: User) -> tuple[str, str]:
    """Return what a case changes, before and after, in whole; who saw it and why is written first.

    Raises InvalidInput (reason) without one of `REVEAL_REASONS`, NotPermitted past the hour's share.
    """
    _explained(reason)
    disclosures.let_out(
        "clients.reveal", by=by, on=case, summary=f"{case.get_kind_display()} to be changed shown: {reason}",
        field=case.kind, reason=reason, disclosed=[case.account.client],
    )  # fmt: skip
    if case.kind == CaseKind.ALIAS:
        return case.before["alias"], case.after["alias"]
    return translate.address_words(case.before), translate.address_words(case.after)


def _explained(reason: str) -> None:
    if reason not in REVEAL_REASONS:
        raise InvalidInput("reason", "Why it must be seen is missing.", "Choose a reason; the audit keeps it.")


@transaction.atomic
def open_portal(*, account: Account, address: str, page: str, by: User) -> Inquiry:
    """Ask IBKR for a page that signs the client in. It works once, for 60 seconds, from `address` only, so nobody asks
    before the click. Raises NotPermitted, Conflict.
    """
    if not may(by, "clients.open_portal"):
        raise NotPermitted("Only advisors, operations and principals may open IBKR's portal for a client.")
    if not account.username:
        raise Conflict(f"IBKR has not named a username for {account.number} yet; the portal opens once it has.")
    audit.record(
        "clients.open_portal",
        by=by,
        on=account,
        summary=f"IBKR's portal asked for, {account.number}",
        page=page,
        disclosed=[account.client],
    )
    return inquiries.ask(
        "clients.answer_portal_link", {"account": str(account.pk), "address": address, "page": page}, by=by
    )


@transaction.atomic
def take_portal_link(inquiry_pk: str, *, by: User) -> tuple[Inquiry | None, str]:
    """Return an inquiry and, once, its link; with the link read the row is gone. (None, "") when it is not this person's,
    or its account is not in their books any more.
    """
    inquiry = Inquiry.objects.select_for_update().filter(
        pk=inquiry_pk, kind="clients.answer_portal_link", asked_by=by
    ).first()  # fmt: skip
    if inquiry is None or not Account.objects.visible_to(by).filter(pk=inquiry.params["account"]).exists():
        return None, ""
    if not inquiry.is_final:
        return inquiry, ""
    answer: dict[str, Any] = inquiry.answer or {}
    link = str(answer.get("url", ""))
    if link:
        audit.record("clients.open_portal", by=by, summary="IBKR's portal opened", inquiry=str(inquiry.pk))
        inquiry.delete()
    return inquiry, link
