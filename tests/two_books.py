"""A firm of two books with one of everything in each, and everybody who might look at it."""

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from allauth.usersessions.models import UserSession

from backoffice.audit.models import Entry, Verification
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.money import Money
from backoffice.home.models import Notice
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import Evidence
from backoffice.people import seats, tokens
from backoffice.people import services as people
from backoffice.people.models import ApiToken, Book, PolicyVersion, User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import FIRST
from clients.models import AccountTask, Application, ApplicationStatus, Destruction, LegalHold, Stage
from clients.services import drafts, maintenance
from funding import services as funding
from reporting import services as reports
from reporting import translate
from reporting.models import FetchRequest, ReportFile
from tests.clients.conftest import READY
from tests.funding.conftest import make_account, make_bank
from tests.trading.conftest import give_figures, give_position, make_group
from trading.models import Instrument
from trading.services import tickets

OWN, FOREIGN, NOWHERE = "own", "foreign", "nowhere"
PEOPLE = {
    "advisor": "advisor",
    "other_advisor": "advisor",
    "operations": "operations",
    "principal": "principal",
    "viewer": "viewer",
    "administrator": "administrator",
}
INQUIRIES = {
    "portal link": "clients.answer_portal_link",
    "withdrawable": "funding.answer_withdrawable",
    "refresh": "trading.answer_portfolio_refresh",
    "search": "trading.answer_instrument_search",
    "quote": "trading.answer_quote",
    "what-if": "trading.answer_what_if",
}
CONID = "265598"
TRACES = {OWN: ("U1000011", "Hollow 11"), FOREIGN: ("U1000022", "Hollow 22")}  # what a page of a book's rows would show

# What is personal beyond a name: planted in each book's client, and typed into its draft (READY).
PERSONAL = {
    "tax_number": "718293645", "email": "quirina@canary.example.org", "phone": "+31687654309", "date_of_birth": "1979-08-23",
}  # fmt: skip
RESIDENCE = {"street1": "Zandvoorterweg 7719", "postalCode": "7719 QX"}
TYPED = [READY[name] for name in ("tax_number", "email", "street1", "date_of_birth", "postal_code")]


@dataclass
class Firm:
    """`things[place][kind]` are the arguments of the addresses of that kind; `personal[name][kind]` of the person's own."""

    people: dict[str, User] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    things: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=dict)
    personal: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=dict)

    def reaches(self, name: str, place: str) -> bool:
        """Tell whether this person may see what lies in that book."""
        if name in {"operations", "principal"}:
            return True
        return name in ({"advisor", "viewer"} if place == OWN else {"other_advisor"})

    def address_of(self, name: str, kind: str, place: str) -> tuple[Any, ...]:
        """The arguments of a thing as seen by a person: the own and the other book's are fixed, personal things are not."""
        if place == NOWHERE:
            return MISSING[kind]
        if kind in self.personal["advisor"]:
            owner = name if place == OWN else "other_advisor" if name == "advisor" else "advisor"
            return self.personal[owner if owner in self.personal else "operations"][kind]
        return self.things[place][kind]


_PK = (uuid.UUID(int=7),)
MISSING: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("client", "account", "bank", "hold", "destruction",
         "application", "case", "transfer", "submission", "order", "draft", "group", "report",
         "file", "fetch", "connection", "person", "invitation", "seat change", "token", "notice",
         *INQUIRIES), _PK,
    ),
    "person's token": (*_PK, *_PK),
    "session": (7,),
    "section": (*_PK, "holder"),
    "field": (*_PK, "city"),
    "task": (*_PK, 7),
    "entry": (999_999_999,),
    "check": _PK,
    "evidence": ("client", *_PK),
    "secret": (*_PK, "email"),
    "number": ("U9999999",),
    "instrument": ("999999999",),
    "policy": (999,),
    "paper": (*_PK, *_PK),
}  # fmt: skip


