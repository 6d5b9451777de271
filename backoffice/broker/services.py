"""Gates and connections: opening, closing, adding."""

from pathlib import Path
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.broker.models import BrokerageSession, Gate, MasterAccount
from backoffice.core import clock
from backoffice.core.errors import InvalidInput, NotPermitted
from backoffice.ibkr.environments import environment_of, require_safe
from backoffice.people.models import User
from backoffice.people.policy import may


@transaction.atomic
def close_gate(*, scope: str, key: str, reason: str, by: User) -> Gate:
    """Stop sending at once. One person may, with a reason. Raises InvalidInput, NotPermitted."""
    if not may(by, "broker.close_gate"):
        raise NotPermitted("Your role may not stop sending.")
    return _set_gate(scope=scope, key=key, reason=reason, by=by, is_open=False)


@transaction.atomic
def open_gate(*, scope: str, key: str, reason: str, by: User) -> Gate:
    """Allow sending again. A principal other than the one who closed it. Raises InvalidInput, NotPermitted."""
    if not may(by, "broker.open_gate"):
        raise NotPermitted("Only a principal may open this again.")
    gate = Gate.objects.select_for_update().filter(scope=scope, key=key).first()
    if gate is not None and not gate.is_open and gate.set_by_id == by.pk:
        raise NotPermitted("You stopped this, so another principal must open it.")
    return _set_gate(scope=scope, key=key, reason=reason, by=by, is_open=True)


def _set_gate(*, scope: str, key: str, reason: str, by: User, is_open: bool) -> Gate:
    if not reason.strip():
        raise InvalidInput("reason", "A reason is needed.", "Say in a few words why; it is shown on every page.")
    gate, _ = Gate.objects.update_or_create(
        scope=scope,
        key=key,
        defaults={"is_open": is_open, "reason": reason.strip(), "set_by": by, "set_at": clock.now()},
    )
    verb = "Opened" if is_open else "Stopped"
    audit.record("broker.open_gate" if is_open else "broker.close_gate", by=by, on=gate, summary=f"{verb}: {gate}")
    return gate


@transaction.atomic
def add_connection(*, by: User | None = None, **columns: Any) -> MasterAccount:
    """Add or change the connection of one master account in one environment.

    Raises InvalidInput for an address that is not https (loopback excepted), an address of another environment, or a
    key file that is missing or readable by others.
    """
    base_url, environment = str(columns["base_url"]), str(columns["environment"])
    try:
        require_safe(base_url)
        actual = environment_of(base_url).name
    except ValueError as error:
        raise InvalidInput("base_url", str(error), "Give IBKR's own https address.") from error
    if actual != environment:
        raise InvalidInput(
            "base_url", f"{base_url} is {actual}, not {environment}.", "Give the address of that environment."
        )
    key = Path(str(columns["private_key_path"]))
    if not key.is_file():
        raise InvalidInput(
            "private_key_path", f"There is no key file at {key}.", "Name the PEM file of the private key."
        )
    if key.stat().st_mode & 0o077:
        raise InvalidInput("private_key_path", "The key file is readable by others.", f"Run: chmod 600 {key}")
    account = columns.pop("account")
    master, _ = MasterAccount.objects.update_or_create(
        account=account, environment=columns.pop("environment"), defaults=columns
    )
    BrokerageSession.objects.get_or_create(master=master)
    audit.record("broker.add_connection", by=by, on=master, summary=f"Connection {account} ({environment})")
    return master
