"""What IBKR asks back before it takes an order. Nothing works at IBKR until the last question is confirmed.

Each question is a step of its own: confirming one brings the next (the knob `questions_at_once` puts more into one). The
questions of a bracket or OCA group are one conversation, each asked once. A reply id lives a minute, belongs to its session
and is void as soon as another order, a modification or a cancel is sent. What a session has suppressed is not asked.

Questions without a cause in this world come when the knob `ask` or an order's script names them by their ids.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from backoffice.sandbox import instruments
from backoffice.sandbox.clock import moment, stamp
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.jsonio import dumps, loads

from . import quotes
from .desk import Call, Refusal, bad_request
from .kinds import KINDS
from .tickets import Refused, Ticket

_SURE = "Are you sure you want to submit this order?"


@dataclass(frozen=True, slots=True)
class Question:
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What the questions are about: tickets to place, or one ticket that modifies an order."""

    tickets: list[Ticket | Refused]
    modifies: int = 0

    @property
    def first(self) -> Ticket:
        first = self.tickets[0]
        if isinstance(first, Refused):
            raise LookupError(first.why)
        return first

    def to_json(self) -> str:
        listed = [
            {"why": item.why} if isinstance(item, Refused) else {"ticket": item.to_json()} for item in self.tickets
        ]
        return dumps({"tickets": listed, "modifies": self.modifies})

    @classmethod
    def from_json(cls, kept: str) -> "Submission":
        found = loads(kept)
        listed: list[Ticket | Refused] = [
            Refused(item["why"]) if "why" in item else Ticket.from_json(item["ticket"]) for item in found["tickets"]
        ]
        return cls(listed, found["modifies"])


_OTHERS = {
    "o2136": "<h4>Mixed Allocation Order Confirmation</h4>This order is allocated to accounts in different ways.",
    "o2165": "Fractional quantities are not accepted outside regular trading hours.",
    "o10082": "The bond has been called.",
    "o10138": "The modified size exceeds the Size Modification Limit.",
    "o10153": "<h4>Mandatory Price Cap</h4>We may set a cap or a floor on your order's price; the order may not trade.",
    "o10288": "<h4>Crypto Market Order</h4>A market order in cryptocurrency may execute far from the price displayed.",
    "o10332": "<h4>OSL Digital Securities</h4>Cryptocurrency orders are executed by OSL Digital Securities.",
    "o10333": "The option that you exercise is at the money.",
    "o10334": "This order will go to the omnibus account instead of the selected account.",
    "o10335": "Rapid order entry.",
    "o10336": "This security is illiquid: orders may execute far from the price displayed.",
}
MESSAGE_IDS = (
    *_OTHERS, "o163", "o354", "o382", "o383", "o403", "o451", "o2137", "o10151", "o10152", "o10164", "o10223", "o10331", "p6",
)  # fmt: skip


def wanted(ids: list[str]) -> list[Question]:
    return [Question(name, f"{_OTHERS.get(name, 'Please confirm your order.')}\n{_SURE}") for name in ids]


def about(call: Call, ticket: Ticket, promised: dict[str, int]) -> list[Question]:
    """Return the questions this ticket raises now, in the order in which they are asked."""
    instrument = instruments.get(ticket.conid)
    if instrument is None:
        raise LookupError(str(ticket.conid))
    return [
        *_about_allocation(call, ticket, promised),
        *_about_type(ticket),
        *_about_price(call, ticket, instrument),
        *_about_size(call, ticket, instrument),
        *_about_cash(ticket),
    ]


def _about_cash(ticket: Ticket) -> list[Question]:
    if ticket.cash_quantity is None:
        return []
    return [
        Question(
            "o10164",
            "<h4>Cash Quantity Order Confirmation</h4>Orders that express size using a monetary value (cash quantity) are"
            f" provided on a non-guaranteed basis.\n{_SURE}",
        ),
        Question(
            "o10223",
            "<h4>Cash Quantity Order Confirmation</h4>The system simulates the order by cancelling the unfilled part once the"
            f" specified amount is spent.\n{_SURE}",
        ),
    ]


