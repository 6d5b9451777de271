"""The funding pages. They read and write rows; what IBKR must be asked is asked by workers."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.audit import services as audit
from backoffice.broker import calendar
from backoffice.broker.models import MasterAccount
from backoffice.core import clock, exports
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted
from backoffice.core.money import Money
from backoffice.home import paging
from backoffice.home.parts import Filter, View
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import Inquiry, State, Submission
from backoffice.people.models import User
from backoffice.people.policy import held_back, is_proven, may, requires
from clients.models import Account, Client
from funding import selectors, services, timeline, translate
from funding.forms import ApprovalForm, DepositForm, ReasonForm, WithdrawalForm, refuse
from funding.models import BankInstruction, BankListing, CashTransfer, CashTransferQuerySet, Kind


def _reader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # every page stands behind sign-in
    return request.user


# ---- lists


def _filtered(user: User, parameters: QueryDict) -> CashTransferQuerySet:
    found = CashTransfer.objects.visible_to(user)
    match parameters.get("view", "progress"):
        case "approval":
            found = selectors.with_submission_in(found.in_progress(), [State.PROPOSED])
        case "done":
            found = found.finished()
        case _:
            found = found.in_progress()
    if (kind := parameters.get("kind")) in Kind.values:
        found = found.filter(kind=kind)
    if parameters.get("maker") == "me":
        found = found.filter(requested_by=user)
    if account := parameters.get("account", ""):
        found = found.filter(account__number=account[:20])
    return found.listed()


@require_safe
@requires("funding.view")
def transfer_list(request: HttpRequest) -> HttpResponse:
    """Transfers in three views, filters in the address, pages by key."""
    parameters = request.GET
    page = paging.cut(_filtered(_reader(request), parameters), parameters, at="requested_at")
    chosen = parameters.get("view", "progress")
    chosen = chosen if chosen in selectors.VIEWS else "progress"
    context = {
        "rows": selectors.rows(page.rows),
        "page": page,
        "view": chosen,
        "views": [
            View(word, paging.address(parameters, view=key), key == chosen) for key, word in selectors.VIEWS.items()
        ],
        "filters": _filters(parameters),
        "export": f"{reverse('funding:export')}{paging.address(parameters)}",
        "may_request": may(_reader(request), "funding.request"),
    }
    return render(request, "funding/transfer_list.html", context)


def _filters(parameters: QueryDict) -> list[Filter]:
    def chip(name: str, label: str, words: dict[str, str]) -> Filter:
        value = parameters.get(name, "")
        if value in words:
            return Filter(label, words[value], paging.address(parameters, **{name: None}))
        return Filter(
            label, choices=tuple((paging.address(parameters, **{name: key}), word) for key, word in words.items())
        )

    chips = [
        chip("kind", "Kind", {Kind.WITHDRAWAL: "Withdrawals", Kind.DEPOSIT: "Deposit notices"}),
        chip("maker", "Made by", {"me": "You"}),
    ]
    if account := parameters.get("account", "")[:20]:
        chips.append(Filter("Account", account, paging.address(parameters, account=None)))
    return chips


@require_safe
@requires("funding.export")
def transfer_export(request: HttpRequest) -> HttpResponse:
    """The list as CSV, with the filters of the address; cells never start a formula."""
    user = _reader(request)
    found = list(_filtered(user, request.GET).order_by("-requested_at")[: exports.ROWS_AT_MOST])
    head = [
        "Reference",
        "Kind",
        "Account",
        "Client",
        "Amount",
        "Currency",
        "Bank",
        "State",
        "IBKR status",
        "Made by",
        "Made at (UTC)",
    ]
    cells = (
        (
            row.transfer.client_instruction_id, row.transfer.get_kind_display(), row.transfer.account.number,
            row.transfer.account.client.name, row.transfer.money.rounded().amount, row.transfer.currency,
            row.transfer.bank.name if row.transfer.bank else "", row.state.word, row.transfer.ibkr_status,
            row.transfer.requested_by.name, f"{row.transfer.requested_at:%Y-%m-%d %H:%M:%S}",
        )
        for row in selectors.rows(found)
    )  # fmt: skip
    audit.record(
        "funding.export", by=user, summary=f"Exported {len(found)} transfers as CSV", filters=audit.asked(request.GET),
        disclosed={transfer.account.client for transfer in found},
    )  # fmt: skip
    response = HttpResponse(exports.csv_bytes(head, cells), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="transfers-{clock.now():%Y-%m-%d}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
@requires("funding.view")
def bank_list(request: HttpRequest) -> HttpResponse:
    """The bank instructions IBKR holds, as it lists them."""
    user = _reader(request)
    banks = BankInstruction.objects.visible_to(user).select_related("account__client", "account__bank_listing")
    if account := request.GET.get("account", ""):
        banks = banks.filter(account__number=account[:20])
    unread = BankListing.objects.filter(account__in=Account.objects.visible_to(user)).exclude(failure="")
    context = {
        "banks": [
            (bank, *translate.USABLE_WORDS.get(bank.ibkr_status, ("neutral", bank.ibkr_status)))
            for bank in banks.order_by("account__number", "name", "method")[:500]
        ],
        "may_request": may(user, "funding.request"),
        "failures": unread.select_related("account").order_by("account__number")[:20],
        "account": account,
    }
    return render(request, "funding/bank_list.html", context)


# ---- the withdrawal form


@require_http_methods(["GET", "HEAD", "POST"])
@requires("funding.request")
def withdraw(request: HttpRequest) -> HttpResponse:
    """Ask for a withdrawal. `redraw` in the post draws the form again for another account, keeping what was typed."""
    user = _reader(request)
    account = _account(user, request.POST.get("account") or request.GET.get("account"))
    if account is not None:
        services.ask_for_banks(account)
    if request.method != "POST" or "redraw" in request.POST:
        typed = {
            name: request.POST.get(name, "")
            for name in ("amount", "note", "intent", "currency")
            if request.POST.get(name)
        }
        before = selectors.typed_before(user, request.GET.get("again"))
        form = WithdrawalForm(user, account, initial={**before, **typed, "account": account})
        if typed.get("intent"):
            form.initial["intent"] = typed["intent"]
        return _draw_withdrawal(request, form, account)
    form = WithdrawalForm(user, account, request.POST)
    if form.is_valid():
        try:
            with transaction.atomic():
                transfer = services.request_withdrawal(
                    account=form.cleaned_data["account"],
                    money=Money(form.cleaned_data["amount"], form.cleaned_data["currency"]),
                    bank=form.cleaned_data["bank"],
                    by=user,
                    intent=form.cleaned_data["intent"],
                    note=form.cleaned_data["note"],
                    duplicate_reason=form.cleaned_data["duplicate_reason"],
                    withdrawable=_known_withdrawable(user, form.cleaned_data),
                )
                is_to_prove = _leaves_at_once(transfer) and not is_proven(request, "funding.send")
                transaction.set_rollback(is_to_prove)
            question = held_back(request, "funding.send") if is_to_prove else None
            return question or _go(request, transfer.get_absolute_url())
        except InvalidInput as error:
            refuse(form, error)
        except Conflict as error:
            form.add_error(None, str(error))
    return _draw_withdrawal(request, form, account, status=422)


def _leaves_at_once(transfer: CashTransfer) -> bool:
    """Tell whether the policy asks nobody else, so that this press is the one that sends."""
    submission = journal.current_for(transfer)
    return submission is not None and submission.state == State.READY and submission.approvals_needed == 0


def _account(user: User, number_or_key: str | None) -> Account | None:
    """Return the account of a key or number in the address, if this person may see it."""
    if not number_or_key:
        return None
    accounts = Account.objects.visible_to(user).select_related("client", "master")
    try:
        return accounts.filter(pk=UUID(number_or_key)).first()
    except ValueError:
        return accounts.filter(number=number_or_key[:20]).first()


def _known_withdrawable(user: User, cleaned: dict[str, Any]) -> services.Withdrawable | None:
    """Return what IBKR answered on this form about this account and currency, if it did."""
    inquiry = Inquiry.objects.filter(pk=cleaned["inquiry"], asked_by=user).first() if cleaned["inquiry"] else None
    if inquiry is None or inquiry.answer is None or inquiry.params.get("account") != str(cleaned["account"].pk):
        return None
    return services.withdrawable_from(inquiry.answer)


def _draw_withdrawal(
    request: HttpRequest, form: WithdrawalForm, account: Account | None, *, status: int = 200
) -> HttpResponse:
    listing = BankListing.objects.filter(account=account).first() if account else None
    context = {
        "form": form,
        "account": account,
        "listing": listing,
        "has_banks": account is not None and account.banks.usable().exists(),
        "closed_until": _closed_until(account.master) if account else None,
        "limit": translate.API_LIMIT,
        "currency": form["currency"].value() or (account.base_currency if account else ""),
    }
    template = "funding/_withdrawal_form.html" if request.headers.get("HX-Request") else "funding/transfer_form.html"
    return render(request, template, context, status=status)


def _go(request: HttpRequest, url: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


@require_POST
@requires("funding.request")
def ask_withdrawable(request: HttpRequest) -> HttpResponse:
    """Ask IBKR how much cash can leave; the fragment asks for the answer until it is there."""
    user = _reader(request)
    account = get_object_or_404(Account.objects.visible_to(user), number=request.POST.get("account", "")[:20])
    currency = request.POST.get("currency", "")[:3].upper()
    if not (currency.isalpha() and len(currency) == 3):
        currency = account.base_currency
    params = {"account": str(account.pk), "number": account.number, "currency": currency}
    if (about := _beside(user, request.POST.get("transfer", ""))) is not None:
        params["transfer"] = str(about.pk)
    inquiry = inquiries.ask("funding.answer_withdrawable", params, by=user)
    return _draw_withdrawable(request, inquiry)


@require_safe
@requires("funding.request")
def withdrawable(request: HttpRequest, pk: UUID) -> HttpResponse:
    inquiry = get_object_or_404(Inquiry, pk=pk, asked_by=_reader(request), kind="funding.answer_withdrawable")
    if not inquiry.is_final:
        return HttpResponse(status=204)  # what stands there stays, and asks again
    return _draw_withdrawable(request, inquiry)


def _draw_withdrawable(request: HttpRequest, inquiry: Inquiry) -> HttpResponse:
    known = services.withdrawable_from(inquiry.answer) if inquiry.answer is not None else None
    transfer = _beside(_reader(request), inquiry.params.get("transfer", ""))
    left = known.money.amount - transfer.amount if known and transfer else None
    context = {"inquiry": inquiry, "known": known, "transfer": transfer, "left": left}
    return render(request, "funding/_withdrawable.html", context)


def _beside(user: User, key: str) -> CashTransfer | None:
    """Return the transfer a figure is shown beside, if this person may see it."""
    try:
        return CashTransfer.objects.visible_to(user).filter(pk=UUID(key)).first() if key else None
    except ValueError:
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@requires("funding.request")
def deposit(request: HttpRequest) -> HttpResponse:
    """Tell IBKR that a wire is coming."""
    user = _reader(request)
    if request.method != "POST":
        account = _account(user, request.GET.get("account"))
        initial = {"account": account, "currency": account.base_currency if account else "USD"}
        return render(request, "funding/deposit_form.html", {"form": DepositForm(user, initial=initial)})
    form = DepositForm(user, request.POST)
    if form.is_valid():
        try:
            transfer = services.notify_deposit(
                account=form.cleaned_data["account"],
                money=Money(form.cleaned_data["amount"], form.cleaned_data["currency"]),
                by=user,
                intent=form.cleaned_data["intent"],
                sending_institution=form.cleaned_data["sending_institution"],
                note=form.cleaned_data["note"],
            )
            return _go(request, transfer.get_absolute_url())
        except InvalidInput as error:
            refuse(form, error)
        except Conflict as error:
            form.add_error(None, str(error))
    template = "funding/_deposit_form.html" if request.headers.get("HX-Request") else "funding/deposit_form.html"
    return render(request, template, {"form": form}, status=422)


# ---- one transfer


def _transfer(request: HttpRequest, pk: UUID) -> CashTransfer:
    return get_object_or_404(CashTransfer.objects.visible_to(_reader(request)).listed(), pk=pk)


def _detail_context(request: HttpRequest, transfer: CashTransfer) -> dict[str, Any]:
    user = _reader(request)
    submission = journal.current_for(transfer)
    state = selectors.state_of(transfer, submission)
    context: dict[str, Any] = {
        "transfer": transfer,
        "submission": submission,
        "state": state,
        "events": timeline.events(transfer, submission),
        "left": transfer.withdrawable - transfer.amount if transfer.withdrawable is not None else None,
        "money": transfer.money.rounded(),
    }
    if submission is not None:
        is_proposed, is_absent = submission.state == State.PROPOSED, submission.state == State.ABSENT
        can_release = may(user, "journal.release")
        may_decide = is_proposed and may(user, "funding.approve") and may(user, "journal.approve")
        context |= {
            "payload": _payload_facts(submission, transfer),
            "approvals": list(submission.approvals.select_related("approver")),
            "checks": timeline.checks(transfer, submission, user) if is_proposed else [],
            "is_proposed": is_proposed,
            "is_unknown": submission.state == State.UNKNOWN,
            "is_absent": is_absent,
            "doubt": f"{submission.reason.rstrip('. ')}." if submission.reason else "",
            "may_decide": may_decide and submission.maker_id != user.pk,
            "may_request": may(user, "funding.request"),
            "attempts": submission.attempts.count(),
            "looks": submission.observations.count(),
            "is_maker": submission.maker_id == user.pk,
            "may_take_back": submission.state in {State.PROPOSED, State.READY, State.ABSENT}
            and (can_release or (may(user, "funding.request") and transfer.requested_by_id == user.pk)),
            "may_release": is_absent and can_release,
            "releases": list(submission.releases.select_related("person")) if is_absent else [],
            "parked_until": _parked_until(submission),
            "meaning": translate.meaning(transfer.ibkr_words) if transfer.ibkr_status == "REJECTED" else None,
        }
    context["mark"] = _mark(transfer, submission)
    return context


def _parked_until(submission: Submission) -> datetime | None:
    if submission.state not in {State.PROPOSED, State.READY}:
        return None
    return _closed_until(submission.master)


def _closed_until(master: MasterAccount) -> datetime | None:
    closed = calendar.parked_until(master, "funding")
    return closed.ends if closed else None


def _payload_facts(submission: Submission, transfer: CashTransfer) -> list[tuple[str, str]]:
    """The payload as it will be sent, in IBKR's names; the bank's name is its key at IBKR, its number is not in it."""
    sent = submission.payload["instruction"]
    shown = dict(sent)
    shown["amount"] = f"{sent['amount']} {sent['currency']}"
    shown.pop("currency")
    if transfer.bank is not None and transfer.bank.last4:
        shown["bankInstructionName"] = f"{sent['bankInstructionName']} \u2022\u2022\u2022\u2022 {transfer.bank.last4}"
    return [("type", submission.payload["instructionType"]), *((name, str(shown[name])) for name in sorted(shown))]


def _mark(transfer: CashTransfer, submission: Submission | None) -> str:
    """A short digest that changes when the page would."""
    said = [transfer.status, transfer.ibkr_status, transfer.polls, transfer.is_unfamiliar]
    if submission is not None:
        said += [
            submission.state,
            submission.looks,
            submission.next_look_at,
            submission.unsent_tries,
            submission.due_at,
        ]
        said += [submission.approvals.count(), submission.releases.count(), submission.observations.count()]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:12]


@require_safe
@requires("funding.view")
def transfer_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One transfer: what is so, who agreed to what, what happened, and what happens next."""
    return _draw_detail(request, _transfer(request, pk))


