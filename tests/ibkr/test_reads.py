import gzip
from base64 import b64encode
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError

from backoffice.ibkr import (
    AuthFailed,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SessionNotReady,
    Unavailable,
    Unsendable,
)
from backoffice.ibkr.types.allocation import GroupDefinition, GroupShare
from backoffice.ibkr.types.market_data import Timeline
from backoffice.ibkr.types.sso import PortalPage
from tests.ibkr.conftest import Bench, Received, answer
from tests.ibkr.test_accounts import claims_of

PDF = b"%PDF-1.7\n...%%EOF"


def targets(received: list[Received]) -> list[str]:
    return [f"{request.method} {request.target.partition('?')[0].removeprefix('/v1/api')}" for request in received]


# --- tokens and sign-on ---------------------------------------------------------------------------------------------


def test_a_token_says_how_long_it_lives_and_what_it_may(bench: Bench) -> None:
    bench.server.play(
        answer(200, {"access_token": "abc", "token_type": "Bearer", "scope": "accounts.read", "expires_in": 3000})
    )

    token = bench.client.oauth.token(["accounts.read", "accounts.write"])

    assert (token.value, token.expires_in, token.scopes) == ("abc", 3000, frozenset({"accounts.read"}))
    assert "abc" not in repr(token)
    (request,) = bench.server.received
    assert request.target == "/oauth2/api/v1/token"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"grant_type=client_credentials" in request.body
    assert b"scope=accounts.read+accounts.write" in request.body
    assert "client_assertion" not in repr(bench.exchanges[0].request)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"type": "/simple", "title": "Bad Request", "status": 400}, AuthFailed),
        (401, {"error": "invalid_client", "error_description": "unknown kid"}, AuthFailed),
        (429, {}, RateLimited),
        (500, {"type": "/simple", "title": "x", "status": 500}, Unavailable),
        (200, {"access_token": "abc"}, Unavailable),
        (200, {"access_token": "a\nb ", "expires_in": 0}, Unavailable),
        (200, b"<html>", Unavailable),
    ],
)
def test_a_token_that_cannot_be_had_says_why(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(error):
        bench.client.oauth.token()


def test_a_browser_session_opens_ibkrs_page_only(bench: Bench) -> None:
    page = f"{bench.server.url}/sso/resolver?SID=one-time"
    bench.server.play(
        answer(200, {"active": True, "url": page}), answer(200, {"active": True, "url": "https://evil.example.com/x"})
    )

    session = bench.client.sso.browser_session("ada123", ip="203.0.113.7")

    assert claims_of(bench.server.received[0]) == {"credential": "ada123", "ip": "203.0.113.7"}
    assert session.opening(PortalPage.HOME) == page
    assert session.opening(PortalPage.PROFILE) == f"{page}&ACTION=AccountSettings&config=Profile"
    assert session.opening(PortalPage.TRANSFER_FUNDS, type="DEPOSIT") == f"{page}&ACTION=TransferFunds&type=DEPOSIT"
    assert "one-time" not in repr(session)
    with pytest.raises(Unavailable):
        bench.client.sso.browser_session("ada123", ip="203.0.113.7")
    with pytest.raises(Unsendable):
        bench.client.sso.browser_session("ada123", ip="not an address")


# --- session --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "ready"),
    [
        ({"authenticated": True, "connected": True, "established": True, "competing": False}, True),
        ({"authenticated": True, "connected": True, "competing": False}, True),
        ({"authenticated": True, "connected": True, "established": False, "competing": False}, False),
        ({"authenticated": True, "connected": True, "established": True, "competing": True}, False),
        ({"authenticated": False, "competing": False, "connected": False, "MAC": "x"}, False),
    ],
)
def test_a_session_is_ready_only_when_everything_says_so(bench: Bench, body: dict[str, Any], ready: bool) -> None:
    bench.server.play(answer(200, body))

    assert bench.client.session.init(compete=False).is_ready is ready
    assert bench.server.received[0].json == {"publish": True, "compete": False}


