"""Bad luck as data: a plan of faults, each hitting chosen requests at one phase of their life.

A fault planted by `POST /_sandbox/faults` is an object with `phase`, `action` and any of

    method, path        which requests; `path` is a regular expression searched in the full path
    headers             {name: regular expression searched in its value}; every one must match
    username, client_id whose requests: the username behind a trading bearer, the client behind an access token
    nth 1, times 1      hits the nth matching request from now on, and so many in a row
    seconds             of latency, hang, penalty or lateness; the clock of `late` is the virtual one
    status 503, body    what `status` answers; `body` also replaces the text of `garbage`
    size 50000000       bytes of `huge`
    back 1              how many answers back `stale` reaches
    then "reset"        how the caller of `late` is cut off: reset, hang or status

Phases: `pre_read` (nothing of the body has been read), `read_not_applied`, `applied_not_answered` (the effect is
committed, then the action happens instead of the answer), `mid_body` (half of the answer leaves), `answered` (the answer
goes out in the form the action gives it; with `reset` it goes out whole and the line is cut).

Actions
    latency             wait, then go on
    hang                wait for `seconds` (600) or until the caller gives up, then cut
    reset               cut the connection: RST, no FIN
    status              this status and body; with effect or without is the phase's business, 4xx and 5xx alike
    garbage, html, empty, truncated, wrong_schema, duplicate_key, huge
                        200 (or the true status) with bytes that are no JSON, a page, nothing, half of the JSON, other
                        JSON, an object that names a member twice, or a very long body
    duplicate           the request is applied twice, where the server's own checks let it
    late                read and not answered; applied `seconds` of virtual time later (only in read_not_applied)
    stale               an older answer to the same GET is given again, as one seen since the fault was planted
    expired_token       the bearer of the request is worth nothing from now on
    steal, compete      the same username logs in elsewhere: takes the brokerage session, or asks for it
    penalty             the caller's address enters the penalty box for `seconds`
    maintenance         the answer of a closed window
The last five change the world before the request goes on, so that it fails by itself (pre_read, read_not_applied); after
its effect and in place of the answer (applied_not_answered: 401, 401, 401, 429, 503); or after the answer (answered).

Random faults are planted by `POST /_sandbox/faults/random {"seed", "rate": 0 to 1, "path"?, "method"?, "actions"?,
"phases"?, "seconds"? 0.2}`. Whether and how the nth request of an endpoint is struck follows from the seed, the method,
the path template and n alone, so that a run with the same requests is struck in the same places; `GET /_sandbox/faults`
lists where that was. Only one random plan holds at a time.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from .jsonio import dumps, loads
from .store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, plan TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0, hits INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS random_faults (id INTEGER PRIMARY KEY CHECK (id = 1), plan TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS random_fault_counts (endpoint TEXT PRIMARY KEY, seen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS random_fault_hits (
    id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, n INTEGER NOT NULL, phase TEXT NOT NULL, action TEXT NOT NULL
)
"""

PHASES = ("pre_read", "read_not_applied", "applied_not_answered", "mid_body", "answered")
DISTURBANCES = ("expired_token", "steal", "compete", "penalty", "maintenance")
FORMS = ("garbage", "html", "empty", "truncated", "wrong_schema", "duplicate_key", "huge")
ACTIONS = ("latency", "hang", "reset", "status", *FORMS, "duplicate", "late", "stale", *DISTURBANCES)
ONLY_IN = {"late": ("read_not_applied",), "stale": ("answered",), "duplicate": ("applied_not_answered", "answered")}
ENDINGS = ("reset", "hang", "status")
DEFAULTS: dict[str, Any] = {
    "method": None, "path": ".*", "headers": {}, "username": None, "client_id": None, "nth": 1, "times": 1,
    "seconds": None, "status": 503, "body": None, "size": 50_000_000, "back": 1, "then": "reset",
}  # fmt: skip

