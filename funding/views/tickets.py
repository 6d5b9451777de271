"""Asking for a withdrawal, with what can be withdrawn beside it, and announcing a deposit."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.core.errors import Conflict, InvalidInput
from backoffice.core.money import Money
from backoffice.journal import inquiries
from backoffice.journal import services as journal
from backoffice.journal.models import Inquiry, State
from backoffice.people.models import User
from backoffice.people.policy import held_back, is_proven, requires
from clients.models import Account
from funding import selectors, services, translate
from funding.forms import DepositForm, WithdrawalForm, refuse
from funding.models import BankListing, CashTransfer
from funding.views import closed_until, reader


@require_http_methods(["GET", "HEAD", "POST"])
@requires("funding.request")
def withdraw(request: HttpRequest) -> HttpResponse:
    """Ask for a withdrawal. `redraw` in the post draws the form again for another account, keeping what was typed."""
    user = reader(request)
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
    mine = Inquiry.objects.filter(asked_by=user, kind="funding.answer_withdrawable")
    inquiry = mine.filter(pk=cleaned["inquiry"]).first() if cleaned["inquiry"] else None
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
        "closed_until": closed_until(account.master) if account else None,
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
    user = reader(request)
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
    user = reader(request)
    inquiry = get_object_or_404(Inquiry, pk=pk, asked_by=user, kind="funding.answer_withdrawable")
    get_object_or_404(Account.objects.visible_to(user), pk=inquiry.params["account"])  # books change meanwhile
    if not inquiry.is_final:
        return HttpResponse(status=204)  # what stands there stays, and asks again
    return _draw_withdrawable(request, inquiry)


def _draw_withdrawable(request: HttpRequest, inquiry: Inquiry) -> HttpResponse:
    known = services.withdrawable_from(inquiry.answer) if inquiry.answer is not None else None
    transfer = _beside(reader(request), inquiry.params.get("transfer", ""))
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
    user = reader(request)
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
