"""What a person waits for: an instrument search, a quote, a what-if, a fresh look at accounts. Reads only; asked again at will.

Each asks the connection of the account it is about; what is about no account (a search, a quote) asks any live session, the
asker's own connections first. Nothing is asked of a session that waits for an answer about an order.

Paths: GET /iserver/secdef/search, /iserver/contract/{conid}/info, /iserver/marketdata/snapshot, /portfolio/{id}/...;
POST /iserver/account/{id}/orders/whatif.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from backoffice.broker import client as broker
from backoffice.broker.models import BrokerageSession, MasterAccount
from backoffice.core import clock
from backoffice.ibkr import IbkrClient
from backoffice.ibkr.errors import IbkrError, NotSent, Rejected, Unavailable
from backoffice.ibkr.parsing import Price
from backoffice.ibkr.types.contracts import ContractMatch
from backoffice.ibkr.types.orders import Preview, PreviewChange, WhatIf
from backoffice.journal import inquiries
from backoffice.journal.models import Inquiry
from clients.models import Account
from trading import translate
from trading.dispatch import sync
from trading.models import Instrument, Order, Target
from trading.services import portfolio
from trading.services.portfolio import Listing

MOST_LISTINGS = 8
MOST_ACCOUNTS = 25
SNAPSHOT_LASTS = timedelta(minutes=10)  # IBKR ends a feed after about 15 (trading.md 5)
MOST_WHAT_IFS = 10  # of a block whose accounts are asked about one by one
WAITS_FOR_AN_ANSWER = "IBKR waits for an answer about an order. Asking it anything else now could void that."


def answer_instrument_search(inquiry_pk: str) -> None:
    """Answer with the listings IBKR knows under a symbol, or else under a name; each becomes an Instrument."""
    _answer(inquiry_pk, _search)


def answer_quote(inquiry_pk: str) -> None:
    """Answer with one instrument's quote, and keep it with its age."""
    _answer(inquiry_pk, _quote)


def answer_what_if(inquiry_pk: str) -> None:
    """Answer with what IBKR says a draft would do: commission, margin, equity, warnings. No order is made."""
    _answer(inquiry_pk, _what_if)


def answer_portfolio_refresh(inquiry_pk: str) -> None:
    """Read the accounts a person asked about, and say how many answered."""
    _answer(inquiry_pk, _refresh)


def _answer(inquiry_pk: str, ask: Callable[[Inquiry], Any]) -> None:
    if (inquiry := inquiries.take(inquiry_pk)) is None:
        return
    try:
        answer = ask(inquiry)
    except IbkrError as error:
        inquiries.fail(inquiry, error.reason)
        return
    inquiries.answer(inquiry, answer)


# ---- whom to ask


def _client_of(master: MasterAccount) -> IbkrClient:
    """Return the client of one connection that may be asked now. Raises NotSent, saying why it may not."""
    session = BrokerageSession.objects.filter(master=master).first()
    if session is None or not session.is_live:
        raise NotSent(_why_not_live(master, session))
    _require_silence(master)
    return broker.client_for(master, lane="interactive")


def _require_silence(master: MasterAccount) -> None:
    if sync.conversation_is_open(master):
        raise NotSent(WAITS_FOR_AN_ANSWER)


def _why_not_live(master: MasterAccount, session: BrokerageSession | None) -> str:
    state = "down" if session is None else session.get_state_display().lower()
    detail = f" {session.detail.rstrip('.')}." if session is not None and session.detail else ""
    return f"The trading session of {master.account} is {state}, so IBKR cannot be asked through it now.{detail}"


def _any_client(inquiry: Inquiry) -> IbkrClient:
    """Return a client for what belongs to no account. Raises NotSent when no session may be asked."""
    own = set(Account.objects.visible_to(inquiry.asked_by).values_list("master_id", flat=True).distinct())
    live = sorted(sync.live_masters(), key=lambda master: (master.pk not in own, master.account))
    if not live:
        raise NotSent("There is no live trading session with IBKR, so it cannot be asked now.")
    free = [master for master in live if not sync.conversation_is_open(master)]
    return _client_of((free or live)[0])


# ---- instruments


def _search(inquiry: Inquiry) -> dict[str, Any]:
    client = _any_client(inquiry)
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


def _quote(inquiry: Inquiry) -> dict[str, Any]:
    instrument = Instrument.objects.get(conid=str(inquiry.params["conid"]))
    _take_quote(_any_client(inquiry), instrument)
    return {"conid": instrument.conid}


def _take_quote(client: IbkrClient, instrument: Instrument) -> None:
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


def _value(price: Price | None) -> Any:
    return None if price is None else price.value


# ---- what an order would do


def _what_if(inquiry: Inquiry) -> dict[str, Any]:
    """Ask about the draft as it was previewed. A block is asked about as a whole; where IBKR knows no what-if for one
    (trading.md 8.6), account by account."""
    order = Order.objects.select_related("instrument", "master").get(pk=inquiry.params["order"])
    if not order.is_draft or order.allocation_sha256 != inquiry.params["allocation"]:
        raise NotSent("The ticket has moved on since this was asked.")
    allocations = [row for row in order.allocations.select_related("account") if row.quantity]
    client = _client_of(order.master)
    quoted = order.instrument.quoted_at
    if quoted is None or clock.now() - quoted > SNAPSHOT_LASTS:
        _take_quote(client, order.instrument)  # without a snapshot before it a what-if lacks figures (trading.md 2)
    said = ""

    def ask(question: WhatIf) -> Preview:
        _require_silence(order.master)  # an order may have been asked about since the call before
        return client.orders.whatif(question)

    try:
        parts = [_part(ask(translate.what_if(order, allocations)))]
    except (Rejected, Unavailable) as error:
        if order.target == Target.ACCOUNT or error.status is None:
            raise
        said = error.reason
        parts = [
            _part(ask(translate.what_if_for(order, row)), row.account.number) for row in allocations[:MOST_WHAT_IFS]
        ]
    return {"parts": parts, "accounts": len(allocations), "refused_as_a_block": said, "as_of": clock.now()}


def _part(preview: Preview, account: str = "") -> dict[str, Any]:
    charge = preview.amounts.commission if preview.amounts else None
    return {
        "account": account,
        "commission": charge and charge.amount,
        "most_commission": charge and charge.upper,
        "currency": charge.currency if charge else "",
        "equity": _change(preview.equity),
        "initial": _change(preview.initial_margin),
        "maintenance": _change(preview.maintenance_margin),
        "position": _change(preview.position),
        "warning": translate.plain_words([preview.warning]),
        "error": translate.plain_words([preview.error]),
    }


def _change(change: PreviewChange | None) -> list[Any] | None:
    return None if change is None else [change.current, change.change, change.after]


# ---- accounts


def _refresh(inquiry: Inquiry) -> dict[str, Any]:
    """Read each account through its own connection; those whose session may not be asked are named with the reason."""
    wanted = inquiry.params["accounts"][:MOST_ACCOUNTS]
    accounts = Account.objects.open().filter(number__in=wanted).select_related("master").order_by("number")
    clients: dict[Any, IbkrClient | None] = {}
    reasons = []
    for account in accounts:
        if account.master_id in clients:
            continue
        try:
            clients[account.master_id] = _client_of(account.master)
        except NotSent as error:
            clients[account.master_id] = None
            reasons.append(error.reason)
    if reasons and not any(clients.values()):
        raise NotSent(" ".join(reasons))
    answered = sum(sync.read_account(client, row) for row in accounts if (client := clients[row.master_id]) is not None)
    return {"asked": len(accounts), "answered": answered, "reasons": reasons}
