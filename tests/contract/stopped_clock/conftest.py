"""The sandbox at one instant of one seed: prices stand still, so that every figure of an answer is known beforehand."""

import pytest

from tests.sandbox_process import SandboxProcess

TUESDAY = "2026-11-24T15:00:00+00:00"  # half an hour after New York opened, two days before Thanksgiving


@pytest.fixture
def sandbox(_sandbox_process: SandboxProcess) -> SandboxProcess:
    """As everywhere else, but with its clock stopped; sessions are established at once, because no time passes."""
    _sandbox_process.control("POST", "reset", {"at": TUESDAY})
    _sandbox_process.config(enforce_pacing=False, enforce_maintenance=False, session_cold_milliseconds=0)
    return _sandbox_process
