"""What IBKR's documents leave open or contradict, mark by mark, and what the sandbox plays of each.

Every "(?)" and "(verify)" of our facts about what the sandbox serves is here, with its section. A doubt names the knobs
that play its answers. One without a knob says what the sandbox does at all times, and why no other answer can be played:
nobody should take that for proof of what IBKR does. COVERAGE.md prints the list.
"""

from dataclasses import dataclass

TRADING, REGISTRATION = "trading.md", "account-management.md"


@dataclass(frozen=True, slots=True)
class Doubt:
    """`section` is that of the facts; `always` is what is played without a choice, empty where knobs play all answers.

    `unplayable` says why there is no knob: the other answer is one that nobody has described.
    """

    document: str
    section: str
    question: str
    knobs: tuple[str, ...] = ()
    always: str = ""
    unplayable: str = ""


def _trading(section: str, question: str, *knobs: str, always: str = "", unplayable: str = "") -> Doubt:
    return Doubt(TRADING, section, question, knobs, always, unplayable)


def _registration(section: str, question: str, *knobs: str, always: str = "", unplayable: str = "") -> Doubt:
    return Doubt(REGISTRATION, section, question, knobs, always, unplayable)


DOUBTS: tuple[Doubt, ...] = (
    _trading("0, 16", "whether notices need the brokerage session", "fyi_needs_session"),
    _trading("0, 16", "whether /fa needs the brokerage session", always="/fa is not served",
             unplayable="/fa comes with the module of models"),
    _trading("0, 1.4", "401 or 410 once a session is logged out", "logged_out_status"),
    _trading("1.1", "the audience of an assertion", "token_audiences"),
    _trading("1.1", "411 for a POST without a length", "require_content_length"),
    _trading("1.2", "how long the nightly reset takes", "nightly_reset_minutes"),
    _trading("1.5, 16", "the form of the websocket's cookie", "stream_cookie"),
    _trading("3, 16", "10 or 50 requests a second", "global_per_second"),
    _trading("3, 16", "a penalty of 10 or of 15 minutes", "penalty_seconds", "penalty_extends"),
    _trading("4", "what a search without hits answers", "no_symbol_found"),
    _trading("4", "an array or an object from secdef/info", "secdef_info_object"),
    _trading("4", 'the suffix "a" of a time in force', "tif_suffix_a"),
    _trading("5", "letters of a quote's availability", "market_data"),
    _trading("5, 16", "how many market data lines a user has", "market_data_lines"),
    _trading("5", "what a chart answers that cannot be drawn", "chart_unavailable"),
    _trading("5", "the form of a regulatory snapshot", "regsnapshot_shape"),
    _trading("2", "whether a first /hmds/history opens the service", "hmds_opened_by"),
    _trading("2", "what /hmds/history answers", "hmds_history_head", always="the bars of the other history"),
    _trading("6.2", "/portfolio2: names of the figures", "portfolio2_names"),
    _trading("6.2", "/portfolio2: one answer with everything, or pages", "portfolio2_page_size"),
    _trading("6.2", "/portfolio2: conid as text or a number", "portfolio2_conid_as_text"),
    _trading("6.2", "conid of a position as text or a number", "position_conid_as_text"),
    _trading("2, 16", "subaccounts2: an object or an array", "subaccounts2_shape"),
    _trading("8.1", "MOC, LOC, MIT, LIT and REL as order types", "order_types", always="in the United States only"),
    _trading("8.1", "STP LMT for STOP_LIMIT", "stop_limit_name"),
    _trading("8.1", '"Buy" for "BUY"', "side_in_any_case"),
    _trading("8.1", "the stop of a STP in price or in auxPrice", "stop_of_stp"),
    _trading("8.1", "fractions of a share in an order", "supports_fractions",
             always="they are shown with the knob and refused with and without it"),
    _trading("8.1", "allocationMethod on a group's order", "allocation_method", always="PctChange is never taken"),
    _trading("8.2, 12, 16", "the status of an order's refusal", "refusal_status"),
    _trading("8.2, 12, 16", "the status of a repeated cOID", "duplicate_coid_status", "dedupe_coid"),
    _trading("8.2", '"DUPLICATE ORDER DETECTED"', "duplicate_order_detected"),
    _trading("8.3", "the status of a late reply, and how late that is", "late_reply_status", "question_lifetime_seconds"),
    _trading("8.3", "how many questions an answer holds", "questions_at_once"),
    _trading("8.6", "a commission previewed as a range", "commission_range"),
    _trading("8.6, 16", "a preview of a block", "what_if_of_blocks"),
    _trading("8.7, 16", "the quantity of a change after a partial fill", "modify_quantity_is_total"),
    _trading("8.8", "a cancel by another user of the same master", "cancel_by_others"),
    _trading("8.9", "PendingSubmit or PreSubmitted to begin with", "first_status", "accept_milliseconds"),
    _trading("8.9, 16", "the account that a block has in the list of orders", "block_order_account"),
    _trading("8.9", "an order's status without its account being selected", "status_needs_selected_account"),
    _trading("8.9", "order_ref in the list of orders", "order_ref_in_orders"),
    _trading("13", "order ids that differ between sessions", "order_numbers"),
    _trading("9.2, 16", "decimals in the amounts of a group", "whole_amounts"),
    _trading("9.2, 16", "percentages that do not add up to 100", "percentages_add_up"),
    _trading("9.2, 16", "a quantity that is not the sum of an S group", "shares_scaled"),
    _trading("9.2, 16", "an order for a C group", "cash_groups"),
    _trading("9.3", "the currency of an account's equities", "equities_currency",
             always="ratios are computed in the master's currency"),
    _trading("9.5, 16", "who gets the units left over", "remainders"),
    _trading("9.5, 16", "when shares of a block show in the trades, and whether they move later", "block_shares",
             "block_shares_seconds", always="books and positions have the final shares from the beginning"),
    _trading("9.5", "an account that cannot bear its share: all refused or its part", "credit_failure"),
    _trading("16", "error texts of the allocation endpoints", "allocation_refusal_words", "allocation_refusal_status"),
    _registration("1", "Retry-After with 429", "retry_after"),
    _registration("1", "the penalty box for Account Management", "penalty_account_management"),
    _registration("1", "the status of a closed window", "maintenance_status", "maintenance_body"),
    _registration("2", "the longest life of a signed body", "signed_body_lifetime_seconds"),
    _registration("2", "non-ASCII text once a body's escapes are decoded", "ascii_after_decoding"),
    _registration("2", "nulls in signed bodies", "nulls_refused"),
    _registration("3", "jti in an assertion", "jti_required", "jti_once"),
    _registration("3", "the words of a token's refusal", "token_error_form"),
    _registration("3", "a scope that is not granted", "scope_policy"),
    _registration("4", "IPv6 in the ip claim", "ipv6_taken", always="all loopback addresses count as one"),
    _registration("4", "which of several addresses a session is bound to", "session_bound_to",
                  always="calls from any but the declared ones are 401"),
    _registration("6", "IRA as a customer type, or as INDIVIDUAL with ira", "ira_customer_type"),
    _registration("6", "whether the sample of the least application is enough", "hybrid_minimum"),
    _registration("6", "the largest liquid net worth: 5000001, a misprint or not", "largest_liquid_net_worth"),
    _registration("6", "businessDescription of the self-employed", always="refused: the specification does not have it",
                  unplayable="what it says and where it goes is printed in one table and nowhere shown"),
    _registration("6", "whether the pattern of e-mail addresses minds their case", always="it does not",
                  unplayable="it is printed in capitals: minding case it would refuse every ordinary address"),
    _registration("6, 7", "POST /accounts at once or later", "create_answer"),
    _registration("7", "type=response or type=update of a request's status", "request_status_types"),
    _registration("7", "whether a failed application burns its externalId", "failed_application_burns_id",
                  "failed_application_found"),
    _registration("7", "members of the answer's accounts and users", "answer_members"),
    _registration("8", "execTimestamp as YYYYMMDDHHMMSS or in milliseconds, in whose time",
                  "exec_timestamps", "exec_timestamp_zone"),
    _registration("9", "codes of account status beyond the documented ones", "status_letters",
                  always="taken as filters"),
    _registration("9", "details as of now or of last evening", "details_as_of"),
    _registration("9", "times from IBKR's decision to an open account", "review_seconds", "approval_seconds"),
    _registration("9", "status words of /requests", "request_words"),
    _registration("10", "an object or an array under an operation of a PATCH", "patch_forms",
                  always="an array holds one operation"),
    _registration("10", "a change at once or after a review", "asynchronous_changes", "change_times"),
    _registration("10", "updatePassword, whose key nobody has described", always="refused",
                  unplayable="what encrypts the password and which key it names is not told"),
    _registration("12", "200 with the figure in the body, or 201 and 202", "instruction_http_status"),
    _registration("12", "a clientInstructionId that comes again", "dedupe_instruction_ids", "reuse_answer"),
    _registration("14", "PROCESSED of an announced deposit: recorded or received", "deposit_arrival_seconds",
                  always="recorded; the cash follows after the knob's time"),
    _registration("15", "a statement as PDF itself or in base64", "statement_form"),
    _registration("15", "accountId beside accountIds", "statement_needs_account"),
    _registration("15", "402 or 400 where there is no data yet", "no_data_status",
                  always="402 for an account that is not the caller's"),
    _registration("18", "how often a callback comes", "callback_delivery"),
    _registration("20", "magic values of the test system", "magic_values"),
    _registration("23", "QA's own drivers of status and tasks", always="not served; `/_sandbox/accounts/{account}` drives them",
                  unplayable="their paths are listed, but nobody has described what they take or answer"),
)  # fmt: skip