def test_the_session_family_reads_recorded_shapes(bench: Bench) -> None:
    tradable = {
        "accounts": ["U1"],
        "aliases": {"U1": "x"},
        "groups": ["All"],
        "selectedAccount": "U1",
        "isPaper": False,
    }
    heartbeat = {"session": "abc", "hmds": {"error": "no bridge"}}
    bench.server.play(
        answer(200, {"USER_ID": 1, "USER_NAME": "alder01", "RESULT": True, "EXPIRES": 1000, "LOGIN_TYPE": 2}),
        answer(200, tradable | {"new": 1}),
        answer(200, heartbeat | {"iserver": {"authStatus": {"authenticated": True, "connected": True}}}),
        answer(200, {"status": True}),
        answer(200, {"session": "abc"}),
    )

    validation = bench.client.session.validate()
    accounts = bench.client.session.accounts()
    tickle = bench.client.session.tickle()

    assert validation.is_valid
    assert validation.is_paper
    assert accounts.accounts == ("U1",)
    assert accounts.groups == ("All",)
    assert tickle.auth is not None
    assert tickle.auth.is_ready
    assert bench.client.session.logout()
    assert bench.client.session.tickle().auth is None
    assert targets(bench.server.received) == [
        "GET /sso/validate",
        "GET /iserver/accounts",
        "POST /tickle",
        "POST /logout",
        "POST /tickle",
    ]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "Bad Request: Please query /accounts first", "statusCode": 400}, SessionNotReady),
        (500, {"error": "Bad Request: Please query /accounts first", "statusCode": 500}, SessionNotReady),
        (400, {"error": "Init session first", "statusCode": 400}, SessionNotReady),
        (400, {"error": "Bad Request: Please query /portfolio/subaccounts first", "statusCode": 400}, SessionNotReady),
        (400, {"error": "Bad Request: no bridge", "statusCode": 400}, SessionNotReady),
        (401, {"error": "not authenticated", "statusCode": 401}, SessionNotReady),
        (401, {"status": 401, "title": "Unauthorized", "detail": "Access token expired"}, AuthFailed),
        (403, b"<html>Access Denied</html>", AuthFailed),
        (429, {"error": "x"}, RateLimited),
        (400, {"error": "Bad Request: accountId is not valid", "statusCode": 400}, Rejected),
        (200, {"error": "failed to process request"}, Rejected),
        (503, {"error": "x", "statusCode": 503}, Unavailable),
        (500, {"error": "failed to generate sso dh token"}, Unavailable),
        (200, b"<html>", Unavailable),
        (200, b"", Unavailable),
    ],
)
def test_each_answer_to_a_trading_read_is_named_for_the_next_move(
    bench: Bench, status: int, body: Any, error: type
) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(Exception) as caught:  # noqa: PT011
        bench.client.session.accounts()

    assert type(caught.value) is error


# --- portfolio ------------------------------------------------------------------------------------------------------


def test_positions_are_read_to_the_last_page(bench: Bench) -> None:
    def page(count: int) -> list[dict[str, Any]]:
        return [
            {"acctId": "U1", "conid": str(index + 1), "position": 1.5, "mktValue": 10.1, "currency": "USD"}
            for index in range(count)
        ]

    bench.server.play(answer(200, page(100)), answer(200, page(3)))

    found = bench.client.portfolio.positions("U1")

    assert len(found) == 103
    assert found[0].quantity == Decimal("1.5")
    assert found[0].market_value == Decimal("10.1")
    assert [request.target for request in bench.server.received] == [
        "/v1/api/portfolio/U1/positions/0",
        "/v1/api/portfolio/U1/positions/1",
    ]


def test_a_position_is_read_in_either_spelling_and_odd_types(bench: Bench) -> None:
    bench.server.play(
        answer(
            200,
            [
                {
                    "conid": 265598,
                    "position": -3,
                    "marketPrice": "1,300.5",
                    "marketValue": None,
                    "strike": "0",
                    "multiplier": 0.0,
                }
            ],
        )
    )

    (position,) = bench.client.portfolio.positions("U1")

    assert (position.conid, position.quantity, position.market_price) == ("265598", Decimal(-3), Decimal("1300.5"))
    assert position.market_value is None
    assert position.raw["strike"] == "0"


