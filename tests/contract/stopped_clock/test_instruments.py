from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from backoffice.ibkr import Rejected
from backoffice.ibkr.types.contracts import Derivative
from tests.contract.conftest import APPLE, Connected

MICROSOFT, ZURICH, FUTURES_ON_THE_INDEX = "272093", "273982664", "11004968"
TREASURY = "e1400715"


def brief(found: Derivative) -> tuple[object, ...]:
    return found.conid, found.security_type, found.right, found.strike, found.multiplier, found.matures_on


def test_options_are_walked_to_from_search_over_strikes(trading: Connected) -> None:
    contracts = trading.client.contracts
    assert contracts.strikes(APPLE, security_type="OPT", month="JAN27").is_empty, "nothing before a search"
    match = next(each for each in contracts.search_by_post("AAPL") if each.conid == APPLE)
    (section,) = [each for each in match.sections if each.security_type == "OPT"]
    assert (section.months, section.exchanges) == (("JAN27",), ("SMART",))

    strikes = contracts.strikes(APPLE, security_type="OPT", month="JAN27")
    found = contracts.derivatives(APPLE, security_type="OPT", month="JAN27", strike=strikes.calls[0], right="C")

    assert (strikes.calls, strikes.puts) == ((Decimal(150),), (Decimal(150),))
    assert [brief(each) for each in found] == [
        ("730295700", "OPT", "C", Decimal(150), Decimal(100), date(2027, 1, 15)),
    ]


def test_a_search_may_say_that_it_is_of_funds_or_by_a_pattern(trading: Connected) -> None:
    contracts = trading.client.contracts

    by_pattern = contracts.search("AAP", pattern=True, fund=True)

    assert APPLE in {match.conid for match in by_pattern}
    assert contracts.search_by_post("AAP", pattern=True, fund=True) == by_pattern


def test_futures_are_found_by_month_and_by_symbol(trading: Connected) -> None:
    contracts = trading.client.contracts
    assert [match.conid for match in contracts.search("ES", security_type="IND")] == [FUTURES_ON_THE_INDEX]

    by_month = contracts.derivatives(FUTURES_ON_THE_INDEX, security_type="FUT", month="DEC26")
    by_symbol = contracts.futures(["ES"])

    assert [brief(each) for each in by_month] == [("515416632", "FUT", "?", 0, Decimal(50), date(2026, 12, 18))]
    (future,) = by_symbol["ES"]
    assert (future.conid, future.underlying_conid) == ("515416632", FUTURES_ON_THE_INDEX)
    assert (future.expires_on, future.last_trading_day) == (date(2026, 12, 18), date(2026, 12, 17))
    assert contracts.futures(["NOPE"]) == {}


def test_bonds_are_found_by_their_issuer_and_narrowed_by_its_filters(trading: Connected) -> None:
    contracts = trading.client.contracts
    (found,) = contracts.bond_issuers("US-T")
    assert [(issuer.issuer_id, issuer.name) for issuer in found.issuers] == [(TREASURY, "United States Treasury")]

    filters = {each.name: [option.value for option in each.options] for each in contracts.bond_filters(TREASURY)}
    bonds = contracts.bonds(TREASURY)

    assert filters == {"Maturity Date": ["202701"], "Coupon": ["1.5"], "Currency": ["USD"]}
    assert [(bond.conid, bond.symbol, bond.matures_on) for bond in bonds] == [("401820131", "US-T", date(2027, 1, 31))]
    assert contracts.bonds(TREASURY, filters=["202701", "USD"]) == bonds
    assert contracts.bonds(TREASURY, filters=["202812"]) == ()
    assert [each.options for each in contracts.bond_filters("e999")] == [(), (), ()]


def test_a_symbol_is_every_listing_of_it(trading: Connected) -> None:
    contracts = trading.client.contracts

    stocks = contracts.stocks(["AAPL", "NOPE"])

    assert list(stocks) == ["AAPL"]
    (apple,) = stocks["AAPL"]
    assert (apple.name, apple.asset_class) == ("APPLE INC", "STK")
    assert [(each.conid, each.exchange, each.is_us) for each in apple.listings] == [
        (APPLE, "NASDAQ", True),
        (ZURICH, "EBS", False),
    ]
    by_name = contracts.search_by_post("apple", by_name=True)
    assert {match.conid for match in by_name} == {APPLE, ZURICH}
    assert contracts.search_by_post("NOSUCHSYMBOL") == ()


def test_definitions_come_for_the_known_only(trading: Connected) -> None:
    contracts = trading.client.contracts

    apple, microsoft = contracts.definitions([APPLE, MICROSOFT, APPLE, "1"])

    assert (apple.conid, microsoft.conid) == (APPLE, MICROSOFT)
    assert (apple.symbol, apple.name, apple.currency, apple.listing_exchange) == (
        "AAPL", "APPLE INC", "USD", "NASDAQ",
    )  # fmt: skip
    assert (apple.asset_class, apple.country, apple.is_us, apple.has_options) == ("STK", "US", True, True)
    assert (apple.strike, apple.expires_on, apple.is_event_contract) == (Decimal(0), None, False)
    assert [(each.lower_edge, each.increment) for each in apple.increments] == [(Decimal(0), Decimal("0.01"))]
    assert contracts.definitions(["1"]) == ()
    listed = {each.conid: (each.symbol, each.exchange) for each in contracts.all_conids("ARCA")}
    assert listed["756733"] == ("SPY", "ARCA")
    assert len(listed) == 12


