"""Instruments: `/iserver/secdef/search` and `/iserver/contract/{conid}/info`."""

from typing import Literal

from backoffice.ibkr import paths
from backoffice.ibkr.answers import object_read
from backoffice.ibkr.errors import Rejected
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect
from backoffice.ibkr.types.contracts import ContractInfo, ContractMatch


class Contracts:
    """Finds and describes instruments."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def search(
        self, symbol: str, *, by_name: bool = False, security_type: Literal["STK", "IND", "BOND"] = "STK"
    ) -> tuple[ContractMatch, ...]:
        """GET /iserver/secdef/search: every listing of a symbol, or of a company's name.

        Trap: one symbol has listings in many places; never take the first without a person's eye.
        """
        query = {"symbol": symbol, "secType": security_type, "name": "true" if by_name else "false"}
        reply = self._requestor.trading("GET", "iserver", "secdef", "search", effect=Effect.READ, query=query)
        try:
            rows = list_read(reply)
        except Rejected as refusal:
            if "no symbol found" in refusal.reason.lower():
                return ()
            raise
        return read_answers(ContractMatch, (row for row in rows if isinstance(row, dict) and row.get("conid")), reply)

    def info(self, conid: str) -> ContractInfo:
        """GET /iserver/contract/{conid}/info."""
        reply = self._requestor.trading(
            "GET", "iserver", "contract", paths.instrument_id(conid), "info", effect=Effect.READ
        )
        return read_answer(ContractInfo, object_read(reply), reply)
