"""Whatever is done to orders, in whatever order: nothing is promised, executed or paid that does not add up."""

import pytest

from tests.sandbox.trading.random_trading import RandomTrader
from tests.sandbox.trading.trader import Trader


@pytest.mark.parametrize("seed", [17, 104])
def test_orders_and_books_agree_whatever_is_done(stopped: Trader, seed: int) -> None:
    """By hand with other seeds and more steps: a failure tells what was done before it."""
    someone = RandomTrader(stopped, seed)

    someone.live(60)

    assert someone.placed > 5, "too little was placed to say anything"
