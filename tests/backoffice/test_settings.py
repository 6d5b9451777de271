"""Settings: a missing or wrong one ends the start with a sentence that says what it must be, and repeats no secret."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backoffice.environment import BASE_DIR, read_environment

PRODUCTION = {
    "DATABASE_URL": "postgresql://office:p%40ss@db.internal:5432/office?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
    "CELERY_BROKER_URL": "rediss://:secret@broker.internal:6379/0",
    "SECRET_KEY": "s" * 64,
    "FIELD_KEYS": "k2:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
    "BLIND_INDEX_KEY": "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=",
    "ALLOWED_HOSTS": "office.example.com, office.internal",
    "PUBLIC_URL": "https://office.example.com",
    "IBKR_EGRESS_IP": "203.0.113.9",
}
FOR_THE_TESTS = ("DEMONSTRATION", "HTTPS", "MFA_REQUIRED", "SANDBOX_LIMITS", "STEP_UP_SECONDS")


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a firm's own installation, for a test to spoil."""
    for name in FOR_THE_TESTS:
        monkeypatch.delenv(name, raising=False)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal() -> list[str]:
    """Return what is said of the settings, without the line above it."""
    with pytest.raises(SystemExit) as ended:
        read_environment()
    first, *lines = str(ended.value).splitlines()
    assert first == "The settings are not complete or not right; .env.example explains each."
    return [line.strip() for line in lines]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "postgresql://u:sesame@h:port/db", "must be postgresql://user:password@host:port/database"),
        ("DATABASE_URL", "postgresql://u:sesame@h:5432/", "must be postgresql://user:password@host:port/database"),
        ("DATABASE_URL", "postgresql://u:sesame/x@h/db", "must be postgresql://user:password@host:port/database"),
        ("DATABASE_URL", "mysql://u:sesame@h/db", "must be a postgresql:// address"),
        ("CELERY_BROKER_URL", "broker.internal:6379", "must be redis://:password@host:port/number"),
        ("CELERY_BROKER_URL", "redis://:sesame@h:port/0", "must be redis://:password@host:port/number"),
        ("SECRET_KEY", "sesame", "String should have at least 40 characters"),
        ("FIELD_KEYS", "k1:sesame", "must be id:key pairs, comma separated, each key 32 bytes in url-safe base64"),
        ("FIELD_KEYS", "k1:sésame", "must be id:key pairs, comma separated, each key 32 bytes in url-safe base64"),
        ("AUDIT_KEYS", "sesame", "must be id:key pairs, comma separated, each key 32 bytes in url-safe base64"),
        ("BLIND_INDEX_KEY", "sesame", "must be 32 bytes in url-safe base64"),
        ("ALLOWED_HOSTS", "https://office.example.com", "must be names alone"),
        ("ALLOWED_HOSTS", "office.example.com:8443", "must be names alone"),
        ("ALLOWED_HOSTS", " , ", "must be names alone"),
        ("CSRF_TRUSTED_ORIGINS", "office.example.com", "must be origins, comma separated, each like https://"),
        ("PUBLIC_URL", "office.example.com", "must be the whole address people open, like https://"),
        ("IBKR_EGRESS_IP", "office.example.com", "must be the public IP address our calls to IBKR leave from"),
        ("JOURNAL_LOOK_SECONDS", "5,soon", "must be whole seconds, comma separated"),
        ("LOG_LEVEL", "loud", "Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("EMAIL_PORT", "smtp", "Input should be a valid integer"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_must_be(
    production: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    production.setenv(name, value)

    (said,) = refusal()

    assert said.startswith(f"{name}: {sentence}")
    assert "sesame" not in said


def test_every_missing_setting_is_named_at_once(production: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "FIELD_KEYS"):
        production.delenv(name)

    assert refusal() == ["SECRET_KEY: is not set", "FIELD_KEYS: is not set"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"DEBUG": "true"},
            "DEBUG=true shows settings and clients' data on its error pages; it is for the demonstration",
        ),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "PUBLIC_URL must be the https:// address people open"),
        ({"ALLOWED_HOSTS": "office.example.com, *"}, "ALLOWED_HOSTS must be the names this site answers to"),
        (
            {"EMAIL_USE_TLS": "true", "EMAIL_USE_SSL": "true"},
            "EMAIL_USE_TLS is for port 587 and EMAIL_USE_SSL for port 465",
        ),
    ],
)
def test_what_would_open_a_firm_to_strangers_is_refused_at_the_start(
    production: pytest.MonkeyPatch, settings: dict[str, str], sentence: str
) -> None:
    for name, value in settings.items():
        production.setenv(name, value)

    (said,) = refusal()

    assert said.startswith(sentence)


