"""The connections page: each master account with its session, its families' health, and the kill switch."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from backoffice.broker import services
from backoffice.broker.models import Gate, MasterAccount
from backoffice.core.errors import InvalidInput, NotPermitted
from backoffice.people.models import User
from backoffice.people.policy import may, requires

LANES = ("accounts", "funding", "trading", "reports")


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
@require_POST
def gate_set(request: HttpRequest) -> HttpResponse:
    """Stop or allow sending for everything, one connection or one lane."""
    form = GateForm(request.POST)
    assert isinstance(request.user, User)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    turn = services.open_gate if form.cleaned_data["to_open"] else services.close_gate
    try:
        turn(
            scope=form.cleaned_data["scope"],
            key=form.cleaned_data["key"],
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except InvalidInput as error:
        form.add_error("reason", str(error))
        return _page(request, form=form, status=422)
    except NotPermitted as error:
        form.add_error(None, str(error))
        return _page(request, form=form, status=422)
    return redirect("broker:connection_list")


def _page(request: HttpRequest, *, form: GateForm | None = None, status: int = 200) -> HttpResponse:
    gates = {(gate.scope, gate.key): gate for gate in Gate.objects.select_related("set_by")}
    masters = list(
        MasterAccount.objects.select_related("session").prefetch_related("health").order_by("environment", "account")
    )
    places = [
        (str(Gate.Scope.GLOBAL), "", "Everything"),
        *[(str(Gate.Scope.LANE), lane, f"{lane.capitalize()} lane") for lane in LANES],
        *[(str(Gate.Scope.MASTER), str(master.pk), f"Connection {master.account}") for master in masters],
    ]
    switches = []
    for scope, key, label in places:
        gate = gates.get((scope, key))
        is_open = gate is None or gate.is_open
        is_this_one = form is not None and (form.data.get("scope"), form.data.get("key", "")) == (scope, key)
        blank = GateForm(initial={"scope": scope, "key": key, "to_open": not is_open}, auto_id=f"{scope}-{key}-%s")
        switches.append({"label": label, "gate": gate, "is_open": is_open, "form": form if is_this_one else blank})
    context = {
        "masters": masters,
        "switches": switches,
        "may_open": may(request.user, "broker.open_gate"),
        "may_close": may(request.user, "broker.close_gate"),
    }
    return render(request, "broker/connection_list.html", context, status=status)
