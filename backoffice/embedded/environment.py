"""The environment handed to the product's processes: what the caller set, `.env`, then what the embedded servers say."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from backoffice.embedded.state import ROOT, State, read_dotenv

PRODUCT_SECRETS = ("SECRET_KEY", "FIELD_KEYS", "BLIND_INDEX_KEY")


def chosen() -> dict[str, str]:
    """Return what the caller says: the environment, and below it the `.env` file of the checkout."""
    return read_dotenv(ROOT / ".env") | dict(os.environ)


def for_product(state: State, *, database_url: str, broker_url: str, **fixed: str) -> dict[str, str]:
    """Return the environment of web, workers and commands. Secrets made here step back for those of the caller."""
    kept = state.secrets()
    defaults = {name: kept[name] for name in PRODUCT_SECRETS} | {"HTTPS": "false", "DEMONSTRATION": "true"}
    if is_demonstration(chosen()):
        # Its people have no telephones to read codes from, and a tour of an hour is not stopped to prove who one is.
        defaults |= {"FIRM_NAME": "Alder Row", "MFA_REQUIRED": "false", "STEP_UP_SECONDS": "3600"}
    return defaults | chosen() | {
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": broker_url,
        "BACKOFFICE_STATE": str(state.folder),
        "DJANGO_SETTINGS_MODULE": "backoffice.settings",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **fixed,
    }  # fmt: skip


def is_demonstration(environment: Mapping[str, str]) -> bool:
    """Say whether the demonstration firm and the sandbox are wanted; they are unless `DEMONSTRATION` says otherwise."""
    return environment.get("DEMONSTRATION", "true").lower() in {"1", "true", "yes", "on"}


def migrations_digest() -> str:
    """Return what the tables depend on: our migrations and, through the lock, everybody else's."""
    total = hashlib.sha256((ROOT / "requirements" / "run.txt").read_bytes())
    for path in sorted(path for app in product_apps() for path in app.glob("migrations/*.py")):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def static_digest() -> str:
    """Return what the served files depend on: names, sizes and times of ours, the lock for those inside packages."""
    total = hashlib.sha256((ROOT / "requirements" / "run.txt").read_bytes())
    folders = [ROOT / "static", *(app / "static" for app in product_apps())]
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        facts = path.stat()
        total.update(f"{path.relative_to(ROOT)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return total.hexdigest()


def product_apps() -> list[Path]:
    """Return every folder that may hold migrations."""
    return [path.parent for path in sorted([*ROOT.glob("*/apps.py"), *ROOT.glob("backoffice/*/apps.py")])]
