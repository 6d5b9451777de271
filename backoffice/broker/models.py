"""MasterAccount, AccessToken, BrokerageSession, Gate, FamilyHealth, FamilyMinute, LimitSlot, LimitWaiter, Penalty,
ConnectionTest.
"""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from backoffice.core.fields import EncryptedTextField


class Environment(models.TextChoices):
    PRODUCTION = "production", "Production"
    QA = "qa", "IBKR test system"
    SANDBOX = "sandbox", "Sandbox"


class Kind(models.TextChoices):
    """What kind of master it is (account-management.md section 5)."""

    FA = "FA", "Advisor"
    FD = "FD", "Fully disclosed broker"
    OWD = "OWD", "One-way disclosed broker"
    NONQI = "NonQI", "Non-disclosed broker"
    QI = "QI", "Qualified intermediary"


class Region(models.TextChoices):
    """Whose nightly reset this connection lives with (trading.md section 1.2)."""

    NORTH_AMERICA = "NA", "North America"
    EUROPE = "EU", "Europe"
    ASIA = "ASIA", "Asia"


class MasterAccount(models.Model):
    """A connection: an IBKR master account with its environment and credentials. The private key stays in its file.

    `private_key_path` is a path, or `command:` and the command that prints the key. During a rotation the next key is
    named too; the client signs with the current one until the two are exchanged.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.CharField(max_length=20)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    environment = models.CharField(max_length=12, choices=Environment.choices)
    base_url = models.URLField()
    client_id = models.CharField(max_length=80)
    key_id = models.CharField(max_length=80)
    private_key_path = models.CharField(max_length=400)
    key_since = models.DateField(null=True)  # when this key was put into use
    next_key_id = models.CharField(max_length=80, blank=True)
    next_private_key_path = models.CharField(max_length=400, blank=True)
    audience = models.CharField(
        max_length=200, blank=True
    )  # `aud` of the client assertion; empty is the environment's own
    region = models.CharField(max_length=4, choices=Region.choices, default=Region.NORTH_AMERICA)
    keeps_windows = models.BooleanField(default=False)  # for a sandbox that keeps IBKR's maintenance windows too
    username = models.CharField(max_length=64, blank=True)  # the trading username; empty where nobody trades
    base_currency = models.CharField(max_length=3, default="USD")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "account"], name="one_connection_per_master")]

    def __str__(self) -> str:
        return self.account

    @property
    def is_sandbox(self) -> bool:
        return self.environment == Environment.SANDBOX

    @property
    def has_windows(self) -> bool:
        """Whether IBKR's maintenance windows apply: always at IBKR, at a sandbox only if it was told to keep them."""
        return self.keeps_windows or not self.is_sandbox

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What a person may know of the connection, as label and value; nothing secret."""
        session = getattr(self, "session", None)
        return [
            ("Address", self.base_url),
            ("Client id", self.client_id),
            ("Key id", self.key_id),
            ("Trading username", self.username or "none"),
            ("Session kept by", session.keeper if session else "nobody"),
        ]


class AccessToken(models.Model):
    """The cached OAuth token of one connection, client id and scope set; one process at a time asks for a new one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    master = models.ForeignKey(MasterAccount, on_delete=models.CASCADE, related_name="tokens")
    client_id = models.CharField(max_length=80, blank=True)
    scopes = models.CharField(max_length=400)
    token = EncryptedTextField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["master", "scopes"], name="one_token_per_scope_set")]


class SessionState(models.TextChoices):
    DOWN = "down", "Down"
    STARTING = "starting", "Starting"
    LIVE = "live", "Live"
    COMPETING = "competing", "Taken by another login"


