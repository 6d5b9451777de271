"""Whether a ticket fits what IBKR says about its instrument and its account. Asked before sending; nothing is sent here."""

from decimal import Decimal

from backoffice.ibkr.types.contracts import TradingRules
from backoffice.ibkr.types.session import AccountProperties
from backoffice.ibkr.types.tickets import WORDS_OF_RULES, OrderTicket


def misfits(ticket: OrderTicket, rules: TradingRules, properties: AccountProperties | None = None) -> tuple[str, ...]:
    """Return in sentences why IBKR would not take the ticket; empty when nothing speaks against it.

    `rules` are those of the ticket's side. What IBKR did not list is not held against a ticket, with two exceptions that
    need a yes: fractions and cash quantities.
    """
    word = WORDS_OF_RULES[ticket.order_type]
    found = [f"IBKR takes no order for it: {rules.error}"] if rules.error else []
    if rules.order_types and word not in rules.order_types:
        found.append(f"Orders of type {ticket.order_type} are not offered for it.")
    if ticket.outside_rth and word not in rules.order_types_outside_hours:
        found.append(f"Orders of type {ticket.order_type} are not offered outside regular hours.")
    if rules.allows_tif(ticket.tif) is False:
        found.append(f"The time in force {ticket.tif} is not offered for it.")
    if ticket.all_or_none and rules.is_all_or_none_eligible is False:
        found.append("All-or-none is not offered for it.")
    found += _of_size(ticket, rules, properties, word)
    found += _of_price(ticket, rules)
    if rules.tradable_accounts:
        wanted = [share.account for share in ticket.allocations] or ([ticket.account] if ticket.account else [])
        found += [f"{account} may not trade it." for account in wanted if account not in rules.tradable_accounts]
    return tuple(found)


def _of_size(ticket: OrderTicket, rules: TradingRules, properties: AccountProperties | None, word: str) -> list[str]:
    found = []
    if ticket.has_fraction:
        if word not in rules.fractional_types:
            found.append(f"Orders of type {ticket.order_type} are of whole units for it.")
        if properties is None or not properties.supports_fractions:
            found.append("The account is not known to trade fractions.")
        if ticket.quantity is not None and rules.fraction_digits is not None:
            step = Decimal(1).scaleb(-int(rules.fraction_digits))
            if ticket.quantity % step:
                found.append(f"Quantities for it are multiples of {step:f}.")
    if ticket.cash_quantity is not None:
        if word not in rules.cash_quantity_types:
            found.append(f"Orders of type {ticket.order_type} take no cash amount for it.")
        if properties is None or not properties.supports_cash_quantity:
            found.append("The account is not known to take orders by cash amount.")
        if rules.cash_increment and ticket.cash_quantity % rules.cash_increment:
            found.append(f"Cash amounts for it are multiples of {rules.cash_increment:f}.")
    return found


def _of_price(ticket: OrderTicket, rules: TradingRules) -> list[str]:
    found = []
    for price in (ticket.price, ticket.aux_price):
        if price is None:
            continue
        if price < 0 and not rules.may_be_negative:
            found.append("Its price cannot be negative.")
        step = rules.step_at(price)
        if step and price % step:
            found.append(f"Its price moves in steps of {step:f}; {price:f} is between two.")
    return found
