"""Maintenance cases: the list, one case, and the two forms that start one."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.core.errors import InvalidInput
from backoffice.home.parts import View
from backoffice.people.policy import requires
from clients.forms import AddressForm, AliasForm, RefusableForm
from clients.models import Account, CaseKind, MaintenanceRequest
from clients.selectors import maintenance as selectors
from clients.selectors import timeline
from clients.selectors.paging import page_of
from clients.selectors.people import masked_residence
from clients.services import maintenance as services
from clients.services import people
from clients.views import is_fragment, reader

PAGE_SIZE = 40


@require_safe
@requires("clients.view")
def case_list(request: HttpRequest) -> HttpResponse:
    """The cases, those that wait first by choice, newest first."""
    user = reader(request)
    asked = {name: request.GET.get(name, "")[:60] for name in ("view", "after", "before")}
    rows = MaintenanceRequest.objects.visible_to(user).select_related("account__client", "requested_by")
    if asked["view"] != "all":
        rows = rows.waiting()
    found, page = page_of(rows, keys=("-requested_at", "-id"), asked=asked, size=PAGE_SIZE)
    context = {
        "cases": selectors.cases_of(found),
        "page": page,
        "views": [View("Waiting", "?", asked["view"] != "all"), View("All", "?view=all", asked["view"] == "all")],
        "live_url": request.get_full_path(),
        "is_all": asked["view"] == "all",
    }
    return render(
        request, "clients/_case_rows.html" if is_fragment(request) else "clients/maintenance_list.html", context
    )


@require_safe
@requires("clients.view")
def case_detail(request: HttpRequest, pk: Any) -> HttpResponse:
    rows = MaintenanceRequest.objects.visible_to(reader(request)).select_related("account__client", "requested_by")
    request_row = get_object_or_404(rows, pk=pk)
    story = selectors.story(request_row)
    context = {
        "case": story.case,
        "request_row": request_row,
        "events": timeline.of_case(story),
        "consequence": services.CONSEQUENCES[CaseKind(request_row.kind)],
        "mark": f"{story.case.word}{len(story.attempts)}{len(story.observations)}{request_row.doubt}{request_row.ibkr_word}",
    }
    return render(
        request, "clients/_case_story.html" if is_fragment(request) else "clients/maintenance_detail.html", context
    )


@require_POST
@requires("clients.reveal")
def case_reveal(request: HttpRequest, pk: Any) -> HttpResponse:
    """Show both values of a change in whole for 30 seconds; the audit line is written first."""
    user = reader(request)
    case = get_object_or_404(MaintenanceRequest.objects.visible_to(user).select_related("account__client"), pk=pk)
    try:
        before, after = people.reveal_change(case=case, reason=request.POST.get("reason", ""), by=user)
    except InvalidInput as refusal:
        return HttpResponse(str(refusal), status=422, content_type="text/plain; charset=utf-8")
    context = {
        "value": f"{before or 'empty'} → {after or 'empty'}",
        "seconds": 30,
        "last4": selectors.cases_of([case])[0].towns,
        "url": request.path,
        "label": "both addresses",
    }
    response = render(request, "components/revealed.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@requires("clients.maintain")
def alias(request: HttpRequest, pk: Any) -> HttpResponse:
    account = _own(request, pk)
    form = AliasForm(request.POST or None, account=account)
    if form.is_bound and form.is_valid():
        try:
            case = services.request_alias(
                account=account,
                alias=form.cleaned_data["alias"],
                intent=form.cleaned_data["intent"],
                by=reader(request),
            )
            return redirect(case)
        except InvalidInput as refusal:
            form.refuse(refusal)
    return _draw(request, account, form, CaseKind.ALIAS)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("clients.maintain")
def address(request: HttpRequest, pk: Any) -> HttpResponse:
    account = _own(request, pk)
    form = AddressForm(request.POST or None, account=account)
    if form.is_bound and form.is_valid():
        try:
            case = services.request_address(
                account=account, address=form.cleaned_data, intent=form.cleaned_data["intent"], by=reader(request)
            )
            return redirect(case)
        except InvalidInput as refusal:
            form.refuse(refusal)
    return _draw(request, account, form, CaseKind.ADDRESS)


def _own(request: HttpRequest, pk: Any) -> Account:
    return get_object_or_404(Account.objects.visible_to(reader(request)).select_related("client", "master"), pk=pk)


def _draw(request: HttpRequest, account: Account, form: RefusableForm, kind: CaseKind) -> HttpResponse:
    context = {
        "account": account,
        "form": form,
        "kind": kind,
        "consequence": services.CONSEQUENCES[kind],
        "present": masked_residence(account.client) if kind == CaseKind.ADDRESS else "",
    }
    return render(request, "clients/change_form.html", context, status=422 if form.is_bound else 200)