def test_rules_say_what_may_be_ordered(trading: Connected) -> None:
    contracts = trading.client.contracts

    both = contracts.info_and_rules(APPLE)
    rules = contracts.rules(APPLE)

    assert rules.tradable_accounts == tuple(f"U10000{number}" for number in range(11, 20))
    assert {"limit", "market", "trailing_stop", "limitonclose"} <= set(rules.order_types)
    assert set(rules.order_types_outside_hours) == {"limit", "stop_limit", "lit", "trailing_stop_limit", "relative"}
    assert (rules.allows_tif("DAY"), rules.allows_tif("GTD"), rules.allows_tif("FOK")) == (True, True, False)
    assert (rules.limit_price, rules.stop_price, rules.step_at(Decimal("256.38"))) == (
        Decimal("256.38"), Decimal("256.38"), Decimal("0.01"),
    )  # fmt: skip
    assert (rules.size_increment, rules.fraction_digits, rules.cash_currency) == (Decimal(1), Decimal(0), "USD")
    assert (rules.error, rules.must_preview) == ("", False)
    assert (both.info.conid, both.info.company_name) == (APPLE, "APPLE INC")
    assert both.rules is not None
    assert both.rules.model_dump() == rules.model_dump(), "all of them, not the first answer's few"
    with pytest.raises(Rejected, match="conid is not valid"):
        contracts.rules("1")


def test_algorithms_are_named_with_their_parameters(trading: Connected) -> None:
    contracts = trading.client.contracts

    found = {each.id: each for each in contracts.algorithms(APPLE, ["Adaptive", "Vwap"])}
    names = contracts.algorithms(APPLE, ["Adaptive"], with_parameters=False)

    assert set(found) == {"Adaptive", "Vwap"}
    (priority,) = found["Adaptive"].parameters
    assert (priority.id, priority.kind, priority.default, priority.is_required) == (
        "adaptivePriority", "String", "Normal", True,
    )  # fmt: skip
    assert priority.choices == ("Urgent", "Normal", "Patient")
    assert [(each.id, each.name, each.description, each.parameters) for each in names] == [
        ("Adaptive", "Adaptive", "", ()),
    ]
    assert trading.sent("GET", "/algos") == 3, "the first answer of a session is empty"


def test_currencies_have_pairs_and_rates(trading: Connected) -> None:
    contracts = trading.client.contracts

    assert [(each.symbol, each.conid, each.other_currency) for each in contracts.currency_pairs("EUR")] == [
        ("EUR.USD", "12087792", "USD"),
    ]
    assert contracts.exchange_rate(source="EUR", target="USD") == Decimal("1.14275")
    assert contracts.exchange_rate(source="USD", target="JPY") == Decimal("154.095")


def test_a_holiday_is_not_in_the_schedule_and_an_early_close_is(trading: Connected) -> None:
    schedule = trading.client.contracts.trading_schedule(APPLE)

    assert schedule.time_zone == "US/Eastern"
    liquid = {day.day: [(each.opens, each.closes) for each in day.liquid] for day in schedule.days}
    assert list(liquid) == [date(2026, 11, 24), date(2026, 11, 25), date(2026, 11, 27), date(2026, 11, 30),
                            date(2026, 12, 1), date(2026, 12, 2)]  # fmt: skip
    assert liquid[date(2026, 11, 24)] == [
        (datetime(2026, 11, 24, 14, 30, tzinfo=UTC), datetime(2026, 11, 24, 21, tzinfo=UTC)),
    ]
    assert liquid[date(2026, 11, 27)] == [
        (datetime(2026, 11, 27, 14, 30, tzinfo=UTC), datetime(2026, 11, 27, 18, tzinfo=UTC)),
    ]
    (extended,) = schedule.days[0].extended
    assert (extended.opens, extended.closes, extended.cancels_day_orders) == (
        datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 11, 25, 1, tzinfo=UTC), True,
    )  # fmt: skip


def test_the_older_schedule_is_by_weekday_and_venue(trading: Connected) -> None:
    new_york, zurich = trading.client.contracts.venue_schedules("STK", "AAPL")

    assert (new_york.exchange, new_york.time_zone) == ("NASDAQ", "America/New_York")
    assert (zurich.exchange, zurich.time_zone) == ("EBS", "Europe/Zurich")
    assert [(day.day, day.stretches) for day in new_york.days[:3]] == [
        (date(2000, 1, 1), ()),
        (date(2000, 1, 2), ()),
        (date(2000, 1, 3), (("0400", "2000"),)),
    ]
    assert zurich.days[-1].stretches == (("0900", "1720"),)
