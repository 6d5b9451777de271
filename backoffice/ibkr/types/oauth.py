"""The access token."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer for `/gw`, bound to one master account. `expires_in` is in seconds from its issue."""

    value: str = field(repr=False)
    expires_in: int
    scopes: frozenset[str]