def test_a_ledger_separates_the_base_and_never_reads_nothing_as_zero(bench: Bench) -> None:
    line = {
        "cashbalance": 1000.25,
        "exchangerate": 1.1,
        "currency": "EUR",
        "timestamp": 1795435200,
        "key": "LedgerList",
    }
    bench.server.play(
        answer(200, {"EUR": line, "BASE": line | {"currency": "BASE", "exchangerate": 1}}), answer(200, {})
    )

    ledger = bench.client.portfolio.ledger("U1")

    assert list(ledger.currencies) == ["EUR"]
    assert ledger.currencies["EUR"].cash == Decimal("1000.25")
    assert ledger.currencies["EUR"].at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert ledger.base is not None
    assert ledger.base.exchange_rate == Decimal(1)
    with pytest.raises(Unavailable, match="not loaded"):
        bench.client.portfolio.ledger("U1")


def test_a_summary_gives_figures_with_currency_and_time(bench: Bench) -> None:
    bench.server.play(
        answer(
            200,
            {
                "netliquidation": {
                    "amount": 250000.5,
                    "currency": "USD",
                    "isNull": False,
                    "timestamp": 1795435200000,
                    "value": None,
                },
                "accountready": {"amount": 0.0, "value": "true", "currency": None, "isNull": False},
                "cushion": {"amount": 0, "isNull": True},
            },
        )
    )

    summary = bench.client.portfolio.summary("U1")

    assert summary.net_liquidation is not None
    assert (summary.net_liquidation.amount, summary.net_liquidation.currency) == (Decimal("250000.5"), "USD")
    assert summary.figure("accountready").text == "true"  # type: ignore[union-attr]
    assert summary.figure("cushion") is None
    assert summary.total_cash is None


def test_subaccounts_are_read_bare_or_wrapped(bench: Bench) -> None:
    row = {
        "id": "U1",
        "accountId": "U1",
        "accountTitle": "Ada",
        "currency": "USD",
        "accountStatus": 1700000000000,
        "faclient": True,
    }
    bench.server.play(answer(200, [row]), answer(200, {"metadata": {}, "subaccounts": [row]}))

    assert bench.client.portfolio.subaccounts() == bench.client.portfolio.subaccounts()


# --- instruments and prices -----------------------------------------------------------------------------------------


def test_a_search_gives_every_listing_and_nothing_for_an_unknown_symbol(bench: Bench) -> None:
    row = {"conid": "265598", "symbol": "AAPL", "companyName": "APPLE INC", "description": "NASDAQ", "restricted": None,
           "sections": [{"secType": "STK"}, {"secType": "OPT", "months": "NOV26"}]}  # fmt: skip
    bench.server.play(
        answer(200, [row, row | {"conid": 38708077, "description": "MEXI"}]),
        answer(200, {"error": "No symbol found"}),
        answer(200, []),
    )

    found = bench.client.contracts.search("AAPL")

    assert [(match.conid, match.listing_exchange) for match in found] == [("265598", "NASDAQ"), ("38708077", "MEXI")]
    assert found[0].security_types == ("STK", "OPT")
    assert bench.client.contracts.search("NOPE") == ()
    assert bench.client.contracts.search("NOPE") == ()


def test_a_search_of_funds_or_by_a_pattern_says_so_and_no_other_does(bench: Bench) -> None:
    bench.server.play(*[answer(200, [])] * 3)

    bench.client.contracts.search("VFI", fund=True, pattern=True)
    bench.client.contracts.search("VFI")
    bench.client.contracts.search_by_post("VFI", fund=True)

    asked, plain, posted = bench.server.received
    assert asked.target.endswith("/iserver/secdef/search?symbol=VFI&secType=STK&name=false&fund=true&pattern=true")
    assert plain.target.endswith("/iserver/secdef/search?symbol=VFI&secType=STK&name=false")
    assert posted.json == {"symbol": "VFI", "secType": "STK", "name": False, "fund": True}


def test_an_instrument_is_described_with_text_ids(bench: Bench) -> None:
    bench.server.play(
        answer(200, {"con_id": 265598, "symbol": "AAPL", "currency": "USD", "exchange": "SMART", "multiplier": None})
    )

    info = bench.client.contracts.info("265598")

    assert (info.conid, info.currency, info.exchange) == ("265598", "USD", "SMART")
    with pytest.raises(ValueError):
        bench.client.contracts.info("-1")


