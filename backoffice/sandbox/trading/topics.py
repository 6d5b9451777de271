"""What a stream tells of each topic, from the same books, market and orders that REST reads.

Every topic keeps what it has told and tells what has changed since: `smd` only the fields that changed, `sor` only the members
of an order that changed (with `orderId`, `acct`, `conid`), `str` an execution anew when its commission comes, `spl` and `ssd` the
rows that changed, `sld` every 10 seconds every currency, unchanged ones with key and timestamp alone. The first frame is whole.

Market data of a contract ends 15 minutes after `smd` opened it, without a word (knob `stream_quotes_seconds`, 0 never); another
`smd` changes the fields and no more, only `umd` and then `smd` begin anew. Its fields are those of whoever asked last, over REST
too, and `unsubscribe` over REST ends it. Orders fall silent after a filtered GET /iserver/account/orders until one with force.

Simplified: no market depth (`sbd`); what came and went between two looks, as when the clock is moved, is told as its outcome.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from backoffice.sandbox import instruments
from backoffice.sandbox.accounts import AccountRow
from backoffice.sandbox.clock import NEW_YORK
from backoffice.sandbox.instruments import Instrument
from backoffice.sandbox.jsonio import loads

from . import balances, funds, groups, history, memory, numbering, orderbook, quotes, rows, sessions, shares
from .desk import Desk, Refusal
from .fields import DEFAULT, View, row
from .orders import is_visible
from .sessions import Session
from .valuation import value

Frame = dict[str, Any]
MOST_CHARTS = 5
_EVERY = timedelta(seconds=10)  # ledger and summary
_OFTEN = timedelta(seconds=1)  # profit
_FORMAT = "%o/%c/%h/%l/%v"
_OF_SUMMARY = """
AccountCode AccountReady AccountType AccruedCash AccruedDividend AvailableFunds AvailableToTrade AvailableToWithdraw Billable
BuyingPower Cushion DayTradesRemaining EquityWithLoanValue ExcessLiquidity FullAvailableFunds FullExcessLiquidity
FullInitMarginReq FullMaintMarginReq GrossPositionValue Guarantee HighestSeverity IndianStockHaircut InitMarginReq Leverage
LookAheadAvailableFunds LookAheadExcessLiquidity LookAheadInitMarginReq LookAheadMaintMarginReq LookAheadNextChange
MaintMarginReq NetLiquidation NetLiquidationUncertainty NLVAndMarginInReview PASharesValue PhysicalCertificateValue
PostExpirationExcess PostExpirationMargin PreviousDayEquityWithLoanValue RegTEquity RegTMargin SegmentTitle SMA TotalCashValue
TotalDebitCardPendingCharges TradingType WhatIfPMEnabled
"""
_OF_LEDGER = """
acctCode cashBalance cashBalanceFXSegment commodityMarketValue corporateBondsMarketValue cryptocurrencyValue dividends
exchangeRate funds futureMarketValue futureOptionMarketValue futuresOnlyPnl interest issuerOptionsMarketValue moneyFunds
netLiquidationValue realizedPnl secondKey settledCash severity stockMarketValue stockOptionMarketValue tBillsMarketValue
tBondsMarketValue unrealizedPnl warrantsMarketValue
"""
_NAMES = {name.lower(): name for name in _OF_SUMMARY.split()}  # REST's lowercase: as a stream writes it
_LEDGER_NAMES = {name.lower(): name for name in _OF_LEDGER.split()}


class Mistake(Exception):
    """What was asked for cannot be had; the text goes into an error frame."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose eyes look, and when."""

    desk: Desk
    session: Session

    @property
    def now(self) -> datetime:
        return self.desk.sandbox.clock.now()

    def account(self, account: str) -> AccountRow:
        found = self.desk.sandbox.accounts.get(account)
        if found is None or found.master != self.session.master or found.status not in ("O", "C"):
            raise Mistake(f"accountId is not valid: {account}")
        return found

    def days_ago(self, days: int) -> datetime:
        """The beginning of the first of so many days in New York, of which today is the last."""
        today = self.now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=days - 1)


def texts(wanted: dict[str, Any], name: str) -> list[str]:
    """Return a list of texts or numbers as texts, `[]` when it is not there."""
    found = wanted.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, str | int) for item in found):
        raise Mistake(f"{name} must be a list")
    return [str(item) for item in found]


# -- market data ----------------------------------------------------------------------------------------------------


