"""Sending changes of allocation groups, and looking whether IBKR shows them. A group has no key of its own at IBKR:
what it looks like is the only witness (reliability.md C.6).
"""

from django.db import transaction

from backoffice.broker import client as broker
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.errors import IbkrError
from backoffice.ibkr.types.allocation import Group
from backoffice.journal import looking, sending
from backoffice.journal.outcomes import Absent, Accepted, Found, Inconclusive, Look, Refused
from trading import translate
from trading.models import ChangeKind, GroupChange
from trading.services import groups

SOURCE = "POST /iserver/account/allocation/group/single"


def send_group(submission_pk: str) -> None:
    """Tell IBKR about one change of a group. Safe to call any number of times."""
    if (submission := sending.claim(submission_pk)) is None:
        return
    change: GroupChange = submission.subject

    def send() -> Accepted:
        client = broker.client_for(submission.master, lane="trading")
        match change.kind:
            case ChangeKind.DELETE:
                client.allocation.delete_group(change.name)
            case ChangeKind.REPLACE:
                client.allocation.replace_group(translate.group_definition(change), previous_name=change.previous_name)
            case _:
                client.allocation.create_group(translate.group_definition(change))
        return Accepted(reference="")

    outcome = sending.attempt(submission, send)
    with transaction.atomic():
        if not sending.settle(submission, outcome):
            return
        match outcome:
            case Accepted():
                groups.mark_done(change)
            case Refused(reason=reason):
                groups.mark_rejected(change, reason=reason)


def look_for_group(submission_pk: str) -> None:
    """Look whether IBKR shows a group as it was wanted."""
    if (submission := looking.due_for_look(submission_pk)) is None:
        return
    change: GroupChange = submission.subject
    try:
        look = _look(broker.client_for(submission.master, lane="trading"), change)
    except IbkrError as error:
        look = Inconclusive(SOURCE, error.reason)
    with transaction.atomic():
        if looking.observe(submission, look):
            groups.mark_done(change)


def _look(client: IbkrClient, change: GroupChange) -> Look:
    names = {row.name for row in client.allocation.groups()}
    control = sorted(names - {change.name, change.previous_name})
    if change.kind == ChangeKind.DELETE:
        if change.name not in names:
            return Found("", SOURCE, detail="IBKR no longer lists it.") if control else _no_control()
        return Absent(SOURCE, "IBKR still lists it.")
    if change.name not in names:
        return Absent(SOURCE, f"Not listed; the same list shows {control[0]}.") if control else _no_control()
    group = client.allocation.group(change.name)
    if _definition(group) == _wanted(change):
        return Found("", SOURCE, detail="IBKR shows it as it was wanted.")
    if change.kind == ChangeKind.REPLACE:
        return Absent(SOURCE, "IBKR shows the group as it was before.")
    return Found("", SOURCE, detail="A group of this name with other members or another method.", matches=False)


def _no_control() -> Inconclusive:
    return Inconclusive(SOURCE, "The list shows no other group, so it may not be loaded.")


def _definition(group: Group) -> dict[str, object]:
    return translate.definition_of(group.method, [(member.account_id, member.amount) for member in group.members])


def _wanted(change: GroupChange) -> dict[str, object]:
    definition = translate.group_definition(change)
    return translate.definition_of(
        definition.method, [(member.account, member.amount) for member in definition.members]
    )
