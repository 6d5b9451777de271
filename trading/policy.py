"""The trading rules that are not the firm's to change: collars and ages. What is, is asked of the policy in force."""

from datetime import timedelta
from decimal import Decimal

from backoffice.people.policies import services as policies

COLLAR_WARN = Decimal(3)  # per cent off the last price; IBKR's own question o163 comes about there
COLLAR_STOP = Decimal(10)  # per cent off the last price; farther is a slip of the finger
TWIN_WINDOW = timedelta(minutes=10)
PREVIEW_FRESH = timedelta(seconds=120)
POSITION_FRESH = timedelta(minutes=5)
QUOTE_FRESH = timedelta(seconds=15)
WATCHED_FOR = timedelta(seconds=45)  # after a page last asked; the slowest page that shows live figures asks every 15 s
# IBKR forgets a question after about a minute. Ours ends a little sooner, so that the "no" still finds it alive.
QUESTION_MARGIN = timedelta(seconds=10)
DEADLINE_RULE = "deadline"
# Who got how much of a block is final only after its end (trading.md 9.5): so long IBKR may still show, move and correct it.
SETTLING = timedelta(minutes=15)
LATE_SHARES = timedelta(days=5)  # shares that do not show are looked for so long; IBKR lists executions for a week


def order_limit(role: str) -> Decimal:
    """Return the highest value of one order this role may send, in USD; zero for roles the policy in force leaves out."""
    return policies.in_force().document.order_limits_usd.get(role, Decimal(0))
