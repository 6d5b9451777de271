"""What nobody describes is read in every sensible form, and what costs money is never asked for twice."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from backoffice.ibkr import (
    AuthFailed,
    IbkrError,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SessionNotReady,
    Unavailable,
)
from backoffice.ibkr.types.market_data import AcceptedFee
from tests.ibkr.conftest import Bench, answer, hang, reset_after_read

ROW = {"conid": 265598, "84": "1,300.5", "86": 1300.6, "HasDelayed": False}


def draw(bench: Bench) -> Any:
    return bench.client.market.regulatory_snapshot("265598", fee=AcceptedFee.REGULATORY_SNAPSHOT)


@pytest.mark.parametrize("body", [ROW, [ROW], {**ROW, "conid": "265598"}, {"84": "1,300.5", "86": 1300.6, "x": [1]}])
def test_a_regulatory_snapshot_is_read_bare_or_in_a_list_and_kept_whole(bench: Bench, body: Any) -> None:
    bench.server.play(answer(200, body))

    found = draw(bench)

    assert (found.conid, found.bid.value, found.ask.value) == ("265598", Decimal("1300.5"), Decimal("1300.6"))
    assert found.last is None
    assert "HasDelayed" in found.raw or "x" in found.raw
    assert bench.server.received[0].target == "/v1/api/md/regsnapshot?conid=265598"


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (answer(200, []), OutcomeUnknown),
        (answer(200, [ROW, ROW]), OutcomeUnknown),
        (answer(200, {**ROW, "conid": 1}), OutcomeUnknown),
        (answer(200, b"<html>"), OutcomeUnknown),
        (answer(500, {"error": "Internal Server Error"}), OutcomeUnknown),
        (answer(503, b"", content_type="text/html"), OutcomeUnknown),
        (hang, OutcomeUnknown),
        (reset_after_read, OutcomeUnknown),
        (answer(200, {"error": "no permission"}), Rejected),
        (answer(400, {"error": "Bad Request: conid"}), Rejected),
        (answer(404, b"<html>Resource not found</html>"), Rejected),
        (answer(400, {"error": "Bad Request: no bridge"}), SessionNotReady),
        (answer(401, {"error": "Access token expired"}), AuthFailed),
        (answer(429, {"error": "Too Many Requests"}), RateLimited),
    ],
)
def test_a_regulatory_snapshot_is_asked_for_once_whatever_comes(
    bench: Bench, step: Any, error: type[IbkrError]
) -> None:
    bench.server.play(step)

    with pytest.raises(error):
        draw(bench)

    assert len(bench.server.received) == 1


@pytest.mark.parametrize("body", [{"authenticated": True}, {}, [], b"", b"ok", {"error": None}])
def test_the_historical_service_is_open_whatever_it_says(bench: Bench, body: Any) -> None:
    bench.server.play(answer(200, body))

    bench.client.hmds.init()

    assert [(each.method, each.target) for each in bench.server.received] == [("POST", "/v1/api/hmds/auth/init")]


@pytest.mark.parametrize(
    ("ask", "status", "body", "error"),
    [
        (lambda client: client.hmds.init(), 400, {"error": "Bad Request: no bridge"}, SessionNotReady),
        (lambda client: client.hmds.init(), 200, {"error": "no bridge"}, SessionNotReady),
        (lambda client: client.hmds.init(), 500, {"error": "x"}, Unavailable),
        (lambda client: client.hmds.init(), 401, {"error": "x"}, AuthFailed),
        (lambda client: client.hmds.history("1", period="1d", bar="1h"), 404, b"<html>", SessionNotReady),
        (lambda client: client.hmds.history("1", period="1d", bar="1h"), 404, {"error": "Not Found"}, SessionNotReady),
        (lambda client: client.hmds.history("1", period="1d", bar="1h"), 500, b"Chart data unavailable", Unavailable),
        (lambda client: client.hmds.history("1", period="1d", bar="1h"), 429, {"error": "x"}, RateLimited),
    ],
)
def test_each_refusal_of_the_historical_service_is_named_for_the_next_move(
    bench: Bench, ask: Callable[[Any], Any], status: int, body: Any, error: type[IbkrError]
) -> None:
    bench.server.play(answer(status, body))

    with pytest.raises(error):
        ask(bench.client)


def test_history_of_the_service_says_which_way_it_runs(bench: Bench) -> None:
    bench.server.play(
        answer(200, {"data": [{"t": 1795536000000, "o": 1, "c": 2, "h": 3, "l": 1, "v": 9}], "points": 1})
    )

    found = bench.client.hmds.history("265598", period="1d", bar="1h")

    assert [bar.close for bar in found.bars] == [Decimal(2)]
    assert bench.server.received[0].target == (
        "/v1/api/hmds/history?conid=265598&period=1d&bar=1h&outsideRth=false&direction=-1"
    )
