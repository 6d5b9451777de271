"""IBKR away, the broker away, and an address that must not be spoken to: pages open, and work resumes by itself."""

import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse

from backoffice.broker import services as broker
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.errors import InvalidInput
from backoffice.ibkr import Credentials, IbkrClient
from backoffice.journal import services as journal
from backoffice.journal.models import State, Submission
from clients.models import Account
from funding.models import BankInstruction, CashTransfer
from tests.sandbox_process import SandboxProcess, free_port
from tests.worker_processes import Processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
PAGES = (
    "home:today", "home:state_bar", "clients:client_list", "clients:application_board", "funding:list", "funding:banks",
    "trading:portfolio", "trading:blotter", "reporting:list", "broker:connection_list",
)  # fmt: skip
STAMPED = ("trading:portfolio", "funding:banks", "reporting:list")
NOWHERE = "http://203.0.113.7"  # RFC 5737: an address of no machine
MONEY_OUT = r"/gw/api/v1/external-cash-transfers"


class Interruptible:
    """A sandbox of this test's own that can be killed and started again at its port, on its own books."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.process = SandboxProcess(state)

    def kill(self) -> None:
        self.process._process.kill()
        self.process._process.wait(10)

    def start_again(self) -> None:
        port = self.process.port
        self.process = _SamePort(self._state, port)


class _SamePort(SandboxProcess):
    def __init__(self, state: Path, port: int) -> None:
        self._wanted = port
        super().__init__(state)