RANDOM_DEFAULTS: dict[str, Any] = {"method": None, "path": ".*", "actions": None, "phases": None, "seconds": None}
# What a random plan draws from: each of these may befall a request without making the rest of a run impossible.
RANDOM_ACTIONS = (
    "latency",
    "reset",
    "status",
    "garbage",
    "html",
    "empty",
    "truncated",
    "wrong_schema",
    "duplicate_key",
)
RANDOM_STATUSES = (400, 401, 429, 500, 502, 503, 504)
MILLION = 1_000_000


class BadPlan(ValueError):
    """The fault is not well formed; the text says why."""


@dataclass(frozen=True)
class Request:
    """What a fault can be aimed at."""

    method: str
    path: str
    endpoint: str
    headers: Mapping[str, str]
    username: str = ""
    client_id: str = ""


@dataclass(frozen=True)
class Fault:
    """One stroke: what happens to the request it hit."""

    id: int
    phase: str
    action: str
    milliseconds: int | None = None
    status: int = 503
    body: str | None = None
    size: int = 50_000_000
    back: int = 1
    then: str = "reset"

    @property
    def is_before_effect(self) -> bool:
        return self.phase in ("pre_read", "read_not_applied")


def plant(store: Store, plan: dict[str, Any]) -> int:
    """Add a fault to the plan and return its id. Raises `BadPlan`."""
    unknown = plan.keys() - DEFAULTS.keys() - {"phase", "action"}
    if unknown:
        raise BadPlan(f"unknown members: {', '.join(sorted(unknown))}")
    whole = {**DEFAULTS, **plan}
    if whole.get("phase") not in PHASES or whole.get("action") not in ACTIONS:
        raise BadPlan(f"phase is one of {', '.join(PHASES)}; action is one of {', '.join(ACTIONS)}")
    phases = ONLY_IN.get(whole["action"])
    if phases and whole["phase"] not in phases:
        raise BadPlan(f"{whole['action']} happens only in {' or '.join(phases)}")
    for name in ("nth", "times", "size", "back"):
        if isinstance(whole[name], bool) or not isinstance(whole[name], int) or whole[name] < 1:
            raise BadPlan(f"{name} is a whole number from 1")
    _check_seconds(whole["seconds"])
    if whole["status"] not in {status.value for status in HTTPStatus if status >= HTTPStatus.OK}:
        raise BadPlan("status is not an HTTP status")
    if whole["then"] not in ENDINGS:
        raise BadPlan(f"then is one of {', '.join(ENDINGS)}")
    if not isinstance(whole["headers"], dict):
        raise BadPlan("headers is an object of names and regular expressions")
    _check_patterns(whole["path"], *whole["headers"].values())
    return store.insert("INSERT INTO faults (plan) VALUES (?)", dumps(whole))


def plant_random(store: Store, plan: dict[str, Any]) -> dict[str, Any]:
    """Replace the random plan and start its counts anew; returns it whole. Raises `BadPlan`."""
    unknown = plan.keys() - RANDOM_DEFAULTS.keys() - {"seed", "rate"}
    if unknown:
        raise BadPlan(f"unknown members: {', '.join(sorted(unknown))}")
    whole = {**RANDOM_DEFAULTS, **plan}
    rate = whole.get("rate")
    if isinstance(rate, bool) or not isinstance(rate, int | Decimal) or not 0 <= rate <= 1:
        raise BadPlan("rate is a number from 0 to 1")
    if isinstance(whole.get("seed"), bool) or not isinstance(whole.get("seed"), int):
        raise BadPlan("seed is a whole number")
    for name, known in (("actions", ACTIONS), ("phases", PHASES)):
        if whole[name] is not None and (not isinstance(whole[name], list) or set(whole[name]) - set(known)):
            raise BadPlan(f"{name} is a list out of {', '.join(known)}")
    _check_seconds(whole["seconds"])
    _check_patterns(whole["path"])
    clear_random(store)
    store.execute("INSERT INTO random_faults VALUES (1, ?)", dumps(whole))
    return whole


def _check_seconds(seconds: Any) -> None:
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | Decimal) or seconds < 0):
        raise BadPlan("seconds is a number from 0")


