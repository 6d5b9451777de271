"""What can be done to people at the command line is recorded, or refused with what to do instead."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError
from django.test import Client

from backoffice.audit import services as audit
from backoffice.audit.models import Entry
from backoffice.people.management.commands import changepassword
from backoffice.people.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
OURS = {
    "changepassword", "axes_reset_username", "add_administrator", "verify_audit", "post_restore", "reseal", "rotate_key",
    "keep_session", "test_connection", "add_connection", "make_key", "demonstration_logins", "load_demonstration",
}  # fmt: skip
REFUSED = {
    "createsuperuser", "loaddata", "account_unsetmultipleprimaryemails", "axes_reset", "axes_reset_ip",
    "axes_reset_ip_username", "axes_reset_logs", "axes_reset_failure_logs",
}  # fmt: skip
# They read, make files, or run the server. Sessions that are over are nobody's any more; `flush` fails on the audit's own
# triggers; stale content types have no rows of ours.
HARMLESS = {
    "axes_list_attempts", "clearsessions", "collectstatic", "findstatic", "runserver", "generateschema", "spectacular",
    "remove_stale_contenttypes",
}  # fmt: skip
NEW = "a longer horse battery"


def test_every_command_has_a_decision() -> None:
    libraries = {name: app for name, app in get_commands().items() if app != "django.core"}

    assert set(libraries) | {"loaddata"} == OURS | REFUSED | HARMLESS
    assert {get_commands()[name] for name in REFUSED | {"changepassword", "axes_reset_username"}} == {
        "backoffice.people"
    }


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_command_that_would_pass_by_the_audit_is_refused_and_changes_nothing(name: str, advisor: User) -> None:
    before = list(User.objects.values())

    with pytest.raises(CommandError, match=r"manage\.py|People page"):
        call_command(name, stderr=StringIO())

    assert list(User.objects.values()) == before
    assert Entry.objects.get(action="people.refuse_command").summary.endswith(f": {name}")


def type_in(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    given = iter(words)
    monkeypatch.setattr(changepassword, "getpass", lambda _: next(given))  # the terminal, which is nobody's module


def test_a_password_set_at_the_command_line_is_recorded_and_ends_sessions(
    advisor: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/account/login/", {"login": advisor.email, "password": PASSWORD})
    assert client.get("/account/sessions/").status_code == 200
    before = audit.digest_now(advisor)
    type_in(monkeypatch, NEW, NEW)

    call_command("changepassword", advisor.email, stdout=StringIO())

    entry = Entry.objects.get(action="people.change_password")
    assert (entry.before, entry.after, entry.actor) == (before, audit.digest_now(advisor), None)
    assert entry.before != entry.after
    assert client.get("/account/sessions/").status_code == 302
    assert User.objects.get().check_password(NEW)


@pytest.mark.parametrize(
    ("words", "said"), [((NEW, "another"), "not the same"), (("short", "short"), "at least 12"), ((), "Nobody here")]
)
def test_a_password_that_will_not_do_changes_nothing(
    words: tuple[str, ...], said: str, advisor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, *words)

    with pytest.raises(CommandError, match=said):
        call_command("changepassword", advisor.email if words else "nobody@example.com")

    assert User.objects.get().check_password(PASSWORD)
    assert not Entry.objects.filter(action="people.change_password").exists()


def test_a_lock_out_is_ended_for_one_person_and_recorded(advisor: User, client: Client, settings: Any) -> None:
    settings.AXES_ENABLED = True
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "100000/m/ip"}
    for _ in range(8):
        client.post("/account/login/", {"login": advisor.email, "password": "wrong horse"})
    held = client.post("/account/login/", {"login": advisor.email, "password": PASSWORD})
    told: Any = StringIO()

    call_command("axes_reset_username", advisor.email, stdout=told)

    let_in = client.post("/account/login/", {"login": advisor.email, "password": PASSWORD})
    assert (held.status_code, let_in.status_code) == (429, 302)
    assert "may try again" in told.getvalue()
    assert Entry.objects.get(action="people.end_lock_out").subject_id == str(advisor.pk)
