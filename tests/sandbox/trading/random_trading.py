"""A trader who does anything at all, drawn by lot, and what must hold of orders and books after each thing he does."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from backoffice.sandbox import instruments
from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.statement_figures import draw, symbol
from backoffice.sandbox.trading import engine, orderbook
from backoffice.sandbox.trading.orderbook import Execution, Order
from tests.sandbox.trading.trader import AAPL, ASML, HSBA, KO, MASTER, NVDA, SPY, Trader, inline, ticket

CONIDS = (AAPL, SPY, KO, ASML, HSBA, NVDA)
ENDED = ("Filled", "Cancelled")
_ZERO = Decimal(0)


class RandomTrader:
    """Acts by one seed; `hold` raises AssertionError with what he did when orders and books no longer agree."""

    def __init__(self, trader: Trader, seed: int) -> None:
        self.trader = trader
        self.sandbox = trader.sandbox
        self.luck = random.Random(seed)
        self.accounts = trader.get("/iserver/accounts").json["accounts"]
        self.groups = ["All"]
        self.numbers = iter(range(1, 10**6))
        self.past = {order.order_id for order in orderbook.of_master(self.sandbox, MASTER)}
        self.read_up_to = 0
        self.cash: dict[tuple[str, str], Decimal] = {}
        self.units: dict[tuple[str, int], Decimal] = {}
        self.paid: dict[tuple[str, int], Decimal] = {}
        self.gained: dict[tuple[str, int], Decimal] = {}
        self.done: list[str] = []
        self.ended: dict[int, Order] = {}
        self.corrected: set[int] = set()
        self.refused = self.placed = 0

    def live(self, steps: int) -> None:
        """Do so many things and look at everything after each."""
        acts: list[tuple[int, Callable[[], str]]] = [
            (10, self._place), (4, self._modify), (4, self._cancel), (8, self._wait), (2, self._correct),
            (2, self._regroup), (1, self._set_presets), (2, self._turn_a_knob), (1, self._lose_the_session),
        ]  # fmt: skip
        for _ in range(steps):
            (act,) = self.luck.choices([act for _, act in acts], [weight for weight, _ in acts])
            self.done.append(act())
            self.hold()
        self.views_hold()

    # ---- what he does

    def _ticket(self, side: str | None = None) -> tuple[str, dict[str, Any]]:
        luck, conid = self.luck, self.luck.choice(CONIDS)
        side = side or luck.choice(["BUY", "SELL"])
        quantity = luck.choice([1, 2, 3, 7, luck.randint(1, 60), luck.randint(1, 400)])
        more = self._terms(conid, side)
        if luck.random() < 0.85:
            more["cOID"] = f"random-{next(self.numbers)}"
        match luck.choice(["account", "account", "group", "inline"]):
            case "group":
                name = luck.choice(self.groups)
                return name, ticket(name, conid, side, quantity, **more)
            case "inline":
                chosen = luck.sample(self.accounts, luck.randint(1, len(self.accounts)))
                made = inline({account: luck.randint(1, 30) for account in chosen}, conid, side, **more)
                if luck.random() < 0.3:
                    made["quantity"] = quantity  # amounts are ratios of it
                return MASTER, made
        account = luck.choice(self.accounts)
        return account, ticket(account, conid, side, quantity, **more)

    def _terms(self, conid: int, side: str) -> dict[str, Any]:
        luck, instrument = self.luck, instruments.get(conid)
        assert instrument
        last = self.sandbox.market.price(conid)

        def near(percent: float) -> Decimal:
            return instrument.rounded(last * Decimal(str(round(1 + luck.uniform(-percent, percent) / 100, 6))))

        kinds = ["MKT", "LMT", "LMT", "STP", "STOP_LIMIT"]
        if instrument.currency == "USD":
            kinds += ["MIT", "LIT", "TRAIL", "TRAILLMT", "MOC", "LOC", "REL", "MIDPRICE"]
        kind = luck.choice(kinds)
        found: dict[str, Any] = {"orderType": kind, "tif": luck.choice(["DAY", "DAY", "GTC", "IOC"])}
        if kind in ("MOC", "LOC"):
            found["tif"] = "DAY"
        if kind in ("LMT", "STP", "STOP_LIMIT", "MIT", "LIT", "TRAILLMT", "LOC"):
            found["price"] = near(2)
        if kind in ("STOP_LIMIT", "LIT", "TRAILLMT"):
            found["auxPrice"] = near(2)
        if kind in ("TRAIL", "TRAILLMT"):
            found |= {"trailingAmt": luck.choice([1, 2]), "trailingType": luck.choice(["amt", "%"])}
        if luck.random() < 0.1:
            found["allOrNone"] = True
        return found

    def _place(self) -> str:
        path, first = self._ticket()
        tickets = [first]
        if first["acctId"] in self.accounts and "cOID" in first and self.luck.random() < 0.25:
            tickets += self._family_of(first)
        answer, _ = self.trader.confirm_all(self.trader.post(f"/iserver/account/{path}/orders", {"orders": tickets}))
        if isinstance(answer.json, list):
            self.placed += 1
        else:
            self.refused += 1
        return f"place {tickets}: {answer.text[:200]}"

    def _family_of(self, first: dict[str, Any]) -> list[dict[str, Any]]:
        other = "SELL" if first["side"] == "BUY" else "BUY"
        if self.luck.random() < 0.5:
            child = ticket(
                first["acctId"], first["conid"], other, first["quantity"], **self._terms(first["conid"], other)
            )
            return [child | {"parentId": first["cOID"]}]
        first["isSingleGroup"] = True
        twin = ticket(
            first["acctId"],
            first["conid"],
            first["side"],
            first["quantity"],
            **self._terms(first["conid"], first["side"]),
        )
        return [twin | {"isSingleGroup": True, "cOID": f"random-{next(self.numbers)}"}]

    def _open(self) -> Order | None:
        found = [order for order in orderbook.of_master(self.sandbox, MASTER) if orderbook.is_open(order)]
        return self.luck.choice(found) if found else None

    def _modify(self) -> str:
        if (order := self._open()) is None:
            return "nothing to modify"
        more = self._terms(order.conid, order.side)
        quantity = max(1, order.quantity + self.luck.choice([-20, -1, 0, 0, 1, 50]))
        changed = ticket(order.target, order.conid, order.side, quantity, **more)
        if order.kind == "inline":
            amounts = {
                account: max(units, 1) for account, units in orderbook.promised(self.sandbox, order.order_id).items()
            }
            changed = inline(amounts, order.conid, order.side, **more) | {"quantity": quantity}
        path = f"/iserver/account/{order.target}/order/{order.order_id}"
        answer, _ = self.trader.confirm_all(self.trader.post(path, changed))
        return f"modify {order.order_id} ({order.filled}/{order.quantity}) {changed}: {answer.text[:200]}"

    def _cancel(self) -> str:
        if self.luck.random() < 0.1:
            return f"cancel all: {self.trader.delete(f'/iserver/account/{MASTER}/order/-1').text[:100]}"
        if (order := self._open()) is None:
            return "nothing to cancel"
        answer = self.trader.delete(f"/iserver/account/{order.target}/order/{order.order_id}")
        return f"cancel {order.order_id}: {answer.text[:100]}"

    def _wait(self) -> str:
        seconds = self.luck.choice([1, 1, 3, 5, 20, 120, 3_600, 20_000, 90_000, 260_000])
        self.trader.wait(seconds)
        if seconds > 300:
            self._begin_again()
        return f"wait {seconds}"

    def _lose_the_session(self) -> str:
        self.trader.break_session(self.luck.choice(["reset", "steal"]))
        self._begin_again()
        return "a new session"

    def _begin_again(self) -> None:
        self.trader.init()
        self.trader.wait(2)
        assert self.trader.get("/iserver/accounts").status == 200

    def _correct(self) -> str:
        rows = self.sandbox.store.rows(
            "SELECT execution_id, order_id, price, commission FROM trading_executions LEFT JOIN trading_replaced"
            " USING (execution_id) WHERE by_id IS NULL ORDER BY execution_id"
        )
        mine = {order.order_id for order in self._mine()}
        rows = [row for row in rows if row["order_id"] in mine]
        if not rows:
            return "nothing to correct"
        row = self.luck.choice(rows)
        body = {"commission": float(Decimal(row["commission"]) + Decimal("0.37"))}
        if self.luck.random() < 0.6:
            body["price"] = float(Decimal(row["price"]) + self.luck.choice([Decimal("0.05"), Decimal("-0.05")]))
        answer = self.trader.call("POST", f"/_sandbox/executions/{row['execution_id']}", body, root="")
        assert answer.status == 200, answer.text
        self.corrected.add(row["order_id"])
        return f"correct {row['execution_id']} {body}"

    def _mine(self) -> list[Order]:
        """The orders he has sent, those of the world's past left out."""
        return [order for order in orderbook.of_master(self.sandbox, MASTER) if order.order_id not in self.past]

    def _regroup(self) -> str:
        luck, name = self.luck, self.luck.choice(["Growth", "Calm", "Odd"])
        chosen = luck.sample(self.accounts, luck.randint(1, len(self.accounts)))
        method = luck.choice("AENPRS")
        amounts = [luck.randint(0, 40) for _ in chosen]
        amounts[0] += 1
        if method == "P":
            amounts = [100, *[0] * (len(chosen) - 1)] if luck.random() < 0.3 else _to_a_hundred(luck, len(chosen))
        members = [
            {"name": account} if method in "AEN" else {"name": account, "amount": amount}
            for account, amount in zip(chosen, amounts, strict=True)
        ]
        verb = "PUT" if name in self.groups else "POST"
        body = {"name": name, "default_method": method, "accounts": members}
        answer = self.trader.call(verb, "/iserver/account/allocation/group", body)
        assert answer.status == 200, answer.text
        self.groups = sorted({*self.groups, name})
        return f"group {body}"

    def _set_presets(self) -> str:
        switches = ("group_auto_close_positions", "profiles_auto_close_positions", "strict_credit_check")
        body: dict[str, Any] = {name: self.luck.random() < 0.5 for name in (*switches, "group_proportional_allocation")}
        body["default_method_for_all"] = self.luck.choice(["AvailableEquity", "E", "N"])
        assert self.trader.post("/iserver/account/allocation/presets", body).status == 200
        return f"presets {body}"

    def _turn_a_knob(self) -> str:
        name, values = self.luck.choice(
            [
                ("market_hours", [True, False]), ("credit_failure", ["reject", "reduce"]),
                ("remainders", ["listed", "drawn"]), ("fill_seconds", [0, 1, 12, 300]),
                ("cancel_milliseconds", [0, 1500, 60_000]), ("block_shares", ["each", "end", "moving"]),
                ("modify_quantity_is_total", [True, False]),
            ]
        )  # fmt: skip
        value = self.luck.choice(values)
        self.trader.knob(**{name: value})
        return f"knob {name}={value}"

    # ---- what must hold

    def hold(self) -> None:
        """Look at the whole; what was done comes with the complaint."""
        try:
            self._books_hold()
            for order in self._mine():
                self._order_holds(order)
        except AssertionError as broken:
            raise AssertionError(f"{broken}\nafter " + "\n".join(self.done[-12:])) from broken

    def views_hold(self) -> None:
        """Ledgers, positions, statements and lists of orders and trades say what the books and the orders say."""
        box, now = self.sandbox, self.sandbox.clock.now()
        box.clock.stop(now)
        self.trader.ready()
        trades = {row["execution_id"]: row for _ in range(2) for row in self._asked("trades", days=7)}
        listed = {row["orderId"]: row for _ in range(2) for row in self._asked("orders")["orders"]}
        for order in self._mine():
            if (row := listed.get(order.order_id)) is not None:
                assert (row["filledQuantity"], row["remainingQuantity"]) == (order.filled, order.remaining)
            if box.config.get("block_shares", "each") == "each":
                since = _trades_since(now)
                own = {
                    each.execution_id: each for each in orderbook.executions(box, order.order_id) if each.at >= since
                }
                shown = {name: row for name, row in trades.items() if row["order_id"] == order.order_id}
                assert {name: row["size"] for name, row in shown.items()} == {
                    name: e.quantity for name, e in own.items()
                }
        for account in self.accounts:
            ledger = self.trader.get(f"/portfolio/{account}/ledger").json
            cash = {
                name: line["cashbalance"] for name, line in ledger.items() if name != "BASE" and line["cashbalance"]
            }
            assert cash == box.books.cash(account), f"{account}: ledger"
            summary = self.trader.get(f"/portfolio/{account}/summary").json
            assert summary["netliquidation"]["amount"] == ledger["BASE"]["netliquidationvalue"], account
            held = {
                int(row["conid"]): row["position"] for row in self.trader.get(f"/portfolio2/{account}/positions").json
            }
            assert held == {each.conid: each.quantity for each in box.books.holdings(account)}, f"{account}: positions"
            self._statement_holds(account)

    def _asked(self, what: str, **query: Any) -> Any:
        return self.trader.get(f"/iserver/account/{what}", accountId="All", **query).json

    def _statement_holds(self, account: str) -> None:
        row = self.sandbox.accounts.get(account)
        assert row
        first, last = date(2026, 3, 2), self.sandbox.clock.now().astimezone(NEW_YORK).date()
        found = draw(self.sandbox, row, first, last)
        held = {each.symbol: (each.quantity, each.cost_basis) for each in found.positions}
        books = {symbol(each.conid): (each.quantity, each.cost_basis) for each in self.sandbox.books.holdings(account)}
        assert held == books, f"{account}: statement"
        ending = {name: lines[-1][1] for name, lines in found.cash.items() if lines[-1][1]}
        assert ending == self.sandbox.books.cash(account), f"{account}: cash of the statement"
        for name, lines in found.cash.items():
            assert sum(amount for _, amount in lines[:-1]) == lines[-1][1], f"{account} {name}: the cash report"
        assert sum(amount for _, amount in found.change[:-1]) == found.change[-1][1]
        eve = draw(self.sandbox, row, first, first)
        after = draw(self.sandbox, row, first + timedelta(days=1), last)
        assert eve.nav[-1][2] == after.nav[-1][1], f"{account}: one statement ends where the next begins"

    def _books_hold(self) -> None:
        """Cash and units are what the entries add up to, and profit is what came in and what is left at cost."""
        box = self.sandbox
        for row in box.store.rows("SELECT * FROM entries WHERE id > ? ORDER BY id", self.read_up_to):
            self.read_up_to = row["id"]
            _add(self.cash, (row["account"], row["currency"]), Decimal(row["amount"]))
            if row["kind"] == "trade":
                place = row["account"], row["conid"]
                _add(self.units, place, Decimal(row["quantity"]))
                _add(self.paid, place, Decimal(row["amount"]))
                _add(self.gained, place, Decimal(row["realized"]))
        for currency in {currency for _, currency in self.cash}:
            assert sum(amount for (_, name), amount in self.cash.items() if name == currency) == 0, (
                f"{currency}: not zero"
            )
        for account in self.accounts:
            balances = {name: amount for (owner, name), amount in self.cash.items() if owner == account and amount}
            assert balances == box.books.cash(account), f"{account}: cash"
            held = {each.conid: each for each in box.books.holdings(account)}
            for conid in {conid for owner, conid in self.units if owner == account}:
                place, name = (account, conid), f"{account} {conid}"
                quantity, cost = (held[conid].quantity, held[conid].cost_basis) if conid in held else (_ZERO, _ZERO)
                assert quantity == self.units[place], f"{name}: units"
                assert self.paid[place] + cost == self.gained[place], f"{name}: profit"

    def _order_holds(self, order: Order) -> None:
        name, box = f"order {order.order_id}", self.sandbox
        promised, given = orderbook.promised(box, order.order_id), orderbook.executed(box, order.order_id)
        executions = orderbook.executions(box, order.order_id)
        assert order.quantity > 0, f"{name} is for nothing"
        assert 0 <= order.filled <= order.quantity, f"{name}: {order.filled} of {order.quantity}"
        assert order.filled == sum(fill.quantity for fill in order.plan[: order.fills]), f"{name}: fills"
        assert sum(promised.values()) == order.quantity, f"{name}: promised {promised}"
        assert sum(given.values()) == order.filled, f"{name}: given {given}"
        assert all(0 <= units <= promised.get(account, 0) for account, units in given.items()), (
            f"{name}: {given} {promised}"
        )
        worth = sum((each.quantity * each.price for each in executions), _ZERO)
        assert worth == order.value, f"{name}: worth {worth}, kept {order.value}"
        assert (order.status == "Filled") == (order.remaining == 0), (
            f"{name}: {order.status} with {order.remaining} left"
        )
        assert all(each.quantity > 0 for each in executions), f"{name}: an execution of nothing"
        if order.order_id not in self.corrected:
            self._prices_hold(order, name)
            self._limit_holds(order, executions, name)
        kept = self.ended.get(order.order_id)
        if kept is not None and order.order_id not in self.corrected:
            assert (kept.status, kept.filled, kept.value) == (order.status, order.filled, order.value), (
                f"{name} moved on"
            )
        if order.status in ENDED:
            self.ended[order.order_id] = order

    def _limit_holds(self, order: Order, executions: list[Execution], name: str) -> None:
        """Nothing executes beyond the limit, before the order faced the market as it is, or after its end."""
        worst = order.price if order.order_type in ("REL", "MIDPRICE") else order.limit
        for each in executions:
            if each.at < order.since or order.order_type == "TRAILLMT":
                continue  # of terms that have been modified; or of a limit that moves
            assert worst is None or (worst - each.price) * order.sign >= 0, f"{name}: {each.price} beyond {worst}"
        ends = [at for at in (order.expires_at, order.cancel_at) if at is not None and not order.is_held]
        assert all(each.at <= end for each in executions for end in ends), f"{name}: executed after its end"

    def _prices_hold(self, order: Order, name: str) -> None:
        executions = orderbook.executions(self.sandbox, order.order_id)
        for at in {each.at for each in executions}:
            assert len({each.price for each in executions if each.at == at}) == 1, f"{name}: several prices at once"
        for account in {each.account for each in executions}:
            own = [each for each in executions if each.account == account]
            units = int(sum((each.quantity for each in own), _ZERO))
            charged = sum((each.commission for each in own), _ZERO)
            lowest = engine.commission(order.instrument, units, min(each.price for each in own))
            highest = engine.commission(order.instrument, units, max(each.price for each in own))
            assert lowest <= charged <= highest, f"{name}: {account} paid {charged}, {lowest} to {highest} is right"


def _trades_since(now: datetime) -> datetime:
    """The beginning of the first of the seven days of which trades are listed."""
    return now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=6)


def _add(sums: dict[Any, Decimal], key: Any, amount: Decimal) -> None:
    sums[key] = sums.get(key, _ZERO) + amount


def _to_a_hundred(luck: random.Random, count: int) -> list[int]:
    cuts = sorted(luck.randint(0, 100) for _ in range(count - 1))
    return [end - start for start, end in zip([0, *cuts], [*cuts, 100], strict=True)]
