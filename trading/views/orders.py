"""The order ticket: drawing up, previewing, sending exactly what was shown; and the order's own page."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput, NotPermitted, Refusal
from backoffice.home import formats
from backoffice.journal import services as journal
from backoffice.journal.models import State
from backoffice.people.models import User
from backoffice.people.policy import held_back, may, requires
from clients.models import Account, Client
from trading import policy, preview, translate
from trading.forms import AnswerForm, ReasonForm, SendForm, TicketForm, refuse, target_value
from trading.models import Order, OrderQuestion, OrderType, Side, Status
from trading.selectors import orders as selectors
from trading.selectors import what_if as outlook
from trading.services import orders as services
from trading.services import tickets
from trading.views import what_if
from trading.views.common import go, is_fragment, mark, reader, unchanged

_FIELDS = (
    "side",
    "quantity",
    "order_type",
    "limit_price",
    "tif",
    "reason",
    "twin_reason",
    "account",
    "group",
    "chosen",
)


def _typed_before(user: User, key: str) -> Order | None:
    try:
        found: Order | None = Order.objects.visible_to(user).filter(pk=UUID(key), maker=user).first()
    except ValueError:
        return None
    return found


@require_safe
@requires("trading.trade")
def new(request: HttpRequest) -> HttpResponse:
    """An empty ticket; `?conid=`, `?account=`, `?side=` fill in what is known, `?again=` what one typed before."""
    user = reader(request)
    if (before := _typed_before(user, request.GET.get("again", ""))) is not None:
        form = TicketForm.of(before, user)
        form.initial["intent"] = uuid4()  # another ticket, not the one that came back
        return _ticket(request, form)
    initial: dict[str, Any] = {}
    if conid := request.GET.get("conid", ""):
        initial["conid"] = conid[:12]
    if number := request.GET.get("account", ""):
        initial["allocate_to"] = f"account:{number[:20]}"
    if request.GET.get("side") in Side.values:
        initial["side"] = request.GET["side"]
    return _ticket(request, TicketForm(user, initial=initial))


@require_safe
@requires("trading.trade")
def client_trade(request: HttpRequest, pk: str) -> HttpResponse:
    """A ticket for a client's first open account."""
    client = get_object_or_404(Client.objects.visible_to(reader(request)), pk=pk)
    account = Account.objects.open().filter(client=client).order_by("number").first()
    query = f"?account={account.number}" if account else ""
    return HttpResponseRedirect(f"{reverse('trading:order_new')}{query}")


@require_POST
@requires("trading.trade")
def draw_up(request: HttpRequest) -> HttpResponse:
    """Preview a ticket, and ask IBKR what it would do. Nothing is sent."""
    user = reader(request)
    form = TicketForm(user, request.POST)
    order = _draft_of(form, user)
    if form.is_valid():
        try:
            order = tickets.draw_up(
                intent=form.cleaned_data["intent"],
                by=user,
                instrument=form.cleaned_data["conid"],
                **{name: form.cleaned_data[name] for name in _FIELDS},
            )
            what_if.ask_about(request, order)
            return go(request, "trading:order_detail", order.pk)
        except InvalidInput as error:
            refuse(form, error)
        except (Conflict, NotPermitted) as error:
            form.add_error(None, str(error))
    return _ticket(request, form, order=order if order and order.is_draft else None, status=422)


def _draft_of(form: TicketForm, user: User) -> Order | None:
    """Return the draft this form made before, if it did."""
    try:
        intent = form.fields["intent"].clean(form.data.get("intent"))
    except ValidationError:
        return None
    found: Order | None = Order.objects.filter(intent=intent, maker=user).first()
    return found


def _ticket(
    request: HttpRequest, form: TicketForm, *, order: Order | None = None, status: int = 200, trouble: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "order": order, "trouble": trouble, "instrument": form.instrument}
    if order is not None:
        checks = tickets.checks_of(order, by=reader(request))
        stopped = preview.stops(checks)
        warned = [check for check in checks if check.result == "warn"]
        rows = list(order.allocations.select_related("account__client"))
        context |= {
            "checks": checks,
            "has_twin": any(preview.LIKE_THIS in check.title for check in checks),
            "stops": len(stopped),
            "warns": len(warned),
            "passes": len(checks) - len(stopped) - len(warned),
            "rows": rows,
            "flags": preview.FLAGS,
            "totals": _totals(rows),
            "scale": max([row.weight_after or 0 for row in rows] + [row.weight_before or 0 for row in rows] + [1]),
            "steps": selectors.steps(order, stops=len(stopped), warns=len(warned)),
            "fresh_until": order.previewed_at + policy.PREVIEW_FRESH if order.previewed_at else None,
            "is_fresh": order.previewed_at is not None and clock.now() - order.previewed_at <= policy.PREVIEW_FRESH,
            "send_form": SendForm(initial={"allocation_sha256": order.allocation_sha256}),
            "value": order.value,
            **what_if.context_of(order, outlook.inquiry_of(order, by=reader(request))),
        }
    return render(request, "trading/order_ticket.html", context, status=status)


