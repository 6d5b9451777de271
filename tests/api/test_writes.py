"""What a program may ask for: made once, nothing that is not the caller's to set, nothing that needs a person."""

import json
import uuid
from typing import Any

import pytest
from django.apps import apps
from django.test import Client as Browser
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.api.making import Strict
from backoffice.audit.models import Entry
from backoffice.journal import services as journal
from backoffice.journal.models import Approval, State, Submission
from funding.api import WithdrawalAsked
from funding.models import CashTransfer
from tests.api.program import Program, names_of
from tests.test_authorisation import MATRIX
from tests.two_books import FOREIGN, OWN, Firm
from trading.api import DraftAsked
from trading.models import Order

pytestmark = pytest.mark.django_db
TRANSFERS, ORDERS = "/api/v1/transfers/", "/api/v1/orders/"


def withdrawal(firm: Firm, place: str = OWN, **changes: Any) -> dict[str, Any]:
    rows = firm.rows[place]
    return {"account": rows["account"].number, "bank": str(rows["bank"].pk), "amount": "310.00", "currency": "USD",
            "note": "By phone at ten"} | changes  # fmt: skip


def ticket(firm: Firm, place: str = OWN, **changes: Any) -> dict[str, Any]:
    return {"account": firm.rows[place]["account"].number, "conid": "265598", "side": "BUY", "quantity": "3",
            "order_type": "LMT", "limit_price": "100.00", "tif": "DAY", "reason": "Asked for"} | changes  # fmt: skip


def test_a_withdrawal_is_asked_for_once_and_waits_for_a_person(firm: Firm, advisors: Program) -> None:
    key = uuid.uuid4()

    first = (advisors.post(TRANSFERS, withdrawal(firm), key), advisors.json)
    again = (advisors.post(TRANSFERS, withdrawal(firm), key), advisors.json)

    assert first == again
    assert (first[0], first[1]["status"], first[1]["amount"]) == (201, "requested", "310")
    made = CashTransfer.objects.get(intent=key)
    submission = journal.current_for(made)
    assert submission is not None
    assert (str(made.pk), submission.state, submission.maker) == (
        first[1]["id"], State.PROPOSED, firm.people["advisor"],
    )  # fmt: skip


def test_a_draft_is_drawn_up_once_and_not_sent(firm: Firm, advisors: Program) -> None:
    key = uuid.uuid4()

    first = (advisors.post(ORDERS, ticket(firm), key), advisors.json)
    again = (advisors.post(ORDERS, ticket(firm), key), advisors.json)

    assert first == again
    assert (first[0], first[1]["status"], first[1]["symbol"]) == (201, "draft", "AAPL")
    assert Order.objects.get(intent=key).submission is None


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (TRANSFERS, lambda firm: (withdrawal(firm), withdrawal(firm, amount="311.00"))),
        (ORDERS, lambda firm: (ticket(firm), ticket(firm, quantity="4"))),
    ],
)
def test_a_key_used_for_something_else_is_refused(url: str, body: Any, firm: Firm, advisors: Program) -> None:
    key, (first, other) = uuid.uuid4(), body(firm)
    assert advisors.post(url, first, key) == 201

    assert advisors.post(url, other, key) == 409

    rows: Any = CashTransfer if url == TRANSFERS else Order
    assert str(getattr(rows.objects.get(intent=key), "amount" if url == TRANSFERS else "quantity")).startswith("3")


@pytest.mark.parametrize("key", [None, "", "not a key"])
def test_without_a_key_nothing_is_made(key: object, firm: Firm, advisors: Program) -> None:
    before = CashTransfer.objects.count()

    assert advisors.post(TRANSFERS, withdrawal(firm), key) == 422
    assert advisors.error["fields"][0]["field"] == "Idempotency-Key"
    assert CashTransfer.objects.count() == before


def test_things_of_another_book_cannot_be_named(firm: Firm, advisors: Program) -> None:
    other = firm.rows[FOREIGN]
    for url, body, field in (
        (TRANSFERS, withdrawal(firm, FOREIGN), "account"),
        (TRANSFERS, withdrawal(firm, bank=str(other["bank"].pk)), "bank"),
        (ORDERS, ticket(firm, FOREIGN), "account"),
    ):
        before = Submission.objects.count()

        assert advisors.post(url, body, uuid.uuid4()) == 422
        assert field in {each["field"] for each in advisors.error["fields"]}
        assert Submission.objects.count() == before


def test_what_a_service_refuses_names_the_field_and_the_fix(firm: Firm, advisors: Program) -> None:
    assert advisors.post(ORDERS, ticket(firm, limit_price="100.001"), uuid.uuid4()) == 422
    assert advisors.error["fields"] == [
        {"field": "limit_price", "rule": "AAPL moves in steps of 0.01.", "fix": "The nearest price is 100."}
    ]


