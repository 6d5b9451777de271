"""`/gw/api/v1/accounts`: applications, status, tasks, details, identity links, login messages, documents and changes."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal
from urllib.parse import urlsplit

from backoffice.ibkr import paths
from backoffice.ibkr.account_management.applications import accepted_application, application_record
from backoffice.ibkr.account_management.changes import refuse_locally, send_agreements, send_change
from backoffice.ibkr.account_management.pages import LARGEST_PAGE, all_rows, period, whole
from backoffice.ibkr.answers import list_of, object_read, value_read
from backoffice.ibkr.environments import is_loopback
from backoffice.ibkr.errors import Unavailable
from backoffice.ibkr.reading import read_answer
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.accounts import (
    AccountDetails,
    AccountStatus,
    AccountStatusPage,
    Application,
    ApplicationAccepted,
    ApplicationRecord,
    KycLink,
    LoginMessage,
    LoginMessages,
    Tasks,
)
from backoffice.ibkr.types.documents import ChangeAccepted, DocumentSubmission, ProcessDocuments
from backoffice.ibkr.types.operation import Operation


class Accounts:
    """Applications and what IBKR says about accounts."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def create(self, application: Application) -> ApplicationAccepted:
        """POST /accounts: ask IBKR to open the account. A write, sent once.

        Raises Unsendable, and sends nothing, for what IBKR would refuse today, such as an age or an expired paper.
        Trap: HTTP 200 is not success; `application.status` is. "Error" raises Rejected with all of IBKR's sentences
        (nothing was created); "Already Processed" raises OutcomeUnknown, because then the application is there.
        HTTP 202 returns with `is_processed` False: look again by external id.
        """
        refuse_locally(application)
        reply = self._requestor.gateway_signed(
            "accounts",
            claims=application.wire_members(),
            effect=Effect.WRITE,
            read_timeout=self._requestor.timeouts.registration,
        )
        return accepted_application(reply)

    def by_external_id(self, external_id: str) -> ApplicationRecord | None:
        """GET /accounts?externalId=: what IBKR holds under our key; the look after a lost answer.

        None means not known, or not yet known. Silence is not absence: the journal decides what it proves.
        """
        query = {"externalId": paths.external_id(external_id)}
        return application_record(self._requestor.gateway_get("accounts", query=query))

    def by_account_id(self, account_id: str) -> ApplicationRecord | None:
        """GET /accounts?accountId=: what IBKR holds of the application that made this account.

        Trap: only for accounts opened through the API; for any other None, which says nothing about the account.
        """
        query = {"accountId": paths.account_id(account_id)}
        return application_record(self._requestor.gateway_get("accounts", query=query))

    def status(self, account_id: str) -> AccountStatus:
        """GET /accounts/{accountId}/status: letter, words and dates of one account.

        Trap: `state` is filled while an account is pending and when it is open; other letters have no words.
        """
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "status")
        return read_answer(AccountStatus, object_read(reply), reply)

    def status_page(
        self, start: date, end: date, *, status: str | None = None, offset: int = 0, limit: int = LARGEST_PAGE
    ) -> AccountStatusPage:
        """GET /accounts/status: one page of the accounts created from `start` to `end`; `limit` is 1 to 1000.

        Traps: the dates are those of creation, and IBKR's specification nests the query, which its server does not take.
        """
        query = period(start, end, offset=offset, limit=limit, status=status)
        reply = self._requestor.gateway_get("accounts", "status", query=query)
        body = object_read(reply)
        return read_answer(AccountStatusPage, {**body, "accounts": list_of(body.get("accounts"))}, reply)

    def first_status(self, start: date, end: date) -> AccountStatus | None:
        """GET /accounts/status: the first account of the period, or None; enough to see whose master the token is."""
        page = self.status_page(start, end, limit=1)
        return page.accounts[0] if page.accounts else None

    def all_statuses(self, start: date, end: date, *, status: str | None = None) -> Iterator[AccountStatus]:
        """GET /accounts/status, page after page: every account created from `start` to `end`, each once.

        Pages are fetched as they are needed, 1000 accounts each: 10,000 accounts are ten calls. An account that moves to
        another page meanwhile is not given twice. Trap: beyond 10,000 rows IBKR may time out; ask for shorter periods.
        """

        def page(offset: int) -> tuple[tuple[AccountStatus, ...], int | None]:
            found = self.status_page(start, end, status=status, offset=offset)
            return found.accounts, whole(found.total)

        return all_rows(page, key=lambda row: row.account_id)

    def statuses(self, start: date, end: date, *, status: str | None = None) -> tuple[AccountStatus, ...]:
        """GET /accounts/status, all pages at once; see `all_statuses`."""
        return tuple(self.all_statuses(start, end, status=status))

    def tasks(self, account_id: str, kind: Literal["registration", "pending"] = "registration") -> Tasks:
        """GET /accounts/{accountId}/tasks: what IBKR wants.

        Trap: "pending" shows only what blocks approval, and nothing of an open account; "registration" shows all tasks
        there ever were.
        """
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "tasks", query={"type": kind})
        body = object_read(reply)
        listed = list_of(body.get("registrationTasks" if kind == "registration" else "pendingTasks"))
        return read_answer(Tasks, {**body, "kind": kind, "tasks": listed}, reply, raw=body)

    def details(self, account_id: str) -> AccountDetails:
        """GET /accounts/{accountId}/details: all IBKR reports about the account, its people, finances and permissions.

        Trap: it equals the end-of-day file, so a change of today may not show before tomorrow.
        """
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "details")
        body = object_read(reply)
        account = body.get("account")
        if not isinstance(account, dict):
            raise Unavailable("IBKR's answer has no account in it.", status=reply.status, exchange=reply.exchange)
        return read_answer(AccountDetails, {**account, **_beside(body)}, reply, raw=body)

    def kyc(self, account_id: str) -> KycLink:
        """GET /accounts/{accountId}/kyc: a page on which the client proves identity and address to IBKR.

        Traps: each link opens for 24 hours only, so ask when the client clicks; it is personal, so never store it; and
        there is none (`url` is empty) once IBKR has what it wants.
        """
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "kyc")
        link = read_answer(KycLink, object_read(reply), reply)
        if link.url and not _is_safe_page(link.url):
            raise Unavailable(
                "IBKR gave a page that is not safe to open.", status=reply.status, exchange=reply.exchange
            )
        return link

    def login_messages(self, account_id: str, *, kind: str | None = None) -> LoginMessages:
        """GET /accounts/{accountId}/login-messages: what greets the account's users at their next login.

        Trap: agreements are completed by documents and W8INFO by a tax form; all others only in the portal.
        """
        query = {} if kind is None else {"type": kind}
        reply = self._requestor.gateway_get("accounts", paths.account_id(account_id), "login-messages", query=query)
        return _messages(object_read(reply), reply)

    def login_message_page(
        self,
        start: date,
        end: date,
        *,
        status: str | None = None,
        kind: str | None = None,
        offset: int = 0,
        limit: int = LARGEST_PAGE,
    ) -> tuple[LoginMessages, ...]:
        """GET /accounts/login-messages: one page of the messages recorded from `start` to `end`; `limit` is 1 to 1000.

        Trap: IBKR's specification shows one object as the whole answer, whose account may be the master's and whose
        messages are told apart by username; a list of such objects, bare or inside `accounts`, is read as well.
        """
        query = period(start, end, offset=offset, limit=limit, status=status)
        if kind is not None:
            query["type"] = kind
        reply = self._requestor.gateway_get("accounts", "login-messages", query=query)
        body = value_read(reply)
        rows = body if isinstance(body, list) else [body]
        if isinstance(body, dict) and isinstance(body.get("accounts"), list):
            rows = list_of(body["accounts"])
        return tuple(_messages(row, reply) for row in rows if row != {})

    def all_login_messages(
        self, start: date, end: date, *, status: str | None = None, kind: str | None = None
    ) -> Iterator[LoginMessage]:
        """GET /accounts/login-messages, page after page: every message recorded from `start` to `end`, each once.

        Trap: IBKR gives no total, so the first page that is not full is the last.
        """

        def page(offset: int) -> tuple[tuple[LoginMessage, ...], int | None]:
            found = self.login_message_page(start, end, status=status, kind=kind, offset=offset)
            return tuple(message for each in found for message in each.messages), None

        return all_rows(page, key=lambda row: row.id or repr(row.raw))

    def change(self, operation: Operation, *, listed: bool | None = None) -> ChangeAccepted:
        """PATCH /accounts: one operation of `types.changes`. A write, sent once.

        Returns when IBKR took it; HTTP 202 means it is only queued: follow `request_id`. Raises Unsendable, and sends
        nothing, for what IBKR would refuse today. `listed` overrides whether the operation goes as an array of one.
        Traps: HTTP 200 may carry `status` "Error", which raises Rejected with IBKR's sentences. There is no key, so
        after OutcomeUnknown the witness is the account's details before and after.
        """
        return send_change(self._requestor, operation, listed=listed)

    def submit_documents(self, submission: DocumentSubmission) -> ChangeAccepted:
        """PATCH /accounts with documentSubmission: hand in documents for tasks. A write, sent once.

        IBKR reviews them within about a day and the account's tasks say what became of them. Trap: signing and base64
        make a request 16/9 as large as its files; above 20 MB (about 11 MB of files) it raises Unsendable.
        """
        return send_change(self._requestor, submission)

    def process_documents(self, documents: ProcessDocuments) -> ChangeAccepted:
        """POST /accounts/documents: the agreements signed today, once, before the day's applications. A write, sent once.

        Trap: afterwards an application attaches only its tax form; the file must be IBKR's own, byte for byte.
        """
        return send_agreements(self._requestor, documents)


