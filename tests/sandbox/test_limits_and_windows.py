"""Above the limits IBKR answers 429, in a maintenance window it is closed: on the Account Management side."""

from tests.sandbox.support import Caller


def test_the_eleventh_call_of_a_second_is_too_many(caller: Caller) -> None:
    caller.token()
    caller.config(enforce_pacing=True)

    statuses = [caller.get("/echo/https").status_code for _ in range(30)]

    assert statuses[:10] == [200] * 10
    assert 429 in statuses[10:]
    assert caller.get("/enumerations/business-and-occupation").status_code == 200  # each endpoint is counted alone


def test_funds_and_banking_is_closed_on_saturday_and_registration_is_not(caller: Caller) -> None:
    caller.control("POST", "reset", {"at": "2026-11-28T17:00:00+00:00"})
    caller.config(enforce_pacing=False, enforce_maintenance=True)

    assert caller.get("/client-instructions/1").status_code == 503
    assert caller.get("/accounts/U1000011/status").status_code == 200

    caller.advance(2 * 24 * 3600)

    assert caller.get("/client-instructions/1").status_code == 404