def _check_patterns(*patterns: Any) -> None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise BadPlan(f"not a regular expression: {error}") from error


def listed(store: Store) -> list[dict[str, Any]]:
    return [
        {"id": row["id"], **loads(row["plan"]), "seen": row["seen"], "hits": row["hits"]}
        for row in store.rows("SELECT * FROM faults ORDER BY id")
    ]


def listed_random(store: Store) -> dict[str, Any] | None:
    """The random plan and every stroke of it so far, oldest first; None without one."""
    plan = store.value("SELECT plan FROM random_faults")
    if plan is None:
        return None
    hits = store.rows("SELECT endpoint, n, phase, action FROM random_fault_hits ORDER BY id")
    return {**loads(plan), "hits": [dict(row) for row in hits]}


def clear(store: Store) -> int:
    """End all bad luck; how many faults were planted."""
    clear_random(store)
    return store.execute("DELETE FROM faults")


def clear_random(store: Store) -> None:
    for table in ("random_faults", "random_fault_counts", "random_fault_hits"):
        store.execute(f"DELETE FROM {table}")


def strike(store: Store, request: Request) -> tuple[Fault | None, bool]:
    """Count this request against every matching fault; the one that hits it, and whether its answer must be remembered."""
    struck: Fault | None = None
    is_remembered = False
    for row in store.rows("SELECT * FROM faults ORDER BY id"):
        plan = loads(row["plan"])
        if not _matches(plan, request):
            continue
        is_remembered = is_remembered or plan["action"] == "stale"
        seen = row["seen"] + 1
        is_hit = struck is None and plan["nth"] <= seen < plan["nth"] + plan["times"]
        store.execute("UPDATE faults SET seen = ?, hits = hits + ? WHERE id = ?", seen, int(is_hit), row["id"])
        if is_hit:
            struck = Fault(
                row["id"], plan["phase"], plan["action"], _milliseconds(plan["seconds"]), plan["status"], plan["body"],
                plan["size"], plan["back"], plan["then"],
            )  # fmt: skip
    return struck or _strike_at_random(store, request), is_remembered


def _matches(plan: dict[str, Any], request: Request) -> bool:
    return (
        (not plan["method"] or plan["method"].upper() == request.method)
        and re.search(plan["path"], request.path) is not None
        and (not plan["username"] or plan["username"] == request.username)
        and (not plan["client_id"] or plan["client_id"] == request.client_id)
        and all(re.search(wanted, request.headers.get(name.lower(), "")) for name, wanted in plan["headers"].items())
    )


def _milliseconds(seconds: int | Decimal | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def _strike_at_random(store: Store, request: Request) -> Fault | None:
    text = store.value("SELECT plan FROM random_faults")
    if text is None:
        return None
    plan = loads(text)
    if not _matches({**plan, "headers": {}, "username": None, "client_id": None}, request):
        return None
    endpoint = f"{request.method} {request.endpoint}"
    n = int(store.value("SELECT seen FROM random_fault_counts WHERE endpoint = ?", endpoint) or 0) + 1
    store.execute(
        "INSERT INTO random_fault_counts VALUES (?, ?) ON CONFLICT (endpoint) DO UPDATE SET seen = excluded.seen",
        endpoint, n,
    )  # fmt: skip
    luck = random.Random(f"{plan['seed']}:{endpoint}:{n}")
    if luck.randrange(MILLION) >= plan["rate"] * MILLION:
        return None
    action = luck.choice(plan["actions"] or RANDOM_ACTIONS)
    phases = [phase for phase in plan["phases"] or PHASES if phase in ONLY_IN.get(action, PHASES)]
    if not phases:
        return None
    phase = luck.choice(phases)
    longest = _milliseconds(plan["seconds"]) or 200
    store.execute(
        "INSERT INTO random_fault_hits (endpoint, n, phase, action) VALUES (?, ?, ?, ?)", endpoint, n, phase, action
    )
    return Fault(0, phase, action, luck.randrange(1, longest + 1), luck.choice(RANDOM_STATUSES))