def _about_allocation(call: Call, ticket: Ticket, promised: dict[str, int]) -> list[Question]:
    if ticket.kind == "account":
        return []
    found = [
        Question(
            "p6",
            "This order will be distributed over multiple accounts. We strongly suggest you familiarize yourself with our"
            " allocation facilities before submitting orders.",
        )
    ]
    held = {account: _held(call, account, ticket.conid) for account in promised}
    sign = 1 if ticket.side == "BUY" else -1
    opens = [account for account, units in promised.items() if units and held[account] * sign >= 0]
    closes = [account for account, units in promised.items() if units and held[account] * sign < 0]
    crosses = [account for account in closes if promised[account] > abs(held[account])]
    if ticket.side == "SELL" and opens and not closes:
        crosses = opens
    if (opens and closes) or crosses:
        found.append(
            Question(
                "o2137",
                "<h4>Cross Side Order Confirmation</h4>This order will close positions in some of the accounts and open or reverse"
                f" positions in others.\n{_SURE}",
            )
        )
    return found


def _held(call: Call, account: str, conid: int) -> Decimal:
    holdings = call.desk.sandbox.books.holdings(account)
    return sum((holding.quantity for holding in holdings if holding.conid == conid), Decimal(0))


def _about_type(ticket: Ticket) -> list[Question]:
    if ticket.order_type == "MKT":
        return [
            Question(
                "o10151",
                "<h4>Market Order Confirmation</h4>You are about to submit a market order. A market order executes at the best"
                " price then available, which may differ from the price displayed and, in fast or thin markets, by a wide margin."
                f"\n{_SURE}",
            )
        ]
    if KINDS[ticket.order_type].trigger in ("stop", "trail"):
        return [
            Question(
                "o10331",
                "You are about to submit a stop order. Please be aware of the various stop order types available and the risks"
                f" associated with each one.\n{_SURE}",
            ),
            Question(
                "o10152",
                "<h4>Stop Variant Order Confirmation</h4>Once its stop price is touched a stop order becomes a market order or a"
                f" limit order and may be executed at a price other than the stop price, or not at all.\n{_SURE}",
            ),
        ]
    return []


def _about_price(call: Call, ticket: Ticket, instrument: Instrument) -> list[Question]:
    found = []
    market = call.desk.sandbox.market
    prices = [price for price in (ticket.price, ticket.aux_price) if price is not None]
    if any(not instrument.is_on_tick(price) for price in prices):
        found.append(
            Question(
                "o382",
                f'The following order "{_line(ticket, instrument)}" price does not conform to the minimum price variation of'
                f" {instrument.min_tick} for this contract.\n{_SURE}",
            )
        )
    stop = ticket.aux_price if ticket.order_type == "STOP_LIMIT" else ticket.price or ticket.aux_price
    sign = 1 if ticket.side == "BUY" else -1
    if KINDS[ticket.order_type].trigger == "stop" and stop and (market.price(instrument.conid) - stop) * sign >= 0:
        found.append(Question("o403", f"This order will most likely trigger and fill immediately.\n{_SURE}"))
    band = Decimal(str(call.desk.knob("price_band_percent", 3)))
    last = market.price(instrument.conid)
    if KINDS[ticket.order_type].has_limit and ticket.price is not None and abs(ticket.price - last) > last * band / 100:
        found.append(
            Question(
                "o163",
                f'The following order "{_line(ticket, instrument)}" price exceeds \nthe Percentage constraint of {band}%.\n{_SURE}',
            )
        )
    if call.desk.knob("ask_without_market_data", False) and not quotes.is_streaming(
        call.desk, call.session.token, ticket.conid
    ):
        found.append(
            Question(
                "o354",
                "You are submitting an order without market data. We strongly recommend against this as it may result in"
                f" erroneous and unexpected trades.\n{_SURE}",
            )
        )
    return found


