"""IBKR's messages to a username (FYIs), and which kinds of them it wants."""

import re
from html import unescape
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from backoffice.ibkr.parsing import Flag, Id, Instant, Number, Text
from backoffice.ibkr.types.base import Answer

_TAG = re.compile(r"<[^>]*>")


def _whole_seconds(value: object) -> object:
    """Return IBKR's "1710847062.0" without its fraction, which is always zero."""
    return value.partition(".")[0] if isinstance(value, str) else value


class Notification(Answer):
    """One message. `body` is IBKR's HTML: show `plain_body`, never the HTML itself."""

    notification_id: Id = Field(alias="ID")
    kind: Text = Field(default="", alias="FC")
    sent_at: Annotated[Instant, BeforeValidator(_whole_seconds)] = Field(default=None, alias="D")
    subject: Text = Field(default="", alias="MS")
    body: Text = Field(default="", alias="MD", repr=False)
    is_read: Flag = Field(default=None, alias="R")

    @property
    def plain_body(self) -> str:
        """The message without HTML."""
        return " ".join(unescape(_TAG.sub(" ", self.body)).split())


class NotificationKind(Answer):
    """One kind of message, whether it is wanted and whether its disclaimer was read."""

    kind: Id = Field(alias="FC")
    name: Text = Field(default="", alias="FN")
    description: Text = Field(default="", alias="FD")
    is_wanted: Flag = Field(default=None, alias="A")
    is_disclaimer_read: Flag = Field(default=None, alias="H")


class Disclaimer(Answer):
    """What IBKR wants read before messages of a kind are acted on."""

    kind: Text = Field(default="", alias="FC")
    text: Text = Field(default="", alias="DT")


class Unread(Answer):
    """How many messages are unread; None when IBKR did not say."""

    count: Number = Field(default=None, validation_alias=AliasChoices("BN", "count"))
