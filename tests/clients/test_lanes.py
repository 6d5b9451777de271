"""How long an application may stand in a lane is a policy, so two principals can change it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backoffice.core import clock
from backoffice.core.errors import InvalidInput
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import FIRST, Document, check, read
from clients.selectors import today
from clients.selectors.applications import board

pytestmark = pytest.mark.django_db


def test_the_policy_says_how_long_an_application_may_stand_in_a_lane(
    submitted: Any, master: Any, advisor: Any, principal: Any, second_principal: Any, time_machine: Any
) -> None:
    time_machine.move_to(clock.now(), tick=False)
    submitted(master)
    time_machine.shift(timedelta(hours=5))
    assert [card.is_over for card in board(advisor, {}).cards] == [False]

    assert [item.kind for item in today.inbox(advisor)] == []

    document = replace(FIRST, lane_hours={**FIRST.lane_hours, "submitted": 4})
    row = policies.propose(document, by=principal, reason="Quicker", effective_at=clock.now(), based_on=1)
    policies.approve(row, by=second_principal, document_sha256=row.document_sha256)

    assert [card.is_over for card in board(advisor, {}).cards] == [True]
    assert ("A submitted application may wait for IBKR", "4 h") in document.lines()
    (stuck,) = today.inbox(advisor)
    assert (stuck.group, stuck.owner) == ("stuck", advisor)
    assert stuck.title == "Ilse Vandermolen has waited for an account number for longer than it should"
    assert stuck.due is not None
    assert clock.now() - stuck.due == timedelta(hours=1)


@pytest.mark.parametrize(
    "hours", [{"submitted": 4}, {**FIRST.lane_hours, "review": 0}, {**FIRST.lane_hours, "open": 4}]
)
def test_each_lane_has_one_time_of_an_hour_to_a_year(hours: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="Each lane of applications has a time"):
        check(replace(FIRST, lane_hours=hours))


def test_a_version_from_before_lanes_had_times_reads_with_the_usual_ones() -> None:
    older = FIRST.as_text().replace(f'"lane_hours":{_lanes_as_text()},', "")
    assert "lane_hours" not in older

    assert read(older) == FIRST
    assert isinstance(read(older), Document)


def _lanes_as_text() -> str:
    text = FIRST.as_text()
    begin = text.index('"lane_hours":') + len('"lane_hours":')
    return text[begin : text.index("}", begin) + 1]
