"""The approvals inbox and the evidence page, on withdrawals."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.journal import looking
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from backoffice.journal.outcomes import Found
from backoffice.journal.selectors import payload_facts
from funding.models import CashTransfer
from tests.journal_rows import make_open, make_submission

Ask = Callable[..., CashTransfer]


def browser_of(user: Any) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="backoffice.people.backends.EmailBackend")
    return browser


def test_the_inbox_holds_what_others_made_and_leads_to_its_page(withdraw: Ask, principal: Any) -> None:
    others, mine = withdraw(), withdraw(by=principal, duplicate_reason="again")
    browser = browser_of(principal)

    waiting = browser.get(reverse("journal:approval_list")).content.decode()
    own = browser.get(f"{reverse('journal:approval_list')}?view=mine").content.decode()

    def page_of(transfer: CashTransfer) -> str:
        return reverse("journal:approval_detail", args=[Submission.objects.for_subject(transfer).get().pk])

    assert page_of(others) in waiting
    assert page_of(mine) not in waiting
    assert page_of(mine) in own
    assert others.get_absolute_url() in browser.get(page_of(others)).content.decode()


@pytest.mark.parametrize(
    ("typed", "says"), [("", "Type the amount you approve."), ("1,250.01", "not the amount"), ("lots", "not an amount")]
)
def test_money_is_approved_from_the_inbox_by_typing_its_amount(
    withdraw: Ask, principal: Any, typed: str, says: str
) -> None:
    transfer = withdraw()
    submission = Submission.objects.for_subject(transfer).get()
    url, browser = reverse("journal:approval_decide", args=[submission.pk]), browser_of(principal)
    press = {"decision": "approve", "payload_sha256": submission.payload_sha256, "reason": "Called back"}

    refused = browser.post(url, {**press, "typed": typed})

    assert refused.status_code == 422
    assert says in refused.content.decode()
    assert "Called back</textarea>" in refused.content.decode()
    assert submission.approvals.count() == 0

    assert browser.post(url, {**press, "typed": f"{transfer.amount:,.2f}"}).status_code == 302
    assert submission.approvals.get().approver == principal


def test_the_evidence_of_a_submission_masks_persons_and_secrets(master: Any, advisor: Any) -> None:
    submission = make_submission(
        master, advisor, payload={"customer": {"name": {"first": "Mara"}, "taxId": "123-45-6789", "country": "USA"}}
    )

    shown = dict(payload_facts(submission))

    assert "Mara" not in shown.values()
    assert "123-45-6789" not in shown.values()
    assert shown["customer.country"] == "USA"


def test_evidence_without_a_rule_of_its_own_is_for_those_who_see_every_book(
    master: Any, advisor: Any, operations: Any
) -> None:
    submission = make_submission(master, advisor)
    url = reverse("journal:submission_detail", args=[submission.pk])

    assert browser_of(advisor).get(url).status_code == 404
    assert browser_of(operations).get(url).status_code == 200


def test_two_people_release_what_is_proven_absent_and_one_person_cannot(
    withdraw: Ask, principal: Any, operations: Any
) -> None:
    submission = journal.current_for(withdraw())
    assert submission is not None
    Submission.objects.update(state=State.ABSENT)
    url = reverse("journal:submission_release", args=[submission.pk])

    assert browser_of(operations).post(url, {"evidence": ""}).status_code == 422
    assert browser_of(operations).post(url, {"evidence": "Ticket 55120"}).status_code == 302
    assert browser_of(operations).post(url, {"evidence": "Again"}).status_code == 422
    assert Submission.objects.get().state == State.ABSENT
    assert browser_of(principal).post(url, {"evidence": "Same ticket"}).status_code == 302

    assert Submission.objects.get().state == State.READY


def test_two_people_take_as_absent_what_no_look_can_tell(master: Any, operations: Any, principal: Any) -> None:
    submission = make_submission(master, operations)
    make_open(submission, pid=4711, started="1", host="worker-of-yesterday")
    page = reverse("journal:submission_detail", args=[submission.pk])
    url = reverse("journal:submission_attest", args=[submission.pk])

    assert "process 4711 on" in browser_of(operations).get(page).text
    assert "what makes you sure" in browser_of(operations).post(url, {"evidence": " "}).text
    assert browser_of(operations).post(url, {"evidence": "Ticket 55120"}).headers["Location"] == page
    assert "You have said that IBKR has nothing of it" in browser_of(operations).get(page).text
    twice = browser_of(operations).post(url, {"evidence": "Again"})
    assert (twice.status_code, "needs a second person" in twice.text) == (422, True)
    assert browser_of(principal).post(url, {"evidence": "Same ticket"}).status_code == 302

    assert Submission.objects.get().state == State.ABSENT
    shown = browser_of(principal).get(page).text
    assert all(word in shown for word in ("said IBKR has nothing of it", "Same ticket", "Release it"))


def test_what_ibkr_shows_is_not_taken_as_absent_on_the_page(master: Any, operations: Any) -> None:
    submission = make_submission(master, operations)
    make_open(submission, pid=4711, started="1", host="worker-of-yesterday")
    looking.observe(submission, Found("55", source="x", detail="USD 90 instead of 100", matches=False))

    shown = browser_of(operations).get(reverse("journal:submission_detail", args=[submission.pk])).text

    assert "People cannot take it as absent now: IBKR shows something under its number: USD 90 instead of 100" in shown
    assert "IBKR has nothing of it</button>" not in shown


@pytest.mark.parametrize("role", ["advisor", "viewer", "administrator"])
def test_only_operations_and_principals_release(withdraw: Ask, person: Any, role: str) -> None:
    submission = journal.current_for(withdraw())
    assert submission is not None
    Submission.objects.update(state=State.ABSENT)

    answer = browser_of(person(role, "Second Person")).post(
        reverse("journal:submission_release", args=[submission.pk]), {"evidence": "x"}
    )

    assert answer.status_code == 403
    assert not submission.releases.exists()
