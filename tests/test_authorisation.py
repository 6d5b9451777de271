"""Every address of the product, for everybody, on things of their own book, of another, and on nothing at all.

The table below says for each name in the URLconf who may do what; the requests are made from it. An address that is not
in the table, or a line without an address, fails.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from backoffice.people.policy import PERMISSIONS, may
from tests.two_books import FOREIGN, NOWHERE, OWN, PEOPLE, PERSONAL, RESIDENCE, TRACES, TYPED, Firm, found_firm

pytestmark = pytest.mark.django_db
READ, WRITE, BOTH = ("GET",), ("POST",), ("GET", "POST")
METHODS = (*BOTH, "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
EVERYBODY = [*PEOPLE, "anonymous"]
REFUSAL = {"audit_entry", "cache"}  # a refusal is written down, and changes nothing else


@dataclass(frozen=True)
class Entry:
    """What an address takes: a permission, methods, and the kind of thing its arguments name, if any.

    `needs` is any one of some permissions. Empty: open to everybody, signed out too. `makers_only` marks what only the
    person who made the thing may do with it, whatever the role.
    """

    needs: tuple[str, ...]
    methods: tuple[str, ...] = READ
    of: str = ""
    is_shared: bool = False  # a thing of no book, such as an instrument
    is_personal: bool = False  # a thing of the person who asked for it, such as an inquiry
    makers_only: bool = False
    in_body: str = ""  # the field of the form that names the thing, where the address does not
    of_the_firm: bool = False  # its readers see references of every book, whatever their role
    needs_to_post: tuple[str, ...] = ()  # where POST asks for more than reading does
    shows_personal: bool = False  # a form that is about it, for those who may fill it in
    is_api: bool = False  # whoever is nobody is told so (401), not led to the sign-in page

    def needed(self, method: str) -> tuple[str, ...]:
        return self.needs_to_post if method == "POST" and self.needs_to_post else self.needs


def see(
    permission: str, of: str = "", *, is_personal: bool = False, is_shared: bool = False, of_the_firm: bool = False
) -> Entry:
    return Entry((permission,), READ, of, is_personal=is_personal, is_shared=is_shared, of_the_firm=of_the_firm)


def act(
    *permissions: str, of: str = "", in_body: str = "", is_shared: bool = False, is_personal: bool = False,
    makers_only: bool = False,
) -> Entry:  # fmt: skip
    return Entry(permissions, WRITE, of, is_shared, is_personal, makers_only, in_body)


def form(permission: str, of: str = "", *, is_personal: bool = False) -> Entry:
    return Entry((permission,), BOTH, of, is_personal=is_personal)


def rest(permission: str, of: str = "", *, post: str = "", methods: tuple[str, ...] = READ) -> Entry:
    return Entry((permission,), methods, of, needs_to_post=(post,) if post else (), is_api=True)


MATRIX: dict[str, Entry] = {
    "home:today": see("home.view_today"),
    "home:inbox": see("home.view_today"),
    "home:state_bar": see("home.view_today"),
    "home:search": form("home.view_today"),
    "home:notice_list": see("home.view_today"),
    "home:notice_count": see("home.view_today"),
    "home:notice_open": see("home.view_today", "notice", is_personal=True),
    "home:notice_snooze": form("home.view_today", "notice", is_personal=True),
    "home:notice_wake": act("home.view_today", of="notice", is_personal=True),
    "home:notices_read": act("home.view_today"),
    "home:notice_settings": form("home.view_today"),
    "home:components": see("home.view_components"),
    "home:healthz": Entry(()),
    "home:readyz": Entry(()),
    "journal:approval_list": see("journal.approve"),
    "journal:approval_batch": act("journal.approve"),
    "journal:approval_detail": see("clients.view", "submission"),
    "journal:approval_decide": act("journal.approve", of="submission"),
    "journal:evidence_add": act("journal.add_evidence", of="submission"),
    "journal:evidence_file": see("clients.view", "paper"),
    "journal:submission_detail": see("clients.view", "submission"),
    "journal:submission_release": act("journal.release", of="submission"),
    "journal:submission_give_up": act("journal.release", of="submission"),
    "journal:submission_attest": act("journal.release", of="submission"),
    "policies:list": see("policies.view"),
    "policies:edit": form("policies.propose"),
    "policies:detail": see("policies.view", "policy", is_shared=True),
    "policies:approve": act("policies.approve", of="policy", is_shared=True),
    "policies:decline": act("policies.approve", of="policy", is_shared=True),
    "broker:connection_list": see("broker.view_connections"),
    "broker:gate_set": form("broker.close_gate"),
    "broker:test_ask": act("broker.test_connection", of="connection", is_shared=True),
    "broker:test_show": see("broker.test_connection", of="connection", is_shared=True),
    "audit:entry_list": see("audit.view", of_the_firm=True),
    "audit:entry_export": see("audit.export", of_the_firm=True),
    "audit:entry_detail": see("audit.view", "entry", is_shared=True, of_the_firm=True),
    "audit:chain": see("audit.view"),
    "audit:check_start": act("audit.verify"),
    "audit:check_show": see("audit.view", "check", is_shared=True),
    "audit:evidence_pack": see("audit.evidence", "evidence"),
    "audit:who_saw": see("audit.who_saw", "client"),
    "home:lanes": see("broker.view_connections"),
    "clients:client_list": form("clients.view"),
    "people:list": see("people.view"),
    "people:detail": see("people.view", "person", is_shared=True),
    "people:invite": form("people.manage"),
    "people:invitation_resend": act("people.manage", of="invitation", is_shared=True),
    "people:invitation_withdraw": act("people.manage", of="invitation", is_shared=True),
    "people:seat_agree": act("people.agree", of="seat change", is_shared=True),
    "people:seat_decline": act("people.agree", of="seat change", is_shared=True),
    "people:role": act("people.manage", of="person", is_shared=True),
    "people:books": act("people.manage", of="person", is_shared=True),
    "people:close": act("people.manage", of="person", is_shared=True),
    "people:open": act("people.manage", of="person", is_shared=True),
    "people:factors": act("people.manage", of="person", is_shared=True),
    "people:sign_out": act("people.manage", of="person", is_shared=True),
    "people:person_token_revoke": act("people.manage", of="person's token", is_shared=True),
    "people:sessions": see("people.view_own"),
    "people:session_end": act("people.view_own", of="session", is_personal=True),
    "people:session_end_others": act("people.view_own"),
    "people:stay": see("people.view_own"),
    "people:file": see("people.view_own"),
    "people:tokens": form("people.manage_tokens"),
    "people:token_revoke": act("people.view_own", of="token", is_personal=True),
    "people:confirm": act("people.view_own"),
    "clients:client_export": see("clients.export"),
    "clients:application_board": see("clients.view"),
    "clients:application_start": form("clients.apply"),
    "clients:application_detail": see("clients.view", "application"),
    "clients:application_edit": Entry(("clients.apply",), READ, "section", shows_personal=True),
    "clients:application_field": act("clients.apply", of="field"),
    "clients:application_submit": act("clients.submit", of="application"),
    "clients:application_discard": act("clients.apply", of="application"),
    "clients:document_send": act("clients.apply", of="task"),
    "clients:maintenance_list": see("clients.view"),
    "clients:maintenance_detail": see("clients.view", "case"),
    "clients:maintenance_reveal": act("clients.reveal", of="case"),
    "clients:account_alias": form("clients.maintain", "account"),
    "clients:account_address": Entry(("clients.maintain",), BOTH, "account"),
    "clients:account_portal": act("clients.open_portal", of="account"),
    "clients:portal_wait": see("clients.open_portal", "portal link", is_personal=True),
    "clients:retention": see("clients.view_retention"),
    "clients:client_retention": see("clients.view_retention", "client"),
    "clients:hold_place": act("clients.hold", of="client"),
    "clients:hold_release": act("clients.release_hold", of="hold"),
    "clients:destruction_propose": act("clients.destroy", of="client"),
    "clients:destruction_decide": act("clients.destroy", of="destruction"),
    "clients:client_detail": see("clients.view", "client"),
    "clients:client_reveal": act("clients.reveal", of="secret"),
    "funding:list": see("funding.view"),
    "funding:export": see("funding.export"),
    "funding:withdraw": form("funding.request"),
    "funding:deposit": form("funding.request"),
    "funding:banks": see("funding.view"),
    "funding:ask_withdrawable": act("funding.request", of="number", in_body="account"),
    "funding:withdrawable": see("funding.request", "withdrawable", is_personal=True),
    "funding:client_panel": see("funding.view", "client"),
    "funding:client_withdraw": see("funding.request", "client"),
    "funding:client_deposit": see("funding.request", "client"),
    "funding:transfer_detail": see("funding.view", "transfer"),
    "funding:transfer_live": see("funding.view", "transfer"),
    "funding:approve": act("journal.approve", of="transfer"),
    "funding:decline": act("journal.approve", of="transfer"),
    "funding:take_back": act("funding.request", of="transfer"),
    "trading:portfolio": see("trading.view"),
    "trading:portfolio_export": see("trading.export"),
    "trading:portfolio_refresh": act("trading.view"),
    "trading:portfolio_refreshed": see("trading.view", "refresh", is_personal=True),
    "trading:account": see("trading.view", "number"),
    "trading:instrument_search": see("trading.view"),
    "trading:instrument_ask": act("trading.view"),
    "trading:instrument_found": see("trading.view", "search", is_personal=True),
    "trading:quoted": see("trading.view", "quote", is_personal=True),
    "trading:quote_live": see("trading.view", "instrument", is_shared=True),
    "trading:instrument": see("trading.view", "instrument", is_shared=True),
    "trading:instrument_choose": see("trading.view", "instrument", is_shared=True),
    "trading:quote": act("trading.view", of="instrument", is_shared=True),
    "trading:group_list": see("trading.view"),
    "trading:group_new": form("trading.manage_groups"),
    "trading:group_detail": see("trading.view", "group"),
    "trading:group_edit": form("trading.manage_groups", "group"),
    "trading:group_delete": act("trading.manage_groups", of="group"),
    "trading:order_new": see("trading.trade"),
    "trading:order_preview": act("trading.trade"),
    "trading:order_detail": see("trading.view", "order"),
    "trading:order_live": see("trading.view", "order"),
    "trading:what_if": act("trading.trade", of="draft", makers_only=True),
    "trading:what_if_shown": see("trading.trade", "what-if", is_personal=True),
    "trading:order_send": act("trading.send", of="draft"),
    "trading:order_discard": act("trading.trade", of="draft", makers_only=True),
    "trading:order_answer": act("trading.trade", of="order"),
    "trading:order_cancel": act("trading.trade", of="order"),
    "trading:order_take_back": act("trading.view", of="order"),  # the service decides; see below
    "trading:blotter": see("trading.view"),
    "trading:blotter_export": see("trading.export"),
    "trading:client_panel": see("trading.view", "client"),
    "trading:client_trade": see("trading.trade", "client"),
    "reporting:list": see("reporting.view"),
    "reporting:fetch": act("reporting.fetch"),
    "reporting:fetch_progress": see("reporting.view", "fetch", is_personal=True),
    "reporting:client_panel": see("reporting.view", "client"),
    "reporting:download": see("reporting.view", "file"),
    "reporting:report_detail": see("reporting.view", "report"),
    "api:schema": rest("home.view_today"),
    "api:docs": see("home.view_today"),
    "api:clients-list": rest("clients.view"),
    "api:clients-detail": rest("clients.view", "client"),
    "api:accounts-list": rest("clients.view"),
    "api:accounts-detail": rest("clients.view", "account"),
    "api:applications-list": rest("clients.view"),
    "api:applications-detail": rest("clients.view", "application"),
    "api:maintenance-list": rest("clients.view"),
    "api:maintenance-detail": rest("clients.view", "case"),
    "api:banks-list": rest("funding.view"),
    "api:banks-detail": rest("funding.view", "bank"),
    "api:transfers-list": rest("funding.view", post="funding.request", methods=BOTH),
    "api:transfers-detail": rest("funding.view", "transfer", post="funding.request"),
    "api:orders-list": rest("trading.view", post="trading.trade", methods=BOTH),
    "api:orders-detail": rest("trading.view", "order", post="trading.trade"),
    "api:positions-list": rest("trading.view"),
    "api:reports-list": rest("reporting.view"),
    "api:reports-detail": rest("reporting.view", "report"),
    "api:reports-file": rest("reporting.view", "report"),
    "api:approvals-list": rest("journal.approve"),
    "api:approvals-detail": rest("journal.approve", "submission"),
    "api:approvals-decision": rest("journal.approve", "submission", methods=WRITE),
}
# allauth's own pages: sign-in for everybody, the rest about nobody but the person who asks.
ACCOUNT_SIGNED_OUT = {
    "account_login", "account_logout", "account_inactive", "account_signup", "account_confirm_login_code",
    "account_confirm_email", "account_email_verification_sent", "account_reset_password", "account_reset_password_done",
    "account_reset_password_from_key", "account_reset_password_from_key_done", "mfa_authenticate", "mfa_login_webauthn",
    "people:accept",
}  # fmt: skip
# With the arguments of a thing that is nobody's, where an address names one.
ACCOUNT_OWN: dict[str, tuple[Any, ...]] = {
    "account_reauthenticate": (), "account_email": (), "account_change_password": (), "account_set_password": (),
    "mfa_index": (), "mfa_reauthenticate": (), "mfa_reauthenticate_webauthn": (), "mfa_activate_totp": (),
    "mfa_deactivate_totp": (), "mfa_view_recovery_codes": (), "mfa_generate_recovery_codes": (),
    "mfa_download_recovery_codes": (), "mfa_list_webauthn": (), "mfa_add_webauthn": (), "mfa_remove_webauthn": (7,),
    "mfa_edit_webauthn": (7,),
}  # fmt: skip


def addresses(resolver: Any = None, prefix: str = "") -> Iterator[str]:
    """Every name in the URLconf, with its app."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
        elif isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}"


