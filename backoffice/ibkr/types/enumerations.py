"""Rows of IBKR's enumerations whose form is known, and the answers of other small look-ups."""

from typing import Literal

from pydantic import AliasChoices, Field

from backoffice.ibkr.parsing import Flag, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer
from backoffice.ibkr.types.forms import Texts

Kind = Literal[
    "acats", "aton", "business-and-occupation", "edd-avt", "employee-plans", "employee-track", "exchange-bundles",
    "fin-info-ranges", "market-data", "prohibited-country", "product-country-bundles", "questionnaires", "quiz-questions",
    "security-questions", "wire-instructions",
]  # fmt: skip
QuestionKind = Literal["edd-avt", "questionnaires", "quiz-questions"]
Language = Literal["en", "ar", "de", "es", "fr", "he", "hu", "it", "ja", "nl", "pt", "ru", "zh_CN", "zh_TW"]


class WireInstruction(Answer):
    """Where a client wires money of one currency to. Fetch it fresh for each deposit; the reference names the account."""

    currency: Text = ""
    beneficiary: Text = Field(default="", alias="accountNameAndBeneficiary")
    account_number: Text = Field(default="", alias="accountNumber", repr=False)
    routing_number: Text = Field(default="", alias="routingNumber", repr=False)
    swift_code: Text = Field(default="", alias="bankSWIFTCode")
    bank: Text = Field(default="", alias="bankTitleAndAddress")
    alternate_account: Text = Field(default="", alias="alternateAccountInfo", repr=False)
    payment_reference: Text = Field(default="", alias="paymentReference")


class ExchangeBundle(Answer):
    """An exchange group that a trading permission can name, such as US-Sec."""

    exchange_group: Text = Field(default="", validation_alias=AliasChoices("exchangeGroup", "value", "id"))
    description: Text = Field(default="", validation_alias=AliasChoices("description", "name"))
    country: Text = ""
    product: Text = ""


class ProductCountry(Answer):
    """A country and a product that a trading permission can name together, in IBKR's upper-case words."""

    country: Text = ""
    product: Text = ""


class FinancialRange(Answer):
    """A range that its `id` stands for in financial information (`upper` is None for the highest)."""

    id: OptionalId = Field(default=None, validation_alias=AliasChoices("id", "rangeId"))
    currency: Text = ""
    type: Text = ""
    lower: Number = Field(default=None, validation_alias=AliasChoices("lowerBound", "lower", "min"))
    upper: Number = Field(default=None, validation_alias=AliasChoices("upperBound", "upper", "max"))


class TransferBroker(Answer):
    """A broker that positions can be moved from (ACATS in the USA, ATON in Canada)."""

    broker_id: OptionalId = Field(default=None, alias="brokerId")
    name: Text = Field(default="", alias="brokerName")


class TrackedCompany(Answer):
    """An employer with a compliance account, whose number an affiliation names."""

    company_id: OptionalId = Field(default=None, alias="companyId")
    name: Text = Field(default="", validation_alias=AliasChoices("companyName", "name", "company"))


class ParticipatingBank(Answer):
    """A bank that takes part in eDDA; the clearing code goes into the bank instruction."""

    name: Text = Field(default="", alias="institutionName")
    clearing_code: Text = Field(default="", alias="clearingCode")
    bic: Text = Field(default="", validation_alias=AliasChoices("BIC", "bic"))


class UsernameAnswer(Answer):
    """Whether a username is well formed and free, and free ones like it."""

    is_valid: Flag = Field(default=None, alias="isValid")
    is_available: Flag = Field(default=None, alias="isAvailable")
    suggestions: Texts = Field(default=(), alias="suggestedUserName")
