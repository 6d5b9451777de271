from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backoffice.ibkr import Unavailable
from tests.contract.conftest import Connected


def test_messages_are_read_in_batches_and_marked(signed_in: Connected) -> None:
    notifications = signed_in.client.notifications
    assert notifications.unread().count == Decimal(7)

    newest = notifications.recent()
    older = notifications.recent(after=newest[-1].notification_id)
    notifications.mark_read(newest[0].notification_id)

    assert (len(newest), len(older)) == (10, 4)
    assert notifications.older(newest[-1].notification_id) == older
    assert (newest[0].kind, newest[0].subject, newest[0].is_read) == ("PF", "FYI: Changes in Analyst Ratings", False)
    assert newest[0].sent_at == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert newest[1].plain_body == "A position you hold goes ex dividend. AAPL @NASDAQ"
    assert notifications.recent(most=1)[0].is_read is True
    assert notifications.unread().count == Decimal(6)


def test_messages_are_chosen_by_kind(signed_in: Connected) -> None:
    notifications = signed_in.client.notifications

    notifications.want("BA", wanted=False)
    kinds = {each.kind: (each.name, each.is_wanted, each.is_disclaimer_read) for each in notifications.kinds()}

    assert kinds == {
        "PF": ("Portfolio FYIs", True, False),
        "M8": ("Corporate actions", True, False),
        "PT": ("Position Transfer", True, False),
        "BA": ("Borrow Availability", False, False),
    }
    assert {each.kind for each in notifications.recent(only=["PF", "M8"])} == {"PF", "M8"}
    assert {each.kind for each in notifications.recent(without=["PF", "M8"])} == {"PT"}


def test_a_disclaimer_is_read_and_accepted(signed_in: Connected) -> None:
    notifications = signed_in.client.notifications

    disclaimer = notifications.disclaimer("BA")
    notifications.accept_disclaimer("BA")

    assert disclaimer.kind == "BA"
    assert disclaimer.text.startswith("This communication is provided for information purposes only")
    assert [each.kind for each in notifications.kinds() if each.is_disclaimer_read] == ["BA"]


def test_a_locked_counter_means_later(signed_in: Connected) -> None:
    signed_in.sandbox.config(fyi_locked=True)

    with pytest.raises(Unavailable, match="locked"):
        signed_in.client.notifications.unread()
