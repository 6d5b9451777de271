"""DeskSync: when IBKR was last asked what, and how that went."""

from django.db import models

from backoffice.broker.models import MasterAccount


class DeskSync(models.Model):
    """How the last reading of one kind went, for one connection: "portfolio", "orders", "groups"."""

    master = models.ForeignKey(MasterAccount, on_delete=models.CASCADE, related_name="desk_syncs")
    kind = models.CharField(max_length=20)
    read_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["master", "kind"], name="one_sync_row_per_kind")]
