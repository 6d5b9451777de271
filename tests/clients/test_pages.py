"""The pages: who sees what, what a bad form says, what is kept, and how many queries a list costs."""

import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse

from backoffice.audit import disclosures
from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.home import registry, selectors
from backoffice.journal.models import Inquiry, Submission
from backoffice.people import policy
from clients import translate
from clients.models import AccountTask, Application, Client, Document, MaintenanceRequest
from clients.selectors import today
from clients.services import applications, drafts, maintenance, people
from clients.services.applications import SeenTask
from tests import papers
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
Make = Callable[..., Any]
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def browse(client: Browser) -> Callable[[Any], Browser]:
    def sign_in(person: Any) -> Browser:
        client.force_login(person)
        return client

    return sign_in


def addresses(
    application: Application, account: Any, task: AccountTask, case: MaintenanceRequest
) -> list[tuple[str, str]]:
    """Every address that names a row, with the method it takes."""
    pk, person = application.pk, account.client.pk
    return [
        ("get", reverse("clients:client_detail", args=[person])),
        ("post", reverse("clients:client_reveal", args=[person, "email"])),
        ("get", reverse("clients:application_detail", args=[pk])),
        ("get", f"{reverse('clients:application_board')}?open={pk}"),
        ("get", reverse("clients:application_edit", args=[pk, "holder"])),
        ("post", reverse("clients:application_field", args=[pk, "email"])),
        ("post", reverse("clients:application_submit", args=[pk])),
        ("post", reverse("clients:application_discard", args=[pk])),
        ("post", reverse("clients:document_send", args=[pk, task.pk])),
        ("get", reverse("clients:maintenance_detail", args=[case.pk])),
        ("post", reverse("clients:maintenance_reveal", args=[case.pk])),
        ("get", reverse("clients:account_alias", args=[account.pk])),
        ("post", reverse("clients:account_address", args=[account.pk])),
        ("post", reverse("clients:account_portal", args=[account.pk])),
    ]


@pytest.fixture
def rows(draft: Make, open_account: Make, master: Any, advisor: Any) -> tuple[Any, ...]:
    from clients.services import maintenance

    application, account = draft(master), open_account(master)
    applications.record_tasks(
        account, [SeenTask("8002", "Proof of Address", "to send", "To Be Sent")], as_of=clock.now()
    )
    case = maintenance.request_alias(account=account, alias="House", intent=uuid.uuid4(), by=advisor)
    return application, account, AccountTask.objects.get(), case


def test_another_advisors_rows_are_not_found(
    rows: tuple[Any, ...], other_advisor: Any, other_book: Any, browse: Any
) -> None:
    browser = browse(other_advisor)

    answers = {url: getattr(browser, method)(url).status_code for method, url in addresses(*rows)}

    assert set(answers.values()) == {404}, answers


def test_a_viewer_reads_and_changes_nothing(rows: tuple[Any, ...], viewer: Any, browse: Any) -> None:
    browser = browse(viewer)
    application, account, _, case = rows

    refused = {
        url: browser.post(url).status_code
        for method, url in addresses(*rows)
        if method == "post" and "reveal" not in url
    }

    assert set(refused.values()) == {403}, refused
    assert browser.get(account.client.get_absolute_url()).status_code == 200
    assert browser.get(application.get_absolute_url()).status_code == 200
    assert browser.get(case.get_absolute_url()).status_code == 200
    assert browser.get(reverse("clients:application_start")).status_code == 403


def test_an_administrator_sees_no_client(rows: tuple[Any, ...], administrator: Any, browse: Any) -> None:
    browser = browse(administrator)

    for name in ("client_list", "client_export", "application_board", "maintenance_list"):
        assert browser.get(reverse(f"clients:{name}")).status_code == 403


def test_a_signed_out_reader_is_sent_to_sign_in(rows: tuple[Any, ...], client: Browser) -> None:
    for method, url in addresses(*rows):
        assert getattr(client, method)(url).status_code == 302


