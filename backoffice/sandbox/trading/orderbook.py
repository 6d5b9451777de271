"""Orders that exist at IBKR, what each account is promised of them, and what has been executed."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from sqlite3 import Row
from typing import Any

from backoffice.sandbox import instruments
from backoffice.sandbox.clock import moment, stamp
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.jsonio import dumps, loads
from backoffice.sandbox.kernel import Sandbox

from .kinds import KINDS, Kind
from .tickets import Ticket

FIRST_ORDER_ID = 1_370_093_001
_SELECT = "SELECT * FROM trading_orders LEFT JOIN trading_terms USING (order_id)"
WORKING = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill still to come, or due: decided when the market crosses the order."""

    at: datetime
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Execution:
    execution_id: str
    order_id: int
    account: str
    at: datetime
    quantity: Decimal
    price: Decimal
    commission: Decimal


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order carries beyond the plain: its family, its trail, its allowances and what a test has scripted for it."""

    family: int = 0  # id of the first order of a bracket or OCA group, 0 for an order alone
    parent_id: int = 0
    oca: str = ""  # orders with the same name: an execution of one cancels the others
    active_at: datetime | None = None  # from here on it faces the market; None while it waits for its parent
    trailing_amount: Decimal | None = None
    trailing_type: str = ""  # amt, %
    anchor: Decimal | None = None  # the best price since a trailing stop came alive
    all_or_none: bool = False
    base: dict[str, int] = field(default_factory=dict)  # units each account had when the order was last modified
    script: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        def text(value: Any) -> Any:
            return stamp(value) if isinstance(value, datetime) else str(value) if isinstance(value, Decimal) else value

        return dumps({name: text(getattr(self, name)) for name in self.__slots__})

    @classmethod
    def from_json(cls, found: str) -> "Terms":
        kept = loads(found)
        for name in ("trailing_amount", "anchor"):
            kept[name] = None if kept[name] is None else Decimal(kept[name])
        return cls(**{**kept, "active_at": _maybe(kept["active_at"])})


@dataclass(slots=True)
class Order:
    order_id: int
    session_id: str
    username: str
    master: str
    kind: str  # account, group, inline
    target: str  # the account, the group's name, the master account
    conid: int
    side: str
    order_type: str
    tif: str
    quantity: int
    price: Decimal | None
    aux_price: Decimal | None
    outside_rth: bool
    coid: str
    status: str
    created_at: datetime
    looked_at: datetime  # up to here the market has been compared with the order
    triggered_at: datetime | None  # of a stop
    expires_at: datetime | None
    cancel_at: datetime | None  # when a requested cancel takes effect
    plan: list[Fill]
    fills: int  # how many of the plan are done
    filled: int
    value: Decimal  # sum of quantity times price over the fills
    last_fill_at: datetime | None
    ended_because: str
    terms: Terms = field(default_factory=Terms)

    @property
    def is_working(self) -> bool:
        return self.status in WORKING

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def average_price(self) -> Decimal | None:
        if not self.filled:
            return None
        average = (self.value / self.filled).quantize(Decimal("0.00000001")).normalize()
        return Decimal(format(average, "f"))

    @property
    def instrument(self) -> Instrument:
        found = instruments.get(self.conid)
        if found is None:
            raise LookupError(str(self.conid))
        return found

    @property
    def style(self) -> Kind:
        return KINDS[self.order_type]

    @property
    def is_held(self) -> bool:
        """Whether it waits for its parent to be filled."""
        return self.terms.parent_id != 0 and self.terms.active_at is None

    @property
    def since(self) -> datetime:
        """From when on the order faces the market as it now is: since it came, was let go or was modified."""
        return self.terms.active_at or self.created_at

    @property
    def trail(self) -> Decimal:
        """The distance of a trailing stop from its anchor, in quoted units."""
        amount, anchor = self.terms.trailing_amount or Decimal(0), self.terms.anchor or Decimal(0)
        return anchor * amount / 100 if self.terms.trailing_type == "%" else amount

    @property
    def limit(self) -> Decimal | None:
        """The worst price it takes; that of a trailing stop limit keeps its distance from the stop."""
        if not self.style.has_limit or self.price is None:
            return None
        if self.order_type == "TRAILLMT" and self.aux_price is not None and self.stop is not None:
            return self.price + self.stop - self.aux_price
        return self.price

    @property
    def stop(self) -> Decimal | None:
        """The price that brings it alive, None for the types that need none."""
        match self.order_type:
            case "STP" | "MIT":
                return self.price if self.price is not None else self.aux_price
            case "STOP_LIMIT" | "LIT":
                return self.aux_price
            case "TRAIL" | "TRAILLMT" if self.terms.anchor is not None:
                return self.terms.anchor + self.sign * self.trail
            case _:
                return None


def _maybe(found: Any) -> datetime | None:
    return None if found is None else moment(found)


def _read(row: Row) -> Order:
    return Order(
        **{
            name: row[name]
            for name in (
                "order_id",
                "session_id",
                "username",
                "master",
                "kind",
                "target",
                "conid",
                "side",
                "order_type",
                "tif",
            )
        },
        quantity=int(row["quantity"]),
        price=None if row["price"] is None else Decimal(row["price"]),
        aux_price=None if row["aux_price"] is None else Decimal(row["aux_price"]),
        outside_rth=bool(row["outside_rth"]),
        coid=row["coid"],
        status=row["status"],
        created_at=moment(row["created_at"]),
        looked_at=moment(row["looked_at"]),
        triggered_at=_maybe(row["triggered_at"]),
        expires_at=_maybe(row["expires_at"]),
        cancel_at=_maybe(row["cancel_at"]),
        plan=[Fill(moment(at), quantity, Decimal(price)) for at, quantity, price in loads(row["plan"])],
        fills=row["fills"],
        filled=int(row["filled"]),
        value=Decimal(row["value"]),
        last_fill_at=_maybe(row["last_fill_at"]),
        ended_because=row["ended_because"],
        terms=Terms() if row["terms"] is None else Terms.from_json(row["terms"]),
    )


def is_open(order: Order) -> bool:
    """Whether it can still be modified and cancelled: it works, or IBKR holds it."""
    return order.is_working or order.status == "Inactive"


def get(sandbox: Sandbox, master: str, order_id: int) -> Order | None:
    row = sandbox.store.row(f"{_SELECT} WHERE order_id = ? AND master = ?", order_id, master)
    return None if row is None else _read(row)


def of_master(sandbox: Sandbox, master: str) -> list[Order]:
    """Return every order of the master account, newest first."""
    return [_read(row) for row in sandbox.store.rows(f"{_SELECT} WHERE master = ? ORDER BY order_id DESC", master)]


def working(sandbox: Sandbox) -> list[Order]:
    marks = ", ".join("?" for _ in WORKING)
    return [
        _read(row) for row in sandbox.store.rows(f"{_SELECT} WHERE status IN ({marks}) ORDER BY order_id", *WORKING)
    ]


def family(sandbox: Sandbox, order: Order) -> list[Order]:
    """Return the order and every other of its bracket or OCA group, by id; the order itself as the same object."""
    if not order.terms.family:
        return [order]
    rows = sandbox.store.rows(f"{_SELECT} WHERE family = ? ORDER BY order_id", order.terms.family)
    return [order if row["order_id"] == order.order_id else _read(row) for row in rows]


def named(sandbox: Sandbox, username: str, name: str) -> Order | None:
    """Return the newest order of the username under this client order id."""
    rows = sandbox.store.rows(
        f"{_SELECT} WHERE username = ? AND coid = ? ORDER BY order_id DESC LIMIT 1", username, name
    )
    return _read(rows[0]) if rows else None


def is_registered(sandbox: Sandbox, username: str, coid: str, since: datetime) -> bool:
    """Whether this username has an order under this client order id since then."""
    return bool(coid) and bool(
        sandbox.store.row(
            "SELECT 1 FROM trading_orders WHERE username = ? AND coid = ? AND created_at >= ?",
            username,
            coid,
            stamp(since),
        )
    )


def has_like(sandbox: Sandbox, username: str, ticket: Ticket, since: datetime) -> bool:
    """Whether this username has sent an order for the same account, contract, side, type, size and prices since then."""
    found = sandbox.store.rows(
        f"{_SELECT} WHERE username = ? AND target = ? AND conid = ? AND side = ? AND created_at >= ?",
        username, ticket.target, ticket.conid, ticket.side, stamp(since),
    )  # fmt: skip
    wanted = (ticket.order_type, ticket.quantity, ticket.price, ticket.aux_price)
    return any((o.order_type, o.quantity, o.price, o.aux_price) == wanted for o in map(_read, found))


def add(
    sandbox: Sandbox,
    ticket: Ticket,
    promised: dict[str, int],
    *,
    username: str,
    master: str,
    session_id: str,
    at: datetime,
    expires_at: datetime | None,
    terms: Terms | None = None,
) -> Order:
    highest = sandbox.store.value("SELECT MAX(order_id) FROM trading_orders")
    order = Order(
        order_id=FIRST_ORDER_ID if highest is None else int(highest) + 1,
        session_id=session_id,
        username=username,
        master=master,
        kind=ticket.kind,
        target=ticket.target,
        conid=ticket.conid,
        side=ticket.side,
        order_type=ticket.order_type,
        tif=ticket.tif,
        quantity=ticket.quantity,
        price=ticket.price,
        aux_price=ticket.aux_price,
        outside_rth=ticket.outside_rth,
        coid=ticket.coid,
        status="PreSubmitted",
        created_at=at,
        looked_at=at,
        triggered_at=None,
        expires_at=expires_at,
        cancel_at=None,
        plan=[],
        fills=0,
        filled=0,
        value=Decimal(0),
        last_fill_at=None,
        ended_because="",
        terms=terms or Terms(active_at=at),
    )
    save(sandbox, order)
    promise(sandbox, order.order_id, promised)
    return order


def promise(sandbox: Sandbox, order_id: int, promised: dict[str, int]) -> None:
    """Keep what each account is to receive when the order is filled whole."""
    sandbox.store.execute("DELETE FROM trading_shares WHERE order_id = ?", order_id)
    for place, (account, quantity) in enumerate(promised.items()):
        sandbox.store.execute("INSERT INTO trading_shares VALUES (?, ?, ?, ?)", order_id, place, account, quantity)


def save(sandbox: Sandbox, order: Order) -> None:
    def text(value: Any) -> Any:
        return stamp(value) if isinstance(value, datetime) else None if value is None else str(value)

    plan = dumps([(stamp(fill.at), fill.quantity, str(fill.price)) for fill in order.plan])
    values = (
        order.order_id,
        order.session_id,
        order.username,
        order.master,
        order.kind,
        order.target,
        order.conid,
        order.side,
        order.order_type,
        order.tif,
        text(order.quantity),
        text(order.price),
        text(order.aux_price),
        int(order.outside_rth),
        order.coid,
        order.status,
        text(order.created_at),
        text(order.looked_at),
        text(order.triggered_at),
        text(order.expires_at),
        text(order.cancel_at),
        plan,
        order.fills,
        text(order.filled),
        text(order.value),
        text(order.last_fill_at),
        order.ended_because,
    )
    sandbox.store.execute(f"INSERT OR REPLACE INTO trading_orders VALUES ({', '.join('?' for _ in values)})", *values)
    sandbox.store.execute(
        "INSERT OR REPLACE INTO trading_terms VALUES (?, ?, ?)",
        order.order_id, order.terms.family, order.terms.to_json(),
    )  # fmt: skip


def promised(sandbox: Sandbox, order_id: int) -> dict[str, int]:
    """Return what each account is promised when the order is filled whole, in the order the accounts were named."""
    rows = sandbox.store.rows(
        "SELECT account, quantity FROM trading_shares WHERE order_id = ? ORDER BY place", order_id
    )
    return {row["account"]: row["quantity"] for row in rows}


def executions(sandbox: Sandbox, order_id: int) -> list[Execution]:
    rows = sandbox.store.rows(
        "SELECT * FROM trading_executions LEFT JOIN trading_replaced USING (execution_id)"
        " WHERE order_id = ? AND by_id IS NULL ORDER BY at, execution_id",
        order_id,
    )
    return [
        Execution(
            row["execution_id"],
            row["order_id"],
            row["account"],
            moment(row["at"]),
            Decimal(row["quantity"]),
            Decimal(row["price"]),
            Decimal(row["commission"]),
        )
        for row in rows
    ]


def executed(sandbox: Sandbox, order_id: int) -> dict[str, int]:
    """Return the units each account has received so far; of a corrected execution the correction counts."""
    found: dict[str, int] = {}
    for execution in executions(sandbox, order_id):
        found[execution.account] = found.get(execution.account, 0) + int(execution.quantity)
    return found


def book(sandbox: Sandbox, order: Order, execution: Execution, booked_at: datetime | None = None) -> None:
    """Record one account's execution and move its shares and cash: at its own instant unless told otherwise."""
    sandbox.store.execute(
        "INSERT INTO trading_executions VALUES (?, ?, ?, ?, ?, ?, ?)",
        execution.execution_id,
        execution.order_id,
        execution.account,
        stamp(execution.at),
        str(execution.quantity),
        str(execution.price),
        str(execution.commission),
    )
    instrument = order.instrument
    sandbox.books.post_trade(
        execution.account,
        order.conid,
        instrument.currency,
        order.sign * execution.quantity,
        execution.price,
        execution.commission,
        execution.execution_id,
        order.coid,
        booked_at or execution.at,
    )
