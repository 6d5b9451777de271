"""Cash and holdings, by double entry: every posting has its opposite in a counter-account, so the books always sum to
zero.

Amounts are exact `Decimal`s in the currency named, stored as text. `at` is an instant of the virtual clock; the
business day of an entry is its date in New York. The price of a trade is in quoted units (pence, percent of par):
`Instrument.value` makes it money.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from . import instruments
from .clock import NEW_YORK, Clock, moment, stamp
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, at TEXT NOT NULL, day TEXT NOT NULL, kind TEXT NOT NULL,
    currency TEXT NOT NULL, amount TEXT NOT NULL, conid INTEGER, quantity TEXT NOT NULL, price TEXT, realized TEXT NOT
    NULL,
    description TEXT NOT NULL, reference TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_account_day ON entries (account, day);
CREATE INDEX IF NOT EXISTS entries_reference ON entries (reference);
CREATE TABLE IF NOT EXISTS cash (account TEXT NOT NULL, currency TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY
(account, currency));
CREATE TABLE IF NOT EXISTS holdings (
    account TEXT NOT NULL, conid INTEGER NOT NULL, currency TEXT NOT NULL, quantity TEXT NOT NULL, cost_basis TEXT NOT
    NULL,
    PRIMARY KEY (account, conid)
)
"""

COUNTER = {
    "deposit": "client bank", "withdrawal": "client bank", "trade": "market", "dividend": "market",
    "commission": "fees", "advisory fee": "fees", "fee": "fees", "interest": "IBKR", "withholding tax": "IBKR",
    "fx": "market",
}  # fmt: skip
COUNTER_ACCOUNTS = frozenset({"IBKR", "client bank", "market", "fees"})
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Holding:
    conid: int
    quantity: Decimal
    cost_basis: Decimal
    currency: str


@dataclass(frozen=True)
class Entry:
    id: int
    account: str
    at: datetime
    day: date
    kind: str
    currency: str
    amount: Decimal
    conid: int | None
    quantity: Decimal
    price: Decimal | None
    realized: Decimal
    description: str
    reference: str


