from collections.abc import Callable
from decimal import Decimal

import pytest

from backoffice.ibkr import Rejected, Unavailable
from backoffice.ibkr.session import NO_DYNAMIC_ACCOUNTS
from backoffice.ibkr.types.allocation import PresetsChange
from tests.contract.conftest import Connected

HOLLOWAY = "U1000011"  # 48,250.40 USD and 6,120.75 EUR at 1.14275
PRESETS = PresetsChange(
    default_method_for_all="A",
    group_auto_close_positions=True,
    profiles_auto_close_positions=False,
    strict_credit_check=True,
    group_proportional_allocation=False,
)


@pytest.mark.parametrize("status", [503, 401])
@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.search_accounts("U10000"),
        lambda session: session.select_dynamic_account(HOLLOWAY),
    ],
)
def test_without_dynamic_accounts_the_refusal_is_final_and_asked_for_once(
    trading: Connected, ask: Callable[..., object], status: int
) -> None:
    trading.sandbox.config(dynaccount_refusal_status=status)
    before = len(trading.exchanges)

    with pytest.raises(Rejected) as refused:
        ask(trading.client.session)

    assert (refused.value.code, refused.value.status) == (NO_DYNAMIC_ACCOUNTS, status)
    assert len(trading.exchanges) == before + 1


def test_dynamic_accounts_are_found_by_a_part_of_their_id_and_selected(trading: Connected) -> None:
    trading.sandbox.config(dynaccount=True)
    session = trading.client.session

    found = session.search_accounts("1000012")
    session.select_dynamic_account("U1000012")

    assert found.pattern == "1000012"
    assert [(match.account_id, match.allocation_id) for match in found.matches] == [("U1000012", "U1000012")]
    assert session.search_accounts("none").matches == ()
    assert session.accounts().selected_account == "U1000012"
    with pytest.raises(Rejected):
        session.select_dynamic_account("U9999999")


def test_the_brokerage_summary_is_in_whole_units(trading: Connected) -> None:
    summary = trading.client.portfolio.brokerage_summary(HOLLOWAY)

    assert summary.account_id == HOLLOWAY
    assert [(row.currency, row.balance, row.settled, row.is_total) for row in summary.cash] == [
        ("EUR", Decimal(6121), Decimal(6121), False),
        ("USD", Decimal(48250), Decimal(48250), False),
        ("Total (in USD)", Decimal(55245), Decimal(55245), True),
    ]
    assert (summary.total_cash, summary.gross_positions) == (Decimal(55245), Decimal(219418))
    assert (summary.net_liquidation, summary.equity_with_loan) == (Decimal(274663), Decimal(274663))
    assert (summary.initial_margin, summary.maintenance_margin) == (Decimal(109709), Decimal(54855))
    assert (summary.available_funds, summary.buying_power) == (Decimal(164954), Decimal(329908))
    with pytest.raises(Rejected):
        trading.client.portfolio.brokerage_summary("U9999999")


@pytest.mark.parametrize(
    ("name", "segments", "expected"),
    [
        (
            "available_funds",
            {"total", "securities", "commodities", "Crypto at Paxos"},
            {
                ("total", "current_available"): ("164,954 USD", Decimal(164954), "USD"),
                ("total", "Lk Ahd Nxt Chng"): ("@ 16:00:00", None, ""),
                ("total", "day_trades_left"): ("Unlimited", None, ""),
                ("total", "leverage"): ("n/a", None, ""),
                ("securities", "leverage"): ("0.80", Decimal("0.80"), ""),
            },
        ),
        (
            "balances",
            {"total", "securities", "commodities", "Crypto at Paxos"},
            {
                ("total", "net_liquidation"): ("274,663 USD", Decimal(274663), "USD"),
                ("securities", "cash"): ("55,245 USD", Decimal(55245), "USD"),
                ("commodities", "cash"): ("0 USD", Decimal(0), "USD"),
            },
        ),
        (
            "margins",
            {"total", "securities", "commodities", "Crypto at Paxos"},
            {
                ("total", "RegT Margin"): ("109,709 USD", Decimal(109709), "USD"),
                ("total", "current_maint"): ("54,855 USD", Decimal(54855), "USD"),
            },
        ),
        (
            "market_value",
            {"EUR", "USD", "Total (in USD)"},
            {
                ("EUR", "total_cash"): ("6,121", Decimal(6121), ""),
                ("EUR", "stock"): ("20,065", Decimal(20065), ""),
                ("EUR", "Exchange Rate"): ("1.14275", Decimal("1.14275"), ""),
                ("USD", "total_cash"): ("48,250", Decimal(48250), ""),
            },
        ),
    ],
)
def test_a_page_of_balances_is_text_with_what_can_be_read_of_it(
    trading: Connected, name: str, segments: set[str], expected: dict[tuple[str, str], tuple[str, Decimal | None, str]]
) -> None:
    found = trading.client.portfolio.display_page(HOLLOWAY, name)

    assert set(found.segments) == segments
    read = {place: found.figure(*place) for place in expected}
    assert {
        place: figure and (figure.text, figure.amount, figure.currency) for place, figure in read.items()
    } == expected
    assert found.figure("total", "no such label") is None


def test_profit_is_of_the_selected_account_and_never_zero_because_it_is_not_loaded(trading: Connected) -> None:
    trading.client.session.select_account(HOLLOWAY)
    with pytest.raises(Unavailable, match="not loaded the profit"):
        trading.client.portfolio.profit()

    (row,) = trading.client.portfolio.profit().rows

    assert (row.account_id, row.model) == (HOLLOWAY, "Core")
    assert (row.daily, row.unrealised) == (Decimal("589.83"), Decimal("-6033.84"))
    assert (row.net_liquidation, row.market_value) == (Decimal("274663.27"), Decimal("219418.38"))
    assert row.excess_liquidity == Decimal("219808.67")


def test_owners_are_read_and_left_in_no_record(trading: Connected) -> None:
    found = trading.client.portfolio.owners(HOLLOWAY)

    (owner,) = found.owners
    assert (owner.name, owner.first_name, owner.last_name) == ("Marianne Holloway", "Marianne", "Holloway")
    assert (owner.role, owner.username, owner.kind, owner.has_rights) == ("OWNER", "marih001", "INDIVIDUAL", True)
    assert found.signatures == ("Marianne Holloway",)
    assert "Holloway" not in f"{found!r}{found.raw}{trading.exchanges[-1]}"


def test_presets_are_set_whole_and_a_login_to_tws_brings_its_own_back(trading: Connected) -> None:
    allocation = trading.client.allocation
    assert (allocation.presets().default_method, allocation.presets().rebalances) == ("N", False)

    allocation.set_presets(PRESETS)
    after = allocation.presets()
    trading.sandbox.control("POST", "tws", {"username": "alder01", "takes_session": False})

    assert after.matches(PRESETS)
    assert after.rebalances is True
    assert after.default_method == "AvailableEquity"
    assert not allocation.presets().matches(PRESETS)
    assert allocation.presets().default_method == "N"
    assert trading.sent("POST", "/presets") == 1
