"""Instrument, and what IBKR says each account holds: AccountSnapshot, Position, CashBalance, ExchangeRate."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.urls import reverse

from backoffice.core.fields import amount_field, currency_field, is_currency
from backoffice.people.models import User
from clients.models import Account


class Instrument(models.Model):
    """What is traded, known by IBKR's conid. The last quote is kept with its age and with how live it was.

    `price_magnifier` is 100 where IBKR quotes in hundredths of the currency (pence in London).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conid = models.CharField(max_length=12, unique=True)
    symbol = models.CharField(max_length=40)
    name = models.CharField(max_length=160, blank=True)
    exchange = models.CharField(max_length=24, blank=True)
    currency = currency_field()
    asset_class = models.CharField(max_length=12, default="STK")
    sector = models.CharField(max_length=80, blank=True)
    tick = amount_field(default=Decimal("0.01"))
    multiplier = amount_field(default=Decimal(1))
    price_magnifier = amount_field(default=Decimal(1))
    bid = amount_field(null=True)
    ask = amount_field(null=True)
    last = amount_field(null=True)
    availability = models.CharField(max_length=8, blank=True)  # IBKR's field 6509, as it came
    is_last_previous_close = models.BooleanField(default=False)
    is_halted = models.BooleanField(default=False)
    quoted_at = models.DateTimeField(null=True)
    watched_until = models.DateTimeField(null=True)  # somebody looks at it: its market data is worth a line

    class Meta:
        ordering = ["symbol", "exchange"]
        indexes = [models.Index(fields=["symbol"], name="instrument_symbol")]
        constraints = [
            is_currency("currency", "instrument_currency"),
            models.CheckConstraint(condition=models.Q(tick__gt=0), name="instrument_tick_is_positive"),
        ]

    def __str__(self) -> str:
        return self.symbol

    def get_absolute_url(self) -> str:
        return reverse("trading:instrument", args=[self.conid])

    @property
    def unit_value(self) -> Decimal:
        """Money in `currency` that one unit is worth when its price reads 1."""
        return Decimal(self.multiplier / self.price_magnifier)

    @property
    def priced_in(self) -> str:
        """What a price counts where it is not the currency itself: "pence" in London; else nothing."""
        if self.price_magnifier == 1:
            return ""
        return "pence" if self.currency == "GBP" else f"hundredths of {self.currency}"

    @property
    def price_step(self) -> Decimal:
        """The tick with its own decimals, whatever scale the column has: prices are written to it."""
        step = self.tick.normalize()
        return step if step < 1 else Decimal(1)

    @property
    def is_live(self) -> bool:
        """Whether the kept last price was today's, in real time and not halted."""
        return self.availability[:1] == "R" and not self.is_last_previous_close and not self.is_halted


class AccountSnapshot(models.Model):
    """The key figures of one account, in its base currency, as IBKR gave them at `as_of`."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="snapshot")
    currency = currency_field()
    net_liquidation = amount_field(null=True)
    total_cash = amount_field(null=True)
    excess_liquidity = amount_field(null=True)
    available_funds = amount_field(null=True)
    buying_power = amount_field(null=True)
    unrealised = amount_field(null=True)
    as_of = models.DateTimeField(null=True)
    # What IBKR computes the methods N and A from (GET /iserver/account/allocation/accounts)
    allocation_net_liquidation = amount_field(null=True)
    allocation_available = amount_field(null=True)
    allocation_as_of = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    # What the stream tells between two readings; net liquidation, excess liquidity and unrealised profit come with it.
    daily = amount_field(null=True)
    streamed_at = models.DateTimeField(null=True)
    watched_until = models.DateTimeField(null=True)  # somebody looks at it: its cash is followed
    failure = models.CharField(max_length=300, blank=True)  # why the newest reading failed, in plain words

    class Meta:
        constraints = [is_currency("currency", "account_snapshot_currency")]

    @property
    def figures_at(self) -> datetime | None:
        """When the key figures were true; positions and the rest are as of the last reading."""
        return max(filter(None, (self.as_of, self.streamed_at)), default=None)


class PositionQuerySet(models.QuerySet["Position"]):
    def visible_to(self, user: User) -> "PositionQuerySet":
        return self.filter(account__in=Account.objects.visible_to(user))


class Position(models.Model):
    """What one account holds of one instrument. Money is in the instrument's currency unless it says base."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="positions")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="positions")
    quantity = amount_field()  # negative when short
    price = amount_field(null=True)
    value = amount_field(null=True)
    average_cost = amount_field(null=True)
    unrealised = amount_field(null=True)
    base_value = amount_field(null=True)
    base_unrealised = amount_field(null=True)
    as_of = models.DateTimeField()

    objects: ClassVar[Any] = PositionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "instrument"], name="one_position_per_account_and_instrument")
        ]


class CashBalance(models.Model):
    """Cash of one currency in one account; `rate` turns it into the account's base currency."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="cash_balances")
    currency = currency_field()
    amount = amount_field()
    settled = amount_field(null=True)
    rate = amount_field(null=True)
    as_of = models.DateTimeField()

    class Meta:
        ordering = ["currency"]
        constraints = [
            models.UniqueConstraint(fields=["account", "currency"], name="one_balance_per_account_and_currency"),
            is_currency("currency", "cash_balance_currency"),
        ]

    @property
    def in_base(self) -> Decimal | None:
        return None if self.rate is None else self.amount * self.rate


class ExchangeRate(models.Model):
    """How much of `to_currency` one unit of `from_currency` is worth, as some account's ledger said at `as_of`."""

    from_currency = currency_field()
    to_currency = currency_field()
    rate = amount_field()
    as_of = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["from_currency", "to_currency"], name="one_rate_per_pair"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="exchange_rate_is_positive"),
        ]
