"""Whoever rings, rings where somebody hears it: the keeper too, which hears of orders first."""

import json
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import call_command

from tests.worker_processes import Processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


def test_the_keeper_rings_the_trading_lane_once_its_line_is_open(
    processes: Processes, sandbox: Any, settings: Any, tmp_path: Path
) -> None:
    settings.STATE_DIR = tmp_path
    call_command("load_demonstration", "--sandbox-url", sandbox.url)
    lanes = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    lanes.delete("trading", "celery")

    processes.keeper()

    def rung() -> set[str]:
        return {json.loads(each)["headers"]["task"] for each in lanes.lrange("trading", 0, -1)}

    wait_until(lambda: rung() >= {"trading.sync_orders", "trading.sync_portfolios"}, 60, "two rings", processes.logs)
    assert lanes.llen("celery") == 0
