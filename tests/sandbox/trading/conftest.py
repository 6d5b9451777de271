from pathlib import Path

import pytest

from backoffice.sandbox.app import build
from tests.checked_sandbox import checked
from tests.sandbox.trading.trader import Trader


@pytest.fixture
def cold(tmp_path: Path) -> Trader:
    """A user with a bearer and nothing else; neither pace nor maintenance is enforced."""
    trader = Trader(checked(build(tmp_path, seed=7)))
    trader.knob(enforce_pacing=False, enforce_maintenance=False)
    return trader


@pytest.fixture
def trader(cold: Trader) -> Trader:
    """A user who has gone through the whole chain."""
    return cold.ready()
