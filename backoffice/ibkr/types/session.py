"""The brokerage session: who is signed in, and whether it can be traded with."""

from typing import Any

from pydantic import AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Flag, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer


class AuthStatus(Answer):
    """The state of the brokerage session. `established` is None on servers that do not say."""

    authenticated: bool = False
    connected: bool = False
    established: Flag = None
    competing: bool = False
    message: Text = ""
    fail: Text = ""

    @property
    def is_ready(self) -> bool:
        """Whether orders may be sent: signed in, connected, established, and nobody competing."""
        return self.authenticated and self.connected and self.established is not False and not self.competing


class SsoValidation(Answer):
    """The single sign-on session below the brokerage session."""

    is_valid: Flag = Field(default=None, alias="RESULT")
    username: Text = Field(default="", alias="USER_NAME")
    user_id: OptionalId = Field(default=None, alias="USER_ID")
    expires_in_ms: Number = Field(default=None, alias="EXPIRES")
    authenticated_at: Instant = Field(default=None, alias="AUTH_TIME")
    login_type: OptionalId = Field(default=None, validation_alias=AliasChoices("LOGIN_TYPE", "loginType"))

    @property
    def is_paper(self) -> bool:
        """Whether this is a paper-trading login (1 is live, 2 is paper)."""
        return self.login_type == "2"


class BrokerageAccounts(Answer):
    """The accounts and groups this session can trade; reading them primes the session for everything else."""

    accounts: tuple[str, ...] = ()
    aliases: dict[str, str] = Field(default_factory=dict)
    groups: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    selected_account: OptionalId = Field(default=None, alias="selectedAccount")
    session_id: OptionalId = Field(default=None, alias="sessionId", repr=False)
    is_paper: Flag = Field(default=None, alias="isPaper")

    @model_validator(mode="before")
    @classmethod
    def _absent_is_empty(cls, data: Any) -> Any:
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


class Tickle(Answer):
    """The answer to a heartbeat. `auth` is None when the server left it out: then ask for the status."""

    session: Text = Field(default="", repr=False)
    sso_expires_in_ms: Number = Field(default=None, alias="ssoExpires")
    collision: Flag = Field(default=None, validation_alias=AliasChoices("collission", "collision"))
    auth: AuthStatus | None = None

    @model_validator(mode="before")
    @classmethod
    def _lift_status(cls, data: Any) -> Any:
        brokerage = data.get("iserver") if isinstance(data, dict) else None
        status = brokerage.get("authStatus") if isinstance(brokerage, dict) else None
        return {**data, "auth": status} if isinstance(status, dict) else data
