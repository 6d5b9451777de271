"""User, Role, Book, Invitation, ApiToken."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from backoffice.core import clock

LONGEST_TOKEN = timedelta(days=366)


class Role(models.TextChoices):
    """What a person does here. The policy module gives each role its permissions; there are no others."""

    ADVISOR = "advisor", "Advisor"
    OPERATIONS = "operations", "Operations"
    PRINCIPAL = "principal", "Principal"
    VIEWER = "viewer", "Viewer"
    ADMINISTRATOR = "administrator", "Administrator"


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)

    def create_user(self, *, email: str, name: str, role: str, password: str | None = None, **extra: Any) -> "User":
        """Add a person. Without a password nobody can sign in as them."""
        user = self.model(email=email.strip().lower(), name=name, role=role, **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who signs in, known by e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20, choices=Role.choices)
    is_active = models.BooleanField(default=True)
    is_demonstration = models.BooleanField(default=False)
    joined_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name", "role"]
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = "user"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_any_case"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        """The letters in a person's badge, e.g. "ML"."""
        words = self.name.split()
        return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()

    @property
    def sees_every_book(self) -> bool:
        return self.role in {Role.OPERATIONS, Role.PRINCIPAL}


class Book(models.Model):
    """The clients an advisor may see; a viewer may be given one to read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80, unique=True)
    members = models.ManyToManyField(User, related_name="books", blank=True)

    def __str__(self) -> str:
        return self.name


class Invitation(models.Model):
    """A seat offered to somebody by e-mail. The link is not kept, only its digest; it works once and until `expires_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField()
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20, choices=Role.choices)
    books = models.ManyToManyField(Book, blank=True, related_name="+")
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    token_sha256 = models.CharField(max_length=64, unique=True)
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    person = models.OneToOneField(User, null=True, on_delete=models.PROTECT, related_name="invitation")
    intent = models.UUIDField(unique=True, null=True)  # the form it came from: a second press finds this row

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="invitation_one_open_each",
                condition=models.Q(accepted_at=None, withdrawn_at=None),
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(withdrawn_at=None), name="invitation_ends_once"
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None, person=None)
                | models.Q(accepted_at__isnull=False, person__isnull=False),
                name="invitation_accepted_by_somebody",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="invitation_role_known"),
        ]

    def __str__(self) -> str:
        return f"Invitation {self.pk}"

    @property
    def is_expired(self) -> bool:
        return clock.now() >= self.expires_at

    @property
    def why_closed(self) -> str:
        """The sentence for whoever follows the link in vain; empty while the invitation is open."""
        if self.accepted_at:
            return "This invitation has been used. Sign in with the password you chose."
        if self.withdrawn_at:
            return "This invitation was withdrawn."
        if self.is_expired:
            return f"This invitation expired on {self.expires_at:%-d %B %Y at %H:%M} UTC."
        return ""


class SeatStatus(models.TextChoices):
    WAITING = "waiting", "Waits for a second person"
    AGREED = "agreed", "Agreed to"
    DECLINED = "declined", "Not agreed to"
    DROPPED = "dropped", "Taken back"


class SeatChange(models.Model):
    """Power over money or people that somebody is to have, once a second person agrees; see `seats`. Triggers hold it.

    About a person (another role, or an account opened again) or about an invitation that is not sent yet.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="seat_changes")
    invitation = models.ForeignKey(Invitation, null=True, on_delete=models.PROTECT, related_name="seat_changes")
    was = models.CharField(max_length=20, blank=True)  # the role when it was asked; empty for an invitation
    role = models.CharField(max_length=20, choices=Role.choices)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=SeatStatus.choices, default=SeatStatus.WAITING)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(person=None, invitation__isnull=False)
                | models.Q(person__isnull=False, invitation=None),
                name="seat_change_of_one",
            ),
            models.UniqueConstraint(
                fields=["person"], name="seat_change_one_waits", condition=models.Q(status=SeatStatus.WAITING)
            ),
            models.UniqueConstraint(
                fields=["invitation"], name="seat_change_one_invites", condition=models.Q(status=SeatStatus.WAITING)
            ),
            models.CheckConstraint(
                condition=models.Q(status=SeatStatus.WAITING, decided_by=None, decided_at=None)
                | (~models.Q(status=SeatStatus.WAITING) & models.Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="seat_change_decided_by_somebody",
            ),
            models.CheckConstraint(condition=models.Q(status__in=SeatStatus.values), name="seat_change_status_known"),
        ]

    def __str__(self) -> str:
        return f"Seat change {self.pk}"

    @property
    def about(self) -> str:
        """Who it is about, by name."""
        return (self.person or self.invitation).name  # type: ignore[union-attr]  # one of them, by constraint

    @property
    def words(self) -> str:
        """What would happen, e.g. "becomes Principal", as the end of a sentence that begins with the name."""
        role = self.get_role_display().lower()
        if self.person is None:
            return f"is offered a seat as {role}"
        return f"becomes {role}" if self.was != self.role else f"is let in again as {role}"


class ApiToken(models.Model):
    """A key for a program that acts for a person: some of the person's permissions, until a day. Only its digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=80)
    hint = models.CharField(max_length=12)  # how the token begins, to tell it from others
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()  # names of permissions, sorted
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    last_address = models.GenericIPAddressField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    intent = models.UUIDField(unique=True, null=True)  # as of an invitation

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at"))
                & models.Q(expires_at__lte=models.F("created_at") + LONGEST_TOKEN),
                name="token_expires_within_a_year",
            ),
            models.CheckConstraint(
                condition=models.Q(revoked_at=None) | models.Q(revoked_by__isnull=False),
                name="token_revoked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def is_working(self) -> bool:
        return self.revoked_at is None and clock.now() < self.expires_at


class PolicyStatus(models.TextChoices):
    PROPOSED = "proposed", "Waiting for a second person"
    APPROVED = "approved", "Approved"
    DECLINED = "declined", "Not approved"
    WITHDRAWN = "withdrawn", "Taken back"


class PolicyVersion(models.Model):
    """One version of the firm's rules, frozen when proposed. Version 1 is in code and has no row; triggers hold the rest."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(unique=True)
    document_text = models.TextField()  # canonical JSON; `policies.document.read` gives it its types
    document_sha256 = models.CharField(max_length=64)
    based_on = models.PositiveIntegerField()
    reason = models.TextField()
    maker = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=PolicyStatus.choices, default=PolicyStatus.PROPOSED)
    decided_at = models.DateTimeField(null=True)
    decision = models.TextField(blank=True)  # why it was not approved, or taken back

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["status"], name="policy_one_waits", condition=models.Q(status=PolicyStatus.PROPOSED)
            ),
            models.CheckConstraint(condition=models.Q(status__in=PolicyStatus.values), name="policy_status_known"),
            models.CheckConstraint(condition=models.Q(number__gt=1), name="policy_first_is_in_code"),
        ]

    def __str__(self) -> str:
        return f"Policy version {self.number}"


class PolicyApproval(models.Model):
    """A second principal's yes to one exact document. Append-only; a trigger holds hash, role and person."""

    version = models.OneToOneField(PolicyVersion, on_delete=models.PROTECT, related_name="approval")
    approver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    document_sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()


class LimitCounter(models.Model):
    """How much of a kind was promised in one window by one account, or by the firm. Locked while it is counted."""

    kind = models.CharField(max_length=20)
    scope = models.CharField(max_length=40)  # an account number, or "firm"
    window = models.CharField(max_length=10)
    starts_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)
    usd = models.DecimalField(max_digits=24, decimal_places=2, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "scope", "window", "starts_at"], name="limit_counted_once")
        ]
