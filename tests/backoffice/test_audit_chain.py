"""The chain: what the product may not do, what a database administrator cannot hide, and where it is kept besides."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from backoffice.audit import anchors, canonical, ledgers, sealing, services, verifying
from backoffice.audit.models import Disclosure, Entry, Seal, Verification
from backoffice.core import clock
from backoffice.core.models import StatusEvent

pytestmark = pytest.mark.django_db
ROWS = 60
TAMPERED = 1000
TABLES = ("audit_entry", "audit_seal", "audit_disclosure")


@pytest.fixture(autouse=True)
def _anchors_of_this_test(settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_ANCHORS = tmp_path


@pytest.fixture
def chain(advisor: Any, principal: Any, master: Any) -> list[Entry]:
    """A sealed and anchored chain of ordinary entries."""
    entries = []
    for number in range(ROWS):
        with time_machine.travel(f"2026-11-20T10:{number // 60:02}:{number % 60:02}Z", tick=False):
            entries.append(
                services.record(
                    ("funding.approve", "clients.reveal", "trading.export")[number % 3],
                    by=(advisor, principal, None)[number % 3],
                    on=master if number % 2 else None,
                    summary=f"Nº {number} done",
                    number=number,
                    list=["a", {"b": None, "c": True}],
                    disclosed=[advisor, principal] if number % 5 == 0 else [],
                )
            )
    assert sealing.seal_committed() == ROWS
    anchors.drop()
    return entries


@pytest.fixture
def as_administrator(chain: list[Entry]) -> Callable[..., None]:
    """Raw SQL with the triggers off, as somebody who owns the database would do it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE audit_seal DROP CONSTRAINT audit_seal_pkey")
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('f', 'u')"
            " AND conrelid IN ('audit_seal'::regclass, 'audit_disclosure'::regclass)"
        )
        for table, name in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')

    def run(sql: str, *values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)

    return run


# ---- what the product itself may not do


