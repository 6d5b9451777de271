from tests.sandbox.trading.trader import Trader


def test_accounts_cannot_be_searched_without_the_property(trader: Trader) -> None:
    for _ in range(2):
        refused = trader.get("/iserver/account/search/U1")
        assert (refused.status, refused.json["statusCode"]) == (503, 503)
    assert trader.post("/iserver/dynaccount", {"acctId": "U1000012"}).status == 503

    trader.knob(dynaccount_refusal_status=401)
    assert trader.get("/iserver/account/search/U1").status == 401


def test_a_dynamic_structure_finds_and_selects_accounts(trader: Trader) -> None:
    trader.knob(dynaccount=True)

    found = trader.get("/iserver/account/search/1000012").json
    assert [account["accountId"] for account in found["matchedAccounts"]] == ["U1000012"]
    assert trader.get("/iserver/account/search/none").json == {"matchedAccounts": [], "pattern": "none"}
    assert trader.post("/iserver/dynaccount", {"acctId": "U1000012"}).json == {"set": True, "acctId": "U1000012"}
    assert trader.get("/iserver/accounts").json["selectedAccount"] == "U1000012"
    assert trader.post("/iserver/dynaccount", {"acctId": "U9999999"}).status == 400


def test_owners_are_named(cold: Trader) -> None:
    found = cold.get("/acesws/U1000011/signatures-and-owners").json

    (owner,) = found["users"]
    assert owner["roleId"] == "OWNER"
    assert owner["entity"]["entityType"] == "INDIVIDUAL"
    assert found["applicant"]["signatures"] == [owner["entity"]["entityName"]]
    assert cold.get("/acesws/U9999999/signatures-and-owners").status == 400


def test_notices_come_in_batches_and_are_read_one_by_one(cold: Trader) -> None:
    assert cold.get("/fyi/unreadnumber").json == {"BN": 7}
    first = cold.get("/fyi/notifications", max=10).json
    rest = cold.get("/fyi/notifications", max=10, id=first[-1]["ID"]).json

    assert (len(first), len(rest)) == (10, 4)
    assert not {notice["ID"] for notice in first} & {notice["ID"] for notice in rest}
    assert first[0]["D"].endswith(".0")
    read = cold.call("PUT", f"/fyi/notifications/{first[0]['ID']}").json
    assert read == {"V": 1, "T": 5, "P": {"R": 1, "ID": first[0]["ID"]}}
    assert cold.get("/fyi/unreadnumber").json == {"BN": 6}
    for most in ("", "0", "11", "x"):
        assert cold.get("/fyi/notifications", max=most).status == 400


def test_kinds_of_notices_are_chosen(cold: Trader) -> None:
    only = cold.get("/fyi/notifications", max=10, include="PF").json
    others = cold.get("/fyi/notifications", max=10, exclude="PF").json

    assert {notice["FC"] for notice in only} == {"PF"}
    assert "PF" not in {notice["FC"] for notice in others}
    assert cold.post("/fyi/settings/PF", {"enabled": False}).json == {"V": 1, "T": 10}
    assert cold.post("/fyi/settings/BOGUS", {"enabled": False}).json == {"V": 1, "T": 10}
    assert cold.get("/fyi/notifications", max=10, include="PF").json == []
    settings = {each["FC"]: each["A"] for each in cold.get("/fyi/settings").json}
    assert settings == {"PF": 0, "M8": 1, "PT": 1, "BA": 1}


def test_a_disclaimer_is_shown_and_accepted(cold: Trader) -> None:
    assert cold.get("/fyi/disclaimer/BA").json["FC"] == "BA"
    assert cold.call("PUT", "/fyi/disclaimer/BA").json == {"V": 1, "T": 10}
    assert {each["FC"]: each["H"] for each in cold.get("/fyi/settings").json}["BA"] == 1


def test_the_number_of_unread_notices_may_be_locked(cold: Trader) -> None:
    cold.knob(fyi_locked=True)

    assert cold.get("/fyi/unreadnumber").status == 423
