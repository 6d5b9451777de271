"""What the environment may say, checked before Django starts: a bad value stops the start with a sentence.

Every name is documented in `.env.example`.
"""

import base64
import ipaddress
import re
import sys
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps")


class Environment(BaseSettings):
    """What the environment may say. Types are checked before Django starts."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=True)

    DATABASE_URL: str
    CELERY_BROKER_URL: str
    SECRET_KEY: str = Field(min_length=40)
    SECRET_KEY_FALLBACKS: str = ""
    FIELD_KEYS: str
    BLIND_INDEX_KEY: str
    AUDIT_KEYS: str = ""
    AUDIT_ANCHORS: Path | None = None
    ALLOWED_HOSTS: str = "127.0.0.1,localhost"
    CSRF_TRUSTED_ORIGINS: str = ""
    BACKOFFICE_STATE: Path = BASE_DIR / "var"
    FIRM_NAME: str = "Your firm"
    PUBLIC_URL: str = "http://127.0.0.1:8000"
    DEBUG: bool = False
    DEMONSTRATION: bool = False
    HTTPS: bool = True
    TRUSTED_PROXY: bool = False
    DATABASE_POOL_SIZE: int = Field(default=8, ge=1, le=100)
    IBKR_EGRESS_IP: str = "127.0.0.1"
    IBKR_LISTED_OPERATIONS: str = ""
    JOURNAL_LEASE_SECONDS: int = Field(default=90, ge=2)
    JOURNAL_QUIET_SECONDS: int = Field(default=120, ge=0)
    JOURNAL_LOOK_SECONDS: str = "5,15,45,120,300,600"
    REVEALS_PER_HOUR: int = Field(default=30, ge=1)
    EXPORTS_PER_HOUR: int = Field(default=20, ge=1)
    DOCUMENTS_PER_HOUR: int = Field(default=120, ge=1)
    API_PEOPLE_PER_HOUR: int = Field(default=5000, ge=1)
    QUESTION_SECONDS: int = Field(default=60, ge=5, le=600)
    SANDBOX_LIMITS: bool = True
    STREAM_COOKIE: Literal["bare", "json"] = "bare"
    MARKET_DATA_LINES: int = Field(default=100, ge=10, le=1000)
    MFA_REQUIRED: bool = True
    STEP_UP_SECONDS: int = Field(default=300, ge=1)
    SESSION_IDLE_SECONDS: int = Field(default=900, ge=60, le=900)
    SESSION_SECONDS: int = Field(default=8 * 3600, ge=60, le=8 * 3600)
    EMAIL_HOST: str = "localhost"
    EMAIL_PORT: int = 25
    EMAIL_HOST_USER: str = ""
    EMAIL_HOST_PASSWORD: str = ""
    EMAIL_USE_TLS: bool = False
    EMAIL_USE_SSL: bool = False
    EMAIL_FROM: str = "back-office@localhost"
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("DATABASE_URL")
    @classmethod
    def _postgres_only(cls, value: str) -> str:
        if not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must be a postgresql:// address; PostgreSQL is the only database")
        # The address is not repeated: it holds the password.
        if _place(value) is None or not urlsplit(value).path.strip("/"):
            raise ValueError(
                "must be postgresql://user:password@host:port/database, special characters of the password as %XX"
            )
        return value

    @field_validator("CELERY_BROKER_URL")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if _place(value) is None or urlsplit(value).scheme not in BROKER_SCHEMES:
            raise ValueError(
                "must be redis://:password@host:port/number (rediss:// with TLS; Valkey's too) or "
                "amqp://user:password@host:port/name, special characters of the password as %XX"
            )
        return value

    @field_validator("ALLOWED_HOSTS")
    @classmethod
    def _names_only(cls, value: str) -> str:
        names = listed(value)
        if not names or any("/" in name or re.search(r"[^:]:\d+$", name) for name in names):
            raise ValueError("must be names alone, comma separated, without https:// and without a port")
        return value

    @field_validator("CSRF_TRUSTED_ORIGINS")
    @classmethod
    def _whole_origins(cls, value: str) -> str:
        if not all(re.fullmatch(r"https?://[^/\s]+", origin) for origin in listed(value)):
            raise ValueError("must be origins, comma separated, each like https://backoffice.example.com")
        return value

    @field_validator("PUBLIC_URL")
    @classmethod
    def _whole_address(cls, value: str) -> str:
        if not re.match(r"https?://[^/\s]+", value):
            raise ValueError("must be the whole address people open, like https://backoffice.example.com")
        return value

    @field_validator("IBKR_EGRESS_IP")
    @classmethod
    def _address_of_a_machine(cls, value: str) -> str:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise ValueError("must be the public IP address our calls to IBKR leave from, like 203.0.113.9") from None
        return value

    @field_validator("JOURNAL_LOOK_SECONDS")
    @classmethod
    def _whole_seconds(cls, value: str) -> str:
        if not all(step.isascii() and step.isdigit() for step in listed(value)) or not listed(value):
            raise ValueError("must be whole seconds, comma separated, like 5,15,45")
        return value

    @field_validator("LOG_LEVEL", mode="before")
    @classmethod
    def _in_capitals(cls, value: str) -> str:
        return value.upper()

    @field_validator("FIELD_KEYS", "AUDIT_KEYS")
    @classmethod
    def _readable_field_keys(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name == "AUDIT_KEYS":
            return value  # derived, see backoffice.audit.keys
        for pair in value.split(","):
            key_id, _, secret = pair.partition(":")
            if not key_id or _key_bytes(secret) != 32:
                raise ValueError(
                    "must be id:key pairs, comma separated, each key 32 bytes in url-safe base64; the first encrypts"
                )
        return value

    @field_validator("BLIND_INDEX_KEY")
    @classmethod
    def _readable_blind_index_key(cls, value: str) -> str:
        if _key_bytes(value) != 32:
            raise ValueError("must be 32 bytes in url-safe base64")
        return value

    @model_validator(mode="after")
    def _no_shortcut_beside_real_clients(self) -> Self:
        """What makes the demonstration comfortable would leave a firm's door open, so nothing else may ask for it."""
        if not self.DEMONSTRATION and not self.MFA_REQUIRED:
            raise ValueError("MFA_REQUIRED=false is for the demonstration firm only (DEMONSTRATION=true)")
        if not self.DEMONSTRATION and self.STEP_UP_SECONDS > 300:
            raise ValueError("STEP_UP_SECONDS above 300 is for the demonstration firm only (DEMONSTRATION=true)")
        # Links in letters carry the name that was asked for; answering to any, they would lead wherever a stranger says.
        if not self.DEMONSTRATION and "*" in listed(self.ALLOWED_HOSTS):
            raise ValueError("ALLOWED_HOSTS must be the names this site answers to; * is any name")
        if not self.DEMONSTRATION and self.DEBUG:
            raise ValueError(
                "DEBUG=true shows settings and clients' data on its error pages; it is for the demonstration"
            )
        if not self.DEMONSTRATION and self.HTTPS and not self.PUBLIC_URL.startswith("https://"):
            raise ValueError("PUBLIC_URL must be the https:// address people open; the links in letters lead there")
        if self.EMAIL_USE_TLS and self.EMAIL_USE_SSL:
            raise ValueError("EMAIL_USE_TLS is for port 587 and EMAIL_USE_SSL for port 465; set one of them")
        return self


def listed(value: str) -> list[str]:
    """Return the parts of a comma separated setting."""
    return [part.strip() for part in value.split(",") if part.strip()]


def _key_bytes(secret: str) -> int:
    """Return how many bytes a key has in url-safe base64; 0 when it is not that."""
    try:
        return len(base64.urlsafe_b64decode(secret))
    except ValueError:
        return 0


def _place(url: str) -> str | None:
    """Return the host and port of an address, the host empty where its query names a socket; None when it cannot be read."""
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname or ''}:{parts.port or ''}"
    except ValueError:
        return None
    return place if parts.hostname or "host=" in parts.query or parts.scheme == "redis+socket" else None


def read_environment() -> Environment:
    """Return what the environment says. Ends the process with a sentence for each setting that is missing or wrong."""
    try:
        return Environment()  # type: ignore[call-arg]  # filled from the environment
    except ValidationError as error:
        lines = [f"  {': '.join([*map(str, problem['loc'][:1]), _said(problem['msg'])])}" for problem in error.errors()]
        sys.exit("The settings are not complete or not right; .env.example explains each.\n" + "\n".join(lines))


def _said(message: str) -> str:
    return "is not set" if message == "Field required" else message.removeprefix("Value error, ")
