"""The pages of the simulated Client Portal that a client reaches by single sign-on."""

from collections.abc import Mapping
from html import escape

from .accounts import AccountRow

# The pages an ACTION opens, letter by letter; those of FRAMED can be shown without navigation.
FRAMED = frozenset(
    {
        "AccountSettings", "AccountSettings&config=Profile", "AccountSettings&config=TradingPermissions", "Statement",
        "RecurringInvestment", "TransactionHistory", "RpTransactionHistory", "TransferFunds", "TransferPositions",
    }
)  # fmt: skip
PAGES = FRAMED | {
    "AccountSettings&config=WhiteBranding", "FUNDING_INSTRUCTIONS", "DOC", "CS_WEB_TICKET", "CLOSE_ACCOUNT", "PASSWORDCHG",
    "SECURE_LOGIN", "RM_TAX_FORMS", "CHANGE_EMAIL",
}  # fmt: skip
LINKAGE, HOME = "AA_LINKAGE", ""

_STYLE = """
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1d2530;background:#eef1f5}
header{background:#a3101f;color:#fff;padding:.9rem 1.5rem;display:flex;justify-content:space-between;flex-wrap:wrap;gap:.5rem}
header b{letter-spacing:.02em}
main{max-width:44rem;margin:2rem auto;background:#fff;padding:1.5rem 2rem;border-radius:6px;box-shadow:0 1px 3px #0002}
h1{font-size:1.35rem;margin:.2rem 0 1rem}h2{font-size:1.05rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem}dt{color:#5b6675}dd{margin:0}
li{margin:.3rem 0}button{font:inherit;background:#a3101f;color:#fff;border:0;border-radius:4px;padding:.6rem 1.2rem;cursor:pointer}
footer{max-width:44rem;margin:0 auto 2rem;color:#5b6675;font-size:.85rem}
"""


def _page(title: str, who: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><b>IBKR Client Portal (simulated)</b><span>{escape(who)}</span></header><main>{content}</main>"
        "<footer>This is the sandbox's stand-in for IBKR's portal. Nothing here reaches Interactive Brokers.</footer></body></html>"
    )


def asked_for(query: Mapping[str, str]) -> str:
    """The page a link's parameters lead to; the portal's home for an unknown one, or one that is asked for without navigation
    and cannot be shown so.
    """
    action = query.get("ACTION", "")
    if query.get("forwardTo") == LINKAGE and query.get("masterAccountId"):
        return LINKAGE
    page = f"{action}&config={query['config']}" if action == "AccountSettings" and "config" in query else action
    if page not in PAGES:
        return HOME
    cannot_be_framed = page not in FRAMED or "autoSelect" in query
    return HOME if query.get("showNavBar") == "false" and cannot_be_framed else page


def refused(reason: str) -> str:
    text = f"<h1>You cannot be signed in</h1><p>{escape(reason)}</p><p>Please ask for a new link.</p>"
    return _page("Sign-in failed - IBKR Client Portal (simulated)", "Not signed in", text)


def portal(
    name: str,
    username: str,
    action: str,
    account: AccountRow | None,
    steps: list[str],
    portal_id: str,
    *,
    has_change: bool = False,
) -> str:
    """The landing page: who is signed in, the page asked for, and what is left to do for the account."""
    rows = [("Signed in as", f"{name} ({username})"), ("Page", action or "Home")]
    if account:
        rows += [
            ("Account", account.account),
            ("Title", account.title),
            ("Status", f"{account.status} - {account.state}"),
        ]
    facts = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows)
    content = f"<h1>Welcome, {escape(name)}</h1><dl>{facts}</dl>"
    if steps:
        content += "<h2>Remaining steps</h2><ul>" + "".join(f"<li>{escape(step)}</li>" for step in steps) + "</ul>"
    elif account and account.status in ("N", "P"):
        content += "<p>There is nothing left for you to do. We are reviewing your application.</p>"
    if account and account.state == "Incomplete Application":
        content += f'<form method="post" action="/sso/portal/{escape(portal_id)}/finish"><button>Finish application</button></form>'
    if has_change:
        content += (
            "<h2>Change of your advisor's fees</h2>"
            f'<form method="post" action="/sso/portal/{escape(portal_id)}/acknowledge">'
            "<button>Acknowledge the change</button></form>"
        )
    return _page("IBKR Client Portal (simulated)", username, content)


def identity_check(what: str, *, is_done: bool) -> str:
    """The stand-in for Au10tix: one button instead of a camera."""
    text = f"<h1>{escape(what)}</h1>"
    text += (
        "<p>Your identity has been verified. You may close this page.</p>"
        if is_done
        else '<p>The real page would take photographs here.</p><form method="post"><button>Verify my identity</button></form>'
    )
    return _page("Identity check (simulated)", "", text)
