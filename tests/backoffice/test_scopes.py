"""The least scopes: no lane's token can do what the lane's calls do not need, and none lacks what they do."""

import ast
from collections.abc import Iterator

import pytest

from backoffice.broker.scopes import SCOPES_OF_LANE
from backoffice.ibkr import coverage
from backoffice.ibkr.operations import GATEWAY
from backoffice.ibkr.scopes import needed

APPS = ("clients", "funding", "trading", "reporting", "backoffice/broker")
METHODS = {(each.family, each.name): each.operations for each in coverage.methods()}
FAMILIES = {family for family, _ in METHODS}


def lane_of(call: ast.AST) -> str | None:
    """Return the lane that a `client_for(..., lane="...")` names."""
    if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("client_for"):
        return None
    return next((ast.literal_eval(each.value) for each in call.keywords if each.arg == "lane"), None)


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def reached(function: ast.AST, functions: dict[str, ast.AST]) -> Iterator[ast.AST]:
    """Yield a function and every one of its module that it names, directly or through another."""
    found, waiting = set[str](), [function]
    while waiting:
        yield (each := waiting.pop())
        names = {node.id for node in ast.walk(each) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(each) if isinstance(node, ast.Attribute) and is_self(node.value)}
        names &= functions.keys() - found
        found |= names
        waiting += [functions[name] for name in names]


def operations_by_lane() -> dict[str, set[str]]:
    """Return the gateway's operations that are called with each lane's client, from the product's syntax trees."""
    found: dict[str, set[str]] = {lane: set() for lane in SCOPES_OF_LANE}
    for path in (path for app in APPS for path in sorted((coverage.ROOT / app).rglob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for function in functions.values():
            for lane in {lane for node in ast.walk(function) if (lane := lane_of(node))}:
                for part in reached(function, functions):
                    for call in coverage.calls(part, FAMILIES):
                        found[lane] |= {each for each in METHODS.get(call, ()) if GATEWAY in each}
    return found


CALLED = operations_by_lane()


def admitted(operation: str, scopes: set[str]) -> bool:
    return bool(set(needed(*operation.split(" "))) & scopes)


def test_the_calls_of_each_lane_are_found() -> None:
    assert f"POST {GATEWAY}/accounts" in CALLED["accounts"]
    assert f"POST {GATEWAY}/external-cash-transfers" in CALLED["funding"]
    assert CALLED["interactive"] == {f"POST {GATEWAY}/sso-browser-sessions"}
    assert CALLED["session"] == {f"POST {GATEWAY}/sso-sessions"}
    assert CALLED["trading"] == set()  # the session's bearer serves them


@pytest.mark.parametrize("lane", sorted(SCOPES_OF_LANE))
def test_a_lane_has_the_scopes_of_its_calls_and_no_other(lane: str) -> None:
    scopes = set(SCOPES_OF_LANE[lane])

    assert [each for each in CALLED[lane] if not admitted(each, scopes)] == []
    if CALLED[lane]:
        idle = {scope for scope in scopes if all(admitted(each, scopes - {scope}) for each in CALLED[lane])}
        assert idle == set()