def test_a_cold_snapshot_is_asked_again_until_it_has_data(bench: Bench) -> None:
    cold = [{"conid": 265598, "conidEx": "265598"}, {"conid": 8314, "conidEx": "8314"}]
    warm = [
        {
            "conid": 265598,
            "31": "C183.20",
            "84": "183.10",
            "86": "183.30",
            "6509": "DPB",
            "83": "0.54%",
            "7762": "1,000",
            "_updated": 1795435200000,
        },
        {"conid": 8314, "31": "H1,300", "6509": "R"},
    ]
    bench.server.play(answer(200, cold), answer(200, warm))
    pauses: list[int] = []
    bench.client.market._pause = pauses.append

    apple, ibm = bench.client.market.snapshot(["265598", "8314"])

    assert len(pauses) == 1
    assert apple.last is not None
    assert (apple.last.value, apple.last.is_previous_close) == (Decimal("183.20"), True)
    assert (apple.timeline, apple.is_delayed, apple.is_live) == (Timeline.DELAYED, True, False)
    assert apple.change_percent == Decimal("0.54")
    assert apple.volume == Decimal(1000)
    assert apple.updated == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert ibm.last is not None
    assert ibm.last.is_halted
    assert ibm.bid is None


def test_a_snapshot_that_never_warms_up_is_unknown_not_zero(bench: Bench) -> None:
    bench.server.play(answer(200, [{"conid": 265598, "6509": "X?"}]))
    bench.client.market._pause = lambda _: None

    (snapshot,) = bench.client.market.snapshot(["265598"], looks=2)

    assert bench.server.connections == 2
    assert snapshot.last is None
    assert not snapshot.has_data
    assert snapshot.timeline is Timeline.UNKNOWN
    with pytest.raises(Unsendable):
        bench.client.market.snapshot([])


# --- allocation -----------------------------------------------------------------------------------------------------

GROUP = GroupDefinition(name="Balanced", method="N", members=(GroupShare(account="U1"), GroupShare(account="U2")))


def test_groups_and_their_members_are_read(bench: Bench) -> None:
    members = [{"name": "U1", "amount": 1}, {"name": "U2", "amount": 2.5}]
    figures = [{"key": "NetLiquidation", "value": "230013224.04"}, {"key": "AvailableEquity", "value": "1"}]
    bench.server.play(
        answer(200, {"data": [{"name": "Balanced", "allocation_method": "N", "size": 2}]}),
        answer(200, {"name": "Balanced", "default_method": "R", "accounts": members}),
        answer(200, {"accounts": [{"name": "U1", "data": figures}]}),
    )

    (summary,) = bench.client.allocation.groups()
    group = bench.client.allocation.group("Balanced")
    (account,) = bench.client.allocation.accounts()

    assert (summary.name, summary.method, summary.size) == ("Balanced", "N", Decimal(2))
    assert [(member.account_id, member.amount) for member in group.members] == [
        ("U1", Decimal(1)),
        ("U2", Decimal("2.5")),
    ]
    assert (account.account_id, account.net_liquidation, account.available_equity) == (
        "U1",
        Decimal("230013224.04"),
        Decimal(1),
    )