# ---- the table and the URLconf


def test_every_address_has_an_entry_in_the_matrix() -> None:
    missing = set(addresses()) - set(MATRIX) - ACCOUNT_SIGNED_OUT - set(ACCOUNT_OWN)

    assert not missing, f"{', '.join(sorted(missing))}: has no entry in the matrix"


def test_every_entry_has_an_address() -> None:
    stale = (set(MATRIX) | ACCOUNT_SIGNED_OUT | set(ACCOUNT_OWN)) - set(addresses())

    assert not stale, f"{', '.join(sorted(stale))}: is in the matrix and not in the product"


def test_every_permission_of_the_table_is_in_the_policy() -> None:
    assert {name for entry in MATRIX.values() for name in entry.needs} <= set(PERMISSIONS)


# ---- the firm, written once for all requests; each request is undone


@pytest.fixture(scope="module")
def firm(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage",
             "OPTIONS": {"location": tmp_path_factory.mktemp("files")}}  # fmt: skip
    with django_db_blocker.unblock(), override_settings(STORAGES={**settings.STORAGES, "default": files}):
        block = transaction.atomic()
        block.__enter__()
        try:
            yield found_firm()
        finally:
            transaction.set_rollback(True)
            block.__exit__(None, None, None)


@dataclass(frozen=True)
class Reply:
    status: int
    to: str
    text: str
    writes: list[str]  # tables written to, the person's session and the record of a refusal left aside