# ---- drafts


def test_a_field_is_kept_and_checked_as_it_is_left(draft: Make, master: Any, advisor: Any, browse: Any) -> None:
    application = draft(master)
    url = reverse("clients:application_field", args=[application.pk, "email"])

    answer = browse(advisor).post(url, {"email": "tester@gmail"}, **HTMX)

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "tester@gmail is not an address IBKR takes." in text
    assert "Write it like name@example.com." in text
    assert 'hx-swap-oob="true"' in text
    assert Application.objects.get().draft["email"] == "tester@gmail"


def test_while_typing_a_field_is_only_kept(draft: Make, master: Any, advisor: Any, browse: Any) -> None:
    application = draft(master)
    url = reverse("clients:application_field", args=[application.pk, "city"])

    answer = browse(advisor).post(f"{url}?keep", {"city": "Lei"}, **HTMX)

    assert 'id="at-city"' not in answer.content.decode()
    assert Application.objects.get().draft["city"] == "Lei"


def test_what_was_typed_is_there_after_signing_out(draft: Make, master: Any, advisor: Any, client: Browser) -> None:
    application = draft(master)
    client.force_login(advisor)
    client.post(reverse("clients:application_field", args=[application.pk, "first_name"]), {"first_name": "Ilse <b>"})
    client.logout()
    client.force_login(advisor)

    page = client.get(reverse("clients:application_edit", args=[application.pk, "holder"])).content.decode()

    assert 'value="Ilse &lt;b&gt;"' in page
    assert "NAM-02" in page


def test_what_is_missing_is_said_at_the_field_only_when_asked(
    draft: Make, master: Any, advisor: Any, browse: Any
) -> None:
    url = reverse("clients:application_edit", args=[draft(master, email="").pk, "contact"])
    browser = browse(advisor)

    assert "The e-mail is empty." not in browser.get(url).content.decode()
    assert "The e-mail is empty." in browser.get(f"{url}?check").content.decode()
    assert "E-mail missing" in browser.get(url).content.decode()


def test_no_permission_ticked_is_kept_as_none(draft: Make, master: Any, advisor: Any, browse: Any) -> None:
    application = draft(master)

    browse(advisor).post(reverse("clients:application_field", args=[application.pk, "permissions"]), {}, **HTMX)

    assert Application.objects.get().draft["permissions"] == []


def test_the_review_shows_the_payload_masked_and_sealed(draft: Make, master: Any, advisor: Any, browse: Any) -> None:
    application = draft(master)

    page = browse(advisor).get(reverse("clients:application_edit", args=[application.pk, "review"])).content.decode()

    assert application.external_id in page
    assert applications.sealed_request(application).sha256 in page
    assert "••••@example.org" in page
    assert "ilse.vandermolen@example.org" not in page
    assert "Iepenlaan 40" not in page


