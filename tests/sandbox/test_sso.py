"""Single sign-on: the browser link and the trading session."""

import re
from typing import Any

import pytest
import requests

from backoffice.sandbox import sso
from tests.sandbox.support import Caller, Server


def link(caller: Caller, username: str = "aoife001", ip: str = "127.0.0.1") -> str:
    answer = caller.post("/sso-browser-sessions", {"credential": username, "ip": ip})
    assert answer.status_code == 200, answer.text
    assert answer.json()["active"] is True
    return str(answer.json()["url"])


def visit(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


def test_a_link_opens_the_portal_once(caller: Caller) -> None:
    url = link(caller)

    first, second = visit(f"{url}&ACTION=Statement"), visit(url)

    assert first.status_code == 200
    assert "IBKR Client Portal (simulated)" in first.text
    assert "Aoife Kinsellagh (aoife001)" in first.text
    assert "Statement" in first.text
    assert (second.status_code, "already been used" in second.text) == (403, True)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("ACTION=Statement", "Statement"),
        ("ACTION=statement", "Home"),
        ("ACTION=Nowhere", "Home"),
        ("action=Statement", "Home"),
        ("ACTION=AccountSettings&config=Profile", "AccountSettings&amp;config=Profile"),
        ("ACTION=AccountSettings&config=profile", "Home"),
        ("ACTION=Statement&showNavBar=false", "Statement"),
        ("ACTION=FUNDING_INSTRUCTIONS", "FUNDING_INSTRUCTIONS"),
        ("ACTION=FUNDING_INSTRUCTIONS&showNavBar=false", "Home"),
        ("ACTION=TransferFunds&autoSelect=U1000011&noPickerClear=T", "TransferFunds"),
        ("ACTION=TransferFunds&autoSelect=U1000011&showNavBar=false", "Home"),
        ("forwardTo=AA_LINKAGE&masterAccountId=F1000001", "AA_LINKAGE"),
    ],
)
def test_a_link_leads_to_the_page_its_action_names_letter_by_letter(steady: Caller, asked: str, shown: str) -> None:
    assert f"<dt>Page</dt><dd>{shown}</dd>" in visit(f"{link(steady)}&{asked}").text


def test_alternative_addresses_come_in_a_list(steady: Caller) -> None:
    body = {"credential": "aoife001", "ip": "127.0.0.1", "alternativeIps": "127.0.0.2"}

    answer = steady.post("/sso-sessions", body)

    assert (answer.status_code, answer.json()["invalidArguments"][0]["field"]) == (400, "alternativeIps")


def test_a_link_dies_after_a_minute(caller: Caller) -> None:
    url = link(caller)

    caller.advance(61)

    assert "expired" in visit(url).text


def test_a_link_for_another_address_does_not_open(caller: Caller) -> None:
    answer = visit(link(caller, ip="198.51.100.7"))

    assert (answer.status_code, "another network address" in answer.text) == (403, True)


def test_all_loopback_addresses_count_as_one(caller: Caller) -> None:
    assert visit(link(caller, ip="::1")).status_code == 200


def test_the_client_finishes_the_application_in_the_portal(caller: Caller) -> None:
    page = visit(link(caller)).text
    assert "Form W-8BEN" in page
    action = re.search(r'action="([^"]+)"', page)
    assert action

    done = requests.post(caller.url + action[1], timeout=10)

    assert "nothing left for you to do" in done.text
    found = caller.get("/accounts/U1000022/status").json()
    assert (found["status"], found["state"]) == ("P", "Under Review with IBKR")
    caller.advance(81)
    assert caller.get("/accounts/U1000022/status").json()["state"] == "Open"


def test_a_made_up_portal_session_cannot_finish_anything(steady: Caller) -> None:
    assert requests.post(f"{steady.url}/sso/portal/guess/finish", timeout=10).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ip": "127.0.0.1"}, "credential"),
        ({"credential": "aoife001"}, "ip"),
        ({"credential": "aoife001", "ip": "somewhere"}, "ip"),
        ({"credential": "nobody", "ip": "127.0.0.1"}, "credential"),
        ({"credential": "aoife001", "ip": "127.0.0.1", "extra": 1}, "extra"),
    ],
)
def test_a_faulty_request_names_its_field(steady: Caller, body: dict[str, Any], field: str) -> None:
    answer = steady.post("/sso-browser-sessions", body)

    assert answer.status_code == 400
    assert [mistake["field"] for mistake in answer.json()["invalidArguments"]] == [field]


def trading_token(caller: Caller, **more: Any) -> str:
    answer = caller.post("/sso-sessions", {"credential": "alder01", "ip": "127.0.0.1", **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def status_of(caller: Caller, token: str, **headers: str) -> int:
    whole = {"Authorization": f"Bearer {token}", **headers}
    return requests.get(f"{caller.url}/v1/api/sso/validate", headers=whole, timeout=10).status_code


def test_the_second_bearer_opens_the_trading_side_and_the_first_does_not(steady: Caller) -> None:
    assert status_of(steady, trading_token(steady)) == 200
    assert status_of(steady, steady.token()) == 401


def test_a_trading_bearer_is_bound_to_its_address(steady: Caller) -> None:
    elsewhere = trading_token(steady, ip="203.0.113.9")
    both = trading_token(steady, ip="203.0.113.9", alternativeIps=["127.0.0.1"])

    assert (status_of(steady, elsewhere), status_of(steady, both)) == (401, 200)


def test_a_trading_call_without_user_agent_is_403(steady: Caller) -> None:
    assert status_of(steady, trading_token(steady), **{"User-Agent": ""}) == 403


def test_a_revoked_or_expired_bearer_is_401(caller: Caller, server: Server) -> None:
    token = trading_token(caller)
    sso.revoke(server.app.state.sandbox, token)
    caller.config(sso_lifetime_seconds=-5)

    assert (status_of(caller, token), status_of(caller, trading_token(caller))) == (401, 401)
