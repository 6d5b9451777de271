"""Household, Client, Account: whom the firm serves, and their accounts at IBKR."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Right
from django.urls import reverse

from backoffice.broker.models import MasterAccount
from backoffice.core import words
from backoffice.core.crypto import blind_identifier, blind_tail
from backoffice.core.fields import BlindIndexField, EncryptedTextField, currency_field, is_currency
from backoffice.people.models import Book, User


class ClientQuerySet(models.QuerySet["Client"]):
    def visible_to(self, user: User) -> "ClientQuerySet":
        """Everything for operations and principals, their books for advisors and viewers, nothing for others."""
        if user.sees_every_book:
            return self
        return self.filter(book__members=user)

    def named(self, text: str) -> "ClientQuerySet":
        """Those in whose name some word begins with each word of `text`; none when it has no letters."""
        query = words.starting_with(text)
        return self.none() if query is None else self.filter(name_words=query)

    def with_tax_number(self, typed: str) -> "ClientQuerySet":
        """Those whose tax number is `typed`, or ends in it when it has four letters or digits. Punctuation does not count."""
        plain = "".join(filter(str.isalnum, typed))
        if len(plain) == 4:
            return self.filter(tax_number_tail=blind_tail(plain))
        return self.filter(tax_number_index=blind_identifier(plain)) if plain else self.none()


class Household(models.Model):
    """Clients managed together."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class Client(models.Model):
    """A person the firm serves. Personal data is encrypted; the name alone stays readable, for lists and search."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    first_name = models.CharField(max_length=50)
    last_name = models.CharField(max_length=50)
    household = models.ForeignKey(Household, null=True, blank=True, on_delete=models.PROTECT, related_name="members")
    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="clients")
    email = EncryptedTextField(blank=True, default="")
    phone = EncryptedTextField(blank=True, default="")
    date_of_birth = EncryptedTextField(blank=True, default="")  # ISO date as text
    residence = EncryptedTextField(blank=True, default="")  # JSON: street1, street2, city, state, postalCode, country
    tax_number = EncryptedTextField(blank=True, default="")
    tax_number_index = BlindIndexField(of="tax_number", is_identifier=True)
    tax_number_tail = BlindIndexField(of="tax_number", is_tail=True)
    country = models.CharField(max_length=3, blank=True)  # ISO 3166 alpha-3
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True)  # when two people had the personal data destroyed
    name_words = words.words_of("first_name", "last_name")

    objects: ClassVar[Any] = ClientQuerySet.as_manager()

    class Meta:
        ordering = ["last_name", "first_name", "id"]
        indexes = [
            GinIndex(fields=["name_words"], name="client_words"),
            models.Index(fields=["last_name", "first_name", "id"], name="client_by_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    def get_absolute_url(self) -> str:
        return reverse("clients:client_detail", args=[self.pk])


class AccountQuerySet(models.QuerySet["Account"]):
    def visible_to(self, user: User) -> "AccountQuerySet":
        if user.sees_every_book:
            return self
        return self.filter(client__book__members=user)

    def open(self) -> "AccountQuerySet":
        return self.filter(ibkr_status="O")

    def meant_by(self, typed: str) -> "AccountQuerySet":
        """Those whose number begins as typed; four letters or digits are also the last four that people know it by."""
        wanted = models.Q(number__startswith=typed.upper())
        if len(typed) == 4 and typed.isalnum():
            found = self.alias(last_four=Right("number", 4)).filter(last_four=typed.upper())
            wanted |= models.Q(pk__in=list(found.order_by("number").values_list("pk", flat=True)[:20]))
        return self.filter(wanted)


class Account(models.Model):
    """An IBKR brokerage account of a client. IBKR's status words are kept as they come (account-management.md 9.1)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=20, unique=True)  # "U1000011"
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="accounts")
    master = models.ForeignKey(MasterAccount, on_delete=models.PROTECT, related_name="accounts")
    base_currency = currency_field()
    alias = models.CharField(max_length=80, blank=True)
    external_id = models.CharField(max_length=64, blank=True)
    holder_external_id = models.CharField(max_length=64, blank=True)  # our name for the person at IBKR
    holder_entity_id = models.CharField(max_length=20, blank=True)  # IBKR's own, needed to change the person's details
    username = models.CharField(max_length=64, blank=True)  # the client's own IBKR login, for the portal
    ibkr_status = models.CharField(max_length=4, blank=True)  # O, N, P, A, R, C, ...
    ibkr_state = models.CharField(max_length=60, blank=True)  # "Open", "Documents Required", ...
    status_as_of = models.DateTimeField(null=True)
    opened_on = models.DateField(null=True)
    closed_on = models.DateField(null=True)  # the day, in New York, on which IBKR first said C; empty again if reopened

    objects: ClassVar[Any] = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [is_currency("base_currency", "account_base_currency")]
        indexes = [models.Index(Right("number", 4), name="account_last_four")]

    def __str__(self) -> str:
        return self.number

    @property
    def is_open(self) -> bool:
        return self.ibkr_status == "O"
