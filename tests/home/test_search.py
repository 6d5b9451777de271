"""The search of the frame (Ctrl-K): what each kind of word finds, for whom, and that it stays quick among many."""

import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from backoffice.people.models import Book
from clients.models import Client

pytestmark = pytest.mark.django_db


def asking(user: Any, text: str) -> str:
    browser = Browser()
    browser.force_login(user, backend="backoffice.people.backends.EmailBackend")
    answer = browser.get(reverse("home:search"), {"q": text}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


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


def test_the_answer_comes_within_150_ms_among_a_hundred_thousand_clients(
    advisor: Any, principal: Any, book: Book
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO clients_client (id, first_name, last_name, book_id, email, phone, date_of_birth, residence,
                 tax_number, tax_number_index, tax_number_tail, country, created_at)
               SELECT gen_random_uuid(), 'First' || (n %% 977), 'Last' || n, %s, '', '', '', '', '', md5(n::text),
                 md5((n %% 10000)::text), 'USA', now() FROM generate_series(1, 100000) n""",
            [book.pk],
        )
        cursor.execute("ANALYZE clients_client")
    a_client("Ann", "Ledger", book, tax_number="123-45-6789")

    def milliseconds(user: Any, typed: str) -> int:
        """The quickest of three: what the server needs, not what else the machine is doing."""
        took = []
        for _ in range(3):
            began = time.perf_counter_ns()
            asking(user, typed)
            took.append(time.perf_counter_ns() - began)
        return min(took) // 1_000_000

    typed = ("first12", "last99999", "ann led", "6789", "U10000", "T-77", "fi", "nobody")
    taken = {(user.role, text): milliseconds(user, text) for user in (advisor, principal) for text in typed}

    assert max(taken.values()) < 150, taken