class BrokerageSession(models.Model):
    """IBKR's brokerage session of one username, and the lease of the keeper that owns it.

    `fence` grows with each change of owner, so a keeper that slept cannot write over its successor.
    `serial` grows with each new session at IBKR: whatever was learned in an older one is not continuous with it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    master = models.OneToOneField(MasterAccount, on_delete=models.CASCADE, related_name="session")
    state = models.CharField(max_length=12, choices=SessionState.choices, default=SessionState.DOWN)
    detail = models.CharField(max_length=300, blank=True)
    bearer = EncryptedTextField(null=True)
    owner = models.CharField(max_length=120, blank=True)  # processes.name() of its keeper
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    serial = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(null=True)
    last_tickle_at = models.DateTimeField(null=True)
    stream_since = models.DateTimeField(null=True)  # empty while there is no stream
    stream_heard_at = models.DateTimeField(null=True)
    stream_topics = models.PositiveSmallIntegerField(default=0)
    stream_detail = models.CharField(max_length=300, blank=True)  # why there is none

    @property
    def is_live(self) -> bool:
        return self.state == SessionState.LIVE

    @property
    def keeper(self) -> str:
        """Say which process keeps it, as an operator would look for it."""
        host, _, pid = self.owner.partition(":")
        return f"process {pid.partition(':')[0]} on {host.partition('/')[0]}" if pid else "nobody"


LANES = {  # the lanes that write, as the kill switch names them
    "trading": "Orders",
    "funding": "Money and positions",
    "accounts": "Applications and changes",
}


class GateQuerySet(models.QuerySet["Gate"]):
    def closed_for(self, *, master: MasterAccount, lane: str) -> "GateQuerySet":
        """Return the closed gates that stand before a send of this connection in this lane."""
        return self.filter(is_open=False).filter(
            models.Q(scope=Gate.Scope.GLOBAL)
            | models.Q(scope=Gate.Scope.MASTER, key=str(master.pk))
            | models.Q(scope=Gate.Scope.LANE, key=lane)
        )


class Gate(models.Model):
    """An open or closed permission to send. No row means open; closing takes one person and a reason."""

    class Scope(models.TextChoices):
        GLOBAL = "global", "Everything"
        MASTER = "master", "One connection"
        LANE = "lane", "One lane"

    scope = models.CharField(max_length=10, choices=Scope.choices)
    key = models.CharField(max_length=40, blank=True)
    is_open = models.BooleanField()
    reason = models.CharField(max_length=300)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    objects: ClassVar[Any] = GateQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="one_gate_per_scope")]

    def __str__(self) -> str:
        """Name what it stands before: "Everything", "Orders", "Connection F1000001"."""
        if self.scope == Gate.Scope.LANE:
            return LANES.get(self.key, self.key)
        if self.scope == Gate.Scope.MASTER:
            numbers = MasterAccount.objects.filter(pk=self.key).values_list("account", flat=True)
            return f"Connection {numbers.first() or self.key}"
        return str(self.get_scope_display())


class FamilyHealth(models.Model):
    """How one family of IBKR's API answered this connection lately; written by workers after each call."""

    master = models.ForeignKey(MasterAccount, on_delete=models.CASCADE, related_name="health")
    family = models.CharField(max_length=20)
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    last_failure = models.CharField(max_length=300, blank=True)
    last_milliseconds = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["master", "family"], name="one_health_row_per_family")]

    @property
    def is_well(self) -> bool:
        if self.last_failure_at is None:
            return self.last_success_at is not None
        return self.last_success_at is not None and self.last_success_at > self.last_failure_at


class FamilyMinute(models.Model):
    """One minute of one family's calls, for its p95 and error rate. Unlogged: lost in a database crash, and not missed."""

    master = models.ForeignKey(MasterAccount, on_delete=models.CASCADE, related_name="minutes")
    family = models.CharField(max_length=20)
    minute = models.DateTimeField()
    calls = models.PositiveIntegerField()
    failures = models.PositiveIntegerField()
    took = ArrayField(models.PositiveIntegerField())  # how many calls fell into each step of health.STEPS

    class Meta:
        constraints = [models.UniqueConstraint(fields=["master", "family", "minute"], name="one_row_per_family_minute")]


class LimitSlot(models.Model):
    """One of the calls a limit allows in its window. Free again when a window has passed since the call was answered."""

    bucket = models.CharField(max_length=160)
    number = models.PositiveSmallIntegerField()
    free_at = models.DateTimeField()
    is_out = models.BooleanField()  # its call is not answered yet; then `free_at` is only for a process that died

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bucket", "number"], name="limit_slots_are_numbered")]
        indexes = [models.Index(fields=["bucket", "free_at"], name="limit_slot_free")]


class LimitWaiter(models.Model):
    """Somebody waiting for a slot; whoever is less urgent stands back until `until`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bucket = models.CharField(max_length=160)
    priority = models.PositiveSmallIntegerField()
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["bucket", "priority"], name="limit_waiter_rank")]


class Penalty(models.Model):
    """IBKR answered 429: nothing leaves for this address until the penalty is over (trading.md section 3: it is per IP)."""

    address = models.CharField(max_length=200, primary_key=True)  # scheme, host and port of the base URL
    until = models.DateTimeField()
    noted_at = models.DateTimeField()
    path = models.CharField(max_length=200)
    hits = models.PositiveIntegerField(default=1)


class ConnectionTest(models.Model):
    """One try of a connection that a person asked for; a worker runs it, the page shows its steps as they were found."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    master = models.ForeignKey(MasterAccount, on_delete=models.CASCADE, related_name="tests")
    with_next_key = models.BooleanField(default=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    steps = models.JSONField(
        default=list
    )  # [{"name", "ok", "explanation": {"cause", "fix", "detail"} | null, "milliseconds"}]
    has_passed = models.BooleanField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["master", "-asked_at"], name="newest_test_of_master")]