def _about_size(call: Call, ticket: Ticket, instrument: Instrument) -> list[Question]:
    found = []
    size_limit = Decimal(str(call.desk.knob("size_limit", 5000)))
    if ticket.quantity > size_limit:
        found.append(
            Question(
                "o383",
                f'The following order "{_line(ticket, instrument)}" size exceeds the Size Limit of {size_limit:,}.\n{_SURE}',
            )
        )
    value_limit = Decimal(str(call.desk.knob("value_limit", 100_000)))
    market = call.desk.sandbox.market
    price = ticket.price or market.price(instrument.conid)
    worth = instrument.value(Decimal(ticket.quantity), price) * market.fx(instrument.currency, "USD")
    if worth > value_limit:
        found.append(
            Question(
                "o451",
                f'The following order "{_line(ticket, instrument)}" value estimate of {worth:,.2f} USD exceeds \nthe'
                f" Total Value Limit of {value_limit:,} USD.\n{_SURE}",
            )
        )
    return found


def _line(ticket: Ticket, instrument: Instrument) -> str:
    price = "MARKET" if ticket.price is None else f"{ticket.price}"
    return f"{ticket.side} {ticket.quantity} {instrument.symbol} {instrument.exchange} @ {price}"


def void_open(call: Call) -> None:
    """Forget every open question of this username: another order has been sent."""
    call.desk.sandbox.store.execute("DELETE FROM trading_questions WHERE username = ?", call.session.username)


def open_to_ask(call: Call, questions: list[Question]) -> list[Question]:
    """Leave out what is asked twice and what the session has suppressed."""
    rows = call.desk.sandbox.store.rows(
        "SELECT message_id FROM trading_suppressed WHERE session_id = ?", call.session.session_id
    )
    suppressed = {row["message_id"] for row in rows}
    return [question for question in dict.fromkeys(questions) if question.message_id not in suppressed]


def ask(call: Call, submission: Submission, questions: list[Question]) -> list[dict[str, Any]]:
    """Ask the first and keep the rest."""
    at_once = max(int(call.desk.knob("questions_at_once", 1)), 1)
    first, rest = questions[:at_once], questions[at_once:]
    reply_id = str(uuid.uuid4())
    call.desk.sandbox.store.execute(
        "INSERT INTO trading_questions VALUES (?, ?, ?, ?, ?, ?)",
        reply_id,
        call.session.username,
        call.session.session_id,
        stamp(call.desk.sandbox.clock.now()),
        submission.to_json(),
        dumps([(question.message_id, question.text) for question in rest]),
    )
    return [
        {
            "id": reply_id,
            "message": [question.text for question in first],
            "isSuppressed": False,
            "messageIds": [question.message_id for question in first],
        }
    ]


def take(call: Call, reply_id: str) -> tuple[Submission, list[Question]]:
    """Return what was asked about and the questions that remain, and use the reply id up. Refuses the unknown, late or void."""
    confirmed = call.json().get("confirmed")
    if not isinstance(confirmed, bool):
        raise bad_request("confirmed must be true or false")
    sandbox = call.desk.sandbox
    row = sandbox.store.row("SELECT * FROM trading_questions WHERE reply_id = ?", reply_id)
    lifetime = timedelta(seconds=int(call.desk.knob("question_lifetime_seconds", 60)))
    sandbox.store.execute("DELETE FROM trading_questions WHERE reply_id = ?", reply_id)
    if (
        row is None
        or row["session_id"] != call.session.session_id
        or sandbox.clock.now() - moment(row["asked_at"]) > lifetime
    ):
        raise Refusal(int(call.desk.knob("late_reply_status", 400)), {"error": f"reply id not found: '{reply_id}'"})
    submission = Submission.from_json(row["ticket"])
    call.request.state.key = submission.first.coid
    if not confirmed:
        raise Refusal(200, {"error": "Order not confirmed "})
    return submission, [Question(message_id, text) for message_id, text in loads(row["remaining"])]
