"""`manage.py keep_session`: own IBKR's brokerage session of each username until told to stop."""

import logging
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections

from backoffice.broker.models import MasterAccount
from backoffice.broker.session import Keeper
from backoffice.core.logs import is_absence

log = logging.getLogger(__name__)

WAIT_SECONDS = 5


class Command(BaseCommand):
    help = "Keep the brokerage session of every connection that has a trading username; one keeper each, by lease."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("accounts", nargs="*", help="only these master accounts")

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        threads: dict[Any, threading.Thread] = {}
        while not stopping.is_set():
            for master in _masters(options["accounts"]):
                # A connection added while we run gets its keeper too.
                if master.pk not in threads or not threads[master.pk].is_alive():
                    threads[master.pk] = threading.Thread(target=_own, args=(master, stopping), name=master.account)
                    threads[master.pk].start()
            stopping.wait(WAIT_SECONDS)
        for thread in threads.values():
            thread.join(timeout=20)


def _masters(accounts: list[str]) -> list[MasterAccount]:
    """Return the connections to keep a session of; none while the database is away, which the keepers see for themselves."""
    close_old_connections()
    found = MasterAccount.objects.exclude(username="")
    try:
        return list(found.filter(account__in=accounts) if accounts else found)
    except (OperationalError, InterfaceError):
        return []


def _own(master: MasterAccount, stopping: threading.Event) -> None:
    """Keep one session until told to stop. Ends when the database goes; once it is back, it is begun anew."""

    def sleep(seconds: int) -> None:
        stopping.wait(seconds)

    keeper = Keeper(master, sleep=sleep)
    try:
        while not stopping.is_set() and MasterAccount.objects.filter(pk=master.pk).exclude(username="").exists():
            close_old_connections()
            if keeper.acquire():
                keeper.keep(should_stop=stopping.is_set)
            else:
                stopping.wait(WAIT_SECONDS)  # another keeper owns it; take over if it dies
    except (OperationalError, InterfaceError) as error:
        if not is_absence(error):
            raise
        log.warning("%s: the database does not answer; its session is taken up again when it does", master.account)
    close_old_connections()