class Visitor:
    """Somebody at a browser; what a request changes is undone after it."""

    def __init__(self, firm: Firm, name: str, **options: Any) -> None:
        self.browser = Browser(raise_request_exception=False, **options)
        if name in firm.people:
            self.browser.force_login(firm.people[name], backend="backoffice.people.backends.EmailBackend")

    def ask(self, method: str, url: str, data: Any = None, **headers: str) -> Reply:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            response = (
                self.browser.generic(method, url, headers=headers)
                if data is None
                else self.browser.post(url, data, headers=headers)
            )
            text = _text(response)
            transaction.set_rollback(True)
        found = (re.match(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"(\w+)\"", each["sql"]) for each in queries)
        kept = {"django_session", "usersessions_usersession"} | (REFUSAL if response.status_code >= 400 else set())
        kept |= {"cache"} if method == "OPTIONS" else set()  # a program's budget counts it
        writes = [each[1] for each in found if each and each[1] not in kept]
        return Reply(response.status_code, str(response.headers.get("Location", "")), text, writes)


def _text(response: Any) -> str:
    content: bytes = (
        b"".join(response.streaming_content)
        if getattr(response, "streaming", False)
        else HttpResponse.getvalue(response)
    )
    return content.decode(errors="replace")


@pytest.fixture(scope="module")
def visitors(firm: Firm) -> dict[str, Visitor]:
    return {name: Visitor(firm, name) for name in EVERYBODY}


