"""Rows for the journal's own tests: any model serves as a subject, a Book is the plainest."""

import uuid
from typing import Any

from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from backoffice.people.models import Book


def make_submission(master: Any, maker: Any, **changes: Any) -> Submission:
    """Submit one effect with an invented payload; `changes` override the arguments of `journal.submit`."""
    book = Book.objects.create(name=f"Book {uuid.uuid4()}")
    arguments: dict[str, Any] = {
        "operation": "funding.send_transfer",
        "look": "funding.look_for_transfer",
        "subject": book,
        "payload": {"amount": "100.00", "currency": "USD"},
        "key_space": "clientInstructionId",
        "key": str(journal.next_instruction_id()),
        "lane": "funding",
        "master": master,
        "maker": maker,
        "summary": "Withdrawal",
    }
    return journal.submit(**{**arguments, **changes})
