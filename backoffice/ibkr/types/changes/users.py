"""Operations on logins: new users, their mail, market data, security questions; and the firm's own representatives."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.holders import UserPerson
from backoffice.ibkr.types.operation import Change, Operation
from backoffice.ibkr.types.people import AccountId, Email, EntityId, ExternalId, InputLanguage, Prefix, Username


def _enough_letters(value: str) -> str:
    if sum(character.isalpha() for character in value) < 3:
        raise ValueError("a username has at least three letters")
    return value


NewUsername = Annotated[str, Field(pattern=r"^[a-z0-9]{9,63}$"), AfterValidator(_enough_letters)]
RepresentativeId = Annotated[str, Field(min_length=1, max_length=64)]


class AddNewUser(Change):
    """Another login on an account, with the person it is for. `user_name` only for firms that may choose names."""

    operation: ClassVar[str] = "addNewUser"
    prefix: Prefix
    user_details: UserPerson
    user_name: NewUsername | None = None
    input_language: InputLanguage = "en"
    translation: bool = False


class CreateUser(Change):
    """Another login for a person IBKR knows already, named by `id` or `external_id`."""

    operation: ClassVar[str] = "createUser"
    prefix: Prefix
    id: EntityId | None = None
    external_id: ExternalId | None = None
    user_name: NewUsername | None = None
    authorized_trader: bool | None = None

    @model_validator(mode="after")
    def _names_whom(self) -> Self:
        if self.id is None and self.external_id is None:
            raise ValueError("say who the login is for: id or external_id")
        return self


class NewEmail(Request):
    """A new address of a user. Trap: the documents call `access` hasAccess; IBKR's server does not.

    `token` is what IBKR mailed: first to the old address, then to the new one. With `access` False the user no longer
    reads the old mail, and the change cannot be made by the API.
    """

    email: Email
    access: Literal[True] = True
    token: Annotated[str, Field(min_length=1)] | None = Field(default=None, repr=False)
    external_id: ExternalId | None = None
    entity_id: EntityId | None = None


class NewPassword(Request):
    """A new password, encrypted by a key that IBKR names (?): documented nowhere, so ask IBKR before using it."""

    encrypted_password: Annotated[str, Field(min_length=1, repr=False)]
    encrypted_key_name: Annotated[str, Field(min_length=1)]
    token: Annotated[str, Field(min_length=1)] | None = Field(default=None, repr=False)


class UpdateCredentials(Operation):
    """A new address or password of a user.

    For clients of advisors and disclosed brokers a new address is a conversation of three calls: the request, then the
    same with the token mailed to the old address, then with the one mailed to the new address. Trap: IBKR's documents
    and a live client send an array of one, its specification shows an object (?).
    """

    operation: ClassVar[str] = "updateCredentials"
    is_listed: ClassVar[bool] = True
    reference_user_name: Username | None = None
    account_id: AccountId | None = None
    update_email: NewEmail | None = None
    update_password: NewPassword | None = None

    @model_validator(mode="after")
    def _one_change_of_somebody(self) -> Self:
        if self.reference_user_name is None and self.account_id is None:
            raise ValueError("say whose credentials change: reference_user_name or account_id")
        if (self.update_email is None) == (self.update_password is None):
            raise ValueError("change the address or the password, one at a time")
        return self


class MarketDataService(Request):
    """One market data service to join or leave; `value` is its number in the enumeration market-data."""

    value: Annotated[int, Field(gt=0, le=2**31 - 1)]
    action: Literal["ADD", "REMOVE"]


class ManageMarketDataSubscriptions(Operation):
    """Join or leave market data services. Trap: all are dropped after 60 days without a login."""

    operation: ClassVar[str] = "manageMarketDataSubscriptions"
    reference_user_name: Username
    service: Annotated[tuple[MarketDataService, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _require_once("a service", [each.value for each in self.service])
        return self


class SecurityAnswer(Request):
    """A question of the enumeration security-questions, word for word, and the user's answer."""

    question: Annotated[str, Field(min_length=1)]
    answer: Annotated[str, Field(min_length=1, repr=False)]


class SecurityQuestions(Operation):
    """The questions by which IBKR knows a user on the telephone."""

    operation: ClassVar[str] = "securityQuestions"
    reference_user_name: Username
    details: Annotated[tuple[SecurityAnswer, ...], Field(min_length=1)]
    input_language: InputLanguage = "en"

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _require_once("a question", [each.question for each in self.details])
        return self


class CompleteLoginMessage(Change):
    """Say that login messages have been dealt with. Trap: IBKR takes it only for what documents or a tax form complete."""

    operation: ClassVar[str] = "completeLoginMessage"
    login_message_ids: Annotated[tuple[Annotated[int, Field(gt=0, le=2**63 - 1)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _require_once("a message", self.login_message_ids)
        return self


class Representative(Request):
    """A user of the master account who looks after an account, and the share that is credited, in per cent."""

    representative_id: RepresentativeId
    percentage: Annotated[int, Field(ge=1, le=100)]


class UpdateAccountRepresentatives(Change):
    """Who looks after an account; the shares total 100."""

    operation: ClassVar[str] = "updateAccountRepresentatives"
    representative_details: Annotated[tuple[Representative, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _totals_hundred(self) -> Self:
        _require_once("a representative", [each.representative_id for each in self.representative_details])
        total = sum(each.percentage for each in self.representative_details)
        if total != 100:
            raise ValueError(f"the shares total 100 per cent, not {total}")
        return self


class UpdateUserAccessRights(Operation):
    """Give a master user access to some accounts, or take it away.

    Trap: IBKR's specification names the accounts in `subAccounts`, its documents one account in `accountId`; with
    `as_documented` the second is sent.
    """

    operation: ClassVar[str] = "updateUserAccessRights"
    sub_accounts: Annotated[tuple[AccountId, ...], Field(min_length=1)]
    rep_id: RepresentativeId
    action: Literal["ADD", "REMOVE"]
    as_documented: Annotated[bool, Field(exclude=True)] = False

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _require_once("an account", self.sub_accounts)
        if self.as_documented and len(self.sub_accounts) != 1:
            raise ValueError("the documented form names one account only")
        return self

    def wire_members(self) -> dict[str, Any]:
        """Return the operation in the chosen of IBKR's two forms."""
        named: dict[str, Any] = {"subAccounts": list(self.sub_accounts)}
        if self.as_documented:
            named = {"accountId": self.sub_accounts[0]}
        return {**named, "repId": self.rep_id, "action": self.action}


def _require_once(what: str, values: "list[int] | list[str] | tuple[int, ...] | tuple[str, ...]") -> None:
    if len(values) != len(set(values)):
        raise ValueError(f"{what} may be named only once")
