"""Allocation groups: the list IBKR has, one group, and the changes on their way."""

import uuid
from decimal import Decimal
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.core.errors import Conflict, InvalidInput, Refusal
from backoffice.people.models import User
from backoffice.people.policy import may, requires
from trading.forms import GroupForm, refuse
from trading.models import AllocationGroup, ChangeStatus, DeskSync, GroupChange
from trading.selectors import orders as order_selectors
from trading.selectors import standing
from trading.services import groups as services
from trading.views.common import go, is_fragment, mark, reader, unchanged


def _groups(user: User) -> Any:
    return AllocationGroup.objects.visible_to(user).select_related("master")


def _changes(user: User) -> list[GroupChange]:
    """Changes on their way, and those refused lately, of groups the person may see: their own, or anybody's for those
    who see everything."""
    found = GroupChange.objects.exclude(status__in=[ChangeStatus.DONE, ChangeStatus.CANCELLED])
    if not user.sees_every_book:
        found = found.filter(requested_by=user)
    return list(found.select_related("requested_by", "submission")[:10])


@require_safe
@requires("trading.view")
def group_list(request: HttpRequest) -> HttpResponse:
    """Groups as IBKR shows them, with the changes on their way."""
    user = reader(request)
    rows = list(_groups(user).listed().annotate(size=Count("members")))
    changes = _changes(user)
    context = {
        "groups": rows,
        "changes": changes,
        "sync": DeskSync.objects.filter(kind="groups").order_by("-read_at").first(),
        "may_manage": may(user, "trading.manage_groups"),
        "has_open": any(not change.is_final for change in changes),
        "mark": mark(*((row.name, row.seen_at) for row in rows), *((change.pk, change.status) for change in changes)),
    }
    if unchanged(request, str(context["mark"])):
        return HttpResponse(status=204)
    return render(request, "trading/_groups.html" if is_fragment(request) else "trading/group_list.html", context)


@require_safe
@requires("trading.view")
def detail(request: HttpRequest, pk: str) -> HttpResponse:
    """One group: members with what they are shared by, and its orders."""
    user = reader(request)
    group = get_object_or_404(_groups(user), pk=pk)
    return render(request, "trading/group_detail.html", _context(user, group))


def _context(user: User, group: AllocationGroup) -> dict[str, Any]:
    members = list(group.members.select_related("account__client", "account__snapshot"))
    figures = standing.allocation_figures([member.account for member in members])
    basis = [
        (
            member,
            member.amount
            if member.amount is not None
            else figures[member.account.number].available
            if group.method == "A" and member.account.number in figures
            else figures[member.account.number].net_liquidation
            if group.method == "N" and member.account.number in figures
            else None,
        )
        for member in members
    ]
    total = sum((value for _, value in basis if value is not None), start=order_selectors.ZERO)
    weights = [(member, value, value / total * 100 if value is not None and total else None) for member, value in basis]
    if group.method == "E" and members:
        weights = [(member, None, Decimal(100) / len(members)) for member in members]
    orders = order_selectors.with_parts(group.orders.visible_to(user).sent()).order_by("-number")[:8]
    change = (
        GroupChange.objects.filter(master=group.master, status=ChangeStatus.REQUESTED)
        .filter(name=group.name)
        .select_related("submission", "requested_by")
        .first()
    )
    return {
        "group": group,
        "members": weights,
        "currency": standing.common_currency([member.account for member in members]),
        "orders": order_selectors.rows(orders),
        "change": change,
        "may_manage": may(user, "trading.manage_groups"),
        "may_trade": may(user, "trading.trade"),
        "intent": uuid.uuid4(),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@requires("trading.manage_groups")
def new(request: HttpRequest) -> HttpResponse:
    """Make a group at IBKR."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("trading.manage_groups")
def edit(request: HttpRequest, pk: str) -> HttpResponse:
    """Change a group at IBKR: its whole membership is replaced."""
    return _edit(request, get_object_or_404(_groups(reader(request)).listed(), pk=pk))


def _edit(request: HttpRequest, group: AllocationGroup | None) -> HttpResponse:
    user = reader(request)
    if request.method != "POST":
        return render(request, "trading/group_form.html", {"form": GroupForm(user, group=group), "group": group})
    form = GroupForm(user, request.POST, group=group)
    if form.is_valid():
        try:
            members = form.cleaned_data["members"]
            if not members:
                raise InvalidInput(
                    "members", "A group needs at least one account.", "Tick the accounts that belong to it."
                )
            services.define_group(
                master=group.master if group else next(iter(members)).master,
                name=form.cleaned_data["name"].strip(),
                method=form.cleaned_data["method"],
                members=members,
                by=user,
                intent=form.cleaned_data["intent"],
                replaces=group,
            )
            return go(request, "trading:group_list")
        except InvalidInput as error:
            refuse(form, error)
        except Refusal as error:
            form.add_error(None, str(error))
    return render(request, "trading/group_form.html", {"form": form, "group": group}, status=422)


@require_POST
@requires("trading.manage_groups")
def delete(request: HttpRequest, pk: str) -> HttpResponse:
    """Remove a group at IBKR. Orders that were made with it keep their own frozen copy."""
    user = reader(request)
    group = get_object_or_404(_groups(user).listed(), pk=pk)
    try:
        intent = uuid.UUID(request.POST.get("intent", ""))
    except ValueError:
        intent = uuid.uuid4()
    try:
        services.remove_group(group, by=user, intent=intent)
    except Conflict as error:
        context = {**_context(user, group), "trouble": str(error)}
        return render(request, "trading/group_detail.html", context, status=409)
    return go(request, "trading:group_list")
