"""Single sign-on: a page for a person, a bearer for our own trading calls."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote


class PortalPage(StrEnum):
    """Pages of IBKR's portal that a sign-on can open; the values are IBKR's, case- and space-sensitive."""

    HOME = ""
    ACCOUNT_SETTINGS = "AccountSettings"
    PROFILE = "AccountSettings&config=Profile"
    TRADING_PERMISSIONS = "AccountSettings&config=TradingPermissions"
    STATEMENTS = "Statement"
    RECURRING_INVESTMENT = "RecurringInvestment"
    BANK_INSTRUCTIONS = "FUNDING_INSTRUCTIONS"
    FUNDING_HISTORY = "TransactionHistory"
    TRANSFER_FUNDS = "TransferFunds"
    TRANSFER_POSITIONS = "TransferPositions"
    PENDING_ITEMS = "DOC"
    MESSAGE_CENTER = "CS_WEB_TICKET"
    CLOSE_ACCOUNT = "CLOSE_ACCOUNT"
    TAX_FORMS = "RM_TAX_FORMS"


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """An address that signs one person in, once, within 60 seconds, from the declared IP. Never store or prefetch it."""

    url: str = field(repr=False)

    def opening(self, page: PortalPage, **details: str) -> str:
        """Return the address that lands on `page`; `details` are further parameters such as type or method."""
        if page is PortalPage.HOME and not details:
            return self.url
        extra = "".join(f"&{quote(name)}={quote(value)}" for name, value in details.items())
        action = f"ACTION={page.value}" if page is not PortalPage.HOME else ""
        return f"{self.url}{'&' if '?' in self.url else '?'}{action}{extra}"


@dataclass(frozen=True, slots=True)
class TradingSession:
    """The bearer for `/v1/api`, bound to one username and one IP address."""

    bearer: str = field(repr=False)
    is_active: bool = True
