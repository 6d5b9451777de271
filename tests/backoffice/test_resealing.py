"""A key is changed while people work: nothing is lost, nothing is unreadable, and the old key is needed no more (B13)."""

import threading
import time
import uuid
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from backoffice.core import clock
from backoffice.core.crypto import Undecipherable, blind_index, seal
from backoffice.core.errors import Conflict
from backoffice.journal import decisions, inquiries
from backoffice.journal.models import Evidence
from backoffice.people.adapter import SECRETS_PLACE
from backoffice.people.models import Book, User
from clients.models import Account, Client
from reporting import services as reports
from reporting import translate
from reporting.models import ReportFile
from tests import papers
from tests.funding.conftest import make_account
from tests.journal_rows import make_submission

OLD = "k1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
NEW = "k2:Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M="


def reseal(*options: str) -> str:
    said = StringIO()
    call_command("reseal", *options, stdout=said)
    return said.getvalue()


def under(key: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM clients_client WHERE tax_number LIKE %s", [f"v1.{key}.%"])
        return int(cursor.fetchone()[0])


def a_client(book: Book, number: int) -> Client:
    tax_number, last_name = f"123-45-{number:04d}", f"Ledger {number}"
    client = Client(first_name="Ann", last_name=last_name, book=book, tax_number=tax_number, email="a@example.com")
    client.save(force_insert=True)
    return client


@pytest.mark.django_db
def test_everything_moves_to_the_new_key_and_the_old_one_can_go(
    settings: Any, advisor: Any, master: Any, tmp_path: Any
) -> None:
    settings.FIELD_KEYS = OLD
    settings.STORAGES = {**settings.STORAGES, "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}}  # fmt: skip
    book = Book.objects.create(name="Many")
    book.members.add(advisor)
    clients = [a_client(book, number) for number in range(502)]  # more than a page of values
    account = make_account("U1000011", master, book)
    asked = inquiries.ask("trading.answer_quote", {"conid": "1"}, by=advisor)
    inquiries.answer(inquiries.take(str(asked.pk)), {"last": "1.5"})
    Authenticator.objects.create(
        user=advisor, type="totp", data={"secret": seal(b"JBSWY3DPEHPK3PXP", SECRETS_PLACE), "note": "kept"}
    )
    file = a_file(account, advisor)
    settings.FIELD_KEYS = f"{NEW},{OLD}"

    said = reseal()

    assert "clients_client.tax_number: 503 sealed anew, 0 unreadable" in said
    assert "mfa_authenticator.data: 1 sealed anew, 0 unreadable" in said
    assert "report files: 1 sealed anew, 0 unreadable" in said
    assert said.endswith("Everything is under the first key; the others may be taken out of FIELD_KEYS.\n")
    settings.FIELD_KEYS = NEW
    assert Client.objects.get(pk=clients[7].pk).tax_number == "123-45-0007"
    assert reports.open_file(ReportFile.objects.get(pk=file.pk), by=advisor) == b"%PDF-1.4 one page"
    asked.refresh_from_db()
    assert asked.answer == {"last": "1.5"}
    assert "sealed anew" not in reseal()


@pytest.mark.django_db
def test_a_paper_beside_a_decision_moves_to_the_new_key_and_stays_the_paper_it_was(
    settings: Any, advisor: Any, master: Any
) -> None:
    settings.FIELD_KEYS = OLD
    call = papers.pdf()
    paper = decisions.add_evidence(
        make_submission(master, advisor, approvals_needed=1), name="call.pdf", content=call, by=advisor
    )
    settings.FIELD_KEYS = f"{NEW},{OLD}"

    said = reseal()

    assert "journal_evidence.content: 1 sealed anew, 0 unreadable" in said
    settings.FIELD_KEYS = NEW
    assert decisions.content_of(Evidence.objects.get(pk=paper.pk)) == call


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "file_name = 'other.pdf'",
        "sha256 = repeat('0', 64)",
        "size = 1",
        "content_type = 'text/html'",
        "added_at = now()",
    ],
)
def test_raw_sql_makes_no_other_paper_of_it(change: str, advisor: Any, master: Any) -> None:
    submission = make_submission(master, advisor, approvals_needed=1)
    paper = decisions.add_evidence(submission, name="call.pdf", content=papers.pdf(), by=advisor)

    for statement in (f"UPDATE journal_evidence SET {change}", "DELETE FROM journal_evidence"):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    other = decisions.add_evidence(submission, name="other.pdf", content=papers.pdf(2), by=advisor)
    paper.content = other.content
    paper.save(update_fields=["content"])

    with pytest.raises(Conflict, match="not the paper that was added"):
        decisions.content_of(Evidence.objects.get(pk=paper.pk))