def _totals(rows: list[Any]) -> dict[str, Any]:
    held = [row.held for row in rows if row.held is not None]
    return {
        "held": sum(held, start=selectors.ZERO),
        "quantity": sum((row.quantity for row in rows), start=selectors.ZERO),
        "odd": sum(1 for row in rows if row.has_odd_unit),
        "as_of": min((row.as_of for row in rows if row.as_of), default=None),
    }


@require_safe
@requires("trading.view")
def detail(request: HttpRequest, pk: str) -> HttpResponse:
    """A draft as its maker's ticket, anything sent as its order's page."""
    order = _order(request, pk)
    user = reader(request)
    if order.is_draft and order.maker_id == user.pk and may(user, "trading.trade"):
        return _ticket(request, TicketForm.of(order, user), order=order)
    return render(request, "trading/order_detail.html", _context(request, order))


def _order(request: HttpRequest, pk: str) -> Order:
    found: Order = get_object_or_404(selectors.with_parts(Order.objects.visible_to(reader(request))), pk=pk)
    return found


@require_safe
@requires("trading.view")
def live(request: HttpRequest, pk: str) -> HttpResponse:
    """The moving part of the order's page; 204 while it shows already what is so."""
    order = _order(request, pk)
    context = _context(request, order)
    if unchanged(request, context["mark"]):
        return HttpResponse(status=204)
    return render(request, "trading/_order.html", context)


def _context(request: HttpRequest, order: Order) -> dict[str, Any]:
    user = reader(request)
    row = selectors.rows([order])[0]
    submission, cancel = order.submission, order.cancel
    looks = list(submission.observations.all()) if submission else []
    is_maker, may_trade = order.maker_id == user.pk, may(user, "trading.trade")
    is_unsent = submission is not None and submission.state in {State.READY, State.PROPOSED}
    is_absent = submission is not None and submission.state == State.ABSENT
    off = _off_last(order)
    return {
        "order": order,
        "row": row,
        "submission": submission,
        "steps": selectors.steps(order),
        "events": selectors.timeline(order),
        "flags": preview.FLAGS,
        "question": row.question,
        "what_if": outlook.of_inquiry(outlook.inquiry_of(order, by=user)) if row.question else None,
        "patience": journal.question_seconds() - int(policy.QUESTION_MARGIN.total_seconds()),
        "off_last": "" if off is None else formats.percent(off, plus=True),
        "off_warns": off is not None and abs(off) > policy.COLLAR_WARN,
        "looks": looks,
        "clean_looks": sum(1 for look in looks if look.finding == "clean"),
        "words": translate.sentences(translate.plain_words([order.ibkr_words])) if order.ibkr_words else "",
        "may_trade": may_trade,
        "may_cancel": may_trade and order.status == Status.WORKING and (cancel is None or cancel.is_final),
        "may_take_back": (is_unsent or is_absent)
        and order.status == Status.REQUESTED
        and (may(user, "journal.release") or (may_trade and is_maker)),
        "may_release": is_absent and may(user, "journal.release"),
        "is_unsent": is_unsent,
        "is_absent": is_absent,
        "is_unknown": submission is not None and submission.state == State.UNKNOWN,
        "is_over": order.is_final
        and (not order.filled or (row.comparison.is_settled and row.comparison.moves_until is None)),
        "reason_form": ReasonForm(),
        "mark": mark(
            order.status, order.ibkr_status, order.filled, order.changed_at,
            submission and (submission.state, submission.looks, submission.reason),
            cancel and (cancel.state, cancel.reason), order.executions.count(), len(looks),
        ),
    }  # fmt: skip


def _off_last(order: Order) -> Decimal | None:
    """How far the limit is off the last price, in per cent."""
    if order.order_type != OrderType.LIMIT or not order.limit_price:
        return None
    last = order.instrument.last if order.instrument.last is not None else order.reference_price
    return Decimal((order.limit_price - last) / last * 100) if last else None


