"""Who did what, when, to which object; in the database's keeping, and provable against whoever keeps the database.

Three layers, each for one adversary:

1. Triggers refuse UPDATE, DELETE and TRUNCATE: for the product itself and its mistakes.
2. Every entry carries a `mac`, HMAC-SHA-256 over its canonical form (`canonical`), made by the process that recorded it
   with a key the database never sees (AUDIT_KEYS). A row changed, copied or written by raw SQL has no valid mac.
   Every entry then gets a `Seal`: a position without gaps and an HMAC over the seal before it, so a row that was removed,
   moved or put in between breaks the chain at that place.
3. Every five minutes the head (count, seal, time) is signed and appended to a file outside the database (`anchors`):
   a chain alone cannot see that its end was cut off.

Why a sealing step and not a chain built inside each transaction: the latter needs a lock from the record to the commit
(pg_advisory_xact_lock), so the product would commit one transaction at a time, and a lock taken in the middle of a
transaction that goes on to lock rows is a deadlock waiting for its day. A deferred trigger has the same trouble with the
foreign keys checked at commit, and would put the key into the database. So `sealing` chains what is committed, every
two seconds, in one worker under one advisory lock; no transaction of the product waits for it. What is not sealed yet
still has its mac and is counted and shown. The price: an entry deleted by a DBA within those seconds is not missed by
the chain, as with any tail that no anchor has seen yet.

`record` is the way in. `exchanges` keeps digests of what was said to and by IBKR. `evidence` packs it all into a file.
This package knows no person's role and no page; those stand above, in `backoffice.home.records`.
"""