def _is_safe_page(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or is_loopback(parts.hostname or ""))


def _messages(body: object, reply: Reply) -> LoginMessages:
    if isinstance(body, dict):
        return read_answer(
            LoginMessages, {**body, "loginMessages": _objects(body.get("loginMessages"))}, reply, raw=body
        )
    return read_answer(LoginMessages, body, reply)


def _beside(body: dict[str, Any]) -> dict[str, Any]:
    """Return what details tell beside the account itself, by our names."""
    heirs = [*_objects(body.get("individualIRABeneficiaries")), *_objects(body.get("entityIRABeneficiaries"))]
    financial = body.get("financialInformation")
    if isinstance(financial, list):
        financial = financial[0] if financial else None
    return {
        "persons": _objects(body.get("associatedPersons")),
        "entities": _objects(body.get("associatedEntities")),
        "financial": financial if isinstance(financial, dict) and financial else None,
        "sources_of_wealth": body.get("sourcesOfWealth"),
        "trade_bundles": body.get("tradeBundles"),
        "market_data": body.get("marketData"),
        "withholding_statement": body.get("withHoldingStatement"),
        "beneficiaries": heirs,
        "decedents": body.get("decedents"),
        "restrictions": _objects(body.get("restrictions")),
    }


def _objects(value: object) -> list[dict[str, Any]]:
    return [row for row in list_of(value) if isinstance(row, dict)]
