"""I08: another transaction keeps an approval waiting. It gives up in time, says so, and has approved nothing."""

import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core.models import StatusEvent
from backoffice.journal.models import Approval, State, Submission
from tests.backoffice.test_policies import payment
from tests.journal_rows import make_submission

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_MS = 400  # of the database, in place of the settings' eight seconds


@pytest.fixture
def submission(master: Any, operations: Any) -> Submission:
    return make_submission(master, operations, facts=payment())


@pytest.fixture
def holder(submission: Submission) -> Iterator[psycopg.Connection]:
    """A transaction that holds the submission and does not end, as a stuck worker's would."""
    known = connection.get_connection_params()
    where = {name: known[name] for name in ("dbname", "user", "password", "host", "port") if name in known}
    with psycopg.connect(**where) as stuck:
        stuck.execute("SELECT 1 FROM journal_submission WHERE id = %s FOR UPDATE", [submission.pk])
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {PATIENCE_MS}")
        yield stuck
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


@pytest.mark.row(id="I08")
@pytest.mark.parametrize("way", ["page", "api"])
def test_an_approval_kept_waiting_gives_up_says_so_and_leaves_nothing(
    way: str, submission: Submission, holder: psycopg.Connection, principal: Any
) -> None:
    browser = Browser(raise_request_exception=False)
    browser.force_login(principal, backend="backoffice.people.backends.EmailBackend")
    name = "journal:approval_decide" if way == "page" else "api:approvals-decision"
    url = reverse(name, args=[submission.pk])
    yes: Any = {"decision": "approve", "payload_sha256": submission.payload_sha256}

    def decide() -> Any:
        return browser.post(url, yes) if way == "page" else browser.post(url, json.dumps(yes), "application/json")

    began = time.monotonic()
    answer = decide()

    assert (answer.status_code, time.monotonic() - began < 5) == (503, True)
    assert "whole or not at all" in answer.content.decode()
    assert (way == "api") == answer.headers["Content-Type"].startswith("application/json")
    assert browser.get(reverse("journal:approval_list")).status_code == 200  # reading goes on
    submission.refresh_from_db()
    assert (submission.state, Approval.objects.count()) == (State.PROPOSED, 0)
    assert not Entry.objects.filter(action="journal.approve").exists()
    assert not StatusEvent.objects.filter(subject_id=str(submission.pk), new="ready").exists()

    holder.rollback()
    assert decide().status_code < 400
    submission.refresh_from_db()
    assert (submission.state, Approval.objects.count()) == (State.READY, 1)
    assert Entry.objects.filter(action="journal.approve").count() == 1