# ---- the matrix


@pytest.mark.row(id="Z01")
@pytest.mark.row(id="Z11")
@pytest.mark.parametrize("name", MATRIX)
def test_an_address_lets_in_whom_the_table_names_and_nobody_else(
    name: str, firm: Firm, visitors: dict[str, Visitor]
) -> None:
    entry = MATRIX[name]
    wrong: list[str] = []
    for person, visitor in visitors.items():
        for method in METHODS:
            for place in places(entry, method):
                thing = firm.address_of(person, entry.of, place) if entry.of else ()
                url = reverse(name, args=() if entry.in_body else thing)
                data = {entry.in_body: thing[0]} if entry.in_body and method == "POST" else None
                reply = visitor.ask(method, url, data)
                if complaint := judge(entry, firm, person, method, place, reply):
                    wrong.append(f"{method} {name}, {person}, {place or 'no thing'}: {complaint}")

    assert not wrong, "\n".join(wrong)


def places(entry: Entry, method: str) -> tuple[str, ...]:
    """Whose things are asked for. HEAD is read by the same code as GET, so there another's is enough."""
    if not entry.of:
        return ("",)
    return (FOREIGN,) if method == "HEAD" else (OWN, FOREIGN, NOWHERE)


def judge(entry: Entry, firm: Firm, person: str, method: str, place: str, reply: Reply) -> str:
    """Say what is wrong with a reply, or nothing."""
    expected = expectation(entry, firm, person, method, place)
    if expected != "let in" and reply.writes:
        return f"was refused ({reply.status}) and yet wrote to {', '.join(sorted(set(reply.writes)))}"
    if expected == "sign in":
        is_well = reply.status == 302 and reply.to.startswith("/account/login/")
    elif expected == "let in":
        closed = {401, 403, 404} if method == "HEAD" else {401, 403, 404, 405}
        is_well = reply.status not in closed and "/account/login" not in reply.to
        is_well &= reply.status < 500 or (not entry.needs and reply.status == 503)  # readyz says what is down
        if not entry.of_the_firm and (leaked := leaks(firm, person, reply)):
            return f"shows {leaked}, which is of another book"
        if method in {"GET", "HEAD"} and not entry.shows_personal and (shown := personal(reply)):
            return f"shows {shown} unasked, which is personal (Z11)"
    else:
        is_well = reply.status in {int(word) for word in expected.split(" or ")}
        if not entry.of_the_firm and (leaked := leaks(firm, person, reply)):
            return f"was refused ({reply.status}) and yet shows {leaked}"
    return "" if is_well else f"{expected} was due, {reply.status} {reply.to} came"


