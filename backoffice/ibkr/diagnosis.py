"""Why a connection does not work, in one sentence of cause and one of cure. `checkup` is the test that finds out.

IBKR's refusals say little ("Bad Request"), so an explanation is drawn from everything known: which step failed, IBKR's
words, the clocks, the network's own error, the time of day. Everything here is pure.
"""

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import requests

from backoffice.ibkr import scopes, windows
from backoffice.ibkr.answers import problem_in
from backoffice.ibkr.environments import PRODUCTION, QA, Environment, environment_of
from backoffice.ibkr.errors import AuthFailed, HeldBack, IbkrError, RateLimited, Rejected
from backoffice.ibkr.keys import KeyProblem
from backoffice.ibkr.oauth import TOLERATED_SKEW_SECONDS, clock_sentence
from backoffice.ibkr.operations import TOKEN
from backoffice.ibkr.transport import Exchange


class Doing(StrEnum):
    """The step that failed; its value is what a person reads."""

    ADDRESS = "Address"
    KEY = "Private key"
    TOKEN = "Access token"  # noqa: S105 - a label
    SCOPES = "Scopes of the work"
    ECHO = "Plain echo"
    SIGNED_ECHO = "Signed echo"
    ACCOUNTS = "Account list"
    SIGN_ON = "Trading sign-on"
    VALIDATION = "Sign-on check"
    CALL = "Call"  # any other


@dataclass(frozen=True, slots=True)
class Facts:
    """What is configured, to be named in an explanation. `environment` is the one the connection is meant for.

    `scopes` are those of all the work that the connection will be asked to do.
    """

    environment: str  # "production", "qa" or "sandbox"
    base_url: str
    client_id: str
    key_id: str
    master: str
    username: str = ""
    ip: str = ""  # the address declared to IBKR for trading
    thumbprint: str = ""  # of the private key in use
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sentence each: what is wrong, what to do. `detail` is IBKR's own words, for support."""

    cause: str
    fix: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.cause} {self.fix}"


def explain(error: Exception, *, doing: Doing, facts: Facts) -> Explanation:
    """Return the cause of `error` and what to do about it. Never raises, never repeats a secret."""
    detail = _detail(error)
    found = _cause(error, doing, facts)
    return Explanation(found.cause, found.fix, detail)


def sentences(error: IbkrError, facts: Facts) -> str:
    """Return cause and cure of an error by the call that met it; IBKR's own reason where no more than that is known."""
    found = _cause(error, _step_of(error), facts)
    if isinstance(error, KeyProblem) or found.cause.rstrip(".") != error.reason.rstrip("."):
        return str(Explanation(found.cause, found.fix))
    return error.reason


def _step_of(error: IbkrError) -> Doing:
    path = "" if error.exchange is None else error.exchange.path
    return next((doing for ending, doing in _STEPS if path.endswith(ending)), Doing.CALL)


def wrong_environment(facts: Facts) -> Explanation | None:
    """Return what is wrong with an address that is not its environment's, or None."""
    try:
        actual = environment_of(facts.base_url)
    except ValueError:
        known: tuple[Environment, ...] = (PRODUCTION, QA)
        places = " or ".join(f"{each.base_url} ({each.name})" for each in known)
        return Explanation(
            f"{facts.base_url} is not an address of IBKR's.", f"Use {places}; a sandbox runs on this machine only."
        )
    if actual.name == facts.environment:
        return None
    return Explanation(
        f"{facts.base_url} belongs to {actual.name}, but the connection is meant for {facts.environment}.",
        f"Set the address to {_right_address(facts)}, or the environment to {actual.name}; never use one environment's key "
        "in the other.",
    )


def _right_address(facts: Facts) -> str:
    known = {each.name: each.base_url for each in (PRODUCTION, QA)}
    return known.get(facts.environment, "that of the sandbox on this machine, such as http://127.0.0.1:9100")


def _cause(error: Exception, doing: Doing, facts: Facts) -> Explanation:
    match error:
        case KeyProblem():
            return Explanation(error.reason, error.fix)
        case HeldBack():
            until = "" if error.until is None else f" until {error.until:%Y-%m-%d %H:%M} UTC"
            return Explanation(error.reason, f"Nothing was sent; wait{until} and try again.")
        case RateLimited():
            return Explanation(
                "IBKR answered 429: too many requests came from this address, and all of them are shut out for a while.",
                "Send nothing for 15 minutes, then look which program exceeded the limits.",
            )
        case IbkrError():
            return _of_exchange(error, doing, facts)
    if doing is Doing.ADDRESS:
        return Explanation(str(error), f"Set the address to {_right_address(facts)}.")
    return Explanation(str(error), "Correct the connection's settings and test it again.")


