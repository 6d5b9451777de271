"""Changes of an account's own data and of the persons behind it."""

import re
import secrets
from datetime import timedelta
from typing import Any

from backoffice.sandbox import business, documents, enumerations, finances, login_messages, mail, persons, review, rules
from backoffice.sandbox import tax as tax_rules
from backoffice.sandbox.accounts import Person
from backoffice.sandbox.clock import stamp

from .base import (
    ANY_STATUS,
    DONE,
    Accepted,
    Operation,
    Outcome,
    Subject,
    ages,
    at_once,
    new_york_day,
    one_business_day,
)
from .papers import file, papers

MIFIR_TITLES = frozenset({"ACCOUNT HOLDER", "FIRST HOLDER", "SECOND HOLDER"})
KNOWLEDGE = ("None", "Limited", "Good", "Extensive")
BCAN = re.compile(r"^[1-9]\d{2,9}$")
CE_NUMBER = re.compile(r"^[A-Za-z0-9]{6}$")
PERSONAL = {
    "mailingAddress": "mailing", "name": "name", "phones": "phones", "email": "email", "employmentType": "employment",
    "maritalStatus": "marital_status",
}  # fmt: skip
TAX_RELEVANT = frozenset({"name", "residenceAddress", "mailingAddress", "identification", "taxResidencies"})


def _alias(subject: Subject) -> list[str] | Accepted:
    alias = subject.operation.get("accountAlias")
    if alias is None:
        return ["Account alias is missing."]
    return ["Account alias exceeds 80 characters"] if len(alias) > 80 else at_once(subject)


