"""What the echo endpoints say about a request that reached the gateway."""

from typing import Any

from pydantic import Field

from backoffice.ibkr.parsing import Text
from backoffice.ibkr.types.base import Answer


class EchoAnswer(Answer):
    """The request as the gateway saw it: its method, the security policy it passed and its query parameters.

    `security_policy` is HTTPS, SIGNED_JWT or ENCRYPTED_JWE; a new word is kept as it is.
    """

    request_method: Text = Field(default="", alias="requestMethod")
    security_policy: Text = Field(default="", alias="securityPolicy")
    query_parameters: dict[str, Any] = Field(default_factory=dict, alias="queryParameters")