class Books:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def cash(self, account: str) -> dict[str, Decimal]:
        """Balance by currency, zero balances left out."""
        rows = self._store.rows("SELECT currency, amount FROM cash WHERE account = ? ORDER BY currency", account)
        return {row["currency"]: Decimal(row["amount"]) for row in rows if Decimal(row["amount"]) != 0}

    def post_cash(
        self,
        account: str,
        currency: str,
        amount: Decimal,
        kind: str,
        description: str,
        reference: str,
        at: datetime | None = None,
    ) -> None:
        """Move `amount` (positive: into the account) against the counter-account of `kind`; an unknown kind is "IBKR"."""
        self._post(account, at, kind, currency, amount, None, Decimal(0), None, Decimal(0), description, reference)

    def holdings(self, account: str) -> list[Holding]:
        rows = self._store.rows("SELECT * FROM holdings WHERE account = ? ORDER BY conid", account)
        found = [Holding(r["conid"], Decimal(r["quantity"]), Decimal(r["cost_basis"]), r["currency"]) for r in rows]
        return [holding for holding in found if holding.quantity != 0]

    def post_trade(
        self,
        account: str,
        conid: int,
        currency: str,
        quantity_signed: Decimal,
        price: Decimal,
        commission: Decimal,
        execution_id: str,
        order_ref: str,
        at: datetime | None = None,
    ) -> None:
        """Move shares and cash for one execution; `commission` is a positive cost.

        Raises `ValueError` when the account has this `execution_id` already.
        """
        if self._store.row(
            "SELECT 1 FROM entries WHERE account = ? AND kind = 'trade' AND reference = ?", account, execution_id
        ):
            raise ValueError(f"execution {execution_id} is already booked for {account}")
        proceeds = -worth(conid, quantity_signed, price)
        realized = self._move_holding(account, conid, currency, quantity_signed, price)
        side = "Buy" if quantity_signed > 0 else "Sell"
        self._post(
            account,
            at,
            "trade",
            currency,
            proceeds,
            conid,
            quantity_signed,
            price,
            realized,
            f"{side} {order_ref}".strip(),
            execution_id,
        )
        if commission:
            self._post(
                account,
                at,
                "commission",
                currency,
                -commission,
                conid,
                Decimal(0),
                None,
                Decimal(0),
                "Commission",
                execution_id,
            )

    def undo_trade(self, account: str, execution_id: str) -> None:
        """Take one execution back as of now: units, cash and commission, and the cost and the profit that it made.

        Selling back what was bought would not do: at average cost that realizes a profit nobody has made.
        """
        rows = self._store.rows(
            "SELECT * FROM entries WHERE account = ? AND reference = ? ORDER BY id", account, execution_id
        )
        for row in rows:
            amount, quantity, realized = (Decimal(row[name]) for name in ("amount", "quantity", "realized"))
            if row["kind"] == "trade":
                held, cost = self._held(account, row["conid"])
                self._hold(account, row["conid"], row["currency"], held - quantity, cost + amount - realized)
            price = None if row["price"] is None else Decimal(row["price"])
            self._post(
                account, None, row["kind"], row["currency"], -amount, row["conid"], -quantity, price, -realized,
                f"{row['description']}, cancelled", f"{execution_id}.cancelled",
            )  # fmt: skip

    def entries(self, account: str, start: date, end: date) -> list[Entry]:
        """Everything booked from `start` to `end` inclusive (business days in New York), oldest first."""
        rows = self._store.rows(
            "SELECT * FROM entries WHERE account = ? AND day BETWEEN ? AND ? ORDER BY at, id",
            account,
            start.isoformat(),
            end.isoformat(),
        )
        return [
            Entry(
                r["id"], r["account"], moment(r["at"]), date.fromisoformat(r["day"]), r["kind"], r["currency"],
                Decimal(r["amount"]), r["conid"],
                Decimal(r["quantity"]), None if r["price"] is None else Decimal(r["price"]), Decimal(r["realized"]),
                r["description"], r["reference"],
            )
            for r in rows
        ]  # fmt: skip

    def totals(self) -> tuple[dict[str, Decimal], dict[int, Decimal]]:
        """Sums over all accounts and counter-accounts: cash by currency and units by conid. Every figure is zero, always."""
        cash: dict[str, Decimal] = {}
        units: dict[int, Decimal] = {}
        for row in self._store.rows("SELECT currency, amount, conid, quantity FROM entries"):
            cash[row["currency"]] = cash.get(row["currency"], Decimal(0)) + Decimal(row["amount"])
            if row["conid"] is not None:
                units[row["conid"]] = units.get(row["conid"], Decimal(0)) + Decimal(row["quantity"])
        return cash, units

    def _post(
        self,
        account: str,
        at: datetime | None,
        kind: str,
        currency: str,
        amount: Decimal,
        conid: int | None,
        quantity: Decimal,
        price: Decimal | None,
        realized: Decimal,
        description: str,
        reference: str,
    ) -> None:
        when = at or self._clock.now()
        day = when.astimezone(NEW_YORK).date().isoformat()
        for holder, sign in ((account, 1), (COUNTER.get(kind, "IBKR"), -1)):
            self._store.execute(
                "INSERT INTO entries (account, at, day, kind, currency, amount, conid, quantity, price, realized,"
                " description, reference)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                holder, stamp(when), day, kind, currency, str(sign * amount), conid, str(sign * quantity),
                None if price is None else str(price), str(sign * realized), description, reference,
            )  # fmt: skip
            balance = (
                self._store.value("SELECT amount FROM cash WHERE account = ? AND currency = ?", holder, currency) or "0"
            )
            self._store.execute(
                "INSERT INTO cash VALUES (?, ?, ?) ON CONFLICT (account, currency) DO UPDATE SET amount = excluded.amount",
                holder, currency, str(Decimal(balance) + sign * amount),
            )  # fmt: skip

    def _move_holding(self, account: str, conid: int, currency: str, quantity: Decimal, price: Decimal) -> Decimal:
        """Update the position at average cost and return the profit realized, before commission."""
        held, cost = self._held(account, conid)
        realized = Decimal(0)
        if held * quantity < 0:
            closing = min(abs(quantity), abs(held)) * (1 if held > 0 else -1)
            released = (cost * closing / held).quantize(CENT, ROUND_HALF_EVEN)
            realized = worth(conid, closing, price) - released
        cost += worth(conid, quantity, price) + realized  # as the entries add up, also when a sale crosses zero
        self._hold(account, conid, currency, held + quantity, cost)
        return realized

    def _held(self, account: str, conid: int) -> tuple[Decimal, Decimal]:
        """Units and their cost."""
        row = self._store.row(
            "SELECT quantity, cost_basis FROM holdings WHERE account = ? AND conid = ?", account, conid
        )
        return (Decimal(row["quantity"]), Decimal(row["cost_basis"])) if row else (Decimal(0), Decimal(0))

    def _hold(self, account: str, conid: int, currency: str, quantity: Decimal, cost: Decimal) -> None:
        self._store.execute(
            "INSERT INTO holdings VALUES (?, ?, ?, ?, ?) ON CONFLICT (account, conid)"
            " DO UPDATE SET quantity = excluded.quantity, cost_basis = excluded.cost_basis",
            account, conid, currency, str(quantity), str(cost),
        )  # fmt: skip


def worth(conid: int, quantity: Decimal, price: Decimal) -> Decimal:
    """Money that a quantity is worth at a quoted price, rounded half-even to the hundredth."""
    instrument = instruments.get(conid)
    return (instrument.value(quantity, price) if instrument else quantity * price).quantize(CENT, ROUND_HALF_EVEN)
