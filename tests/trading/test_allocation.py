"""Shares add up, follow IBKR's rounding, and treat nobody unfairly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.allocation import Figures, NothingToShareBy, share_out, weights_of

WEIGHTS = st.dictionaries(
    st.from_regex(r"U[0-9]{7}", fullmatch=True),
    st.decimals(min_value=0, max_value=10**12, places=4, allow_nan=False, allow_infinity=False),
    min_size=1,
    max_size=60,
).filter(lambda weights: any(weights.values()))


@settings(max_examples=600, deadline=None)
@given(quantity=st.integers(min_value=1, max_value=10**9), weights=WEIGHTS)
def test_every_share_out_adds_up_to_the_order(quantity: int, weights: dict[str, Decimal]) -> None:
    shares = share_out(quantity, weights)

    assert sum(share.quantity for share in shares) == quantity
    assert [share.account for share in shares] == list(weights)


@settings(max_examples=600, deadline=None)
@given(quantity=st.integers(min_value=1, max_value=10**9), weights=WEIGHTS)
def test_no_share_is_a_whole_unit_off_its_ratio(quantity: int, weights: dict[str, Decimal]) -> None:
    total = sum((Fraction(weight) for weight in weights.values()), Fraction(0))

    for share in share_out(quantity, weights):
        ideal = quantity * Fraction(weights[share.account]) / total
        assert abs(share.quantity - ideal) < 1
        assert share.quantity == int(ideal) + share.has_odd_unit


@settings(max_examples=400, deadline=None)
@given(quantity=st.integers(min_value=1, max_value=10**6), weights=WEIGHTS)
def test_more_weight_never_gets_less(quantity: int, weights: dict[str, Decimal]) -> None:
    shares = sorted(share_out(quantity, weights), key=lambda share: share.weight)

    assert all(
        small.quantity <= large.quantity
        for small, large in zip(shares, shares[1:], strict=False)
        if small.weight < large.weight
    )


@settings(max_examples=200, deadline=None)
@given(quantity=st.integers(min_value=1, max_value=10**6), weights=WEIGHTS)
def test_an_account_without_weight_gets_nothing(quantity: int, weights: dict[str, Decimal]) -> None:
    assert all(share.quantity == 0 for share in share_out(quantity, weights) if not weights[share.account])


def test_equal_quantity_gives_sixty_six_each_and_the_rest_one_by_one() -> None:
    weights = weights_of("E", dict.fromkeys([f"U{n}" for n in range(6)]), {})

    shares = share_out(400, weights)

    assert [share.quantity for share in shares] == [67, 67, 67, 67, 66, 66]
    assert [share.has_odd_unit for share in shares] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("method", ["N", "A"])
def test_seven_hundred_by_worth_of_one_to_two_to_four(method: str) -> None:
    worth = {"U1": "25000", "U2": "50000", "U3": "100000"}
    figures = {account: Figures(Decimal(value), Decimal(value)) for account, value in worth.items()}

    shares = share_out(700, weights_of(method, dict.fromkeys(worth), figures))

    assert [share.quantity for share in shares] == [100, 200, 400]


def test_percentages_ratios_and_shares_use_their_amounts() -> None:
    amounts = {"U1": Decimal(10), "U2": Decimal(30), "U3": Decimal(60)}

    for method in ("P", "R", "S"):
        shares = share_out(100, weights_of(method, amounts, {}))
        assert [share.quantity for share in shares] == [10, 30, 60]


def test_percentages_that_do_not_add_up_are_refused_for_whether_ibkr_scales_them_is_open() -> None:
    with pytest.raises(ValueError, match="add up to 95 at IBKR"):
        weights_of("P", {"U1": Decimal(50), "U2": Decimal(45), "U3": Decimal(0)}, {})


def test_an_account_in_debt_gets_nothing() -> None:
    shares = share_out(10, {"U1": Decimal(-5), "U2": Decimal(5)})

    assert [share.quantity for share in shares] == [0, 10]


def test_a_figure_that_is_not_known_is_named() -> None:
    with pytest.raises(LookupError, match="U2"):
        weights_of("N", {"U1": None, "U2": None}, {"U1": Figures(Decimal(1), None)})


def test_nothing_to_share_by_is_refused() -> None:
    with pytest.raises(NothingToShareBy):
        share_out(10, {"U1": Decimal(0)})


@pytest.mark.parametrize("quantity", [0, -3])
def test_less_than_one_unit_is_refused(quantity: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        share_out(quantity, {"U1": Decimal(1)})


def test_a_method_we_do_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="method C"):
        weights_of("C", {"U1": Decimal(1)}, {})
