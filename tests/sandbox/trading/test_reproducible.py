"""A seed reproduces a run to the byte, another seed is another world, and a restart forgets nothing."""

import random
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backoffice.sandbox.app import build
from backoffice.sandbox.clock import stamp
from tests.checked_sandbox import checked
from tests.sandbox.trading.trader import AAPL, KO, Trader, ticket

ACCOUNT = "U1000011"
MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
# Made of chance on purpose, because nobody may foresee them: ids of questions, sessions and sign-ons.
BY_CHANCE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}")


def world(state: Path, seed: int) -> Trader:
    app = checked(build(state, seed=seed))
    app.state.sandbox.reset(seed, MONDAY)
    trader = Trader(app)
    trader.knob(enforce_pacing=False, enforce_maintenance=False)
    return trader.ready()


def a_day(trader: Trader) -> list[str]:
    """What the server says during a day's work."""
    said: list[str] = []

    def note(answer: Any) -> None:
        said.append(f"{answer.status} {BY_CHANCE.sub('*', answer.text)}")

    for conid in (AAPL, KO):
        note(trader.get("/iserver/marketdata/snapshot", conids=conid, fields="31,84,86,7295"))
        note(trader.get("/iserver/marketdata/snapshot", conids=conid, fields="31,84,86,7295"))
    for side, conid, quantity in (("BUY", AAPL, 7), ("BUY", KO, 30), ("SELL", KO, 12)):
        answer, asked = trader.confirm_all(trader.place(ACCOUNT, ticket(ACCOUNT, conid, side, quantity)))
        note(answer)
        said.append(" ".join(asked))
        trader.wait(20)
    note(trader.get("/iserver/account/orders", accountId="All"))
    note(trader.get("/iserver/account/trades", days=2, accountId="All"))
    trader.wait(86_400)
    for path in (f"/portfolio/{ACCOUNT}/positions/0", f"/portfolio/{ACCOUNT}/ledger", f"/portfolio/{ACCOUNT}/summary"):
        note(trader.get(path))
    return said


def test_a_seed_reproduces_a_run_and_another_seed_does_not(tmp_path: Path) -> None:
    first, again, other = (
        a_day(world(tmp_path / name, seed)) for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )  # fmt: skip

    assert first == again
    assert first != other
    assert all(line.startswith("200 ") for line in first if line[:1].isdigit())


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    trader = world(tmp_path, 7)
    resting = trader.accept(
        ACCOUNT, ticket(ACCOUNT, KO, "BUY", 5, orderType="LMT", price=trader.far_price(KO, "BUY"), tif="GTC")
    )
    trader.accept(ACCOUNT, ticket(ACCOUNT, AAPL, "BUY", 3))
    trader.wait(60)
    trader.sandbox.tick()
    trader.knob(create_answer="async")
    before = {
        "cash": trader.cash(ACCOUNT), "held": trader.held(ACCOUNT, AAPL), "now": trader.sandbox.clock.now(),
        "status": trader.status(resting), "seed": trader.sandbox.seed, "price": trader.sandbox.market.price(KO),
        "effects": trader.effects("order"), "knobs": trader.sandbox.config.all(),
    }  # fmt: skip
    trader.sandbox.store.close()

    back = Trader(checked(build(tmp_path, seed=99)), token="bearer-2").ready()

    assert {
        "cash": back.cash(ACCOUNT), "held": back.held(ACCOUNT, AAPL), "status": back.status(resting),
        "seed": back.sandbox.seed, "price": back.sandbox.market.price(KO, before["now"]),
        "effects": back.effects("order"), "knobs": back.sandbox.config.all(),
    } == {name: value for name, value in before.items() if name != "now"}  # fmt: skip
    assert back.sandbox.clock.now() >= before["now"]


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_traded_the_books_agree_to_the_cent(seed: int, tmp_path: Path) -> None:
    """Cash by the books, by the ledger endpoint and by what was paid; holdings by the books, the positions and the fills."""
    trader, luck = world(tmp_path, seed), random.Random(seed)
    cash = trader.cash(ACCOUNT)
    held = {conid: trader.held(ACCOUNT, conid) for conid in (AAPL, KO)}
    for _ in range(14):
        conid, quantity = luck.choice([AAPL, KO]), luck.randint(1, 9)
        side = "SELL" if trader.held(ACCOUNT, conid) > 20 and luck.random() < 0.5 else "BUY"
        kind = luck.choice(["MKT", "MKT", "LMT"])
        price = {"price": trader.far_price(conid, side, percent=luck.choice([0, 1]))} if kind == "LMT" else {}
        trader.confirm_all(trader.place(ACCOUNT, ticket(ACCOUNT, conid, side, quantity, orderType=kind, **price)))
        trader.wait(luck.choice([1, 15, 40]))
    trader.wait(120)
    trader.sandbox.tick()

    rows = trader.sandbox.store.rows(
        "SELECT o.conid, o.side, e.quantity, e.price, e.commission FROM trading_executions e"
        " JOIN trading_orders o ON o.order_id = e.order_id WHERE e.account = ? AND e.at >= ?", ACCOUNT, stamp(MONDAY),
    )  # fmt: skip
    paid = Decimal(0)
    for row in rows:
        sign = 1 if row["side"].startswith("B") else -1
        held[row["conid"]] = held.get(row["conid"], Decimal(0)) + sign * Decimal(row["quantity"])
        paid += sign * Decimal(row["quantity"]) * Decimal(row["price"]) + Decimal(row["commission"])
    assert rows, "something was traded"
    assert {conid: trader.held(ACCOUNT, conid) for conid in held} == held
    assert trader.cash(ACCOUNT) == cash - paid
    told = trader.get(f"/portfolio/{ACCOUNT}/ledger").json["USD"]
    assert Decimal(str(told["cashbalance"])) == trader.cash(ACCOUNT).quantize(Decimal("0.01"))
    shown = {
        row["conid"]: Decimal(str(row["position"])) for row in trader.get(f"/portfolio/{ACCOUNT}/positions/0").json
    }
    assert {conid: shown.get(conid, Decimal(0)) for conid in held} == held
    money, units = trader.sandbox.books.totals()
    assert set(money.values()) | set(units.values()) == {Decimal(0)}, "every entry has its counter-entry"
