"""Z11: secrets and personal data are planted through the product's own doors, a day's work is done with them, and then
everything the work left behind is searched: logs, messages, task arguments, cache, letters, tables, addresses, pages.

The search is shown able to find: a leak is made on purpose in each place.
"""

import io
import logging
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from celery import current_app
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client as Browser
from django.urls import path, reverse

from backoffice.audit.models import Entry
from backoffice.audit.reasons import REVEAL_REASONS
from backoffice.broker.models import AccessToken, BrokerageSession
from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.journal import services as journal
from backoffice.journal.models import Submission
from backoffice.people import services as people
from backoffice.urls import urlpatterns as ours
from clients import dispatch
from clients.models import AccountTask, Application, MaintenanceRequest
from clients.services import documents, maintenance
from clients.services.people import open_portal, take_portal_link
from funding import dispatch as funding_dispatch
from funding import services as funding
from funding.models import CashTransfer
from tests.canaries import places
from tests.clients.conftest import applying_account, book, draft, open_account, submitted
from tests.conftest import PASSWORD
from tests.funding.conftest import make_bank
from tests.second_factors import SECRET, code, give_app
from tests.worker_processes import forget_doorbells

__all__ = ["applying_account", "book", "draft", "open_account", "submitted"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

PERSONAL = {
    "first name": "Quirina", "last name": "Zwaluwstaart", "date of birth": "1979-08-23", "e-mail": "quirina@canary.example.org",
    "mobile phone": "+31 687654309", "street": "Zandvoorterweg 7719", "postal code": "7719 QX", "town": "Vlodropperheide",
    "tax number": "718293645", "new street": "Kievitslaan 40882", "new postal code": "4088 ZB",
}  # fmt: skip
TYPED = {
    "bank account in a note": "NL91ABNA0417164300",
    "reason of a repeated transfer": "owes her brother 4417",
    "passport number in a document": "XK7719283",
    "file name of a document": "paspoort-zwaluwstaart",
    "wrong password": "wrong-staple-7781",
    "new password": "purple-ladder-33817",
}  # fmt: skip
# What a person wrote about a transfer for whoever decides on it: shown beside it, and nowhere kept but sealed.
TYPED_FOR_READERS = {"bank account in a note", "reason of a repeated transfer"}
NAMES = {"first name", "last name"}  # kept readable for lists and search, by design: see clients.models.Client
ANY_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
ANY_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Where a canary may stand in a table, because the product finds rows by it or Django keeps its sessions so.
MAY_STAND = {
    ("first name", "clients_client.first_name"), ("last name", "clients_client.last_name"),
    ("first name", "clients_application.applicant"), ("last name", "clients_application.applicant"),
    ("first name", "clients_client.name_words"), ("last name", "clients_client.name_words"),
    ("first name", "clients_application.name_words"), ("last name", "clients_application.name_words"),
    ("session key", "django_session.session_key"), ("session key", "usersessions_usersession.session_key"),
}  # fmt: skip


def broken(request: HttpRequest) -> HttpResponse:
    """A view that fails with what was posted in its hands."""
    held = request.POST["tax_number"]
    raise RuntimeError(f"a defect, {len(held)} characters in hand")


urlpatterns = [*ours, path("broken/", broken)]
handler500 = "backoffice.home.views.server_error"


@pytest.fixture
def master(connected_master: Any) -> Any:
    return connected_master


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    """Neither the cache nor the lanes are emptied with the tables; another test's leftovers would be found."""
    _sweep()
    yield
    _sweep()


def _sweep() -> None:
    cache.clear()
    forget_doorbells()


@pytest.fixture
def log_book() -> Iterator[places.LogBook]:
    heard, root = places.LogBook(), logging.getLogger()
    before = root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    yield heard
    root.setLevel(before)
    root.removeHandler(heard)


class Day:
    """A day's work; `secrets` grows by what it was given on the way, `pages` by what the product answered."""

    def __init__(self, advisor: Any, principal: Any, administrator: Any, sandbox: Any) -> None:
        self.advisor, self.principal, self.administrator, self.sandbox = advisor, principal, administrator, sandbox
        self.secrets: dict[str, str] = {}
        self.refusals: list[str] = []

    def sign_in(self) -> Browser:
        browser, codes = Browser(raise_request_exception=False), give_app(self.advisor)
        self.secrets |= {"authenticator key": SECRET, "recovery code": codes[0], "password": PASSWORD}
        browser.post("/account/login/", {"login": self.advisor.email, "password": TYPED["wrong password"]})
        browser.post("/account/login/", {"login": self.advisor.email, "password": PASSWORD})
        browser.post("/account/2fa/authenticate/", {"code": codes[0]})
        browser.post(reverse("mfa_authenticate"), {"code": code()})
        assert "_auth_user_id" in browser.session
        self.secrets |= {
            "session key": str(browser.session.session_key),
            "form token": browser.cookies["csrftoken"].value,
        }
        asked = {"name": "Nightly", "days": "30", "scopes": ["clients.view"], "intent": str(uuid.uuid4())}
        made = browser.post("/account/tokens/", asked)
        self.secrets["program's token"] = str(made.context["text"])
        return browser

    def invite(self) -> None:
        people.invite(
            email="new.person@example.com", name="New Person", role="viewer", books=(), by=self.administrator,
            link=lambda secret: f"http://testserver/account/invitation/{secret}/",
        )  # fmt: skip
        self.secrets["invitation"] = re.findall(r"/invitation/([^/\s]+)", mail.outbox[-1].body)[0]
        Browser().post("/account/password/reset/", {"email": self.principal.email})
        self.secrets["password reset"] = re.findall(r"/key/([^/\s]+)", mail.outbox[-1].body)[0]
        Browser().post(
            f"/account/invitation/{self.secrets['invitation']}/",
            {"password1": TYPED["new password"], "password2": TYPED["new password"]},
        )

    def onboard(self, submitted: Any, master: Any) -> None:
        application = submitted(
            master, first_name=PERSONAL["first name"], last_name=PERSONAL["last name"], email=PERSONAL["e-mail"],
            date_of_birth=PERSONAL["date of birth"], phone=PERSONAL["mobile phone"], street1=PERSONAL["street"],
            postal_code=PERSONAL["postal code"], city=PERSONAL["town"], tax_number=PERSONAL["tax number"],
        )  # fmt: skip
        promised = journal.current_for(application)
        # IBKR's answer is lost once, and once it says the client's number back to us.
        self.sandbox.fault({"method": "POST", "path": "/gw/api/v1/accounts$", "phase": "read_not_applied",
                            "action": "status", "status": 503, "body": f"no room for {PERSONAL['tax number']}"})  # fmt: skip
        dispatch.send_application(str(promised.pk))
        dispatch.look_for_application(str(promised.pk))
        again = self.refused(submitted, master)
        self.sandbox.fault({"method": "POST", "path": "/gw/api/v1/accounts$", "phase": "read_not_applied", "action": "status",
                            "status": 400, "body": {"error": "Bad Request", "errorDescription":
                            f"{PERSONAL['tax number']} of {PERSONAL['e-mail']} is taken"}})  # fmt: skip
        dispatch.send_application(str(again.pk))
        self.sandbox.fault({"method": "GET", "path": "status", "phase": "answered", "action": "garbage",
                            "body": f"<html>{PERSONAL['e-mail']} {PERSONAL['tax number']}"})  # fmt: skip
        dispatch.poll_statuses()
        self.sandbox.clear_faults()

    def refused(self, submitted: Any, master: Any) -> Any:
        return journal.current_for(submitted(master, email="another.person@example.org", prefix="otherp"))

    def move(self, account: Any, master: Any) -> None:
        bank = make_bank(account)
        for reason in ("", TYPED["reason of a repeated transfer"]):
            transfer = funding.request_withdrawal(
                account=account, money=Money(Decimal("75.00"), "USD"), bank=bank, by=self.advisor, intent=uuid.uuid4(),
                note=f"To {TYPED['bank account in a note']}", duplicate_reason=reason,
            )  # fmt: skip
        promised = journal.current_for(transfer)
        assert promised is not None
        funding.approve(transfer, by=self.principal, payload_sha256=promised.payload_sha256)
        funding_dispatch.send_transfer(str(promised.pk))
        address = {"street1": PERSONAL["new street"], "city": PERSONAL["town"], "postal_code": PERSONAL["new postal code"],
                   "country": "NLD"}  # fmt: skip
        case = maintenance.request_address(account=account, address=address, intent=uuid.uuid4(), by=self.advisor)
        promised = journal.current_for(case)
        assert promised is not None
        dispatch.send_change(str(promised.pk))
        dispatch.poll_change(str(case.pk))

    def hand_in(self, account: Any) -> None:
        task = AccountTask.objects.create(
            account=account, form_number="8002", form_name="Proof of address", action="to send", since=clock.now(),
            as_of=clock.now(),
        )  # fmt: skip
        document = documents.send_document(
            task=task, content=_paper(TYPED["passport number in a document"]), proof_type="Bank Statement", expires_on=None,
            original_name=f"{TYPED['file name of a document']}.pdf", intent=uuid.uuid4(), by=self.advisor,
        )  # fmt: skip
        promised = journal.current_for(document)
        assert promised is not None
        dispatch.send_document(str(promised.pk))

    def open_portal(self, account: Any) -> None:
        asked = open_portal(account=account, address="127.0.0.1", page="", by=self.advisor)
        dispatch.answer_portal_link(str(asked.pk))
        _, link = take_portal_link(str(asked.pk), by=self.advisor)
        assert link
        self.secrets["portal link"] = link

    def stumble(self, browser: Browser, client: Any) -> None:
        """Forms refused, a page that fails, and a value revealed with its reason."""
        posted = {"tax_number": PERSONAL["tax number"], "email": PERSONAL["e-mail"], "intent": "no-uuid"}
        for url in ("/broken/", reverse("clients:application_start"), reverse("funding:withdraw")):
            self.refusals.append(browser.post(url, posted).content.decode())
        self.refusals.append(browser.get(f"/clients/{PERSONAL['tax number']}/").content.decode())
        shown = browser.post(
            reverse("clients:client_reveal", args=[client.pk, "tax_number"]), {"reason": REVEAL_REASONS[0]}
        ).content.decode()
        assert PERSONAL["tax number"] in shown

    def of_ibkr(self, master: Any) -> None:
        """What IBKR trusted us with, and our own keys."""
        key = Path(master.private_key_path).read_text()
        session = BrokerageSession.objects.get(master=master)
        self.secrets |= {
            "private key": key.splitlines()[3],
            "access token": str(AccessToken.objects.filter(token__isnull=False).first().token),
            "session bearer": str(session.bearer),
            "signing key of the web": settings.SECRET_KEY,
            "key of encrypted fields": settings.FIELD_KEYS.split(":")[1]
            if isinstance(settings.FIELD_KEYS, str)
            else "",
            "key of the blind index": str(settings.BLIND_INDEX_KEY),
        }
        self.secrets = {kind: text for kind, text in self.secrets.items() if text}


def _paper(text: str) -> bytes:
    kept = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.pages[0].Contents = document.make_stream(f"BT ({text}) Tj ET".encode())
        document.save(kept, compress_streams=False)
    return kept.getvalue()


def signed_in(person: Any) -> Browser:
    browser = Browser()
    browser.force_login(person, backend="backoffice.people.backends.EmailBackend")
    return browser


def pages_of(client: Any) -> list[str]:
    """Every page that shows something of the day without being asked to reveal it, the audit and its files included."""
    lists = ("home:today", "clients:client_list", "clients:client_export", "clients:application_board", "funding:list",
             "clients:maintenance_list", "funding:export", "funding:banks", "trading:portfolio", "trading:blotter",
             "reporting:list", "journal:approval_list", "audit:entry_list", "audit:entry_export", "audit:chain",
             "home:notice_list", "clients:retention", "api:clients-list", "api:transfers-list", "api:applications-list",
             "api:maintenance-list", "api:banks-list")  # fmt: skip
    found = [reverse(name) for name in lists]
    found += [
        reverse(name, args=[client.pk])
        for name in ("clients:client_detail", "clients:client_retention", "audit:who_saw")
    ]
    found.append(reverse("audit:evidence_pack", args=["client", client.pk]))
    for name, rows in (
        ("clients:application_detail", Application.objects.all()),
        ("clients:maintenance_detail", MaintenanceRequest.objects.all()),
        ("funding:transfer_detail", CashTransfer.objects.all()),
        ("journal:submission_detail", Submission.objects.all()),
        ("audit:entry_detail", Entry.objects.all()),
    ):
        made = [reverse(name, args=[row.pk]) for row in rows]
        assert made, name
        found += made
    return found


@pytest.mark.row(id="Z11")
def test_a_day_leaves_no_secret_where_it_does_not_belong(
    advisor: Any, principal: Any, administrator: Any, live_session: Any, sandbox: Any, submitted: Any, open_account: Any,
    log_book: places.LogBook,
) -> None:  # fmt: skip
    master, day = live_session.master, Day(advisor, principal, administrator, sandbox)
    current_app.loader.import_default_modules()
    browser = day.sign_in()
    day.invite()
    day.onboard(submitted, master)
    account = open_account(master, "U1000013", username="fries001")
    account.client.tax_number, account.client.email = PERSONAL["tax number"], PERSONAL["e-mail"]
    account.client.save()
    day.move(account, master)
    day.hand_in(account)
    day.open_portal(account)
    day.stumble(browser, account.client)
    day.of_ibkr(master)
    canaries = PERSONAL | TYPED | day.secrets
    assert len(canaries) >= 25, sorted(canaries)

    logs, letters = "\n".join(log_book.lines), "\n".join(f"{each.subject} {each.body}" for each in mail.outbox)
    messages, asked = (
        places.broker(),
        "\n".join(f"{each['path']} {each.get('query', '')}" for each in sandbox.requests()),
    )
    assert "journal" in messages or "clients" in messages, "the doorbells are what is searched here"
    found = {
        "logs": places.hits(canaries, logs),
        "messages and task arguments": places.hits(canaries, messages),
        "cache": places.hits(canaries, places.cache()),
        "letters": places.hits(canaries, letters) - {"invitation", "password reset"},
        "addresses we asked IBKR at": places.hits(canaries, asked),
        "the page of a failure": places.hits(canaries, day.refusals[0]),
    }
    assert not any(found.values()), found
    for name, text in {"logs": logs, "messages": messages, "cache": places.cache()}.items():
        assert not ANY_JWT.search(text), name
        assert not ANY_KEY.search(text), name
    shown = {
        (kind, address)
        for address, text in places.pages(signed_in(principal), pages_of(account.client))
        for kind in places.hits(canaries, text) - NAMES
    }
    # Of an address the town stays readable, to tell two of a name apart: see clients.selectors.people.
    assert {(kind, address) for kind, address in shown if kind not in {*TYPED_FOR_READERS, "town"}} == set()
    standing = {(kind, column) for column, text in places.tables() for kind in places.hits(canaries, text)} - MAY_STAND
    assert standing == set()


@pytest.mark.row(id="Z11")
def test_the_search_finds_a_leak_in_every_place(principal: Any, sandbox: Any, log_book: places.LogBook) -> None:
    canary = {"tax number": PERSONAL["tax number"]}
    logging.getLogger("clients.dispatch").debug("held %s", {"tin": canary["tax number"]})
    cache.set("probe", {"tin": canary["tax number"]})
    places.ring(canary["tax number"])
    principal.name = f"{canary['tax number']} Oak"
    principal.save()

    assert places.hits(canary, "\n".join(log_book.lines))
    assert places.hits(canary, places.cache())
    assert places.hits(canary, places.broker())
    assert "people_user.name" in {column for column, text in places.tables() if places.hits(canary, text)}
    assert places.hits({"street": "Zandvoorterweg 7719 & 'co'"}, "<td>Zandvoorterweg 7719 &amp; &#x27;co&#x27;</td>")
    assert places.hits({"street": "Zandvoorterweg 7719"}, "/clients/?q=Zandvoorterweg%207719")
