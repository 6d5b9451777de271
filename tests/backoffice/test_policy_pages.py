"""The pages of the policies: a form, a trial on the last 30 days, a comparison, and a second principal."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.journal import dry_run
from backoffice.journal.policy_forms import PolicyForm
from backoffice.people.models import PolicyStatus, PolicyVersion, Role, User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import FIRST, Limit
from tests.backoffice.test_policies import changed, payment, propose
from tests.journal_rows import make_submission

pytestmark = pytest.mark.django_db


def visit(person: User) -> Browser:
    browser = Browser()
    browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
    return browser


def typed(**changes: Any) -> dict[str, str]:
    """The form as the page shows it, with changes."""
    form, data = PolicyForm(FIRST, 1), {}
    for rows in (form.approvals, form.limits, form.questions):
        data.update(
            {
                f"{rows.prefix}-TOTAL_FORMS": str(len(rows.forms)),
                f"{rows.prefix}-INITIAL_FORMS": str(rows.initial_form_count()),
            }
        )
        for row in rows:
            if row.initial:
                data.update(
                    {row.add_prefix(name): str(value) for name, value in row.initial.items() if value is not None}
                )
    data.update({name: str(value) for name, value in form.rest.initial.items()})
    return {**data, "reason": "Larger clients", **changes}


def test_a_change_is_written_in_a_form_tried_and_proposed(principal: User, operations: User, master: Any) -> None:
    make_submission(master, operations, facts=payment("60000"))
    browser = visit(principal)
    two = {"approvals-1-kind": "withdrawal", "approvals-1-above_usd": "50000", "approvals-1-younger_than_days": "0",
           "approvals-1-approvals": "2", "approvals-1-role": "principal"}  # fmt: skip

    tried = browser.post(reverse("policies:edit"), typed(**two, **{"try": "1"}))
    proposed = browser.post(reverse("policies:edit"), typed(**two, propose="1"))

    assert "1 item looked at: 1 would have waited" in " ".join(tried.content.decode().split())
    row = PolicyVersion.objects.get()
    assert proposed["Location"] == reverse("policies:detail", args=[row.number])
    assert policies.version(2).document.approvals[1].approvals == 2  # type: ignore[union-attr]
    assert policies.in_force().number == 1


def test_the_form_as_it_stands_says_what_is_in_force(principal: User) -> None:
    form = PolicyForm(FIRST, 1, typed())

    assert form.is_valid()
    assert form.document() == FIRST


def test_a_trial_counts_what_would_have_been_over_a_limit(principal: User, operations: User, master: Any) -> None:
    for _ in range(3):
        make_submission(master, operations, facts=payment("100"))

    trial = dry_run.trial(changed(limits=(Limit("withdrawal", "account", "day", usd=Decimal(250)),)), by=principal)

    assert trial.looked_at == 3
    assert [len(each.reached) for each in trial.caught] == [1, 0, 0]


def test_a_trial_counts_orders_over_a_lower_cap_and_payments_to_details_that_would_still_rest(
    principal: User, operations: User, master: Any
) -> None:
    yesterday = clock.now() - timedelta(hours=30)
    make_submission(master, principal, facts=payment("300000", kind="order"))
    make_submission(master, operations, facts=payment(destination_since=yesterday))

    trial = dry_run.trial(changed(order_limits_usd={"principal": Decimal(250_000)}, cooling_off_hours=48), by=principal)

    assert [each.reached for each in trial.caught] == [
        ("New bank details rest: 48 h",), ("Largest order of one principal: USD 250,000",),
    ]  # fmt: skip
    assert not [each for each in dry_run.trial(FIRST, by=principal).caught if each.reached]


def test_whoever_writes_a_change_is_told_of_one_that_is_approved_and_to_come(principal: User) -> None:
    second = User.objects.create_user(email="second@alderrow.example", name="Second Principal", role=Role.PRINCIPAL)
    row = propose(principal, effective_at=clock.now() + timedelta(days=7))
    policies.approve(row, by=second, document_sha256=row.document_sha256)

    listed = visit(principal).get(reverse("policies:list")).content.decode()
    form = visit(principal).get(reverse("policies:edit")).content.decode()

    assert "Approved, to come" in listed
    assert "Another change is approved and not in force yet." in form


def test_a_forged_hash_and_the_authors_own_yes_are_refused_audited_and_change_nothing(principal: User) -> None:
    second = User.objects.create_user(email="second@alderrow.example", name="Second Principal", role=Role.PRINCIPAL)
    row = propose(principal)

    own = visit(principal).post(
        reverse("policies:approve", args=[row.number]), {"document_sha256": row.document_sha256}
    )
    forged = visit(second).post(reverse("policies:approve", args=[row.number]), {"document_sha256": "0" * 64})

    assert (own.status_code, forged.status_code) == (422, 422)
    assert "another principal must approve it" in own.content.decode()
    assert "compare the seal" in forged.content.decode()
    assert PolicyVersion.objects.get().status == PolicyStatus.PROPOSED
    assert Entry.objects.filter(action="policies.refused").count() == 2


def test_a_second_principal_sees_the_comparison_and_approves(principal: User) -> None:
    second = User.objects.create_user(email="second@alderrow.example", name="Second Principal", role=Role.PRINCIPAL)
    row = propose(principal)
    browser = visit(second)
    page = browser.get(reverse("policies:detail", args=[row.number]))

    browser.post(reverse("policies:approve", args=[row.number]), {"document_sha256": row.document_sha256})

    assert "− 24 h" in page.content.decode()
    assert "+ 48 h" in page.content.decode()
    assert policies.in_force().number == row.number


def test_a_change_without_a_reason_keeps_what_was_typed(principal: User) -> None:
    answer = visit(principal).post(reverse("policies:edit"), typed(cooling_off_hours="36", reason="", propose="1"))

    assert answer.status_code == 422
    assert 'value="36"' in answer.content.decode()
    assert not PolicyVersion.objects.exists()
