"""The demonstration firm's clients: every stage of life, made once."""

from typing import Any

import pytest

from backoffice.people import demonstration as people
from clients import demonstration, dispatch
from clients.models import Account, Application, Client
from clients.selectors import applications

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_demonstration_is_made_once_and_goes_on_by_itself(connected_master: Any, sandbox: Any) -> None:
    world, logins = sandbox.world(), people.load()

    for _ in range(2):
        demonstration.load(world, logins, connected_master)
    dispatch.poll_statuses()

    assert Account.objects.open().count() == 9
    assert {client.book.name for client in Client.objects.select_related("book")} == {"Carvalho", "Halloway"}
    stages = [application.stage for application in Application.objects.all()]
    assert len(stages) == 16
    assert {"draft", "submitted", "client", "documents", "review", "open", "rejected"} == set(stages)


def test_the_refused_application_is_refused_by_ibkr_itself(connected_master: Any, sandbox: Any) -> None:
    demonstration.load(sandbox.world(), people.load(), connected_master)
    application = Application.objects.get(applicant="Odhran Castellane")
    card = applications.cards_of([application])[0]
    assert card.submission is not None

    dispatch.send_application(str(card.submission.pk))

    refused = Application.objects.get(pk=application.pk)
    assert (refused.status, refused.refusals[0]["field"]) == ("refused", "email")
