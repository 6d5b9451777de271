"""The ASGI application: its families, and the sandbox opened for them."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from . import (
    accounts,
    am_requests,
    applications,
    audit,
    banking,
    books,
    callbacks,
    clock,
    confirmations,
    control,
    documents,
    enumerations,
    evening,
    faults,
    forms,
    kernel,
    kyc,
    late,
    ledger,
    limits,
    login_messages,
    mail,
    maintenance,
    oauth,
    reads,
    reports,
    review,
    sso,
    trading,
    utilities,
    world,
)
from .exchange import Exchange
from .kernel import Sandbox
from .limits import Limits
from .market import Market
from .problems import problem
from .requestlog import RequestLog
from .store import Store

KERNEL = (clock, kernel, ledger, books, accounts, faults, late)
FAMILIES = (
    oauth,
    sso,
    am_requests,
    applications,
    review,
    reads,
    maintenance,
    evening,
    documents,
    forms,
    enumerations,
    login_messages,
    kyc,
    mail,
    callbacks,
    banking,
    reports,
    confirmations,
    audit,
    utilities,
    trading,
    control,
)


def open_sandbox(state_dir: Path, seed: int) -> Sandbox:
    """Open the state directory, made if missing. Without a world one is built; a world in it keeps its own seed."""
    state_dir.mkdir(parents=True, exist_ok=True)
    store = Store(state_dir / "sandbox.sqlite3")
    for module in (*KERNEL, *FAMILIES):
        store.add_schema(module.SCHEMA)
    virtual = clock.Clock(store)
    stored = store.value("SELECT value FROM meta WHERE key = 'seed'")
    seed = seed if stored is None else int(stored)
    config = kernel.Config(store)
    sandbox = Sandbox(
        store, virtual, seed, config, books.Books(store, virtual), ledger.Ledger(store, virtual),
        accounts.Accounts(store), Market(seed, virtual), world.build,
        RequestLog(state_dir / "requests.sqlite3"), Limits(config.get),
    )  # fmt: skip
    for family in FAMILIES:
        if hasattr(family, "register"):
            family.register(sandbox)
    with store.transaction():
        oauth.signing_key(store)
        if not sandbox.accounts.masters():
            sandbox.reset(seed)
    return sandbox


def _not_found(request: Request, _error: Exception) -> Response:
    """A path that nobody serves: a page on the trading side (trading.md 1.4), a problem elsewhere."""
    if request.url.path.startswith(limits.TRADING):
        return Response("<html>Resource not found</html>", 404, media_type="text/html")
    return problem(404)


class Application(Starlette):
    """Starlette with the exchange around everything, so that a fault sees the connection itself behind `send`."""

    def __init__(self, sandbox: Sandbox, routes: list[BaseRoute]) -> None:
        super().__init__(routes=routes, exception_handlers={404: _not_found})
        self.state.sandbox = sandbox

    def build_middleware_stack(self) -> ASGIApp:
        return Exchange(super().build_middleware_stack(), self.state.sandbox, self.routes)


def build(state_dir: Path, seed: int = 1) -> Starlette:
    sandbox = open_sandbox(state_dir, seed)
    return Application(sandbox, [route for family in FAMILIES for route in family.routes(sandbox)])
