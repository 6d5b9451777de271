import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.ibkr import BadIdentifier, Unsendable, paths
from backoffice.ibkr.types.orders import OrderTicket
from tests.ibkr.conftest import Bench, answer

HOSTILE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "-1",
            "0",
            "-0",
            "",
            " ",
            ".",
            "..",
            "/",
            "a/b",
            "..%2f",
            "%2e%2e",
            "U1/../U2",
            "1?x=1",
            "1#",
            "１",
            "1\n",
            "-1 ",
        ]
    ),
)
BUILDERS = [
    paths.account_id,
    paths.group_name,
    paths.order_id,
    paths.reply_id,
    paths.instrument_id,
    paths.request_id,
    paths.external_id,
]


@pytest.mark.row(id="Z17")
@given(HOSTILE, st.sampled_from(BUILDERS))
def test_no_id_that_passes_can_change_the_structure_of_a_path(text: str, builder: object) -> None:
    assert callable(builder)
    try:
        segment = builder(text)
    except ValueError:
        return

    path = paths.join("iserver", "account", segment, "order")

    assert path.count("/") == 4
    assert unquote(path.split("/")[3]) == text
    assert not re.search(r"//|/\.{1,2}/|/-\d|%2f|%5c|%2e|\?|#", path, re.IGNORECASE)


@pytest.mark.row(id="Z17")
@given(HOSTILE)
def test_an_order_id_is_a_positive_whole_number_or_nothing(text: str) -> None:
    if re.fullmatch(r"[1-9][0-9]{0,18}", text):
        assert paths.order_id(text) == text
    else:
        with pytest.raises(ValueError):
            paths.order_id(text)


@pytest.mark.row(id="Z17")
@pytest.mark.parametrize("wrong", ["-1", "0", "", "1/2", "..", "1%2f2", "1e5", " 1", "1" * 20, "١"])
def test_cancelling_with_a_dangerous_order_id_sends_nothing(bench: Bench, wrong: str) -> None:
    bench.server.play(answer(200, {"msg": "Request was submitted", "order_id": 1}))

    with pytest.raises(ValueError):
        bench.client.orders.cancel("U1234567", wrong)
    with pytest.raises(BadIdentifier):
        bench.client.orders.status(wrong)

    assert bench.server.connections == 0


@pytest.mark.parametrize("wrong", ["", "..", "U1/../U2", "a/b", "a%2fb", "-1", "a..b"])
def test_an_order_to_a_dangerous_group_name_cannot_be_written(wrong: str) -> None:
    with pytest.raises(ValueError):
        OrderTicket(client_order_id="x1", conid="265598", side="BUY", order_type="MKT", quantity="1", group=wrong)


def test_a_group_name_with_a_space_is_quoted(bench: Bench) -> None:
    bench.server.play(answer(200, [{"order_id": "12", "order_status": "Submitted"}]))

    bench.client.orders.place(
        OrderTicket(
            client_order_id="x1", conid="265598", side="BUY", order_type="MKT", quantity="1", group="Growth & Co"
        )
    )

    assert bench.server.received[0].target == "/v1/api/iserver/account/Growth%20%26%20Co/orders"
    assert bench.server.received[0].json["orders"][0]["acctId"] == "Growth & Co"


@pytest.mark.row(id="Z17")
@pytest.mark.parametrize(
    "path", ["", "/", "/a//b", "/a/../b", "/a/./b", "/a/-1", "/a/%2e%2e/b", "/a%2Fb", "a/b", "/a/b/", "/a b"]
)
def test_the_last_check_refuses_unsafe_paths(path: str) -> None:
    with pytest.raises(BadIdentifier):
        paths.require_safe_path(path)


@pytest.mark.parametrize("wrong", [0, -1, True, "", "1.5", 9_007_199_254_740_992, "abc"])
def test_an_instruction_id_must_be_exact_in_every_json_reader(wrong: object) -> None:
    with pytest.raises(Unsendable):
        paths.instruction_id(wrong)  # type: ignore[arg-type]

    assert paths.instruction_id("9007199254740991") == 9_007_199_254_740_991