@dataclass
class Quotes:
    """The stream of one contract: `target` as it was asked for, with its exchange if one was named."""

    target: str
    instrument: Instrument
    since: datetime
    told: Frame = field(default_factory=dict)
    due: datetime | None = None

    @property
    def conid(self) -> int:
        return self.instrument.conid

    def is_over(self, scope: Scope) -> bool:
        """True once the server or an unsubscribe over REST has ended it; the former closes the stream for REST too."""
        lifetime = int(scope.desk.knob("stream_quotes_seconds", 900))
        if lifetime and scope.now - self.since >= timedelta(seconds=lifetime):
            quotes.unsubscribe(scope.desk, scope.session.token, self.conid)
            return True
        return not quotes.is_streaming(scope.desk, scope.session.token, self.conid)

    def look(self, scope: Scope) -> list[Frame]:
        wanted = None if self.is_over(scope) else quotes.active_fields(scope.desk, scope.session.token, self.conid)
        if wanted is None or (self.due is not None and scope.now < self.due):
            return []
        self.due = scope.now + timedelta(milliseconds=int(scope.desk.knob("stream_quote_milliseconds", 500)))
        found = row(View(scope.desk, scope.session.selected), self.instrument, wanted)
        updated = found.pop("_updated")
        changed = {key: shown for key, shown in found.items() if self.told.get(key) != shown}
        self.told |= changed
        if not changed:
            return []
        head = {
            "topic": f"smd+{self.target}",
            "server_id": found["server_id"],
            "conidEx": self.target,
            "conid": self.conid,
        }
        return [{**head, "_updated": updated, **changed}]


def subscribe_quotes(scope: Scope, target: str, wanted: dict[str, Any], open_: dict[str, Quotes]) -> None:
    """Open the stream of a contract or change its fields. Without a market data line left nothing is ever told."""
    conid = target.partition("@")[0]
    instrument = instruments.get(conid) if conid.isdecimal() else None
    if instrument is None:
        raise Mistake(f"unknown contract: {target}")
    fields = ",".join(texts(wanted, "fields"))
    fields = fields or quotes.active_fields(scope.desk, scope.session.token, instrument.conid) or DEFAULT
    known = open_.get(target)
    is_over = known is not None and known.is_over(scope)
    if not quotes.subscribe(scope.desk, scope.session, instrument.conid, fields):
        open_.pop(target, None)
    elif known is None or is_over:
        open_[target] = Quotes(target, instrument, scope.now)


def chart(scope: Scope, target: str, wanted: dict[str, Any], open_: dict[str, str]) -> Frame:
    """Return the one payload of a chart and keep its place; at most five are open until they are given up."""
    if len(open_) >= MOST_CHARTS:
        raise Mistake("Too many history charts requests, please try again later.")
    try:
        found = history.read(scope.desk, target.partition("@")[0], wanted)
        server_id = str(4_155_817 + max((int(known) - 4_155_816 for known in open_), default=0))
        answer = history.answer(scope.desk, found, server_id=server_id)
    except Refusal as refusal:
        raise Mistake(str(refusal.body["error"])) from refusal
    members = {"t", *(part.lstrip("%") for part in str(wanted.get("format") or _FORMAT).split("/"))}
    answer["data"] = [{name: bar[name] for name in bar if name in members} for bar in answer["data"]]
    open_[server_id] = target
    return {"topic": f"smh+{target}", **answer}


# -- orders and trades ----------------------------------------------------------------------------------------------


@dataclass
class Orders:
    """Orders of the brokerage session and whatever else works; with `days` the earlier of those that are done are left out."""

    days: int | None
    is_news_only: bool
    told: dict[int, Frame] | None = None

    def look(self, scope: Scope) -> list[Frame]:
        if memory.has(scope, memory.FILTERED_ORDERS):
            return []
        since = None if self.days is None else scope.days_ago(self.days)
        shown_now = {
            order.order_id: _named(scope, rows.live(scope.desk.sandbox, order))
            for order in orderbook.of_master(scope.desk.sandbox, scope.session.master)
            if is_visible(order, scope.session.session_id)
            and (since is None or order.is_working or order.created_at >= since)
        }
        is_first, known = self.told is None, self.told or {}
        self.told = {**known, **shown_now}
        if is_first:
            return [] if self.is_news_only else [{"topic": "sor", "args": list(shown_now.values())}]
        news = [
            _changed(known.get(order_id), shown)
            for order_id, shown in shown_now.items()
            if known.get(order_id) != shown
        ]
        return [{"topic": "sor", "args": news}] if news else []


def _named(scope: Scope, row: Frame) -> Frame:
    return numbering.renamed(scope.desk.sandbox, scope.session.session_id, row)


def _changed(known: Frame | None, shown: Frame) -> Frame:
    if known is None:
        return shown
    return {
        name: told for name, told in shown.items() if name in ("orderId", "acct", "conid") or known.get(name) != told
    }