def _of_exchange(error: IbkrError, doing: Doing, facts: Facts) -> Explanation:
    if (found := _maintenance(error.exchange) or _network(error, facts)) is not None:
        return found
    said = _words_of(error)
    if isinstance(error, AuthFailed | Rejected):
        skew = None if error.exchange is None else error.exchange.skew_seconds
        signs = doing in (Doing.TOKEN, Doing.SIGNED_ECHO, Doing.SIGN_ON)
        if signs and skew is not None and abs(skew) > TOLERATED_SKEW_SECONDS:
            return wrong_clock(skew)
        if _is_from_the_edge(error):
            return Explanation(
                "The network edge in front of IBKR answered 403 before IBKR saw the request.",
                "Ask IBKR to allow-list this machine's public address, and let no proxy remove the User-Agent.",
            )
        for pattern, wording in _WORDINGS:
            if pattern.search(said):
                return wording(facts, error)
        if (found := _by_step(error, doing, facts)) is not None:
            return found
    reason = error.reason if error.reason.endswith((".", "!", "?")) else f"{error.reason}."
    if error.status is not None and error.status >= 500:
        return Explanation(reason, "IBKR has a trouble of its own: try again in some minutes, then ask IBKR's support.")
    return Explanation(reason, "Try again; if it stays, send IBKR's support the words below with the time of the call.")


def _by_step(error: IbkrError, doing: Doing, facts: Facts) -> Explanation | None:
    match doing:
        case Doing.TOKEN:
            return Explanation(
                "IBKR refused the client assertion without saying why.",
                f"Compare with IBKR the client id {facts.client_id}, the key id {facts.key_id} and the public key"
                f"{_of_thumbprint(facts)}; they differ between production and test.",
            )
        case Doing.SIGNED_ECHO:
            return _signature(facts, error)
        case Doing.SIGN_ON if isinstance(error, Rejected):
            return _username(facts, error)
        case Doing.VALIDATION | Doing.CALL if error.status == 401 and _is_trading(error.exchange):
            declared = f"the declared {facts.ip}" if facts.ip else "the declared one"
            return Explanation(
                f"IBKR does not accept the trading sign-on from this machine: its address is not {declared}.",
                "Declare the public address our calls leave from, and keep it fixed.",
            )
        case _ if error.status == 401:
            return Explanation(
                "IBKR does not accept the access token: it has expired, was withdrawn or is another environment's.",
                "Try again with a fresh token; if it stays, check the address and whether IBKR suspended the client.",
            )
    return None


def _maintenance(exchange: Exchange | None) -> Explanation | None:
    if exchange is None or exchange.status not in (403, 404, 500, 502, 503, 504):
        return None
    service = windows.service_of(exchange.path)
    closed = None if service is None else windows.closure(service, exchange.started, margin=timedelta(0))
    if closed is None or closed.begins > exchange.started:
        return None
    return Explanation(
        f"{closed.reason}, as planned.", f"Wait until {closed.ends:%Y-%m-%d %H:%M} UTC; work goes on by itself."
    )


def _network(error: IbkrError, facts: Facts) -> Explanation | None:
    if error.status is not None:
        return None
    for root in _roots(error):
        match root:
            case socket.gaierror():
                return Explanation(
                    f"The name in {facts.base_url} cannot be resolved.",
                    "Check the address, and that this machine can use its DNS server.",
                )
            case ssl.SSLCertVerificationError():
                return Explanation(
                    f"The TLS certificate of {facts.base_url} is not trusted: {root.verify_message}.",
                    "Let no proxy open the connection, and keep the machine's certificates and clock current.",
                )
            case ssl.SSLError():
                return Explanation(
                    f"No TLS connection to {facts.base_url} could be made.",
                    "Check the port of the address and that no proxy or firewall stands between.",
                )
            case ConnectionRefusedError():
                return Explanation(
                    f"Nothing listens at {facts.base_url}.", "Check the address; for the sandbox, start it first."
                )
            case requests.ConnectTimeout():
                return Explanation(
                    f"{facts.base_url} did not take the connection in time.",
                    "Open the firewall for outgoing connections to it, and ask IBKR whether our address is allow-listed.",
                )
            case requests.ReadTimeout():
                return Explanation(
                    f"{facts.base_url} took the request and did not answer in time.",
                    "Try again in some minutes; look at IBKR's system status.",
                )
            case OSError() if root.errno is not None and type(root) is OSError:
                return Explanation(
                    f"{facts.base_url} cannot be reached: {root.strerror}.", "Check this machine's network."
                )
    return None


