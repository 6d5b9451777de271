"""Gates and connections: opening, closing, adding."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from backoffice.audit import services as audit
from backoffice.broker.models import LANES, BrokerageSession, ConnectionTest, Gate, MasterAccount
from backoffice.core import clock
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.errors import InvalidInput, NotPermitted
from backoffice.ibkr import keys
from backoffice.ibkr.environments import environment_of, require_safe
from backoffice.ibkr.operations import TOKEN
from backoffice.people.models import User
from backoffice.people.policy import may


@transaction.atomic
def close_gate(*, scope: str, key: str, reason: str, by: User) -> Gate:
    """Stop sending at once. One person may, with a reason. Raises InvalidInput, NotPermitted."""
    if not may(by, "broker.close_gate"):
        raise NotPermitted("Your role may not stop sending.")
    return _set_gate(scope=scope, key=key, reason=reason, by=by, is_open=False)


@transaction.atomic
def stop_everything(*, reason: str) -> Gate:
    """Stop all sending on the word of whoever runs a command on the server; any principal opens it again."""
    return _set_gate(scope=Gate.Scope.GLOBAL, key="", reason=reason, by=None, is_open=False)


@transaction.atomic
def open_gate(*, scope: str, key: str, reason: str, by: User) -> Gate:
    """Allow sending again. A principal other than the one who closed it. Raises InvalidInput, NotPermitted."""
    if not may(by, "broker.open_gate"):
        raise NotPermitted("Only a principal may open this again.")
    gate = Gate.objects.select_for_update().filter(scope=scope, key=key).first()
    if gate is not None and not gate.is_open and gate.set_by_id == by.pk:
        raise NotPermitted("You stopped this, so another principal must open it.")
    return _set_gate(scope=scope, key=key, reason=reason, by=by, is_open=True)


def _set_gate(*, scope: str, key: str, reason: str, by: User | None, is_open: bool) -> Gate:
    if not reason.strip():
        raise InvalidInput("reason", "A reason is needed.", "Say in a few words why; it is shown on every page.")
    if not _is_a_place(scope, key):
        raise InvalidInput("key", "There is nothing of this name to stop.", "Take one from the list of the page.")
    standing = Gate.objects.filter(scope=scope, key=key).first()
    gate, _ = Gate.objects.update_or_create(
        scope=scope,
        key=key,
        defaults={"is_open": is_open, "reason": reason.strip(), "set_by": by, "set_at": clock.now()},
    )
    verb = "opened" if is_open else "stopped"
    action = "broker.open_gate" if is_open else "broker.close_gate"
    before = audit.digest(standing) if standing is not None else ""
    audit.record(action, by=by, on=gate, summary=f"{gate} {verb}", before=before, reason=gate.reason)
    return gate


def _is_a_place(scope: str, key: str) -> bool:
    """Tell whether there is something to stop there; a gate before nothing could never be seen or opened again."""
    if scope == Gate.Scope.MASTER:
        return str(key) in {str(pk) for pk in MasterAccount.objects.values_list("pk", flat=True)}
    return key in LANES if scope == Gate.Scope.LANE else (scope, key) == (Gate.Scope.GLOBAL, "")


@transaction.atomic
def add_connection(*, by: User | None = None, **columns: Any) -> MasterAccount:
    """Add or change the connection of one master account in one environment.

    `audience` is the `aud` of the client assertion where it is not the environment's own. Raises InvalidInput for an
    address that is not https (loopback excepted), an address of another environment, an audience that is not the token
    endpoint, or a key that is missing, readable by others, in the product's own folder, another environment's, or not
    one that IBKR takes.
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
    if columns.get("audience") not in (None, "", "/token", f"{base_url.rstrip('/')}{TOKEN}"):
        raise InvalidInput(
            "audience",
            "The audience is not the token endpoint.",
            f'Give "/token" or {base_url.rstrip("/")}{TOKEN}; an assertion for anybody else could be used by them.',
        )
    account = columns.pop("account")
    before = MasterAccount.objects.filter(account=account, environment=environment).first()
    columns["private_key_path"] = _require_key(
        "private_key_path", str(columns["private_key_path"]), environment, str(columns["client_id"]), own=before
    )
    if before is None or before.key_id != columns["key_id"]:
        columns.setdefault("key_since", clock.today(clock.NEW_YORK))
    master, _ = MasterAccount.objects.update_or_create(
        account=account, environment=columns.pop("environment"), defaults=columns
    )
    BrokerageSession.objects.get_or_create(master=master)
    audit.record(
        "broker.add_connection", by=by, on=master, summary=f"Connection {account} ({environment})",
        before=audit.digest(before) if before is not None else "",
    )  # fmt: skip
    return master


