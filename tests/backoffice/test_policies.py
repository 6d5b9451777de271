"""Policies: one typed document per version, two principals for each change, limits counted under a lock."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.journal import sending
from backoffice.journal import services as journal
from backoffice.journal.models import State
from backoffice.journal.selectors import awaiting
from backoffice.people.models import LimitCounter, PolicyApproval, PolicyStatus, PolicyVersion, Role, User
from backoffice.people.policies import document as documents
from backoffice.people.policies import limits
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import APPROVERS, FIRST, ApprovalRule, Document, Facts, Limit, QuestionRule
from backoffice.people.tasks import sweep_counters
from tests.journal_rows import make_submission

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)


@pytest.fixture
def second() -> User:
    return User.objects.create_user(email="second@alderrow.example", name="Second Principal", role=Role.PRINCIPAL)


def changed(**changes: Any) -> Document:
    columns = {name: getattr(FIRST, name) for name in FIRST.__dataclass_fields__}
    return Document(**{**columns, **changes})


def propose(by: User, document: Document | None = None, **changes: Any) -> PolicyVersion:
    arguments: dict[str, Any] = {
        "by": by, "reason": "Larger clients", "effective_at": clock.now(), "based_on": policies.in_force().number,
    }  # fmt: skip
    return policies.propose(document or changed(cooling_off_hours=48), **{**arguments, **changes})


def put_in_force(document: Document, maker: User, second: User) -> None:
    row = propose(maker, document)
    policies.approve(row, by=second, document_sha256=row.document_sha256)


def payment(amount: str = "100", **changes: Any) -> Facts:
    return Facts(
        **{"kind": "withdrawal", "amount_usd": Decimal(amount), "has_amount": True, "accounts": ("U1",), **changes}
    )


class TestDocument:
    def test_a_document_reads_back_as_it_was_written(self) -> None:
        document = changed(questions=(QuestionRule("o163", "auto"),), batch_below_usd=Decimal(5_000))

        assert documents.read(document.as_text()) == document

    def test_the_first_version_says_what_the_product_did_before_there_were_policies(self) -> None:
        assert FIRST.rule_on(payment(), NOON).approvals == 1
        assert FIRST.rule_on(Facts("order", Decimal(400_000)), NOON).approvals == 0
        assert FIRST.order_limits_usd == {"advisor": Decimal(500_000), "principal": Decimal(2_000_000)}
        assert FIRST.answer_to(["o163"]) == "ask"

    @pytest.mark.parametrize(("amount", "needed"), [("50000", 1), ("50000.01", 2), (None, 2)])
    def test_the_strictest_rule_decides_and_an_amount_without_a_rate_counts_as_large(
        self, amount: Any, needed: int
    ) -> None:
        document = changed(approvals=(*FIRST.approvals, ApprovalRule("withdrawal", 2, above_usd=Decimal(50_000))))

        ruling = document.rule_on(payment(amount_usd=Decimal(amount) if amount else None), NOON)

        assert ruling.approvals == needed

    @pytest.mark.parametrize(("days", "needed"), [(6, 2), (7, 1), (None, 1)])
    @pytest.mark.row(id="Z14")
    def test_a_young_destination_needs_more_people(self, days: int | None, needed: int) -> None:
        document = changed(approvals=(*FIRST.approvals, ApprovalRule("withdrawal", 2, younger_than_days=7)))
        since = None if days is None else NOON - timedelta(days=days)

        assert document.rule_on(payment(destination_since=since), NOON).approvals == needed

    def test_several_message_ids_are_confirmed_only_when_each_of_them_may_be(self) -> None:
        document = changed(questions=(QuestionRule("o163", "auto"), QuestionRule("o451", "refuse")))

        assert document.answer_to(["o163"]) == "auto"
        assert document.answer_to(["o163", "o999"]) == "ask"
        assert document.answer_to(["o163", "o451"]) == "refuse"
        assert document.answer_to([]) == "ask"

    @pytest.mark.parametrize(
        "changes",
        [
            {"approvals": ()},
            {"approvals": (ApprovalRule("withdrawal", 1, younger_than_days=7),)},
            {"approvals": (ApprovalRule("withdrawal", 1, above_usd=Decimal(900_000_000_000)),)},
            {"approvals": (ApprovalRule("withdrawal", 1, above_usd=Decimal(100_000)),)},
            {"approvals": (ApprovalRule("withdrawal", 1, younger_than_days=7, above_usd=Decimal(10)),)},
            {"approvals": (ApprovalRule("withdrawal", 0), ApprovalRule("withdrawal", 2, above_usd=Decimal(200_000)))},
            {"approvals": (*FIRST.approvals, ApprovalRule("tea", 1))},
            {"limits": (Limit("order", "firm", "day"),)},
            {"limits": (Limit("order", "firm", "day", 1), Limit("order", "firm", "day", 2))},
            {"questions": (QuestionRule("o163", "auto"), QuestionRule("o163", "ask"))},
            {"approvals": (*FIRST.approvals, ApprovalRule("order", 1, roles=("advisor",)))},
            {"cooling_off_hours": -1},
        ],
    )
    def test_a_document_that_contradicts_itself_or_opens_the_door_is_refused(self, changes: Any) -> None:
        with pytest.raises(InvalidInput):
            documents.check(changed(**changes))

    def test_a_second_person_may_be_needed_from_any_amount_below_the_largest_there_can_be(self) -> None:
        documents.check(changed(approvals=(ApprovalRule("withdrawal", 1, above_usd=Decimal("99999.99")),)))

    def test_a_version_that_was_agreed_before_the_floor_rose_is_still_read(self) -> None:
        document = changed(approvals=(ApprovalRule("withdrawal", 1, above_usd=Decimal(900_000)),))

        assert documents.read(document.as_text()) == document

    def test_a_text_with_a_name_nobody_knows_is_not_a_policy(self) -> None:
        with pytest.raises(InvalidInput, match="This is not a policy"):
            documents.read(FIRST.as_text().replace("cooling_off_hours", "cooling_off"))


class TestChange:
    def test_a_change_takes_effect_on_its_day_once_a_second_principal_has_approved_it(
        self, principal: User, second: User, time_machine: Any
    ) -> None:
        tomorrow = clock.now() + timedelta(days=1)
        row = propose(principal, effective_at=tomorrow)

        policies.approve(row, by=second, document_sha256=row.document_sha256)

        assert policies.in_force().number == 1
        time_machine.move_to(tomorrow + timedelta(seconds=1))
        assert policies.in_force().number == 2
        assert policies.in_force().document.cooling_off_hours == 48
        assert policies.in_force(tomorrow - timedelta(seconds=1)).number == 1

    def test_a_later_decision_is_not_undone_by_an_older_one_whose_day_comes(
        self, principal: User, second: User, time_machine: Any
    ) -> None:
        in_a_week = clock.now() + timedelta(days=7)
        slow = propose(principal, changed(cooling_off_hours=72), effective_at=in_a_week)
        policies.approve(slow, by=second, document_sha256=slow.document_sha256)
        assert [row.number for row in policies.scheduled()] == [2]
        put_in_force(changed(cooling_off_hours=36), principal, second)

        assert policies.scheduled() == []
        time_machine.move_to(in_a_week + timedelta(days=1))

        assert (policies.in_force().number, policies.in_force().document.cooling_off_hours) == (3, 36)

    def test_the_author_of_a_change_cannot_approve_it(self, principal: User) -> None:
        row = propose(principal)

        with pytest.raises(NotPermitted, match="another principal must approve it"):
            policies.approve(row, by=principal, document_sha256=row.document_sha256)

        assert policies.in_force().number == 1

    def test_approving_another_document_than_the_one_shown_is_refused(self, principal: User, second: User) -> None:
        row = propose(principal)

        with pytest.raises(Conflict, match="compare the seal"):
            policies.approve(row, by=second, document_sha256="0" * 64)

    @pytest.mark.parametrize("name", ["operations", "advisor", "viewer", "administrator"])
    def test_only_principals_propose(self, name: str, request: pytest.FixtureRequest) -> None:
        with pytest.raises(NotPermitted):
            propose(request.getfixturevalue(name))

    def test_one_change_waits_at_a_time_and_starts_from_what_is_in_force(self, principal: User, second: User) -> None:
        with pytest.raises(Conflict, match="came into force meanwhile"):
            propose(principal, based_on=7)
        row = propose(principal)
        with pytest.raises(Conflict, match="waits for its second person"):
            propose(principal, changed(cooling_off_hours=72))

        policies.decline(row, by=second, reason="Too long")

        assert row.status == PolicyStatus.PROPOSED  # the caller's copy; the row is decided
        assert PolicyVersion.objects.get(pk=row.pk).status == PolicyStatus.DECLINED
        assert Entry.objects.filter(action="policies.decline").count() == 1


class TestDatabase:
    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_approve_ones_own_policy(self, principal: User) -> None:
        row = propose(principal)

        with pytest.raises(IntegrityError, match="nobody approves their own policy"), transaction.atomic():
            PolicyApproval.objects.create(
                version=row, approver=principal, document_sha256=row.document_sha256, at=clock.now()
            )

    @pytest.mark.row(id="Z03")
    def test_raw_sql_cannot_approve_another_document(self, principal: User, second: User) -> None:
        row = propose(principal)

        with pytest.raises(IntegrityError, match="of another policy"), transaction.atomic():
            PolicyApproval.objects.create(version=row, approver=second, document_sha256="0" * 64, at=clock.now())

    def test_raw_sql_cannot_let_somebody_else_than_a_principal_approve(self, principal: User, operations: User) -> None:
        row = propose(principal)

        with pytest.raises(IntegrityError, match="only a principal"), transaction.atomic():
            PolicyApproval.objects.create(
                version=row, approver=operations, document_sha256=row.document_sha256, at=clock.now()
            )

    @pytest.mark.parametrize(
        ("column", "value", "says"),
        [
            ("status", "approved", "lacks an approval"),
            ("document_text", "{}", "frozen"),
            ("document_sha256", "0" * 64, "frozen"),
            ("effective_at", "2020-01-01T00:00:00Z", "frozen"),
        ],
    )
    def test_raw_sql_cannot_change_a_proposed_policy(self, principal: User, column: str, value: str, says: str) -> None:
        row = propose(principal)

        with pytest.raises(IntegrityError, match=says), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE people_policyversion SET {column} = %s WHERE id = %s", [value, row.pk])

    def test_raw_sql_cannot_write_an_approved_version_or_delete_one(self, principal: User) -> None:
        row = propose(principal)

        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM people_policyversion WHERE id = %s", [row.pk])
        policies.decline(row, by=principal, reason="Again")
        with pytest.raises(IntegrityError, match="begins as a proposal"), transaction.atomic():
            PolicyVersion.objects.create(
                number=9, document_text="{}", document_sha256="0" * 64, based_on=1, reason="x", maker=principal,
                proposed_at=clock.now(), effective_at=clock.now(), status=PolicyStatus.APPROVED,
            )  # fmt: skip


class TestRulings:
    def test_the_policy_in_force_says_how_many_must_approve_and_is_remembered(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        put_in_force(changed(approvals=(ApprovalRule("withdrawal", 2),)), principal, second)

        submission = make_submission(master, operations, facts=payment())

        assert (submission.approvals_needed, submission.policy_number) == (2, 2)
        assert submission.state == State.PROPOSED
        assert submission.policy_hits == ["Withdrawal: 2 × principal"]

    def test_neither_the_policy_nor_whoever_promises_lessens_what_the_other_asks(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        put_in_force(changed(approvals=(ApprovalRule("withdrawal", 2),)), principal, second)

        less, more = (make_submission(master, operations, facts=payment(), approvals_needed=asked) for asked in (1, 3))

        assert (less.approvals_needed, more.approvals_needed) == (2, 3)

    def test_a_rule_may_give_small_things_to_operations_and_the_rest_stays_with_principals(
        self, master: Any, operations: User, advisor: User, principal: User, second: User
    ) -> None:
        rules = (
            ApprovalRule("withdrawal", 1, roles=APPROVERS["operations"]),
            ApprovalRule("withdrawal", 2, above_usd=Decimal(50_000)),
        )
        put_in_force(changed(approvals=rules), principal, second)
        small, large = (make_submission(master, advisor, facts=payment(amount)) for amount in ("100", "60000"))

        journal.approve(small, by=operations, payload_sha256=small.payload_sha256)
        with pytest.raises(NotPermitted, match="approved or refused by: principal"):
            journal.approve(large, by=operations, payload_sha256=large.payload_sha256)

        assert sending.claim(str(small.pk)) is not None
        assert [row.pk for row in awaiting(operations)] == []
        assert [row.pk for row in awaiting(principal)] == [large.pk]
        assert (large.approvals_needed, large.approver_roles) == (2, ["principal"])

    def test_a_count_limit_refuses_the_next_one_with_the_rule_and_the_figure(
        self, master: Any, operations: User, principal: User, second: User
    ) -> None:
        put_in_force(changed(limits=(Limit("withdrawal", "account", "day", 2),)), principal, second)
        make_submission(master, operations, facts=payment())
        make_submission(master, operations, facts=payment())

        with (
            pytest.raises(Conflict, match="U1 may have 2 withdrawals each day; this would be number 3"),
            transaction.atomic(),
        ):
            make_submission(master, operations, facts=payment())

        make_submission(master, operations, facts=payment(accounts=("U2",)))

    def test_what_is_counted_is_of_one_kind_in_a_day_of_new_york(self) -> None:
        document = changed(limits=(Limit("order", "firm", "day", 2), Limit("withdrawal", "firm", "day", 2)))
        instants = (datetime(2026, 11, 24, 23, tzinfo=UTC), datetime(2026, 11, 25, 4, 59, tzinfo=UTC),
                    datetime(2026, 11, 25, 5, tzinfo=UTC))  # fmt: skip

        counted = [[window for _, window in limits.windows(document, payment(), at)] for at in instants]

        days = (datetime(2026, 11, 24, 5, tzinfo=UTC),) * 2 + (datetime(2026, 11, 25, 5, tzinfo=UTC),)
        assert counted == [[("withdrawal", "firm", "day", day)] for day in days]

    def test_a_limit_lets_through_all_of_itself_and_is_counted_by_one_at_a_time(self) -> None:
        document = changed(limits=(Limit("withdrawal", "firm", "day", usd=Decimal(250)),))

        with CaptureQueriesContext(connection) as queries:
            limits.take(document, payment("250"), NOON)
        with pytest.raises(Conflict, match="this would be more"):
            limits.take(document, payment("0.01"), NOON)

        assert any("FOR UPDATE" in query["sql"] for query in queries)
        assert LimitCounter.objects.get().usd == 250

    def test_an_amount_limit_adds_up_and_a_new_window_starts_from_nothing(
        self, master: Any, operations: User, principal: User, second: User, time_machine: Any
    ) -> None:
        time_machine.move_to(NOON, tick=False)
        put_in_force(changed(limits=(Limit("withdrawal", "firm", "minute", usd=Decimal(250)),)), principal, second)
        make_submission(master, operations, facts=payment("200"))
        with (
            pytest.raises(Conflict, match="USD 250 of withdrawals each minute; this would be more"),
            transaction.atomic(),
        ):
            make_submission(master, operations, facts=payment())
        with pytest.raises(Conflict, match="cannot be checked without a rate"), transaction.atomic():
            make_submission(master, operations, facts=payment(amount_usd=None))

        time_machine.move_to(NOON + timedelta(minutes=1), tick=False)

        assert make_submission(master, operations, facts=payment()).state == State.PROPOSED


def test_counters_of_windows_long_over_are_swept_and_todays_still_binds() -> None:
    limit = Limit("withdrawal", "account", "day", usd=Decimal(250))
    document = changed(limits=(limit,))
    for days in (40, 34, 0):
        limits.take(document, payment(amount_usd=Decimal(200)), clock.now() - timedelta(days=days))

    for _ in range(2):
        sweep_counters()

    assert LimitCounter.objects.count() == 2
    with pytest.raises(Conflict, match="may have USD 250"):
        limits.take(document, payment(amount_usd=Decimal(200)), clock.now())
