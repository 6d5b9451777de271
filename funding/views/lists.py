"""The lists: transfers and bank instructions, as pages and as a file, and a client's panel."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from backoffice.audit import disclosures
from backoffice.audit import services as audit
from backoffice.core import clock, exports
from backoffice.home import paging
from backoffice.home.parts import Filter, View
from backoffice.journal.models import State
from backoffice.people.models import User
from backoffice.people.policy import may, requires
from clients.models import Account, Client
from funding import selectors, services, translate
from funding.models import BankInstruction, BankListing, CashTransfer, CashTransferQuerySet, Kind
from funding.views import reader


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
    page = paging.cut(_filtered(reader(request), parameters), parameters, at="requested_at")
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
        "may_request": may(reader(request), "funding.request"),
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
    user = reader(request)
    asked_for = _filtered(user, request.GET).order_by("-requested_at")
    found, last = exports.cut(list(asked_for[: exports.ROWS_AT_MOST + 1]))
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
    disclosures.let_out(
        "funding.export", by=user, summary=f"Exported {len(found)} transfers as CSV", filters=audit.asked(request.GET),
        disclosed={transfer.account.client for transfer in found},
    )  # fmt: skip
    response = HttpResponse(exports.csv_bytes(head, [*cells, *last]), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="transfers-{clock.now():%Y-%m-%d}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
@requires("funding.view")
def bank_list(request: HttpRequest) -> HttpResponse:
    """The bank instructions IBKR holds, as it lists them."""
    user = reader(request)
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


def _client(request: HttpRequest, pk: UUID) -> Client:
    return get_object_or_404(Client.objects.visible_to(reader(request)), pk=pk)


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