@require_POST
@requires("trading.send")
def send(request: HttpRequest, pk: str) -> HttpResponse:
    """Send exactly the allocation that was shown. Fields changed since the preview are refused, not sent."""
    user = reader(request)
    order = _order(request, pk)
    if not order.is_draft:
        return go(request, "trading:order_detail", order.pk)
    form = TicketForm(user, request.POST)
    seal = SendForm(request.POST)
    try:
        if not form.is_valid() or not seal.is_valid() or not _is_as_previewed(order, form):
            raise Conflict("The ticket was changed after the preview. Preview it again; nothing was sent.")
        tickets.send(order, by=user, allocation_sha256=seal.cleaned_data["allocation_sha256"])
    except Conflict as error:
        trouble = str(error)
        if form.is_valid():
            return _again(request, form, order, trouble)
        return _ticket(request, form, order=order, status=422, trouble=trouble)
    except NotPermitted as error:
        return _ticket(request, TicketForm.of(order, user), order=order, status=422, trouble=str(error))
    return go(request, "trading:order_detail", order.pk)


def _is_as_previewed(order: Order, form: TicketForm) -> bool:
    data = form.cleaned_data
    limit = data["limit_price"] if data["order_type"] == OrderType.LIMIT else None
    same_ticket = (
        (data["conid"].pk, data["side"], data["quantity"], data["order_type"], limit, data["tif"])
        == (order.instrument_id, order.side, order.quantity, order.order_type, order.limit_price, order.tif)
    )  # fmt: skip
    same_target = data["allocate_to"] == target_value(order)
    if data["chosen"] is not None:
        units = {account.number: quantity for account, quantity in data["chosen"].items()}
        frozen = {row.account.number: row.quantity for row in order.allocations.all() if row.quantity}
        same_target = same_target and units == frozen
    return bool(same_ticket and same_target and data["reason"].strip() == order.reason)


def _again(request: HttpRequest, form: TicketForm, order: Order, trouble: str) -> HttpResponse:
    """Preview what is in the form, and say why nothing was sent."""
    user = reader(request)
    try:
        order = tickets.draw_up(
            intent=order.intent,
            by=user,
            instrument=form.cleaned_data["conid"],
            **{name: form.cleaned_data[name] for name in _FIELDS},
        )
    except InvalidInput as error:
        refuse(form, error)
        return _ticket(request, form, order=order, status=422, trouble=trouble)
    except Refusal as error:
        trouble = str(error)
    else:
        what_if.ask_about(request, order)
    order = _order(request, str(order.pk))
    return _ticket(request, TicketForm.of(order, user), order=order, status=409, trouble=trouble)


@require_POST
@requires("trading.trade")
def discard(request: HttpRequest, pk: str) -> HttpResponse:
    """Throw a draft away."""
    order = _order(request, pk)
    try:
        tickets.discard(order, by=reader(request))
    except Refusal as error:
        return _refused(request, order, error)
    return go(request, "trading:blotter")


@require_POST
@requires("trading.trade")
def answer(request: HttpRequest, pk: str) -> HttpResponse:
    """Confirm to IBKR, or decline the order. The first answer counts."""
    order = _order(request, pk)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _refused(request, order, Conflict("Choose to confirm or to decline."))
    question = get_object_or_404(OrderQuestion, pk=form.cleaned_data["question"], order=order)
    said_yes = form.cleaned_data["answer"] != services.NO
    if said_yes and (proof := held_back(request, "trading.send")) is not None:  # to say yes is to send
        return proof
    try:
        services.answer(question, by=reader(request), answer=form.cleaned_data["answer"])
    except Refusal as error:
        return _refused(request, order, error)
    return go(request, "trading:order_detail", order.pk)


@require_POST
@requires("trading.trade")
def cancel(request: HttpRequest, pk: str) -> HttpResponse:
    """Ask IBKR to cancel a working order."""
    order = _order(request, pk)
    try:
        services.request_cancel(order, by=reader(request))
    except Refusal as error:
        return _refused(request, order, error)
    return go(request, "trading:order_detail", order.pk)


@require_POST
@requires("trading.view")
def take_back(request: HttpRequest, pk: str) -> HttpResponse:
    """Give up an order that was not sent, or that is proven absent at IBKR."""
    order = _order(request, pk)
    form = ReasonForm(request.POST)
    try:
        if not form.is_valid():
            raise InvalidInput("reason", "A reason is needed.", "It stays beside the order.")
        services.take_back(order, by=reader(request), reason=form.cleaned_data["reason"])
    except Refusal as error:
        return _refused(request, order, error)
    return go(request, "trading:order_detail", order.pk)


def _refused(request: HttpRequest, order: Order, error: Refusal) -> HttpResponse:
    """The order's page with the sentence that says why not, at the status that fits."""
    status = 403 if isinstance(error, NotPermitted) else 422 if isinstance(error, InvalidInput) else 409
    order = _order(request, str(order.pk))
    context = {**_context(request, order), "trouble": str(error)}
    template = "trading/_order.html" if is_fragment(request) else "trading/order_detail.html"
    return render(request, template, context, status=status)
