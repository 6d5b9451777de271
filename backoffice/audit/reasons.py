"""Why somebody may look at a masked value. A short list, so that what was looked at, and why, can be counted."""

REVEAL_REASONS = (
    "The client asked",
    "IBKR asked",
    "Comparing with a document",
    "Correcting a mistake",
    "Checking who this is",
    "Supervision",
)
