"""IBKR's words and ours: a draft as a request, IBKR's states as stages, IBKR's sentences to the fields they are about."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from backoffice.ibkr.types.accounts import AdvisorWrapFees, HybridIndividualApplication, NewAccount, TradingPermission
from backoffice.ibkr.types.changes import AddressChange, AliasChange
from backoffice.ibkr.types.people import Address, Identification, PersonName, Phone, TaxResidency
from clients.models import AccountTask, Application, ApplicationStatus, CaseKind, MaintenanceRequest, Stage
from clients.rules import checks, facts

ADDRESS_FIELDS = ("country", "street1", "street2", "city", "postal_code", "state")

# Statuses after which an application has ended (account-management.md 9.1); an unseen letter leaves our status alone.
END_OF_STATUS = {
    "O": ApplicationStatus.OPENED,
    "R": ApplicationStatus.REJECTED,
    "A": ApplicationStatus.ABANDONED,
}
_STAGE_OF_STATE = {
    "incomplete application": Stage.CLIENT,
    "documents required": Stage.DOCUMENTS,
    "under review with ibkr": Stage.REVIEW,
    "pending approval": Stage.REVIEW,
}
_STAGE_OF_STATUS = {
    ApplicationStatus.DRAFT: Stage.DRAFT,
    ApplicationStatus.REFUSED: Stage.REJECTED,
    ApplicationStatus.OPENED: Stage.OPEN,
    ApplicationStatus.REJECTED: Stage.REJECTED,
    ApplicationStatus.ABANDONED: Stage.REJECTED,
}

# Which field IBKR's sentence of refusal is about; the first that fits. What fits none is shown above the form.
_FIELD_OF_SENTENCE = (
    (r"e-?mail", "email"),
    (r"prefix|username", "prefix"),
    (r"last name|name last", "last_name"),
    (r"name middle", "middle_name"),
    (r"\bname\b", "first_name"),
    (r"at least 18|date of birth", "date_of_birth"),
    (r"country ?of ?birth", "country_of_birth"),
    (r"citizenship|indicia", "citizenship"),
    (r"mobile|phone", "phone"),
    (r"po box|street", "street1"),
    (r"postal", "postal_code"),
    (r"\bcity\b", "city"),
    (r"\bstate\b", "state"),
    (r"ssn|tax|\btin\b", "tax_number"),
    (r"base currency", "base_currency"),
    (r"cash accounts|margin", "margin"),
    (r"alias", "alias"),
    (r"permission", "permissions"),
    (r"country|resident|ib entity|under ibllc", "country"),
)

_NOT_ASCII = re.compile(r"non[ -]?ascii", re.IGNORECASE)

_PRIVATE = frozenset(
    {"email", "number", "dateOfBirth", "street1", "street2", "tin", "city", "postalCode", "ssn", "taxId", "passport"}
)


def request_of(application: Application) -> HybridIndividualApplication:
    """Return what would be sent for a draft. Call it on a draft without defects that stop it; raises ValueError else.

    Customer, holder, account and user share our one external id; inside an application that is allowed (section 6.1).
    """
    draft, key = application.draft, application.external_id
    number = checks.parse_phone(_text(draft, "phone"), _text(draft, "country"))
    tax_country, tax_number = _text(draft, "tax_country"), checks.plain_tax_number(_text(draft, "tax_number"))
    citizenship = _text(draft, "citizenship")
    return HybridIndividualApplication(
        external_id=key,
        prefix=_text(draft, "prefix"),
        name=PersonName.model_validate(
            {
                "first": _text(draft, "first_name"),
                "middle": _text(draft, "middle_name") or None,
                "last": _text(draft, "last_name"),
                "salutation": _text(draft, "salutation") or None,
            }
        ),
        email=_text(draft, "email"),
        date_of_birth=date.fromisoformat(_text(draft, "date_of_birth")),
        country_of_birth=_text(draft, "country_of_birth") or None,
        residence_address=address_of(draft),
        same_mail_address=True,
        phones=(Phone(type="Mobile", number=number[0], country=_alpha_3(number[1], draft)),) if number else (),
        identification=Identification(citizenship=citizenship) if citizenship else None,
        tax_residencies=_tax_residencies(tax_country, tax_number),
        md_status_non_pro=not draft.get("is_professional"),
        accounts=(
            NewAccount.model_validate(
                {
                    "external_id": key,
                    "base_currency": _text(draft, "base_currency"),
                    "margin": _text(draft, "margin"),
                    "alias": _text(draft, "alias") or None,
                    "trading_permissions": tuple(
                        TradingPermission(exchange_group=group) for group in draft.get("permissions") or []
                    ),
                    "advisor_wrap_fees": AdvisorWrapFees(strategy="NO_FEE")
                    if application.master.kind == "FA"
                    else None,
                }
            ),
        ),
    )


def _text(draft: Mapping[str, Any], name: str) -> str:
    return str(draft.get(name) or "").strip()


def _alpha_3(alpha_2: str, draft: Mapping[str, Any]) -> str:
    return next((code for code, _ in facts.countries() if facts.alpha_2(code) == alpha_2), _text(draft, "country"))


def _tax_residencies(country: str, number: str) -> tuple[TaxResidency, ...]:
    if not country:
        return ()
    if not number:
        return (TaxResidency(country=country),)
    return (TaxResidency(country=country, tin=number, tin_type="SSN" if country == "USA" else "NonUS_NationalId"),)


def address_of(values: Mapping[str, Any]) -> Address:
    """Return an address typed into our fields, as IBKR takes it."""
    return Address(
        country=_text(values, "country"),
        street1=_text(values, "street1") or None,
        street2=_text(values, "street2") or None,
        city=_text(values, "city") or None,
        postal_code=_text(values, "postal_code") or None,
        state=_text(values, "state") or None,
    )


def masked(payload: Any, name: str = "") -> Any:
    """Return a payload for the eye: personal values keep their first or last signs only."""
    if isinstance(payload, Mapping):
        return {key: masked(value, key) for key, value in payload.items()}
    if isinstance(payload, list | tuple):
        return [masked(value, name) for value in payload]
    if name in _PRIVATE and payload:
        return mask(str(payload), name)
    return payload


def mask(value: str, name: str = "") -> str:
    """Hide a personal value: an e-mail keeps its domain, a date its year, anything else its last three signs."""
    if "@" in value:
        return f"\u2022\u2022\u2022\u2022@{value.partition('@')[2]}"
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return f"{value[:4]}-\u2022\u2022-\u2022\u2022"
    return "\u2022" * 6 + (value[-3:] if len(value) > 5 else "")


def pretty(payload: Any) -> str:
    """Return a payload as indented JSON, for reading."""
    return json.dumps(payload, indent=2, ensure_ascii=False, default=str)


def stage_of(application: Application, tasks: Iterable[AccountTask]) -> Stage:
    """Return the lane an application stands in."""
    if application.status != ApplicationStatus.SUBMITTED:
        return _STAGE_OF_STATUS[ApplicationStatus(application.status)]
    if application.account_id is None:
        return Stage.SUBMITTED
    stage = _STAGE_OF_STATE.get(application.ibkr_state.lower(), Stage.SUBMITTED)
    if stage == Stage.DOCUMENTS:
        waiting = [task for task in tasks if not task.is_completed and task.is_required_for_approval is not False]
        if waiting and all(task.is_at_ibkr for task in waiting):
            return Stage.REVIEW
        if waiting and all(task.is_online for task in waiting if not task.is_at_ibkr):
            return Stage.CLIENT
    return stage


def field_of_sentence(sentence: str) -> str:
    """Return the field IBKR's sentence is about, or "" when it fits none."""
    lowered = sentence.lower()
    return next((field for pattern, field in _FIELD_OF_SENTENCE if re.search(pattern, lowered)), "")


