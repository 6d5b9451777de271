"""Trying a connection at IBKR, and writing down what was found. Workers and commands only."""

from dataclasses import asdict
from functools import partial

from django.conf import settings

from backoffice.broker import client as broker
from backoffice.broker.models import ConnectionTest, MasterAccount
from backoffice.broker.scopes import scopes_of_work
from backoffice.core import clock
from backoffice.ibkr import checkup, diagnosis, keys


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
        partial(broker.client_for_test, master, with_next_key=with_next_key), _facts(master, with_next_key)
    )


def _facts(master: MasterAccount, with_next_key: bool) -> diagnosis.Facts:
    return diagnosis.Facts(
        environment=master.environment,
        base_url=master.base_url.rstrip("/"),
        client_id=master.client_id,
        key_id=master.next_key_id if with_next_key else master.key_id,
        master=master.account,
        username=master.username,
        ip=settings.IBKR_EGRESS_IP,
        thumbprint=_thumbprint(master, with_next_key),
        scopes=scopes_of_work(master),
    )


def _thumbprint(master: MasterAccount, with_next_key: bool) -> str:
    try:
        pem = broker.credentials_of(master, with_next_key=with_next_key).private_key
        return keys.thumbprint(keys.parsed(pem).public_key())
    except keys.KeyProblem:
        return ""  # the test itself says what is wrong with the key