@pytest.mark.parametrize("table", ["audit_entry", "audit_seal", "audit_disclosure", "audit_exchange"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
@pytest.mark.row(id="Z12")
def test_no_row_of_the_audit_is_changed_or_deleted(
    table: str, change: str, chain: list[Entry], principal: Any, client_row: Any
) -> None:
    services.record("clients.export", by=principal, summary="Exported", disclosed=[client_row])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_note_exchange(now(), gen_random_uuid(), '', 'GET', '/x', 200, 'answered', 1, '', '', '', '', '',"
            " '', TRUE)"
        )
    change = change.format(table).replace("id = id", "position = position" if table == "audit_seal" else "id = id")

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.fixture
def client_row(principal: Any) -> Any:
    return principal  # any row that has a key: the audit knows no app


# ---- the chain


def test_what_was_recorded_is_sealed_in_order_without_gaps(chain: list[Entry]) -> None:
    seals = list(Seal.objects.order_by("position").values_list("position", "entry_id"))

    assert seals == [(place, entry.pk) for place, entry in enumerate(chain, 1)]
    assert sealing.unsealed() == 0
    report = verifying.verify()
    assert (report.is_whole, report.checked, report.anchors, report.anchored) == (True, ROWS, 1, ROWS)


def test_an_entry_waits_for_its_seal_and_is_counted(chain: list[Entry], advisor: Any) -> None:
    services.record("clients.reveal", by=advisor, summary="E-mail shown")

    assert sealing.unsealed() == 1
    assert (verifying.verify().is_whole, verifying.verify().unsealed) == (True, 1)
    assert sealing.seal_committed() == 1
    assert sealing.head().count == ROWS + 1


def test_an_entry_committed_late_is_sealed_after_those_that_came_before_it(chain: list[Entry], advisor: Any) -> None:
    with time_machine.travel("2026-11-20T09:30:00Z", tick=False):
        late = services.record("clients.reveal", by=advisor, summary="Begun before the others, committed after them")

    sealing.seal_committed()

    assert Seal.objects.get(entry=late).position == ROWS + 1
    assert verifying.verify().is_whole


@pytest.mark.row(id="Z12")
def test_a_row_written_by_raw_sql_gets_no_seal_and_is_named(chain: list[Entry]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_entry (at, action, subject_model, subject_id, summary, correlation, before, after, data,"
            " key_id, mac) VALUES (now(), 'funding.approve', '', '', 'Never happened', '', '', '', '{}', 'own', repeat('a', 64))"
            " RETURNING id"
        )
        forged = cursor.fetchone()[0]

    assert sealing.seal_committed() == 0
    problem = verifying.verify().problem
    assert problem is not None
    assert (problem.entry, problem.what) == (forged, "it was not written by the product")


def test_a_chain_sealed_with_an_older_key_still_verifies(chain: list[Entry], settings: Any, advisor: Any) -> None:
    settings.AUDIT_KEYS = "k2:QkFCQUJBQkFCQUJBQkFCQUJBQkFCQUJBQkFCQUJBQkE="
    newer = services.record("clients.reveal", by=advisor, summary="E-mail shown")
    sealing.seal_committed()

    assert (newer.key_id, Seal.objects.get(entry=newer).key_id) == ("k2", "k2")
    assert verifying.verify().is_whole
    settings.AUDIT_KEYS = ""
    problem = verifying.verify().problem
    assert problem is not None
    assert (problem.position, problem.what) == (ROWS + 1, "it names the key k2, which is not in AUDIT_KEYS")


def test_another_key_verifies_nothing(chain: list[Entry], settings: Any) -> None:
    settings.BLIND_INDEX_KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

    problem = verifying.verify().problem

    assert problem is not None
    assert "its signature is not ours" in problem.what  # the anchor's, which is looked at first


def test_the_derived_key_is_kept_when_what_it_was_made_of_changes(chain: list[Entry], settings: Any) -> None:
    kept = StringIO()
    call_command("verify_audit", "--derived-key", stdout=kept)
    settings.BLIND_INDEX_KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

    with pytest.raises(CommandError, match="if BLIND_INDEX_KEY was changed while AUDIT_KEYS was left out, set it back"):
        call_command("verify_audit", stdout=StringIO())

    settings.AUDIT_KEYS = kept.getvalue().strip()
    assert settings.AUDIT_KEYS.startswith("own:")
    call_command("verify_audit", stdout=StringIO())


@pytest.mark.parametrize("odd", [{"at": object()}, {"list": [{1: "a"}]}, {"share": 1 / 2}, {"set": {"a"}}])
def test_data_that_would_not_come_back_as_it_was_is_refused(odd: dict[str, Any], advisor: Any) -> None:
    with pytest.raises(TypeError):
        services.record("clients.reveal", by=advisor, summary="Odd", **odd)

    assert Entry.objects.count() == 0


def test_what_is_let_out_is_written_for_each_person_it_is_about(advisor: Any, principal: Any) -> None:
    entry = services.record("clients.export", by=advisor, summary="Exported", disclosed=[advisor, principal, advisor])

    assert set(Disclosure.objects.filter(entry=entry).values_list("subject_id", flat=True)) == {
        str(advisor.pk), str(principal.pk)
    }  # fmt: skip
    assert entry.data["disclosed"] == 2


# ---- digests of an object


def test_a_digest_tells_states_apart_and_shows_nothing_of_them(master: Any) -> None:
    before = services.digest(master)
    master.username = "alder02"
    after = services.digest(master)
    master.username = "alder01"

    assert services.digest(master) == before
    assert after != before
    assert "alder" not in before


def test_a_digest_is_the_same_for_a_row_in_memory_and_read_again(master: Any) -> None:
    assert services.digest(type(master).objects.get(pk=master.pk)) == services.digest(master)


# ---- what a database administrator cannot hide


def tamper(run: Callable[..., None], entries: list[Entry], chance: random.Random) -> tuple[str, int]:
    """Do one random thing to the tables. Returns what, and the first position that is wrong then."""
    place = chance.randrange(ROWS)
    one = entries[place]
    kind = chance.choice(
        ["update", "retime", "delete", "delete both", "delete and close up", "insert", "swap contents", "swap places",
         "move", "copy mac", "truncate", "truncate seals", "empty", "reseal", "blank actor", "edit data",
         "forget who was shown", "show another", "show one more"]
    )  # fmt: skip
    match kind:
        case "update":
            column = chance.choice(["action", "summary", "subject_id", "correlation", "mac", "after"])
            run(f"UPDATE audit_entry SET {column} = left({column}, 30) || '~' WHERE id = %s", one.pk)
        case "retime":
            run("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE id = %s", one.pk)
        case "delete":
            run("DELETE FROM audit_entry WHERE id = %s", one.pk)
        case "delete both":
            run("DELETE FROM audit_entry WHERE id = %s", one.pk)
            run("DELETE FROM audit_seal WHERE entry_id = %s", one.pk)
        case "delete and close up":
            run("DELETE FROM audit_entry WHERE id = %s", one.pk)
            run("DELETE FROM audit_seal WHERE entry_id = %s", one.pk)
            run("UPDATE audit_seal SET position = position - 1 WHERE position > %s", place + 1)
        case "insert":
            run("UPDATE audit_seal SET position = position + 1 WHERE position > %s", place)
            run(
                "INSERT INTO audit_entry (id, at, actor_id, action, subject_model, subject_id, summary, address, correlation,"
                " before, after, data, key_id, mac) SELECT 1000000 + id, at, actor_id, action, subject_model, subject_id,"
                " summary, address, correlation, before, after, data, key_id, mac FROM audit_entry WHERE id = %s",
                one.pk,
            )
            run("INSERT INTO audit_seal (position, entry_id, key_id, seal) SELECT %s, 1000000 + entry_id, key_id, seal"
                " FROM audit_seal WHERE entry_id = %s",
                place + 1, one.pk)  # fmt: skip
        case "swap contents":
            other = entries[(place + 3) % ROWS]
            place = min(place, (place + 3) % ROWS)
            run("UPDATE audit_entry a SET summary = b.summary, data = b.data, mac = b.mac, at = b.at FROM audit_entry b"
                " WHERE (a.id = %s AND b.id = %s) OR (a.id = %s AND b.id = %s)", one.pk, other.pk, other.pk, one.pk)  # fmt: skip
        case "swap places":
            other_place = (place + 1 + chance.randrange(ROWS - 1)) % ROWS
            run("UPDATE audit_seal SET entry_id = CASE entry_id WHEN %s THEN %s ELSE %s END WHERE entry_id IN (%s, %s)",
                one.pk, entries[other_place].pk, one.pk, one.pk, entries[other_place].pk)  # fmt: skip
            place = min(place, other_place)
        case "move":
            run(
                "UPDATE audit_seal SET position = -position WHERE position IN (%s, %s)",
                place + 1,
                (place + 1) % ROWS + 1,
            )
            run("UPDATE audit_seal SET position = %s + position WHERE position < 0", place + 1 + (place + 1) % ROWS + 1)
            place = min(place, (place + 1) % ROWS)
        case "copy mac":
            run("UPDATE audit_entry SET mac = (SELECT mac FROM audit_entry WHERE id = %s), summary = 'Nothing' WHERE id = %s",
                entries[(place + 1) % ROWS].pk, one.pk)  # fmt: skip
        case "truncate":
            run("DELETE FROM audit_entry WHERE id >= %s", one.pk)
            run("DELETE FROM audit_seal WHERE position >= %s", place + 1)
        case "truncate seals":
            run("DELETE FROM audit_seal WHERE position >= %s", place + 1)
        case "empty":
            run("TRUNCATE audit_seal, audit_disclosure, audit_entry")
            place = 0
        case "reseal":
            run("UPDATE audit_seal SET seal = md5(seal) || md5(seal || 'x') WHERE position = %s", place + 1)
        case "blank actor":
            run("UPDATE audit_entry SET actor_id = (SELECT id FROM people_user WHERE id IS DISTINCT FROM actor_id LIMIT 1)"
                " WHERE id = %s", one.pk)  # fmt: skip
        case "edit data":
            run("UPDATE audit_entry SET data = jsonb_set(data, '{number}', '-1') WHERE id = %s", one.pk)
        case "forget who was shown":
            place -= place % 5
            run("DELETE FROM audit_disclosure WHERE id = (SELECT max(id) FROM audit_disclosure WHERE entry_id = %s)",
                entries[place].pk)  # fmt: skip
        case "show another":
            place -= place % 5
            run(
                "UPDATE audit_disclosure SET subject_id = left(subject_id, 35) || '~' WHERE entry_id = %s",
                entries[place].pk,
            )
        case "show one more":
            run(
                "INSERT INTO audit_disclosure (entry_id, subject_model, subject_id) VALUES (%s, 'people.user', '1')",
                one.pk,
            )
    return kind, place + 1


@pytest.mark.row(id="Z12")
def test_a_thousand_random_changes_are_all_found_and_the_first_broken_row_is_named(
    chain: list[Entry], as_administrator: Callable[..., None]
) -> None:
    chance = random.Random(20261124)
    assert verifying.verify().is_whole
    missed: list[str] = []
    kinds: dict[str, int] = {}

    for number in range(TAMPERED):
        with transaction.atomic():
            kind, position = tamper(as_administrator, chain, chance)
            problem = verifying.verify().problem
            if problem is None or problem.position != position:
                missed.append(f"{number}: {kind} at {position}: {problem}")
            transaction.set_rollback(True)
        kinds[kind] = kinds.get(kind, 0) + 1

    assert missed == []
    assert sum(kinds.values()) == TAMPERED
    assert min(kinds.values()) > 20
    assert verifying.verify().is_whole


@pytest.mark.row(id="Z12")
def test_a_tail_cut_off_and_written_anew_is_found_by_its_anchor(
    chain: list[Entry], as_administrator: Callable[..., None], advisor: Any
) -> None:
    as_administrator("DELETE FROM audit_entry WHERE id >= %s", chain[-5].pk)
    as_administrator("DELETE FROM audit_seal WHERE position > %s", ROWS - 5)
    for _ in range(9):  # a product that runs on seals the rows that follow, honestly
        services.record("clients.reveal", by=advisor, summary="Afterwards")
    sealing.seal_committed()

    problem = verifying.verify().problem

    assert problem is not None
    assert (problem.position, problem.what) == (
        ROWS, f"the chain was rewritten: the anchor of {anchors.latest().at:%Y-%m-%d %H:%M:%S} UTC knows another row here"
    )  # fmt: skip


# ---- anchors


def test_an_anchor_is_a_line_in_a_file_and_each_names_the_one_before(chain: list[Entry]) -> None:
    anchors.drop()
    first, second = anchors.path().read_text().splitlines()

    assert json.loads(first)["count"] == json.loads(second)["count"] == ROWS
    assert [each.problem for each in anchors.read(anchors.path())] == ["", ""]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda lines: [lines[0], lines[2]], "the line before it is not the one it followed"),
        (lambda lines: [lines[0].replace('"count": 60', '"count": 59'), *lines[1:]], "its signature is not ours"),
        (lambda lines: ["{}", *lines[1:]], "it cannot be read"),
        (lambda lines: [lines[0][:-2], *lines[1:]], "it cannot be read"),
    ],
)
def test_anchors_that_were_changed_are_found(
    change: Callable[[list[str]], list[str]], problem: str, chain: list[Entry]
) -> None:
    anchors.drop()
    anchors.drop()
    anchors.path().write_text("\n".join(change(anchors.path().read_text().splitlines())) + "\n")

    found = verifying.verify().problem

    assert found is not None
    assert problem in found.what


