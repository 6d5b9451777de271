"""The instruments of the sandbox's world: real, well-known ones under their real contract ids.

`data/instruments.json` holds facts only. `refPrice` is a rounded level of 2025 that anchors the seeded walk of
`market.py`; it is no market data. Prices are in the units IBKR quotes them in: pence for shares in London
(`price_magnifier` 100), percent of par for bonds, points for futures; `value` turns price and quantity into money.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

_DATA = Path(__file__).parent / "data" / "instruments.json"


@dataclass(frozen=True, slots=True)
class Instrument:
    conid: int
    symbol: str
    name: str
    asset_class: str  # STK, CASH, IND, FUT, OPT, BOND
    subtype: str  # COMMON, ADR, ETF, GOVT or ""
    exchange: str  # IBKR's code of the primary exchange
    currency: str
    country: str
    sector: str
    industry_group: str
    isin: str
    min_tick: Decimal
    ref_price: Decimal
    multiplier: Decimal
    price_magnifier: Decimal
    expiry: str  # YYYYMMDD or ""
    right: str  # C, P or ""
    strike: Decimal
    underlying_conid: int  # 0 when there is none
    local_symbol: str
    maturity: str  # of a bond: YYYYMMDD or ""
    coupon: Decimal

    @property
    def unit_factor(self) -> Decimal:
        """Money in `currency` that one unit is worth when its price reads 1."""
        if self.asset_class == "BOND":
            return Decimal("0.01")
        return self.multiplier / self.price_magnifier

    @property
    def company_name(self) -> str:
        """The name as IBKR writes it, in capitals."""
        return self.name.upper()

    @property
    def is_tradable(self) -> bool:
        """Whether the sandbox takes orders in it: shares, depositary receipts and exchange-traded funds."""
        return self.asset_class == "STK"

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the value in `currency` of a quantity at a quoted price, unrounded."""
        return quantity * price * self.unit_factor

    def is_on_tick(self, price: Decimal) -> bool:
        return price % self.min_tick == 0

    def rounded(self, price: Decimal) -> Decimal:
        """Return the nearest price that lies on the tick grid, never below one tick."""
        ticks = max((price / self.min_tick).to_integral_value(), Decimal(1))
        return (ticks * self.min_tick).quantize(self.min_tick)


def _read(fact: dict[str, str | int]) -> Instrument:
    def text(key: str) -> str:
        return str(fact.get(key, ""))

    def number(key: str, default: str) -> Decimal:
        return Decimal(str(fact.get(key, default)))

    return Instrument(
        conid=int(fact["conid"]),
        symbol=text("symbol"),
        name=text("name"),
        asset_class=text("assetClass"),
        subtype=text("subtype"),
        exchange=text("exchange"),
        currency=text("currency"),
        country=text("country"),
        sector=text("sector"),
        industry_group=text("industryGroup"),
        isin=text("isin"),
        min_tick=number("minTick", "0.01"),
        ref_price=number("refPrice", "1"),
        multiplier=number("multiplier", "1"),
        price_magnifier=number("priceMagnifier", "1"),
        expiry=text("expiry"),
        right=text("right"),
        strike=number("strike", "0"),
        underlying_conid=int(fact.get("underlyingConid", 0)),
        local_symbol=text("localSymbol") or text("symbol"),
        maturity=text("maturity"),
        coupon=number("coupon", "0"),
    )


@cache
def _by_conid() -> dict[int, Instrument]:
    facts = json.loads(_DATA.read_text(encoding="utf-8"))
    return {instrument.conid: instrument for instrument in map(_read, facts)}


def all() -> list[Instrument]:  # noqa: A001 - reads as instruments.all()
    """Return every instrument, in the order of the data file."""
    return list(_by_conid().values())


def get(conid: int | str) -> Instrument | None:
    """Return the instrument with this contract id, or None."""
    try:
        return _by_conid().get(int(conid))
    except ValueError:
        return None
