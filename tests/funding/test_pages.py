"""The funding pages: who sees what, what a form keeps, what a second person is shown, and how much a list asks."""

import csv
import io
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from backoffice.core import exports
from backoffice.core.money import Money
from backoffice.home import second_persons
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import Inquiry, State, Submission
from funding import services
from funding.contributions import inbox, search
from funding.models import CashTransfer, Status
from tests.funding.conftest import make_account, make_bank

Ask = Callable[..., CashTransfer]


@pytest.fixture
def sign_in() -> Callable[[Any], Browser]:
    def make(user: Any) -> Browser:
        browser = Browser()
        browser.force_login(user, backend="backoffice.people.backends.EmailBackend")
        return browser

    return make


def form_of(from_: Any, to: Any, **changes: Any) -> dict[str, Any]:
    typed = {
        "intent": str(uuid.uuid4()), "account": str(from_.pk), "bank": str(to.pk), "amount": "1,250.00",
        "currency": "USD", "note": "Asked for by phone",
    }  # fmt: skip
    return {**typed, **changes}


# ---- who may open what

WHO = ("advisor", "other_advisor", "operations", "principal", "viewer", "administrator")
# 404: not in this person's books; 403: not in this person's role.
OF_ONE = (200, 404, 200, 200, 404, 403)
OF_ALL = (200, 200, 200, 200, 200, 403)
TO_ASK = (200, 200, 200, 200, 403, 403)
TO_ASK_OF_ONE = (302, 404, 302, 302, 403, 403)


@pytest.mark.parametrize(
    ("url_name", "expected"),
    [
        ("funding:transfer_detail", OF_ONE),
        ("funding:transfer_live", OF_ONE),
        ("funding:list", OF_ALL),
        ("funding:export", OF_ALL),
        ("funding:banks", OF_ALL),
        ("funding:withdraw", TO_ASK),
        ("funding:deposit", TO_ASK),
        ("funding:client_panel", OF_ONE),
        ("funding:client_withdraw", TO_ASK_OF_ONE),
        ("funding:client_deposit", TO_ASK_OF_ONE),
        ("journal:approval_list", (403, 403, 200, 200, 403, 403)),
        ("journal:submission_detail", OF_ONE),
    ],
)
def test_each_page_opens_for_whom_it_should_and_is_not_found_by_others(
    withdraw: Ask, sign_in: Any, request: pytest.FixtureRequest, url_name: str, expected: tuple[int, ...]
) -> None:
    transfer = withdraw()
    submission = journal.current_for(transfer)
    assert submission is not None
    key = {
        "funding:transfer_detail": transfer.pk, "funding:transfer_live": transfer.pk, "journal:submission_detail": submission.pk,
        "funding:client_panel": transfer.account.client_id, "funding:client_withdraw": transfer.account.client_id,
        "funding:client_deposit": transfer.account.client_id,
    }.get(url_name)  # fmt: skip
    url = reverse(url_name, args=[key] if key else [])

    found = tuple(sign_in(request.getfixturevalue(who)).get(url).status_code for who in WHO)

    assert found == expected
    assert Browser().get(url).status_code == 302


@pytest.mark.parametrize("url_name", ["approve", "decline", "take_back"])
def test_a_decision_on_a_foreign_or_own_transfer_changes_nothing(
    withdraw: Ask, sign_in: Any, url_name: str, other_advisor: Any, viewer: Any, administrator: Any, operations: Any
) -> None:
    transfer = withdraw()
    url = reverse(f"funding:{url_name}", args=[transfer.pk])
    typed = {"typed": "1250.00", "decline-reason": "x", "back-reason": "x"}
    codes = {sign_in(person).post(url, typed).status_code for person in (other_advisor, viewer, administrator)}

    assert codes <= {403, 404}
    if url_name != "take_back":  # they may decide on some, and the policy gives them none of these
        assert sign_in(operations).post(url, typed).status_code == 422
    transfer.refresh_from_db()
    assert transfer.status == Status.REQUESTED
    assert Submission.objects.get().state == State.PROPOSED


def test_lists_and_exports_show_nothing_of_other_books(withdraw: Ask, sign_in: Any, other_advisor: Any) -> None:
    transfer = withdraw()
    browser = sign_in(other_advisor)

    for url in (reverse("funding:list"), reverse("funding:export"), reverse("funding:banks")):
        body = browser.get(url).content.decode()
        assert transfer.reference not in body
        assert "Holloway" not in body


# ---- the form


def test_a_withdrawal_is_asked_for_on_the_form_and_waits(sign_in: Any, advisor: Any, account: Any, bank: Any) -> None:
    answer = sign_in(advisor).post(reverse("funding:withdraw"), form_of(account, bank), headers={"HX-Request": "true"})

    transfer = CashTransfer.objects.get()
    assert answer.headers["HX-Redirect"] == transfer.get_absolute_url()
    assert (transfer.amount, transfer.requested_by) == (Decimal("1250.00"), advisor)


