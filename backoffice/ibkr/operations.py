"""Every operation of IBKR's Web API that is known, as data: group by group, "METHOD /path" with `{}` templates.

From IBKR's OpenAPI file 2.28.0, and the newer or undescribed ones that its documentation names (marked by their own
groups). The limiter finds an endpoint's template here; COVERAGE.md is this list with what is done about each.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

GATEWAY = "/gw/api/v1"
TRADING = "/v1/api"
TOKEN = "/oauth2/api/v1/token"  # noqa: S105 - a path

OPERATIONS: dict[str, tuple[str, ...]] = {
    "Token": (f"POST {TOKEN}",),
    "Sign-on": (f"POST {GATEWAY}/sso-browser-sessions", f"POST {GATEWAY}/sso-sessions"),
    "Echo": (f"GET {GATEWAY}/echo/https", f"POST {GATEWAY}/echo/signed-jwt"),
    "Accounts": (
        f"GET {GATEWAY}/accounts",
        f"POST {GATEWAY}/accounts",
        f"PATCH {GATEWAY}/accounts",
        f"POST {GATEWAY}/accounts/documents",
        f"GET {GATEWAY}/accounts/login-messages",
        f"GET {GATEWAY}/accounts/status",
        f"GET {GATEWAY}/accounts/{{accountId}}/details",
        f"GET {GATEWAY}/accounts/{{accountId}}/kyc",
        f"GET {GATEWAY}/accounts/{{accountId}}/login-messages",
        f"GET {GATEWAY}/accounts/{{accountId}}/status",
        f"GET {GATEWAY}/accounts/{{accountId}}/tasks",
    ),
    "Forms, requests and utilities": (
        f"GET {GATEWAY}/forms",
        f"GET {GATEWAY}/forms/required-forms",
        f"GET {GATEWAY}/requests",
        f"GET {GATEWAY}/requests/{{requestId}}/status",
        f"GET {GATEWAY}/enumerations/{{enumerationType}}",
        f"GET {GATEWAY}/enumerations/complex-asset-transfer",
        f"GET {GATEWAY}/participating-banks",
        f"GET {GATEWAY}/validations/usernames/{{username}}",
    ),
    "Registration, since 2.39": (
        f"PATCH {GATEWAY}/accounts/{{accountId}}/status",
        f"POST {GATEWAY}/accounts/{{accountId}}/tasks",
        f"PATCH {GATEWAY}/accounts/{{accountId}}/tasks",
        f"PATCH {GATEWAY}/requests/{{requestId}}/status",
    ),
    "Banking": (
        f"POST {GATEWAY}/balances/query",
        f"POST {GATEWAY}/bank-instructions",
        f"POST {GATEWAY}/bank-instructions:bulk",
        f"POST {GATEWAY}/bank-instructions/query",
        f"GET {GATEWAY}/client-instructions/{{clientInstructionId}}",
        f"POST {GATEWAY}/external-asset-transfers",
        f"POST {GATEWAY}/external-asset-transfers:bulk",
        f"POST {GATEWAY}/external-cash-transfers",
        f"POST {GATEWAY}/external-cash-transfers:bulk",
        f"POST {GATEWAY}/external-cash-transfers/query",
        f"GET {GATEWAY}/instruction-sets/{{instructionSetId}}",
        f"GET {GATEWAY}/instructions/{{instructionId}}",
        f"POST {GATEWAY}/instructions/cancel",
        f"POST {GATEWAY}/instructions/cancel:bulk",
        f"POST {GATEWAY}/instructions/query",
        f"POST {GATEWAY}/internal-asset-transfers",
        f"POST {GATEWAY}/internal-asset-transfers:bulk",
        f"POST {GATEWAY}/internal-cash-transfers",
        f"POST {GATEWAY}/internal-cash-transfers:bulk",
    ),
    "Banking, since 2.39": (
        "POST /gw/api/v2/external-asset-transfers",
        "POST /gw/api/v2/external-asset-transfers:bulk",
    ),
    "Reports": (
        f"POST {GATEWAY}/statements",
        f"GET {GATEWAY}/statements/available",
        f"POST {GATEWAY}/tax-documents",
        f"GET {GATEWAY}/tax-documents/available",
        f"POST {GATEWAY}/trade-confirmations",
        f"GET {GATEWAY}/trade-confirmations/available",
    ),
    "Tax vouchers, since 2.39": (
        f"GET {GATEWAY}/tax-vouchers/active-countries",
        f"GET {GATEWAY}/tax-vouchers/years",
        f"GET {GATEWAY}/tax-vouchers/dividends",
        f"POST {GATEWAY}/tax-vouchers",
        f"GET {GATEWAY}/tax-vouchers/{{requestId}}/state",
        f"GET {GATEWAY}/tax-vouchers/{{requestId}}/download",
    ),
    "Restrictions": (f"POST {GATEWAY}/restrictions", f"POST {GATEWAY}/restrictions/verify"),
    "Restrictions, since 2.39": (
        f"GET {GATEWAY}/restrictions/account",
        f"GET {GATEWAY}/restrictions/ids",
        f"GET {GATEWAY}/restrictions/list",
        f"GET {GATEWAY}/restrictions/lists/ids",
        f"GET {GATEWAY}/restrictions/restriction",
        f"GET {GATEWAY}/restrictions/restriction-scope",
        f"GET {GATEWAY}/restrictions/user",
    ),
    "Session": (
        f"GET {TRADING}/sso/validate",
        f"POST {TRADING}/iserver/auth/ssodh/init",
        f"POST {TRADING}/iserver/auth/status",
        f"POST {TRADING}/tickle",
        f"POST {TRADING}/logout",
    ),
    "Brokerage accounts": (
        f"GET {TRADING}/iserver/accounts",
        f"POST {TRADING}/iserver/account",
        f"GET {TRADING}/iserver/account/search/{{searchPattern}}",
        f"POST {TRADING}/iserver/dynaccount",
        f"GET {TRADING}/iserver/account/pnl/partitioned",
        f"GET {TRADING}/iserver/account/{{accountId}}/summary",
        f"GET {TRADING}/iserver/account/{{accountId}}/summary/available_funds",
        f"GET {TRADING}/iserver/account/{{accountId}}/summary/balances",
        f"GET {TRADING}/iserver/account/{{accountId}}/summary/margins",
        f"GET {TRADING}/iserver/account/{{accountId}}/summary/market_value",
        f"GET {TRADING}/acesws/{{accountId}}/signatures-and-owners",
    ),
    "Contracts": (
        f"GET {TRADING}/contract/trading-schedule",
        f"POST {TRADING}/iserver/contract/rules",
        f"GET {TRADING}/iserver/contract/{{conid}}/algos",
        f"GET {TRADING}/iserver/contract/{{conid}}/info",
        f"GET {TRADING}/iserver/contract/{{conid}}/info-and-rules",
        f"GET {TRADING}/iserver/currency/pairs",
        f"GET {TRADING}/iserver/exchangerate",
        f"GET {TRADING}/iserver/secdef/bond-filters",
        f"GET {TRADING}/iserver/secdef/info",
        f"GET {TRADING}/iserver/secdef/search",
        f"POST {TRADING}/iserver/secdef/search",
        f"GET {TRADING}/iserver/secdef/strikes",
        f"GET {TRADING}/trsrv/all-conids",
        f"GET {TRADING}/trsrv/futures",
        f"GET {TRADING}/trsrv/secdef",
        f"GET {TRADING}/trsrv/secdef/schedule",
        f"GET {TRADING}/trsrv/stocks",
    ),
    "Market data": (
        f"GET {TRADING}/iserver/marketdata/snapshot",
        f"GET {TRADING}/iserver/marketdata/history",
        f"POST {TRADING}/iserver/marketdata/unsubscribe",
        f"GET {TRADING}/iserver/marketdata/unsubscribeall",
        f"GET {TRADING}/ws",
    ),
    "Market data, from the documentation": (
        f"GET {TRADING}/md/regsnapshot",
        f"POST {TRADING}/hmds/auth/init",
        f"GET {TRADING}/hmds/history",
    ),
    "Portfolio": (
        f"GET {TRADING}/portfolio/accounts",
        f"GET {TRADING}/portfolio/subaccounts",
        f"GET {TRADING}/portfolio/{{accountId}}/meta",
        f"GET {TRADING}/portfolio/{{accountId}}/allocation",
        f"GET {TRADING}/portfolio/{{accountId}}/ledger",
        f"GET {TRADING}/portfolio/{{accountId}}/summary",
        f"GET {TRADING}/portfolio/{{accountId}}/positions/{{pageId}}",
        f"POST {TRADING}/portfolio/{{accountId}}/positions/invalidate",
        f"GET {TRADING}/portfolio/{{accountId}}/position/{{conid}}",
        f"GET {TRADING}/portfolio/positions/{{conid}}",
    ),
    "Portfolio, from the documentation": (
        f"GET {TRADING}/portfolio/subaccounts2",
        f"POST {TRADING}/portfolio/allocation",
        f"GET {TRADING}/portfolio2/{{accountId}}/positions",
        f"GET {TRADING}/portfolio/{{accountId}}/combo/positions",
    ),
    "PortfolioAnalyst": (
        f"POST {TRADING}/pa/allperiods",
        f"POST {TRADING}/pa/performance",
        f"POST {TRADING}/pa/transactions",
    ),
    "PortfolioAnalyst, from the documentation": (f"POST {TRADING}/pa/summary",),
    "Orders": (
        f"GET {TRADING}/iserver/account/orders",
        f"GET {TRADING}/iserver/account/order/status/{{orderId}}",
        f"GET {TRADING}/iserver/account/trades",
        f"POST {TRADING}/iserver/account/{{accountId}}/orders",
        f"POST {TRADING}/iserver/account/{{accountId}}/orders/whatif",
        f"POST {TRADING}/iserver/account/{{accountId}}/order/{{orderId}}",
        f"DELETE {TRADING}/iserver/account/{{accountId}}/order/{{orderId}}",
        f"POST {TRADING}/iserver/reply/{{replyId}}",
        f"POST {TRADING}/iserver/notification",
        f"POST {TRADING}/iserver/questions/suppress",
        f"POST {TRADING}/iserver/questions/suppress/reset",
    ),
    "Allocation": (
        f"GET {TRADING}/iserver/account/allocation/accounts",
        f"GET {TRADING}/iserver/account/allocation/group",
        f"POST {TRADING}/iserver/account/allocation/group",
        f"PUT {TRADING}/iserver/account/allocation/group",
        f"POST {TRADING}/iserver/account/allocation/group/single",
        f"POST {TRADING}/iserver/account/allocation/group/delete",
        f"GET {TRADING}/iserver/account/allocation/presets",
        f"POST {TRADING}/iserver/account/allocation/presets",
    ),
    "Models": (
        f"POST {TRADING}/fa/fa-preset/get",
        f"POST {TRADING}/fa/fa-preset/save",
        f"POST {TRADING}/fa/model/accounts-details",
        f"POST {TRADING}/fa/model/invest-divest",
        f"POST {TRADING}/fa/model/invest-divest-positions",
        f"POST {TRADING}/fa/model/list",
        f"POST {TRADING}/fa/model/positions",
        f"POST {TRADING}/fa/model/save",
        f"POST {TRADING}/fa/model/submit-transfers",
        f"POST {TRADING}/fa/model/summary",
    ),
    "Models, from the documentation": (f"GET {TRADING}/iserver/account/allocation/models",),
    "Notifications": (
        f"GET {TRADING}/fyi/unreadnumber",
        f"GET {TRADING}/fyi/settings",
        f"POST {TRADING}/fyi/settings/{{typecode}}",
        f"GET {TRADING}/fyi/disclaimer/{{typecode}}",
        f"PUT {TRADING}/fyi/disclaimer/{{typecode}}",
        f"GET {TRADING}/fyi/notifications",
        f"PUT {TRADING}/fyi/notifications/{{notificationId}}",
    ),
    "Notifications, from the documentation": (f"GET {TRADING}/fyi/notifications/more",),
    "Notification devices": (
        f"GET {TRADING}/fyi/deliveryoptions",
        f"POST {TRADING}/fyi/deliveryoptions/device",
        f"PUT {TRADING}/fyi/deliveryoptions/email",
        f"DELETE {TRADING}/fyi/deliveryoptions/{{deviceId}}",
    ),
    "Alerts": (
        f"GET {TRADING}/iserver/account/mta",
        f"GET {TRADING}/iserver/account/{{accountId}}/alerts",
        f"GET {TRADING}/iserver/account/alert/{{alertId}}",
        f"POST {TRADING}/iserver/account/{{accountId}}/alert",
        f"POST {TRADING}/iserver/account/{{accountId}}/alert/activate",
        f"DELETE {TRADING}/iserver/account/{{accountId}}/alert/{{alertId}}",
    ),
    "Watchlists": (
        f"GET {TRADING}/iserver/watchlists",
        f"GET {TRADING}/iserver/watchlist",
        f"POST {TRADING}/iserver/watchlist",
        f"DELETE {TRADING}/iserver/watchlist",
    ),
    "Scanner": (f"GET {TRADING}/iserver/scanner/params", f"POST {TRADING}/iserver/scanner/run"),
    "Event contracts": (
        f"GET {TRADING}/forecast/category/tree",
        f"GET {TRADING}/forecast/contract/details",
        f"GET {TRADING}/forecast/contract/market",
        f"GET {TRADING}/forecast/contract/rules",
        f"GET {TRADING}/forecast/contract/schedules",
    ),
    "OAuth 1.0a": (
        f"POST {TRADING}/oauth/access_token",
        f"POST {TRADING}/oauth/live_session_token",
        f"POST {TRADING}/oauth/request_token",
    ),
}

_HOLE = re.compile(r"\{[^}]*\}")


@lru_cache(maxsize=4096)
def template_of(path: str) -> str:
    """Return the template of a path as it is sent, such as /gw/api/v1/accounts/{accountId}/status.

    A literal segment wins over a hole. A path that no known operation has gets holes where a segment has a digit, so
    that a new endpoint is still one endpoint and not one per account.
    """
    path = unquote(path)
    segments = path.split("/")
    for template in _TEMPLATES.get(len(segments), ()):
        if _fits(template, segments):
            return "/".join(template)
    head, tail = segments[:4], segments[4:]
    return "/".join(head + ["{id}" if any(letter.isdigit() for letter in each) else each for each in tail])


def _fits(template: tuple[str, ...], segments: list[str]) -> bool:
    return all(expected == given or expected[:1] == "{" for expected, given in zip(template, segments, strict=True))


def _templates() -> dict[int, list[tuple[str, ...]]]:
    paths = {operation.partition(" ")[2] for group in OPERATIONS.values() for operation in group}
    by_length: dict[int, list[tuple[str, ...]]] = {}
    for path in sorted(paths, key=lambda each: (len(_HOLE.findall(each)), each)):
        by_length.setdefault(path.count("/") + 1, []).append(tuple(path.split("/")))
    return by_length


_TEMPLATES = _templates()
