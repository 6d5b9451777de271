"""The board, the table, one application, and the documents its tasks ask for."""

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from backoffice.core import uploads
from backoffice.core.errors import InvalidInput
from backoffice.home.parts import Filter, View
from backoffice.people.policy import may, requires
from clients.forms import DocumentForm
from clients.models import AccountTask, Application
from clients.rules import facts
from clients.selectors import applications as selectors
from clients.selectors import timeline
from clients.services import documents as services
from clients.views import is_fragment, reader

_VIEWS = {"": "All active", "overdue": "Overdue", "rejected": "Rejected", "mine": "Mine"}
_KEPT = ("view", "country", "owner", "stage", "as")


def _address(asked: dict[str, str], **changed: str) -> str:
    kept = {name: value for name, value in {**asked, **changed}.items() if value}
    return f"?{urlencode(kept)}"


@require_safe
@requires("clients.view")
def board(request: HttpRequest) -> HttpResponse:
    """All applications, in lanes or as a table; `open` shows one of them beside it."""
    user = reader(request)
    asked = {name: request.GET.get(name, "")[:60] for name in _KEPT}
    shown = selectors.board(user, asked)
    whole = shown if not any(asked[name] for name in _KEPT[:-1]) else selectors.board(user, {})
    owners = {str(card.application.owner_id): card.application.owner.name for card in whole.cards}
    countries = {card.application.country: card.country for card in whole.cards if card.application.country}
    is_table = asked["as"] == "table"
    context: dict[str, Any] = {
        "board": shown,
        "is_table": is_table,
        "asked": asked,
        "live_url": request.get_full_path(),
        "active": sum(not card.application.is_final for card in whole.cards),
        "views": [
            View(word, _address(asked, view=key), asked["view"] == key, _number(whole, user, key))
            for key, word in _VIEWS.items()
        ],
        "filters": [_filter("Country", "country", countries, asked), _filter("Owner", "owner", owners, asked)],
        "board_url": _address(asked, **{"as": ""}),
        "table_url": _address(asked, **{"as": "table"}),
        "may_apply": may(user, "clients.apply"),
        "card_url": f"{reverse('clients:application_board')}{_address(asked)}&open="
        if _address(asked) != "?"
        else "?open=",
        "close_url": f"{reverse('clients:application_board')}{_address(asked)}",
    }
    if is_fragment(request):
        return render(
            request, "clients/_application_table.html" if is_table else "clients/_application_board.html", context
        )
    if opened := request.GET.get("open", ""):
        context |= _beside(request, shown, opened)
    return render(request, "clients/application_board.html", context)


def _beside(request: HttpRequest, board: selectors.Board, opened: str) -> dict[str, Any]:
    """The drawer: one application, and its neighbours in the list for walking up and down."""
    try:
        application = _own(request, opened)
    except ValidationError as error:
        raise Http404(opened) from error
    keys = [str(card.application.pk) for card in board.cards]
    place = keys.index(str(application.pk)) if str(application.pk) in keys else -1
    return _context(request, application) | {
        "opened": application,
        "above": keys[place - 1] if place > 0 else "",
        "below": keys[place + 1] if 0 <= place < len(keys) - 1 else "",
    }


def _number(board: selectors.Board, user: Any, view: str) -> int:
    return sum(
        view == ""
        and not card.application.is_final
        or view == "overdue"
        and card.is_over
        or view == "rejected"
        and card.stage == "rejected"
        or view == "mine"
        and card.application.owner_id == user.pk
        and not card.application.is_final
        for card in board.cards
    )


def _filter(label: str, name: str, choices: dict[str, str], asked: dict[str, str]) -> Filter:
    if asked[name]:
        return Filter(label, choices.get(asked[name], asked[name]), _address(asked, **{name: ""}))
    pairs = sorted(choices.items(), key=lambda pair: pair[1])
    return Filter(label, choices=tuple((_address(asked, **{name: key}), word) for key, word in pairs))


def _own(request: HttpRequest, pk: Any) -> Application:
    rows = Application.objects.visible_to(reader(request)).select_related(
        "master", "owner", "client", "account", "book", "saved_by"
    )
    return get_object_or_404(rows, pk=pk)


