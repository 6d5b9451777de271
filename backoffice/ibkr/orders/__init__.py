"""Orders: placing one is a conversation, and its answers are told apart by their shape, not by the HTTP status.

    conversation  Orders: place, place a group, answer, modify, cancel, preview, look, suppress questions
    outcomes      what an answer means: placed, a question, refused, mixed, or a doubt

`types.tickets` refuses a ticket that could mean something else; `types.orders` has the outcomes and what is known later.
"""

from backoffice.ibkr.orders.conversation import ANSWERED_EXPLICITLY, MOST_SUPPRESSED, Orders
from backoffice.ibkr.orders.outcomes import cancel_outcome, group_outcome_of, outcome_of

__all__ = [
    "ANSWERED_EXPLICITLY",
    "MOST_SUPPRESSED",
    "Orders",
    "cancel_outcome",
    "group_outcome_of",
    "outcome_of",
]
