"""The approvals inbox: filters, claims, rejection, return, papers, several at once; and what raw SQL cannot do."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.home import notice_mail, notices, registry, second_persons
from backoffice.home.models import Notice
from backoffice.journal import decisions, sending
from backoffice.journal import services as journal
from backoffice.journal.models import CLAIM_LASTS, Answer, Approval, Evidence, Rejection, State, Submission
from backoffice.people.models import Role, User
from backoffice.people.policies.document import FIRST
from tests import papers
from tests.backoffice.test_policies import payment, put_in_force
from tests.journal_rows import make_submission

pytestmark = pytest.mark.django_db


@pytest.fixture
def second() -> User:
    return User.objects.create_user(email="second@alderrow.example", name="Second Principal", role=Role.PRINCIPAL)


def visit(person: User) -> Browser:
    browser = Browser()
    browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
    return browser


def state_of(submission: Submission) -> str:
    return str(Submission.objects.get(pk=submission.pk).state)


class TestDecisions:
    def test_a_rejection_and_a_return_keep_who_why_and_of_which_payload(
        self, master: Any, operations: User, principal: User
    ) -> None:
        submission = make_submission(master, operations, facts=payment())

        journal.refuse(submission, by=principal, reason="Wrong account", answer=Answer.RETURNED)

        kept = Rejection.objects.get()
        assert (kept.person, kept.answer, kept.reason) == (principal, "returned", "Wrong account")
        assert kept.payload_sha256 == submission.payload_sha256
        assert state_of(submission) == State.VOID
        assert Entry.objects.filter(action="journal.return").count() == 1

    def test_a_no_without_a_reason_is_refused(self, master: Any, operations: User, principal: User) -> None:
        submission = make_submission(master, operations, facts=payment())

        with pytest.raises(InvalidInput, match="needs to know why"):
            journal.refuse(submission, by=principal, reason=" ")

        assert state_of(submission) == State.PROPOSED

    def test_one_person_looks_at_it_at_a_time_and_may_leave_it(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        submission = make_submission(master, operations, facts=payment())
        journal.take_on(submission, by=principal, is_mine=True)

        with pytest.raises(Conflict, match="is looking at this already"):
            journal.take_on(submission, by=second, is_mine=True)
        journal.take_on(submission, by=principal, is_mine=False)

        assert journal.take_on(submission, by=second, is_mine=True).claimed_by == second

    def test_a_claim_lapses_so_that_nobodys_absence_holds_it_up(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        submission = make_submission(master, operations, facts=payment())
        with time_machine.travel(clock.now(), tick=False) as time:
            journal.take_on(submission, by=principal, is_mine=True)
            url = reverse("journal:approval_list")
            page = reverse("journal:approval_detail", args=[submission.pk])

            time.shift(CLAIM_LASTS - timedelta(seconds=1))
            held = [len(visit(second).get(url, {"claimed": who}).context["rows"]) for who in ("nobody", "others")]
            with pytest.raises(Conflict, match=r"is looking at this already, until \d\d:\d\d UTC at most"):
                journal.take_on(submission, by=second, is_mine=True)
            said = visit(second).get(page).content.decode()
            own = visit(principal).get(page).content.decode()
            time.shift(1)
            free = [len(visit(second).get(url, {"claimed": who}).context["rows"]) for who in ("nobody", "others")]
            listed = visit(second).get(url).content.decode()

            assert (held, free) == ([0, 1], [1, 0])
            assert f"{principal.name} is looking at it since" in said
            assert "Yours until" in own
            assert "I am looking at it" in visit(second).get(page).content.decode()
            assert "looks at it" not in listed
            assert journal.take_on(submission, by=second, is_mine=True).claimed_by == second

    @pytest.mark.parametrize("who", ["approver", "maker"])
    @pytest.mark.row(id="Z03")
    def test_who_lost_the_role_before_it_was_sent_stops_it(
        self, master: Any, operations: User, principal: User, who: str
    ) -> None:
        submission = make_submission(master, operations, facts=payment())
        journal.approve(submission, by=principal, payload_sha256=submission.payload_sha256)
        person = principal if who == "approver" else operations
        User.objects.filter(pk=person.pk).update(role=Role.VIEWER)

        assert sending.claim(str(submission.pk)) is None

        assert state_of(submission) == State.VOID
        assert submission.attempts.count() == 0


class TestDatabase:
    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_make_a_submission_ready_without_its_approvals(self, master: Any, operations: User) -> None:
        submission = make_submission(master, operations, facts=payment())

        with (
            pytest.raises(IntegrityError, match="lacks an approval"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("UPDATE journal_submission SET state = 'ready' WHERE id = %s", [submission.pk])

    @pytest.mark.parametrize("role", ["viewer", "operations", "administrator"])
    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_approve_as_somebody_who_is_no_principal(
        self, master: Any, operations: User, role: str
    ) -> None:
        submission = make_submission(master, operations, facts=payment())
        other = User.objects.create_user(email="other@alderrow.example", name="Other", role=role)

        with pytest.raises(IntegrityError, match="may not approve"), transaction.atomic():
            Approval.objects.create(
                submission=submission, approver=other, payload_sha256=submission.payload_sha256, at=clock.now()
            )

    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_reject_ones_own_or_another_payload(
        self, master: Any, principal: User, second: User
    ) -> None:
        submission = make_submission(master, principal, facts=payment())
        columns = {"submission": submission, "answer": "rejected", "reason": "x", "at": clock.now()}

        with pytest.raises(IntegrityError, match="their own"), transaction.atomic():
            Rejection.objects.create(person=principal, payload_sha256=submission.payload_sha256, **columns)
        with pytest.raises(IntegrityError, match="another payload"), transaction.atomic():
            Rejection.objects.create(person=second, payload_sha256="0" * 64, **columns)

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("payload_sha256", "0" * 64),
            ("approver_roles", '["viewer"]'),
            ("approvals_needed", 0),
            ("policy_hits", "[]"),
        ],
    )
    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_change_what_was_ruled(self, master: Any, operations: User, column: str, value: Any) -> None:
        submission = make_submission(master, operations, facts=payment(flags=("twin",)))

        with pytest.raises(IntegrityError, match="frozen"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE journal_submission SET {column} = %s WHERE id = %s", [value, submission.pk])


class TestTogether:
    @pytest.fixture(autouse=True)
    def batches(self, principal: User, second: User) -> None:
        put_in_force(replace(FIRST, batch_below_usd=Decimal(1_000), limits=()), principal, second)

    def test_identical_small_things_are_listed_one_by_one_and_approved_each_by_its_own_row(
        self, master: Any, operations: User, principal: User
    ) -> None:
        rows = [make_submission(master, operations, facts=payment(), summary=f"Withdrawal {n}") for n in (1, 2)]
        browser, url = visit(principal), reverse("journal:approval_batch")

        listed = browser.post(url, {"chosen": [str(row.pk) for row in rows]}).content.decode()
        assert Approval.objects.count() == 0
        done = browser.post(url, {"shown": [f"{row.pk}:{row.payload_sha256}" for row in rows]})

        assert "Withdrawal 1" in listed
        assert "Withdrawal 2" in listed
        assert done.status_code == 200
        assert Approval.objects.count() == 2
        assert {state_of(row) for row in rows} == {State.READY}

    def test_one_that_fails_is_named_and_the_others_stand(self, master: Any, operations: User, principal: User) -> None:
        good, bad = (make_submission(master, operations, facts=payment()) for _ in range(2))

        results = decisions.approve_together([(good, good.payload_sha256), (bad, "0" * 64)], by=principal)

        assert [bool(each.error) for each in results] == [False, True]
        assert (state_of(good), state_of(bad)) == (State.READY, State.PROPOSED)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"flags": ("twin",)}, "risk flag"),
            ({"amount_usd": Decimal(1_000)}, "below USD 1,000"),
            ({"amount_usd": None}, "below"),
            ({"kind": "deposit"}, "not of one kind"),
            ({"destination_since": clock.now() - timedelta(days=3)}, "new or changed bank details"),
        ],
    )
    def test_what_is_flagged_large_or_of_unknown_worth_is_approved_by_itself(
        self, master: Any, operations: User, principal: User, changes: Any, says: str
    ) -> None:
        rows = [make_submission(master, operations, facts=facts) for facts in (payment(), payment(**changes))]

        with pytest.raises(Conflict, match=says):
            decisions.approve_together([(row, row.payload_sha256) for row in rows], by=principal)

        assert Approval.objects.count() == 0

    def test_a_key_written_in_another_way_is_the_same_key(self, master: Any, operations: User, principal: User) -> None:
        rows = [make_submission(master, operations, facts=payment(), summary=f"Withdrawal {n}") for n in (1, 2)]
        shown = [f"{str(row.pk).upper()}:{row.payload_sha256}" for row in rows]

        answer = visit(principal).post(reverse("journal:approval_batch"), {"shown": shown})

        assert answer.status_code == 200
        assert {state_of(row) for row in rows} == {State.READY}

    def test_what_somebody_decided_meanwhile_is_named_and_the_others_are_approved(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        rows = [make_submission(master, operations, facts=payment(), summary=f"Withdrawal {n}") for n in (1, 2, 3)]
        journal.refuse(rows[0], by=second, reason="Not today")

        answer = visit(principal).post(
            reverse("journal:approval_batch"), {"shown": [f"{row.pk}:{row.payload_sha256}" for row in rows]}
        )

        page = " ".join(answer.content.decode().split())
        assert answer.status_code == 422
        assert "This is no longer waiting for approval; it is now: withdrawn." in page
        assert [state_of(row) for row in rows] == [State.VOID, State.READY, State.READY]

    def test_what_needs_two_people_is_looked_at_by_itself(self, master: Any, operations: User, principal: User) -> None:
        rows = [make_submission(master, operations, facts=payment(), approvals_needed=2) for _ in range(2)]

        assert "needs 2 people" in decisions.why_not_together(rows)


class TestToday:
    def test_every_kind_stands_there_with_who_looks_at_it_and_until_when(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        order = make_submission(
            master, operations, facts=payment("900", kind="order", flags=("twin",)), approvals_needed=1
        )
        journal.take_on(order, by=second, is_mine=True)

        (item,) = second_persons.inbox(principal)

        assert (item.kind, item.group, item.tone) == (f"journal.approval:{order.pk}", "approval", "wait")
        assert (item.owner, item.due) == (second, order.created_at + timedelta(hours=4))
        assert "Looks like another one made within 10 min. Made by" in item.detail
        assert list(second_persons.inbox(operations)) == []

    def test_what_one_has_approved_waits_for_the_others_only(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        row = make_submission(master, operations, facts=payment(), approvals_needed=2, summary="The large one")
        journal.approve(row, by=principal, payload_sha256=row.payload_sha256)
        browser, url = visit(principal), reverse("journal:approval_list")

        assert list(second_persons.inbox(principal)) == []
        assert len(list(second_persons.inbox(second))) == 1
        assert "The large one" not in browser.get(url).content.decode()
        page = browser.get(url, {"view": "agreed"}).content.decode()
        assert "The large one" in page
        assert "1 of 2" in page

    def test_past_its_time_it_is_told_again_and_handed_on_when_nobody_looks(
        self, master: Any, operations: User, principal: User, time_machine: Any
    ) -> None:
        make_submission(master, operations, facts=payment())
        with registry.inbox.holding(second_persons.inbox):
            notices.note(principal)
            notices.mark_all_read(principal)
            time_machine.move_to(clock.now() + timedelta(hours=4, minutes=1))
            notices.note(principal)

        notice = Notice.objects.get()
        assert (notice.tone, notice.read_at) == ("bad", None)
        notice_mail.deliver()
        assert Notice.objects.get().escalated_at is not None


class TestPages:
    def test_filters_show_what_fits(self, master: Any, operations: User, principal: User, time_machine: Any) -> None:
        make_submission(master, operations, facts=payment("500", flags=("twin",)), summary="The small one")
        time_machine.move_to(clock.now() + timedelta(hours=5))
        make_submission(master, operations, facts=payment("200000"), summary="The large one")
        browser, url = visit(principal), reverse("journal:approval_list")

        def shown(**asked: str) -> tuple[bool, bool]:
            page = browser.get(url, asked).content.decode()
            return "The small one" in page, "The large one" in page

        assert shown() == (True, True)
        assert shown(amount="large") == (False, True)
        assert shown(flag="twin") == (True, False)
        assert shown(age="late") == (True, False)
        assert shown(kind="order") == (False, False)
        assert shown(maker=str(operations.pk)) == (True, True)
        assert shown(claimed="me") == (False, False)

    @pytest.mark.row(id="Z03")
    def test_own_and_changed_items_are_refused_audited_and_change_nothing(
        self, master: Any, principal: User, second: User
    ) -> None:
        submission = make_submission(master, principal, facts=payment())
        url = reverse("journal:approval_decide", args=[submission.pk])

        own = visit(principal).post(url, {"decision": "approve", "payload_sha256": submission.payload_sha256})
        forged = visit(second).post(url, {"decision": "approve", "payload_sha256": "0" * 64})

        assert "another person must approve" in own.content.decode()
        assert "compare the seal" in forged.content.decode()
        assert (own.status_code, forged.status_code) == (422, 422)
        assert state_of(submission) == State.PROPOSED
        assert Entry.objects.filter(action="journal.refused").count() == 2

    def test_a_reason_that_was_typed_survives_a_refusal(self, master: Any, operations: User, principal: User) -> None:
        submission = make_submission(master, operations, facts=payment())
        typed = {"decision": "approve", "payload_sha256": "0" * 64, "reason": "Wrong bank"}

        answer = visit(principal).post(reverse("journal:approval_decide", args=[submission.pk]), typed)

        assert "Wrong bank</textarea>" in answer.content.decode()

    def test_papers_end_at_twenty_and_the_page_says_so(self, master: Any, operations: User) -> None:
        submission = make_submission(master, operations, facts=payment())
        one = decisions.add_evidence(submission, name="call-back.pdf", content=papers.pdf(), by=operations)
        Evidence.objects.bulk_create(
            Evidence(submission=submission, file_name=f"{n}.pdf", content_type="application/pdf", size=1, sha256=f"{n:064}",
                     content="", added_by=operations, added_at=clock.now()) for n in range(19)
        )  # fmt: skip
        browser, url = visit(operations), reverse("journal:evidence_add", args=[submission.pk])

        answer = browser.post(url, {"file": SimpleUploadedFile("another.pdf", papers.pdf(2))})

        assert answer.status_code == 422
        assert "20 papers are kept beside this, and no more can be." in answer.content.decode()
        assert (
            f'action="{url}"'
            not in browser.get(reverse("journal:approval_detail", args=[submission.pk])).content.decode()
        )
        assert submission.evidence.count() == 20
        assert decisions.add_evidence(submission, name="again.pdf", content=papers.pdf(), by=operations) == one

    def test_a_paper_is_checked_kept_encrypted_and_handed_out_as_an_attachment(
        self, master: Any, operations: User
    ) -> None:
        submission = make_submission(master, operations, facts=payment())
        browser = visit(operations)
        url = reverse("journal:evidence_add", args=[submission.pk])

        bad = browser.post(url, {"file": SimpleUploadedFile("x.svg", b"<svg onload='alert(1)'/>")})

        assert bad.status_code == 422
        assert submission.evidence.count() == 0
        with pytest.raises(NotPermitted):
            decisions.add_evidence(submission, name="x", content=b"", by=User(role=Role.VIEWER))