def test_pressing_the_button_twice_leads_to_the_same_withdrawal(
    sign_in: Any, advisor: Any, account: Any, bank: Any
) -> None:
    browser, typed = sign_in(advisor), form_of(account, bank)

    first, second = (browser.post(reverse("funding:withdraw"), typed).headers["Location"] for _ in range(2))

    assert first == second
    assert CashTransfer.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": "10.505"}, "steps of 0.01"),
        ({"amount": "ten"}, "not an amount"),
        ({"amount": "NaN"}, "not an amount"),
        ({"amount": "1e400"}, "not an amount"),
        ({"amount": "-1"}, "more than zero"),
        ({"amount": "250,000.00"}, "IBKR&#x27;s portal"),
        ({"note": ""}, "Say why"),
        ({"bank": str(uuid.uuid4())}, "Choose a bank of this account"),
    ],
)
def test_a_refused_form_names_the_rule_and_keeps_what_was_typed(
    sign_in: Any, advisor: Any, account: Any, bank: Any, changes: dict[str, str], says: str
) -> None:
    typed = form_of(account, bank, **changes)

    answer = sign_in(advisor).post(reverse("funding:withdraw"), typed)

    body = answer.content.decode()
    assert answer.status_code == 422
    assert says in body
    assert f'value="{typed["intent"]}"' in body
    assert f'value="{typed["amount"]}"' in body
    assert not CashTransfer.objects.exists()


def test_a_twin_is_shown_and_asks_for_its_reason(
    withdraw: Ask, sign_in: Any, advisor: Any, account: Any, bank: Any
) -> None:
    first = withdraw()
    browser = sign_in(advisor)

    asked = browser.post(reverse("funding:withdraw"), form_of(account, bank))
    given = browser.post(reverse("funding:withdraw"), form_of(account, bank, duplicate_reason="Two invoices"))

    assert asked.status_code == 422
    assert first.reference in asked.content.decode()
    assert 'name="duplicate_reason"' in asked.content.decode()
    assert given.status_code == 302


def test_another_account_redraws_the_form_with_its_banks_and_what_was_typed(
    sign_in: Any, advisor: Any, account: Any, bank: Any, master: Any, book: Any
) -> None:
    other = make_account("U1000012", master, book)
    make_bank(other, name="Second bank")

    typed = form_of(other, bank, redraw="1", note="Keep me")
    answer = sign_in(advisor).post(reverse("funding:withdraw"), typed, headers={"HX-Request": "true"})

    body = answer.content.decode()
    assert answer.status_code == 200
    assert "Second bank" in body
    assert "Main bank" not in body
    assert "Keep me" in body
    assert typed["intent"] in body


def test_an_account_of_another_book_cannot_be_chosen(sign_in: Any, other_advisor: Any, account: Any, bank: Any) -> None:
    answer = sign_in(other_advisor).post(reverse("funding:withdraw"), form_of(account, bank))

    assert answer.status_code == 422
    assert "Main bank" not in answer.content.decode()
    assert not CashTransfer.objects.exists()


def test_withdrawable_cash_is_asked_by_a_worker_and_shown_only_to_who_asked(
    sign_in: Any, advisor: Any, operations: Any, account: Any
) -> None:
    browser = sign_in(advisor)
    asked = browser.post(reverse("funding:ask_withdrawable"), {"account": account.number, "currency": "USD"})
    inquiry = Inquiry.objects.get()
    url = reverse("funding:withdrawable", args=[inquiry.pk])

    waiting = browser.get(url)
    inquiry.answer_text = '{"amount": "48250.40", "currency": "USD", "as_of": "2026-11-23T15:00:00+00:00"}'
    inquiry.state = "answered"
    inquiry.save()
    answered = browser.get(url)

    assert url in asked.content.decode()
    assert waiting.status_code == 204
    assert "48,250.40" in answered.content.decode()
    assert sign_in(operations).get(url).status_code == 404


def test_what_was_asked_of_a_book_that_is_lost_since_is_not_shown(
    sign_in: Any, advisor: Any, account: Any, bank: Any
) -> None:
    browser = sign_in(advisor)
    browser.post(reverse("funding:ask_withdrawable"), {"account": account.number, "currency": "USD"})
    inquiry = Inquiry.objects.get()
    inquiry.answer_text = '{"amount": "48250.40", "currency": "USD", "as_of": "2026-11-23T15:00:00+00:00"}'
    inquiry.state = "answered"
    inquiry.save()
    advisor.books.clear()

    answer = browser.get(reverse("funding:withdrawable", args=[inquiry.pk]))

    assert answer.status_code == 404
    assert "48,250.40" not in answer.content.decode()


