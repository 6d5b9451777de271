"""Instruments as IBKR describes them, and the rules of trading them."""

from decimal import Decimal
from html import unescape
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from backoffice.ibkr.parsing import Day, Flag, Id, Instant, Number, OptionalId, Text
from backoffice.ibkr.types.base import Answer

SecurityType = Literal["STK", "IND", "BOND"]
DerivativeType = Literal["OPT", "FOP", "WAR"]
Right = Literal["C", "P"]


def _parts(value: object) -> object:
    """Split IBKR's "A;B" and "A,B" lists; an absent one is empty."""
    if isinstance(value, str):
        return [part.strip() for part in value.replace(";", ",").split(",") if part.strip()]
    return value if isinstance(value, list | tuple) else []


def _words(value: object) -> object:
    return [str(each) for each in value if each is not None] if isinstance(value, list | tuple) else []


def _numbers(value: object) -> object:
    return value if isinstance(value, list | tuple) else []


Parts = Annotated[tuple[str, ...], BeforeValidator(_parts)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Numbers = Annotated[tuple[Number, ...], BeforeValidator(_numbers)]


class Section(Answer):
    """What can be traded of a found symbol: a security type with its expiry months and exchanges."""

    security_type: Text = Field(default="", alias="secType")
    months: Parts = ()
    exchanges: Parts = Field(default=(), alias="exchange")
    conid: OptionalId = None


class Issuer(Answer):
    """An issuer of bonds; its id leads to the bonds themselves."""

    issuer_id: Id = Field(alias="id")
    name: Text = ""


class ContractMatch(Answer):
    """One hit of a search. A symbol has many listings: match exchange and currency, and let a person confirm."""

    conid: Id
    symbol: Text = ""
    company_name: Text = Field(default="", alias="companyName")
    header: Text = Field(default="", alias="companyHeader")
    listing_exchange: Text = Field(default="", alias="description")
    restricted: Text = ""
    security_types: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _types_of_sections(cls, data: Any) -> Any:
        sections = data.get("sections") if isinstance(data, dict) else None
        if not isinstance(sections, list):
            return {**data, "sections": []} if isinstance(data, dict) else data
        kept = [each for each in sections if isinstance(each, dict)]
        return {
            **data,
            "sections": kept,
            "security_types": [str(each["secType"]) for each in kept if each.get("secType")],
        }


class BondIssuers(Answer):
    """The issuers a bond search found. `bond_id` is IBKR's number of the search's root, not an instrument."""

    symbol: Text = ""
    bond_id: OptionalId = Field(default=None, alias="bondid")
    issuers: tuple[Issuer, ...] = ()


class Strikes(Answer):
    """Strike prices of one month. Both lists are empty when the underlier was not searched in this session."""

    calls: Numbers = Field(default=(), alias="call")
    puts: Numbers = Field(default=(), alias="put")

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing: a cold session, or a month without strikes."""
        return not (self.calls or self.puts)


class Derivative(Answer):
    """One option, future, warrant or bond as `secdef/info` gives it."""

    conid: Id
    symbol: Text = Field(default="", alias="ticker")
    security_type: Text = Field(default="", alias="secType")
    listing_exchange: Text = Field(default="", alias="listingExchange")
    exchange: Text = ""
    company_name: Text = Field(default="", alias="companyName")
    currency: Text = ""
    valid_exchanges: Parts = Field(default=(), alias="validExchanges")
    matures_on: Day = Field(default=None, alias="maturityDate")
    right: Text = ""
    strike: Number = None
    multiplier: Number = None


class Listing(Answer):
    """One listing of a stock."""

    conid: Id
    exchange: Text = ""
    is_us: Flag = Field(default=None, alias="isUS")


class Stock(Answer):
    """A company of a symbol, with its listings."""

    name: Text = ""
    asset_class: Text = Field(default="", alias="assetClass")
    listings: tuple[Listing, ...] = Field(default=(), alias="contracts")


class Future(Answer):
    """One futures contract that has not expired. The cut-offs are the days IBKR begins to close positions itself."""

    conid: Id
    symbol: Text = ""
    underlying_conid: OptionalId = Field(default=None, alias="underlyingConid")
    expires_on: Day = Field(default=None, alias="expirationDate")
    last_trading_day: Day = Field(default=None, alias="ltd")
    short_cut_off: Day = Field(default=None, alias="shortFuturesCutOff")
    long_cut_off: Day = Field(default=None, alias="longFuturesCutOff")


class Increment(Answer):
    """From this price upwards, prices move in steps of `increment`."""

    lower_edge: Number = Field(default=None, alias="lowerEdge")
    increment: Number = None


class Definition(Answer):
    """One instrument as IBKR's security database has it. Names are unescaped from HTML."""

    conid: Id
    symbol: Text = Field(default="", alias="ticker")
    name: Text = ""
    full_name: Text = Field(default="", alias="fullName")
    currency: Text = ""
    asset_class: Text = Field(default="", alias="assetClass")
    listing_exchange: Text = Field(default="", alias="listingExchange")
    exchanges: Parts = Field(default=(), alias="allExchanges")
    country: Text = Field(default="", alias="countryCode")
    sector: Text = ""
    sector_group: Text = Field(default="", alias="sectorGroup")
    industry_group: Text = Field(default="", alias="group")
    expires_on: Day = Field(default=None, alias="expiry")
    last_trading_day: Day = Field(default=None, alias="lastTradingDay")
    right: Text = Field(default="", alias="putOrCall")
    strike: Number = None
    multiplier: Number = None
    underlying_conid: OptionalId = Field(default=None, alias="undConid")
    has_options: Flag = Field(default=None, alias="hasOptions")
    is_us: Flag = Field(default=None, alias="isUS")
    is_event_contract: Flag = Field(default=None, alias="isEventContract")
    increments: tuple[Increment, ...] = Field(default=(), alias="incrementRules")

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        texts = {name: unescape(data[name]) for name in ("name", "fullName") if isinstance(data.get(name), str)}
        steps = data.get("incrementRules")
        return {**data, **texts, "incrementRules": steps if isinstance(steps, list) else []}


class ListedConid(Answer):
    """One line of an exchange's whole list."""

    symbol: Text = Field(default="", alias="ticker")
    conid: Id
    exchange: Text = ""


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
    cfi_code: Text = ""
    underlying_conid: OptionalId = Field(default=None, alias="underlying_con_id")
    matures_on: Day = Field(default=None, alias="maturity_date")
    contract_month: Text = ""
    text: Text = ""


class TradingRules(Answer):
    """What IBKR accepts for one instrument, side and session. `error` at HTTP 200 says that it accepts nothing.

    Order types are IBKR's lower-case words ("limit", "stop_limit"). None is "not said": never a permission.
    """

    error: Text = ""
    tradable_accounts: Words = Field(default=(), alias="canTradeAcctIds")
    order_types: Words = Field(default=(), alias="orderTypes")
    order_types_outside_hours: Words = Field(default=(), alias="orderTypesOutside")
    algorithm_types: Words = Field(default=(), alias="ibAlgoTypes")
    fractional_types: Words = Field(default=(), alias="fraqTypes")
    cash_quantity_types: Words = Field(default=(), alias="cqtTypes")
    times_in_force: Words = Field(default=(), alias="tifTypes")
    modifiable_types: Words = Field(default=(), alias="modTypes")
    is_algorithm_eligible: Flag = Field(default=None, alias="algoEligible")
    is_all_or_none_eligible: Flag = Field(default=None, alias="allOrNoneEligible")
    must_preview: Flag = Field(default=None, alias="forceOrderPreview")
    default_size: Number = Field(default=None, alias="defaultSize")
    size_increment: Number = Field(default=None, alias="sizeIncrement")
    fraction_digits: Number = Field(default=None, alias="fraqInt")
    cash_currency: Text = Field(default="", alias="cashCcy")
    cash_increment: Number = Field(default=None, alias="cashQtyIncr")
    limit_price: Number = Field(default=None, alias="limitPrice")
    stop_price: Number = Field(default=None, validation_alias=AliasChoices("stopPrice", "stopprice"))
    may_be_negative: Flag = Field(default=None, alias="negativeCapable")
    increment: Number = None
    increments: tuple[Increment, ...] = Field(default=(), alias="incrementRules")

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        steps = data.get("incrementRules")
        return {
            **data,
            "incrementRules": [each for each in steps if isinstance(each, dict)] if isinstance(steps, list) else [],
        }

    def step_at(self, price: Decimal) -> Decimal | None:
        """Return the price step that applies at a price; None when IBKR gave none."""
        fitting = [rule for rule in self.increments if rule.increment and (rule.lower_edge or Decimal(0)) <= abs(price)]
        if fitting:
            return max(fitting, key=lambda rule: rule.lower_edge or Decimal(0)).increment
        return self.increment or None

    def allows_tif(self, tif: str) -> bool | None:
        """Return whether a time in force such as "DAY" is offered; None when IBKR listed none."""
        if not self.times_in_force:
            return None
        return tif in {each.partition("/")[0] for each in self.times_in_force}


class InfoAndRules(Answer):
    """An instrument with its trading rules. The first answer of a session may lack rules: ask again."""

    info: ContractInfo
    rules: TradingRules | None = None


class AlgorithmParameter(Answer):
    """One parameter of an execution algorithm."""

    name: Text = ""
    id: Text = ""
    kind: Text = Field(default="", alias="valueClassName")
    default: Text = Field(default="", alias="defaultValue")
    lowest: Text = Field(default="", alias="minValue")
    highest: Text = Field(default="", alias="maxValue")
    choices: Words = Field(default=(), alias="legalStrings")
    is_required: Flag = Field(default=None, alias="required")


class Algorithm(Answer):
    """One execution algorithm; its id goes into a ticket's `strategy`, case included."""

    id: Id
    name: Text = ""
    description: Text = ""
    parameters: tuple[AlgorithmParameter, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _absent_is_empty(cls, data: Any) -> Any:
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


class CurrencyPair(Answer):
    """A pair that can be traded as an instrument: "EUR.USD"."""

    symbol: Text = ""
    conid: Id
    other_currency: Text = Field(default="", alias="ccyPair")


class ExchangeRate(Answer):
    """How many units of the target one unit of the source is worth; None when IBKR did not say."""

    rate: Number = None


class Hours(Answer):
    """One stretch of trading on one day, as instants."""

    opens: Instant = Field(default=None, alias="opening")
    closes: Instant = Field(default=None, alias="closing")
    cancels_day_orders: Flag = Field(default=None, alias="cancel_daily_orders")


class TradingDay(Answer):
    """One day's hours, in the exchange's own calendar."""

    day: Day = None
    liquid: tuple[Hours, ...] = Field(default=(), alias="liquid_hours")
    extended: tuple[Hours, ...] = Field(default=(), alias="extended_hours")


class TradingSchedule(Answer):
    """The next days' hours. A holiday has no day in it at all."""

    time_zone: Text = Field(default="", alias="exchange_time_zone")
    days: tuple[TradingDay, ...] = ()


class VenueHours(Answer):
    """Hours of one day in local "HHMM" text. Days 2000-01-01 (a Saturday) to 2000-01-07 stand for weekdays."""

    day: Day = Field(default=None, alias="tradingScheduleDate")
    stretches: tuple[tuple[str, str], ...] = ()  # opening and closing

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, data: Any) -> Any:
        times = (data.get("tradingTimes") or data.get("tradingtimes")) if isinstance(data, dict) else None
        if not isinstance(times, list):
            return data
        return {
            **data,
            "stretches": [
                (str(each.get("openingTime", "")), str(each.get("closingTime", "")))
                for each in times
                if isinstance(each, dict)
            ],
        }


class VenueSchedule(Answer):
    """The older schedule of one exchange, by weekday and by exceptional day."""

    venue: Text = Field(default="", alias="tradeVenueId")
    exchange: Text = ""
    description: Text = ""
    time_zone: Text = Field(default="", alias="timezone")
    days: tuple[VenueHours, ...] = Field(default=(), alias="schedules")


class FilterOption(Answer):
    """One value a bond filter may have; `text` is for people."""

    value: Text = ""
    text: Text = ""


class BondFilter(Answer):
    """One property an issuer's bonds can be narrowed by."""

    name: Text = Field(default="", alias="displayText")
    column: OptionalId = Field(default=None, alias="columnId")
    options: tuple[FilterOption, ...] = ()
