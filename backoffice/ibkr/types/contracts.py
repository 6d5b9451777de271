"""Instruments as IBKR describes them."""

from typing import Any

from pydantic import AliasChoices, Field, model_validator

from backoffice.ibkr.parsing import Flag, Id, Number, Text
from backoffice.ibkr.types.base import Answer


class ContractMatch(Answer):
    """One hit of a search. A symbol has many listings: match exchange and currency, and let a person confirm."""

    conid: Id
    symbol: Text = ""
    company_name: Text = Field(default="", alias="companyName")
    header: Text = Field(default="", alias="companyHeader")
    listing_exchange: Text = Field(default="", alias="description")
    restricted: Text = ""
    security_types: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _types_of_sections(cls, data: Any) -> Any:
        sections = data.get("sections") if isinstance(data, dict) else None
        if not isinstance(sections, list):
            return data
        return {
            **data,
            "security_types": [
                str(each["secType"]) for each in sections if isinstance(each, dict) and each.get("secType")
            ],
        }


class ContractInfo(Answer):
    """One instrument."""

    conid: Id = Field(validation_alias=AliasChoices("con_id", "conid"))
    symbol: Text = ""
    local_symbol: Text = ""
    company_name: Text = ""
    instrument_type: Text = ""
    currency: Text = ""
    exchange: Text = ""  # where orders are routed, usually SMART; the listing exchange is on the ContractMatch
    valid_exchanges: Text = ""
    trading_class: Text = ""
    multiplier: Number = None
    industry: Text = ""
    category: Text = ""
    is_smart_available: Flag = Field(default=None, alias="smart_available")
    cusip: Text = ""
