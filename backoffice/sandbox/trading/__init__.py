"""`/v1/api`: the trading side of IBKR's Web API, as strict as `ibkr/trading.md` records it.

    desk, sessions, chain           who calls and what must come first; the brokerage session
    portfolio, valuation            accounts, positions, ledger, summary, from the books and the market
    contracts, quotes               instruments and snapshots
    definitions, schedules          static data of instruments, exchange rates; when they trade
    memory                          what a session has asked before
    groups, split                   allocation groups, presets, and how a block is shared
    kinds                           order types and times in force, and what their price fields mean
    tickets, questions, credit      reading orders, asking back, refusing them
    prompts                         server prompts; questions a session has suppressed
    orders, modify                  placing one order, a bracket or an OCA group; cancelling; modifying
    engine, crossing, orderbook     what happens as time passes; when the market meets an order; what exists
    events, rows                    what the stream is told; how an order and an execution look
    scripts                         what a test writes down for an order, and does to one
    blotter                         live orders, order status, trades
    stream, topics                  the websocket, and what it tells
    demonstration                   the groups and orders the world begins with

Knobs (`POST /_sandbox/config`), with their defaults:

    enforce_pacing true             one call in 5 s of the wall clock for accounts, subaccounts, orders and trades
    penalty_seconds 0               how long whoever breaks the pace is shut out of everything
    session_cold_milliseconds 1000, session_idle_seconds 360, positions_cache_seconds 60
    price_band_percent 3, size_limit 5000, value_limit 100000 (USD), ask_without_market_data false
    size_modification_limit 1000    a change of the quantity by more units is asked about
    ask []                          message ids of questions that every order raises
    questions_at_once 1             how many messages one question carries
    question_lifetime_seconds 60, late_reply_status 400
    prompt_price_management false   market orders are held until the Price Management prompt is answered
    dedupe_coid true, duplicate_coid_status 400, refusal_status 200, short_selling false
    supports_cash_quantity false    orders by an amount of cash instead of a quantity
    credit_failure "reject"         or "reduce": accounts of a block that cannot bear their share are left out of it
    modify_quantity_is_total true   false: the quantity of a modification is what is still to be executed
    market_hours false              orders wait for the hours of their exchange, and DAY orders end with them
    accept_milliseconds 1000, fill_seconds 12, cancel_milliseconds 1500, commission_delay_seconds 0
    order_ref_in_orders true, status_needs_selected_account true
    stream_cookie "raw" ("json", "any"), stream_binary false, stream_poll_milliseconds 100 (of the wall clock)
    stream_heartbeat_seconds 10, stream_quotes_seconds 900, stream_quote_milliseconds 500

`POST /_sandbox/session` breaks a session, `POST /_sandbox/stream` a websocket,
`POST /_sandbox/tws` plays a login to Trader Workstation, `POST /_sandbox/orders` writes
down what shall happen to an order (`scripts.py`). Simplified on purpose: shares and funds only, whole units; no algorithms;
accounts of a block are judged when it is placed, not while it executes; a child waits until its parent is filled whole; while
`market_hours` is off markets never close and DAY orders end at midnight in New York, auctions taking place all the same.
"""

from starlette.routing import BaseRoute

from backoffice.sandbox.kernel import Sandbox

from . import (
    accounts_search,
    analytics,
    balances,
    blotter,
    chain,
    contracts,
    definitions,
    engine,
    funds,
    groups,
    history,
    memory,
    notices,
    orders,
    portfolio,
    positions,
    prompts,
    quotes,
    rules,
    schedules,
    scripts,
    stream,
)
from .demonstration import build_world, cash_of_historic_orders, describe_world
from .desk import Desk
from .schema import SCHEMA as _OF_ORDERS

SCHEMA = ";".join((_OF_ORDERS, memory.SCHEMA, notices.SCHEMA))

__all__ = ["SCHEMA", "build_world", "cash_of_historic_orders", "describe_world", "register", "routes"]


def routes(sandbox: Sandbox) -> list[BaseRoute]:
    desk = Desk(sandbox)
    families = (
        (chain, portfolio, positions, balances, funds, contracts, definitions, rules, schedules, quotes, history)
        + (analytics, accounts_search, notices)
        + (groups, blotter, orders, prompts, scripts, stream)
    )  # fmt: skip
    return [served for family in families for served in family.routes(desk)]


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: engine.catch_up(sandbox))
