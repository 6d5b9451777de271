from decimal import Decimal
from typing import Any

import pytest

from backoffice.ibkr import OutcomeUnknown, Rejected, SessionNotReady, Unsendable
from backoffice.ibkr.types.market_data import AcceptedFee, Timeline
from tests.contract.conftest import APPLE, Connected

HSBC_IN_LONDON = "909083"
FEE = AcceptedFee.REGULATORY_SNAPSHOT


def fees(trading: Connected) -> int:
    return len(trading.ledger("market-data-fee"))


@pytest.mark.parametrize("head", ["full", "short"])
@pytest.mark.parametrize("opened_by", ["init", "either"])
def test_historical_data_is_opened_and_gives_the_bars_of_the_other_history(
    trading: Connected, opened_by: str, head: str
) -> None:
    trading.sandbox.config(hmds_opened_by=opened_by, hmds_history_head=head)
    client = trading.client

    with pytest.raises(SessionNotReady, match="call hmds.init"):
        client.hmds.history(APPLE, period="1w", bar="1d")
    client.hmds.init()
    found = client.hmds.history(APPLE, period="1w", bar="1d")

    assert found.bars == client.market.history(APPLE, period="1w", bar="1d").bars
    assert found.starts_at is not None
    assert found.highest == (Decimal("260.90") if head == "full" else None), "a short head has no extremes to read"


def test_historical_data_needs_the_brokerage_session(signed_in: Connected) -> None:
    with pytest.raises(SessionNotReady, match="(?i)init session first|no bridge"):
        signed_in.client.hmds.init()


def test_a_chart_of_nothing_is_refused_by_either_history(trading: Connected) -> None:
    trading.client.hmds.init()

    with pytest.raises(Unsendable):
        trading.client.hmds.history(APPLE, period="1y", bar="1min")


@pytest.mark.parametrize("shape", ["object", "list"])
def test_a_regulatory_snapshot_is_live_and_booked_once(trading: Connected, shape: str) -> None:
    trading.sandbox.config(regsnapshot_shape=shape, market_data={"NASDAQ": "N"})

    found = trading.client.market.regulatory_snapshot(APPLE, fee=FEE)

    assert (found.conid, found.symbol, found.timeline) == (APPLE, "AAPL", Timeline.REALTIME)
    assert (found.decoded.is_snapshot, found.is_live) == (True, True)
    assert found.bid is not None
    assert found.ask is not None
    assert found.bid.value < found.ask.value
    assert found.raw["server_id"] == "q1"
    (fee,) = trading.ledger("market-data-fee")
    assert (fee["broker_id"], fee["data"]["amount"], fee["data"]["username"]) == (APPLE, "0.01", "alder01")


@pytest.mark.parametrize("fee", [True, Decimal("0.01"), "REGULATORY_SNAPSHOT", None])
def test_nobody_draws_a_regulatory_snapshot_without_naming_its_fee(trading: Connected, fee: Any) -> None:
    with pytest.raises(Unsendable, match=r"costs USD 0\.01"):
        trading.client.market.regulatory_snapshot(APPLE, fee=fee)
    with pytest.raises(TypeError):
        trading.client.market.regulatory_snapshot(APPLE)  # type: ignore[call-arg]

    assert trading.sent("GET", "/md/regsnapshot") == 0
    assert fees(trading) == 0


def test_a_regulatory_snapshot_whose_answer_is_lost_is_paid_for_once(trading: Connected) -> None:
    for action in ("reset", "status"):
        trading.sandbox.fault(
            {
                "method": "GET", "path": "/v1/api/md/regsnapshot", "phase": "applied_not_answered", "action": action,
                "times": 9, **({"status": 503} if action == "status" else {}),
            }
        )  # fmt: skip
        with pytest.raises(OutcomeUnknown):
            trading.client.market.regulatory_snapshot(APPLE, fee=FEE)
        trading.sandbox.clear_faults()

    assert fees(trading) == 2, "one for each time that it was asked for"


def test_a_refused_regulatory_snapshot_costs_nothing(trading: Connected) -> None:
    with pytest.raises(Rejected):
        trading.client.market.regulatory_snapshot(HSBC_IN_LONDON, fee=FEE)

    assert fees(trading) == 0


def test_no_other_call_for_prices_costs_anything(trading: Connected) -> None:
    trading.client.market.snapshot([APPLE])
    trading.client.market.history(APPLE, period="1w", bar="1d")
    trading.client.hmds.init()
    trading.client.hmds.history(APPLE, period="1w", bar="1d")

    assert fees(trading) == 0