def refusals_of(sentences: Iterable[str], draft: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return IBKR's sentences with the fields they are about; one about letters stands at every field that has such."""
    found = []
    for text in sentences:
        fields = [field_of_sentence(text)]
        if _NOT_ASCII.search(text):
            fields = [name for name, value in draft.items() if isinstance(value, str) and not value.isascii()] or fields
        found += [{"field": field, "words": text} for field in fields]
    return found


def residence_fields(stored: str) -> dict[str, str]:
    """Return a stored residence (JSON with IBKR's member names) by our field names."""
    members = json.loads(stored) if stored else {}
    return {name: str(members.get("postalCode" if name == "postal_code" else name) or "") for name in ADDRESS_FIELDS}


def residence_text(values: Mapping[str, Any]) -> str:
    """Return an address by our field names as the JSON that is stored."""
    named = {"postalCode" if name == "postal_code" else name: _text(values, name) for name in ADDRESS_FIELDS}
    return json.dumps({name: value for name, value in named.items() if value})


def change_of(case: MaintenanceRequest) -> AliasChange | AddressChange:
    """Return a maintenance case as the one PATCH operation it is. Raises ValueError when IBKR could not take it."""
    after = case.after
    if case.kind == CaseKind.ALIAS:
        return AliasChange(account_id=case.account.number, account_alias=after["alias"])
    account = case.account
    return AddressChange(
        account_id=account.number,
        entity_id=account.holder_entity_id or None,
        external_id=None if account.holder_entity_id else account.holder_external_id or None,
        residence_address=address_of(after),
        same_mail_address=True,
    )


def is_shown(case: MaintenanceRequest, shown: Mapping[str, str]) -> bool:
    """Tell whether what IBKR's details show (by our field names) is what the case asks for. An address may come back
    spaced or capitalised otherwise; an alias must be the same.
    """
    wanted = case.after
    plain = _plain if case.kind == CaseKind.ADDRESS else str.strip
    return all(plain(wanted.get(name, "")) == plain(shown.get(name, "")) for name in wanted)


def is_same_address(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(_plain(one.get(name, "")) == _plain(other.get(name, "")) for name in ADDRESS_FIELDS)


def _plain(value: str) -> str:
    return " ".join(value.split()).casefold()


def address_words(values: Mapping[str, Any]) -> str:
    """Return an address in one line."""
    place = " ".join(_text(values, name) for name in ("postal_code", "city") if _text(values, name))
    parts = [_text(values, "street1"), _text(values, "street2"), place, _text(values, "state")]
    return ", ".join([part for part in parts if part] + [facts.country_name(_text(values, "country"))])