def test_a_line_that_a_crash_cut_short_is_no_false_alarm(chain: list[Entry]) -> None:
    with anchors.path().open("a") as file:
        file.write('{"at": "2026-11-20T10:05')

    assert verifying.verify().is_whole
    dropped = anchors.drop()

    assert anchors.path().read_text().splitlines()[-1] == dropped.line
    assert [each.problem for each in anchors.read(anchors.path())] == ["", ""]
    assert verifying.verify().is_whole


def test_anchors_dropped_at_once_by_several_workers_follow_one_another(chain: list[Entry]) -> None:
    at_once = Barrier(4)

    def drop(_: int) -> None:
        at_once.wait()
        anchors.drop()
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(drop, range(4)))

    assert [each.problem for each in anchors.read(anchors.path())] == [""] * 5


@pytest.mark.row(id="Z12")
def test_a_copy_of_the_anchors_kept_elsewhere_shows_a_tail_cut_off_here_and_there(
    chain: list[Entry], as_administrator: Callable[..., None], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "printed.jsonl"
    elsewhere.write_text(anchors.path().read_text())
    anchors.path().unlink()
    as_administrator("DELETE FROM audit_entry WHERE id = %s", chain[-1].pk)
    as_administrator("DELETE FROM audit_seal WHERE position = %s", ROWS)

    assert verifying.verify().is_whole  # nothing inside can tell
    problem = verifying.verify(anchor_files=[elsewhere]).problem

    assert problem is not None
    assert problem.position == ROWS
    assert problem.what.startswith("the end of the chain was cut off")


# ---- what is bound into the chain besides


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core_statusevent SET because = 'Nothing' WHERE new = 'to2'",
        "UPDATE core_statusevent SET actor_id = NULL WHERE new = 'to2'",
        "DELETE FROM core_statusevent WHERE new = 'to4'",
        "INSERT INTO core_statusevent (id, subject_model, subject_id, old, new, because, at)"
        " SELECT id - 1, subject_model, subject_id, 'x', 'y', 'Slipped in', at FROM core_statusevent WHERE new = 'to2'",
    ],
)
def test_a_changed_move_of_a_lifecycle_is_found_by_the_entry_that_binds_it(change: str, principal: Any) -> None:
    for number in range(5):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval(pg_get_serial_sequence('core_statusevent', 'id'))")
        StatusEvent.objects.create(
            subject_model="people.user", subject_id=str(principal.pk), old="from", new=f"to{number}", because="A reason",
            actor=principal, at=clock.now() - timedelta(minutes=11),
        )  # fmt: skip
    assert (ledgers.MOVES.seal(), ledgers.MOVES.seal()) == (5, 0)
    bound = Entry.objects.get(action="audit.seal_moves")
    sealing.seal_committed()
    assert verifying.verify().is_whole

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE core_statusevent DISABLE TRIGGER USER")
        cursor.execute(change)
    problem = verifying.verify().problem

    assert problem is not None
    assert (problem.entry, problem.position) == (bound.pk, 1)
    assert "the changes of state" in problem.what