@require_safe
@requires("clients.view")
def detail(request: HttpRequest, pk: Any) -> HttpResponse:
    """One application: its tasks with IBKR's reasons and a place for the file, and everything that happened."""
    return _draw(request, _own(request, pk))


def _draw(
    request: HttpRequest, application: Application, filled: DocumentForm | None = None, task_pk: int = 0
) -> HttpResponse:
    context = _context(request, application, filled, task_pk)
    template = (
        "clients/_application_story.html"
        if is_fragment(request) and filled is None
        else "clients/application_detail.html"
    )
    return render(request, template, context, status=422 if filled is not None else 200)


def _context(
    request: HttpRequest, application: Application, filled: DocumentForm | None = None, task_pk: int = 0
) -> dict[str, Any]:
    user = reader(request)
    story = selectors.story(application)
    may_apply = may(user, "clients.apply")
    tasks = [_task(task, story, filled if task.pk == task_pk else None, may_apply) for task in story.card.tasks]
    return {
        "application": application,
        "card": story.card,
        "story": story,
        "tasks": tasks,
        "asking": [item for item in tasks if item["form"]],
        "submission": story.card.submission,
        "events": timeline.of_application(story),
        "country_name": facts.country_name(application.country),
        "refusals": list({item["words"]: item for item in application.refusals}.values()),  # one may be of many fields
        "may_apply": may_apply,
        "may_open_portal": may(user, "clients.open_portal"),
        "mark": _mark(story),
        "is_drawer": "beside" in request.GET,
    }


def _mark(story: selectors.Story) -> str:
    """What changes when the page has something new to show."""
    parts = [story.card.word, story.card.blocker.words, story.card.submission.state if story.card.submission else ""]
    parts += [f"{task.pk}{task.state}{task.is_completed}" for task in story.card.tasks]
    parts += [f"{each.pk}{each.status}{each.doubt.state if each.doubt else ''}" for each in story.documents]
    parts += [str(len(story.attempts)), str(len(story.observations))]
    return sha256("|".join(parts).encode()).hexdigest()[:12]


def _task(task: AccountTask, story: selectors.Story, filled: DocumentForm | None, may_apply: bool) -> dict[str, Any]:
    documents = [document for document in story.documents if document.task_id == task.pk]
    is_on_its_way = any(document.status == "promised" for document in documents)
    takes = may_apply and task.takes_document and not is_on_its_way
    tone, icon, word = (
        ("good", "check", "Accepted") if task.is_completed
        else ("bad", "x", "Rejected") if task.is_rejected
        else ("info", "eye", "At IBKR") if task.is_at_ibkr
        else ("neutral", "circle-dashed", "To do")
    )  # fmt: skip
    return {
        "task": task,
        "at": task.completed_at or task.since,
        "documents": documents,
        "form": (filled or DocumentForm(task=task)) if takes else None,
        "tone": tone,
        "icon": icon,
        "word": word,
        "who": "IBKR" if task.is_at_ibkr else "" if task.is_completed else "Client" if task.is_online else "Us",
        "blocks": "Approval"
        if task.is_required_for_approval
        else "Trading"
        if task.is_required_for_trading
        else "nothing",
    }


@require_POST
@requires("clients.apply")
def send_document(request: HttpRequest, pk: Any, task_pk: int) -> HttpResponse:
    application = _own(request, pk)
    task = get_object_or_404(AccountTask, pk=task_pk, account=application.account)
    form = DocumentForm(request.POST, request.FILES, task=task)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            services.send_document(
                task=task, content=file.read(uploads.LARGEST + 1), original_name=file.name,
                proof_type=form.cleaned_data.get("proof_type", ""), expires_on=form.cleaned_data.get("expires_on"),
                intent=form.cleaned_data["intent"], by=reader(request),
            )  # fmt: skip
            return redirect(f"{application.get_absolute_url()}#task-{task.pk}")
        except InvalidInput as refusal:
            form.refuse(refusal)
    return _draw(request, application, form, task.pk)
