"""Net worth, sources of wealth and trading experience: what an application or a change may say about money."""

from decimal import Decimal
from typing import Any

from . import enumerations

KNOWLEDGE = ("None", "Limited", "Good", "Extensive")
HIGHEST = {"netWorth": 50_000_001, "liquidNetWorth": 50_000_001, "annualNetIncome": 1_000_001}
LEAST = {"netWorth": 101, "liquidNetWorth": 101, "annualNetIncome": 0}
CRITERIA = "Exception for accounts * Financial Criteria checks for Capabilities failed: {%s} occurred."
LEAST_LIQUID = Decimal(20_000)
DEMANDING = frozenset({"OPTIONS", "STOCK OPTIONS", "FUTURES", "FUTURES OPTIONS", "FOREX", "SINGLE STOCK FUTURES"})


def amounts(value: dict[str, Any], currency: str) -> list[str]:
    """The three amounts: the id of a range of the currency up to 100, absolute above. An income of 0 to 100 is one, too."""
    if any(value.get(member) is None for member in LEAST):
        return ["Invalid values for Net Worth, Liquid Net Worth and Annual Net Income in FinancialInformation node."]
    found = []
    for member, highest in HIGHEST.items():
        amount = value[member]
        is_known = LEAST[member] <= 100 or amount > 100 or _range(amount, member, currency) is not None
        if amount < 0 or amount > highest or not is_known:
            found.append(f"{member} must be between {LEAST[member]} and {highest}")
    liquid = lower_bound(value["liquidNetWorth"], "liquidNetWorth", currency)
    net = upper_bound(value["netWorth"], "netWorth", currency)
    if net is not None and liquid > net and not found:
        found.append(CRITERIA % "est_net_worth=Your Liquid Net Worth cannot be larger than Net Worth")
    if value.get("totalAssets") is not None and value["totalAssets"] <= 0:
        found.append(
            "Invalid value for Total Assets in financialInformation node. Total Assets must be a positive value."
        )
    return found


def lower_bound(amount: Any, kind: str, currency: str) -> Decimal:
    """The amount meant: range ids count with the lower bound of their range."""
    row = _range(amount, kind, currency)
    return Decimal(amount if row is None else row["lowerBound"])


def upper_bound(amount: Any, kind: str, currency: str) -> Decimal | None:
    """The most that the amount may mean; None for the highest range, which has no end."""
    row = _range(amount, kind, currency)
    if row is None:
        return Decimal(amount)
    return Decimal(row["upperBound"]) if "upperBound" in row else None


def _range(amount: Any, kind: str, currency: str) -> dict[str, Any] | None:
    """The range that a number up to 100 is the id of."""
    rows: list[dict[str, Any]] = enumerations.facts()["fin-info-ranges"] if amount <= 100 else []
    return next((r for r in rows if (r["currency"], r["type"], r["id"]) == (currency, kind, amount)), None)


def sources(rows: list[dict[str, Any]], employment_type: str | None) -> list[str]:
    """`sourcesOfWealth`: those used for funding total 100 percent."""
    found = []
    used = [row for row in rows if row.get("usedForFunds")]
    kinds = [row.get("sourceType") for row in rows]
    if not all(kinds):
        found.append("Source Type for sourceOfWealth is either missing or is invalid.")
    if len(set(kinds)) != len(kinds):
        found.append("Source Types of SourcesOfWealth must not repeat")
    for row in rows:
        if str(row.get("sourceType", "")).endswith("-Other") and not row.get("description"):
            found.append(f"Description is missing for Source Type {row['sourceType']}.")
        if not row.get("usedForFunds") and row.get("percentage"):
            found.append("Percentage is required ONLY when SourceOfWealth is used to fund the account.")
    total = sum((row.get("percentage", 0) for row in used), 0)
    if not used:
        found.append("At least one sourceOfWealth must be used to fund the account.")
    elif total != 100:
        found.append(
            f"Total Percentage from SourcesOfWealth used to fund the account is {total}%. It MUST add to 100%."
        )
    if employment_type in ("EMPLOYED", "SELFEMPLOYED") and "SOW-IND-Income" not in kinds:
        found.append(f"SourcesOfWealth must include SOW-IND-Income when EmploymentType is {employment_type}")
    return found


def experience(rows: list[dict[str, Any]], age: int | None) -> list[str]:
    found = []
    for row in rows:
        kind = row.get("assetClass")
        if not kind:
            found.append("Asset Experience is missing.")
            continue
        if row.get("knowledgeLevel") is None:
            found.append(f"Knowledge level is missing for asset class {kind} in AssetExperience node.")
        if row.get("yearsTrading") is None:
            found.append(f"Years trading is missing for asset class {kind} in AssetExperience node.")
        elif age is not None and row["yearsTrading"] > age - 18:
            found.append(f"Years trading of asset class {kind} exceed the years since the age of 18")
        if row.get("tradesPerYear") is None:
            found.append(f"Trades per year is missing for asset class {kind} in AssetExperience node.")
    return found


def is_experienced(row: dict[str, Any], gate: str) -> bool:
    """The gate of broker clients who trade fewer than ten times a year: years and knowledge by asset class."""
    if row.get("tradesPerYear", 0) >= 10:
        return True
    years, knows_enough = row.get("yearsTrading", 0), row.get("knowledgeLevel") in ("Good", "Extensive")
    if gate in ("STK", "BOND"):
        return years >= 2 or (years >= 1 and knows_enough)
    return years >= 3 or (years >= 2 and knows_enough)


def gates(products: set[str], rows: list[dict[str, Any]], *, is_on_margin: bool) -> list[str]:
    """What a broker's client lacks for the products asked for; the demonstration's broker is at IB-IE, where margin is one."""
    held = {row.get("assetClass"): row for row in rows}
    needed = {
        "STOCKS": "STK", "BONDS": "BOND", "OPTIONS": "OPT", "STOCK OPTIONS": "OPT", "FUTURES": "FUT", "FOREX": "CASH",
    }  # fmt: skip
    found = ["Asset Experience is missing for asset class MRGN"] if is_on_margin and "MRGN" not in held else []
    for product in sorted(products & needed.keys()):
        row = held.get(needed[product])
        if row is not None and not is_experienced(row, needed[product]):
            found.append(CRITERIA % f"experience=Experience in {needed[product]} does not suffice for {product}")
    return found


def whole(
    values: list[dict[str, Any]], employment_type: str | None, currency: str, *, age: int | None = None
) -> list[str]:
    """`financialInformation`, an array of one; absent in a hybrid application without it."""
    if not values:
        return []
    value = values[0]
    found = amounts(value, currency) + experience(value.get("investmentExperience", []), age)
    return found + (sources(value["sourcesOfWealth"], employment_type) if value.get("sourcesOfWealth") else [])


def criteria(value: dict[str, Any], products: set[str], account: dict[str, Any]) -> list[str]:
    """Margin, derivatives and currencies need a liquid net worth above USD 20,000; minimums of other products are not printed."""
    is_demanding = account.get("margin") not in (None, "Cash") or products & DEMANDING or account.get("capabilities")
    liquid = lower_bound(value.get("liquidNetWorth", 0), "liquidNetWorth", account.get("baseCurrency", "USD"))
    if is_demanding and liquid <= LEAST_LIQUID:
        return [CRITERIA % "financial=Liquid Net Worth must be greater than USD 20,000."]
    return []
