"""What the firm's policy does to withdrawals: new bank details rest, caps hold under threads, a return loses nothing."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput
from backoffice.core.money import Money
from backoffice.home import contributions
from backoffice.journal import services as journal
from backoffice.journal.models import Answer, State, Submission
from backoffice.people.models import LimitCounter, Role, User
from backoffice.people.policies.document import APPROVERS, FIRST, ApprovalRule, Limit
from funding import services
from funding.models import BankInstruction, CashTransfer
from tests.api.program import Program
from tests.backoffice.test_policies import put_in_force
from tests.conftest import PASSWORD

Ask = Callable[..., CashTransfer]


def listed(last4: str = "7042", name: str = "Main bank") -> services.ListedBank:
    return services.ListedBank(name=name, method="WIRE", currency="USD", last4=last4, status="PROCESSED")


@pytest.mark.django_db
class TestRest:
    def test_details_that_were_there_at_the_first_look_are_not_new(self, account: Any, withdraw: Ask) -> None:
        services.record_banks(account, [listed(name="Other bank")], methods=["WIRE"])

        bank = BankInstruction.objects.get(name="Other bank")

        assert bank.appeared_at is None
        assert withdraw(bank=bank).bank == bank

    @pytest.mark.parametrize("change", [[listed(last4="9999")], [listed(), listed(name="New bank")]])
    @pytest.mark.row(id="Z14")
    def test_swapped_or_added_details_rest_for_a_day_before_they_are_paid(
        self, account: Any, bank: BankInstruction, withdraw: Ask, time_machine: Any, change: list[Any]
    ) -> None:
        services.record_banks(account, [listed()], methods=["WIRE"])
        services.record_banks(account, change, methods=["WIRE"])
        young = BankInstruction.objects.get(appeared_at__isnull=False)

        with pytest.raises(InvalidInput, match="new bank details rest for 24 h") as caught:
            withdraw(bank=young)
        assert caught.value.field == "bank"
        assert not Submission.objects.exists()
        time_machine.move_to(clock.now() + timedelta(hours=24, seconds=1))

        assert withdraw(bank=young).bank == young

    @pytest.mark.row(id="Z14")
    def test_a_changed_number_is_written_down(self, account: Any, bank: BankInstruction) -> None:
        services.record_banks(account, [listed()], methods=["WIRE"])
        services.record_banks(account, [listed(last4="9999")], methods=["WIRE"])

        assert Entry.objects.filter(action="funding.bank_changed").count() == 1


@pytest.mark.django_db
def test_a_return_for_change_opens_again_with_what_was_typed(
    withdraw: Ask, principal: User, advisor: User, account: Any
) -> None:
    transfer = withdraw(note="Roof repair, asked by phone")
    submission = journal.current_for(transfer)
    assert submission is not None
    journal.refuse(submission, by=principal, reason="Wrong amount", answer=Answer.RETURNED)
    browser = Browser()
    browser.force_login(advisor, backend="backoffice.people.backends.EmailBackend")

    page = browser.get(reverse("journal:approval_detail", args=[submission.pk])).content.decode()
    again = browser.get(reverse("funding:withdraw"), {"account": str(account.pk), "again": str(transfer.pk)})

    assert "Wrong amount" in page
    assert f"again={transfer.pk}" in page
    assert "Roof repair, asked by phone" in again.content.decode()
    assert "1250" in again.content.decode()


class TestOperationsApprove:
    """Where the policy gives withdrawals to operations, they decide on the transfer's own page as in the inbox."""

    @pytest.fixture(autouse=True)
    def _policy(self, db: None, principal: User, second_principal: User) -> None:
        rules = (
            ApprovalRule("withdrawal", 1, roles=APPROVERS["operations"]),
            ApprovalRule("withdrawal", 1, above_usd=Decimal(10_000)),
        )
        put_in_force(replace(FIRST, approvals=rules), principal, second_principal)

    def press(self, person: User, verb: str, transfer: CashTransfer) -> tuple[str, int]:
        """Return the transfer's page, and how the press of a button was answered."""
        submission, browser = Submission.objects.get(subject_id=str(transfer.pk)), Browser()
        browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
        page = browser.get(transfer.get_absolute_url()).content.decode()
        typed = {
            "typed": str(transfer.amount),
            "payload_sha256": submission.payload_sha256,
            "decline-reason": "A fraud",
        }
        return page, browser.post(reverse(f"funding:{verb}", args=[transfer.pk]), typed).status_code

    @pytest.mark.parametrize(("verb", "state"), [("approve", State.READY), ("decline", State.VOID)])
    def test_what_the_policy_gives_them(self, withdraw: Ask, operations: User, verb: str, state: str) -> None:
        page, status = self.press(operations, verb, withdraw())

        assert "approve-dialog" in page
        assert (status, Submission.objects.get().state) == (302, state)

    def test_and_not_what_it_leaves_to_principals(self, withdraw: Ask, operations: User) -> None:
        page, status = self.press(operations, "approve", withdraw(money=Money(Decimal(20_000), "USD")))

        assert "The policy has this approved by: principal." in page
        assert "approve-dialog" not in page
        assert (status, Submission.objects.get().state) == (422, State.PROPOSED)


