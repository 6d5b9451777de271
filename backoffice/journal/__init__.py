"""The journal: one committed row before every byte that can have an effect at IBKR.

The rows are the queue; Celery is the doorbell. A submission carries the exact payload, its hash, and one key for life.
It is claimed under a lease, sent once, and settled by the answer; whatever left without a readable answer is UNKNOWN
and is resolved by looking at IBKR, never by sending again.

    PROPOSED -> READY -> CLAIMED -> SENDING -+-> ACKED
       |          ^         |                +-> REJECTED
     VOID         |         +-> READY        +-> QUESTION -> REPLYING -> SENDING
                  |  (lease lapsed, unsent)  +-> READY      (NotSent: no byte left)
                  |                          +-> UNKNOWN -+-> ACKED | REJECTED  (found at IBKR)
                  +--- two people release -- ABSENT <-----+-> stays UNKNOWN, on a person's desk

Looking goes on while it is ABSENT, and what a look or a late answer shows to be there is ACKED, also when it was released
and its second sending has not begun.

`services` holds what apps call (submit, approve, answer); `sending` (claim, attempt, settle) and `looking` (due_for_look,
observe) what dispatch modules call, both over `attempts` and `conclusions`; `sweeps` what beat calls; `outcomes` the
vocabulary between them; `inquiries` the reads a person waits for; `decisions` what surrounds an approval; `dry_run` a
policy tried on what was made before.
Import the module so that the call reads aloud: `from backoffice.journal import services as journal`.
"""