def _aliased(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.update(alias=subject.operation["accountAlias"])
    return DONE


def _property(subject: Subject) -> list[str] | Accepted:
    return at_once(subject) if subject.operation.get("propertyProfile") else ["propertyProfile is missing"]


def _property_set(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.set_trait("property profile", subject.operation["propertyProfile"])
    return DONE


def _base_currency(subject: Subject) -> list[str] | Accepted:
    """In force from the start of the next business day."""
    wanted = subject.operation.get("newBaseCurrency")
    if wanted not in rules.CURRENCIES or wanted == subject.account.base_currency:
        return ["Account base currency is either missing or is invalid."]
    return Accepted(business.business_days_later(subject.now, 1, business.MIDNIGHT))


def _base_currency_set(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.update(base_currency=subject.operation["newBaseCurrency"])
    return DONE


def _holder(subject: Subject) -> list[str] | Accepted:
    """Open accounts, and pending ones while the verification task 9974 is assigned. Reviewed for `maintenance_seconds`."""
    has_task = any(
        t.form_number == 9974 and t.completed_at is None for t in review.tasks(subject.sandbox, subject.number)
    )
    if not subject.account.is_open and not (subject.account.status in ("N", "P") and has_task):
        return [f"Account {subject.number} is not open"]
    changes = subject.operation.get("newAccountHolderDetails", [])
    if not changes:
        return ["newAccountHolderDetails is missing"]
    if subject.trait("customer type", "INDIVIDUAL") not in ("INDIVIDUAL", "JOINT", "IRA"):
        return ["Account holder details can be changed for individual and joint accounts only"]
    found: list[str] = []
    for change in changes:
        person = subject.person(change.get("id"), change.get("externalId"))
        if person is None or (change.get("id") is None and change.get("externalId") is None):
            found.append("Account holder is not known: provide id or externalId of the individual")
        else:
            found += _personal_mistakes(subject, person, change)
    if not found and (submission := subject.operation.get("documents")):
        found = papers(subject, submission.get("documents", []))
    if found:
        return found
    subject.sandbox.store.execute(
        "UPDATE am_requests SET status = 'REMOVED', message = 'Replaced by a newer request', due_at = NULL"
        " WHERE account = ? AND kind = 'changeAccountHolderDetail' AND status = 'PENDING' AND id <> ?",
        subject.number, subject.request_id,
    )  # fmt: skip
    return Accepted(subject.now + timedelta(seconds=int(subject.sandbox.config.get("maintenance_seconds", 45))))


def _personal_mistakes(subject: Subject, person: Person, change: dict[str, Any]) -> list[str]:
    found: list[str] = []
    today = rules.day(new_york_day(subject))
    for member, kind in (("residenceAddress", "Residence"), ("mailingAddress", "Mailing")):
        if member in change:
            found += rules.address(change[member], kind, person.external_id)
    if "name" in change:
        found += rules.name(change["name"])
    if "phones" in change:
        found += rules.phones(change["phones"])
    if "email" in change:
        found += rules.email(change["email"], subject.master.email)
    if "identification" in change and today is not None:
        home = change.get("residenceAddress", person.residence)
        found += persons.identification({**change, "residenceAddress": home}, today)
    return found


def _holder_changed(subject: Subject, _note: dict[str, Any]) -> Outcome:
    """A new name, address, citizenship or tax country asks for a new tax form, unless one came with it."""
    changes = subject.operation["newAccountHolderDetails"]
    if any(
        subject.sandbox.is_magic(change.get("residenceAddress", {}).get("street1", ""), "reject") for change in changes
    ):
        return Outcome("The new address could not be verified")
    for change in changes:
        person = subject.person(change.get("id"), change.get("externalId"))
        if person is None:
            continue
        _apply_change(subject, person, change)
        if TAX_RELEVANT & change.keys() and not ({"w8Ben", "w9"} & change.keys()):
            country = change.get("residenceAddress", person.residence).get("country")
            review.ask_for_tax_form(subject.sandbox, subject.number, country == "USA", person)
    for task in review.tasks(subject.sandbox, subject.number):
        if task.form_number == 9974 and task.completed_at is None:
            review.judge_task(subject.sandbox, task)
    file(subject, subject.operation.get("documents", {}).get("documents", []))
    return DONE


def _apply_change(subject: Subject, person: Person, change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {}
    if "residenceAddress" in change:
        fields["residence"] = change["residenceAddress"]
        if change.get("sameMailAddress"):
            fields["mailing"] = change["residenceAddress"]
    fields.update({column: change[member] for member, column in PERSONAL.items() if member in change})
    if change.get("identification", {}).get("citizenship"):
        fields["citizenship"] = change["identification"]["citizenship"]
    if fields:
        subject.sandbox.accounts.update_person(person.entity_id, **fields)
    if "residence" in fields:
        subject.update(country=fields["residence"]["country"])
    if "name" in fields and len(subject.persons()) == 1:
        subject.update(title=subject.persons()[0].full_name)


def _financial(subject: Subject) -> list[str] | Accepted:
    new, old = subject.operation.get("newFinancialInformation"), subject.trait("financial", {})
    if not new:
        return ["Financial information is missing."]
    person = next(iter(subject.persons()), None)
    merged = {**old, **new}
    found: list[str] = []
    if old or "netWorth" in new:
        found += finances.whole([merged], person.employment if person else None, subject.account.base_currency)
    held = {item["assetClass"]: item for item in old.get("investmentExperience", [])}
    found += finances.experience(new.get("investmentExperience", []), next(iter(ages(subject)), None))
    for item in new.get("investmentExperience", []):
        before = held.get(item.get("assetClass"), {}).get("knowledgeLevel", "None")
        if item.get("knowledgeLevel") in KNOWLEDGE and KNOWLEDGE.index(item["knowledgeLevel"]) < KNOWLEDGE.index(
            before
        ):
            found.append(f"Knowledge level of asset class {item['assetClass']} cannot be lowered")
    return found or one_business_day(subject)


def _financial_changed(subject: Subject, _note: dict[str, Any]) -> Outcome:
    new, old = subject.operation["newFinancialInformation"], subject.trait("financial", {})
    held = {item["assetClass"]: item for item in old.get("investmentExperience", [])}
    held.update({item["assetClass"]: item for item in new.get("investmentExperience", [])})
    subject.set_trait("financial", {**old, **new, "investmentExperience": list(held.values())})
    if "investmentObjectives" in new:
        subject.update(objectives=new["investmentObjectives"])
    return DONE


def _mifir(subject: Subject) -> list[str] | Accepted:
    title, cards = subject.operation.get("title"), subject.operation.get("identifications", [])
    if title not in MIFIR_TITLES:
        return [f"Unsupported value. Property:'title', value:'{title}'"]
    if not cards:
        return ["identifications is missing"]
    found = [
        "Valid MIFIR Document Type for United Kingdom : National ID"
        for card in cards
        if "GBR" in (card.get("citizenship"), card.get("issuingCountry")) and not card.get("nationalCard")
    ]
    return found or at_once(subject)


def _mifir_added(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.set_trait("mifir", "COMPLETE")
    for number, _, _ in login_messages.waiting(subject.sandbox, subject.number, {"MIFIR_INFO"}):
        login_messages.complete(subject.sandbox, number)
    return DONE


def _credentials(subject: Subject) -> list[str] | Accepted:
    """An email change asks three times: without token, with the one mailed to the old address, with the one to the new."""
    if "updatePassword" in subject.operation:
        return ["Password updates are not enabled for this client"]
    wanted = subject.operation.get("updateEmail")
    if not wanted:
        return ["updateEmail is missing"]
    if not wanted.get("access"):
        return ["Users without access to their current email must change it in the portal"]
    found = rules.email(wanted.get("email"), subject.master.email)
    token, waiting = wanted.get("token"), subject.trait("email change")
    if found:
        return found
    if token is None:
        return Accepted(subject.now, {"step": "to old"})
    if waiting is None or waiting["email"] != wanted["email"]:
        return ["No change to this email address was requested"]
    if token != waiting["token"]:
        return ["The token is invalid"]
    return Accepted(subject.now, {"step": "to new" if waiting["step"] == "old" else "change"})


def _credentials_step(subject: Subject, note: dict[str, Any]) -> Outcome:
    email, token = subject.operation["updateEmail"]["email"], secrets.token_hex(8)
    text = (
        f"A change of the email address of {subject.account.username} to {email} was requested. Your token is {token}."
    )
    if note["step"] == "to old":
        mail.send(subject.sandbox, subject.account.email, "Confirm the change of your email address", text, token)
        subject.set_trait("email change", {"email": email, "token": token, "step": "old"})
    elif note["step"] == "to new":
        mail.send(subject.sandbox, email, "Confirm your new email address", text, token)
        subject.set_trait("email change", {"email": email, "token": token, "step": "new"})
    else:
        subject.set_trait("email change", None)
        if (person := next((p for p in subject.persons() if p.email == subject.account.email), None)) is not None:
            subject.sandbox.accounts.update_person(person.entity_id, email=email)
        subject.update(email=email)
    return DONE


def _tax_form(subject: Subject) -> list[str] | Accepted:
    operation = subject.operation
    person = subject.person(operation.get("entityId"), operation.get("externalId"))
    if person is None:
        return ["The individual is not known: provide entityId or externalId"]
    given = [name for name in ("w8Ben", "w8BenE", "w9", "localTaxForms") if operation.get(name)]
    if not given:
        return ["Provide one of w8Ben, w8BenE, w9 and localTaxForms"]
    found: list[str] = []
    if "w8Ben" in given:
        found += tax_rules.w8ben(operation["w8Ben"], person.name, None)
    if "w9" in given:
        found += tax_rules.w9(operation["w9"], person.name, None)
    form = 5001 if "w8Ben" in given else 5002 if "w9" in given else None
    handed_in = operation.get("documents", [])
    if form is not None and form not in {document.get("formNumber") for document in handed_in}:
        found.append(f"Form {form} is not attached")
    return found + papers(subject, handed_in) or at_once(subject)


def _tax_form_updated(subject: Subject, _note: dict[str, Any]) -> Outcome:
    """Completes the tax form's task, and the login message that asked for it."""
    operation = subject.operation
    kind = next(name for name in ("w8Ben", "w8BenE", "w9", "localTaxForms") if operation.get(name))
    subject.set_trait("tax form", {"kind": kind, "form": operation[kind], "at": stamp(subject.now)})
    file(subject, operation.get("documents", []))
    for task in review.tasks(subject.sandbox, subject.number):
        if task.form_number in documents.TAX_FORMS and task.completed_at is None:
            review.judge_task(subject.sandbox, task)
    for number, _, _ in login_messages.waiting(subject.sandbox, subject.number, {"W8INFO"}):
        login_messages.complete(subject.sandbox, number)
    return DONE


def _withholding(subject: Subject) -> list[str] | Accepted:
    if subject.master.kind in ("FA", "FD", "NonQI"):
        return [f"Withholding statements cannot be updated for clients of counterparty type {subject.master.kind}"]
    if subject.operation.get("effectiveDate") != new_york_day(subject):
        return ["effectiveDate must be today"]
    return at_once(subject)


def _withholding_set(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.set_trait(
        "withholding", {name: str(value) for name, value in subject.operation.items() if name != "accountId"}
    )
    return DONE


def _security_questions(subject: Subject) -> list[str] | Accepted:
    details = subject.operation.get("details", [])
    if not details:
        return ["details is missing"]
    known = {row["question"] for row in enumerations.facts()["security-questions"]}
    found = [
        f"Security question is unknown: {row.get('question')}" for row in details if row.get("question") not in known
    ]
    found += ["The answer to a security question is missing" for row in details if not row.get("answer")]
    return found or at_once(subject)


def _security_questions_set(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.set_trait("security questions", [row["question"] for row in subject.operation["details"]])
    return DONE


def _bcan(subject: Subject) -> list[str] | Accepted:
    found = []
    if not BCAN.match(str(subject.operation.get("bcan", ""))):
        found.append("bcan must have up to 10 digits, no leading 0, and be greater than 99")
    if not CE_NUMBER.match(str(subject.operation.get("ceNumber", ""))):
        found.append("ceNumber must have 6 letters and digits")
    return found or ["BCAN is for clients of non-disclosed brokers at IB-HK only"]


def never(_subject: Subject, _note: dict[str, Any]) -> Outcome:
    """Nothing gets this far: the check refuses every request."""
    return DONE


OPERATIONS = {
    "updateAccountAlias": Operation(_alias, _aliased),
    "updatePropertyProfile": Operation(_property, _property_set),
    "changeBaseCurrency": Operation(_base_currency, _base_currency_set),
    "changeAccountHolderDetail": Operation(_holder, _holder_changed, ANY_STATUS),
    "changeFinancialInformation": Operation(_financial, _financial_changed, callback="CHANGE_FIN_INFO"),
    "addMiFirData": Operation(_mifir, _mifir_added),
    "updateCredentials": Operation(_credentials, _credentials_step),
    "updateTaxForm": Operation(_tax_form, _tax_form_updated),
    "updateWithholdingStatement": Operation(_withholding, _withholding_set),
    "securityQuestions": Operation(_security_questions, _security_questions_set),
    "updateBcan": Operation(_bcan, never),
}