def _roots(error: BaseException) -> Iterator[BaseException]:
    """Every exception below this one, the innermost first: libraries hide the telling one deep inside."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [each.__context__, each.__cause__, getattr(each, "reason", None), *each.args]
    # A timeout wraps plainer errors that say less, so it is looked at as it stands, after them.
    return reversed(found)


def _words_of(error: IbkrError) -> str:
    answer = None if error.exchange is None else error.exchange.answer
    if not isinstance(answer, dict):
        return ""
    problem = problem_in(answer)
    described = answer.get("error_description")
    fields = [] if problem is None else [f"{each.field} {each.description}" for each in problem.fields]
    words = [problem.text if problem else "", described if isinstance(described, str) else "", *fields]
    return " | ".join(word for word in words if word)


def _detail(error: Exception) -> str:
    if not isinstance(error, IbkrError) or error.exchange is None:
        return ""
    exchange = error.exchange
    status = "no answer" if exchange.status is None else f"HTTP {exchange.status}"
    words = _words_of(error)
    said = f": {words}" if words else ""
    return f"{exchange.method} {exchange.path}, {status}{said} (request {exchange.request_id})"


def _is_from_the_edge(error: IbkrError) -> bool:
    if error.exchange is None or error.status != 403:
        return False
    return not isinstance(error.exchange.answer, dict)


def _is_trading(exchange: Exchange | None) -> bool:
    return exchange is not None and windows.service_of(exchange.path) is windows.Service.TRADING


def wrong_clock(skew_seconds: int) -> Explanation:
    return Explanation(clock_sentence(skew_seconds), "Set this machine's clock by NTP and keep it so.")


def missing_scopes(missing: list[str], facts: Facts) -> Explanation:
    several = "s" if len(missing) > 1 else ""
    return Explanation(
        f"IBKR did not grant the scope{several} {', '.join(missing)} to {facts.client_id}.",
        f"Ask IBKR to add {'them' if several else 'it'} to the client, or take the work that needs "
        f"{'them' if several else 'it'} off this connection.",
    )


def _scope(facts: Facts, error: IbkrError) -> Explanation:
    named = scopes_named(error)
    exchange = error.exchange
    if not named and exchange is not None:
        alternatives = scopes.needed(exchange.method, exchange.path)
        named = [" or ".join(alternatives)] if alternatives else []
    if not named:
        return Explanation(
            "The access token lacks a scope that this call needs.", f"Ask IBKR which scopes {facts.client_id} has."
        )
    return missing_scopes(named, facts)


def is_mute(error: IbkrError) -> bool:
    """Return whether IBKR's refusal leaves open what it refuses; a scope that it does not name is left open, too."""
    meant = next((explained for pattern, explained in _WORDINGS if pattern.search(_words_of(error))), None)
    return meant is None or (meant is _scope and not scopes_named(error))


def scopes_named(error: IbkrError) -> list[str]:
    """Return the scopes that a refusal of IBKR's names."""
    return re.findall(r"[a-z-]+\.(?:read|write)\b", _words_of(error))


def other_master(actual: str, facts: Facts) -> Explanation:
    return Explanation(
        f"The credentials belong to master account {actual}, not to {facts.master}.",
        f"Use the client id and the key that IBKR gave for {facts.master}, or correct the connection's account.",
    )


def _unrelated(facts: Facts, _error: IbkrError) -> Explanation:
    return Explanation(
        f"The account does not belong to master account {facts.master}.",
        "Use the connection of the account's own master.",
    )


def other_username(actual: str, facts: Facts) -> Explanation:
    return Explanation(
        f"IBKR signed in {actual} instead of {facts.username}.", "Correct the username of this connection."
    )


def other_kind_of_login(is_paper: bool | None, *, environment: str, master: str, username: str) -> Explanation | None:
    """Return what is wrong with a sign-on that is for paper trading where it must be live, or the other way; or None.

    The username alone chooses between the two (trading.md section 1.3), and a paper master's number begins with D.
    `is_paper` is what IBKR says; None where it does not. Of the test system's usernames nothing is known.
    """
    is_expected = is_paper_account(master)
    if is_paper is None or is_paper is is_expected or environment == QA.name:
        return None
    if is_paper:
        return Explanation(
            f"IBKR signed {username} in for paper trading, and {master} is no paper account.",
            "Name a live username of this master; a paper username goes with the paper master, whose number begins with D.",
        )
    return Explanation(
        f"IBKR signed {username} in for live trading, and {master} is a paper account.",
        "Name the paper username of this master; its orders would be real ones otherwise.",
    )


