"""The shares of a block show with each execution, at its end, or move at its end; the books never tell otherwise."""

from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.trading.trader import KO, MASTER, Trader, inline

THREE = ("U1000011", "U1000012", "U1000013")
PROMISED = {THREE[0]: 6, THREE[1]: 4, THREE[2]: 2}


@pytest.fixture
def block(stopped: Trader) -> int:
    """A block of twelve, filled in threes every ten seconds: it has had two of four fills."""
    fills = [{"after_milliseconds": 10_000 * place, "quantity": 3, "price": 60} for place in range(4)]
    stopped.script({"account": MASTER}, fills=fills)
    order_id = stopped.accept(MASTER, inline(PROMISED, KO, "BUY", orderType="LMT", price=50))
    stopped.wait(15)
    return order_id


def by_account(trades: list[dict[str, Any]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for trade in trades:
        found[trade["account_allocation_name"]] = (
            found.get(trade["account_allocation_name"], Decimal(0)) + trade["size"]
        )
    return found


def test_each_share_shows_with_its_execution_and_stays(stopped: Trader, block: int) -> None:
    early = stopped.trades(block)
    assert by_account(early) == {THREE[0]: 3, THREE[1]: 2, THREE[2]: 1}

    stopped.wait(30)

    late = stopped.trades(block)
    assert by_account(late) == PROMISED
    assert {trade["execution_id"] for trade in early} <= {trade["execution_id"] for trade in late}


def test_shares_show_at_the_end_and_the_master_account_keeps_the_whole(stopped: Trader, block: int) -> None:
    stopped.knob(block_shares="end", block_shares_seconds=60)
    assert by_account(stopped.trades(block)) == {MASTER: 6}

    stopped.wait(30)
    assert by_account(stopped.trades(block)) == {MASTER: 12}
    assert stopped.status(block) == "Filled"
    held = [stopped.held(account, KO) for account in THREE]
    stopped.wait(60)

    assert by_account(stopped.trades(block)) == {MASTER: 12, **PROMISED}
    assert [stopped.held(account, KO) for account in THREE] == held


def test_an_execution_is_one_account_s_until_the_end_moves_it(stopped: Trader, block: int) -> None:
    stopped.knob(block_shares="moving")
    early = stopped.trades(block)
    assert [trade["size"] for trade in early] == [3, 3]
    assert {trade["account"] for trade in early} <= set(THREE)
    assert {trade["execution_id"].rpartition(".")[2] for trade in early} == {"01"}

    stopped.wait(30)

    late = stopped.trades(block)
    assert by_account(late) == PROMISED
    assert {trade["execution_id"].rpartition(".")[2] for trade in late} == {"01", "02"}
    assert not {trade["execution_id"] for trade in early} & {trade["execution_id"] for trade in late}


def test_a_block_that_is_cancelled_part_filled_has_its_shares_at_once(stopped: Trader, block: int) -> None:
    stopped.knob(block_shares="end")
    assert stopped.delete(f"/iserver/account/{MASTER}/order/{block}").status == 200
    assert by_account(stopped.trades(block)) == {MASTER: 6}

    stopped.wait(3)

    assert stopped.status(block) == "Cancelled"
    assert by_account(stopped.trades(block)) == {MASTER: 6, THREE[0]: 3, THREE[1]: 2, THREE[2]: 1}


def test_an_order_of_one_account_shows_as_ever(stopped: Trader) -> None:
    stopped.knob(block_shares="end", block_shares_seconds=60)
    stopped.script({"account": THREE[0]}, fills=[{"quantity": 1, "price": 60}])
    single = {
        "acctId": THREE[0],
        "conid": KO,
        "side": "BUY",
        "orderType": "LMT",
        "price": 50,
        "quantity": 2,
        "tif": "DAY",
    }
    order_id = stopped.accept(THREE[0], single)
    stopped.wait(5)

    assert by_account(stopped.trades(order_id)) == {THREE[0]: 1}
