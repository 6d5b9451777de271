"""`GET /enumerations/{type}` for all sixteen types, and the banks that take part in eDDA.

IBKR prints which types there are and their filters, but almost no rows and no shapes. What it prints (countries,
products, the currencies of range ids, three occupations, seven exchange groups, the wire row) is kept literally;
every other row and every row shape in `data/enumerations.json` is invented, names of firms say so themselves.
Texts are English whatever `language` asks for.
"""

from functools import cache
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from .gateway import Call, Refusal, invalid_arguments, resource
from .jsonio import answer, loads
from .kernel import Sandbox
from .queries import INVALID_OR_MISSING, bad_query, own_account

SCHEMA = ""
LANGUAGES = frozenset(
    ["en", "ar", "de", "es", "fr", "he", "hu", "it", "ja", "nl", "pt", "ru", "zh_CN", "zh_TW"],
)
BY_FORM = frozenset({"edd-avt", "questionnaires", "quiz-questions"})
BANKS = {"USD": "021000021", "EUR": "COBADEFFXXX", "GBP": "400000", "CHF": "KBBECH22XXX"}


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        resource(sandbox, "GET", "/enumerations/complex-asset-transfer", _brokers, "enumerations.read"),
        resource(sandbox, "GET", "/enumerations/{kind}", _enumeration, "accounts.read", "enumerations.read"),
        resource(sandbox, "GET", "/participating-banks", _participating_banks, "enumerations.read"),
    ]


@cache
def facts() -> dict[str, Any]:
    read: dict[str, Any] = loads((Path(__file__).parent / "data" / "enumerations.json").read_text(encoding="utf-8"))
    return read


def questions(form: int) -> list[dict[str, Any]]:
    """The questions behind a questionnaire's form number, as `QuestionnaireResponse` rows; none when it has none."""
    for kind in ("quiz-questions", "edd-avt", "questionnaires"):
        if str(form) in facts()[kind]:
            found: list[dict[str, Any]] = facts()[kind][str(form)]
            return found
    return []


def _refuse(name: str) -> Refusal:
    return Refusal(invalid_arguments((name, INVALID_OR_MISSING), detail="Input validation failed"))


def _enumeration(call: Call) -> Response:
    """`jsonData` is a list; its rows are described by their own member names."""
    kind = call.request.path_params["kind"]
    if (call.query("language") or "en") not in LANGUAGES:
        raise _refuse("language")
    form = call.query("form-number")
    if kind in BY_FORM:
        if form is not None and not form.isdecimal():
            raise _refuse("form-number")
        if form is None and kind == "edd-avt":
            raise _refuse("form-number")
        rows = facts()[kind].get(form, []) if form else _all_questions(kind)
        return answer({"enumerationsType": kind, **({"formNumber": form} if form else {}), "jsonData": rows})
    if kind == "wire-instructions":
        rows = [_wire(call)]
    elif kind == "fin-info-ranges":
        rows = _ranges(call)
    elif kind == "market-data":
        rows = _market_data(call)
    elif kind == "employee-plans":
        rows = [row for row in facts()[kind] if row["masterAccountId"] == call.master]
    elif kind in facts() and kind not in ("about", "complex-asset-transfer", "participating-banks"):
        rows = facts()[kind]
    else:
        raise _refuse("type")
    return answer({"enumerationsType": kind, "jsonData": rows})


def _all_questions(kind: str) -> list[dict[str, Any]]:
    return [
        {"formNumber": int(form), "questions": questions_of_form} for form, questions_of_form in facts()[kind].items()
    ]


def _ranges(call: Call) -> list[dict[str, Any]]:
    """Range ids of `financialInformation`, by currency; amounts are whole units of that currency, the last is open above."""
    currency, entity = call.query("currency"), call.query("ibEntity")
    entity_currency = {
        "IBLLC": "USD", "IB-UK": "GBP", "IB-CE": "EUR", "IB-IE": "EUR", "IB-HK": "HKD", "IB-AU": "AUD", "IB-CAN": "CAD",
    }  # fmt: skip
    if entity is not None and entity not in entity_currency:
        raise _refuse("ibEntity")
    wanted = currency or (entity_currency[entity] if entity else None)
    rows = [row for row in facts()["fin-info-ranges"] if wanted in (None, row["currency"])]
    if not rows:
        raise _refuse("currency")
    return rows


def _market_data(call: Call) -> list[dict[str, Any]]:
    is_private = call.query("mdStatusNonPro")
    if is_private not in (None, "true", "false"):
        raise _refuse("mdStatusNonPro")
    return [
        {
            "value": row["value"], "name": row["name"], "currency": row["currency"],
            "monthlyFee": row["feePro" if is_private == "false" else "feeNonPro"],
        }
        for row in facts()["market-data"]
    ]  # fmt: skip


def _wire(call: Call) -> dict[str, Any]:
    """Where a client wires money to: `?accountId&currency`."""
    account = own_account(call, call.query("accountId") or "")
    currency = call.query("currency") or account.base_currency
    if currency not in BANKS:
        raise _refuse("currency")
    return {
        "currency": currency, "accountNameAndBeneficiary": "Interactive Brokers LLC (simulated)",
        "accountNumber": "000000000000",
        "routingNumber": BANKS[currency] if BANKS[currency].isdecimal() else "",
        "bankSWIFTCode": "" if BANKS[currency].isdecimal() else BANKS[currency],
        "bankTitleAndAddress": "Simulated Clearing Bank, 1 Example Street", "alternateAccountInfo": "",
        "paymentReference": f"{account.account} / {account.title}",
    }  # fmt: skip


def _brokers(call: Call) -> Response:
    """`GET /enumerations/complex-asset-transfer?instructionType=COMPLEX_ASSET_TRANSFER`."""
    if call.query("instructionType") != "COMPLEX_ASSET_TRANSFER":
        raise bad_query("instructionType")
    return answer({"instructionType": "COMPLEX_ASSET_TRANSFER", "brokers": facts()["complex-asset-transfer"]})


def _participating_banks(call: Call) -> Response:
    """`GET /participating-banks?type=eDDA`."""
    if call.query("type") != "eDDA":
        raise bad_query("type")
    return answer({"type": "eDDA", "participatingBanks": facts()["participating-banks"]})
