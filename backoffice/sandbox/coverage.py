"""COVERAGE.md of the sandbox: what it serves, family by family, and what it leaves out or plays more simply than IBKR.

`python -m backoffice.sandbox.coverage` writes the file. The operations are read from the routes of the application
itself, so that none can be listed that is not served; SIMPLIFIED is what a person knows and has to keep true.
"""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from starlette.routing import Route, WebSocketRoute

from . import faults
from .app import FAMILIES, open_sandbox
from .doubts import DOUBTS, Doubt
from .jsonio import dumps
from .knobs import KNOBS

FILE = Path(__file__).with_name("COVERAGE.md")
CONTROL = "/_sandbox/"
SIMPLIFIED = (
    "Settlement of trades is immediate: cash and positions move with the execution.",
    "The review of an application takes minutes of the virtual clock, not days.",
    "Prices are a function of (seed, instrument, minute); there is no order book, and fills never move the market.",
    "Market hours bind orders only with the knob `market_hours`; without it a market order fills at any hour.",
    "Of banking: wires and deposits by external-cash-transfers, the query of bank instructions and the polling of"
    " instructions. Saved bank instructions, internal transfers, transfers of positions, recurring instructions, cancels, bulk"
    " endpoints and the history query are not served.",
    "Of reports: statements and trade confirmations. Tax documents and vouchers are not served.",
    "Models (/fa), alerts, watchlists, the scanner, event contracts, delivery options of notices, restrictions and"
    " OAuth 1.0a are not served.",
    "Orders are taken in shares, depositary receipts and exchange-traded funds. Options, futures, bonds, currencies and indices"
    " can be looked up, quoted and charted, and an order for one is refused: no trading permissions.",
    "Orders are for whole units of one contract: fractions of a share, combinations (a conidex with legs), currency"
    " conversions (fxQty) and model orders are refused; `strategy` and `taxOptimizerId` are read past, as unknown keys are.",
    "/hmds and /md/regsnapshot answer in forms that are assumed, for nobody describes them; the fee of a regulatory snapshot"
    " is a row of the ledger and touches no account's cash.",
    "GTD does not exist (the interface has no date field for it); of crypto's time in force, PAX, nothing is played.",
    "The statuses PreCancelled and WarnState are never shown.",
    "An order that has only partly been filled when it ends keeps the shares as they were given, fill by fill.",
    "Fees, dividends and the history before the world began are seeded, not earned day by day.",
    "A seed reproduces the world, prices, fills and shares; tokens and the ids of questions are drawn anew. The counts of"
    " limits and the penalty box are those of the process and forgotten with it; all else survives a restart.",
    "Where IBKR prints no sentence or code for a refusal, the words are the sandbox's own; the module that refuses says so.",
)

STRICT = (
    "Signed bodies are bare compact JWS with RS256: another algorithm, a wrong kid, a clock beyond the leeway, a binary or"
    " non-ASCII character and, in banking, a null member are refused (400). An unknown or misspelt property, or a value that"
    " is not listed, is an Error in a 200 from /accounts and 400 elsewhere.",
    "A token's scopes are looked at call by call: one that is missing is 403. An assertion's audience, life and jti are"
    " looked at; a jti works once.",
    "No User-Agent is 403 as from IBKR's edge, without a problem document.",
    "An account of another master, and one that is not related to the session, is refused as if it did not exist.",
    "Limits answer 429. Those of the trading side lead to the penalty box, which shuts the whole address out; calls from the"
    " box begin it anew.",
    "Maintenance windows close their side at New York's and their region's hours, daylight saving included.",
    "Trading needs SSO, init, the second in which a session is established, and its primers: orders before"
    " /iserver/accounts, subaccounts before a portfolio, a first cold snapshot, presets overwritten by a TWS login.",
    "A question's reply id is void after the next order, after its lifetime, and in another session.",
    "SSO links open once, from the address they were asked for; SSO bearers are bound to theirs.",
    "`DELETE .../order/-1` cancels every open order, as it does at IBKR.",
)


def operations() -> dict[str, list[str]]:
    """Every operation served, `METHOD /path`, by the family that serves it; the control interface is left out."""
    found: dict[str, list[str]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as state:
        sandbox = open_sandbox(Path(state), seed=1)
        for family in FAMILIES:
            name = family.__name__.rpartition(".")[2]
            for route in family.routes(sandbox):
                if isinstance(route, WebSocketRoute):
                    found[name].append(f"WEBSOCKET {route.path}")
                elif isinstance(route, Route) and not route.path.startswith(CONTROL):
                    found[name] += [f"{method} {route.path}" for method in sorted((route.methods or set()) - {"HEAD"})]
        sandbox.store.close()
    return found


def text() -> str:
    """The whole file."""
    served = operations()
    count = sum(map(len, served.values()))
    lines = [
        "# What the sandbox covers of IBKR's Web API",
        "",
        "Generated by `python -m backoffice.sandbox.coverage`; do not edit. The operations are those of its own routes.",
        "Every exchange of every test is held against IBKR's OpenAPI file as well (tests/specification.py).",
        "",
        f"{count} operations, the control interface below `{CONTROL}` left out.",
        "",
        "## Simpler than IBKR",
        "",
        *(f"- {each}" for each in SIMPLIFIED),
    ]
    lines += ["", "## What IBKR leaves open, and what is played of it", ""]
    lines += [
        'Every "(?)" and "(verify)" of our facts about what is served. Without a knob only what stands there is played.',
        "",
        "| facts | question | knobs | always | why there is no knob |",
        "|---|---|---|---|---|",
        *(_doubt(each) for each in DOUBTS),
    ]
    lines += ["", "## Strict where IBKR is", "", *(f"- {each}" for each in STRICT)]
    lines += ["", "## Faults: what can befall a request, and in which phases", ""]
    lines += ["| action | " + " | ".join(faults.PHASES) + " |", "|---|" + "---|" * len(faults.PHASES)]
    for action in faults.ACTIONS:
        possible = faults.ONLY_IN.get(action, faults.PHASES)
        lines.append(
            f"| {action} | " + " | ".join("yes" if phase in possible else "" for phase in faults.PHASES) + " |"
        )
    lines += [
        "",
        "The websocket's handshake is struck like any request; what goes wrong on an open stream is played by",
    ]
    lines += ["`POST /_sandbox/stream`: torn, closed, silent, stalled, or saying what it is told to say."]
    lines += ["", "## Knobs: both answers where the facts leave one open", ""]
    lines += ["| knob | default | takes | plays |", "|---|---|---|---|"]
    lines += [f"| `{knob.name}` | `{dumps(knob.default)}` | {knob.takes} | {knob.meaning} |" for knob in KNOBS.values()]
    for family in sorted(served):
        lines += ["", f"## {family}", "", *(f"- `{each}`" for each in sorted(served[family]))]
    return "\n".join(lines) + "\n"


def _doubt(doubt: Doubt) -> str:
    knobs = ", ".join(f"`{name}`" for name in doubt.knobs)
    return f"| {doubt.document} {doubt.section} | {doubt.question} | {knobs} | {doubt.always} | {doubt.unplayable} |"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE.name} written\n")
