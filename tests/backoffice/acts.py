"""One posting that succeeds for each address that takes any: who sends it, with what, and the entry it leaves.

What lets a thing be acted on (a closed account, an order at IBKR) is brought about first, and is undone with the act.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from backoffice.audit.models import Verification
from backoffice.audit.reasons import REVEAL_REASONS
from backoffice.core import clock
from backoffice.journal import services as journal
from backoffice.journal.models import LIFECYCLE, Attempt, State, Submission
from backoffice.journal.policy_forms import PolicyForm
from backoffice.people import services as people
from backoffice.people.models import PolicyVersion, User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import FIRST
from clients.models import Account, Application, ApplicationStatus, Client, MaintenanceRequest
from clients.services import applications, drafts
from tests.api.test_writes import ticket, withdrawal
from tests.conftest import PASSWORD
from tests.papers import pdf
from tests.two_books import CONID, OWN, Firm
from trading.models import Instrument, Order
from trading.services import progress

Given = dict[str, Any]
INTENT = str(uuid.UUID(int=9))


@dataclass(frozen=True)
class Act:
    """A posting that succeeds, by whom, and the entry its service writes in its own words.

    `data` may be worked out from the firm, and may first bring the thing to where the act is possible.
    """

    action: str
    data: Given | Callable[[Firm], Given] = field(default_factory=dict)
    by: str = "advisor"
    is_used_once: bool = True  # the form carries an intent
    is_api: bool = False

    def posted(self, firm: Firm) -> Given:
        given = self.data(firm) if callable(self.data) else self.data
        return {**({"intent": INTENT} if self.is_used_once and not self.is_api else {}), **given}

    def browser(self, firm: Firm) -> Browser:
        """Sign the person in."""
        browser = Browser()
        person = User.objects.get(pk=firm.people[self.by].pk)
        browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
        return browser

    def send(self, browser: Browser, url: str, data: Given) -> Any:
        """Post it as a form, or as a program would; a failure of ours is raised."""
        if not self.is_api:
            return browser.post(url, data)
        return browser.post(url, data, content_type="application/json", headers={"Idempotency-Key": INTENT})


def _transfer(firm: Firm) -> Submission:
    found = journal.current_for(firm.rows[OWN]["transfer"])
    assert found is not None
    return found


def _seal_of_transfer(firm: Firm) -> Given:
    return {"decision": "approve", "payload_sha256": _transfer(firm).payload_sha256, "typed": "1250.00"}


def _seal_for_the_api(firm: Firm) -> Given:
    return {name: value for name, value in _seal_of_transfer(firm).items() if name != "typed"}


def _absent(firm: Firm) -> Given:
    submission = _transfer(firm)
    journal.approve(submission, by=firm.people["principal"], payload_sha256=submission.payload_sha256)
    submission.refresh_from_db()
    for state in (State.CLAIMED, State.SENDING, State.UNKNOWN, State.ABSENT):
        LIFECYCLE.move(submission, to=state, because="test")
    return {"evidence": "IBKR's ticket 7"}


def _doubt(firm: Firm) -> Given:
    """The worker that sent it is lost with its host, long enough ago."""
    submission = _transfer(firm)
    journal.approve(submission, by=firm.people["principal"], payload_sha256=submission.payload_sha256)
    submission.refresh_from_db()
    for state in (State.CLAIMED, State.SENDING):
        LIFECYCLE.move(submission, to=state, because="test")
    before = clock.now() - timedelta(hours=1)
    Attempt.objects.create(
        submission=submission, number=1, phase="send", fence=submission.fence, request_sha256=submission.payload_sha256,
        host="lost", pid=1, process_started="1", prepared_at=before, deadline=before,
    )  # fmt: skip
    LIFECYCLE.move(submission, to=State.UNKNOWN, because="test")
    return {"evidence": "IBKR's ticket 7; the host was taken down"}


def _question(firm: Firm) -> Given:
    order = firm.rows[OWN]["order"]
    order.refresh_from_db()
    submission = Submission.objects.get(pk=order.submission_id)
    for state in (State.CLAIMED, State.SENDING, State.QUESTION):
        LIFECYCLE.move(submission, to=state, because="test")
    asked = progress.record_question(
        order, reply_id="a1b2c3d4-0000", messages=["Sure?"], message_ids=["o163"], session_serial=None
    )
    return {"question": asked.pk, "answer": "yes"}


def _over(firm: Firm) -> Given:
    """Bring the client to where their data may go."""
    client = firm.rows[OWN]["account"].client
    long_ago = clock.now() - timedelta(days=9 * 366)
    client.holds.update(released_at=clock.now(), released_by=firm.people["operations"])
    client.destructions.filter(done_at=None).update(dropped_at=clock.now())
    Account.objects.filter(client=client).update(closed_on=long_ago.date())
    Application.objects.filter(client=client).update(status=ApplicationStatus.ABANDONED, ended_at=long_ago)
    Client.objects.filter(pk=client.pk).update(created_at=long_ago)
    return {}


def _destroyed(firm: Firm) -> Given:
    client = firm.rows[OWN]["account"].client
    _over(firm)
    client.destructions.update(dropped_at=None)
    return {"decision": "destroy", "typed": client.name}


def _readable(firm: Firm) -> Given:
    """Give the draft names that IBKR takes."""
    by = firm.people["advisor"]
    row = drafts.save_draft(application=firm.rows[OWN]["application"], values={"last_name": "Hollow"}, by=by)
    return {"sha256": applications.sealed_request(row).sha256}


def _no_other_change(firm: Firm) -> Given:
    MaintenanceRequest.objects.update(status="seen", ended_at=clock.now())
    Account.objects.update(holder_external_id="demo-1", holder_entity_id="7")
    return {}


def _seen_check(firm: Firm) -> Given:
    Verification.objects.update(state=Verification.State.WHOLE)
    return {}


def _old_quote(firm: Firm) -> Given:
    Instrument.objects.update(quoted_at=clock.now() - timedelta(days=1))
    return {}


def _working(firm: Firm) -> Given:
    Order.objects.filter(pk=firm.rows[OWN]["order"].pk).update(status="working", ibkr_order_id="777")
    return {}


def _second_principal(firm: Firm) -> Given:
    firm.people["second_principal"] = User.objects.create_user(
        email="second.principal@example.com", name="Ode Other", role="principal"
    )
    return {"document_sha256": PolicyVersion.objects.get().document_sha256}


def _policy_form(firm: Firm) -> Given:
    """The form of the policy as the page shows it, with one rule changed; nothing else waits."""
    policies.decline(PolicyVersion.objects.get(), by=firm.people["principal"], reason="Not now")
    form, data = PolicyForm(FIRST, 1), {}
    for rows in (form.approvals, form.limits, form.questions):
        data |= {
            f"{rows.prefix}-TOTAL_FORMS": len(rows.forms),
            f"{rows.prefix}-INITIAL_FORMS": rows.initial_form_count(),
        }
        for row in rows:
            data |= {row.add_prefix(name): value for name, value in (row.initial or {}).items() if value is not None}
    return {**data, **form.rest.initial, "cooling_off_hours": 48, "reason": "Slower", "propose": "1"}


def _known_password(firm: Firm) -> Given:
    User.objects.filter(pk=firm.people["advisor"].pk).update(password=make_password(PASSWORD))
    return {"proof": PASSWORD}


def _closed(firm: Firm) -> Given:
    people.deactivate(User.objects.get(pk=firm.things[OWN]["person"][0]), by=firm.people["administrator"])
    return {}


def _withdrawal(firm: Firm) -> Given:
    rows = firm.rows[OWN]
    return {
        "account": rows["account"].pk,
        "bank": rows["bank"].pk,
        "amount": "11",
        "currency": "USD",
        "note": "By phone",
    }


TICKET = {"conid": CONID, "side": "BUY", "quantity": "3", "order_type": "LMT", "limit_price": "100.00", "tif": "DAY",
          "allocate_to": "account:U1000011", "reason": "Asked for by phone"}  # fmt: skip
GROUP = {"name": "Growth", "method": "E", "member-U1000011": "on"}
WISH = {"urgent": "at_once", "other": "digest", "digest_at": "08:00", "quiet_from": "20:00", "quiet_to": "07:00",
        "zone": "Europe/Amsterdam"}  # fmt: skip


def _paper() -> SimpleUploadedFile:
    return SimpleUploadedFile("note.pdf", pdf(), "application/pdf")


ACTS: dict[str, Act] = {
    "home:notice_snooze": Act("home.snooze", {"hours": "1", "reason": "Waits for the client"}),
    "home:notice_wake": Act("home.wake"),
    "home:notices_read": Act("home.read_notices"),
    "home:notice_settings": Act("home.wish", WISH),
    "journal:approval_decide": Act("journal.approve", _seal_of_transfer, "principal"),
    "journal:evidence_add": Act("journal.add_evidence", lambda firm: {"file": _paper()}),
    "journal:submission_release": Act("journal.release", _absent, "operations"),
    "journal:submission_give_up": Act(
        "journal.withdraw",
        lambda firm: {**_absent(firm), "reason": "The client does not want it any more"},
        "operations",
    ),
    "journal:submission_attest": Act("journal.attest", _doubt, "operations"),
    "broker:gate_set": Act(
        "broker.close_gate",
        {"scope": "global", "key": "", "reason": "A drill", "verb": "close", "is_open": ""},
        "principal",
    ),
    "broker:test_ask": Act("broker.test_connection", by="principal"),
    "audit:check_start": Act("audit.verify", _seen_check, "principal"),
    "people:invite": Act(
        "people.invite", {"email": "new@example.com", "name": "Nell New", "role": "viewer"}, "administrator"
    ),
    "people:invitation_resend": Act("people.resend_invitation", by="administrator"),
    "people:invitation_withdraw": Act("people.withdraw_invitation", by="administrator"),
    "people:seat_agree": Act("people.agree_seat", by="principal"),
    "people:seat_decline": Act("people.decline_seat", by="principal"),
    "people:role": Act("people.change_role", {"role": "viewer"}, "administrator", is_used_once=False),
    "people:books": Act(
        "people.change_books", lambda firm: {"books": [firm.rows[OWN]["book"].pk]}, "administrator", is_used_once=False
    ),
    "people:close": Act("people.deactivate", by="administrator"),
    "people:open": Act("people.reactivate", _closed, "administrator"),
    "people:factors": Act("people.remove_second_factors", by="administrator"),
    "people:sign_out": Act("people.end_sessions", by="administrator"),
    "people:person_token_revoke": Act("people.revoke_token", by="administrator"),
    "people:session_end": Act("people.end_session"),
    "people:session_end_others": Act("people.end_sessions"),
    "people:confirm": Act("people.prove_again", _known_password),
    "people:tokens": Act("people.create_token", {"name": "Nightly", "days": "30", "scopes": ["clients.view"]}),
    "people:token_revoke": Act("people.revoke_token"),
    "clients:application_start": Act("clients.start_application", lambda firm: {"book": firm.rows[OWN]["book"].pk}),
    "clients:application_field": Act("clients.save_draft", {"city": "Elsewhere"}),
    "clients:application_submit": Act("clients.send_application", _readable),
    "clients:application_discard": Act("clients.discard_application"),
    "clients:document_send": Act(
        "clients.send_document", lambda firm: {"file": _paper(), "proof_type": "Bank Statement"}
    ),
    "clients:account_alias": Act("clients.send_change", lambda firm: {"alias": "Rainy day", **_no_other_change(firm)}),
    "clients:account_address": Act(
        "clients.send_change",
        lambda firm: {
            "country": "NLD",
            "street1": "Rapenburg 70",
            "city": "Leiden",
            "postal_code": "2311 EZ",
            "state": "NL-ZH",
            **_no_other_change(firm),
        },
    ),
    "clients:account_portal": Act("clients.open_portal", {"page": "AccountSettings"}),
    "clients:hold_place": Act("clients.place_hold", {"reason": "Matter 8"}, "operations"),
    "clients:hold_release": Act("clients.release_hold", {"reason": "It is over"}, "principal"),
    "clients:destruction_propose": Act("clients.propose_destruction", _over, "principal"),
    "clients:destruction_decide": Act("clients.destroy", _destroyed, "principal"),
    "clients:client_reveal": Act("clients.reveal", {"reason": next(iter(REVEAL_REASONS))}),
    "clients:maintenance_reveal": Act("clients.reveal", {"reason": next(iter(REVEAL_REASONS))}),
    "funding:withdraw": Act("funding.send_transfer", _withdrawal),
    "funding:deposit": Act(
        "funding.send_transfer",
        lambda firm: {"account": firm.rows[OWN]["account"].pk, "amount": "10", "currency": "USD"},
    ),
    "funding:ask_withdrawable": Act("journal.inquire", {"currency": "USD"}),
    "funding:approve": Act(
        "journal.approve",
        _seal_of_transfer,
        "principal",
    ),
    "funding:decline": Act("journal.refuse", {"decline-reason": "Not the client's wish"}, "principal"),
    "funding:take_back": Act("journal.withdraw", {"back-reason": "Asked for twice"}),
    "trading:portfolio_refresh": Act("journal.inquire"),
    "trading:instrument_ask": Act("journal.inquire", {"text": "apple"}),
    "trading:quote": Act("journal.inquire", _old_quote),
    "trading:group_new": Act("trading.send_group", GROUP),
    "trading:group_edit": Act("trading.send_group", lambda firm: {**GROUP, "name": firm.rows[OWN]["group"].name}),
    "trading:group_delete": Act("trading.send_group"),
    "trading:order_preview": Act("trading.draw_up", TICKET),
    "trading:what_if": Act("journal.inquire"),
    "trading:order_send": Act(
        "trading.send",
        lambda firm: {**TICKET, "quantity": "7", "allocation_sha256": firm.rows[OWN]["draft"].allocation_sha256},
    ),
    "trading:order_discard": Act("trading.discard"),
    "trading:order_answer": Act("trading.answer", _question),
    "trading:order_cancel": Act("trading.ask_cancel", _working),
    "trading:order_take_back": Act("journal.withdraw", {"reason": "The client called again"}),
    "reporting:fetch": Act("reporting.fetch", {"all": "missing"}),
    "policies:approve": Act(
        "policies.approve",
        _second_principal,
        "second_principal",
    ),
    "api:transfers-list": Act("funding.send_transfer", withdrawal, is_api=True),
    "api:orders-list": Act("trading.draw_up", ticket, is_api=True),
    "api:approvals-decision": Act("journal.approve", _seal_for_the_api, "principal", is_api=True),
    "policies:edit": Act("policies.propose", _policy_form, "principal"),
    "policies:decline": Act("policies.decline", {"reason": "Not now"}, "principal"),
}
# Posted to by several acts that are above, one by one.
TOGETHER = {"journal:approval_batch": "journal:approval_decide"}
