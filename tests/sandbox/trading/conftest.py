import shutil
from datetime import UTC, datetime
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


@pytest.fixture(scope="session")
def monday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a sandbox that stands still on a Monday at ten in New York, built once."""
    state = tmp_path_factory.mktemp("monday")
    sandbox = checked(build(state, seed=7)).state.sandbox
    sandbox.reset(7, datetime(2026, 3, 2, 15, 0, tzinfo=UTC))
    sandbox.store.close()
    return state


@pytest.fixture
def stopped(monday: Path, tmp_path: Path) -> Trader:
    """A user who has gone through the whole chain on that Monday; the clock moves only when told to."""
    trader = Trader(checked(build(shutil.copytree(monday, tmp_path / "state"), seed=7)))
    trader.knob(enforce_pacing=False, enforce_maintenance=False)
    return trader.ready()
