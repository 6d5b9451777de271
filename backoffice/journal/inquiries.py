"""Inquiries: the page writes a row, a worker answers it, the page polls it. So the web process never waits for IBKR."""

import json
from typing import Any

from django.db import transaction

from backoffice.audit import exchanges
from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.fields import DecimalEncoder
from backoffice.journal.models import Inquiry, InquiryState
from backoffice.people.models import User


@transaction.atomic
def ask(kind: str, params: dict[str, Any], *, by: User) -> Inquiry:
    """Ask IBKR something through an interactive worker. `kind` names the task; `params` hold no personal data."""
    inquiry = Inquiry.objects.create(
        kind=kind, params=json.loads(json.dumps(params, cls=DecimalEncoder)), asked_by=by, asked_at=clock.now()
    )
    audit.record("journal.inquire", by=by, on=inquiry, summary=f"Asked IBKR: {kind}")
    ring_on_commit(kind, inquiry.pk)
    return inquiry


def take(inquiry_pk: str) -> Inquiry | None:
    """Take an inquiry for answering; None when another worker has it or it is over."""
    taken = Inquiry.objects.filter(pk=inquiry_pk, state=InquiryState.WAITING).update(
        state=InquiryState.TAKEN, taken_at=clock.now()
    )
    if not taken:
        return None
    inquiry = Inquiry.objects.get(pk=inquiry_pk)
    exchanges.about(inquiry, is_kept=False)
    return inquiry


def answer(inquiry: Inquiry, data: Any) -> None:
    """Give the answer; stored encrypted, Decimals as text."""
    inquiry.answer_text = json.dumps(data, cls=DecimalEncoder)
    inquiry.state = InquiryState.ANSWERED
    inquiry.answered_at = clock.now()
    inquiry.save(update_fields=["answer_text", "state", "answered_at"])


def fail(inquiry: Inquiry, message: str) -> None:
    """Say in plain words why there is no answer and what to do."""
    Inquiry.objects.filter(pk=inquiry.pk).update(state=InquiryState.FAILED, message=message, answered_at=clock.now())