def a_file(account: Account, by: User) -> ReportFile:
    reports.record_offer(account, monthly=translate.months_back(clock.today(clock.NEW_YORK), 2), annual=())
    request = reports.request_fetch(reports=account.reports.order_by("period")[:1], by=by, intent=uuid.uuid4())
    item = reports.take(str(request.items.get().pk))
    assert item is not None
    return reports.keep(item, b"%PDF-1.4 one page")


@pytest.mark.django_db
def test_a_value_that_opens_with_no_key_is_told_and_left_as_it_is(settings: Any) -> None:
    settings.FIELD_KEYS = OLD
    book = Book.objects.create(name="Lost")
    lost = a_client(book, 1)
    settings.FIELD_KEYS = NEW
    kept = a_client(book, 2)

    with pytest.raises(CommandError, match="open with no key"):
        reseal()

    assert Client.objects.get(pk=kept.pk).tax_number == "123-45-0002"
    with pytest.raises(Undecipherable):
        _ = Client.objects.get(pk=lost.pk).tax_number
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    assert "2 sealed anew" not in reseal()
    assert Client.objects.get(pk=lost.pk).tax_number == "123-45-0001"


@pytest.mark.django_db(transaction=True)
def test_what_people_save_meanwhile_is_never_lost(settings: Any) -> None:
    settings.FIELD_KEYS = OLD
    book = Book.objects.create(name="Busy")
    clients = [a_client(book, number) for number in range(60)]
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    written: dict[Any, str] = {client.pk: client.tax_number for client in clients}
    failures: list[str] = []
    is_over = threading.Event()

    def work(mine: list[Client]) -> None:
        turn = 0
        while not is_over.is_set() and turn < 200:
            turn += 1
            for client in mine:
                try:
                    row = Client.objects.get(pk=client.pk)
                    if row.tax_number != written[client.pk]:
                        failures.append(f"{row.tax_number} is not {written[client.pk]}")
                    row.tax_number = written[client.pk] = f"987-{turn:02d}-{client.last_name[-4:]}"
                    row.save()
                except Undecipherable as problem:
                    failures.append(str(problem))
        connection.close()

    people = [threading.Thread(target=work, args=(clients[place::4],)) for place in range(4)]
    for each in people:
        each.start()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        reseal()
    is_over.set()
    for each in people:
        each.join()
    reseal()

    settings.FIELD_KEYS = NEW
    assert failures == []
    assert {client.pk: client.tax_number for client in Client.objects.all()} == written
    assert under("k1") == 0


@pytest.mark.django_db
def test_a_new_index_key_finds_everybody_again(settings: Any) -> None:
    client = a_client(Book.objects.create(name="Index"), 42)
    settings.BLIND_INDEX_KEY = "RERERERERERERERERERERERERERERERERERERERERERE"[:43] + "="
    assert not Client.objects.with_tax_number("123-45-0042").exists()

    reseal("--indexes")

    assert Client.objects.with_tax_number("123-45-0042").get() == client
    assert Client.objects.with_tax_number("123 45 0042").get() == client
    assert Client.objects.with_tax_number("0042").get() == client


@pytest.mark.django_db
def test_the_migration_finds_by_letters_and_digits_who_was_indexed_with_punctuation_and_turns_back() -> None:
    client = a_client(Book.objects.create(name="Index"), 42)
    old = blind_index("123-45-0042")
    Client.objects.update(tax_number_index=old)
    assert not Client.objects.with_tax_number("123450042").exists()
    forwards = import_module("clients.migrations.0007_tax_numbers_without_punctuation").Migration.operations[1]

    forwards.code(apps, None)
    assert Client.objects.with_tax_number("123450042").get() == client

    forwards.reverse_code(apps, None)
    assert Client.objects.get().tax_number_index == old
