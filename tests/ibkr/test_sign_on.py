from typing import Any

import jwt
import pytest

from backoffice.ibkr import AuthFailed, Rejected, Unavailable, Unsendable
from backoffice.ibkr.types.sso import BrowserSession, FundingMethod, PortalPage
from tests.ibkr.conftest import Bench, answer

PAGE = "https://www.clientam.com/sso/resolver?SID=1"
SESSION = BrowserSession(url=PAGE)


def claims_of(bench: Bench) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(bench.server.received[0].body, options={"verify_signature": False})
    return {name: value for name, value in claims.items() if name not in ("iss", "iat", "exp")}


def test_a_trading_session_declares_all_addresses_and_its_service(bench: Bench) -> None:
    bench.server.play(answer(200, {"active": True, "access_token": "second", "token_type": "Bearer"}))

    session = bench.client.sso.trading_session(
        "alder01", ip="203.0.113.5", alternative_ips=("203.0.113.6", "2001:DB8::1"), service="AM.LOGIN"
    )

    assert session.bearer == "second"
    assert "second" not in repr(session)
    assert claims_of(bench) == {
        "credential": "alder01",
        "ip": "203.0.113.5",
        "alternativeIps": ["203.0.113.6", "2001:db8::1"],
        "service": "AM.LOGIN",
    }


def test_a_wrong_alternative_address_is_refused_before_sending(bench: Bench) -> None:
    bench.server.play(answer(200, {}))

    with pytest.raises(Unsendable, match="not an IP address"):
        bench.client.sso.trading_session("alder01", ip="203.0.113.5", alternative_ips=("203.0.113.0/24",))

    assert bench.server.connections == 0


@pytest.mark.parametrize(
    "body",
    [
        {"active": False, "access_token": "x"},
        {"active": True},
        {"active": True, "access_token": ""},
        {"active": True, "access_token": "x", "token_type": "MAC"},
        {"active": True, "access_token": ["x"]},
    ],
)
def test_an_answer_without_a_bearer_is_no_session(bench: Bench, body: dict[str, Any]) -> None:
    bench.server.play(answer(200, body))

    with pytest.raises(Unavailable):
        bench.client.sso.trading_session("alder01", ip="203.0.113.5")


@pytest.mark.parametrize(
    ("status", "error"), [(400, Rejected), (401, AuthFailed), (403, AuthFailed), (500, Unavailable)]
)
def test_each_refusal_of_a_sign_on_has_its_name(bench: Bench, status: int, error: type) -> None:
    field = {"field": "ip", "description": "Missing required parameter"}
    bench.server.play(
        answer(status, {"type": "/invalid-argument", "title": "x", "status": status, "invalidArguments": [field]})
    )

    with pytest.raises(error):
        bench.client.sso.browser_session("alder01", ip="203.0.113.5")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example\\@www.clientam.com/sso",
        "https://www.clientam.com@evil.example/sso",
        "https://user@www.clientam.com/sso",
        "https://www.clientam.com.evil.example/sso",
        "https://notclientam.com/sso",
        "https://www.clientam.com/sso#fragment",
        "https://www.clientam.com/sso\n",
        "http://www.clientam.com/sso",
        "javascript:alert(1)//www.clientam.com",
        "",
    ],
)
def test_a_page_that_does_not_lead_to_ibkr_is_not_opened(bench: Bench, url: str) -> None:
    bench.server.play(answer(200, {"active": True, "url": url}))

    with pytest.raises(Unavailable):
        bench.client.sso.browser_session("marih001", ip="203.0.113.5")


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        (SESSION.opening(PortalPage.HOME), PAGE),
        (SESSION.opening(PortalPage.STATEMENTS), f"{PAGE}&ACTION=Statement"),
        (SESSION.opening(PortalPage.STATEMENTS, is_framed=True), f"{PAGE}&ACTION=Statement&showNavBar=false"),
        (SESSION.opening(PortalPage.WHITE_BRANDING), f"{PAGE}&ACTION=AccountSettings&config=WhiteBranding"),
        (SESSION.opening(PortalPage.PASSWORD), f"{PAGE}&ACTION=PASSWORDCHG"),
        (
            SESSION.opening_funds("DEPOSIT", method=FundingMethod.WIRE, currency="EUR"),
            f"{PAGE}&ACTION=TransferFunds&type=DEPOSIT&method=WIRE&currency=EUR",
        ),
        (SESSION.opening_funds("WITHDRAWAL"), f"{PAGE}&ACTION=TransferFunds&type=WITHDRAWAL"),
        (
            SESSION.opening_positions("POSITION_INBOUND", method="ACATS"),
            f"{PAGE}&ACTION=TransferPositions&type=POSITION_INBOUND&method=ACATS",
        ),
        (
            SESSION.opening_positions("INTERNAL", method="INTERNAL"),
            f"{PAGE}&ACTION=TransferPositions&type=INTERNAL&method=INTERNAL",
        ),
        (SESSION.opening_account("U1234"), f"{PAGE}&ACTION=TransferFunds&autoSelect=U1234&noPickerClear=T"),
        (SESSION.opening_linkage("F1234"), f"{PAGE}&forwardTo=AA_LINKAGE&masterAccountId=F1234"),
        (BrowserSession("https://ibkr.com/sso").opening(PortalPage.TAX_FORMS), "https://ibkr.com/sso?ACTION=RM_TAX_FORMS"),
    ],
)  # fmt: skip
def test_each_page_is_named_letter_by_letter(opened: str, expected: str) -> None:
    assert opened == expected


def test_a_page_that_needs_its_navigation_is_not_framed() -> None:
    with pytest.raises(ValueError, match="without its navigation"):
        SESSION.opening(PortalPage.BANK_INSTRUCTIONS, is_framed=True)


def test_a_wire_is_announced_for_deposits_only() -> None:
    with pytest.raises(ValueError, match="deposits only"):
        SESSION.opening_funds("WITHDRAWAL", method=FundingMethod.WIRE_NOTIFICATION)


def test_the_internal_method_and_the_internal_transfer_go_together() -> None:
    with pytest.raises(ValueError, match="INTERNAL"):
        SESSION.opening_positions("INTERNAL", method="FOP")
