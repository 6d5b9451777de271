"""Single sign-on: a page for a person, a bearer for our own trading calls."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from urllib.parse import quote

Direction = Literal["DEPOSIT", "WITHDRAWAL"]
PositionTransfer = Literal["POSITION_INBOUND", "POSITION_OUTBOUND", "INTERNAL"]
PositionMethod = Literal["ACATS", "ATON", "FOP", "DWAC", "ASSET_TRANSFER", "INTERNAL"]
PortalCurrency = Literal["USD", "CAD", "HKD", "CNH", "EUR", "GBP", "AUD"]


class PortalPage(StrEnum):
    """Pages of IBKR's portal that a sign-on can open; the values are IBKR's, case- and space-sensitive."""

    HOME = ""
    ACCOUNT_SETTINGS = "AccountSettings"
    PROFILE = "AccountSettings&config=Profile"
    TRADING_PERMISSIONS = "AccountSettings&config=TradingPermissions"
    WHITE_BRANDING = "AccountSettings&config=WhiteBranding"
    STATEMENTS = "Statement"
    RECURRING_INVESTMENT = "RecurringInvestment"
    BANK_INSTRUCTIONS = "FUNDING_INSTRUCTIONS"
    FUNDING_HISTORY = "TransactionHistory"
    FUNDING_HISTORY_OF_ALL = "RpTransactionHistory"
    TRANSFER_FUNDS = "TransferFunds"
    TRANSFER_POSITIONS = "TransferPositions"
    PENDING_ITEMS = "DOC"
    MESSAGE_CENTER = "CS_WEB_TICKET"
    CLOSE_ACCOUNT = "CLOSE_ACCOUNT"
    PASSWORD = "PASSWORDCHG"  # noqa: S105 - the name of a page
    SECURE_LOGIN = "SECURE_LOGIN"
    TAX_FORMS = "RM_TAX_FORMS"
    CHANGE_EMAIL = "CHANGE_EMAIL"


class FundingMethod(StrEnum):
    """Ways to move money that the portal's transfer page can open at."""

    ACH = "ACH"
    BPAY_NOTIFICATION = "BPAY_NOTIFICATION"
    BILL_PAY_NOTIFICATION = "BILL_PAY_NOTIFICATION"
    CHECK_NOTIFICATION = "CHECK_NOTIFICATION"
    DIRECT_DEPOSIT = "DIRECT_DEPOSIT"
    EDDA = "EDDA"
    EFT = "EFT"
    LVP = "LVP"
    OPEN_BANKING = "OPEN_BANKING"
    WIRE = "WIRE"
    WIRE_NOTIFICATION = "WIRE_NOTIFICATION"  # deposits only
    SEPA = "SEPA"
    WISE_BALANCE = "WISE_BALANCE"
    WISE_BANK_NOTIFICATION = "WISE_BANK_NOTIFICATION"
    WISE_OUTBOUND = "WISE_OUTBOUND"


# Pages that can be shown without the portal's own navigation; asked of any other, the portal shows its home page.
FRAMEABLE = frozenset(
    {
        *(PortalPage.ACCOUNT_SETTINGS, PortalPage.PROFILE, PortalPage.TRADING_PERMISSIONS, PortalPage.STATEMENTS),
        *(PortalPage.RECURRING_INVESTMENT, PortalPage.FUNDING_HISTORY, PortalPage.FUNDING_HISTORY_OF_ALL),
        *(PortalPage.TRANSFER_FUNDS, PortalPage.TRANSFER_POSITIONS),
    }
)


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """An address that signs one person in, once, within 60 seconds, from the declared IP. Never store or prefetch it."""

    url: str = field(repr=False)

    def opening(self, page: PortalPage, *, is_framed: bool = False, **details: str) -> str:
        """Return the address that lands on `page`; `details` are further parameters such as type or method.

        `is_framed` leaves out the portal's navigation; raises ValueError for a page that cannot be shown so.
        """
        if is_framed and page not in FRAMEABLE:
            raise ValueError(f"IBKR's portal cannot show {page.name} without its navigation.")
        parts = [f"ACTION={page.value}"] if page is not PortalPage.HOME else []
        parts += [f"{quote(name)}={quote(value, safe='')}" for name, value in details.items()]
        if is_framed:
            parts.append("showNavBar=false")
        return self._with(parts)

    def opening_funds(
        self,
        direction: Direction,
        *,
        method: FundingMethod | None = None,
        currency: PortalCurrency | None = None,
        is_framed: bool = False,
    ) -> str:
        """Return the address that lands on a deposit or withdrawal, at one method and currency if they are given."""
        if method is FundingMethod.WIRE_NOTIFICATION and direction != "DEPOSIT":
            raise ValueError("A wire is announced for deposits only.")
        details = {"type": direction, "method": method, "currency": currency}
        given = {name: str(value) for name, value in details.items() if value is not None}
        return self.opening(PortalPage.TRANSFER_FUNDS, is_framed=is_framed, **given)

    def opening_positions(
        self, kind: PositionTransfer, *, method: PositionMethod | None = None, is_framed: bool = False
    ) -> str:
        """Return the address that lands on a transfer of positions. An internal one has the method INTERNAL only."""
        if method is not None and (kind == "INTERNAL") != (method == "INTERNAL"):
            raise ValueError("The method INTERNAL belongs to an internal transfer, and no other method does.")
        given = {"type": kind} if method is None else {"type": kind, "method": method}
        return self.opening(PortalPage.TRANSFER_POSITIONS, is_framed=is_framed, **given)

    def opening_account(self, account_id: str) -> str:
        """Return the address that lands on moving money with one account selected already."""
        return self.opening(PortalPage.TRANSFER_FUNDS, autoSelect=account_id, noPickerClear="T")

    def opening_linkage(self, master_account_id: str) -> str:
        """Return the address where a client links an account they have already to the master account."""
        return self._with(["forwardTo=AA_LINKAGE", f"masterAccountId={quote(master_account_id, safe='')}"])

    def _with(self, parts: list[str]) -> str:
        if not parts:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{'&'.join(parts)}"


@dataclass(frozen=True, slots=True)
class TradingSession:
    """The bearer for `/v1/api`, bound to one username and the addresses that were declared."""

    bearer: str = field(repr=False)
    is_active: bool = True