@pytest.mark.row(id="Z02")
@pytest.mark.parametrize(
    ("url", "asked", "model", "body"),
    [
        (TRANSFERS, WithdrawalAsked, "funding.CashTransfer", withdrawal),
        (ORDERS, DraftAsked, "trading.Order", ticket),
    ],
)
def test_no_column_of_a_row_can_be_set_but_those_asked_for(
    url: str, asked: type[Strict], model: str, body: Any, firm: Firm, advisors: Program
) -> None:
    row: Any = apps.get_model(model)
    columns = {field.name for field in row._meta.get_fields()} | {field.attname for field in row._meta.concrete_fields}
    protected = sorted((columns | {"firm", "approved_by", "is_superuser", "role"}) - set(asked().fields))
    before = row.objects.count()

    for name in protected:
        status = advisors.post(url, body(firm) | {name: "1"}, uuid.uuid4())

        assert (status, [each["field"] for each in advisors.error["fields"]]) == (422, [name])
    assert row.objects.count() == before
    assert len(protected) > 15


@pytest.mark.row(id="Z03")
def test_nobody_approves_their_own_through_the_api(firm: Firm) -> None:
    principal = firm.people["principal"]
    made = firm.rows[OWN]
    program = Program(principal, "funding.request")
    assert program.post(TRANSFERS, withdrawal(firm), key := uuid.uuid4()) == 201
    submission = journal.current_for(CashTransfer.objects.get(intent=key))
    assert submission is not None
    browser = Browser()
    browser.force_login(principal, backend="backoffice.people.backends.EmailBackend")

    answer = browser.post(
        reverse("api:approvals-decision", args=[submission.pk]),
        json.dumps({"decision": "approve", "payload_sha256": submission.payload_sha256}),
        content_type="application/json",
    )

    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403, "You made this, so another person must approve or refuse it.",
    )  # fmt: skip
    submission.refresh_from_db()
    assert (submission.state, Approval.objects.filter(submission=submission).count()) == (State.PROPOSED, 0)
    assert Entry.objects.filter(action="journal.refused", actor=principal, subject_id=str(submission.pk)).count() == 1
    assert made["account"].number == "U1000011"


def test_a_session_approves_by_the_seal_and_a_token_never_does(firm: Firm) -> None:
    submission = journal.current_for(firm.rows[OWN]["transfer"])
    assert submission is not None
    principal, url = firm.people["principal"], reverse("api:approvals-decision", args=[submission.pk])
    browser = Browser()
    browser.force_login(principal, backend="backoffice.people.backends.EmailBackend")

    def decide(decision: str, seal: str, reason: str = "") -> tuple[int, Any]:
        body = json.dumps({"decision": decision, "payload_sha256": seal, "reason": reason})
        answer = browser.post(url, body, content_type="application/json")
        return answer.status_code, answer.json()

    assert Program(principal, "clients.view").post(url, {"decision": "approve"}) == 403
    assert decide("approve", "0" * 64)[0] == 409
    assert decide("reject", "0" * 64, "No")[0] == 409
    assert decide("reject", submission.payload_sha256)[0] == 422
    status, shown = decide("approve", submission.payload_sha256)
    assert (status, shown["state"]) == (200, "ready")


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("U1000011")
    | st.sampled_from(["\x00", "9" * 400, "-1", "1e9999", "NaN", "Infinity", "💸", "'; DROP TABLE x --", "../../etc"]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=8), each, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = sorted({*WithdrawalAsked().fields, *DraftAsked().fields})


@pytest.mark.row(id="Z10")
@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(names_of("POST")), body=st.dictionaries(st.sampled_from(FIELDS), ODD) | ODD, key=ODD)
def test_no_body_breaks_a_write_or_leaves_half_of_one(
    name: str, body: Any, key: Any, firm: Firm, any_program: Program
) -> None:
    entry = MATRIX[name]
    url = reverse(name, args=firm.address_of("advisor", entry.of, OWN) if entry.of else ())
    before = (Submission.objects.count(), CashTransfer.objects.count(), Order.objects.count())
    text = json.dumps(body)
    if isinstance(body, dict):
        text = json.dumps({**withdrawal(firm), **body} if "transfers" in name else {**ticket(firm), **body})

    status = any_program.post(url, text, uuid.uuid4() if key else str(key).encode("ascii", "ignore").decode()[:40])

    after = (Submission.objects.count(), CashTransfer.objects.count(), Order.objects.count())
    assert status < 500
    assert "Traceback" not in any_program.text
    made = [now - then for now, then in zip(after, before, strict=True)]
    assert made in ([0, 0, 0], [1, 1, 0], [0, 0, 1]) if status == 201 else made == [0, 0, 0]


@pytest.mark.row(id="Z10")
@pytest.mark.parametrize("text", ["[" * 100_000, '{"account":' * 100_000, "[" * 9_000 + "]" * 9_000])
def test_a_body_nested_without_end_is_the_callers_mistake(text: str, advisors: Program) -> None:
    assert advisors.post("/api/v1/transfers/", text, uuid.uuid4()) == 400
    assert json.loads(advisors.text)["error"]["code"] == "parse_error"


@pytest.mark.row(id="Z10")
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from([each for each in names_of("GET") if not MATRIX[each].of]), asked=st.dictionaries(
    st.sampled_from(["account", "status", "kind", "cursor", "page_size", "symbol", "number", "x"]), st.text(max_size=30)
))  # fmt: skip
def test_no_question_breaks_a_list(name: str, asked: dict[str, str], any_program: Program) -> None:
    answer = any_program.ask(reverse(name), asked)

    assert answer < 500
