"""Two short answers about an account: where a person proves their identity, and what greets them at login."""

from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from backoffice.ibkr.parsing import Flag, Instant, OptionalId, Text
from backoffice.ibkr.types.base import Answer

BY_DOCUMENTS = frozenset({"ACK_AGREEMENT_UPDATE", "LLC_AGREEMENT_UPDATE"})
BY_TAX_FORM = frozenset({"W8INFO"})


def _numbers(value: object) -> object:
    listed = value if isinstance(value, list) else []
    return [str(item) for item in listed if isinstance(item, int | str) and str(item).strip()]


class KycLink(Answer):
    """A page on which one person proves identity and address at once. It opens for 24 hours; then ask for a new one.

    `url` is personal: never store or log it. `state` is IBKR's free word.
    """

    url: Text = Field(default="", repr=False)
    state: Text = ""
    external_id: OptionalId = Field(default=None, alias="externalId")
    entity_id: OptionalId = Field(default=None, alias="entityId")
    starts: Instant = Field(default=None, alias="startDate")
    expires: Instant = Field(default=None, alias="expiryDate")


class LoginMessage(Answer):
    """Something IBKR asks a user at the next login. `tasks` are the numbers of the forms that answer it."""

    id: OptionalId = None
    username: Text = ""
    type: Text = Field(default="", validation_alias=AliasChoices("messageType", "type"))
    content_id: OptionalId = Field(default=None, alias="contentId")
    state: Text = ""
    description: Text = ""
    recorded: Instant = Field(default=None, alias="recordDate")
    tasks: Annotated[tuple[str, ...], BeforeValidator(_numbers)] = ()

    @property
    def is_answered_by_documents(self) -> bool:
        """Whether a documentSubmission completes it."""
        return self.type in BY_DOCUMENTS

    @property
    def is_answered_by_tax_form(self) -> bool:
        """Whether updateTaxForm completes it. Whatever neither completes is completed in IBKR's portal."""
        return self.type in BY_TAX_FORM


class LoginMessages(Answer):
    """The login messages of one account."""

    account_id: OptionalId = Field(default=None, alias="accountId")
    clearing_status: Text = Field(default="", alias="clearingStatus")
    clearing_status_description: Text = Field(default="", alias="clearingStatusDescription")
    are_present: Flag = Field(default=None, alias="loginMessagePresent")
    messages: tuple[LoginMessage, ...] = Field(default=(), alias="loginMessages")
