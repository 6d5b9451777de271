"""What a person waits for: an instrument search, a quote, a fresh look at accounts. Reads only; asked again at will.

Paths: GET /iserver/secdef/search, /iserver/contract/{conid}/info, /iserver/marketdata/snapshot, /portfolio/{id}/...
"""

from collections.abc import Callable
from typing import Any

from backoffice.broker import client as broker
from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.errors import IbkrError
from backoffice.ibkr.parsing import Price
from backoffice.ibkr.types.contracts import ContractMatch
from backoffice.journal import inquiries
from backoffice.journal.models import Inquiry
from clients.models import Account
from trading.dispatch import sync
from trading.models import Instrument
from trading.services import portfolio
from trading.services.portfolio import Listing

MOST_LISTINGS = 8
MOST_ACCOUNTS = 25


def answer_instrument_search(inquiry_pk: str) -> None:
    """Answer with the listings IBKR knows under a symbol, or else under a name; each becomes an Instrument."""
    _answer(inquiry_pk, _search)


def answer_quote(inquiry_pk: str) -> None:
    """Answer with one instrument's quote, and keep it with its age."""
    _answer(inquiry_pk, _quote)


def answer_portfolio_refresh(inquiry_pk: str) -> None:
    """Read the accounts a person asked about, and say how many answered."""
    _answer(inquiry_pk, _refresh)


def _answer(inquiry_pk: str, ask: Callable[[IbkrClient, MasterAccount, Inquiry], Any]) -> None:
    if (inquiry := inquiries.take(inquiry_pk)) is None:
        return
    master = next(sync.live_masters(), None)
    if master is None:
        inquiries.fail(inquiry, "There is no live trading session with IBKR, so it cannot be asked now.")
        return
    if sync.conversation_is_open(master):
        inquiries.fail(inquiry, "IBKR waits for an answer about an order. Asking it anything else now could void that.")
        return
    try:
        answer = ask(broker.client_for(master, lane="interactive"), master, inquiry)
    except IbkrError as error:
        inquiries.fail(inquiry, error.reason)
        return
    inquiries.answer(inquiry, answer)


def _search(client: IbkrClient, master: MasterAccount, inquiry: Inquiry) -> dict[str, Any]:
    text = str(inquiry.params["text"])
    matches = client.contracts.search(text.upper()) or client.contracts.search(text, by_name=True)
    shown = matches[:MOST_LISTINGS]
    known = {row.conid: row for row in Instrument.objects.filter(conid__in=[match.conid for match in shown])}
    # What we have met before needs no second call, so that a search answers at once.
    found = [known.get(match.conid) or _remember(client, match) for match in shown]
    return {"conids": [row.conid for row in found], "more": max(0, len(matches) - MOST_LISTINGS)}


def _remember(client: IbkrClient, match: ContractMatch) -> Instrument:
    info = client.contracts.info(match.conid)
    return portfolio.remember_instrument(
        Listing(
            conid=match.conid,
            symbol=match.symbol or info.symbol,
            currency=info.currency,
            name=match.company_name or info.company_name,
            exchange=match.listing_exchange or info.exchange,
            asset_class=info.instrument_type,
            sector=info.category,
            multiplier=info.multiplier,
        )
    )


def _quote(client: IbkrClient, master: MasterAccount, inquiry: Inquiry) -> dict[str, Any]:
    instrument = Instrument.objects.get(conid=str(inquiry.params["conid"]))
    snapshot = client.market.snapshot([instrument.conid])[0]
    last = snapshot.last
    portfolio.record_quote(
        instrument,
        bid=_value(snapshot.bid),
        ask=_value(snapshot.ask),
        last=_value(last),
        availability=snapshot.availability,
        is_last_previous_close=bool(last and last.is_previous_close),
        is_halted=bool(last and last.is_halted),
        at=snapshot.updated or clock.now(),
    )
    return {"conid": instrument.conid}


def _value(price: Price | None) -> Any:
    return None if price is None else price.value


def _refresh(client: IbkrClient, master: MasterAccount, inquiry: Inquiry) -> dict[str, Any]:
    accounts = Account.objects.open().filter(master=master, number__in=inquiry.params["accounts"][:MOST_ACCOUNTS])
    read = [sync.read_account(client, account) for account in accounts.select_related("master")]
    return {"asked": len(read), "answered": sum(read)}