def found_firm() -> Firm:
    """Write the firm's rows; IBKR is asked for nothing."""
    firm = Firm()
    for name, role in PEOPLE.items():
        firm.people[name] = User.objects.create_user(email=f"{name}@example.com", name=f"Pat {name}", role=role)
    master = MasterAccount.objects.create(
        account="F1000001", kind="FA", environment="sandbox", base_url="http://127.0.0.1:9", client_id="X",
        key_id="x-1", private_key_path="/nonexistent", username="alder01",
    )  # fmt: skip
    instrument = Instrument.objects.create(
        conid=CONID, symbol="AAPL", name="Apple Inc", exchange="NASDAQ", currency="USD", last=Decimal("100"),
        bid=Decimal("99.99"), ask=Decimal("100.01"), availability="R", quoted_at=clock.now(),
    )  # fmt: skip
    for place, number, makers in (
        (OWN, "U1000011", ("advisor", "viewer")),
        (FOREIGN, "U1000022", ("other_advisor",)),
    ):
        book = Book.objects.create(name=f"Book {number[-2:]}")
        book.members.add(*(firm.people[name] for name in makers))
        firm.rows[place] = _furnish(book, master, number, firm.people[makers[0]], instrument)
        firm.things[place] = _addresses(firm.rows[place])
        # People belong to no book; the one who is looked at here is not in the cast.
        firm.things[place] |= _people(firm, number)
    for name, person in firm.people.items():
        own = FOREIGN if name == "other_advisor" else OWN  # nobody asks about what is not in their book
        firm.personal[name] = _personal(person, firm.rows[own])
    return firm


def _furnish(book: Book, master: MasterAccount, number: str, by: User, instrument: Instrument) -> dict[str, Any]:
    account = make_account(number, master, book, username=f"user{number[-2:]}", holder_entity_id=number[-4:])
    account.client.last_name = f"Hollow {number[-2:]}"
    account.client.residence = json.dumps(RESIDENCE)
    for name, value in PERSONAL.items():
        setattr(account.client, name, value)
    account.client.save()
    give_figures(account, "100000")
    give_position(account, instrument, "10")
    bank = make_bank(account)
    transfer = funding.request_withdrawal(
        account=account, money=Money(Decimal("1250.00"), "USD"), bank=bank, by=by, intent=uuid.uuid4(), note="By phone"
    )
    draft = drafts.start_application(intent=uuid.uuid4(), book=book, master=master, by=by)
    draft = drafts.save_draft(application=draft, values={**READY, "last_name": f"Hollow {number[-2:]}"}, by=by)
    group = make_group(master, f"Group {number[-2:]}", "N", {account: None})
    sent = _ticket(by, instrument, account, "10")
    tickets.send(sent, by=by, allocation_sha256=sent.allocation_sha256)
    return {
        "book": book, "account": account, "bank": bank, "transfer": transfer, "draft": _ticket(by, instrument, account, "7"),
        "order": sent, "group": group, "application": draft, "task": _task(book, master, number, by),
        "case": maintenance.request_alias(account=account, alias="Nest egg", intent=uuid.uuid4(), by=by),
        "file": _statement(account, by), **_retention(account.client, by),
    }  # fmt: skip


def _retention(client: Any, by: User) -> dict[str, Any]:
    now = clock.now()
    return {
        "hold": LegalHold.objects.create(client=client, reason="Matter 7", placed_by=by, placed_at=now),
        "destruction": Destruction.objects.create(
            client=client, kept_until=now.date(), proposed_by=by, proposed_at=now
        ),
    }


def _ticket(by: User, instrument: Instrument, account: Any, quantity: str) -> Any:
    return tickets.draw_up(
        intent=uuid.uuid4(), by=by, instrument=instrument, side="BUY", quantity=Decimal(quantity), order_type="LMT",
        limit_price=Decimal("100.00"), tif="DAY", reason="Asked for by phone", account=account,
    )  # fmt: skip


def _task(book: Book, master: MasterAccount, number: str, by: User) -> AccountTask:
    """A paper IBKR asks for, of an application under way."""
    account = make_account(f"{number[:-2]}9{number[-1]}", master, book, ibkr_status="P")
    now = clock.now()
    application = Application(
        intent=uuid.uuid4(), book=book, owner=by, master=master, client=account.client, account=account,
        status=ApplicationStatus.SUBMITTED, stage=Stage.SUBMITTED, stage_since=now, external_id=f"demo-{number}",
        created_at=now, submitted_at=now,
    )  # fmt: skip
    application.save(force_insert=True)
    return AccountTask.objects.create(
        account=account, form_number="8002", form_name="Proof of address", action="to send", since=now, as_of=now
    )