def expectation(entry: Entry, firm: Firm, person: str, method: str, place: str) -> str:
    holds = not entry.needs or any(may(firm.people.get(person), permission) for permission in entry.needed(method))
    if entry.needs and person == "anonymous":
        return "401" if entry.is_api else "sign in"
    if method == "HEAD" and "GET" in entry.methods:  # the same without its body, where it is served
        read = expectation(entry, firm, person, "GET", place)
        return read if read == "let in" else f"{read} or 405"
    if method not in entry.methods:
        # OPTIONS tells a program which methods there are, and nothing of the thing.
        return ("405 or 200 or 403" if entry.is_api and method == "OPTIONS" else "405") if holds else "405 or 403"
    if not holds:
        return "403"
    if not entry.of:
        return "let in"
    if place == NOWHERE:
        return "404"
    if entry.is_shared:
        return "let in"
    if not (place == OWN if entry.is_personal else firm.reaches(person, place)):
        return "404"
    maker = "advisor" if place == OWN else "other_advisor"
    return "403" if entry.makers_only and person != maker else "let in"


def personal(reply: Reply) -> str:
    """Return what is personal beyond a name in what a person is shown."""
    return ", ".join(each for each in (*PERSONAL.values(), *RESIDENCE.values(), *TYPED) if each in reply.text)


def leaks(firm: Firm, person: str, reply: Reply) -> str:
    """Return a trace of another book in what a person is shown. (What was asked for by its own address is not one.)"""
    for place in (OWN, FOREIGN):
        if not firm.reaches(person, place):
            found = [trace for trace in TRACES[place] if trace in reply.text]
            if found:
                return ", ".join(found)
    return ""


# ---- signed out


