"""Names of the tasks that pages ask for; a name travels as data, so pages import no task."""

INSTRUMENT_SEARCH = "trading.answer_instrument_search"
QUOTE = "trading.answer_quote"
PORTFOLIO_REFRESH = "trading.answer_portfolio_refresh"
WHAT_IF = "trading.answer_what_if"
