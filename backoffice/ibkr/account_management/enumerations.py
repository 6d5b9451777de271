"""`/gw/api/v1/enumerations` and `/participating-banks`: the words and numbers that IBKR's other calls want.

They change rarely, so callers keep them for a day; wire instructions alone are asked for each time.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from backoffice.ibkr import paths
from backoffice.ibkr.answers import list_of, object_read
from backoffice.ibkr.errors import Unavailable
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Reply
from backoffice.ibkr.types.base import Answer
from backoffice.ibkr.types.enumerations import (
    ExchangeBundle,
    FinancialRange,
    Kind,
    Language,
    ParticipatingBank,
    ProductCountry,
    QuestionKind,
    TrackedCompany,
    TransferBroker,
    WireInstruction,
)
from backoffice.ibkr.types.forms import Question

AnswerT = TypeVar("AnswerT", bound=Answer)


class Enumerations:
    """IBKR's lists of words."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def rows(
        self,
        kind: Kind,
        *,
        currency: str | None = None,
        ib_entity: str | None = None,
        is_private: bool | None = None,
        form_number: int | None = None,
        language: Language | None = None,
        account_id: str | None = None,
        username: str | None = None,
    ) -> tuple[dict[str, Any], ...]:
        """GET /enumerations/{enumerationType}: the rows of any type, as IBKR gives them; a bare text as {"value": text}.

        `is_private` goes with market-data (mdStatusNonPro), `form_number` with questions, `ib_entity` with
        fin-info-ranges. Trap: IBKR describes no row, so what is not typed here may take another form any day.
        """
        query = _query(
            currency=currency,
            ibEntity=ib_entity,
            mdStatusNonPro=None if is_private is None else str(is_private).lower(),
            **{"form-number": None if form_number is None else str(form_number)},
            language=language,
            accountId=None if account_id is None else paths.account_id(account_id),
            userName=username,
        )
        found, _ = self._fetch(kind, query)
        return tuple(found)

    def wire_instructions(self, account_id: str, currency: str) -> tuple[WireInstruction, ...]:
        """GET /enumerations/wire-instructions: where the client of one account wires money of one currency to.

        Traps: never keep it, for IBKR's banks change; and it is a GET, though one printed example says POST.
        """
        query = {"accountId": paths.account_id(account_id), "currency": currency}
        return self._typed(WireInstruction, "wire-instructions", query)

    def exchange_bundles(self) -> tuple[ExchangeBundle, ...]:
        """GET /enumerations/exchange-bundles: the exchange groups of trading permissions."""
        return self._typed(ExchangeBundle, "exchange-bundles", {}, text_as="exchangeGroup")

    def product_countries(self) -> tuple[ProductCountry, ...]:
        """GET /enumerations/product-country-bundles: the pairs of country and product of trading permissions."""
        return self._typed(ProductCountry, "product-country-bundles", {})

    def financial_ranges(
        self, *, currency: str | None = None, ib_entity: str | None = None
    ) -> tuple[FinancialRange, ...]:
        """GET /enumerations/fin-info-ranges: the ids that stand for ranges of worth and income.

        Trap: there are ids for 17 currencies only; elsewhere amounts are sent.
        """
        return self._typed(FinancialRange, "fin-info-ranges", _query(currency=currency, ibEntity=ib_entity))

    def acats_brokers(self) -> tuple[TransferBroker, ...]:
        """GET /enumerations/acats: the brokers in the USA that positions can be moved from."""
        return self._typed(TransferBroker, "acats", {}, text_as="brokerName")

    def aton_brokers(self) -> tuple[TransferBroker, ...]:
        """GET /enumerations/aton: the brokers in Canada that positions can be moved from."""
        return self._typed(TransferBroker, "aton", {}, text_as="brokerName")

    def tracked_companies(self) -> tuple[TrackedCompany, ...]:
        """GET /enumerations/employee-track: the employers that have a compliance account."""
        return self._typed(TrackedCompany, "employee-track", {}, text_as="companyName")

    def questions(
        self, kind: QuestionKind, form_number: int, *, language: Language | None = None
    ) -> tuple[Question, ...]:
        """GET /enumerations/{enumerationType}?form-number=: the questions of one questionnaire or quiz.

        Trap: the answers offered carry answerId in IBKR's specification, id in what is sent back; both are read.
        """
        query = _query(**{"form-number": str(form_number)}, language=language)
        found, reply = self._fetch(kind, query)
        return tuple(read_answer(Question, row, reply) for row in _flat_questions(found))

    def complex_transfer_brokers(self) -> tuple[str, ...]:
        """GET /enumerations/complex-asset-transfer: the brokers that a non-US transfer of positions can name.

        Trap: it has a path and a scope of its own (`enumerations.read`; `accounts.read` is not enough).
        """
        reply = self._requestor.gateway_get(
            "enumerations", "complex-asset-transfer", query={"instructionType": "COMPLEX_ASSET_TRANSFER"}
        )
        return tuple(name for name in list_of(object_read(reply).get("brokers")) if isinstance(name, str))

    def participating_banks(self) -> tuple[ParticipatingBank, ...]:
        """GET /participating-banks: the banks of Hong Kong that take part in eDDA.

        Trap: it needs the scope `enumerations.read`; `accounts.read` is not enough.
        """
        reply = self._requestor.gateway_get("participating-banks", query={"type": "eDDA"})
        rows = [row for row in list_of(object_read(reply).get("participatingBanks")) if isinstance(row, dict)]
        return tuple(read_answer(ParticipatingBank, row, reply) for row in rows)

    def _typed(
        self, model: type[AnswerT], kind: Kind, query: Mapping[str, str], *, text_as: str = "value"
    ) -> tuple[AnswerT, ...]:
        rows, reply = self._fetch(kind, query, text_as=text_as)
        return tuple(read_answer(model, row, reply) for row in rows)

    def _fetch(
        self, kind: Kind, query: Mapping[str, str], *, text_as: str = "value"
    ) -> tuple[list[dict[str, Any]], Reply]:
        reply = self._requestor.gateway_get("enumerations", kind, query=query)
        listed = object_read(reply).get("jsonData")
        if isinstance(listed, dict):  # one row where others come in a list
            listed = [listed]
        if not isinstance(listed, list):
            raise Unavailable("IBKR's answer has no list in it.", status=reply.status, exchange=reply.exchange)
        rows = [{text_as: row} if isinstance(row, str) else row for row in listed]
        return [row for row in rows if isinstance(row, dict)], reply


def _query(**members: str | None) -> dict[str, str]:
    return {name: value for name, value in members.items() if value is not None}


def _flat_questions(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        nested = row.get("questions", row.get("questionnaire"))
        if isinstance(nested, list):
            yield from (each for each in nested if isinstance(each, dict))
        else:
            yield row
