"""The access token."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer for `/gw`, bound to one master account. `expires_in` is in seconds from its issue.

    `master` is the account the token says it is for, "" when it does not say. `skew_seconds` is IBKR's clock minus
    ours, None when its answer had no Date.
    """

    value: str = field(repr=False)
    expires_in: int
    scopes: frozenset[str]
    master: str = ""
    skew_seconds: int | None = None