def test_what_ibkr_said_can_leave_stops_a_larger_amount(sign_in: Any, advisor: Any, account: Any, bank: Any) -> None:
    browser = sign_in(advisor)
    browser.post(reverse("funding:ask_withdrawable"), {"account": account.number, "currency": "USD"})
    inquiry = Inquiry.objects.get()
    inquiry.answer_text = '{"amount": "100.00", "currency": "USD", "as_of": "2026-11-23T15:00:00+00:00"}'
    inquiry.save()

    answer = browser.post(reverse("funding:withdraw"), form_of(account, bank, inquiry=str(inquiry.pk)))

    assert answer.status_code == 422
    assert "Only USD 100.00 can leave" in answer.content.decode()


def test_another_question_to_ibkr_named_in_the_form_says_nothing_about_the_cash(
    advisor: Any, account: Any, bank: Any, sign_in: Any
) -> None:
    portal = inquiries.ask("clients.answer_portal_link", {"account": str(account.pk)}, by=advisor)
    portal.answer_text, portal.state = '{"url": "https://example.com"}', "answered"
    portal.save()

    answer = sign_in(advisor).post(reverse("funding:withdraw"), form_of(account, bank, inquiry=str(portal.pk)))

    assert answer.status_code == 302
    assert CashTransfer.objects.get().withdrawable is None


def test_a_deposit_notice_is_sent_without_a_second_person(sign_in: Any, advisor: Any, account: Any) -> None:
    typed = {"intent": str(uuid.uuid4()), "account": str(account.pk), "amount": "5000", "currency": "USD"}

    sign_in(advisor).post(reverse("funding:deposit"), typed)

    assert Submission.objects.get().state == State.READY


# ---- the decision


def decide(browser: Browser, transfer: CashTransfer, **changes: str) -> Any:
    submission = journal.current_for(transfer)
    assert submission is not None
    typed = {"typed": "1,250.00", "payload_sha256": submission.payload_sha256, "reason": "Called back"}
    return browser.post(reverse("funding:approve", args=[transfer.pk]), {**typed, **changes})


def test_a_principal_approves_by_typing_the_amount(withdraw: Ask, sign_in: Any, principal: Any) -> None:
    answer = decide(sign_in(principal), withdraw())

    assert answer.status_code == 302
    assert Submission.objects.get().state == State.READY
    assert Submission.objects.get().approvals.get().approver == principal


@pytest.mark.parametrize(
    ("changes", "says"), [({"typed": "1520"}, "not the amount"), ({"payload_sha256": "0" * 64}, "seal")]
)
def test_another_amount_or_another_payload_is_not_approved(
    withdraw: Ask, sign_in: Any, principal: Any, changes: dict[str, str], says: str
) -> None:
    answer = decide(sign_in(principal), withdraw(), **changes)

    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert Submission.objects.get().state == State.PROPOSED


def test_the_maker_is_told_why_they_cannot_approve(withdraw: Ask, sign_in: Any, principal: Any) -> None:
    transfer = withdraw(by=principal)
    browser = sign_in(principal)

    page = browser.get(transfer.get_absolute_url()).content.decode()
    answer = decide(browser, transfer)

    assert "You made it, so another person must approve it." in page
    assert "approve-dialog" not in page
    assert answer.status_code == 422
    assert Submission.objects.get().state == State.PROPOSED


def test_two_people_see_the_same_seal(withdraw: Ask, sign_in: Any, advisor: Any, principal: Any) -> None:
    transfer = withdraw()
    submission = journal.current_for(transfer)
    assert submission is not None
    digits = f"{submission.payload_sha256[:4]} {submission.payload_sha256[4:8]}"

    assert all(
        digits in sign_in(each).get(transfer.get_absolute_url()).content.decode() for each in (advisor, principal)
    )


def test_a_no_is_kept_with_its_reason_and_nothing_is_sent(withdraw: Ask, sign_in: Any, principal: Any) -> None:
    transfer = withdraw()

    sign_in(principal).post(
        reverse("funding:decline", args=[transfer.pk]), {"decline-reason": "The client did not ask"}
    )

    page = sign_in(principal).get(transfer.get_absolute_url()).content.decode()
    assert "The client did not ask" in page
    assert Submission.objects.get().state == State.VOID


def test_an_unknown_outcome_is_explained_and_offers_no_second_sending(
    withdraw: Ask, sign_in: Any, advisor: Any
) -> None:
    from backoffice.core import clock

    transfer = withdraw()
    Submission.objects.update(
        state=State.UNKNOWN, unknown_since=clock.now(), next_look_at=clock.now(), reason="The line broke."
    )

    page = sign_in(advisor).get(transfer.get_absolute_url()).content.decode()

    assert "We do not know yet whether IBKR has this withdrawal" in page
    assert "Why there is no" in page
    assert "Send again</button>" not in page
    assert 'name="back-reason"' not in page


