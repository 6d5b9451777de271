"""The facts' sample applications (sample-payloads.json): our types take each of them and write it back as it was."""

import json
from decimal import Decimal
from typing import Any

from backoffice.ibkr.coverage import ROOT
from backoffice.ibkr.types.applications import (
    IndividualApplication,
    IsaApplication,
    JointApplication,
    OrganizationApplication,
    Registration,
    RetirementApplication,
    TrustApplication,
)
from backoffice.ibkr.wire import encode

SAMPLES = ROOT.parent / "shared" / "ibkr" / "data" / "sample-payloads.json"
TYPES: dict[str, type[Registration]] = {
    "JOINT": JointApplication, "ORG": OrganizationApplication, "TRUST": TrustApplication, "ISA": IsaApplication,
    "RO": RetirementApplication, "INDIVIDUAL": IndividualApplication,
}  # fmt: skip
ARRAYS_OF_ONE = (
    "financialInformation", "regulatoryInformation", "accountHolderDetails", "firstHolderDetails", "secondHolderDetails",
    "identifications", "identification",
)  # fmt: skip
OTHER_BROKERS = {"app_qi_no_trading"}  # they need less than the full route demands here


def read(sample: dict[str, Any], route: str) -> Registration:
    """Return the sample as a request of ours, without its documents, whose files we keep in another form."""
    application = json.loads(json.dumps(sample))
    customer = application.pop("customer")
    kind = TYPES[application["accounts"][0].get("iraType") or customer.pop("type")]
    customer.pop("type", None)
    node = customer.pop(kind.node_name)
    for name in ARRAYS_OF_ONE:
        if name in node:
            (node[name],) = node[name]
    if "associatedEntities" in node:
        node["associatedEntities"] = node["associatedEntities"]["associatedIndividuals"]
    application.pop("documents", None)
    return kind.model_validate({**customer, **application, kind.node_name: node, "route": route})


def test_each_sample_is_taken_by_its_route_and_written_back_as_it_was() -> None:
    if not SAMPLES.is_file():
        return  # the samples are no part of the repository
    samples = json.loads(SAMPLES.read_text(encoding="utf-8"))["data"]["samples"]
    applications = [each for each in samples if each["id"].startswith("app_")]

    for each in applications:
        expected = each["payload"]["application"]
        route = "hybrid" if each["id"] in OTHER_BROKERS else each["route"]

        written = json.loads(encode(read(expected, route).wire_members()), parse_float=Decimal)["application"]

        expected.pop("documents", None)
        for holder in expected["customer"].get("accountHolder", {}).get("accountHolderDetails", []):
            holder.setdefault("titles", [{"code": "Account Holder"}])  # one sample is without; we always say it
        assert written == expected, each["id"]
    assert len(applications) == 9
