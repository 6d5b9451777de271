"""How long personal data is kept: the firm's list, one client's clock, holds and destruction."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from backoffice.audit import services as audit
from backoffice.core.errors import Refusal
from backoffice.people.policy import may, requires
from clients.forms import DestroyForm, HoldForm, ReleaseForm
from clients.models import Client, Destruction, LegalHold
from clients.selectors import retention as selectors
from clients.services import retention as services
from clients.views import reader

SHOWN = 200


@require_safe
@requires("clients.view_retention")
def overview(request: HttpRequest) -> HttpResponse:
    """What waits for a second person, what stands under a hold, and whose years are over."""
    user = reader(request)
    context = {
        "waiting": selectors.waiting(user)[:SHOWN],
        "holds": selectors.holds(user)[:SHOWN],
        "over": list(selectors.over(user))[:SHOWN],
        "years": selectors.YEARS,
        "source": selectors.SOURCE,
    }
    return render(request, "clients/retention.html", context)


@require_safe
@requires("clients.view_retention")
def of_client(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One client's clock, every hold there was, and what may be done now."""
    return _draw(request, _client(request, pk))


@require_POST
@requires("clients.hold")
def hold(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Place a hold."""
    client, reason = _client(request, pk), request.POST.get("reason", "")
    return _done(request, client, lambda: services.place_hold(client, reason=reason, by=reader(request)), reason)


@require_POST
@requires("clients.release_hold")
def release(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Release a hold that another person placed."""
    user, reason = reader(request), request.POST.get("reason", "")
    found = get_object_or_404(
        LegalHold.objects.filter(client__in=Client.objects.visible_to(user)).select_related("client"), pk=pk
    )
    return _done(request, found.client, lambda: services.release_hold(found, reason=reason, by=user), reason)


@require_POST
@requires("clients.destroy")
def propose(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask another principal to let the data be destroyed."""
    client = _client(request, pk)
    return _done(request, client, lambda: services.propose(client, by=reader(request)))


@require_POST
@requires("clients.destroy")
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Destroy, once the client's name is typed as a confirmation, or leave the data where it is."""
    user = reader(request)
    row = get_object_or_404(
        Destruction.objects.filter(client__in=Client.objects.visible_to(user)).select_related("client"), pk=pk
    )
    if request.POST.get("decision") != "destroy":
        return _done(request, row.client, lambda: services.decline(row, by=user))
    if request.POST.get("typed", "").strip() != row.client.name:
        return _draw(request, row.client, error="Type the client's name as it is written above. Nothing was destroyed.")
    return _done(request, row.client, lambda: services.destroy(row, by=user))


def _client(request: HttpRequest, pk: UUID) -> Client:
    found: Client = get_object_or_404(Client.objects.visible_to(reader(request)), pk=pk)
    return found


def _done(request: HttpRequest, client: Client, act: Callable[[], Any], typed: str = "") -> HttpResponse:
    try:
        act()
    except Refusal as error:
        audit.record("clients.refused", by=reader(request), on=client, summary=f"Not done: {error}"[:200])
        return _draw(request, client, error=str(error), typed=typed)
    return redirect("clients:client_retention", client.pk)


def _draw(request: HttpRequest, client: Client, *, error: str = "", typed: str = "") -> HttpResponse:
    user = reader(request)
    waiting = client.destructions.filter(done_at=None, dropped_at=None).select_related("proposed_by").first()
    holds = [
        {"hold": each, "form": ReleaseForm(auto_id=f"{each.pk}-%s")}
        for each in client.holds.select_related("placed_by", "released_by")
    ]
    context = {
        "client": client,
        "clock": selectors.clock_of(client),
        "source": selectors.SOURCE,
        "holds": holds,
        "waiting": waiting,
        "is_proposer": waiting is not None and waiting.proposed_by_id == user.pk,
        "may_hold": may(user, "clients.hold") and client.erased_at is None,
        "may_release": may(user, "clients.release_hold"),
        "may_destroy": may(user, "clients.destroy"),
        "hold_form": HoldForm(initial={"reason": typed}),
        "destroy_form": DestroyForm(),
        "me": user,
        "error": error,
    }
    return render(request, "clients/client_retention.html", context, status=422 if error else 200)