def test_groups_are_written_whole_and_once(bench: Bench) -> None:
    bench.server.play(answer(200, {"success": True}))

    bench.client.allocation.create_group(GROUP)
    bench.client.allocation.replace_group(GROUP, previous_name="Old")
    bench.client.allocation.delete_group("Balanced")

    created, replaced, deleted = bench.server.received
    members = {"name": "Balanced", "default_method": "N", "accounts": [{"name": "U1"}, {"name": "U2"}]}
    assert (created.method, created.json) == ("POST", members)
    assert (replaced.method, replaced.json) == ("PUT", members | {"prev_name": "Old"})
    assert deleted.target.endswith("/allocation/group/delete")
    assert deleted.json == {"name": "Balanced"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"success": False, "message": "no"}, Rejected),
        (400, {"error": "bad"}, Rejected),
        (500, {"error": "Invalid account U9"}, Rejected),
        (500, {"error": "boom"}, OutcomeUnknown),
        (503, {"error": "Invalid account U9"}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (200, {"success": "true"}, OutcomeUnknown),
        (401, {}, AuthFailed),
    ],
)
def test_each_answer_to_a_group_is_named_for_the_next_move(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(error):
        bench.client.allocation.create_group(GROUP)

    assert bench.server.connections == 1


@pytest.mark.parametrize(
    "members",
    [
        {"method": "N", "members": [{"account": "U1", "amount": "1"}]},
        {"method": "S", "members": [{"account": "U1"}]},
        {"method": "P", "members": [{"account": "U1", "amount": "60"}, {"account": "U2", "amount": "30"}]},
        {"method": "N", "members": [{"account": "U1"}, {"account": "U1"}]},
        {"method": "N", "members": []},
        {"method": "X", "members": [{"account": "U1"}]},
        {"method": "N", "members": [{"account": "U1"}], "name": "a/b"},
    ],
)
def test_a_group_ibkr_would_refuse_cannot_be_written(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GroupDefinition.model_validate({"name": "Balanced"} | members)


# --- statements -----------------------------------------------------------------------------------------------------


def statement(content: bytes, **more: Any) -> dict[str, Any]:
    return {
        "data": {
            "dataType": "byte[]",
            "encoding": "base64",
            "mimeType": "application/pdf",
            "value": b64encode(content).decode(),
        }
        | more
    }


@pytest.mark.parametrize(
    "step",
    [
        answer(200, statement(PDF)),
        answer(200, statement(gzip.compress(PDF), gzip=True)),
        answer(200, PDF, content_type="application/pdf"),
    ],
    ids=["base64", "gzip", "raw"],
)
def test_a_statement_is_the_same_file_however_it_is_packed(bench: Bench, step: Any) -> None:
    bench.server.play(step)

    file = bench.client.reports.statement("U1", "202610", "202610")

    assert file.content == PDF
    assert file.mime_type == "application/pdf"
    assert file.sha256 == sha256(PDF).hexdigest()
    claims = claims_of(bench.server.received[0])
    assert (claims["accountId"], claims["startDate"], claims["mimeType"]) == ("U1", "202610", "application/pdf")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (
            402,
            {
                "type": "/simple",
                "title": "Unauthorized",
                "status": 402,
                "detail": "cannot be fulfilled for the account",
            },
            Rejected,
        ),
        (400, {"title": "Bad Request", "status": 400, "invalidArguments": []}, Rejected),
        (200, statement(b"<html>not a pdf"), Unavailable),
        (200, {"data": {"value": "!!!"}}, Unavailable),
        (200, statement(b"\x1f\x8bbroken", gzip=True), Unavailable),
        (200, {}, Unavailable),
        (503, {}, Unavailable),
    ],
)
def test_a_statement_that_is_not_one_is_not_kept(bench: Bench, status: int, body: Any, error: type) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(error):
        bench.client.reports.statement("U1", "202610", "202610")


@pytest.mark.parametrize(
    ("start", "end"), [("2026", "202601"), ("20261", "20261"), ("202611", "202610"), ("", ""), ("x", "x")]
)
def test_a_period_ibkr_does_not_know_is_not_asked_for(bench: Bench, start: str, end: str) -> None:
    bench.server.play(answer(200, {}))

    with pytest.raises(Unsendable):
        bench.client.reports.statement("U1", start, end)

    assert bench.server.connections == 0


def test_available_statements_are_days_months_and_years(bench: Bench) -> None:
    value = {
        "daily": {"startDate": "20240102", "endDate": "20261120"},
        "monthly": ["202609", "202610"],
        "annual": ["2025"],
    }
    bench.server.play(answer(200, {"data": {"dataType": "String", "value": value}}))

    available = bench.client.reports.available_statements("U1")

    assert (available.daily_start, available.daily_end) == (date(2024, 1, 2), date(2026, 11, 20))
    assert available.monthly == ("202609", "202610")
    assert available.annual == ("2025",)
