from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.sandbox.trading.split import NothingToSplitBy, share_out, split

NAMES = "ABCDEFGHIJKL"
WEIGHTS = st.dictionaries(st.sampled_from(NAMES), st.decimals(0, 10**9, places=2), min_size=1)
PROMISES = st.dictionaries(st.sampled_from(NAMES[:8]), st.integers(0, 40), min_size=1)


def test_equal_shares_take_the_units_left_over_one_by_one() -> None:
    assert split(400, dict.fromkeys("ABCD", Decimal(1))) == {"A": 100, "B": 100, "C": 100, "D": 100}
    assert sorted(split(400, dict.fromkeys("ABCDEF", Decimal(1))).values()) == [66, 66, 67, 67, 67, 67]


def test_shares_follow_net_liquidation_value() -> None:
    assert split(700, {"A": Decimal(25), "B": Decimal(50), "C": Decimal(100)}) == {"A": 100, "B": 200, "C": 400}


def test_inline_amounts_are_ratios_of_the_quantity() -> None:
    assert split(100, {"A": Decimal(1), "B": Decimal(3)}) == {"A": 25, "B": 75}
    assert split(100, {"A": Decimal(10), "B": Decimal(10)}) == {"A": 50, "B": 50}


def test_nothing_can_be_split_by_no_weight() -> None:
    with pytest.raises(NothingToSplitBy):
        split(10, {"A": Decimal(0), "B": Decimal(-5)})


@given(quantity=st.integers(1, 10**6), weights=WEIGHTS)
def test_a_split_adds_up_and_strays_less_than_a_unit(quantity: int, weights: dict[str, Decimal]) -> None:
    total = sum(weights.values())
    if not total:
        return

    shares = split(quantity, weights)

    assert sum(shares.values()) == quantity
    assert all(abs(shares[name] - weights[name] * quantity / total) < 1 for name in weights)


@given(promised=PROMISES)
def test_sharing_out_adds_up_at_every_step_and_takes_nothing_back(promised: dict[str, int]) -> None:
    total = sum(promised.values())
    if not total:
        return
    before = dict.fromkeys(promised, 0)

    for filled in range(total + 1):
        given_now = share_out(filled, promised)
        assert sum(given_now.values()) == filled
        assert all(before[name] <= given_now[name] <= promised[name] for name in promised)
        before = given_now

    assert before == promised
