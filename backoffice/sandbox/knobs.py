"""Every knob of `POST /_sandbox/config`: what it is without anybody turning it, what it takes, and what it plays.

Where IBKR's documents disagree or leave something open (the "(verify)" of our facts), the stricter or the recorded answer is
the default, and the knob plays the other one. A name that is not here is refused; null turns a knob back.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_WORDS = {
    "bool": "true or false", "int": "a whole number", "number": "a number", "text": "text", "list": "a list",
    "dict": "an object",
}  # fmt: skip


@dataclass(frozen=True)
class Knob:
    """`kind` is bool, int, number, text, list or dict, or the words it takes. `default` None: see `meaning`."""

    name: str
    default: Any
    kind: str
    meaning: str

    @property
    def takes(self) -> str:
        """What it can be turned to, in words."""
        return _WORDS.get(self.kind) or f"one of {', '.join(self.kind.split())}"

    def fits(self, value: Any) -> bool:
        """Tell whether this knob can be turned to that value."""
        match self.kind:
            case "bool":
                return isinstance(value, bool)
            case "int":
                return isinstance(value, int) and not isinstance(value, bool)
            case "number":
                return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
            case "text":
                return isinstance(value, str)
            case "list":
                return isinstance(value, list)
            case "dict":
                return isinstance(value, dict)
        return value in self.kind.split()


KNOBS = {
    knob.name: knob
    for knob in (
        Knob("accept_milliseconds", 1000, "int", "How long a new order has its first status before it works."),
        Knob("answer_members", "value", "value documented",
             "What the answer to an application calls a username and a person's id: value, or user and id."),
        Knob("allocation_method", "taken", "taken ignored refused",
             "What becomes of the legacy allocationMethod on a group's order: its words are taken, it is read past, or refused."),
        Knob("allocation_refusal_status", 500, "int", "The status of a refusal of the allocation endpoints."),
        Knob("allocation_refusal_words", "own", "own vague none",
             "What such a refusal says: the sandbox's own words, that it failed, or only that it did not succeed."),
        Knob("approval_seconds", 40, "int", "How long IBKR's decision on a complete application takes."),
        Knob("ascii_after_decoding", False, "bool",
             "Whether text must be ASCII once a signed body's escapes are decoded; nativeName need not."),
        Knob("ask", [], "list", "Message ids that every order is asked about, whatever it is."),
        Knob("ask_without_market_data", False, "bool",
             "Ask o354 for an order on an instrument the username is not streaming."),
        Knob("assertion_lifetime_seconds", 120, "int",
             "The longest life of a client assertion that the token endpoint takes."),
        Knob("asynchronous_changes", None, "bool",
             "Changes of an account: true always answers 202, false never; null as the kind of change has it."),
        Knob("auto_finish_seconds", 60, "int",
             "How long the client takes in the portal; 0 leaves it to `POST accounts/{account}`."),
        Knob("base_figures_of_positions", True, "bool",
             "Whether positions carry the figures in the account's base currency."),
        Knob("block_order_account", "target", "target master",
             "What the list of orders shows as the account of a block: its group, or the master account."),
        Knob("block_shares", "each", "each end moving",
             "When the shares of a block show in the trades: with each execution; at its end, the master account having the whole;"
             " or each execution on one account until the end."),
        Knob("block_shares_seconds", 0, "int", "How long after the end of a block its shares show, where they do so at the end."),
        Knob("callback_delivery", "once", "once twice lost", "How often a callback is delivered."),
        Knob("cancel_by_others", "taken", "taken refused",
             "Whether a username may cancel an order that another of the same master has sent."),
        Knob("cancel_milliseconds", 1500, "int", "How long a cancelled order stays PendingCancel."),
        Knob("cash_groups", "quantity", "quantity cash",
             "What an order for a group by cash quantity (C) carries: units, shared in the ratio of the amounts, or cash."),
        Knob("change_times", "documented", "documented fast",
             "Whether reviewed changes take the documented days, or `maintenance_seconds`."),
        Knob("chart_unavailable", "json", "json text empty",
             "What a chart that cannot be drawn answers: 500 with JSON or with bare text, or 200 without bars."),
        Knob("clock_leeway_seconds", 5, "int", "How far a caller's clock may be off in signed bodies and assertions."),
        Knob("combinations", {}, "dict", "Combinations held: {account: [[conid, ratio], ...]}."),
        Knob("commission_delay_seconds", 0, "int", "How long after a fill its commission appears."),
        Knob("commission_range", False, "bool", "Whether a preview shows the commission as a range."),
        Knob("create_answer", "sync", "sync async",
             "Whether POST /accounts answers with the account at once or with a request id (both are documented)."),
        Knob("credit_failure", "reject", "reject reduce", "What becomes of an allocated order that one account cannot bear."),
        Knob("dedupe_coid", True, "bool", "Whether a client order id is refused when it comes a second time within a day."),
        Knob("dedupe_instruction_ids", True, "bool", "Whether a clientInstructionId that comes again is recognised."),
        Knob("deposit_arrival_seconds", 60, "int", "How long announced cash takes to arrive."),
        Knob("details_as_of", "now", "now last_evening",
             "Whether the details of an account are those of now, or of the end of the day before."),
        Knob("document_review_seconds", 30, "int", "How long IBKR looks at a document."),
        Knob("duplicate_coid_status", 400, "int", "The status that refuses a repeated client order id."),
        Knob("duplicate_order_detected", "never", "never same_id like",
             'What "DUPLICATE ORDER DETECTED" is said to: nothing, a repeated client order id, or an order like one of the last'
             " minute."),
        Knob("dynaccount", False, "bool", "Whether the username has the property that dynamic accounts need."),
        Knob("dynaccount_refusal_status", 503, "int", "The status that refuses it otherwise."),
        Knob("egress_address", None, "text", "The address all callers seem to come from; null is their own."),
        Knob("enforce_maintenance", True, "bool", "Whether IBKR's windows are closed at their times."),
        Knob("enforce_pacing", True, "bool", "Whether limits answer 429 and lead to the penalty box."),
        Knob("exec_timestamp_zone", "UTC", "UTC New_York", "Whose time the digits of execTimestamp are."),
        Knob("exec_timestamps", "both", "both digits milliseconds",
             "Which forms of execTimestamp are taken: YYYYMMDDHHMMSS, or milliseconds since 1970."),
        Knob("failed_application_burns_id", False, "bool", "Whether a failed application burns its external id."),
        Knob("failed_application_found", False, "bool",
             "Whether a look-up by external id shows an application that failed."),
        Knob("equities_currency", "account", "account master",
             "Whose base currency the figures of the methods A and N are in: each account's own, or the master account's."),
        Knob("fill_seconds", 12, "int", "Over how long a working order is filled, in parts; 0 fills it at once."),
        Knob("first_status", "PreSubmitted", "PreSubmitted PendingSubmit", "The first status of a new order."),
        Knob("forms_need_dates", False, "bool", "Whether GET /forms insists on its dates."),
        Knob("fyi_locked", False, "bool", "Whether the number of unread notices answers 423."),
        Knob("fyi_needs_session", False, "bool", "Whether notices need the brokerage session."),
        Knob("global_per_second", None, "int",
             "Trading's limit a second; null is the documented one (older documents say 50)."),
        Knob("halted", [], "list", "Conids whose trading is halted: their prices come with H."),
        Knob("hmds_history_head", "full", "full short",
             "What stands before the bars of /hmds/history: as in /iserver/marketdata/history, or times and counts."),
        Knob("hmds_opened_by", "init", "init either",
             "What opens /hmds in a session: its init, or either that or a first /hmds/history, which is still 404."),
        Knob("hybrid_minimum", "sample", "sample table",
             "What a hybrid application needs: what the documents' sample holds, or also what their table stars."),
        Knob("identity_check", "traditional", "traditional au10tix", "Which proofs of identity are asked for."),
        Knob("instruction_hidden_seconds", 0, "int", "How long a new instruction cannot be found yet."),
        Knob("instruction_http_status", "documented", "documented ok",
             "Whether an instruction is answered 201 or 202, or 200 with that figure in the body alone."),
        Knob("instruction_seconds", 20, "int", "How long an instruction is pending."),
        Knob("ipv6_taken", True, "bool", "Whether IPv6 addresses are taken in SSO requests."),
        Knob("ira_customer_type", "both", "both individual ira",
             "Whether retirement accounts are for customers of type INDIVIDUAL, of type IRA, or of either."),
        Knob("jti_once", True, "bool", "Whether an assertion's jti works once."),
        Knob("jti_required", False, "bool", "Whether an assertion needs a jti."),
        Knob("largest_liquid_net_worth", 50000001, "int",
             "The largest liquid net worth that is taken; the documents print 5000001."),
        Knob("late_reply_status", 400, "int", "The status for the answer to a question that is no longer open."),
        Knob("ledger_cold", False, "bool", "Whether the first ledger of an account is empty."),
        Knob("linger_zero_positions", False, "bool", "Whether a holding sold to zero stays listed for the day."),
        Knob("logged_out_status", 401, "int", "The status that a bearer draws once it is logged out; some have seen 410."),
        Knob("magic_values", True, "bool",
             "Whether words in names steer reviews: nomatch, reject. IBKR's test system has none that is documented."),
        Knob("maintenance_body", "html", "html json", "What stands in the answer of a closed window."),
        Knob("maintenance_seconds", 45, "int", "How long a reviewed change takes when it is fast."),
        Knob("maintenance_status", 503, "int", "The status of the answer of a closed window."),
        Knob("market_data", {}, "dict", 'Availability by conid or exchange, such as {"NYSE": "D"}; real time otherwise.'),
        Knob("market_data_lines", 100, "int", "How many instruments a username may stream."),
        Knob("market_hours", False, "bool", "Whether exchanges' hours bind orders and quotes."),
        Knob("master_users", [], "list", "Users who may represent clients, beside the master's own."),
        Knob("modify_quantity_is_total", True, "bool",
             "Whether the quantity of a change is the whole order or what is still to be filled."),
        Knob("nightly_reset_minutes", None, "int",
             "How long the brokerage side is down from 01:00 of its region; null is the whole window reserved for it."),
        Knob("no_symbol_found", "error", "error empty", "What a search without hits answers."),
        Knob("no_data_status", None, "int",
             "The status where a report has no data yet, 400 or 402; null: 402 for an account never open, else 400."),
        Knob("nulls_refused", "banking", "banking everywhere nowhere",
             "Where null members of signed bodies are refused; elsewhere they count as absent."),
        Knob("order_numbers", "life", "life session",
             "Whether an order has one id for life, or one of each brokerage session's own, counted from the beginning."),
        Knob("order_ref_in_orders", True, "bool", "Whether the list of orders carries our own reference."),
        Knob("pa_includes_today", False, "bool", "Whether PortfolioAnalyst's transactions hold today's."),
        Knob("paper_login", False, "bool", "Whether usernames are those of paper trading: LOGIN_TYPE is 2 then, and isPaper true."),
        Knob("patch_forms", "both", "both object array",
             "Whether an operation of PATCH /accounts is an object, an array of one, or either."),
        Knob("order_types", "all", "all documented",
             "Whether MOC, LOC, MIT, LIT and REL, merely seen in clients, are order types; contract rules name them in any case."),
        Knob("penalty_account_management", False, "bool",
             "Whether breaking Account Management's limits leads to the penalty box too."),
        Knob("penalty_extends", True, "bool", "Whether a call from the box begins the penalty anew."),
        Knob("penalty_seconds", 600, "int", "How long the penalty lasts (newer documents say 15 minutes)."),
        Knob("portfolio2_conid_as_text", True, "bool", "Whether a conid of /portfolio2 is text, as recorded, or a number."),
        Knob("percentages_add_up", True, "bool",
             "Whether percentages that do not add up to 100 are refused, or taken as ratios."),
        Knob("portfolio2_names", "recorded", "recorded documented",
             "Names in /portfolio2 positions: as recorded, or as the document has them."),
        Knob("portfolio2_page_size", 0, "int",
             "How many positions an answer of /portfolio2 holds, the rest on pages of their own; 0 is all of them."),
        Knob("position_conid_as_text", False, "bool", "Whether a position's conid is text."),
        Knob("positions_cache_seconds", 60, "int", "How long a page of positions is served from the cache."),
        Knob("price_band_percent", 3, "number", "Beyond how many per cent from the market a limit is asked about."),
        Knob("prompt_price_management", False, "bool", "Whether a market order draws the prompt about price management."),
        Knob("question_lifetime_seconds", 60, "int", "How long a question can be answered."),
        Knob("questions_at_once", 1, "int", "How many questions one answer holds."),
        Knob("refusal_status", 200, "int", "The status of an order's refusal: IBKR sends 200, 400 and 500."),
        Knob("region", "NA", "NA EU HK", "Whose windows hold."),
        Knob("registration_route", "hybrid", "hybrid full", "Which way of registration the master is approved for."),
        Knob("regsnapshot_shape", "object", "object list",
             "Whether a regulatory snapshot comes bare or in a list of one, as other snapshots do."),
        Knob("remainders", "listed", "listed drawn",
             "Which accounts of a block get the units left over when their remainders are equal."),
        Knob("request_status_types", "any", "any by_kind",
             "Whether type=response is for applications and type=update for changes alone."),
        Knob("request_words", {}, "dict", 'Other words for the status of requests, such as {"PENDING": "SUBMITTED"}.'),
        Knob("require_content_length", False, "bool", "Whether a body without a length is refused."),
        Knob("retry_after", False, "bool", "Whether 429 says when to come back."),
        Knob("reuse_answer", "accepted", "accepted error", "What a clientInstructionId that comes again is answered."),
        Knob("review_seconds", 40, "int", "How long IBKR's review of an application takes."),
        Knob("scope_policy", "refuse", "refuse narrow",
             "Whether a scope that is not granted refuses the token or is left out of it."),
        Knob("secdef_info_object", False, "bool",
             "Whether a single contract comes bare, as the specification has it, not in an array."),
        Knob("segment_accounts", True, "bool", "Whether holdings are listed for the commodities segment (U1234567C) again."),
        Knob("session_bound_to", "declared", "declared ip first",
             "Which address an SSO session is honoured from: all declared, `ip` alone, or the first of them that calls."),
        Knob("session_cold_milliseconds", 1000, "int", "How long after init a session is not established."),
        Knob("session_idle_seconds", 360, "int", "After how long without a call a session ends."),
        Knob("shares_scaled", True, "bool",
             "Whether a quantity that is not the sum of a group's shares is scaled, or refused."),
        Knob("short_selling", False, "bool", "Whether a cash account may sell what it does not hold."),
        Knob("side_in_any_case", False, "bool", 'Whether "Buy" is taken for "BUY".'),
        Knob("signed_body_lifetime_seconds", 86400, "int",
             "The longest life of a signed body; the documents show 60 and 1000 seconds, too."),
        Knob("size_limit", 5000, "number", "Beyond how many units an order is asked about."),
        Knob("size_modification_limit", 1000, "int", "Beyond how many units a change is asked about."),
        Knob("snapshot_missing_percent", 0, "int", "How many fields of a snapshot, in a hundred, come with a later one."),
        Knob("sso_lifetime_seconds", 86400, "int", "How long an SSO session lasts."),
        Knob("sso_link_lifetime_seconds", 60, "int", "How long a one-time link works."),
        Knob("statement_form", "accept", "accept base64 pdf",
             "Whether a report comes as its Accept asks, or always in base64 or as the PDF itself."),
        Knob("statement_needs_account", True, "bool", "Whether accountId is required beside accountIds."),
        Knob("status_letters", {}, "dict",
             'Letters shown for the status of accounts in place of the documented ones, such as {"P": "W"}.'),
        Knob("status_needs_selected_account", True, "bool",
             "Whether an order's status is shown for the selected account only."),
        Knob("stop_limit_name", "both", "both long short", "Which name is known: STOP_LIMIT, STP LMT, or both."),
        Knob("stop_of_stp", "either", "either price aux",
             "Which field holds the trigger of STP and MIT: price, auxPrice, or either."),
        Knob("stream_binary", False, "bool", "Whether frames of the stream are binary."),
        Knob("stream_cookie", "raw", "raw json any", "Which form of the stream's cookie is taken."),
        Knob("stream_heartbeat_seconds", 10, "int", "How often the stream says that it lives."),
        Knob("stream_poll_milliseconds", None, "int", "How often the stream looks for news; null is its own."),
        Knob("stream_quote_milliseconds", 500, "int", "How often a quote is streamed at most."),
        Knob("stream_quotes_seconds", 900, "int", "After how long the server ends a stream of quotes; 0 never."),
        Knob("subaccounts2_shape", "object", "object array", "How a page of subaccounts2 is wrapped."),
        Knob("supports_cash_quantity", False, "bool", "Whether orders for an amount of cash are taken."),
        Knob("supports_fractions", False, "bool", "Whether US stocks are shown to trade in fractions."),
        Knob("throttle_after_effect", False, "bool", "Whether a throttled request took effect all the same."),
        Knob("tif_suffix_a", "nothing", "nothing all-or-none",
             'What the suffix "a" of a time in force says: nothing, or that an order may be all or none.'),
        Knob("token_audiences", None, "list",
             'Audiences that the token endpoint takes; null is its own address and "/token".'),
        Knob("token_error_form", "problem", "problem oauth", "How the token endpoint words a refusal."),
        Knob("token_lifetime_seconds", 86399, "int", "How long an access token works."),
        Knob("trulioo", "auto", "auto match nomatch draw",
             'What the electronic identity check comes to; auto: as the last name says (a name with "nomatch").'),
        Knob("value_limit", 100000, "number", "Beyond what value an order is asked about."),
        Knob("weekly_maintenance", True, "bool", "Whether Saturday's window is closed."),
        Knob("what_if_of_blocks", "answered", "answered refused",
             "Whether an order of a group or with an allocation has a preview."),
        Knob("whole_amounts", False, "bool", "Whether an allocation group refuses amounts with decimals."),
    )
}  # fmt: skip
