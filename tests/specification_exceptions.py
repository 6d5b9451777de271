"""What our facts know better than IBKR's OpenAPI file: exceptions to the check of tests/specification.py, each with its section.

One that nothing needs any more fails the run (tests/specification_report.py). Those in `OF_TESTS` excuse what a test wrote
itself and never our client.
"""

# (operation, where, rule) -> reason. `*` stands for anything, `|` parts alternatives; list indices are written [].
EXCEPTIONS: dict[tuple[str, str, str], str] = {
    # -- errors of the trading side: "no single envelope" (trading.md sections 0, 1.4 and 12)
    (
        "* /v1/api/*",
        "answer 400",
        "status",
    ): "trading.md 12: 400 for bad parameters, no bridge, not primed, a reply that is gone",
    ("* /v1/api/*", "answer 400", "content type"): "trading.md 12: {error, statusCode} as plain JSON",
    (
        "* /v1/api/*",
        "answer 401",
        "content type",
    ): "trading.md 1.4: {error: not authenticated, statusCode} as plain JSON",
    ("* /v1/api/*", "answer 410", "status"): "trading.md 1.4: some have seen 410 once a session is logged out",
    ("* /v1/api/*", "answer 429", "status"): "trading.md 3: a breach of the pace is answered with 429",
    ("* /v1/api/*", "answer 503", "status"): "trading.md 1.4: whatever is asked in a closed window",
    ("* /v1/api/*", "answer 503", "content type"): "trading.md 1.4: the same JSON; the file adds a charset to its name",
    # -- operations the file does not have
    ("GET /oauth2/api/v1/jwks", "operation", "unknown"): "account-management.md 1: the keys that verify callbacks",
    ("GET /v1/api/iserver/auth/status", "operation", "unknown"): "trading.md 1.1 step 6: GET works too",
    ("GET /v1/api/tickle", "operation", "unknown"): "trading.md 1.1 step 8: GET is accepted",
    ("GET /v1/api/portfolio/subaccounts2", "operation", "unknown"): "trading.md 2: pages of subaccounts",
    ("POST /v1/api/portfolio/allocation", "operation", "unknown"): "trading.md 6.6: several accounts as one",
    ("GET /v1/api/portfolio/0/combo/positions", "operation", "unknown"): "trading.md 6.2: combinations",
    ("GET /v1/api/portfolio2/0/positions", "operation", "unknown"): "trading.md 6.2: the uncached positions",
    ("GET /v1/api/md/regsnapshot", "operation", "unknown"): "trading.md 5: the snapshot that costs money",
    ("POST /v1/api/hmds/auth/init", "operation", "unknown"): "trading.md 2: what opens /hmds",
    ("GET /v1/api/hmds/history", "operation", "unknown"): "trading.md 2: charts of the historical data service",
    ("GET /v1/api/fyi/notifications/more", "operation", "unknown"): "trading.md 11: older messages by an id",
    # -- the session
    ("GET /v1/api/sso/validate", "answer 200 $", "unknown LOGIN_TYPE"): "trading.md 1.1 step 4: recorded in capitals",
    (
        "GET /v1/api/sso/validate",
        "answer 200 $.QUALIFIED_FOR_MOBILE_AUTH",
        "* null",
    ): "trading.md 1.1 step 4: bool or null",
    ("GET /v1/api/sso/validate", "answer 200 $.features", "unknown env"): "trading.md 1.1 step 4: env or envs",
    ("POST /v1/api/iserver/account", "answer 200 $", "unknown success"): "trading.md 2: {success: Account already set}",
    # -- portfolio
    (
        "GET /v1/api/portfolio/*",
        "answer 200 $*.businessType",
        "enum",
    ): "trading.md 6.1: the file's lists are far too short",
    ("GET /v1/api/*", "answer 200 $*.chineseName", "* null"): "trading.md 4 and 6.2: enrichment that may be missing",
    (
        "GET /v1/api/portfolio/*",
        "answer 200 $[].multiplier",
        "type null",
    ): "trading.md 6.2: multiplier number, null or 0.0",
    ("GET /v1/api/portfolio/*", "answer 200 $[].strike", "type number"): "trading.md 6.2: strike is text or a number",
    # -- market data
    (
        "GET /v1/api/iserver/marketdata/history",
        "answer 500",
        "content type",
    ): "trading.md 5: some refusals are bare text",
    # -- analytics and notices
    ("POST /v1/api/pa/transactions", "answer 200 $*", "unknown rawDate"): "trading.md 6.7: rawDate YYYYMMDD",
    ("POST /v1/api/pa/transactions", "answer 200 $*.fxRate", "type number"): "trading.md 6.7: a rate is seldom whole",
    ("POST /v1/api/fyi/settings/{typecode}", "path typecode $", "enum"): "trading.md 11: ok even for a bogus code",
    # -- contracts
    ("* /v1/api/iserver/secdef/search", "answer 200 $", "type object"): "trading.md 4: {error: No symbol found}",
    ("GET /v1/api/iserver/contract/{conid}/algos", "query algos $", "enum"): "trading.md 4: names joined by semicolons",
    (
        "POST /v1/api/iserver/contract/rules",
        "answer 200 $",
        "unknown overnightEligible",
    ): "trading.md 4 and 12: unknown keys come and go",
    # -- orders
    ("POST /v1/api/iserver/account/{accountId}/orders", "request $.orders[]", "unknown *"): (
        "trading.md 13 trap 19: unknown keys of a ticket are ignored in silence, which a test has to show"
    ),
    ("POST /v1/api/iserver/account/{accountId}/orders", "answer 200 $[]", "unknown error"): "trading.md 8.2 e",
    ("POST /v1/api/iserver/account/{accountId}/orders", "answer 200 $[]", "unknown local_order_id"): "trading.md 8.2 a",
    ("POST /v1/api/iserver/reply/{replyId}", "answer 200 $[]", "unknown local_order_id"): "trading.md 8.2 a, 8.3",
    (
        "POST /v1/api/iserver/account/{accountId}/orders",
        "answer 200 $[]",
        "unknown parent_order_id",
    ): "trading.md 8.2 a",
    ("POST /v1/api/iserver/reply/{replyId}", "answer 200 $[]", "unknown parent_order_id"): "trading.md 8.2 a, 8.3",
    ("POST /v1/api/iserver/reply/{replyId}", "answer 200 $[]", "unknown error"): "trading.md 8.2 e, 8.3",
    ("POST /v1/api/iserver/account/{accountId}/orders", "request $.orders[].tif", "enum"): (
        "trading.md 8.1 and 13 trap 14: OVT and OND; others are there to be refused"
    ),
    ("POST /v1/api/iserver/account/{accountId}/orders", "request $.orders[]", "required quantity"): (
        "trading.md 8.1: not with cashQty"
    ),
    (
        "POST /v1/api/iserver/account/{accountId}/orders/whatif",
        "answer 200 $.warn",
        "type null",
    ): "trading.md 8.6: text or null",
    (
        "DELETE /v1/api/iserver/account/{accountId}/order/{orderId}",
        "answer 200 $.order_id",
        "type number",
    ): "trading.md 8.8",
    (
        "DELETE /v1/api/iserver/account/{accountId}/order/{orderId}",
        "answer 200 $.conid",
        "type number",
    ): "trading.md 8.8",
    (
        "GET /v1/api/iserver/account/orders",
        "query accountId",
        "unknown",
    ): "trading.md 8.9: orders[?filters&force&accountId]",
    ("GET /v1/api/iserver/account/orders", "query filters $", "enum"): "trading.md 8.9: several, separated by commas",
    (
        "GET /v1/api/iserver/account/orders",
        "answer 200 $.orders[]",
        "unknown order_ref|unknown auxPrice|unknown parentId",
    ): ("trading.md 8.9: recorded with members the file does not list"),
    ("GET /v1/api/iserver/account/trades", "query accountId", "unknown"): "trading.md 8.9: trades?days=[&accountId=]",
    (
        "GET /v1/api/iserver/account/order/status/{orderId}",
        "answer 200 $",
        "unknown limit_price|unknown stop_price|unknown outside_rth|unknown all_or_none",
    ): "trading.md 8.9: recorded",
    # -- Account Management
    ("* /gw/api/v1/*", "answer 401", "status"): "account-management.md 20: a token that has ended, wherever it is used",
    ("* /gw/api/v1/*", "answer 200 $.dateSubmitted", "format"): "account-management.md 7: YYYYMMDDHHMMSS UTC",
    (
        "GET /gw/api/v1/statements/available",
        "answer 200 $.data",
        "unknown dataType|unknown value",
    ): "account-management.md 15: dataType and value",
    ("POST /gw/api/v1/trade-confirmations", "answer 200 $", "unknown accept"): (
        "account-management.md 15: accept stands beside data"
    ),
    (
        "POST /gw/api/v1/trade-confirmations",
        "request $",
        "unknown accountIds|unknown multiAccountFormat|unknown language|unknown gzip",
    ): ("account-management.md 15: accountIds, multiAccountFormat, language and gzip are documented"),
    (
        "POST /gw/api/v1/statements",
        "answer 200 $",
        "unknown accept",
    ): "account-management.md 15: accept stands beside data",
    (
        "POST /gw/api/v1/sso-browser-sessions",
        "answer 200 $",
        "required access_token",
    ): "account-management.md 4: active and url",
    ("* /gw/api/v1/*", "answer 400 $", "unknown detail"): "account-management.md 20: problem+json may carry a detail",
    (
        "* /gw/api/v1/*",
        "answer 400 $",
        "unknown invalidArguments",
    ): "account-management.md 20: and the arguments at fault",
    (
        "* /gw/api/v1/*",
        "answer 403",
        "content type",
    ): "trading.md 1.1 step 3: the network edge refuses with its own page",
    ("GET /gw/api/v1/*instruction*", "answer 403", "status"): (
        "account-management.md 20: 403 when the scope is missing, whatever is asked"
    ),
    ("POST /gw/api/v1/*/query|POST /gw/api/v1/external-cash-transfers", "answer 403 $", "required *"): (
        "account-management.md 20: a missing scope is refused by the gateway, before there is an instruction"
    ),
    ("GET /gw/api/v1/participating-banks", "answer 403", "status"): (
        "account-management.md 2 and 20: enumerations.read and no other scope; the file forgets what happens without"
    ),
    (
        "GET /gw/api/v1/enumerations/complex-asset-transfer",
        "answer 403",
        "status",
    ): "account-management.md 2 and 20: as above",
    ("* /v1/api/*", "answer 403", "status"): "trading.md 1.1 step 3: no User-Agent is 403 from the network edge",
    ("* /gw/api/v1/*", "answer 429", "status"): "account-management.md 1: above the limits, 429",
    ("* /gw/api/v1/*", "answer 503", "*"): "account-management.md 1: closed for maintenance; the status is not printed",
    (
        "POST /gw/api/v1/echo/signed-jwt",
        "answer 4*",
        "status",
    ): "account-management.md 2 and 20: 400, 413 and 415 of signed bodies",
    (
        "POST /gw/api/v1/echo/signed-jwt",
        "request $",
        "unknown *",
    ): "account-management.md 2: members merged beside the claims",
    (
        "GET /gw/api/v1/echo/https",
        "query *",
        "unknown",
    ): "account-management.md 2: what is asked comes back in queryParameters",
    ("GET /gw/api/v1/client-instructions/{clientInstructionId}", "answer 20* $.instructionResult", "unknown *"): (
        "account-management.md 12 and 13: the result of a query is read there too, also by 208"
    ),
    ("POST /gw/api/v1/external-cash-transfers", "answer 200", "status"): (
        "account-management.md 12: a client in the field takes only 200; the knob `instruction_http_status` plays it"
    ),
    ("POST /gw/api/v1/external-cash-transfers", "answer 202 $.instructionResult", "unknown *"): (
        "account-management.md 12: an id used before gives the first one's result, of whatever kind that was"
    ),
    ("POST /gw/api/v1/accounts", "request $*", "* null"): (
        "account-management.md 2: only banking instructions are known to refuse nulls; a test shows them taken for absent"
    ),
    ("POST /gw/api/v1/external-cash-transfers/query", "request $.instruction*", "* null"): (
        "account-management.md 2: as above; the knob `nulls_refused` takes them there, too"
    ),
    ("POST /gw/api/v1/statements", "request $", "required accountId"): (
        "account-management.md 15: whether accountId stays required beside accountIds is not told"
    ),
    ("GET /gw/api/v1/forms", "answer 200 $.formDetails[].questionnaire[].answers[]", "unknown id"): (
        "account-management.md 8.3: an answer is sent back by its id"
    ),
    (
        "GET /gw/api/v1/accounts/login-messages",
        "query messageType",
        "unknown",
    ): "account-management.md 17: the documents' name",
}

ORDERS = "POST /v1/api/iserver/account/{accountId}/orders"
OF_TESTS: frozenset[tuple[str, str, str]] = frozenset(
    {
        (ORDERS, "request $.orders[]", "unknown *"),
        ("POST /gw/api/v1/accounts", "request $*", "* null"),
        ("POST /gw/api/v1/external-cash-transfers/query", "request $.instruction*", "* null"),
        ("POST /gw/api/v1/statements", "request $", "required accountId"),
    }
)