def test_settings_are_read_as_they_are_meant(tmp_path: Path) -> None:
    """Blanks after commas, escapes in addresses, and a state folder that does not move with where a process is started."""
    show = (
        "import json; from backoffice import settings as s; base = s.DATABASES['default'];"
        "print(json.dumps([s.ALLOWED_HOSTS, s.CSRF_TRUSTED_ORIGINS, base['PASSWORD'], base['OPTIONS']['sslrootcert'],"
        "str(s.STATE_DIR), s.LOGGING['root']['level']]))"
    )
    more = {
        "CSRF_TRUSTED_ORIGINS": "https://a.example, https://b.example",
        "BACKOFFICE_STATE": "var",
        "LOG_LEVEL": "info",
    }
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(BASE_DIR)} | PRODUCTION | more

    told = subprocess.run([sys.executable, "-c", show], cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert json.loads(told.stdout) == [
        ["office.example.com", "office.internal"],
        ["https://a.example", "https://b.example"],
        "p@ss",
        "/etc/ca.pem",
        str(BASE_DIR / "var"),
        "INFO",
    ]


def test_a_probe_in_plain_http_hears_how_it_is_and_not_a_redirect() -> None:
    """A balancer takes any answer below 400 for a yes, so the way to https would call a broken installation sound.

    It does not wait long either: the database that is away is waited for once (10 s), not by each part.
    """
    show = (
        "import django, time; django.setup(); from django.test import Client; began = time.monotonic();"
        "ask = lambda path: Client().get(path, headers={'host': 'office.example.com'}).status_code;"
        "print(*[ask(path) for path in ('/healthz', '/readyz', '/')], time.monotonic() - began < 20)"
    )
    away = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/none", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "backoffice.settings"} | PRODUCTION | away

    told = subprocess.run([sys.executable, "-c", show], cwd=BASE_DIR, env=environment, capture_output=True, text=True)

    assert told.stdout.strip() == "200 503 301 True", told.stderr[-500:]


@pytest.mark.parametrize(("command", "seconds"), [("migrate", 0), ("verify_audit", 15_000)])
def test_a_migration_may_work_for_long_and_nothing_else(command: str, seconds: int) -> None:
    show = "from backoffice import settings as s; print(s.DATABASES['default']['OPTIONS']['options'])"
    environment = {"PATH": os.environ["PATH"]} | PRODUCTION

    told = subprocess.run(
        [sys.executable, "-c", show, command], cwd=BASE_DIR, env=environment, capture_output=True, text=True
    )

    assert told.stdout.strip() == (
        f"-c statement_timeout={seconds} -c lock_timeout=8000 -c idle_in_transaction_session_timeout=30000"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["migrate"], "The database does not let us in; the lines of psycopg.pool above say why."),
        (["add_administrator", "ada@example.com", "Ada Prior"], "This command asks for something to be typed."),
    ],
)
def test_a_command_that_cannot_go_on_says_why_without_a_traceback(arguments: list[str], sentence: str) -> None:
    away = {"DATABASE_URL": "postgresql://u:sesame@127.0.0.1:1/none"}
    environment = {"PATH": os.environ["PATH"]} | PRODUCTION | away

    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR, env=environment, stdin=subprocess.DEVNULL, start_new_session=True, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(sentence)
    assert "Connection refused" in done.stderr or arguments != ["migrate"]
    assert "Traceback" not in done.stderr
    assert "sesame" not in done.stderr
