"""What a token may be good for: the scopes each operation accepts, and those of each kind of use.

From the `x-ib-gateway-allowed-scopes` of IBKR's file. Traps: several queries are POST and still want a `.read`; and
`statements.read`, which IBKR's quick start asks for, is not enough to ask for tax documents or confirmations.
"""

from backoffice.ibkr.operations import GATEWAY, template_of

# All that a use may ever need; whoever uses a part of it asks for less. Any one alternative of an operation is enough.
SCOPES_OF_USE: dict[str, tuple[str, ...]] = {
    "accounts": ("accounts.read", "accounts.write", "enumerations.read", "forms.read", "validations.read"),
    "funding": (
        "balances.read",
        "bank-instructions.read",
        "bank-instructions.write",
        "enumerations.read",
        "instructions.read",
        "instructions.write",
        "transfers.read",
        "transfers.write",
    ),
    "reports": ("reports.read", "reports.write", "statements.read", "statements.write"),
    "restrictions": ("restrictions.write",),
    "trading": ("sso-sessions.write",),
    "sign-on": ("sso-browser-sessions.write",),
    "echo": ("echo.read", "echo.write"),
}
SCOPES: tuple[str, ...] = tuple(sorted({scope for scopes in SCOPES_OF_USE.values() for scope in scopes}))

_WRITES_OF_REPORTS = ("statements.write", "reports.write")
_READS_OF_REPORTS = ("statements.read", "reports.read")
_TRANSFERS = (
    "external-cash-transfers",
    "internal-cash-transfers",
    "external-asset-transfers",
    "internal-asset-transfers",
)
_NEEDED: dict[str, tuple[str, ...]] = {
    **{
        f"GET {GATEWAY}/accounts{below}": ("accounts.read",)
        for below in (
            "",
            "/status",
            "/login-messages",
            *(f"/{{accountId}}/{part}" for part in ("details", "kyc", "login-messages", "status", "tasks")),
        )
    },
    f"POST {GATEWAY}/accounts": ("accounts.write",),
    f"PATCH {GATEWAY}/accounts": ("accounts.write",),
    f"POST {GATEWAY}/accounts/documents": ("accounts.write",),
    f"GET {GATEWAY}/forms": ("accounts.read", "forms.read"),
    f"GET {GATEWAY}/forms/required-forms": ("accounts.read",),
    f"GET {GATEWAY}/requests": ("accounts.read",),
    f"GET {GATEWAY}/requests/{{requestId}}/status": ("accounts.read",),
    f"GET {GATEWAY}/enumerations/{{enumerationType}}": ("accounts.read", "enumerations.read"),
    f"GET {GATEWAY}/enumerations/complex-asset-transfer": ("enumerations.read",),
    f"GET {GATEWAY}/participating-banks": ("enumerations.read",),
    f"GET {GATEWAY}/validations/usernames/{{username}}": ("accounts.read", "validations.read"),
    f"POST {GATEWAY}/bank-instructions": ("bank-instructions.write",),
    f"POST {GATEWAY}/bank-instructions:bulk": ("bank-instructions.write",),
    f"POST {GATEWAY}/bank-instructions/query": ("bank-instructions.read",),
    **{f"POST {GATEWAY}/{each}{tail}": ("transfers.write",) for each in _TRANSFERS for tail in ("", ":bulk")},
    "POST /gw/api/v2/external-asset-transfers": ("transfers.write",),
    "POST /gw/api/v2/external-asset-transfers:bulk": ("transfers.write",),
    f"POST {GATEWAY}/external-cash-transfers/query": ("transfers.read",),
    f"POST {GATEWAY}/balances/query": ("balances.read",),
    f"POST {GATEWAY}/instructions/query": ("instructions.read",),
    f"POST {GATEWAY}/instructions/cancel": ("instructions.write",),
    f"POST {GATEWAY}/instructions/cancel:bulk": ("instructions.write",),
    f"GET {GATEWAY}/client-instructions/{{clientInstructionId}}": ("instructions.read",),
    f"GET {GATEWAY}/instructions/{{instructionId}}": ("instructions.read",),
    f"GET {GATEWAY}/instruction-sets/{{instructionSetId}}": ("instructions.read",),
    f"POST {GATEWAY}/statements": ("statements.read", *_WRITES_OF_REPORTS),
    f"POST {GATEWAY}/tax-documents": _WRITES_OF_REPORTS,
    f"POST {GATEWAY}/trade-confirmations": _WRITES_OF_REPORTS,
    f"GET {GATEWAY}/statements/available": _READS_OF_REPORTS,
    f"GET {GATEWAY}/tax-documents/available": _READS_OF_REPORTS,
    f"GET {GATEWAY}/trade-confirmations/available": _READS_OF_REPORTS,
    f"POST {GATEWAY}/sso-sessions": ("sso-sessions.write",),
    f"POST {GATEWAY}/sso-browser-sessions": ("sso-browser-sessions.write",),
    f"POST {GATEWAY}/restrictions": ("restrictions.write",),
    f"POST {GATEWAY}/restrictions/verify": ("restrictions.write",),
    f"GET {GATEWAY}/echo/https": ("echo.read",),
    f"POST {GATEWAY}/echo/signed-jwt": ("echo.write",),
}


def needed(method: str, path: str) -> tuple[str, ...]:
    """Return the scopes of which any one admits a call; empty where IBKR's file names none. `path` is as sent."""
    return _NEEDED.get(f"{method.upper()} {template_of(path)}", ())