def test_the_live_part_is_silent_until_something_changes(
    withdraw: Ask, sign_in: Any, advisor: Any, principal: Any
) -> None:
    transfer = withdraw()
    browser = sign_in(advisor)
    mark = browser.get(transfer.get_absolute_url()).context["mark"]
    url = f"{reverse('funding:transfer_live', args=[transfer.pk])}?mark={mark}"

    assert browser.get(url).status_code == 204
    services.decline(transfer, by=principal, reason="No")
    changed = browser.get(url)

    assert changed.status_code == 200
    assert "hx-trigger" not in changed.content.decode()


def test_words_of_ibkr_and_of_people_are_shown_inert(withdraw: Ask, sign_in: Any, advisor: Any) -> None:
    transfer = withdraw(note="<script>alert(1)</script>")
    services.mark_rejected(transfer, reason="<img src=x onerror=alert(2)> refused")

    page = sign_in(advisor).get(transfer.get_absolute_url()).content.decode()

    assert "<script>alert" not in page
    assert "<img src=x" not in page


# ---- lists, inbox, search, export


def many(withdraw: Ask, number: int) -> None:
    for place in range(number):
        withdraw(money=Money(Decimal(100 + place), "USD"))


@pytest.mark.parametrize("url_name", ["funding:list", "journal:approval_list", "funding:export"])
def test_a_list_asks_as_often_for_thirty_rows_as_for_two(
    withdraw: Ask, sign_in: Any, principal: Any, url_name: str, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser, url = sign_in(principal), reverse(url_name)
    many(withdraw, 2)
    browser.get(url)
    with CaptureQueriesContext(
        connection,
    ) as few:
        browser.get(url)
    for place in range(28):
        withdraw(money=Money(Decimal(500 + place), "USD"))
    with django_assert_max_num_queries(len(few)):
        browser.get(url)


def test_pages_go_by_key_and_each_transfer_is_on_exactly_one(withdraw: Ask, sign_in: Any, advisor: Any) -> None:
    many(withdraw, 30)
    browser = sign_in(advisor)

    first = browser.get(reverse("funding:list"))
    second = browser.get(f"{reverse('funding:list')}{first.context['page'].older_url}")
    back = browser.get(f"{reverse('funding:list')}{second.context['page'].newer_url}")

    shown = [[row.transfer.pk for row in answer.context["rows"]] for answer in (first, second, back)]
    assert (len(shown[0]), len(shown[1])) == (25, 5)
    assert len({*shown[0], *shown[1]}) == 30
    assert shown[2] == shown[0]
    assert browser.get(f"{reverse('funding:list')}?before=nonsense").status_code == 200


def test_the_inbox_asks_only_those_who_may_and_did_not_make_it(
    withdraw: Ask, advisor: Any, operations: Any, principal: Any, second_principal: Any
) -> None:
    withdraw(by=principal)

    people = (advisor, operations, principal, second_principal)
    asked = [[item.kind.split(":")[0] for item in second_persons.inbox(person)] for person in people]

    assert asked == [[], [], [], ["journal.approval"]]


def test_the_inbox_shows_doubts_and_refusals(withdraw: Ask, advisor: Any) -> None:
    doubt, refused = withdraw(), withdraw(duplicate_reason="again")
    Submission.objects.filter(subject_id=str(doubt.pk)).update(state=State.UNKNOWN)
    services.mark_rejected(refused, reason="Not enough cash")

    items = {item.kind.split(":")[0]: item for item in inbox(advisor)}

    assert set(items) == {"funding.doubt", "funding.refused"}
    assert items["funding.doubt"].tone == "unknown"
    assert items["funding.refused"].ibkr_words == "Not enough cash"


def test_a_transfer_is_found_by_its_number_by_those_who_may_see_it(
    withdraw: Ask, advisor: Any, other_advisor: Any
) -> None:
    transfer = withdraw()

    assert [hit.url for hit in search(advisor, transfer.reference)] == [transfer.get_absolute_url()]
    assert list(search(other_advisor, transfer.reference)) == []


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1", "=cmd|' /C calc'!A0"]
)
@pytest.mark.row(id="Z07")
def test_no_cell_of_an_export_starts_a_formula(text: str) -> None:
    assert exports.safe(text).startswith("'")


def test_an_export_keeps_figures_and_is_written_down(withdraw: Ask, sign_in: Any, advisor: Any, account: Any) -> None:
    from backoffice.audit.models import Entry

    account.client.first_name = "=HYPERLINK(1)"
    account.client.save()
    withdraw()

    answer = sign_in(advisor).get(reverse("funding:export"))

    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[1][3].startswith("'=HYPERLINK")
    assert rows[1][4] == "1250.00"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert Entry.objects.filter(action="funding.export", actor=advisor).count() == 1
