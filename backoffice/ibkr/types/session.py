"""The brokerage session: who is signed in, whether it can be traded with, and which accounts it reaches."""

from typing import Any

from pydantic import AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer

ALL_ACCOUNTS = "All"  # the built-in group of every client; it also has aliases and properties of its own


class AuthStatus(Answer):
    """The state of the brokerage session. `established` is None on servers that do not say."""

    authenticated: bool = False
    connected: bool = False
    established: Flag = None
    competing: bool = False
    message: Text = ""
    fail: Text = ""
    server_name: Text = ""
    server_version: Text = ""

    @property
    def is_ready(self) -> bool:
        """Whether orders may be sent: signed in, connected, established, and nobody competing."""
        return self.authenticated and self.connected and self.established is not False and not self.competing

    @model_validator(mode="before")
    @classmethod
    def _absent_is_false(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        server = data.get("serverInfo")
        named = (
            {"server_name": server.get("serverName"), "server_version": server.get("serverVersion")}
            if isinstance(server, dict)
            else {}
        )
        return {**{name: value for name, value in data.items() if value is not None}, **named}


class SsoValidation(Answer):
    """The single sign-on session below the brokerage session."""

    is_valid: Flag = Field(default=None, alias="RESULT")
    username: Text = Field(default="", alias="USER_NAME")
    user_id: OptionalId = Field(default=None, alias="USER_ID")
    credential: Text = Field(default="", alias="CREDENTIAL")
    expires_in_ms: Number = Field(default=None, alias="EXPIRES")
    authenticated_at: Instant = Field(default=None, alias="AUTH_TIME")
    last_used_at: Instant = Field(default=None, alias="lastAccessed")
    login_type: OptionalId = Field(default=None, validation_alias=AliasChoices("LOGIN_TYPE", "loginType"))
    is_master: Flag = Field(default=None, alias="IS_MASTER")
    paper_username: Text = Field(default="", alias="PAPER_USER_NAME")
    region: Text = ""

    @property
    def is_paper(self) -> bool | None:
        """Whether this is a paper-trading login (1 is live, 2 is paper); None when IBKR says neither."""
        return {"1": False, "2": True}.get(self.login_type or "")


class AccountProperties(Answer):
    """What one account may do. None is "IBKR did not say": never take it for a permission."""

    has_children: Flag = Field(default=None, alias="hasChildAccounts")
    supports_cash_quantity: Flag = Field(default=None, alias="supportsCashQty")
    supports_fractions: Flag = Field(default=None, alias="supportsFractions")
    is_lite_under_pro: Flag = Field(default=None, alias="liteUnderPro")
    has_no_currency_conversion: Flag = Field(default=None, validation_alias=AliasChoices("noFXConv", "noFxConv"))
    is_proprietary: Flag = Field(default=None, alias="isProp")
    allows_customer_time: Flag = Field(default=None, alias="allowCustomerTime")
    converts_automatically: Flag = Field(default=None, alias="autoFx")


class Features(Answer):
    """What the username may do; `asset_types` are IBKR's words, such as STK, OPT and BOND."""

    is_advisor: Flag = Field(default=None, alias="allowFA")
    has_dynamic_accounts: Flag = Field(default=None, alias="allowDynAccount")
    may_convert_currency: Flag = Field(default=None, alias="allowFXConv")
    may_trade_crypto: Flag = Field(default=None, alias="allowCrypto")
    is_lite: Flag = Field(default=None, alias="liteUser")
    snapshot_timeout_seconds: Number = Field(default=None, alias="snapshotRefreshTimeout")
    asset_types: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: Any) -> Any:
        allowed = data.get("allowedAssetTypes") if isinstance(data, dict) else None
        if not isinstance(allowed, str):
            return data
        return {**data, "asset_types": [each.strip() for each in allowed.split(",") if each.strip()]}


class BrokerageAccounts(Answer):
    """The accounts and groups this session can trade; reading them primes the session for everything else.

    For an advisor `accounts` are the clients; "All" appears among groups, aliases and properties, but is no account.
    """

    accounts: tuple[Id, ...] = ()
    properties: dict[str, AccountProperties] = Field(default_factory=dict)
    aliases: dict[str, Text] = Field(default_factory=dict)
    features: Features | None = Field(default=None, alias="allowFeatures")
    chart_periods: dict[str, tuple[Text, ...]] = Field(default_factory=dict, alias="chartPeriods")
    groups: tuple[Text, ...] = ()
    profiles: tuple[Text, ...] = ()
    selected_account: OptionalId = Field(default=None, alias="selectedAccount")
    session_id: OptionalId = Field(default=None, alias="sessionId", repr=False)
    is_paper: Flag = Field(default=None, alias="isPaper")
    is_first_time: Flag = Field(default=None, validation_alias=AliasChoices("isFT", "isFt"))

    @model_validator(mode="before")
    @classmethod
    def _absent_is_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        kept = {name: value for name, value in data.items() if value is not None}
        properties = kept.get("acctProps")
        if isinstance(properties, dict):
            kept["properties"] = {name: each for name, each in properties.items() if isinstance(each, dict)}
        periods = kept.get("chartPeriods")
        if isinstance(periods, dict):
            kept["chartPeriods"] = {name: each for name, each in periods.items() if isinstance(each, list)}
        return kept


class AccountMatch(Answer):
    """One account found by a pattern. `allocation_id` is what orders of dynamic accounts may be allocated by."""

    account_id: Id = Field(alias="accountId")
    alias: Text = ""
    allocation_id: Text = Field(default="", alias="allocationId")


class AccountSearch(Answer):
    """The accounts a pattern matched, of a broker with dynamic accounts."""

    pattern: Text = ""
    matches: tuple[AccountMatch, ...] = Field(default=(), alias="matchedAccounts")


class Tickle(Answer):
    """The answer to a heartbeat. `auth` is None when the server left it out or failed (`error`): then ask for the status."""

    session: Text = Field(default="", repr=False)
    sso_expires_in_ms: Number = Field(default=None, alias="ssoExpires")
    collision: Flag = Field(default=None, validation_alias=AliasChoices("collission", "collision"))
    user_id: OptionalId = Field(default=None, alias="userId")
    auth: AuthStatus | None = None
    error: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _lift_status(cls, data: Any) -> Any:
        brokerage = data.get("iserver") if isinstance(data, dict) else None
        status = brokerage.get("authStatus") if isinstance(brokerage, dict) else None
        return {**data, "auth": status} if isinstance(status, dict) else data
