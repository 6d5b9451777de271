"""Notice, NoticePreference: what needed a person and when, kept whether or not a page was open."""

import uuid
from datetime import time
from hashlib import md5
from typing import Any, ClassVar

from django.contrib.postgres.aggregates import StringAgg
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import MD5, Cast, Coalesce, Concat

from backoffice.core.fields import EncryptedTextField
from backoffice.people.models import User


def reach_of(user: User) -> str:
    """Return a digest of what somebody may see: their role, and their books where these narrow it."""
    books = [] if user.sees_every_book else sorted(map(str, user.books.values_list("pk", flat=True)))
    return md5(f"{user.role}:{','.join(books)}".encode(), usedforsecurity=False).hexdigest()


def _reach_now(user: User) -> Any:
    """Return the same, as the database works it out within the query that asks; every page asks for notices."""
    if user.sees_every_book:
        return reach_of(user)
    text = Cast("book_id", models.TextField())
    held: Any = user.books.through.objects.filter(user=user).order_by().values("user")
    books = models.Subquery(held.annotate(held=StringAgg(text, ",", order_by=text)).values("held"))
    listed = Coalesce(books, Value(""), output_field=models.TextField())
    return MD5(Concat(Value(f"{user.role}:"), listed, output_field=models.TextField()))


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, user: User) -> "NoticeQuerySet":
        """Everybody's own: a notice is one person's, and of the role and the books they had when it was written.

        A title may name a client. Whoever has lost the role or a book since sees what was written before no more; what still
        needs them is written again within a minute (`notices.note`).
        """
        return self.filter(Q(reach="") | Q(reach=_reach_now(user)), user=user)

    def standing(self) -> "NoticeQuerySet":
        """Those whose matter still needs the person."""
        return self.filter(gone_at__isnull=True)

    def unread(self) -> "NoticeQuerySet":
        return self.standing().filter(read_at__isnull=True)

    def asleep(self, now: object) -> "NoticeQuerySet":
        """Those the person has put off until later."""
        return self.standing().filter(snoozed_until__gt=now)


class Notice(models.Model):
    """One matter that one person is needed for, from when that was first seen until it is over.

    `kind` is the inbox item's stable id. The title may name a client, so it is sealed; e-mail never carries it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=160)
    group = models.CharField(max_length=20)
    title = EncryptedTextField()
    url = models.CharField(max_length=300)
    tone = models.CharField(max_length=10)
    since = models.DateTimeField()
    reach = models.CharField(max_length=32, blank=True)  # `reach_of` its person; empty when that was not kept yet
    read_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    snooze_reason = models.CharField(max_length=200, blank=True)
    mailed_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)

    objects: ClassVar[NoticeQuerySet] = NoticeQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind"], name="one_standing_notice", condition=Q(gone_at__isnull=True)
            )
        ]
        indexes = [models.Index(fields=["user", "-since", "-id"], name="notice_by_time")]


class Delivery(models.TextChoices):
    NONE = "none", "In the page only"
    DIGEST = "digest", "Once a day by e-mail"
    AT_ONCE = "at_once", "At once by e-mail"


class NoticePreference(models.Model):
    """How one person wants to be told. Times are of their own zone; quiet hours may reach over midnight."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="notice_preference")
    urgent = models.CharField(max_length=8, choices=Delivery.choices, default=Delivery.AT_ONCE)
    other = models.CharField(max_length=8, choices=Delivery.choices, default=Delivery.DIGEST)
    digest_at = models.TimeField(default=time(8))
    quiet_from = models.TimeField(default=time(20))
    quiet_to = models.TimeField(default=time(7))
    zone = models.CharField(max_length=40, default="America/New_York")
    last_digest_on = models.DateField(null=True)