def test_a_move_of_this_moment_waits_until_nothing_earlier_can_still_commit(principal: Any) -> None:
    StatusEvent.objects.create(
        subject_model="people.user", subject_id=str(principal.pk), old="a", new="b", because="Now", at=clock.now()
    )

    assert ledgers.seal() == 0
    assert verifying.verify().is_whole


# ---- the command, and the check a person asks for


def test_the_command_says_that_it_is_whole_and_prints_an_anchor_to_keep(chain: list[Entry]) -> None:
    out = StringIO()

    call_command("verify_audit", stdout=out)

    assert f"{ROWS} entries checked" in out.getvalue()
    assert out.getvalue().splitlines()[-1] == anchors.path().read_text().splitlines()[-1]


def test_the_command_names_the_first_broken_row(chain: list[Entry], as_administrator: Callable[..., None]) -> None:
    as_administrator("UPDATE audit_entry SET summary = 'Nothing' WHERE id IN (%s, %s)", chain[40].pk, chain[50].pk)

    with pytest.raises(CommandError) as refused:
        call_command("verify_audit", stdout=StringIO())

    said = f"The audit chain is broken at position 41, entry {chain[40].pk}: its content is not what was recorded."
    assert (str(refused.value), refused.value.returncode) == (said, 1)


def test_a_check_asked_for_is_run_once_and_keeps_what_it_found(chain: list[Entry], principal: Any) -> None:
    asked = Verification.objects.create(asked_by=principal, asked_at=chain[0].at)

    verifying.run(str(asked.pk))
    asked.refresh_from_db()

    assert (asked.state, asked.checked, asked.total) == ("whole", ROWS, ROWS)
    assert asked.report["problem"] == ""
    first = asked.finished_at
    verifying.run(str(asked.pk))
    asked.refresh_from_db()
    assert asked.finished_at == first


def test_the_canonical_form_does_not_depend_on_how_an_address_is_written() -> None:
    short = canonical.Content(1, 0, None, "a", "", "", "s", "::1", "", "", "", "{}")
    long = canonical.Content(1, 0, None, "a", "", "", "s", "0:0:0:0:0:0:0:1", "", "", "", "{}")

    assert canonical.mac(short, "own") == canonical.mac(long, "own")
