"""Changes to an account, one operation of PATCH /accounts each."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.documents import DocumentSubmission
from backoffice.ibkr.types.people import AccountId, Address, ExternalId, Phone


class Change(Request):
    """One operation. `operation` is IBKR's key for it; subclasses say what is in it."""

    operation: ClassVar[str]
    account_id: AccountId


class AliasChange(Change):
    """A new nickname for an account; takes effect at once."""

    operation: ClassVar[str] = "updateAccountAlias"
    account_alias: Annotated[str, Field(min_length=1, max_length=80)]


class AddressChange(Change):
    """A new address or telephone of an account holder, named by `entity_id` or `external_id`.

    Traps: it replaces a pending change of the same holder without saying so, and IBKR may want a new tax form.
    """

    operation: ClassVar[str] = "changeAccountHolderDetail"
    entity_id: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,18}$")] | None = None
    external_id: ExternalId | None = None
    residence_address: Address | None = None
    mailing_address: Address | None = None
    same_mail_address: bool | None = None
    phones: tuple[Phone, ...] = ()
    documents: DocumentSubmission | None = None
    input_language: str = "en"
    translation: bool = False

    @model_validator(mode="after")
    def _names_holder_and_change(self) -> Self:
        if self.entity_id is None and self.external_id is None:
            raise ValueError("say whose address changes: entity_id or external_id")
        if self.residence_address is None and self.mailing_address is None and not self.phones:
            raise ValueError("nothing is changed")
        if self.mailing_address is not None and self.same_mail_address:
            raise ValueError("a separate mailing address contradicts mail going to the residence")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the operation with the holder's new details as an array of one."""
        own = super().wire_members()
        holder = {
            name: own[name]
            for name in ("residenceAddress", "mailingAddress", "sameMailAddress", "phones")
            if name in own
        }
        identity = {"id": self.entity_id} if self.entity_id else {"externalId": self.external_id}
        members: dict[str, Any] = {"newAccountHolderDetails": [{**identity, **holder}]}
        if self.documents is not None:
            members["documents"] = self.documents.wire_members()
        return members | {
            "accountId": self.account_id,
            "inputLanguage": self.input_language,
            "translation": self.translation,
        }
