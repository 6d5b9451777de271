"""The connections page: each connection with its token, session, key, health, budgets and windows; and the kill switch."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from backoffice.audit.models import Entry
from backoffice.broker import calendar, selectors, services
from backoffice.broker.models import LANES, Gate, MasterAccount
from backoffice.core import clock
from backoffice.core.errors import InvalidInput, NotPermitted
from backoffice.people.models import User
from backoffice.people.policy import held_back, may, requires


class GateForm(forms.Form):
    """One turn of the kill switch."""

    scope = forms.ChoiceField(choices=Gate.Scope.choices, widget=forms.HiddenInput)
    key = forms.CharField(required=False, widget=forms.HiddenInput)
    to_open = forms.BooleanField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=300, label="Reason", help_text="Shown on every page while it is stopped, and kept in the audit log."
    )


@requires("broker.view_connections")
@require_GET
def connection_list(request: HttpRequest) -> HttpResponse:
    """Show every connection and every gate."""
    return _page(request)


@requires("broker.close_gate")
@require_http_methods(["GET", "HEAD", "POST"])
def gate_set(request: HttpRequest) -> HttpResponse:
    """Stop or allow sending for everything, one connection or one lane; the page has nothing but that."""
    if request.method != "POST":
        return _gates(request)
    form = GateForm(request.POST)
    assert isinstance(request.user, User)
    if not form.is_valid():
        return _not_turned(request, form)
    if form.cleaned_data["to_open"] and (question := held_back(request, "broker.open_gate")):
        return question
    turn = services.open_gate if form.cleaned_data["to_open"] else services.close_gate
    try:
        turn(
            scope=form.cleaned_data["scope"],
            key=form.cleaned_data["key"],
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except InvalidInput as error:
        form.add_error("reason" if error.field == "reason" else None, str(error))
        return _not_turned(request, form)
    except NotPermitted as error:
        form.add_error(None, str(error))
        return _not_turned(request, form)
    return redirect("broker:connection_list" if may(request.user, "broker.view_connections") else "broker:gate_set")


def _not_turned(request: HttpRequest, form: GateForm) -> HttpResponse:
    """Draw the page again with what is wrong: the connections for whoever may read them, else the switch alone."""
    draw = _page if may(request.user, "broker.view_connections") else _gates
    return draw(request, form=form, status=422)


def _gates(request: HttpRequest, *, form: GateForm | None = None, status: int = 200) -> HttpResponse:
    context = _switches(request, MasterAccount.objects.order_by("account"), form)
    return render(request, "broker/gates.html", context, status=status)


def _switches(request: HttpRequest, masters: Iterable[MasterAccount], form: GateForm | None) -> dict[str, Any]:
    """Every gate with its form; the form that was just refused stands in place of its own."""
    gates = {(gate.scope, gate.key): gate for gate in Gate.objects.select_related("set_by")}
    places = [
        (str(Gate.Scope.GLOBAL), "", "Everything"),
        *[(str(Gate.Scope.LANE), lane, label) for lane, label in LANES.items()],
        *[(str(Gate.Scope.MASTER), str(master.pk), f"Connection {master.account}") for master in masters],
    ]
    switches = []
    for scope, key, label in places:
        gate = gates.get((scope, key))
        is_open = gate is None or gate.is_open
        is_this_one = form is not None and (form.data.get("scope"), form.data.get("key", "")) == (scope, key)
        blank = GateForm(initial={"scope": scope, "key": key, "to_open": not is_open}, auto_id=f"{scope}-{key}-%s")
        switches.append({"label": label, "gate": gate, "is_open": is_open, "form": form if is_this_one else blank})
    return {
        "switches": switches,
        "may_open": may(request.user, "broker.open_gate"),
        "may_close": may(request.user, "broker.close_gate"),
    }


def _page(request: HttpRequest, *, form: GateForm | None = None, status: int = 200) -> HttpResponse:
    found = selectors.connections()
    masters = [each.master for each in found]
    kept = calendar.keeping(masters)
    strips, minute = selectors.day_strips(kept or masters)
    context = {
        **_switches(request, masters, form),
        "connections": found,
        "strips": strips,
        "minute": minute,
        "hours": range(0, 24, 3),
        "are_windows_kept": bool(kept),
        "upcoming": [calendar.line(closure) for closure in calendar.upcoming(kept or masters)[:6]],
        "history": Entry.objects.filter(action__in=("broker.close_gate", "broker.open_gate"))
        .select_related("actor")
        .order_by("-at")[:6],
        "may_test": may(request.user, "broker.test_connection"),
        "now": clock.now(),
    }
    return render(request, "broker/connection_list.html", context, status=status)


@require_POST
@requires("broker.test_connection")
def test_ask(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Have a worker try one connection; the card's fragment then asks for the outcome."""
    assert isinstance(request.user, User)
    master = get_object_or_404(MasterAccount, pk=pk)
    try:
        services.ask_for_test(master, by=request.user, with_next_key="next_key" in request.POST)
    except InvalidInput:
        return _test(request, master, status=422)
    return _test(request, master) if request.headers.get("HX-Request") else redirect("broker:connection_list")


@require_safe
@requires("broker.test_connection")
def test_show(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The newest test of one connection, as far as it has come."""
    return _test(request, get_object_or_404(MasterAccount, pk=pk))


def _test(request: HttpRequest, master: MasterAccount, *, status: int = 200) -> HttpResponse:
    context = {"connection": selectors.connection(master), "may_test": True}
    return render(request, "broker/_test.html", context, status=status)
