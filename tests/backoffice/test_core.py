"""Money, time, lifecycles, encryption."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from backoffice.audit import services as audit
from backoffice.audit.models import Entry
from backoffice.broker.models import BrokerageSession
from backoffice.core import clock
from backoffice.core.crypto import Undecipherable, blind_index, seal, unseal
from backoffice.core.errors import Conflict
from backoffice.core.forms import typed_number
from backoffice.core.lifecycle import history
from backoffice.core.models import StatusEvent
from backoffice.core.money import CurrencyMismatch, Money, total
from backoffice.journal.models import LIFECYCLE, State
from tests.journal_rows import make_submission


class TestMoney:
    def test_currencies_do_not_mix(self) -> None:
        with pytest.raises(CurrencyMismatch):
            Money(Decimal(1), "USD") + Money(Decimal(1), "EUR")

    def test_binary_floating_point_is_refused(self) -> None:
        with pytest.raises(TypeError):
            Money(1.5, "USD")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("amount", "currency", "rounded"),
        [("1.005", "USD", "1.00"), ("1.015", "USD", "1.02"), ("99.5", "JPY", "100"), ("-0.005", "EUR", "0.00")],
    )
    def test_rounds_half_to_even_to_the_minor_unit(self, amount: str, currency: str, rounded: str) -> None:
        assert Money(Decimal(amount), currency).rounded().amount == Decimal(rounded)

    @given(st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=2)))
    def test_a_total_is_exact(self, amounts: list[Decimal]) -> None:
        assert total((Money(amount, "USD") for amount in amounts), "USD").amount == sum(amounts, Decimal(0))


class TestTypedNumbers:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("48500", "48500"), ("48,500.00", "48500"), ("48 500.5", "48500.5"), ("48'500", "48500"),
            ("1,048,500", "1048500"), ("48\u202f500", "48500"), (".5", "0.5"), ("48.", "48"), ("-3", "-3"), (" 7 ", "7"),
        ],
    )  # fmt: skip
    def test_thousands_may_be_parted(self, typed: str, meant: str) -> None:
        assert typed_number(typed, "an amount", example="48,500.00") == Decimal(meant)

    @pytest.mark.parametrize("typed", ["48,50", "1,5", "48.500,00", "99,000,0.00", "1,0000", "1,048 500", "12 34"])
    def test_a_comma_that_parts_no_thousands_is_refused_and_never_dropped(self, typed: str) -> None:
        """48,50 is 48.50 to half the world; without its comma it is a hundred times as much."""
        with pytest.raises(ValidationError):
            typed_number(typed, "an amount", example="48,500.00")

    @pytest.mark.parametrize("typed", ["1e5", "1_000", "NaN", "Infinity", "٣", "0x10", "--1", ".", ",", "$5", "1" * 16])
    def test_what_a_machine_would_read_as_a_number_is_not_one(self, typed: str) -> None:
        with pytest.raises(ValidationError, match="not an amount|two ways"):
            typed_number(typed, "an amount", example="48,500.00")

    def test_the_refusal_says_how_to_write_it(self) -> None:
        with pytest.raises(ValidationError) as refused:
            typed_number("48,50", "an amount", example="48,500.00")

        assert refused.value.messages == ["This can be read in two ways."]
        assert refused.value.params == {"fix": "Part decimals with a point and thousands with a comma: 48,500.00."}


class TestEncryption:
    def test_a_sealed_value_opens_in_its_own_place_only(self) -> None:
        sealed = seal(b"123-45-6789", "clients_client|tax_number|1")

        assert unseal(sealed, "clients_client|tax_number|1") == b"123-45-6789"
        with pytest.raises(Undecipherable):
            unseal(sealed, "clients_client|tax_number|2")

    def test_old_keys_still_open_and_the_first_key_seals(self, settings: Any) -> None:
        old = settings.FIELD_KEYS
        sealed = seal(b"secret", "here")
        settings.FIELD_KEYS = "t2:" + "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M=," + old

        assert unseal(sealed, "here") == b"secret"
        assert seal(b"secret", "here").startswith("v1.t2.")

    def test_a_missing_key_is_named(self, settings: Any) -> None:
        sealed = seal(b"secret", "here")
        settings.FIELD_KEYS = "t2:" + "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M="

        with pytest.raises(Undecipherable, match="t1"):
            unseal(sealed, "here")

    def test_the_blind_index_ignores_spacing_and_case_and_shows_nothing(self) -> None:
        assert blind_index("ab 12") == blind_index("AB12")
        assert "AB12" not in blind_index("AB12")

    @pytest.mark.django_db
    def test_the_column_holds_ciphertext_and_the_attribute_the_text(self, master: Any) -> None:
        row = BrokerageSession.objects.create(master=master, bearer="very-secret")

        with connection.cursor() as cursor:
            cursor.execute("SELECT bearer FROM broker_brokeragesession")
            stored = cursor.fetchone()[0]
        assert "very-secret" not in stored
        assert BrokerageSession.objects.get(pk=row.pk).bearer == "very-secret"

    @pytest.mark.django_db
    def test_a_ciphertext_moved_to_another_row_does_not_open(self, master: Any, operations: Any) -> None:
        first = make_submission(master, operations)
        second = make_submission(master, operations)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE journal_submission SET payload_text = (SELECT payload_text FROM journal_submission WHERE id = %s) "
                "WHERE id = %s",
                [first.pk, second.pk],
            )

        with pytest.raises(Undecipherable):
            _ = type(second).objects.get(pk=second.pk).payload

    @pytest.mark.django_db
    def test_plain_text_cannot_be_written_past_the_row(self, master: Any) -> None:
        BrokerageSession.objects.create(master=master)

        with pytest.raises(TypeError):
            BrokerageSession.objects.update(bearer="plain")


@pytest.mark.django_db
class TestLifecycle:
    def test_of_two_movers_one_wins_and_the_other_is_told(self, master: Any, operations: Any) -> None:
        row = make_submission(master, operations)
        same_row = type(row).objects.get(pk=row.pk)

        assert LIFECYCLE.move(row, to=State.VOID, because="withdrawn", by=operations)
        with pytest.raises(Conflict):
            LIFECYCLE.move(same_row, to=State.CLAIMED, because="claimed")

        assert [event.new for event in history(row)] == ["void"]

    def test_a_repeated_observation_changes_nothing(self, master: Any, operations: Any) -> None:
        row = make_submission(master, operations)

        assert LIFECYCLE.move(row, to=State.READY, because="again") is False
        assert StatusEvent.objects.filter(subject_id=str(row.pk)).count() == 0

    def test_a_final_state_has_no_way_out(self, master: Any, operations: Any) -> None:
        row = make_submission(master, operations)
        LIFECYCLE.move(row, to=State.VOID, because="withdrawn")

        with pytest.raises(Conflict):
            LIFECYCLE.move(row, to=State.READY, because="back")

    def test_events_cannot_be_rewritten(self, master: Any, operations: Any) -> None:
        LIFECYCLE.move(make_submission(master, operations), to=State.VOID, because="withdrawn")

        with pytest.raises(DatabaseError), transaction.atomic():
            StatusEvent.objects.update(because="nothing happened")


@pytest.mark.django_db
def test_audit_entries_cannot_be_rewritten_removed_or_truncated(operations: Any) -> None:
    audit.record("tests.act", by=operations, summary="did it")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_no_truncate")

    for statement in ("UPDATE audit_entry SET summary = ''", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    assert Entry.objects.get().summary == "did it"


def test_the_clock_is_aware_and_a_day_says_whose_it_is() -> None:
    assert clock.now().tzinfo is not None
    assert clock.today(clock.NEW_YORK) in {clock.now().date(), clock.now().astimezone(clock.NEW_YORK).date()}