def _statement(account: Any, by: User) -> ReportFile:
    reports.record_offer(account, monthly=translate.months_back(clock.today(clock.NEW_YORK), 2), annual=())
    wanted = account.reports.order_by("period")[:1]
    request = reports.request_fetch(reports=wanted, by=by, intent=uuid.uuid4())
    item = reports.take(str(request.items.get().pk))
    assert item is not None
    return reports.keep(item, b"%PDF-1.4 one page")


def _addresses(rows: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    client, application = rows["account"].client, rows["application"]
    submission = journal.current_for(rows["transfer"])
    assert submission is not None
    paper = Evidence.objects.create(
        submission=submission, file_name="note.pdf", content_type="application/pdf", size=4,
        sha256=hashlib.sha256(b"note").hexdigest(), content=base64.b64encode(b"note").decode(),
        added_by=rows["transfer"].requested_by, added_at=clock.now(),
    )  # fmt: skip
    plain = {
        kind: (rows[kind].pk,)
        for kind in ("account", "bank", "hold", "destruction", "transfer", "order", "draft", "group", "case", "file")
    }
    return {
        **plain,
        "client": (client.pk,),
        "evidence": ("client", client.pk),
        "entry": (Entry.objects.latest("id").pk,),
        "check": (Verification.objects.create(asked_at=clock.now()).pk,),
        "secret": (client.pk, "email"),
        "number": (rows["account"].number,),
        "application": (application.pk,),
        "section": (application.pk, "holder"),
        "field": (application.pk, "city"),
        "task": (rows["task"].account.application.pk, rows["task"].pk),
        "submission": (submission.pk,),
        "paper": (submission.pk, paper.pk),
        "report": (rows["file"].report_id,),
        "instrument": (CONID,),
        "connection": (rows["account"].master_id,),
    }


def _people(firm: Firm, number: str) -> dict[str, tuple[Any, ...]]:
    administrator = firm.people["administrator"]
    invitation = people.invite(
        email=f"seat{number}@example.com", name="Sam Seat", role="viewer", books=(), by=administrator, link=str
    )
    other = User.objects.create_user(email=f"other{number}@example.com", name="Oda Other", role="operations")
    token, _ = tokens.create(owner=other, name="Nightly", scopes=["clients.view"], days=7)
    proposed = PolicyVersion.objects.first() or policies.propose(
        replace(FIRST, cooling_off_hours=48), by=firm.people["principal"], reason="Slower",
        effective_at=clock.now(), based_on=1,
    )  # fmt: skip
    asker = User.objects.create_user(email=f"asker{number}@example.com", name="Ari Asker", role="administrator")
    change = seats.ask(role="principal", by=asker, person=other)
    thing = {
        "seat change": (change.pk,),
        "policy": (proposed.number,),
        "invitation": (invitation.pk,),
        "person": (other.pk,),
    }
    return {**thing, "person's token": (other.pk, token.pk)}


def _personal(person: User, rows: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    account = rows["account"]
    params: dict[str, dict[str, Any]] = {
        "portal link": {"account": str(account.pk), "address": "127.0.0.1", "page": "home"},
        "withdrawable": {"account": str(account.pk), "number": account.number, "currency": "USD"},
        "refresh": {"accounts": [account.number]},
        "search": {"text": "apple"},
        "quote": {"conid": CONID},
        "what-if": {"order": str(rows["draft"].pk), "allocation": rows["draft"].allocation_sha256},
    }
    asked = {name: (inquiries.ask(kind, params[name], by=person).pk,) for name, kind in INQUIRIES.items()}
    fetch = FetchRequest.objects.create(intent=uuid.uuid4(), asked_by=person, asked_at=clock.now())
    session = UserSession.objects.create(user=person, ip="127.0.0.1", session_key=f"of-{person.pk}"[:40], user_agent="")
    token = ApiToken.objects.create(
        owner=person, name="Own", hint="bo_", sha256=str(person.pk), scopes=[], created_at=clock.now(),
        expires_at=clock.now() + timedelta(days=1),
    )  # fmt: skip
    notice = Notice.objects.create(
        user=person, kind=f"test:{person.pk}", group="other", title="A matter", url="/", tone="wait", since=clock.now()
    )
    return {**asked, "fetch": (fetch.pk,), "session": (session.pk,), "token": (token.pk,), "notice": (notice.pk,)}
