"""The order types and times in force that IBKR takes, and what the price fields of each mean.

    code        price            auxPrice     comes alive                     executes
    MKT         -                -            at once                         at the market
    LMT         limit            -            at once                         at the limit or better
    STP         stop (or aux)    stop         the market reaches the stop     at the market
    STOP_LIMIT  limit            stop         the market reaches the stop     at the limit or better
    MIT         touch (or aux)   touch        the market comes to the touch   at the market
    LIT         limit            touch        the market comes to the touch   at the limit or better
    TRAIL       first stop (opt.)             the trailed stop is reached     at the market
    TRAILLMT    limit            first stop   the trailed stop is reached     at a limit that trails with the stop
    MOC, LOC    - / limit        -            in the closing auction          at its price, LOC at the limit or better
    REL         cap (opt.)       offset       at once                         from the own side of the market, capped
    MIDPRICE    cap (opt.)       -            at once                         at the midpoint, never beyond the cap

STP and MIT are taken with their trigger in either field, for IBKR's documents disagree; the knob `stop_of_stp` plays each. MOC,
LOC, MIT, LIT and REL are in no list of the documents, only seen in clients (knob `order_types`). There is no field for a date,
so GTD is refused. Abroad only MKT, LMT, STP and STOP_LIMIT are known, as the contract rules say.
"""

from dataclasses import dataclass

TIFS = ("DAY", "GTC", "IOC", "OPG", "OVT", "OND")
AUCTION_TYPES = ("MOC", "LOC")


@dataclass(frozen=True, slots=True)
class Kind:
    code: str
    listed: str  # origOrderType, order_type
    label: str  # orderType
    trigger: str = ""  # stop, touch, trail
    has_limit: bool = False
    needs_price: bool = False
    needs_aux: bool = False
    takes_price: bool = True
    outside: bool = False  # may execute outside regular trading hours
    abroad: bool = False


_KINDS = (
    Kind("MKT", "MARKET", "Market", takes_price=False, abroad=True),
    Kind("LMT", "LIMIT", "Limit", has_limit=True, needs_price=True, outside=True, abroad=True),
    Kind("STP", "STOP", "Stop", trigger="stop", abroad=True),
    Kind("STOP_LIMIT", "STOP_LIMIT", "Stop Limit", trigger="stop", has_limit=True, needs_price=True, needs_aux=True,
         outside=True, abroad=True),
    Kind("MIT", "MIT", "Market if Touched", trigger="touch"),
    Kind("LIT", "LIT", "Limit if Touched", trigger="touch", has_limit=True, needs_price=True, needs_aux=True, outside=True),
    Kind("TRAIL", "TRAILING_STOP", "Trailing Stop", trigger="trail"),
    Kind("TRAILLMT", "TRAILING_STOP_LIMIT", "Trailing Stop Limit", trigger="trail", has_limit=True, needs_price=True,
         outside=True),
    Kind("MOC", "MARKETONCLOSE", "Market on Close", takes_price=False),
    Kind("LOC", "LIMITONCLOSE", "Limit on Close", has_limit=True, needs_price=True),
    Kind("REL", "RELATIVE", "Relative", outside=True),
    Kind("MIDPRICE", "MIDPRICE", "Midprice"),
)  # fmt: skip
KINDS = {kind.code: kind for kind in _KINDS}
MERELY_SEEN = ("MOC", "LOC", "MIT", "LIT", "REL")
STOP_LIMIT = {"STOP_LIMIT": "long", "STP LMT": "short"}  # some of IBKR's documents write it so, some so
