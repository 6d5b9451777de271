from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.trading.trader import Trader

GROUP = "/iserver/account/allocation/group"
TWO = [{"name": "U1000011"}, {"name": "U1000012"}]


def body(**more: Any) -> dict[str, Any]:
    return {"name": "Growth", "default_method": "E", "accounts": TWO, **more}


def test_the_world_begins_with_two_groups(trader: Trader) -> None:
    assert trader.get(GROUP).json == {
        "data": [
            {"name": "Balanced", "allocation_method": "N", "size": 5},
            {"name": "Income", "allocation_method": "E", "size": 4},
        ]
    }


def test_a_group_lives_from_creation_to_deletion(trader: Trader) -> None:
    assert trader.post(GROUP, body()).json == {"success": True}
    assert trader.post(f"{GROUP}/single", {"name": "Growth"}).json == {
        "name": "Growth",
        "default_method": "E",
        "accounts": TWO,
    }

    changed = {
        "name": "Growth2",
        "prev_name": "Growth",
        "default_method": "R",
        "accounts": [{"name": "U1000011", "amount": 2}],
    }
    assert trader.call("PUT", GROUP, changed).json == {"success": True}
    single = trader.post(f"{GROUP}/single", {"name": "Growth2"}).json
    assert single["accounts"] == [{"name": "U1000011", "amount": 2}]
    assert trader.post(f"{GROUP}/single", {"name": "Growth"}).status == 500

    assert trader.post(f"{GROUP}/delete", {"name": "Growth2"}).json == {"success": True}
    assert len(trader.get(GROUP).json["data"]) == 2
    assert [effect.data["action"] for effect in trader.sandbox.ledger.effects("group")] == [
        "create",
        "replace",
        "delete",
    ]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"name": "Balanced"}, "Group Balanced already exists"),
        ({"name": "All"}, "Group All already exists"),
        ({"name": ""}, "Invalid group name"),
        ({"default_method": "X"}, "Invalid allocation method: X"),
        ({"accounts": []}, "Group must contain at least one account"),
        ({"accounts": [{"name": "U1000021"}]}, "Invalid account: U1000021"),
        ({"accounts": [*TWO, TWO[0]]}, "Duplicate account: U1000011"),
        ({"default_method": "P", "accounts": [{"name": "U1000011", "amount": 60}]}, "Percentages must add up to 100"),
        ({"default_method": "S"}, "Invalid amount for account U1000011"),
    ],
)
def test_a_wrong_group_is_refused_with_500_and_changes_nothing(
    trader: Trader, wrong: dict[str, Any], error: str
) -> None:
    refused = trader.post(GROUP, body(**wrong))

    assert (refused.status, refused.json) == (500, {"error": error})
    assert len(trader.get(GROUP).json["data"]) == 2
    assert trader.effects("group") == 0


@pytest.mark.parametrize("path", [f"{GROUP}/single", f"{GROUP}/delete"])
def test_names_are_case_sensitive(trader: Trader, path: str) -> None:
    refused = trader.post(path, {"name": "balanced"})

    assert (refused.status, refused.json) == (500, {"error": "Group balanced doesn't exist"})


def test_equities_are_strings_that_agree_with_the_summary(trader: Trader) -> None:
    found = trader.get("/iserver/account/allocation/accounts").json["accounts"]

    first = {item["key"]: item["value"] for item in found[0]["data"]}
    summary = trader.get("/portfolio/U1000011/summary").json
    assert first == {
        "NetLiquidation": str(summary["netliquidation"]["amount"]),
        "AvailableEquity": str(summary["availablefunds"]["amount"]),
    }
    assert len(found) == 9


def test_presets_are_read_and_written_whole(trader: Trader) -> None:
    path = "/iserver/account/allocation/presets"
    presets = trader.get(path).json
    assert presets["default_method_for_all"] == "N"

    assert trader.post(path, {"strict_credit_check": True}).status == 500
    assert trader.post(path, {**presets, "strict_credit_check": True}).json == {"success": True}
    assert trader.get(path).json["strict_credit_check"] is True


def test_amounts_keep_their_decimals(trader: Trader) -> None:
    accounts = [{"name": "U1000011", "amount": 33.5}, {"name": "U1000012", "amount": 66.5}]

    assert trader.post(GROUP, body(default_method="P", accounts=accounts)).status == 200
    found = trader.post(f"{GROUP}/single", {"name": "Growth"}).json["accounts"]
    assert [item["amount"] for item in found] == [Decimal("33.5"), Decimal("66.5")]
