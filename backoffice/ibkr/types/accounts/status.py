"""Where accounts and requests stand, one by one and page by page."""

from pydantic import AliasChoices, Field

from backoffice.ibkr.parsing import Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.accounts.applications import AssignedAccount, AssignedEntity, AssignedUser
from backoffice.ibkr.types.accounts.tasks import Task
from backoffice.ibkr.types.base import Answer

Count = Number  # a whole number, which IBKR may also write as text
ACCOUNT_SPELLINGS = AliasChoices("acctId", "accountID", "accountId")
_VERDICTS = {"SUCCESS": True, "ACCEPTED": True, "OPENED": True, "ERROR": False, "REJECTED": False}


class AccountStatus(Answer):
    """Where an account stands. `status` is IBKR's letter (N P O C A R E Q, others possible), `state` its words."""

    account_id: Id = Field(alias="accountId")
    status: Text = ""
    description: Text = ""
    state: Text = ""
    message: Text = ""
    master_account_id: OptionalId = Field(default=None, alias="masterAccountId")
    admin_account_id: OptionalId = Field(default=None, alias="adminAccountId")
    date_started: Instant = Field(default=None, alias="dateStarted")
    date_opened: Instant = Field(default=None, alias="dateOpened")
    date_closed: Instant = Field(default=None, alias="dateClosed")


class AccountStatusPage(Answer):
    """One page of many accounts' status; `total` counts the whole list, None when IBKR did not say."""

    accounts: tuple[AccountStatus, ...] = ()
    offset: Count = None
    limit: Count = None
    total: Count = None


class RequestStatus(Answer):
    """What became of an asynchronous request. `status` is IBKR's free word (ACCEPTED, REJECTED, PENDING, ...)."""

    request_id: OptionalId = Field(default=None, alias="requestId")
    request_type: Text = Field(default="", alias="requestType")
    status: Text = ""
    message: Text = ""
    account_id: OptionalId = Field(default=None, validation_alias=ACCOUNT_SPELLINGS)
    submitted_at: Instant = Field(default=None, validation_alias=AliasChoices("dateSubmitted", "executedAt"))
    errors: tuple[str, ...] = ()
    accounts: tuple[AssignedAccount, ...] = ()
    users: tuple[AssignedUser, ...] = ()
    entities: tuple[AssignedEntity, ...] = ()
    pending_tasks: tuple[Task, ...] = ()

    @property
    def is_success(self) -> bool | None:
        """What became of it, as far as the words we know say; None for one in work, and for a new word."""
        return _VERDICTS.get(self.status.strip().upper())


class RequestDetail(Answer):
    """One request in a list of requests."""

    request_id: Id = Field(alias="requestId")
    request_type: Text = Field(default="", alias="requestType")
    status: Text = ""
    submitted_at: Instant = Field(default=None, alias="dateSubmitted")
    account_id: OptionalId = Field(default=None, validation_alias=ACCOUNT_SPELLINGS)


class RequestPage(Answer):
    """One page of requests; `total` counts the whole list, None when IBKR did not say."""

    requests: tuple[RequestDetail, ...] = Field(default=(), alias="requestDetails")
    offset: Count = None
    limit: Count = None
    total: Count = None
