"""The REST API: what the pages show and take, for programs. JSON only.

    GET /api/v1/transfers/?account=U1234567
    Authorization: Bearer bo_...

A browser's session serves too. Permissions and rows are those of the pages: a view names a permission of
`backoffice.people.policy`, its rows come from `.visible_to(user)`, and a thing of another book is not found (404).
Each app has an `api.py` with its resources and adds them to `registry`; `urls` asks for them. (Approvals belong to the
journal, which lies below this package, so theirs are in `approvals` here.)

Lists are read by key ("next" and "previous" are whole addresses), and an unknown filter is refused, not ignored. Every
refusal has one shape (`errors`). Whoever makes something sends an `Idempotency-Key`, a UUID of their own: the same key
again is the same thing, made once (`making`). What asks for step-up on the pages asks for it here, so no token can do it.
"""