class TestWithoutASecondPerson:
    """Where the firm's policy lets small withdrawals go, whoever presses the button has proven who they are."""

    @pytest.fixture(autouse=True)
    def _policy(self, db: None, principal: User, second_principal: User) -> None:
        rule = ApprovalRule("withdrawal", 1, above_usd=Decimal(10_000))
        put_in_force(replace(FIRST, approvals=(rule,)), principal, second_principal)

    def test_a_small_one_leaves_only_after_a_fresh_proof_and_then_once(
        self, advisor: User, account: Any, bank: BankInstruction, settings: Any
    ) -> None:
        settings.STEP_UP_SECONDS = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
        browser, form = Browser(), self.typed(account, bank)
        with time_machine.travel(clock.now(), tick=False) as now:
            browser.post("/account/login/", {"login": advisor.email, "password": PASSWORD})
            now.shift(301)

            asked = browser.post(reverse("funding:withdraw"), form)
            assert asked["Location"].startswith("/account/reauthenticate/")
            assert (CashTransfer.objects.count(), Submission.objects.count()) == (0, 0)
            assert LimitCounter.objects.filter(count__gt=0).count() == 0
            done = browser.post(asked["Location"], {"password": PASSWORD})

        made = CashTransfer.objects.get()
        submission = journal.current_for(made)
        assert submission is not None
        assert (done["Location"], submission.state) == (made.get_absolute_url(), State.READY)

    def test_a_large_one_is_asked_for_without_and_waits(
        self, advisor: User, account: Any, bank: BankInstruction, settings: Any
    ) -> None:
        settings.STEP_UP_SECONDS = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
        browser = Browser()
        with time_machine.travel(clock.now(), tick=False) as now:
            browser.post("/account/login/", {"login": advisor.email, "password": PASSWORD})
            now.shift(301)
            answer = browser.post(reverse("funding:withdraw"), self.typed(account, bank, amount="10000.01"))

        assert answer["Location"] == CashTransfer.objects.get().get_absolute_url()
        assert Submission.objects.get().state == State.PROPOSED

    def test_a_programs_waits_for_a_person_however_small(
        self, advisor: User, principal: User, account: Any, bank: BankInstruction
    ) -> None:
        program = Program(advisor, "funding.request")
        body = {
            "account": account.number,
            "bank": str(bank.pk),
            "amount": "12.00",
            "currency": "USD",
            "note": "Nightly",
        }

        assert program.post("/api/v1/transfers/", body, uuid.uuid4()) == 201

        submission = Submission.objects.get()
        assert (submission.state, submission.approvals_needed) == (State.PROPOSED, 1)
        journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)
        assert Submission.objects.get().state == State.READY

    @staticmethod
    def typed(account: Any, bank: BankInstruction, **changes: str) -> dict[str, str]:
        return {"account": str(account.pk), "bank": str(bank.pk), "amount": "120.00", "currency": "USD",
                "note": "Asked for by phone", "intent": str(uuid.uuid4())} | changes  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_runaway_loop_of_ten_threads_makes_no_more_than_the_cap(withdraw: Ask, principal: User) -> None:
    second = User.objects.create_user(email="second@alderrow.example", name="Second Principal", role=Role.PRINCIPAL)
    put_in_force(replace(FIRST, limits=(Limit("withdrawal", "firm", "day", 3),)), principal, second)
    refusals: list[str] = []
    start = threading.Barrier(10)

    def run() -> None:
        start.wait()
        try:
            withdraw(intent=uuid.uuid4(), duplicate_reason="the loop")
        except Conflict as error:
            refusals.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Submission.objects.count() == 3
    assert len(refusals) == 7
    assert "The firm may have 3 withdrawals each day" in refusals[0]
    assert LimitCounter.objects.get().count == 3


@pytest.mark.django_db
def test_what_came_back_to_a_maker_who_lost_the_book_is_not_told_any_more(
    withdraw: Ask, advisor: User, principal: User
) -> None:
    promised = journal.current_for(withdraw())
    assert promised is not None
    journal.refuse(promised, by=principal, reason="Marianne never asked", answer=Answer.RETURNED)
    told = [item.title for item in contributions.returned(advisor)]
    advisor.books.clear()

    after = list(contributions.returned(advisor))

    assert len(told) == 1
    assert after == []


@pytest.mark.django_db
def test_a_limit_of_the_firm_does_not_tell_what_the_other_books_moved(
    withdraw: Ask, principal: User, second_principal: User
) -> None:
    put_in_force(replace(FIRST, limits=(Limit("withdrawal", "firm", "day", 900, Decimal(2_000)),)), principal,
                 second_principal)  # fmt: skip
    withdraw(intent=uuid.uuid4())

    with pytest.raises(Conflict) as refused:
        withdraw(intent=uuid.uuid4(), duplicate_reason="The second of two")

    assert "The firm may have USD 2,000 of withdrawals each day; this would be more." in str(refused.value)
    assert "2,500" not in str(refused.value)
