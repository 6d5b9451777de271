"""What an account may trade and what it takes part in: permissions, margin, capabilities, LITE, SYEP, DRIP, fees, market data."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from backoffice.sandbox import business, documents, enumerations, rules
from backoffice.sandbox.clock import NEW_YORK, moment, stamp

from .base import DONE, Accepted, Operation, Outcome, Subject, ages, at_once, before_five, one_business_day
from .papers import file, papers

MARGIN_LEVELS = {"cash": 0, "margin": 1, "regt": 1, "portfoliomargin": 2}
MARGIN_NAMES = {"margin": "Margin", "regt": "RegT", "portfoliomargin": "PortfolioMargin"}
LEAST_EQUITY = {1: Decimal(2000), 2: Decimal(110_000)}
QUARTER = timedelta(days=90)
LITE_LIMIT = (
    "Request cannot be processed. You have exceeded the limit of three subscription changes per 90-day period."
    " Please wait 90 days from your first change request before resubmitting."
)
WAITS_FOR_CLIENT = "Waiting for the client's acknowledgement"


def bundle(permission: dict[str, Any]) -> str:
    """The name of a trading permission: its exchange group, or country and product."""
    return permission.get("exchangeGroup") or f"{permission.get('country')} {permission.get('product')}"


def product_of(name: str) -> str:
    """The product a bundle belongs to; exchange groups that are not listed are shares."""
    for row in enumerations.facts()["exchange-bundles"]:
        if row["exchangeGroup"] == name:
            return str(row["product"])
    products = sorted(rules.PRODUCTS, key=len, reverse=True)
    return next((product for product in products if name.endswith(f" {product}")), "STOCKS")


def has_product(subject: Subject, *products: str) -> bool:
    return any(product_of(name) in products for name in subject.account.permissions)


def _asked(subject: Subject) -> tuple[list[str], list[str]]:
    """Bundles asked for, and what is wrong with the request."""
    permissions = subject.operation.get("tradingPermissions", [])
    if not permissions:
        return [], ["Trading Permissions are missing."]
    groups = {row["exchangeGroup"] for row in enumerations.facts()["exchange-bundles"]}
    pairs = {(row["country"], row["product"]) for row in enumerations.facts()["product-country-bundles"]}
    found = []
    for permission in permissions:
        group, pair = permission.get("exchangeGroup"), (permission.get("country"), permission.get("product"))
        if group is not None and group not in groups:
            found.append(f"Unsupported value. Property:'exchangeGroup', value:'{group}'")
        elif group is None and None in pair:
            found.append("Trading Permissions need an exchangeGroup, or a country and a product.")
        elif group is None and pair not in pairs:
            found.append(f"Unsupported value. Property:'product', value:'{pair[1]}'")
    return [bundle(permission) for permission in permissions], found


def _add(subject: Subject) -> list[str] | Accepted:
    """A new region of a product the account has is immediate; a new product takes a business day."""
    wanted, found = _asked(subject)
    held = set(subject.account.permissions)
    found += [f"Account {subject.number} has the trading permission {name} already" for name in wanted if name in held]
    if submission := subject.operation.get("documentSubmission"):
        found += papers(subject, submission.get("documents", []))
    if found:
        return found
    products = {product_of(name) for name in held}
    is_region = all(product_of(name) in products for name in wanted)
    return Accepted(subject.now, {"bundles": wanted}) if is_region else one_business_day(subject, bundles=wanted)


def _added(subject: Subject, note: dict[str, Any]) -> Outcome:
    held = subject.account.permissions
    subject.update(permissions=[*held, *(name for name in note["bundles"] if name not in held)])
    file(subject, subject.operation.get("documentSubmission", {}).get("documents", []))
    if "optionLevel" in subject.operation:
        subject.set_trait("option level", subject.operation["optionLevel"])
    return DONE


def _remove(subject: Subject) -> list[str] | Accepted:
    permissions = subject.operation.get("tradingPermissions", [])
    if not permissions:
        return ["Trading Permissions are missing."]
    wanted, held = [bundle(permission) for permission in permissions], set(subject.account.permissions)
    found = [
        f"Account {subject.number} does not have the trading permission {name}" for name in wanted if name not in held
    ]
    return found or Accepted(before_five(subject).due, {"bundles": wanted})


def _removed(subject: Subject, note: dict[str, Any]) -> Outcome:
    subject.update(permissions=[name for name in subject.account.permissions if name not in note["bundles"]])
    return DONE


def _margin(subject: Subject) -> list[str] | Accepted:
    """Upwards only: Cash, Margin (RegT), PortfolioMargin; by age, country, equity in USD and option permission."""
    wanted = str(subject.operation.get("newMargin", "")).lower()
    if wanted not in MARGIN_NAMES or subject.operation["newMargin"] not in {*MARGIN_NAMES.values(), wanted.upper()}:
        return [f"Unsupported value. Property:'newMargin', value:'{subject.operation.get('newMargin')}'"]
    level = MARGIN_LEVELS[wanted]
    if level <= MARGIN_LEVELS.get(subject.account.margin.lower(), 0):
        return [f"Margin of account {subject.number} can only be upgraded"]
    found: list[str] = []
    if any(age < 21 for age in ages(subject)):
        found.append("Only Cash accounts are available to applicants younger than 21")
    if subject.account.country == "AUS":
        found.append("Only Cash accounts are available to residents of Australia")
    if subject.net_liquidation("USD") < LEAST_EQUITY[level]:
        found.append(f"Net liquidation value must be at least USD {LEAST_EQUITY[level]:,}")
    if level == 2 and not has_product(subject, "OPTIONS", "STOCK OPTIONS"):
        found.append("Portfolio margin needs permission to trade options")
    if submission := subject.operation.get("documentSubmission"):
        found += papers(subject, submission.get("documents", []))
    return found or one_business_day(subject, margin=MARGIN_NAMES[wanted])


def _margin_changed(subject: Subject, note: dict[str, Any]) -> Outcome:
    subject.update(margin=note["margin"])
    file(subject, subject.operation.get("documentSubmission", {}).get("documents", []))
    return DONE


def _clp(subject: Subject) -> list[str] | Accepted:
    """Form 4155 must come with it or have been submitted; broker clients need two years of stocks and options or futures."""
    handed_in = subject.operation.get("documents", [])
    on_file = documents.is_on_file(subject.sandbox, subject.number, 4155)
    found = papers(subject, handed_in)
    if not on_file and 4155 not in {document.get("formNumber") for document in handed_in}:
        found.append("Form 4155 must be signed before complex or leveraged products can be added")
    if subject.master.kind == "FD":
        years = {
            row["assetClass"]: row.get("yearsTrading", 0)
            for row in subject.trait("financial", {}).get("investmentExperience", [])
        }
        if years.get("STK", 0) < 2 or max(years.get("OPT", 0), years.get("FUT", 0)) < 2:
            found.append("Complex or leveraged products need 2 years of experience in stocks and in options or futures")
    return _capability_mistakes(subject, "CLP", found)


def _capability_mistakes(subject: Subject, name: str, found: list[str]) -> list[str] | Accepted:
    if name in subject.trait("capabilities", []):
        found.append(f"Account {subject.number} has the capability {name} already")
    return found or one_business_day(subject, capability=name)


def _lev_fx(subject: Subject) -> list[str] | Accepted:
    return _capability_mistakes(subject, "LEVFX", [])


def _capability_added(subject: Subject, note: dict[str, Any]) -> Outcome:
    subject.set_trait("capabilities", [*subject.trait("capabilities", []), note["capability"]])
    file(subject, subject.operation.get("documents", []))
    return DONE


def _accredited(subject: Subject) -> list[str] | Accepted:
    operation, worth = subject.operation, subject.trait("financial", {}).get("netWorth", 0)
    names = set().union(*(documents.signatures(person) for person in subject.persons()))
    signed = operation.get("signedBy") or ([operation["signature"]] if operation.get("signature") else [])
    found = [] if signed and set(signed) <= names else ["Signature not accepted."]
    if operation.get("status") and worth < 1_000_000:
        found.append("Accredited investors need a net worth of at least 1,000,000")
    for member, label in (
        ("qualifiedPurchaser", "Qualified purchasers"),
        ("eligibleContractParticipant", "Eligible contract participants"),
    ):
        if operation.get(member, {}).get("status") and worth <= 5_000_000:
            found.append(f"{label} need a net worth above 5,000,000")
    return found or at_once(subject)


def _accredited_set(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.set_trait("accredited investor", {k: v for k, v in subject.operation.items() if k != "accountId"})
    return DONE


def _configuration(subject: Subject) -> list[str] | Accepted:
    """LITE or PRO: before 15:00 in New York done at about 17:00, else the next business day; three switches in 90 days."""
    if subject.operation.get("type") != "LiteExecution":
        return [f"Unsupported value. Property:'type', value:'{subject.operation.get('type')}'"]
    if "value" not in subject.operation:
        return ["value is missing"]
    switches = [at for at in subject.trait("lite switches", []) if moment(at) + QUARTER > subject.now]
    if len(switches) >= 3:
        return [LITE_LIMIT]
    if subject.trait("lite", False) == subject.operation["value"]:
        return [f"Account {subject.number} has this configuration already"]
    subject.set_trait("lite switches", [*switches, stamp(subject.now)])
    return Accepted(business.same_day_before(subject.now, time(15), time(17)))


def _configured(subject: Subject, _note: dict[str, Any]) -> Outcome:
    subject.set_trait("lite", subject.operation["value"])
    return DONE


def _program(subject: Subject, name: str) -> dict[str, Any]:
    found: dict[str, Any] = subject.trait(name, {"enrolled": False, "left": None})
    return found


def _enroll_syep(subject: Subject) -> list[str] | Accepted:
    held = _program(subject, "syep")
    if held["enrolled"]:
        return [f"Account {subject.number} takes part in the Stock Yield Enhancement Program already"]
    if held["left"] is not None and moment(held["left"]) + QUARTER > subject.now:
        return ["Accounts that left the Stock Yield Enhancement Program may enroll again after 90 days"]
    return papers(subject, subject.operation.get("documents", [])) or before_five(subject)


def _leave_syep(subject: Subject) -> list[str] | Accepted:
    if not _program(subject, "syep")["enrolled"]:
        return [f"Account {subject.number} does not take part in the Stock Yield Enhancement Program"]
    return before_five(subject)


def _syep(subject: Subject, is_in: bool) -> Outcome:
    subject.set_trait("syep", {"enrolled": is_in, "left": None if is_in else stamp(subject.now)})
    file(subject, subject.operation.get("documents", []))
    return DONE


def _drip(is_in: bool, subject: Subject) -> list[str] | Accepted:
    if _program(subject, "drip")["enrolled"] == is_in:
        return [f"Account {subject.number} {'takes' if is_in else 'does not take'} part in dividend reinvestment"]
    return at_once(subject)


def _drip_set(is_in: bool, subject: Subject) -> Outcome:
    subject.set_trait("drip", {"enrolled": is_in, "left": None})
    return DONE


def _fee_template(subject: Subject) -> list[str] | Accepted:
    """Broker clients: before 17:00 the same day. Advisor clients: more, or another type, waits for the client; less does not."""
    name = subject.operation.get("templateName")
    wanted = rules.FEE_TEMPLATES.get(name or "")
    if wanted is None:
        return [f"Fee template called [{name}] not found for master [{subject.master.account}]"]
    if subject.account.fees.get("template") == name:
        return [f"Fee template called [{name}] is applied to account {subject.number} already"]
    if subject.master.kind != "FA":
        return before_five(subject)
    held = rules.FEE_TEMPLATES.get(str(subject.account.fees.get("template", "")))
    if held is not None and held[0] == wanted[0] and wanted[1] <= held[1]:
        return at_once(subject)
    return Accepted(None, {"waits_for": "client"}, WAITS_FOR_CLIENT)


def _fee_template_applied(subject: Subject, _note: dict[str, Any]) -> Outcome:
    """In force from midnight of the next business day."""
    effective = business.business_days_later(subject.now, 1, business.MIDNIGHT)
    subject.update(fees={"template": subject.operation["templateName"], "effectiveDate": _day(effective)})
    return DONE


def _day(when: datetime) -> str:
    return when.astimezone(NEW_YORK).date().isoformat()


def acknowledged(now: datetime) -> datetime:
    """When a fee template takes effect that the client has acknowledged now: the same day before 17:45 in New York."""
    return business.same_day_before(now, time(17, 45), time(0))


def _market_data(subject: Subject) -> list[str] | Accepted:
    services = subject.operation.get("service", [])
    known = {row["value"] for row in enumerations.facts()["market-data"]}
    held = set(subject.trait("market data", []))
    if not services:
        return ["service is missing"]
    found = [f"Market data service {row.get('value')} is unknown" for row in services if row.get("value") not in known]
    for row in services:
        if row.get("action") not in ("ADD", "REMOVE"):
            found.append("action is missing")
        elif row.get("value") in known and (row["value"] in held) == (row["action"] == "ADD"):
            found.append(
                f"Market data service {row['value']} is {'already' if row['action'] == 'ADD' else 'not'} subscribed"
            )
    return found or at_once(subject)


def _market_data_set(subject: Subject, _note: dict[str, Any]) -> Outcome:
    held = set(subject.trait("market data", []))
    for row in subject.operation["service"]:
        held = held | {row["value"]} if row["action"] == "ADD" else held - {row["value"]}
    subject.set_trait("market data", sorted(held))
    return DONE


OPERATIONS = {
    "addTradingPermissions": Operation(_add, _added, callback="ADD_TRADING"),
    "removeTradingPermissions": Operation(_remove, _removed, callback="REMOVE_TRADING"),
    "changeMarginType": Operation(_margin, _margin_changed, callback="CHANGE_MARGIN"),
    "addCLPCapability": Operation(_clp, _capability_added, callback="ADD_CLP"),
    "addLevFxCapability": Operation(_lev_fx, _capability_added, callback="ADD_LEVFX"),
    "accreditedInvestor": Operation(_accredited, _accredited_set),
    "accountConfiguration": Operation(_configuration, _configured),
    "enrollInSyep": Operation(_enroll_syep, lambda subject, _note: _syep(subject, is_in=True)),
    "leaveSyep": Operation(_leave_syep, lambda subject, _note: _syep(subject, is_in=False)),
    "enrollInDrip": Operation(lambda subject: _drip(True, subject), lambda subject, _note: _drip_set(True, subject)),
    "leaveDrip": Operation(lambda subject: _drip(False, subject), lambda subject, _note: _drip_set(False, subject)),
    "applyFeeTemplate": Operation(_fee_template, _fee_template_applied),
    "manageMarketDataSubscriptions": Operation(_market_data, _market_data_set),
}