@pytest.mark.parametrize("name", [name for name, entry in MATRIX.items() if entry.needs and "GET" in entry.methods])
def test_a_fragment_asked_for_when_signed_out_shows_nothing(
    name: str, firm: Firm, visitors: dict[str, Visitor]
) -> None:
    entry = MATRIX[name]
    url = reverse(name, args=firm.address_of("advisor", entry.of, OWN) if entry.of else ())

    reply = visitors["anonymous"].ask("GET", url, **{"HX-Request": "true"})

    assert reply.status in {302, 401, 403}
    assert not any(trace in reply.text for traces in TRACES.values() for trace in traces)


@pytest.mark.parametrize("name", sorted(ACCOUNT_OWN))
def test_an_own_account_page_asks_to_sign_in_first(name: str, visitors: dict[str, Visitor]) -> None:
    for method in BOTH:
        reply = visitors["anonymous"].ask(method, reverse(name, args=ACCOUNT_OWN[name]))

        assert (reply.status, reply.to.split("?")[0]) == (302, "/account/login/")


def test_a_factor_of_somebody_else_is_not_found(firm: Firm, visitors: dict[str, Visitor]) -> None:
    key = Authenticator.objects.create(user=firm.people["principal"], type="webauthn", data={"name": "Key"})

    for name in ("mfa_remove_webauthn", "mfa_edit_webauthn"):
        for method in BOTH:
            reply = visitors["administrator"].ask(method, reverse(name, args=[key.pk]))

            assert (name, reply.status, reply.writes) == (name, 404, [])


def test_nobody_can_sign_themselves_up(firm: Firm, visitors: dict[str, Visitor]) -> None:
    typed = {"email": "new@example.com", "password1": "correct horse battery", "password2": "correct horse battery"}

    reply = visitors["anonymous"].ask("POST", reverse("account_signup"), typed)

    assert "people_user" not in reply.writes
    assert reply.status in {200, 403, 404}


# ---- no token, no change


@pytest.mark.row(id="Z04")
@pytest.mark.parametrize("name", [name for name, entry in MATRIX.items() if "POST" in entry.methods])
def test_a_post_without_its_token_or_from_another_site_is_refused(name: str, firm: Firm) -> None:
    entry = MATRIX[name]
    visitor = Visitor(firm, "principal", enforce_csrf_checks=True)
    thing = firm.address_of("principal", entry.of, OWN) if entry.of else ()

    url = reverse(name, args=() if entry.in_body else thing)
    visitor.browser.get(reverse("home:today"))
    token = visitor.browser.cookies[settings.CSRF_COOKIE_NAME].value

    bare = visitor.ask("POST", url)
    from_elsewhere = visitor.ask("POST", url, **{"X-CSRFToken": token, "Origin": "https://elsewhere.example"})

    assert (bare.status, from_elsewhere.status) == (403, 403)
    assert bare.writes == from_elsewhere.writes == []


def test_a_post_with_its_token_from_our_own_pages_is_heard(firm: Firm) -> None:
    visitor = Visitor(firm, "principal", enforce_csrf_checks=True)
    visitor.browser.get(reverse("home:today"))
    token = visitor.browser.cookies[settings.CSRF_COOKIE_NAME].value

    reply = visitor.ask("POST", reverse("home:notices_read"), **{"X-CSRFToken": token, "Origin": "http://testserver"})

    assert reply.status != 403


# ---- what the person decides, beside the role


@pytest.mark.parametrize(("person", "status"), [("viewer", 403), ("advisor", 302), ("operations", 302)])
def test_an_order_is_taken_back_by_its_maker_or_by_who_may_release(
    person: str, status: int, firm: Firm, visitors: dict[str, Visitor]
) -> None:
    url = reverse("trading:order_take_back", args=firm.things[OWN]["order"])

    reply = visitors[person].ask("POST", url, {"reason": "The client called again"})

    assert reply.status == status
    assert bool(reply.writes) == (status == 302)


# ---- things of another book named in the body