def _draw_detail(
    request: HttpRequest, transfer: CashTransfer, *, status: int = 200, **forms_sent: forms.Form
) -> HttpResponse:
    context = _detail_context(request, transfer)
    submission = context["submission"]
    sha = submission.payload_sha256 if submission else ""
    context |= {
        "approval_form": ApprovalForm(transfer.amount, initial={"payload_sha256": sha}),
        "decline_form": ReasonForm(prefix="decline"),
        "back_form": ReasonForm(prefix="back"),
        **forms_sent,
        "sent_approval": "approval_form" in forms_sent,
        "sent_decline": "decline_form" in forms_sent,
        "sent_back": "back_form" in forms_sent,
    }
    return render(request, "funding/transfer_detail.html", context, status=status)


@require_safe
@requires("funding.view")
def transfer_live(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The moving part of the page; 204 while nothing has changed since `mark`."""
    transfer = _transfer(request, pk)
    if _mark(transfer, journal.current_for(transfer)) == request.GET.get("mark"):
        return HttpResponse(status=204)
    return render(request, "funding/_transfer.html", _detail_context(request, transfer))


@require_POST
@requires("funding.approve")
def approve(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A second person's yes, to the payload whose seal was shown, with the amount typed again."""
    transfer = _transfer(request, pk)
    form = ApprovalForm(transfer.amount, request.POST)
    if form.is_valid():
        try:
            services.approve(
                transfer,
                by=_reader(request),
                payload_sha256=form.cleaned_data["payload_sha256"],
                reason=form.cleaned_data["reason"],
            )
            return redirect(transfer)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _draw_detail(request, transfer, status=422, approval_form=form)


@require_POST
@requires("funding.approve")
def decline(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A second person's no, with its reason."""
    transfer = _transfer(request, pk)
    form = ReasonForm(request.POST, prefix="decline")
    if form.is_valid():
        try:
            services.decline(transfer, by=_reader(request), reason=form.cleaned_data["reason"])
            return redirect(transfer)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _draw_detail(request, transfer, status=422, decline_form=form)


@require_POST
@requires("funding.request")
def take_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give up what was not sent, or what is proven absent."""
    transfer = _transfer(request, pk)
    form = ReasonForm(request.POST, prefix="back")
    if form.is_valid():
        try:
            services.take_back(transfer, by=_reader(request), reason=form.cleaned_data["reason"])
            return redirect(transfer)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _draw_detail(request, transfer, status=422, back_form=form)


# ---- on the client page


def _client(request: HttpRequest, pk: UUID) -> Client:
    return get_object_or_404(Client.objects.visible_to(_reader(request)), pk=pk)


@require_safe
@requires("funding.view")
def client_panel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Money on the client page: what is under way and what was last, and the banks. Asks for the banks when they are old."""
    client = _client(request, pk)
    for account in Account.objects.filter(client=client).open():
        services.ask_for_banks(account)
    transfers = CashTransfer.objects.filter(account__client=client).listed().order_by("-requested_at")[:6]
    banks = BankInstruction.objects.filter(account__client=client, is_listed=True).select_related("account")
    return render(
        request,
        "funding/_client_panel.html",
        {"client": client, "rows": selectors.rows(list(transfers)), "banks": banks},
    )


@require_safe
@requires("funding.request")
def client_withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _to_form(_client(request, pk), "funding:withdraw")


@require_safe
@requires("funding.request")
def client_deposit(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _to_form(_client(request, pk), "funding:deposit")


def _to_form(client: Client, url_name: str) -> HttpResponse:
    account = Account.objects.filter(client=client).open().order_by("number").first()
    return redirect(f"{reverse(url_name)}?account={account.number}" if account else reverse(url_name))
