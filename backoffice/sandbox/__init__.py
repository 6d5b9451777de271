"""A stand-in for Interactive Brokers' Web API, in its own process, with its own books.

Run it with `python -m backoffice.sandbox --port 9100 --state var/sandbox [--seed 1]`. It binds loopback only, keeps
everything in one SQLite file under `--state`, and comes back after a kill with exactly what it had committed.

Layout
    store, clock, kernel, jsonio    the file, virtual time, the object every family is handed, JSON without floats
    books, ledger, accounts         what is true: double-entry books, one row per effect, accounts and persons
    app, faults, control            the ASGI application, the fault plan, the `/_sandbox/` control interface
    exchange, limits, windows       around one request: one transaction, the pace and the penalty box, maintenance
    misfortune, late, requestlog    how a fault is carried out; what is applied long after; who asked what
    gateway, oauth                  what stands before every `/gw` resource: bearer, scope, signed bodies; tokens
    payloads, applications, review  registration: strict payloads, `POST /accounts`, the way of an application to Open
    reads, maintenance, documents   what an account shows; PATCH operations; papers handed in
    callbacks, login_messages, kyc, tax, forms    what IBKR tells by itself, and what an application is asked for
    banking, reports, statement_pdf, utilities, sso, pages    the other families of `/gw` and the single sign-on pages
    world, data/                    the demonstration firm
    trading/, instruments, market   `/v1/api`, instruments and their prices

A family is a module with `SCHEMA` (DDL of its tables, or "") and `routes(sandbox)`; if something of it happens by
itself as time passes it also has `register(sandbox)`, which appends a function to `sandbox.on_tick`. Name it in
`app.FAMILIES` and it is served. One request is one SQLite transaction: handlers never await anything but the body,
which has been read before they start.

It judges tokens and signatures by the wall clock and everything else by the virtual clock, so that a test can skip a
day without breaking its own credentials. It shares no code with the product it checks and knows no Django.

What it serves, and what it simplifies on purpose, stands in COVERAGE.md, which `python -m backoffice.sandbox.coverage`
writes.
"""
