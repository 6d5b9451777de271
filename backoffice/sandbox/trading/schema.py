"""Tables of the trading side. Instants are virtual, as `clock.stamp` writes them; quantities and prices are exact text.

`trading_events` is what the engine says while it works, append-only, for whoever pushes it on: one row for each change
of an order (`topic` "sor"), each execution ("str") and each prompt ("ntf"). `payload` is one JSON object, the element of the
`args` of that topic. The first "sor" row of an order is whole, the later ones hold `orderId`, `acct`, `conid` and what changed.
`account` is the order's target for "sor", the account that got the shares for "str", and "" for "ntf". Rows of "sor" and "str" are
for every session of `master`, those of "ntf" for the session of `username` alone.
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS trading_sessions (
    token TEXT PRIMARY KEY, username TEXT NOT NULL, master TEXT NOT NULL, session_id TEXT NOT NULL, state TEXT NOT NULL,
    ready_at TEXT NOT NULL, last_seen TEXT NOT NULL, selected TEXT NOT NULL, has_accounts INTEGER NOT NULL DEFAULT 0,
    has_orders INTEGER NOT NULL DEFAULT 0, has_trades INTEGER NOT NULL DEFAULT 0, has_portfolio INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS trading_elsewhere (username TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS trading_streams (
    token TEXT NOT NULL, conid INTEGER NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (token, conid)
);
CREATE TABLE IF NOT EXISTS trading_position_pages (account TEXT PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trading_groups (
    master TEXT NOT NULL, name TEXT NOT NULL, method TEXT NOT NULL, members TEXT NOT NULL, PRIMARY KEY (master, name)
);
CREATE TABLE IF NOT EXISTS trading_presets (master TEXT PRIMARY KEY, presets TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trading_questions (
    reply_id TEXT PRIMARY KEY, username TEXT NOT NULL, session_id TEXT NOT NULL, asked_at TEXT NOT NULL, ticket TEXT NOT NULL,
    remaining TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS trading_orders (
    order_id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, username TEXT NOT NULL, master TEXT NOT NULL, kind TEXT NOT NULL,
    target TEXT NOT NULL, conid INTEGER NOT NULL, side TEXT NOT NULL, order_type TEXT NOT NULL, tif TEXT NOT NULL,
    quantity TEXT NOT NULL, price TEXT, aux_price TEXT, outside_rth INTEGER NOT NULL, coid TEXT NOT NULL, status TEXT NOT NULL,
    created_at TEXT NOT NULL, looked_at TEXT NOT NULL, triggered_at TEXT, expires_at TEXT, cancel_at TEXT, plan TEXT NOT NULL,
    fills INTEGER NOT NULL, filled TEXT NOT NULL, value TEXT NOT NULL, last_fill_at TEXT, ended_because TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS trading_orders_status ON trading_orders (status);
CREATE INDEX IF NOT EXISTS trading_orders_coid ON trading_orders (username, coid);
CREATE TABLE IF NOT EXISTS trading_shares (
    order_id INTEGER NOT NULL, place INTEGER NOT NULL, account TEXT NOT NULL, quantity INTEGER NOT NULL,
    PRIMARY KEY (order_id, account)
);
CREATE TABLE IF NOT EXISTS trading_terms (order_id INTEGER PRIMARY KEY, family INTEGER NOT NULL, terms TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS trading_terms_family ON trading_terms (family);
CREATE TABLE IF NOT EXISTS trading_scripts (id INTEGER PRIMARY KEY, matching TEXT NOT NULL, script TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trading_suppressed (
    session_id TEXT NOT NULL, message_id TEXT NOT NULL, PRIMARY KEY (session_id, message_id)
);
CREATE TABLE IF NOT EXISTS trading_prompts (
    req_id TEXT PRIMARY KEY, username TEXT NOT NULL, order_id INTEGER NOT NULL, options TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS trading_price_management (username TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS trading_replaced (execution_id TEXT PRIMARY KEY, by_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trading_executions (
    execution_id TEXT PRIMARY KEY, order_id INTEGER NOT NULL, account TEXT NOT NULL, at TEXT NOT NULL, quantity TEXT NOT NULL,
    price TEXT NOT NULL, commission TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS trading_events (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, master TEXT NOT NULL, username TEXT NOT NULL, topic TEXT NOT NULL,
    account TEXT NOT NULL, order_id INTEGER NOT NULL, payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS trading_events_at ON trading_events (at);
CREATE INDEX IF NOT EXISTS trading_executions_order ON trading_executions (order_id, account);
CREATE INDEX IF NOT EXISTS trading_executions_at ON trading_executions (at)
"""
