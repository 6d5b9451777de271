from collections.abc import Callable
from dataclasses import replace

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from backoffice.ibkr import AuthFailed, Credentials, IbkrClient
from backoffice.ibkr.environments import sandbox as sandbox_environment
from backoffice.ibkr.types.sso import PortalPage
from tests.contract.conftest import CLIENT_ID, Connected


def test_a_token_is_granted_for_the_scopes_asked(connected: Connected) -> None:
    token = connected.client.oauth.token(["accounts.read", "statements.read"])

    assert token.scopes == {"accounts.read", "statements.read"}
    assert token.expires_in > 0
    assert token.value.count(".") == 2


def test_both_audiences_seen_in_the_wild_are_accepted(connect: Callable[..., Connected], connected: Connected) -> None:
    url = connected.sandbox.url
    environment = replace(sandbox_environment(url), audience=f"{url}/oauth2/api/v1/token")

    assert connect(environment=environment).client.oauth.token(["accounts.read"]).value


def test_a_foreign_key_gets_no_token(connected: Connected) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    credentials = Credentials(client_id=CLIENT_ID, key_id="contract-1", private_key=pem)
    impostor = IbkrClient(base_url=connected.sandbox.url, credentials=credentials)

    with pytest.raises(AuthFailed):
        impostor.oauth.token(["accounts.read"])
    with pytest.raises(AuthFailed):
        impostor.accounts.status("U1000011")


def test_one_token_serves_many_calls(connected: Connected) -> None:
    for _ in range(3):
        connected.client.accounts.status("U1000011")

    assert connected.sent("POST", "/token") == 1


def test_the_portal_page_opens_once(connected: Connected) -> None:
    session = connected.client.sso.browser_session("marih001", ip="127.0.0.1")
    url = session.opening(PortalPage.STATEMENTS)

    first = requests.get(url, timeout=10)
    second = requests.get(url, timeout=10)

    assert first.status_code == 200
    assert "Statement" in first.text
    assert second.text != first.text


def test_a_trading_session_chain_becomes_ready(trading: Connected) -> None:
    session = trading.client.session

    assert session.validate().is_valid
    assert session.status().is_ready
    tickle = session.tickle()
    assert tickle.session
    assert tickle.auth is not None
    assert tickle.auth.authenticated
    accounts = session.accounts()
    assert "U1000011" in accounts.accounts
    assert {"Balanced", "Income"} <= set(accounts.groups)
    assert session.logout()
    with pytest.raises(AuthFailed):
        session.accounts()


def test_without_a_brokerage_session_trading_reads_say_so(signed_in: Connected) -> None:
    assert not signed_in.client.session.status().authenticated
    with pytest.raises(AuthFailed):
        signed_in.client.contracts.search("AAPL")


def test_an_account_can_be_selected(trading: Connected) -> None:
    trading.client.session.select_account("U1000012")

    assert trading.client.session.accounts().selected_account == "U1000012"
