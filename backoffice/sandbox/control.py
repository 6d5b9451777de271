"""`/_sandbox/`: how tests and set-up look behind the curtain and drive the world. Never logged, never struck by faults.

    GET  health | world | ledger?kind=&key= | requests?path=&method= | faults | config | clients | limits | windows
    POST reset {"seed"?, "at"?} | clock {"offset_seconds"} | advance {"seconds"} | config {name: value} | clients {...}
    POST faults {plan} | faults/random {"seed", "rate", ...}    see faults.py
    POST accounts/{account} {"state"} or {"status"} or {"task": form number, "reject": reason | "complete": true}
    DELETE requests | faults | limits                           the last: the box is left, the windows are empty
Knobs are those of knobs.py; null turns one back. Answers are objects: {"effects": [...]}, {"requests": [...]},
{"faults": [...]}; a mistake is 400 {"error": sentence}.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import faults, oauth, review, windows, world
from .exchange import microseconds
from .jsonio import answer, loads
from .kernel import Sandbox
from .knobs import KNOBS

SCHEMA = ""


class Mistake(ValueError):
    """What the caller got wrong, in a sentence."""


def routes(sandbox: Sandbox) -> list[Route]:
    def route(method: str, path: str, handler: Callable[[Sandbox, Request, Any], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            try:
                body = loads(raw) if raw else {}
                if not isinstance(body, dict):
                    raise Mistake("the body must be a JSON object")
                return answer(handler(sandbox, request, body))
            except (Mistake, faults.BadPlan, oauth.WeakKey) as error:
                return answer({"error": str(error)}, 400)
            except ValueError:
                return answer({"error": "the body is not JSON"}, 400)

        return Route(f"/_sandbox{path}", endpoint, methods=[method])

    return [
        route("GET", "/health", _health),
        route("GET", "/world", lambda box, _request, _body: world.describe(box)),
        route("POST", "/reset", _reset),
        route("POST", "/clock", _set_clock),
        route("POST", "/advance", _advance),
        route("GET", "/config", _knobs),
        route("POST", "/config", _configure),
        route("GET", "/faults", _faults),
        route("POST", "/faults", lambda box, _request, body: {"id": faults.plant(box.store, body)}),
        route("POST", "/faults/random", lambda box, _request, body: faults.plant_random(box.store, body)),
        route("DELETE", "/faults", lambda box, _request, _body: {"deleted": faults.clear(box.store)}),
        route("GET", "/limits", lambda box, _request, _body: box.limits.describe(microseconds())),
        route("DELETE", "/limits", _forget_limits),
        route("GET", "/windows", lambda box, _request, _body: windows.describe(box)),
        route("GET", "/requests", _requests),
        route("DELETE", "/requests", lambda box, _request, _body: {"deleted": box.requests.clear()}),
        route("GET", "/ledger", _ledger),
        route("GET", "/clients", _clients),
        route("POST", "/clients", _register_client),
        route("POST", "/accounts/{account}", _drive_account),
    ]


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Mistake(f"{name} must be a whole number")
    return value


def _forget_limits(sandbox: Sandbox, request: Request, body: Any) -> Any:
    sandbox.limits.clear()
    return sandbox.limits.describe(microseconds())


def _health(sandbox: Sandbox, _request: Request, _body: Any) -> dict[str, Any]:
    return {
        "ok": True, "now": sandbox.clock.now().isoformat(), "offset_seconds": sandbox.clock.offset_seconds,
        "seed": sandbox.seed,
        "masters": [master.account for master in sandbox.accounts.masters()],
    }  # fmt: skip


def _reset(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    at = body.get("at")
    try:
        instant = None if at is None else datetime.fromisoformat(str(at)).astimezone(UTC)
    except ValueError as error:
        raise Mistake("at must be an ISO 8601 instant") from error
    sandbox.reset(_whole(body, "seed") if "seed" in body else sandbox.seed, instant)
    return {"seed": sandbox.seed}


def _faults(sandbox: Sandbox, _request: Request, _body: Any) -> dict[str, Any]:
    return {"faults": faults.listed(sandbox.store), "random": faults.listed_random(sandbox.store)}


def _set_clock(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    sandbox.clock.set_offset(_whole(body, "offset_seconds"))
    sandbox.tick()
    return {"now": sandbox.clock.now().isoformat(), "offset_seconds": sandbox.clock.offset_seconds}


def _advance(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    sandbox.clock.advance(_whole(body, "seconds"))
    sandbox.tick()
    return {"now": sandbox.clock.now().isoformat(), "offset_seconds": sandbox.clock.offset_seconds}


def _configure(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    for name, value in body.items():
        knob = KNOBS.get(name)
        if knob is None:
            raise Mistake(f"there is no knob {name}; GET /_sandbox/config lists them")
        if value is not None and not knob.fits(value):
            raise Mistake(f"{name} takes {knob.takes}, not {value!r}")
    for name, value in body.items():
        if value is None:
            sandbox.config.unset(name)
        else:
            sandbox.config.set(name, value)
    return sandbox.config.all()


def _knobs(sandbox: Sandbox, _request: Request, _body: Any) -> dict[str, Any]:
    """Every knob with what it stands at, what it takes and what it plays."""
    turned = sandbox.config.all()
    return {
        name: {
            "value": turned.get(name, knob.default),
            "default": knob.default,
            "takes": knob.takes,
            "plays": knob.meaning,
        }
        for name, knob in KNOBS.items()
    }


def _requests(sandbox: Sandbox, request: Request, _body: Any) -> dict[str, Any]:
    path, method = request.query_params.get("path", ""), request.query_params.get("method", "").upper()
    return {"requests": sandbox.requests.found(path, method)}


def _ledger(sandbox: Sandbox, request: Request, _body: Any) -> dict[str, Any]:
    effects = sandbox.ledger.effects(request.query_params.get("kind"), request.query_params.get("key"))
    return {"effects": [asdict(effect) for effect in effects]}


def _clients(sandbox: Sandbox, _request: Request, _body: Any) -> dict[str, Any]:
    return {
        "clients": [
            dict(row)
            for row in sandbox.store.rows("SELECT client_id, kid, master, username, scopes FROM oauth_clients")
        ]
    }


def _register_client(sandbox: Sandbox, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
    for name in ("client_id", "kid", "public_key_pem", "master_account"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Mistake(f"{name} is missing")
    master = sandbox.accounts.master(body["master_account"])
    if master is None:
        raise Mistake(f"no master account {body['master_account']}; GET /_sandbox/world lists them")
    scopes = body.get("scopes") or sorted(oauth.SCOPES)
    wanted = frozenset(scopes.split() if isinstance(scopes, str) else scopes)
    if wanted - oauth.SCOPES:
        raise Mistake(f"unknown scopes: {' '.join(sorted(wanted - oauth.SCOPES))}")
    username = body.get("username") or master.username
    oauth.register_client(
        sandbox.store, client_id=body["client_id"], kid=body["kid"], public_key_pem=body["public_key_pem"],
        master=master.account,
        username=username, scopes=wanted,
    )  # fmt: skip
    return {
        "client_id": body["client_id"],
        "kid": body["kid"],
        "master_account": master.account,
        "username": username,
        "scopes": sorted(wanted),
    }


def _drive_account(sandbox: Sandbox, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    number = request.path_params["account"]
    found = sandbox.accounts.get(number)
    if found is None:
        raise Mistake(f"no account {number}")
    if "task" in body:
        _drive_task(sandbox, number, body)
    elif body.get("state") in review.STAGES:
        review.set_state(sandbox, number, body["state"])
    elif body.get("status") == "A":
        review.abandon(sandbox, found, sandbox.clock.now())
    elif body.get("status") == "R":
        review.reject(sandbox, found, sandbox.clock.now())
    elif body.get("status") == "C":
        sandbox.accounts.update(number, status="C", state="", due_at=None, date_closed=sandbox.clock.now())
    else:
        raise Mistake(f"state is one of {', '.join(review.STAGES)}; status is one of C, A, R; or name a task")
    account = sandbox.accounts.get(number)
    return {"account": number, "status": account.status if account else "", "state": account.state if account else ""}


def _drive_task(sandbox: Sandbox, account: str, body: dict[str, Any]) -> None:
    form = _whole(body, "task")
    task = next((task for task in review.tasks(sandbox, account) if task.form_number == form), None)
    if task is None:
        review.add_task(sandbox, account, form, is_online=bool(body.get("online", False)), external_id="", entity_id=0)
        task = review.tasks(sandbox, account)[-1]
    if "reject" in body:
        review.reject_task(sandbox, task.id, str(body["reject"]))
    elif body.get("complete"):
        review.judge_task(sandbox, task)
