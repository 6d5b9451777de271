"""One firm of two books for all tests of a module; each test is undone."""

from typing import Any

import pytest

from tests.api.program import Program
from tests.test_authorisation import firm
from tests.two_books import Firm

__all__ = ["firm"]


@pytest.fixture
def advisors(firm: Firm, db: None) -> Program:
    return Program(firm.people["advisor"])


@pytest.fixture
def any_program(firm: Firm, db: None, settings: Any) -> Any:
    """An advisor's program that is never told to wait."""
    settings.API_CALLS_PER_MINUTE = 1_000_000
    return Program(firm.people["advisor"])