@dataclass
class Trades:
    """Executions of today, or of the last `days`."""

    days: int
    is_news_only: bool
    told: dict[str, Frame] | None = None

    def look(self, scope: Scope) -> list[Frame]:
        shown_now = self._rows(scope)
        is_first, known = self.told is None, self.told or {}
        self.told = {**known, **shown_now}
        if is_first:
            return [] if self.is_news_only else [{"topic": "str", "args": list(shown_now.values())}]
        news = [shown for execution_id, shown in shown_now.items() if known.get(execution_id) != shown]
        return [{"topic": "str", "args": news}] if news else []

    def _rows(self, scope: Scope) -> dict[str, Frame]:
        sandbox, since = scope.desk.sandbox, scope.days_ago(self.days)
        late = timedelta(seconds=int(scope.desk.knob("commission_delay_seconds", 0)))
        found = [
            (execution, _named(scope, rows.trade(order, execution, is_priced=scope.now - execution.at >= late)))
            for order in orderbook.of_master(sandbox, scope.session.master)
            if order.last_fill_at is not None and order.last_fill_at >= since
            for execution in shares.shown(sandbox, order)
            if execution.at >= since
        ]
        found.sort(key=lambda pair: (pair[0].at, pair[0].execution_id), reverse=True)
        return {execution.execution_id: {**shown, "open_close": "???"} for execution, shown in found}


def last_event(scope: Scope) -> int:
    """The id of the last event there is: what has been said before a connection was made is not told again."""
    return int(scope.desk.sandbox.store.value("SELECT COALESCE(MAX(id), 0) FROM trading_events"))


def prompts(scope: Scope, after: int) -> list[tuple[int, Frame]]:
    """Return (id, element of `args`) of the prompts put to this username since an event."""
    rows = scope.desk.sandbox.store.rows(
        "SELECT id, payload FROM trading_events WHERE id > ? AND topic = 'ntf' AND username = ? ORDER BY id",
        after,
        scope.session.username,
    )
    return [(row["id"], _named(scope, loads(row["payload"]))) for row in rows]


# -- profit, summary and ledger -------------------------------------------------------------------------------------


@dataclass
class Profit:
    """Of the selected account, or of every one when all are selected or there is no brokerage session to select one in."""

    told: dict[str, Any] = field(default_factory=dict)
    due: datetime | None = None

    def look(self, scope: Scope) -> list[Frame]:
        if self.due is not None and scope.now < self.due:
            return []
        self.due = scope.now + _OFTEN
        selected = scope.session.selected or groups.ALL
        rows = funds.profit_rows(scope.desk, scope.session.master, selected, excess="uel")
        news = {name: shown for name, shown in rows.items() if self.told.get(name) != shown}
        self.told = rows
        return [{"topic": "spl", "args": news}] if news else []


@dataclass
class Summary:
    """Figures of one account by name; without `keys` all of them, without `fields` everything known of each."""

    account: str
    keys: list[str]
    fields: list[str]
    told: dict[str, Frame] = field(default_factory=dict)
    due: datetime | None = None

    def look(self, scope: Scope) -> list[Frame]:
        if self.due is not None and scope.now < self.due:
            return []
        self.due = scope.now + _EVERY
        found = balances.summary(value(scope.desk.sandbox, scope.account(self.account)))
        names = {key.lower(): key for key in self.keys} or {key: _camel(key) for key in found}
        at, news = sessions.milliseconds(scope.now), []
        for key, name in names.items():
            if key not in found:
                continue
            shown = self._figure(found[key])
            if self.told.get(key) != shown:
                self.told[key] = shown
                news.append({"key": name, **shown, "timestamp": at})
        return [{"topic": f"ssd+{self.account}", "result": news}] if news else []

    def _figure(self, found: dict[str, Any]) -> Frame:
        if found["value"] is None:
            shown = {"monetaryValue": found["amount"], "currency": found["currency"], "severity": found["severity"]}
        else:
            shown = {"value": found["value"], "severity": found["severity"]}
        return {name: told for name, told in shown.items() if not self.fields or name in self.fields}


def _camel(key: str) -> str:
    """`availablefunds-s` as `AvailableFunds-S`."""
    name, dash, segment = key.partition("-")
    return _NAMES.get(name, name) + dash + segment.upper()


@dataclass
class Ledger:
    """The currencies of one account; `keys` such as LedgerListUSD and LedgerListBASE."""

    account: str
    keys: list[str]
    fields: list[str]
    due: datetime
    told: dict[str, Frame] = field(default_factory=dict)

    def look(self, scope: Scope) -> list[Frame]:
        if scope.now < self.due:
            return []
        self.due = scope.now + _EVERY
        lines = balances.ledger(scope.desk, value(scope.desk.sandbox, scope.account(self.account)))
        result = []
        for currency, line in lines.items():
            key = f"LedgerList{currency}"
            if self.keys and key not in self.keys:
                continue
            shown = {
                _LEDGER_NAMES[name]: told
                for name, told in line.items()
                if name in _LEDGER_NAMES and (not self.fields or _LEDGER_NAMES[name] in self.fields)
            }
            is_known = self.told.get(key) == shown
            self.told[key] = shown
            result.append({"key": key, **({} if is_known else shown), "timestamp": line["timestamp"]})
        return [{"topic": f"sld+{self.account}", "result": result}] if result else []
