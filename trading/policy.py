"""The trading rules of the firm, in one place: limits, collars, ages. Amounts in USD, converted at IBKR's ledger rates."""

from datetime import timedelta
from decimal import Decimal

from backoffice.people.models import Role

ORDER_LIMIT_USD = {Role.ADVISOR: Decimal(500_000), Role.PRINCIPAL: Decimal(2_000_000)}
COLLAR_WARN = Decimal(3)  # per cent off the last price; IBKR's own question o163 comes about there
COLLAR_STOP = Decimal(10)  # per cent off the last price; farther is a slip of the finger
TWIN_WINDOW = timedelta(minutes=10)
PREVIEW_FRESH = timedelta(seconds=120)
POSITION_FRESH = timedelta(minutes=5)
QUOTE_FRESH = timedelta(seconds=15)
# IBKR forgets a question after about a minute. Ours ends a little sooner, so that the "no" still finds it alive.
QUESTION_MARGIN = timedelta(seconds=10)
DEADLINE_RULE = "deadline"


def order_limit(role: str) -> Decimal:
    """Return the highest value of one order this role may send, in USD; zero for roles that do not trade."""
    return ORDER_LIMIT_USD.get(Role(role), Decimal(0))


def approvals_needed(value_usd: Decimal | None) -> int:
    """Return how many other people must approve an order of this value. None yet: the limits above hold instead."""
    return 0
