"""The search of the frame (Ctrl-K): what each kind of word finds, for whom, and that it stays quick among many."""

import time
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.embedded import bench_search
from backoffice.people.models import Book
from clients.models import Account, Application, Client

pytestmark = pytest.mark.django_db
MOST_PAGES = 20_000  # of 8 kB, in memory: about 20 ms


def signed_in(user: Any) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="backoffice.people.backends.EmailBackend")
    return browser


def asking(user: Any, text: str) -> str:
    return ask(signed_in(user), text)


def ask(browser: Browser, text: str) -> str:
    answer = browser.post(reverse("home:search"), {"q": text}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


@dataclass(frozen=True)
class Cost:
    """What one answer costs whatever else the machine does: pages of the database, and milliseconds of our processor."""

    pages: int
    milliseconds: int


def cost_of(user: Any, typed: str) -> Cost:
    browser, times = signed_in(user), []
    for _ in range(2):
        began = time.process_time_ns()
        ask(browser, typed)
        times.append(time.process_time_ns() - began)
    with CaptureQueriesContext(connection) as asked:
        ask(browser, typed)
    pages = 0
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query['sql']}")
                plan = cursor.fetchone()[0][0]["Plan"]
                pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return Cost(pages, min(times) // 1_000_000)


def a_client(first: str, last: str, book: Book, **fields: str) -> Client:
    made = Client(first_name=first, last_name=last, book=book, **fields)
    made.save(force_insert=True)
    return made


@pytest.fixture
def book(advisor: Any) -> Book:
    book = Book.objects.create(name="Many")
    book.members.add(advisor)
    return book


@pytest.mark.parametrize(
    "typed", ["muller", "Müll", "jörg m", "MULLER jorg", "van", "berg mull", "  müller   berg ", "müller-van"]
)
def test_a_name_is_found_by_the_beginnings_of_its_words_without_accents(advisor: Any, book: Book, typed: str) -> None:
    a_client("Jörg", "Müller-van den Berg", book)

    assert "Jörg Müller-van den Berg" in asking(advisor, typed)


@pytest.mark.parametrize("typed", ["üller", "muller anna", "zz", "%%", "' OR 1=1 --", ":* & !a", "((("])
def test_what_is_no_beginning_of_its_words_finds_nobody(advisor: Any, book: Book, typed: str) -> None:
    a_client("Jörg", "Müller-van den Berg", book)

    assert "Nothing you may see matches" in asking(advisor, typed)


def test_a_tax_number_is_found_whole_or_by_its_last_four_and_never_shown(advisor: Any, book: Book) -> None:
    a_client("Ann", "Ledger", book, tax_number="123-45-6789")

    for typed in ("6789", "123-45-6789", "123-45- 6789"):
        found = asking(advisor, typed)
        assert "Ann Ledger" in found
        assert "Tax number ending 6789" in found
        assert "123-45" not in found.replace(typed, "")
    assert "Ann Ledger" not in asking(advisor, "5678")


def test_an_account_is_found_by_the_last_four_of_its_number(
    advisor: Any, other_advisor: Any, book: Book, master: Any
) -> None:
    owner = a_client("Ada", "Lind", book)
    Account.objects.create(number="U1204417", client=owner, master=master, base_currency="USD")

    assert "U1204417" in asking(advisor, "4417")
    assert "U1204417" not in asking(other_advisor, "4417")
    assert "U1204417" not in asking(advisor, "204417")


def test_another_book_is_not_found_by_any_of_it(other_advisor: Any, book: Book) -> None:
    a_client("Ann", "Ledger", book, tax_number="123-45-6789")

    for typed in ("ann", "ledger", "6789", "123-45-6789"):
        assert "Nothing you may see matches" in asking(other_advisor, typed)


def test_changing_a_tax_number_changes_what_finds_it(advisor: Any, book: Book) -> None:
    client = a_client("Ann", "Ledger", book, tax_number="123-45-6789")
    client = Client.objects.get(pk=client.pk)
    client.tax_number = "987-65-4321"
    client.save()
    Client.objects.get(pk=client.pk).save()  # not opened, so not changed

    assert "Ann Ledger" in asking(advisor, "4321")
    assert "Nothing you may see matches" in asking(advisor, "6789")


def test_an_answer_reads_little_among_a_hundred_thousand_clients_with_accounts_money_orders_and_reports() -> None:
    """The time itself is measured by `make bench`; what a busy machine cannot blur is held here."""
    people = bench_search.fill(500)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO clients_client (id, first_name, last_name, book_id, email, phone, date_of_birth, residence,
                 tax_number, tax_number_index, tax_number_tail, country, created_at)
               SELECT gen_random_uuid(), 'First' || (n %% 977), 'Last' || n, %s, '', '', '', '', '', md5(n::text),
                 md5((n %% 10000)::text), 'USA', now() FROM generate_series(1, 100000) n""",
            [Book.objects.order_by("name").first().pk],
        )
        cursor.execute("ANALYZE clients_client")

    typed = (
        "first12",
        "last99999",
        "fi",
        "an mor",
        "nobody",
        "U20",
        "4321",
        "T-76",
        "5000075",
        "202610",
        "U20 202610",
        "000000",
    )
    costs = {(user.role, text): cost_of(user, text) for user in people for text in typed}

    assert max(cost.pages for cost in costs.values()) < MOST_PAGES, costs
    assert max(cost.milliseconds for cost in costs.values()) < 150, costs


def test_a_letter_typed_asks_the_database_a_fixed_number_of_times(django_assert_max_num_queries: Any) -> None:
    for person in bench_search.fill(300):
        browser = signed_in(person)
        browser.post(reverse("home:search"), {"q": "an"})
        with django_assert_max_num_queries(24):
            browser.post(reverse("home:search"), {"q": "an"}, headers={"HX-Request": "true"})


def test_each_kind_of_thing_is_found_by_its_number_or_its_persons_name(principal: Any) -> None:
    bench_search.fill(300)
    account = Account.objects.get(number="U2000075")
    transfer = account.cash_transfers.get()
    expected = {
        account.number: ("U2000075", "Withdrawal 5000075", "Monthly statement", "T-76"),
        account.client.name: ("U2000075", "Withdrawal 5000075", "Monthly statement", "T-76"),
        "T-76": ("T-76",), "900075": ("T-76",), "5000075": ("Withdrawal 5000075",),
        transfer.instruction_id: ("Withdrawal 5000075",),
        **dict.fromkeys(("BO-000000000075", "bo-000000000075", "000000000075"), ("Application",)),
        **dict.fromkeys(("202610", "2026-10", "October 2026"), ("Monthly statement, October 2026",)),
        **dict.fromkeys(
            ("U2000075 202610", f"{account.client.name} oct 2026", "October 2026 U2000075"),
            ("Monthly statement, October 2026", "U2000075, version 1"),
        ),
        "0075": (account.client.name, "Tax number ending 0075", "Withdrawal 5000075"),
    }  # fmt: skip

    for typed, titles in expected.items():
        found = asking(principal, typed)
        assert [title for title in titles if title not in found] == [], typed


def test_an_application_that_was_refused_is_found_by_the_key_it_was_first_sent_with(principal: Any) -> None:
    bench_search.fill(100)
    Application.objects.filter(external_id="BO-000000000075").update(external_id="BO-000000000075.3")

    for typed in ("BO-000000000075", "BO-000000000075.2", "bo-000000000075.3"):
        assert asking(principal, typed).count("Application") == 1, typed


def test_a_report_of_another_period_or_account_is_not_found(principal: Any, other_advisor: Any) -> None:
    bench_search.fill(100)
    account = Account.objects.get(number="U2000075")
    account.reports.create(granularity="daily", period="20261030", state="held", version=1, offered_at=clock.now())

    found = asking(principal, "U2000075 Oct 2026")
    assert found.index("Monthly statement, October 2026") < found.index("Daily statement, 30 October 2026")
    assert "Daily statement" in asking(principal, "30 Oct 2026")
    for typed in ("U2000075 202609", "September 2026", "202613", "31 Feb 2026", "2025"):
        assert "statement" not in asking(principal, typed), typed
    assert "statement" not in asking(other_advisor, "202610")


def test_what_is_typed_stays_out_of_the_address(advisor: Any, book: Book) -> None:
    a_client("Ann", "Ledger", book, tax_number="123-45-6789")
    browser = signed_in(advisor)

    form = browser.get(reverse("home:today")).content.decode()
    by_address = browser.get(reverse("home:search"), {"q": "ledger"}).content.decode()
    entries = Entry.objects.count()
    posted = browser.post(reverse("home:search"), {"q": "123-45-6789"}).content.decode()

    assert f'method="post" action="{reverse("home:search")}"' in form
    assert f'hx-post="{reverse("home:search")}"' in form
    assert "Ann Ledger" not in by_address
    assert "Ann Ledger" in posted
    assert Entry.objects.count() == entries  # a look is not an act
