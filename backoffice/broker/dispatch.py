"""Trying a connection at IBKR, and writing down what was found. Workers and commands only."""

from dataclasses import asdict
from functools import partial

from backoffice.broker import client as broker
from backoffice.broker.models import ConnectionTest, MasterAccount
from backoffice.core import clock
from backoffice.ibkr import checkup


def answer_test(test_pk: str) -> None:
    """Run one test that a person asked for on the connections page. Harmless when rung twice."""
    taken = ConnectionTest.objects.filter(pk=test_pk, state=ConnectionTest.State.WAITING).update(
        state=ConnectionTest.State.RUNNING
    )
    if not taken:
        return
    test = ConnectionTest.objects.select_related("master").get(pk=test_pk)
    steps = run(test.master, with_next_key=test.with_next_key)
    ConnectionTest.objects.filter(pk=test_pk).update(
        state=ConnectionTest.State.DONE,
        steps=[asdict(step) for step in steps],
        has_passed=all(step.ok for step in steps),
        finished_at=clock.now(),
    )


def run(master: MasterAccount, *, with_next_key: bool = False) -> list[checkup.Step]:
    """Try address, key, token, scopes, both echo calls, the account list and the trading sign-on; stop where nothing can follow.

    Opens no brokerage session, so nobody is thrown out of one.
    """
    return checkup.check(
        partial(broker.client_for_test, master, with_next_key=with_next_key),
        broker.facts_of(master, with_next_key=with_next_key),
    )
