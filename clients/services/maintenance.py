"""Changing what exists at IBKR: an alias or a residence address, as a case that stays open until IBKR shows it."""

import json
import uuid
from collections.abc import Mapping

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.core import clock
from backoffice.core.doorbell import ring_on_commit
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.ibkr.types.changes import AddressChange, AliasChange
from backoffice.journal import services as journal
from backoffice.people.models import User
from backoffice.people.policies.document import Facts
from backoffice.people.policy import may
from clients import rules, translate
from clients.models import CASE_LIFECYCLE, Account, CaseKind, CaseStatus, MaintenanceRequest

CONSEQUENCES = {
    CaseKind.ALIAS: "It takes effect at once, and the client sees it in the portal. Nothing has to be signed.",
    CaseKind.ADDRESS: (
        "IBKR reviews it, may ask the client to sign a new tax form, and may ask for proof of address. "
        "It changes the address for every account of this client, and mail goes there too."
    ),
}


def request_alias(*, account: Account, alias: str, intent: uuid.UUID, by: User) -> MaintenanceRequest:
    """Ask IBKR to call the account otherwise. Raises NotPermitted, Conflict, InvalidInput."""
    defect = next(rules.check_alias(alias.strip()), None)
    if defect:
        raise InvalidInput(defect.field, defect.message, defect.fix)
    return _request(
        account=account,
        kind=CaseKind.ALIAS,
        before={"alias": account.alias},
        after={"alias": alias.strip()},
        intent=intent,
        by=by,
    )


def request_address(*, account: Account, address: Mapping[str, str], intent: uuid.UUID, by: User) -> MaintenanceRequest:
    """Ask IBKR to take a new residence address of the account's holder. Raises NotPermitted, Conflict, InvalidInput."""
    defect = next((defect for defect in rules.check_address(address) if defect.stops), None)
    if defect:
        raise InvalidInput(defect.field, defect.message, defect.fix)
    before = translate.residence_fields(account.client.residence)
    after = {name: str(address.get(name) or "").strip() for name in translate.ADDRESS_FIELDS}
    return _request(account=account, kind=CaseKind.ADDRESS, before=before, after=after, intent=intent, by=by)


@transaction.atomic
def _request(
    *,
    account: Account,
    kind: CaseKind,
    before: Mapping[str, str],
    after: Mapping[str, str],
    intent: uuid.UUID,
    by: User,
) -> MaintenanceRequest:
    if not may(by, "clients.maintain"):
        raise NotPermitted("Only advisors, operations and principals may change what exists at IBKR.")
    Account.objects.select_for_update().get(pk=account.pk)
    repeated: MaintenanceRequest | None = MaintenanceRequest.objects.filter(intent=intent).first()
    if repeated is not None:
        if (repeated.requested_by_id, repeated.account_id, repeated.kind) != (by.pk, account.pk, kind):
            raise Conflict("This form was sent before, for something else. Open it again.")
        return repeated
    if not account.is_open:
        raise Conflict(f"IBKR changes open accounts only; {account.number} is not open.")
    if before == after or (kind == CaseKind.ADDRESS and translate.is_same_address(before, after)):
        raise InvalidInput(
            "street1" if kind == CaseKind.ADDRESS else "alias", "Nothing would change.", "Write the new value."
        )
    if (
        MaintenanceRequest.objects.waiting()
        .filter(account__client=account.client_id, kind=kind, account=account)
        .exists()
    ):
        # A newer request replaces a pending one at IBKR without saying so (section 22, trap 23).
        raise Conflict(
            "The same change of this account is on its way. Wait until IBKR shows it, or it would be replaced unseen."
        )
    case = MaintenanceRequest(
        intent=intent, account=account, kind=kind, before_text=json.dumps(before), after_text=json.dumps(after),
        requested_by=by, requested_at=clock.now(),
    )  # fmt: skip
    case.save(force_insert=True)
    journal.submit(
        operation="clients.send_change",
        look="clients.look_for_change",
        subject=case,
        payload=_change(case),
        key_space="change",
        key=str(case.pk),
        lane="accounts",
        master=account.master,
        maker=by,
        facts=Facts("change", accounts=(account.number,)),
        summary=f"{case.get_kind_display()}, {account.number}",
    )
    return case


def _change(case: MaintenanceRequest) -> AliasChange | AddressChange:
    try:
        return translate.change_of(case)
    except ValueError as error:
        raise InvalidInput(
            "country", "IBKR has not told us yet who holds this account.", "Try again after the next reading."
        ) from error


def mark_taken(case: MaintenanceRequest, *, request_id: str) -> None:
    """IBKR took the change. `request_id` is what to ask about; empty when it took effect at once."""
    if case.status == CaseStatus.REQUESTED:
        CASE_LIFECYCLE.move(case, to=CaseStatus.AT_IBKR, because="IBKR took it", request_id=request_id)
        ring_on_commit("clients.poll_change", case.pk)


def mark_refused(case: MaintenanceRequest, words: str) -> None:
    """IBKR refused the change, at once or after its review."""
    if not case.is_final:
        CASE_LIFECYCLE.move(
            case, to=CaseStatus.REFUSED, because="IBKR refused it", words=words, doubt="", ended_at=clock.now()
        )


def mark_replaced(case: MaintenanceRequest, words: str) -> None:
    """IBKR removed the request because a newer one came, from us or from the client in the portal."""
    if not case.is_final:
        CASE_LIFECYCLE.move(
            case, to=CaseStatus.REPLACED, because="IBKR removed it", words=words, doubt="", ended_at=clock.now()
        )


@transaction.atomic
def record_look(case: MaintenanceRequest, *, shown: Mapping[str, str], word: str) -> None:
    """Write what IBKR's details show now; the case is done when that is what it asked for, and stays open otherwise."""
    now = clock.now()
    if case.is_final:
        return
    if not translate.is_shown(case, shown):
        doubt = (
            f"IBKR says {word}, but its details still show the old value. The case stays open."
            if word and word.upper() not in {"PENDING", ""}
            else "IBKR's details still show the old value."
        )
        MaintenanceRequest.objects.filter(pk=case.pk).update(checked_at=now, ibkr_word=word[:40], doubt=doubt)
        return
    CASE_LIFECYCLE.move(
        case,
        to=CaseStatus.SEEN,
        because="IBKR's details show it",
        checked_at=now,
        ibkr_word=word[:40],
        doubt="",
        ended_at=now,
    )
    if case.kind == CaseKind.ALIAS:
        account = Account.objects.select_for_update().get(pk=case.account_id)
        before, account.alias = audit.digest(account), case.after["alias"]
        account.save(update_fields=["alias"])
        audit.record("clients.take_alias", by=None, on=account, summary="Alias as IBKR shows it now", before=before,
                     case=str(case.pk))  # fmt: skip
    else:
        client = case.account.client
        before = audit.digest(client)
        client.residence = translate.residence_text(case.after)
        client.country = case.after["country"]
        client.save(update_fields=["residence", "country"])
        audit.record("clients.take_address", by=None, on=client, summary="Address as IBKR shows it now", before=before,
                     case=str(case.pk))  # fmt: skip
