"""The two generations of names in the answers of models (`/fa/*`): 2.28 shortens them, newer servers write them out.

From the drift map of trading.md 10.7. A family that reads such members says `either("target")` and takes both; what it
sends has the new names, and the old ones again where the server answers 400 to those.
"""

from pydantic import AliasChoices

SHORT_NAMES: dict[str, str] = {
    "conid": "cid",
    "target": "trgt",
    "actual": "actl",
    "actualRangeMin": "actlRangeMin",
    "actualRangeMax": "actlRangeMax",
    "exchangeRate": "exrt",
    "flags": "flg",
    "cashInIndependent": "indCash",
    "cashInIndependentNlv": "indCashNlv",
    "positionsInIndependentNlv": "indPosNlv",
    "baseCcyMasterPrecision": "baseCcyMasterPrc",
    "baseCcyAccountPrecision": "baseCcyAccountPrc",
    # of the presets, 10.6
    "closeDivestIndependentPosition": "closeDivestCorePosition",
    "avoidNegativeCashInIndependent": "avoidNegativeCashInCore",
    "roundAllocationQuantityToExchangeBoardLot": "roundAllocExchBoardLot",
}


def either(name: str) -> AliasChoices:
    """Return both spellings of a member, the newer first. Raises KeyError for a name that never changed."""
    return AliasChoices(name, SHORT_NAMES[name])
