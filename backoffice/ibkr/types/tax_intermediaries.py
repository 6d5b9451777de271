"""Form W-8IMY, by which an intermediary, a flow-through entity or a branch says what it is."""

from typing import Annotated, Literal

from pydantic import Field

from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.people import Country
from backoffice.ibkr.types.tax_entities import Box11Status

IntermediaryType = Literal[
    "QUALIFIED_INTERMEDIARY",
    "NONQUALIFIED_INTERMEDIARY",
    "TERRITORY_FINANCIAL",
    "US_BRANCH",
    "WITHHOLDING_FOREIGN_PARTNERSHIP",
    "WITHHOLDING_FOREIGN_TRUST",
    "NONWITHHOLDING_FOREIGN_PARTNERSHIP",
    "NONWITHHOLDING_FOREIGN_SIMPLE_TRUST",
    "NONWITHHOLDING_FOREIGN_GRANTOR_TRUST",
]
IntermediaryStatus = Literal[
    "NONPARTICIPATING_FFI",
    "PARTICIPATING_FFI",
    "REPORTING_MODEL1_FFI",
    "REPORTING_MODEL2_FFI",
    "REGISTERED_DEEMED_COMPLAINT",
    "TERRITORY_FINANCIAL_INSTITUTION",
    "SPONSORED_FFI",
    "CERTIFIED_DEEMED_COMPLAINT_FFI",
    "CERTIFIED_DEEMED_COMPLAINT_SPONSORED",
    "CERTIFIED_DEEMED_COMPLAINT_LIMITED_LIFE_DEBT",
    "OWNER_DOCUMENTED_FFI",
    "RESTRICTED_DISTRIBUTOR",
    "FOREIGN_CENTRAL_BANK_ISSUE",
    "NONREPORTING_IGA_FFO",
    "EXEMPT_RETIREMENT_PLAN",
    "EXCEPTED_NONFINANCIAL_GROUP_ENTITY",
    "EXCEPTED_NONFINANCIAL_STARTUP_COMPANY",
    "EXCEPTED_NONFINANCIAL_ENTITY_IN_LIQUIDATION",
    "PUBLICLY_TRADED_NFFE",
    "EXCEPTED_TERRITORY_NFFE",
    "ACTIVE_NFFE",
    "PASSIVE_NFFE",
    "DIRECT_REPORTING_NFFE",
    "SPONSORED_DIRECT_REPORTING_NFFE",
]


class W8Imy(Request):
    """Form W-8IMY. Each `part...` member is the form's own part, line and letter (part1728: part 17, line 28).

    Trap: IBKR spells REGISTERED_DEEMED_COMPLAINT and NONREPORTING_IGA_FFO so, and refuses the correct words.
    """

    name: Annotated[str, Field(min_length=1)]
    country_of_incorporation: Country
    entity_type: IntermediaryType
    fatca_status: IntermediaryStatus
    cert: bool
    disregarded_entity_name: str | None = None
    us_tin: str | None = None
    us_tin_type: Literal["QI-EIN", "WP-EIN", "WT-EIN", "EIN", "SSN", "ITIN"] | None = None
    giin: str | None = None
    reference_number: int | None = None
    box11_status: Box11Status | None = None
    part314_a: bool | None = None
    part314_b: bool | None = None
    part314_c: bool | None = None
    part314_c_desc: str | None = None
    part314_d: bool | None = None
    part314_d_desc: str | None = None
    part314_e: bool | None = None
    part314_e_desc: str | None = None
    part314_e_i: bool | None = None
    part314_e_ii: bool | None = None
    part415_a: bool | None = None
    part415_b: bool | None = None
    part415_c: bool | None = None
    part415_d: bool | None = None
    part516_a: bool | None = None
    part516_b: bool | None = None
    part516_c: bool | None = None
    part617_a: bool | None = None
    part617_b: bool | None = None
    part617_c: bool | None = None
    part718: bool | None = None
    part819: bool | None = None
    part920: bool | None = None
    part1021: str | None = None
    part1021_a: str | None = None
    part1021_b: bool | None = None
    part1021_c: bool | None = None
    part1122_a: bool | None = None
    part1122_b: bool | None = None
    part1122_c: bool | None = None
    part1223: bool | None = None
    part1324: bool | None = None
    part1425_a: str | None = None
    part1425_b: bool | None = None
    part1526: bool | None = None
    part1627_a: bool | None = None
    part1627_b: bool | None = None
    part1627_c: bool | None = None
    part1728: bool | None = None
    part1829: bool | None = None
    part1829_desc1: str | None = None
    part1829_desc2: str | None = None
    part1829_desc3: str | None = None
    part1930_a: bool | None = None
    part1930_b: bool | None = None
    part1930_c: bool | None = None
    part1930_d: bool | None = None
    part1930_e: bool | None = None
    part1930_f: bool | None = None
    part2031: bool | None = None
    part2132: bool | None = None
    part2132_desc: str | None = None
    part2233: bool | None = None
    part2233_desc: str | None = None
    part2334_a: bool | None = None
    part2334_a_desc: str | None = None
    part2334_b: bool | None = None
    part2334_b_desc: str | None = None
    part2435: bool | None = None
    part2536: bool | None = None
    part2637: bool | None = None
    part2738: str | None = None
    part2739: bool | None = None