def is_paper_account(account: str) -> bool:
    """Return whether an account's number is that of paper trading: DF..., DU... (trading.md section 1.3)."""
    return _PAPER_ACCOUNT.fullmatch(account) is not None


def _username(facts: Facts, _error: IbkrError) -> Explanation:
    return Explanation(
        f"IBKR does not accept the username {facts.username} for master account {facts.master}.",
        "Name a username of this master in the same environment, whose first password has been replaced once.",
    )


def _client(facts: Facts, _error: IbkrError) -> Explanation:
    return Explanation(
        f"IBKR does not know the client id {facts.client_id} in {facts.environment}.",
        "Use the client id that IBKR gave for this environment; production and test have different ones.",
    )


def _key_id(facts: Facts, _error: IbkrError) -> Explanation:
    return Explanation(
        f"IBKR holds no key with the id {facts.key_id} for {facts.client_id}.",
        f"Set the key id that was agreed with IBKR, or send IBKR the public key{_of_thumbprint(facts)} under this id.",
    )


def _signature(facts: Facts, _error: IbkrError) -> Explanation:
    return Explanation(
        f"The private key is not the one whose public half IBKR holds as {facts.key_id}.",
        f"Use the private key of that pair, or send IBKR the public half of this one{_of_thumbprint(facts)}.",
    )


def _audience(facts: Facts, _error: IbkrError) -> Explanation:
    return Explanation(
        "IBKR does not accept the audience of the client assertion.",
        f'Set it to "/token" or to the whole token address at {facts.base_url}, whichever it is not now: '
        "manage.py add_connection with --audience path or address.",
    )


def _expired(_facts: Facts, _error: IbkrError) -> Explanation:
    return Explanation(
        "IBKR takes the client assertion for expired or made in the future.",
        "Set this machine's clock by NTP and keep it so.",
    )


def _address_refused(facts: Facts, _error: IbkrError) -> Explanation:
    declared = f" (the declared one is {facts.ip})" if facts.ip else ""
    newer = " It may take IPv4 addresses only: then declare one." if ":" in facts.ip else ""  # section 4 does not say
    return Explanation(
        f"IBKR does not accept calls from this machine's address{declared}.",
        f"Ask IBKR to allow-list the public address our calls leave from, and keep it fixed.{newer}",
    )


def private_address(facts: Facts) -> Explanation | None:
    """Return what is wrong with a declared address that no machine of IBKR's can be called from, or None."""
    if facts.environment not in (PRODUCTION.name, QA.name) or not facts.username or not facts.ip:
        return None
    if ipaddress.ip_address(facts.ip).is_global:
        return None
    return Explanation(
        f"The address declared to IBKR, {facts.ip}, is not a public one; IBKR never sees calls come from it.",
        "Set IBKR_EGRESS_IP to the public address our calls leave from, and restart all processes.",
    )


def _of_thumbprint(facts: Facts) -> str:
    return f" (thumbprint {facts.thumbprint})" if facts.thumbprint else ""


_PAPER_ACCOUNT = re.compile(r"D[A-Z][0-9]+[A-Z]?")


_STEPS = (
    (TOKEN, Doing.TOKEN),
    ("/sso-sessions", Doing.SIGN_ON),
    ("/sso/validate", Doing.VALIDATION),
)


def _words(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


# What IBKR is known or likely to say, most telling first. Its documents print few of these texts.
_WORDINGS: tuple[tuple[re.Pattern[str], Callable[[Facts, IbkrError], Explanation]], ...] = (
    (_words(r"ACCOUNT_CP_NOT_RELATED|not related to counterparty|account .*not (related|belong)"), _unrelated),
    (_words(r"scope"), _scope),
    (_words(r"unknown client|client (id )?(is )?(unknown|not found|not registered)|no such client"), _client),
    (_words(r"\bkid\b|key id|unknown key|no (such|matching) key"), _key_id),
    (_words(r"signature|invalid key"), _signature),
    (_words(r"\baud(ience)?\b"), _audience),
    (_words(r"\b(exp|iat|nbf)\b|assertion .*(expired|future)"), _expired),
    (_words(r"\bip\b|ip address|allow-?list|white-?list"), _address_refused),
    (_words(r"\bcredential\b|username|user name|unknown user"), _username),
)