def test_things_of_another_book_are_not_reached_by_naming_them_in_a_form(
    firm: Firm, visitors: dict[str, Visitor]
) -> None:
    own, other = firm.rows[OWN], firm.rows[FOREIGN]
    intent = "7b0b2a54-6f55-4f0e-a3ce-0f4f6c2f1f10"
    money = {"amount": "10", "currency": "USD", "note": "By phone", "intent": intent}
    ticket = {
        "conid": "265598", "side": "BUY", "quantity": "1", "order_type": "LMT", "limit_price": "100", "tif": "DAY",
        "reason": "Asked for", "intent": intent,
    }  # fmt: skip
    number = other["account"].number
    tries: list[tuple[str, dict[str, Any], int]] = [
        ("funding:withdraw", {**money, "account": other["account"].pk, "bank": other["bank"].pk}, 422),
        ("funding:withdraw", {**money, "account": own["account"].pk, "bank": other["bank"].pk}, 422),
        ("funding:deposit", {**money, "account": other["account"].pk}, 422),
        ("funding:ask_withdrawable", {"account": number, "currency": "USD"}, 404),
        ("trading:portfolio_refresh", {"account": number}, 404),
        ("trading:order_preview", {**ticket, "allocate_to": f"account:{number}"}, 422),
        ("trading:order_preview", {**ticket, "allocate_to": f"group:{other['group'].pk}"}, 422),
        ("trading:order_preview", {**ticket, "allocate_to": "chosen", f"units-{number}": "1"}, 422),
        ("trading:group_new", {"name": "Mixed", "method": "N", f"member-{number}": "on", "intent": intent}, 422),
        ("reporting:fetch", {"report": other["file"].report_id, "intent": intent}, 422),
        ("reporting:fetch", {"all": "missing", "account": number, "intent": intent}, 422),
        ("clients:application_start", {"book": other["book"].pk, "intent": intent}, 422),
    ]

    for name, data, status in tries:
        reply = visitors["advisor"].ask("POST", reverse(name), data)

        # The account's own list of banks may be asked for again while its form is drawn; nothing else is written.
        assert (name, reply.status, set(reply.writes) - {"funding_banklisting"}) == (name, status, set())
        assert not any(trace in reply.text for trace in TRACES[FOREIGN]), name


@pytest.mark.row(id="Z02")
@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("funding:withdraw", "advisor"), ("funding:deposit", "advisor"), ("trading:order_preview", "advisor"),
        ("trading:group_new", "advisor"), ("clients:application_start", "operations"),
        ("clients:account_alias", "advisor"), ("clients:account_address", "advisor"), ("clients:document_send", "advisor"),
        ("people:invite", "administrator"), ("people:tokens", "advisor"),
    ],
)  # fmt: skip
def test_a_protected_field_in_a_form_is_refused_in_words(
    name: str, person: str, firm: Firm, visitors: dict[str, Visitor]
) -> None:
    of = MATRIX[name].of
    url = reverse(name, args=firm.address_of(person, of, OWN) if of else ())
    forged = {"approvals_needed": "0", "maker": str(firm.people["viewer"].pk), "is_superuser": "1"}

    reply = visitors[person].ask("POST", url, {"intent": "7b0b2a54-6f55-4f0e-a3ce-0f4f6c2f1f10", **forged})

    assert (reply.status, set(reply.writes) - {"funding_banklisting"}) == (422, set())
    assert "This form does not take “approvals_needed”, “is_superuser”" in html.unescape(reply.text)


def test_a_paper_is_not_taken_for_a_task_of_another_application(firm: Firm, visitors: dict[str, Visitor]) -> None:
    own_application, _ = firm.things[OWN]["task"]
    _, other_task = firm.things[FOREIGN]["task"]

    reply = visitors["advisor"].ask("POST", reverse("clients:document_send", args=[own_application, other_task]))

    assert (reply.status, reply.writes) == (404, [])


@pytest.mark.parametrize("query", ["U1000022", "Hollow", "AAPL"])
def test_search_and_filters_find_nothing_of_another_book(query: str, firm: Firm, visitors: dict[str, Visitor]) -> None:
    pages = ["clients:client_list", "clients:client_export", "funding:list", "funding:banks"]
    pages += ["reporting:list", "trading:blotter", "trading:blotter_export", "clients:application_board"]
    for name in pages:
        url = f"{reverse(name)}?q={query}&account={query}&symbol={query}&view=all&tab=all"

        reply = visitors["advisor"].ask("GET", url)

        assert reply.status == 200, name
        shown = reply.text.replace(query, "")  # what was typed is shown again
        assert not any(trace in shown for trace in TRACES[FOREIGN]), name
    found = visitors["advisor"].ask("POST", reverse("home:search"), {"q": query}).text.replace(query, "")
    assert not any(trace in found for trace in TRACES[FOREIGN])
