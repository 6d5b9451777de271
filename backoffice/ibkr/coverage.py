"""`python -m backoffice.ibkr.coverage` writes COVERAGE.md: every operation of IBKR's, and what is done about it.

Nothing in it is kept by hand. A client method belongs to the operation its docstring begins with ("GET /path: ...",
"POST /path/{id}. ..."; the path may stand without /gw/api/v1 or /v1/api). Who uses it and what proves it are the calls
`client.<family>.<method>` in the product's and the tests' syntax trees. What an application can say is read from the
types (`typed_members`). Needs a checkout: the tests are read too.
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backoffice.ibkr import typed_members
from backoffice.ibkr.operations import GATEWAY, OPERATIONS, TRADING

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent.parent
TARGET = PACKAGE / "COVERAGE.md"
USERS = ("clients", "funding", "trading", "reporting", "backoffice/broker", "backoffice/ibkr/checkup.py")
PROOFS = ("tests/contract", "tests/ibkr")
WIRE_NAMES = "tests/ibkr/wire_names.json"  # IBKR's names of members, an excerpt of its specification
PREFIXES = (GATEWAY, "/gw/api/v2", TRADING, "")

_FUNDING = "Comes with the module of funding."
_REPORTS = "Comes with the module of reports."
# Why a group, or one operation, has no method.
REASONS: dict[str, str] = {
    "Banking": _FUNDING,
    "Banking, since 2.39": _FUNDING,
    "Reports": _REPORTS,
    "Tax vouchers, since 2.39": _REPORTS,
    "Restrictions": "Comes with the module of restrictions.",
    "Restrictions, since 2.39": "Comes with the module of restrictions.",
    "Models": "Comes with the module of models.",
    "Models, from the documentation": "Comes with the module of models.",
    "Alerts": "Comes with the module of alerts.",
    "Watchlists": "Comes with the module of watchlists.",
    "Registration, since 2.39": "Left out: seem to drive IBKR's own test system, and their bodies are not described.",
    "Scanner": "Left out on purpose: no page of ours scans markets.",
    "Event contracts": "Left out on purpose: advisors' clients do not hold them.",
    "Notification devices": "Left out on purpose: our people read notifications here, not on IBKR's devices.",
    "OAuth 1.0a": "Left out on purpose: OAuth 2.0 is used.",
    f"POST {TRADING}/pa/summary": "Left out: named in the pacing table only, its body is not described.",
}

# What IBKR's documents name without describing, and a method of ours reads all the same.
ASSUMED: dict[str, str] = {
    f"GET {TRADING}/md/regsnapshot": "assumed: the field numbers of a snapshot, bare or in a list",
    f"POST {TRADING}/hmds/auth/init": "assumed: anything but a refusal is a yes",
    f"GET {TRADING}/hmds/history": "assumed: the bars and the parameters of /iserver/marketdata/history",
}

_OPERATION = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) ((?:/(?:\{[^}]*\}|[A-Za-z0-9_-]|:(?=bulk))+)+)")
_SPEAKS_OF_A_CLIENT = re.compile(r"client|connected", re.IGNORECASE)


@dataclass(slots=True)
class Method:
    """One method of the client: `funding.withdraw`, what it covers, who calls it and which tests do."""

    family: str
    name: str
    operations: tuple[str, ...]
    used_by: set[str] = field(default_factory=set)
    proven_by: set[str] = field(default_factory=set)


def methods(package: Path = PACKAGE) -> list[Method]:
    """Return every method of the client's families that names an operation. Raises ValueError for an unknown one."""
    families = _families(package)
    found: list[Method] = []
    for path in sorted(package.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and (family := families.get(node.name)):
                found += [
                    Method(family, each.name, covered)
                    for each in node.body
                    if isinstance(each, ast.FunctionDef)
                    and not each.name.startswith("_")
                    and (covered := _operations_of(ast.get_docstring(each) or "", f"{family}.{each.name}"))
                ]
    return found


def report(root: Path = ROOT) -> str:
    """Return the text of COVERAGE.md for a checkout."""
    written = _written(used_and_proven(root))
    wire_names = root / WIRE_NAMES
    if not wire_names.is_file():
        return written
    section = typed_members.section(json.loads(wire_names.read_text(encoding="utf-8")))
    return written + "\n" + "\n".join(section) + "\n"


def used_and_proven(root: Path = ROOT) -> list[Method]:
    """Return every method of a checkout's client with the files that call it."""
    known = methods(root / "backoffice" / "ibkr")
    by_call = {(each.family, each.name): each for each in known}
    families = {each.family for each in known}
    for places, kept in ((USERS, "used_by"), (PROOFS, "proven_by")):
        for path in _files(root, places):
            place = path.relative_to(root).as_posix()
            for call in calls(ast.parse(path.read_text(encoding="utf-8")), families):
                if call in by_call:
                    getattr(by_call[call], kept).add(place)
    return known


def _families(package: Path) -> dict[str, str]:
    """Return the attribute of IbkrClient that each family's class becomes."""
    tree = ast.parse((package / "client.py").read_text(encoding="utf-8"))
    return {
        node.value.func.id: target.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    }


def _operations_of(docstring: str, where: str) -> tuple[str, ...]:
    first_line = docstring.partition("\n")[0]
    found: list[str] = []
    for match in _OPERATION.finditer(first_line) if _OPERATION.match(first_line) else ():
        meant = _meant(match[1], match[2])
        if not meant:
            raise ValueError(f"{where} names {match[0]}, which is no operation in operations.py.")
        found += [each for each in meant if each not in found]
    return tuple(found)


def _meant(verb: str, path: str) -> tuple[str, ...]:
    """Return the operations that a docstring's path stands for: itself, or those that differ only in a hole."""
    everything = [operation for group in OPERATIONS.values() for operation in group if operation.startswith(f"{verb} ")]
    for is_same in (_is_same, _is_like):
        for prefix in PREFIXES:
            wanted = f"{prefix}{path}".split("/")
            if found := tuple(each for each in everything if is_same(each.partition(" ")[2].split("/"), wanted)):
                return found
    return ()


def _is_same(operation: list[str], wanted: list[str]) -> bool:
    return [_hole(each) for each in operation] == [_hole(each) for each in wanted]


def _is_like(operation: list[str], wanted: list[str]) -> bool:
    pairs = zip(operation, wanted, strict=False)
    return len(operation) == len(wanted) and all("{" in theirs + ours or theirs == ours for theirs, ours in pairs)


def _hole(segment: str) -> str:
    return "{}" if segment.startswith("{") else segment


def _files(root: Path, places: tuple[str, ...]) -> Iterator[Path]:
    for place in places:
        path = root / place
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def calls(tree: ast.AST, families: set[str]) -> Iterator[tuple[str, str]]:
    """Every `<a client>.<family>.<method>`, also through a name that was given `<a client>.<family>`."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (family := _family_of(node.value, families)):
            aliases |= {target.id: family for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            for target in node.targets:
                if isinstance(target, ast.Tuple):
                    pairs = zip(target.elts, node.value.elts, strict=False)
                    aliases |= {
                        name.id: family
                        for name, value in pairs
                        if isinstance(name, ast.Name) and (family := _family_of(value, families))
                    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield aliases[node.value.id], node.attr
        elif family := _family_of(node.value, families):
            yield family, node.attr


def _family_of(node: ast.expr, families: set[str]) -> str:
    """Return the family that an expression such as `self._client.orders` means, or "" for anything else."""
    if (
        isinstance(node, ast.Attribute)
        and node.attr in families
        and _SPEAKS_OF_A_CLIENT.search(ast.unparse(node.value))
    ):
        return node.attr
    return ""


def _written(known: list[Method]) -> str:
    by_operation: dict[str, list[Method]] = {}
    for method in known:
        for operation in method.operations:
            by_operation.setdefault(operation, []).append(method)
    total = sum(len(group) for group in OPERATIONS.values())
    lines = [
        "# What the client covers of IBKR's Web API",
        "",
        "Generated by `python -m backoffice.ibkr.coverage`; do not edit. Operations are those of IBKR's OpenAPI file",
        "2.28.0 and the newer ones its documentation names. *Used by* are the product's call sites, *proven by* the",
        "tests that call the method: `contract` against the sandbox process, `ibkr` against every shape of an answer.",
        "",
        f"{total} operations: {len(by_operation)} have a method, {total - len(by_operation)} have none for the reason given.",
    ]
    for group, operations in OPERATIONS.items():
        lines += ["", f"## {group}", "", "| operation | method | used by | proven by |", "|---|---|---|---|"]
        lines += [_row(operation, group, by_operation.get(operation, [])) for operation in operations]
    return "\n".join(lines) + "\n"


def _row(operation: str, group: str, offered: list[Method]) -> str:
    if not offered:
        return f"| `{operation}` | none: {reason(operation, group) or '**no reason**'} | | |"
    names = ", ".join(f"`{each.family}.{each.name}`" for each in offered)
    if operation in ASSUMED:
        names += f" ({ASSUMED[operation]})"
    users = sorted({place for each in offered for place in each.used_by})
    proofs = sorted({place.removeprefix("tests/") for each in offered for place in each.proven_by})
    return f"| `{operation}` | {names} | {', '.join(users)} | {', '.join(proofs) or '**nothing**'} |"


def reason(operation: str, group: str) -> str:
    """Return why an operation has no method; empty when nobody has said."""
    return REASONS.get(operation) or REASONS.get(group) or ""


def main() -> int:
    """Write the file, or with --check only compare it; 1 when it is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the file is stale")
    arguments = parser.parse_args()
    text = report()
    if arguments.check:
        is_current = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        sys.stdout.write("" if is_current else f"{TARGET} is stale. Run: python -m backoffice.ibkr.coverage\n")
        return 0 if is_current else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