@transaction.atomic
def name_next_key(master: MasterAccount, *, key_id: str, source: str, by: User | None = None) -> MasterAccount:
    """Name the key that will follow the present one; nothing is signed with it until `use_next_key`. Raises InvalidInput."""
    if key_id == master.key_id:
        raise InvalidInput("next_key_id", "This is the key in use.", "Give the id of the new key, as IBKR knows it.")
    source = _require_key("next_private_key_path", source, master.environment, master.client_id)
    if _is_the_key(source, master.private_key_path):
        raise InvalidInput(
            "next_private_key_path",
            "This is the key in use, under another id.",
            "Make another pair with manage.py make_key.",
        )
    before = audit.digest_now(master)
    MasterAccount.objects.filter(pk=master.pk).update(next_key_id=key_id, next_private_key_path=source)
    master.refresh_from_db()
    audit.record(
        "broker.name_next_key", by=by, on=master, summary=f"Next key of {master.account}: {key_id}", before=before
    )
    return master


@transaction.atomic
def use_next_key(master: MasterAccount, *, by: User | None = None) -> MasterAccount:
    """Sign with the next key from now on; the old one is forgotten here, and IBKR is told to withdraw it. Raises InvalidInput."""
    master = MasterAccount.objects.select_for_update().get(pk=master.pk)
    if not master.next_key_id:
        raise InvalidInput(
            "next_key_id", "No next key is named.", "Make one with manage.py make_key and name it first."
        )
    _require_key("next_private_key_path", master.next_private_key_path, master.environment, master.client_id)
    before, old = audit.digest(master), master.key_id
    MasterAccount.objects.filter(pk=master.pk).update(
        key_id=master.next_key_id,
        private_key_path=master.next_private_key_path,
        key_since=clock.today(clock.NEW_YORK),
        next_key_id="",
        next_private_key_path="",
    )
    master.refresh_from_db()
    audit.record(
        "broker.use_next_key", by=by, on=master, summary=f"{master.account} signs with {master.key_id}, not {old}",
        before=before,
    )  # fmt: skip
    return master


def require_outside_the_product(path: Path) -> None:
    """Refuse a key file among the product's own files: from there it would get into a repository or an image.

    Raises InvalidInput. The state folder is not one of them.
    """
    whole = path.resolve()
    if whole.is_relative_to(settings.BASE_DIR) and not whole.is_relative_to(Path(settings.STATE_DIR).resolve()):
        raise InvalidInput(
            "private_key_path",
            f"{path} lies in the product's own folder, from where a key gets into a repository.",
            "Keep keys in a folder of their own, for instance /etc/backoffice/keys, that only this user can read.",
        )


def _require_key(field: str, source: str, environment: str, client_id: str, *, own: MasterAccount | None = None) -> str:
    """Return the source by its whole name: workers are started elsewhere. Raises InvalidInput for an unusable key.

    One key goes with one client id in one environment. `own` is the connection that is being changed; it may keep its key.
    """
    if not source.startswith(keys.COMMAND):
        source = os.path.abspath(source)
    try:
        keys.parsed(keys.read_private_key(source))
    except keys.KeyProblem as problem:
        raise InvalidInput(field, problem.reason, problem.fix) from problem
    if not source.startswith(keys.COMMAND):
        require_outside_the_product(Path(source))
    strangers = MasterAccount.objects.exclude(environment=environment, client_id=client_id)
    for other in strangers.exclude(pk=own.pk) if own is not None else strangers:
        for theirs in filter(None, (other.private_key_path, other.next_private_key_path)):
            if _is_the_key(source, theirs):
                raise InvalidInput(
                    field,
                    f"This is {'the' if theirs == other.private_key_path else 'the next'} key of {other.account} in "
                    f"{other.get_environment_display()}.",
                    "Make another pair with manage.py make_key: each environment and each client id has its own.",
                )
    return source


def _is_the_key(source: str, theirs: str) -> bool:
    """Tell whether two sources hold one key. `theirs` may be a command; a vault is not asked on behalf of somebody else."""
    if source == theirs:
        return True
    thumbprint = "" if theirs.startswith(keys.COMMAND) else _thumbprint_of(theirs)
    return bool(thumbprint) and thumbprint == _thumbprint_of(source)


def _thumbprint_of(source: str) -> str:
    try:
        return keys.thumbprint(keys.parsed(keys.read_private_key(source)).public_key())
    except keys.KeyProblem:
        return ""


@transaction.atomic
def ask_for_test(master: MasterAccount, *, by: User, with_next_key: bool = False) -> ConnectionTest:
    """Have a worker try the connection. Raises NotPermitted, InvalidInput (no next key is named)."""
    if not may(by, "broker.test_connection"):
        raise NotPermitted("Your role may not test connections.")
    if with_next_key and not master.next_key_id:
        raise InvalidInput("with_next_key", "No next key is named.", "Name it with manage.py rotate_key.")
    test = ConnectionTest.objects.create(master=master, with_next_key=with_next_key, asked_by=by, asked_at=clock.now())
    audit.record(
        "broker.test_connection", by=by, on=master, summary=f"Test of {master.account} asked for",
        changed=[audit.Standing(test)],
    )  # fmt: skip
    ring_on_commit("broker.answer_test", test.pk)
    return test
