"""Our client against each answer that IBKR leaves open on registration, sign-on and reports."""

from typing import Any

import pytest

from backoffice.ibkr import AuthFailed, Rejected
from backoffice.ibkr.diagnosis import Doing, Facts, explain
from backoffice.ibkr.types.accounts import HybridIndividualApplication, NewAccount
from backoffice.ibkr.types.funding import Withdrawal
from backoffice.ibkr.types.people import Address, PersonName
from tests.contract.conftest import CLIENT_ID, MASTER, USERNAME, Connected

MONTH = "202512"
WITHDRAWAL = Withdrawal(
    account_id="U1000011", currency="USD", amount="250.00", bank_instruction_name="Checking", bank_instruction_method="ACH"
)  # fmt: skip
APPLICATION = HybridIndividualApplication(
    external_id="open-1", prefix="demoex", name=PersonName(first="Demo", last="Examplewright"), email="demo.ex@example.com",
    residence_address=Address(country="USA"), accounts=(NewAccount(external_id="open-1", advisor_wrap_fees={"strategy": "NO_FEE"},
                                                                  base_currency="USD"),),
)  # fmt: skip
STRICT = {"nulls_refused": "everywhere", "signed_body_lifetime_seconds": 60, "ascii_after_decoding": True}


def test_whatever_we_sign_passes_the_strictest_reading(connected: Connected) -> None:
    connected.sandbox.config(**STRICT)
    key = next(connected.ids)

    assert connected.client.accounts.create(APPLICATION).account_id
    assert connected.client.funding.withdraw(WITHDRAWAL, key=key).instruction_id
    assert connected.client.sso.trading_session(USERNAME, ip="127.0.0.1", alternative_ips=["198.51.100.7"]).bearer
    assert connected.client.reports.statement("U1000011", MONTH, MONTH).content


@pytest.mark.parametrize("form", ["accept", "base64", "pdf"])
def test_a_statement_is_the_same_file_in_either_form(connected: Connected, form: str) -> None:
    connected.sandbox.config(statement_form=form)

    file = connected.client.reports.statement("U1000011", MONTH, MONTH)

    assert (file.mime_type, file.content[:5]) == ("application/pdf", b"%PDF-")


@pytest.mark.parametrize("status", [400, 402])
def test_a_statement_that_is_not_ready_is_refused_with_its_status(connected: Connected, status: int) -> None:
    connected.sandbox.config(no_data_status=status)

    with pytest.raises(Rejected) as caught:
        connected.client.reports.statement("U1000011", "209912", "209912")

    assert caught.value.status == status


@pytest.mark.parametrize("members", ["value", "documented"])
def test_what_an_application_was_given_has_the_same_names_with_us(connected: Connected, members: str) -> None:
    connected.sandbox.config(answer_members=members)

    accepted = connected.client.accounts.create(APPLICATION)
    record = connected.client.accounts.by_external_id("open-1")

    assert record is not None
    for found in (accepted, record):
        assert found.account_id == accepted.account_id
        assert (found.users[0].username or "").startswith("demoex")
        assert found.entities[0].id
    assert "password" not in str(accepted.raw).replace("'password': '[hidden]'", "")


@pytest.mark.parametrize(
    ("rule", "address", "is_taken"),
    [
        ("declared", "198.51.100.7", True),
        ("ip", "198.51.100.7", False),
        ("first", "198.51.100.7", True),
        ("first", "203.0.113.9", True),
    ],
)
def test_a_session_from_an_address_beside_the_declared_one_works_or_is_an_access_problem(
    connected: Connected, rule: str, address: str, is_taken: bool
) -> None:
    connected.sandbox.config(session_bound_to=rule)
    sso = connected.client.sso
    connected.bearer = sso.trading_session(USERNAME, ip="203.0.113.9", alternative_ips=["198.51.100.7"]).bearer
    connected.sandbox.config(egress_address=address)

    if is_taken:
        assert connected.client.session.validate().is_valid
        connected.sandbox.config(egress_address="198.51.100.7" if address == "203.0.113.9" else "203.0.113.9")
    if rule != "declared":
        with pytest.raises(AuthFailed):
            connected.client.session.validate()


def test_a_sign_on_from_an_ipv6_address_that_ibkr_does_not_take_says_what_to_do(connected: Connected) -> None:
    connected.sandbox.config(ipv6_taken=False)
    facts: dict[str, Any] = {"environment": "sandbox", "base_url": connected.sandbox.url, "client_id": CLIENT_ID}

    with pytest.raises(Rejected) as caught:
        connected.client.sso.trading_session(USERNAME, ip="2001:db8::7")
    found = explain(
        caught.value,
        doing=Doing.SIGN_ON,
        facts=Facts(**facts, key_id="contract-1", master=MASTER, username=USERNAME, ip="2001:db8::7"),
    )

    assert found.cause.endswith("from this machine's address (the declared one is 2001:db8::7).")
    assert found.fix.endswith("It may take IPv4 addresses only: then declare one.")
