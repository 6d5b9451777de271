"""Echo, and the one enumeration a deposit needs."""

from starlette.responses import Response
from starlette.routing import Route

from .gateway import Call, Refusal, invalid_arguments, resource
from .jsonio import answer
from .kernel import Sandbox
from .reads import own_account

SCHEMA = ""
BANKS = {"USD": "021000021", "EUR": "COBADEFFXXX", "GBP": "400000", "CHF": "KBBECH22XXX"}


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/echo/https", _echo, "echo.read"),
        resource(sandbox, "POST", "/echo/signed-jwt", _echo_signed, "echo.write", signed=True),
        resource(sandbox, "GET", "/enumerations/{kind}", _enumeration, "accounts.read", "enumerations.read"),
    ]


def _echo(call: Call) -> Response:
    return answer(
        {"requestMethod": "GET", "securityPolicy": "HTTPS", "queryParameters": dict(call.request.query_params)}
    )


def _echo_signed(call: Call) -> Response:
    return answer(
        {"requestMethod": "POST", "securityPolicy": "SIGNED_JWT", "queryParameters": dict(call.request.query_params)}
    )


def _enumeration(call: Call) -> Response:
    """`GET /enumerations/wire-instructions?accountId&currency`: where a client wires money to."""
    if call.request.path_params["kind"] != "wire-instructions":
        raise Refusal(
            invalid_arguments(("type", "Invalid or Missing required parameter"), detail="Input validation failed")
        )
    account = own_account(call, call.query("accountId") or "")
    currency = call.query("currency") or account.base_currency
    if currency not in BANKS:
        raise Refusal(
            invalid_arguments(("currency", "Invalid or Missing required parameter"), detail="Input validation failed")
        )
    row = {
        "currency": currency, "accountNameAndBeneficiary": "Interactive Brokers LLC (simulated)",
        "accountNumber": "000000000000",
        "routingNumber": BANKS[currency] if BANKS[currency].isdecimal() else "",
        "bankSWIFTCode": "" if BANKS[currency].isdecimal() else BANKS[currency],
        "bankTitleAndAddress": "Simulated Clearing Bank, 1 Example Street", "alternateAccountInfo": "",
        "paymentReference": f"{account.account} / {account.title}",
    }  # fmt: skip
    return answer({"enumerationsType": "wire-instructions", "jsonData": [row]})