def test_submitting_what_was_shown_leads_to_the_application(
    draft: Make, master: Any, advisor: Any, browse: Any
) -> None:
    application = draft(master)
    url, sha256 = (
        reverse("clients:application_submit", args=[application.pk]),
        applications.sealed_request(application).sha256,
    )

    answers = [browse(advisor).post(url, {"sha256": sha256}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert Submission.objects.count() == 1


def test_submitting_with_a_defect_draws_the_review_and_sends_nothing(
    draft: Make, master: Any, advisor: Any, browse: Any
) -> None:
    application = draft(master, street1="PO Box 3")

    answer = browse(advisor).post(reverse("clients:application_submit", args=[application.pk]), {"sha256": "x"})

    assert answer.status_code == 422
    assert "IBKR does not take a post office box as a residence." in answer.content.decode()
    assert Submission.objects.count() == 0


def test_an_advisor_without_a_book_is_told_so(advisor: Any, master: Any, browse: Any) -> None:
    page = browse(advisor).get(reverse("clients:application_start"))

    assert "You have no book" in page.content.decode()


def test_a_foreign_book_cannot_be_chosen(book: Any, other_book: Any, master: Any, advisor: Any, browse: Any) -> None:
    answer = browse(advisor).post(reverse("clients:application_start"), {"intent": uuid.uuid4(), "book": other_book.pk})

    assert answer.status_code == 422
    assert Application.objects.count() == 0


# ---- the board


def test_the_board_and_the_table_show_the_same_applications(
    draft: Make, submitted: Make, master: Any, advisor: Any, browse: Any
) -> None:
    draft(master, first_name="Anna", email="")
    submitted(master, first_name="Berta")
    browser = browse(advisor)

    for url in ("", "?as=table"):
        page = browser.get(reverse("clients:application_board") + url).content.decode()
        assert "Anna Vandermolen" in page
        assert "1 defect stops it" in page
        assert "Berta Vandermolen" in page
        assert "On its way to IBKR" in page


def test_the_mark_changes_when_something_moved_and_not_with_age(
    submitted: Make, master: Any, advisor: Any, browse: Any
) -> None:
    application = submitted(master)
    browser, url = browse(advisor), reverse("clients:application_board")

    def mark() -> str:
        found = re.search(r'data-bo-mark="(\w+)"', browser.get(url, **HTMX).content.decode())
        assert found
        return found[1]

    first, same = mark(), mark()
    applications.mark_refused(application, ["No."])

    assert first == same
    assert mark() != first


@pytest.mark.parametrize("name", ["application_board", "client_list", "maintenance_list"])
def test_a_list_costs_the_same_for_one_row_and_for_many(
    name: str,
    submitted: Make,
    open_account: Make,
    master: Any,
    advisor: Any,
    browse: Any,
    django_assert_max_num_queries: Any,
) -> None:
    from clients.services import maintenance

    for place in range(6):
        submitted(master, first_name=f"Anna{'abcdef'[place]}")
        account = open_account(master, number=f"U10001{place}")
        maintenance.request_alias(account=account, alias="House", intent=uuid.uuid4(), by=advisor)
    browser = browse(advisor)
    browser.get(reverse("home:notice_count"), **HTMX)  # the first request of a session writes the session down

    with django_assert_max_num_queries(11):
        assert browser.get(reverse(f"clients:{name}"), **HTMX).status_code == 200


# ---- clients


def test_the_list_is_narrowed_by_the_address(open_account: Make, master: Any, advisor: Any, browse: Any) -> None:
    open_account(master)
    browser, url = browse(advisor), reverse("clients:client_list")

    for query, is_there in (
        ("?q=sonn", True),
        ("?q=U10000", True),
        ("?q=nobody", False),
        ("?stage=documents", False),
        ("?country=DEU", True),
    ):
        assert ("Friederike Sonnwald" in browser.get(url + query).content.decode()) is is_there, query
    assert "No client fits" in browser.get(f"{url}?q=nobody").content.decode()


def test_a_name_typed_to_narrow_the_list_stands_in_no_address(
    open_account: Make, book: Any, master: Any, advisor: Any, viewer: Any, browse: Any
) -> None:
    open_account(master)
    for place in range(45):
        Client(first_name="Sonnhild", last_name=f"Name{place:02}", book=book).save()
    browser, url = browse(advisor), reverse("clients:client_list")

    rows = browser.post(url, {"q": "sonn", "country": "DEU"}, **HTMX)
    many = browser.post(url, {"q": "sonn"}, **HTMX).content.decode()
    plain = browser.post(url, {"q": "sonn", "country": "DEU"})

    pushed = rows.headers["HX-Push-Url"]
    assert "Friederike Sonnwald" in rows.content.decode()
    assert "Sonnhild" not in rows.content.decode()  # the other filter stays
    for address in (pushed, plain.headers["Location"]):
        assert "sonn" not in address.lower()
        again = browser.get(address).content.decode()  # it survives a reload, with the word in its field
        assert "Friederike Sonnwald" in again
        assert 'value="sonn"' in again
    older = re.search(r'rel="next" href="([^"]+)"', many)
    assert older
    assert "sonn" not in older[1].lower()
    assert "Sonnhild Name44" in browser.get(url + older[1].replace("&amp;", "&")).content.decode()
    foreign = browse(viewer).get(pushed).content.decode()  # sealed for one person: for another it narrows nothing
    assert 'value="sonn"' not in foreign
    assert "q=" not in "".join(re.findall(r'href="([^"]+)"', again))


def test_pages_go_on_by_key_in_both_directions(book: Any, advisor: Any, browse: Any) -> None:
    for place in range(90):
        Client(first_name="A", last_name=f"Name{place:02}", book=book).save()
    browser, url = browse(advisor), reverse("clients:client_list")
    seen: list[str] = []

    query = ""
    while True:
        page = browser.get(url + query).content.decode()
        seen += re.findall(r"A (Name\d\d)</a>", page)
        link = re.search(r'rel="next" href="([^"]+)"', page)
        if not link:
            break
        query = link[1].replace("&amp;", "&")
    back = re.search(r'rel="prev" href="([^"]+)"', page)

    assert seen == [f"Name{place:02}" for place in range(90)]
    assert back
    assert re.findall(r"A (Name\d\d)</a>", browser.get(url + back[1]).content.decode()) == seen[40:80]


@pytest.mark.row(id="Z07")
def test_the_export_runs_no_formula(book: Any, advisor: Any, browse: Any) -> None:
    Client(first_name="=HYPERLINK(1)", last_name="Evil", book=book).save()

    answer = browse(advisor).get(reverse("clients:client_export"))

    text = b"".join(answer.streaming_content).decode()
    assert "\r\n'=HYPERLINK(1) Evil," in text


def test_no_personal_value_is_in_the_page_before_it_is_asked_for(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    client = open_account(master).client
    browser = browse(advisor)

    page = browser.get(client.get_absolute_url()).content.decode()
    for value in ("friederike.sonnwald@example.com", "4915155501034", "1958-07-30", "Ahornweg", "12345678901"):
        assert value not in page
    url = reverse("clients:client_reveal", args=[client.pk, "residence"])
    for unexplained in ({}, {"reason": "curiosity"}):
        refused = browser.post(url, unexplained, **HTMX)
        assert (refused.status_code, "Ahornweg" in refused.content.decode()) == (422, False)
    answer = browser.post(url, {"reason": "IBKR asked"}, **HTMX)

    assert "Ahornweg 17, 79098 Freiburg, Germany" in answer.content.decode()
    (entry,) = Entry.objects.filter(action="clients.reveal", actor=advisor)
    assert entry.summary == "Address shown: IBKR asked"


def test_only_personal_fields_can_be_revealed(open_account: Make, master: Any, advisor: Any, browse: Any) -> None:
    client = open_account(master).client

    assert (
        browse(advisor).post(reverse("clients:client_reveal", args=[client.pk, "tax_number_index"])).status_code == 404
    )


# ---- documents and maintenance


@pytest.mark.row(id="Z08")
def test_an_upload_that_is_refused_says_why_at_the_field(
    applying_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    account = applying_account(master)
    applications.record_tasks(
        account, [SeenTask("8002", "Proof of Address", "to send", "To Be Sent")], as_of=clock.now()
    )
    task = AccountTask.objects.get()
    url = reverse("clients:document_send", args=[account.application.pk, task.pk])
    browser = browse(advisor)

    def give(name: str, content: bytes, **fields: str) -> Any:
        given = {"file": SimpleUploadedFile(name, content), "proof_type": "Utility Bill", "intent": str(uuid.uuid4())}
        return browser.post(url, given | fields)

    for answer, words in (
        (give("bill.pdf", b"MZ program"), "The file is neither PDF, PNG nor JPEG."),
        (give("bill.pdf", b""), "The file is empty."),
        (give("bill.pdf", papers.pdf(), proof_type=""), "IBKR asks what this document is."),
    ):
        assert answer.status_code == 422
        assert words in answer.content.decode()
    assert Document.objects.count() == 0
    assert give("a very long name of a bill.pdf", papers.pdf()).status_code == 302
    assert Document.objects.get().file_name == "a-very-long-name.pdf"


def test_a_change_of_address_refuses_a_po_box_and_keeps_what_was_typed(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    account = open_account(master)
    url = reverse("clients:account_address", args=[account.pk])
    typed = {"country": "DEU", "street1": "PO Box 9", "city": "Lahr", "postal_code": "77933", "intent": uuid.uuid4()}

    answer = browse(advisor).post(url, typed)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "IBKR does not take a post office box as a residence." in page
    assert 'value="Lahr"' in page
    assert MaintenanceRequest.objects.count() == 0


def test_the_form_of_a_new_address_keeps_the_present_one_masked_until_a_reason_is_given(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    account = open_account(master)
    street = translate.residence_fields(account.client.residence)["street1"]
    browser = browse(advisor)

    page = browser.get(reverse("clients:account_address", args=[account.pk])).content.decode()

    reveal = reverse("clients:client_reveal", args=[account.client_id, "residence"])
    assert street
    assert street not in page
    assert f'hx-post="{reveal}"' in page
    assert not disclosures.of(account.client)
    assert street in browser.post(reveal, {"reason": "IBKR asked"}).content.decode()


def test_a_masked_value_stands_where_a_browser_leaves_it_whole(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    """Its eye holds a form. In another form a browser drops it and ends the outer one; a paragraph ends before it."""
    account = open_account(master)
    browser = browse(advisor)
    typed = {"country": "DEU", "street1": "Lindenhof 4", "city": "Lahr", "postal_code": "77933"}
    case = maintenance.request_address(account=account, address=typed, intent=uuid.uuid4(), by=advisor)

    for url in (
        reverse("clients:account_address", args=[account.pk]),
        account.client.get_absolute_url(),
        case.get_absolute_url(),
    ):
        page = browser.get(url).content.decode()

        assert "bo-masked__ask" in page
        depth = {"form": 0, "p": 0}
        for close, tag in re.findall(r"<(/?)(form|p|details)\b", page):
            if tag != "details":
                depth[tag] += -1 if close else 1
            assert depth["form"] in {0, 1}, url
            assert tag == "p" or depth["p"] == 0, f"a paragraph of {url} holds a {tag}"


def test_a_new_address_says_which_parts_may_stay_empty(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    account = open_account(master)
    browser, url = browse(advisor), reverse("clients:account_address", args=[account.pk])

    page = browser.get(url).content.decode()
    refused = browser.post(url, {"country": "DEU", "intent": uuid.uuid4()})

    assert page.count('<span class="bo-field__optional">optional</span>') == 2  # flat or building, and state
    words = refused.content.decode()
    assert refused.status_code == 422
    assert words.count("Street is empty.") == words.count("City is empty.") == words.count("Postal code is empty.") == 1
    assert "This field is required" not in words


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("account_alias", {"alias": "Nest egg"}),
        ("account_address", {"country": "DEU", "street1": "Weg 1", "city": "Lahr", "postal_code": "77933"}),
    ],
)
def test_a_change_without_the_forms_own_key_is_refused_in_words(
    name: str, typed: dict[str, str], open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    answer = browse(advisor).post(reverse(f"clients:{name}", args=[open_account(master).pk]), typed)

    assert answer.status_code == 422
    assert not MaintenanceRequest.objects.exists()


def test_a_case_shows_both_addresses_in_whole_only_with_a_reason(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    account = open_account(master)
    typed = {"country": "DEU", "street1": "Lindenhof 4", "city": "Lahr", "postal_code": "77933"}
    browser = browse(advisor)
    case = maintenance.request_address(account=account, address=typed, intent=uuid.uuid4(), by=advisor)
    before = translate.residence_fields(account.client.residence)["street1"]
    reveal = reverse("clients:maintenance_reveal", args=[case.pk])

    page = browser.get(case.get_absolute_url()).content.decode()
    refused = browser.post(reveal, {"reason": "curiosity"}, **HTMX)
    shown = browser.post(reveal, {"reason": "IBKR asked"}, **HTMX)

    assert "Lindenhof" not in page
    assert f'hx-post="{reveal}"' in page
    assert (refused.status_code, "Lindenhof" in refused.content.decode()) == (422, False)
    assert f"{before}, " in shown.content.decode()
    assert "→ Lindenhof 4, 77933 Lahr, Germany" in shown.content.decode()
    assert shown.headers["Cache-Control"] == "no-store"
    (entry,) = Entry.objects.filter(action="clients.reveal", actor=advisor)
    assert entry.summary == "Residence address to be changed shown: IBKR asked"
    assert disclosures.of(account.client)


def test_a_change_leads_to_its_case_with_before_and_after(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    account = open_account(master, alias="Old name")
    browser = browse(advisor)

    answer = browser.post(
        reverse("clients:account_alias", args=[account.pk]), {"alias": "New name", "intent": uuid.uuid4()}
    )

    case = MaintenanceRequest.objects.get()
    page = browser.get(answer["Location"]).content.decode()
    assert answer["Location"] == case.get_absolute_url()
    assert "Old name" in page
    assert "New name" in page


# ---- the portal


def test_the_portal_tab_waits_and_then_goes_to_ibkr_once(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    from backoffice.journal import inquiries

    browser = browse(advisor)
    started = browser.post(reverse("clients:account_portal", args=[open_account(master).pk]), {"page": ""})
    inquiry = Inquiry.objects.get()
    assert inquiry.params["address"] == "127.0.0.1"
    assert "Asking IBKR" in browser.get(started["Location"]).content.decode()
    inquiries.answer(inquiry, {"url": "https://www.interactivebrokers.com/sso/x"})

    answer = browser.get(started["Location"], **HTMX)

    assert answer["HX-Redirect"] == "https://www.interactivebrokers.com/sso/x"
    assert Inquiry.objects.count() == 0
    assert "This link was used" in browser.get(started["Location"], **HTMX).content.decode()


def test_another_person_cannot_take_the_link(
    open_account: Make, master: Any, advisor: Any, operations: Any, client: Browser
) -> None:
    client.force_login(advisor)
    started = client.post(reverse("clients:account_portal", args=[open_account(master).pk]), {"page": ""})
    client.force_login(operations)

    assert client.get(started["Location"]).status_code == 404


# ---- the frame


def test_today_asks_for_what_a_person_must_do(
    applying_account: Make, submitted: Make, master: Any, advisor: Any, other_advisor: Any
) -> None:
    account = applying_account(master)
    rejected = SeenTask("8002", "Proof of Address", "to send", "Rejected .. old", reject_reason="The document is old")
    applications.record_tasks(account, [rejected], as_of=clock.now())
    applications.mark_refused(submitted(master), ["No."])

    items = {item.kind.partition(":")[0]: item for item in today.inbox(advisor)}

    assert set(items) == {"clients.rejected", "clients.refused"}
    assert items["clients.rejected"].ibkr_words == "The document is old"
    assert list(today.inbox(other_advisor)) == []


def test_an_unknown_outcome_turns_the_count_violet(submitted: Make, master: Any, advisor: Any) -> None:
    submitted(master)
    Submission.objects.update(state="unknown", unknown_since=clock.now())

    count = today.application_count(advisor)

    assert count == registry.Count(1, "unknown")
    assert [item.group for item in today.inbox(advisor)] == ["doubt"]


def test_search_finds_names_and_accounts_of_ones_own_book(
    open_account: Make, master: Any, advisor: Any, other_advisor: Any
) -> None:
    open_account(master)

    assert ("U1000013", "Friederike Sonnwald") in {
        (hit.title, hit.detail) for hit in selectors.search(advisor, "u1000013")
    }
    assert "Friederike Sonnwald" in {hit.title for hit in selectors.search(advisor, "friede")}
    assert [hit for hit in selectors.search(other_advisor, "friede") if hit.kind == "Client"] == []


def test_the_way_into_the_portal_of_a_client_lost_meanwhile_is_shut(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    inquiry = people.open_portal(account=open_account(master), address="127.0.0.1", page="", by=advisor)
    inquiry.answer_text, inquiry.state = '{"url": "https://portal.example/sso"}', "answered"
    inquiry.save()
    advisor.books.clear()

    answer = browse(advisor).get(reverse("clients:portal_wait", args=[inquiry.pk]))

    assert answer.status_code == 404
    assert "portal.example" not in answer.content.decode() + str(answer.headers)
    assert Entry.objects.filter(action="clients.open_portal").count() == 1


def test_the_portal_asks_who_it_is_and_its_link_still_works_once(
    open_account: Make, master: Any, advisor: Any, browse: Any
) -> None:
    address, browser = reverse("clients:account_portal", args=[open_account(master).pk]), browse(advisor)
    session = browser.session
    del session["proven_at"]
    session.save()

    asked = browser.post(address, {"page": "AccountSettings"})
    assert asked["Location"] == f"/account/reauthenticate/?next={quote(address, safe='')}"
    assert not Inquiry.objects.filter(kind="clients.answer_portal_link").exists()
    waits = browser.post(asked["Location"], {"password": PASSWORD, "next": address})["Location"]

    inquiry = Inquiry.objects.get(kind="clients.answer_portal_link")
    assert waits == reverse("clients:portal_wait", args=[inquiry.pk])
    assert inquiry.params["page"] == "AccountSettings"
    inquiry.answer_text, inquiry.state = '{"url": "https://portal.example/sso"}', "answered"
    inquiry.save()
    assert browser.get(waits)["Location"] == "https://portal.example/sso"
    assert browser.get(waits).status_code == 404
    assert "clients.open_portal" not in policy.SCOPE_WORDS


def test_whoever_changes_one_field_of_a_draft_still_leaves_a_line_when_the_rest_is_shown(
    draft: Make, master: Any, advisor: Any, operations: Any, browse: Any
) -> None:
    application = draft(master)
    browser = browse(operations)
    browser.post(reverse("clients:application_field", args=[application.pk, "margin"]), {"margin": "RegT"})

    page = browser.get(reverse("clients:application_edit", args=[application.pk, "holder"]))

    assert "1988-02-11" in page.content.decode()
    shown = Entry.objects.get(action="clients.show_draft")
    assert (shown.actor, "date_of_birth" in shown.data["fields"]) == (operations, True)


def test_what_a_person_typed_alone_is_shown_to_them_without_a_line(
    draft: Make, master: Any, advisor: Any, operations: Any, browse: Any
) -> None:
    application = draft(master)
    drafts.save_draft(application=application, values={"margin": "RegT"}, by=operations)

    browse(advisor).get(reverse("clients:application_edit", args=[application.pk, "holder"]))

    assert not Entry.objects.filter(action="clients.show_draft").exists()


def test_opening_draft_after_draft_that_others_typed_ends_with_the_hours_share(
    draft: Make, master: Any, advisor: Any, operations: Any, browse: Any, settings: Any
) -> None:
    settings.REVEALS_PER_HOUR = 2
    keys = [draft(master, email=f"client{number}@example.org").pk for number in range(3)]
    browser = browse(operations)

    answers = [
        [browser.get(reverse("clients:application_edit", args=[key, section])) for section in ("holder", "holder")]
        for key in keys
    ]

    assert [[each.status_code for each in sections] for sections in answers] == [[200, 200], [200, 200], [403, 403]]
    assert "within an hour" in answers[2][0].content.decode()
    assert Entry.objects.filter(action="audit.mass_drafts", actor=operations).count() == 1
