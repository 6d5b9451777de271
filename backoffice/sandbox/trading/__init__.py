"""`/v1/api`: the trading side of IBKR's Web API, as strict as `ibkr/trading.md` records it.

    desk, sessions, chain           who calls and what must come first; the brokerage session
    portfolio, valuation            accounts, positions, ledger, summary, from the books and the market
    contracts, quotes               instruments and snapshots
    history, hmds, regsnapshot      charts, twice; the snapshot that costs money
    definitions, schedules          static data of instruments, exchange rates; when they trade
    memory                          what a session has asked before
    groups, split                   allocation groups, presets, and how a block is shared
    shares                          how its executions show before its allocation is final
    kinds                           order types and times in force, and what their price fields mean
    tickets, questions, credit      reading orders, asking back, refusing them
    prompts                         server prompts; questions a session has suppressed
    orders, modify                  placing one order, a bracket or an OCA group; cancelling; modifying
    engine, crossing, orderbook     what happens as time passes; when the market meets an order; what exists
    events, rows                    what the stream is told; how an order and an execution look
    numbering                       under which number a session knows an order
    scripts                         what a test writes down for an order, and does to one
    blotter                         live orders, order status, trades
    stream, connection, topics      the websocket: who may open one, what one hears, what it tells
    demonstration                   the groups and orders the world begins with

Knobs are in `backoffice/sandbox/knobs.py`, with their defaults and what they play.

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
    hmds,
    memory,
    notices,
    numbering,
    orders,
    portfolio,
    positions,
    prompts,
    quotes,
    regsnapshot,
    rules,
    schedules,
    scripts,
    sessions,
    stream,
)
from .demonstration import build_world, cash_of_historic_orders, describe_world
from .desk import Desk
from .schema import SCHEMA as _OF_ORDERS

SCHEMA = ";".join((_OF_ORDERS, memory.SCHEMA, notices.SCHEMA, numbering.SCHEMA))

__all__ = ["SCHEMA", "build_world", "cash_of_historic_orders", "describe_world", "register", "routes"]


def routes(sandbox: Sandbox) -> list[BaseRoute]:
    desk = Desk(sandbox)
    families = (
        (chain, portfolio, positions, balances, funds, contracts, definitions, rules, schedules, quotes, history)
        + (hmds, regsnapshot)
        + (analytics, accounts_search, notices)
        + (groups, blotter, orders, prompts, scripts, stream)
    )  # fmt: skip
    return [served for family in families for served in family.routes(desk)]


def register(sandbox: Sandbox) -> None:
    sandbox.on_tick.append(lambda: engine.catch_up(sandbox))
    sandbox.on_tick.append(lambda: sessions.end_at_midnight(sandbox))
