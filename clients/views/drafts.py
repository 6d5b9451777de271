"""Filling in an application: one section a page, each field saved and checked as it is left."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.broker.models import MasterAccount
from backoffice.core import clock
from backoffice.core.errors import Conflict, InvalidInput
from backoffice.home.parts import Step
from backoffice.people.policy import requires
from clients import rules, translate
from clients.forms import ApplicationForm, StartForm
from clients.models import Application
from clients.rules import Defect, facts
from clients.selectors import people
from clients.services import applications as services
from clients.services import drafts
from clients.views import is_fragment, reader


@require_http_methods(["GET", "HEAD", "POST"])
@requires("clients.apply")
def start(request: HttpRequest) -> HttpResponse:
    """Choose the book and begin."""
    user = reader(request)
    books = people.books_of(user)
    master = MasterAccount.objects.order_by("created_at").first()
    form = StartForm(request.POST or None, books=books)
    if request.method == "POST" and master is not None and form.is_valid():
        application = drafts.start_application(
            intent=form.cleaned_data["intent"], book=form.cleaned_data["book"], master=master, by=user
        )
        return redirect("clients:application_edit", pk=application.pk, section="holder")
    context = {"form": form, "books": books, "master": master}
    return render(request, "clients/application_start.html", context, status=422 if form.is_bound else 200)


def _own(request: HttpRequest, pk: Any) -> Application:
    rows = Application.objects.visible_to(reader(request)).select_related("master", "owner", "saved_by", "book")
    return get_object_or_404(rows, pk=pk)


def _defects(application: Application) -> list[Defect]:
    found = rules.check(application.draft, today=clock.today(clock.NEW_YORK))
    for item in application.refusals:
        if item["field"] not in {defect.field for defect in found}:
            found.append(
                Defect(
                    item["field"],
                    "IBKR refused this",
                    item["words"],
                    "Change it before sending again.",
                    "IBKR",
                    stops=False,
                )
            )
    return found


@require_safe
@requires("clients.apply")
def edit(request: HttpRequest, pk: Any, section: str) -> HttpResponse:
    """One section of the draft. What is merely missing is shown at the field only once somebody asked to submit (?check)."""
    application = _own(request, pk)
    if section not in {each.key for each in rules.SECTIONS}:
        raise Http404(section)
    if not application.is_editable:
        return redirect(application)
    drafts.note_shown(application=application, section=section, by=reader(request))
    return _draw(request, application, section, show_missing="check" in request.GET)


def _draw(
    request: HttpRequest,
    application: Application,
    section: str,
    *,
    show_missing: bool,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    defects = _defects(application)
    index = next(place for place, each in enumerate(rules.SECTIONS) if each.key == section)
    shown = [defect for defect in defects if show_missing or not defect.is_missing]
    context = {
        "application": application,
        "section": rules.SECTIONS[index],
        "number": index + 1,
        "previous": rules.SECTIONS[index - 1] if index else None,
        "next": rules.SECTIONS[index + 1] if index + 1 < len(rules.SECTIONS) else None,
        "show_missing": show_missing,
        "refusal": refusal,
        **_surroundings(application, section, defects),
    }
    if section == "review":
        context |= _review(application, defects)
    else:
        form = ApplicationForm(application, defects=shown, section=section)
        context |= {"form": form, "groups": _groups(form)}
    return render(request, "clients/application_edit.html", context, status=status)


def _surroundings(application: Application, section: str, defects: list[Defect]) -> dict[str, Any]:
    """The steps at the left and the readiness at the right."""
    general = [item for item in application.refusals if not item["field"]]
    return {
        "steps": list(_steps(application, section, defects)),
        "score": rules.readiness(defects),
        "stops": [defect for defect in defects if defect.stops],
        "warns": [defect for defect in defects if not defect.stops],
        "places": {defect.field: _place(application, defect.field) for defect in defects},
        "named": [(defect, _place(application, defect.field), rules.section_of(defect.field)) for defect in defects],
        "refusals": [(item, _place(application, item["field"])) for item in application.refusals],
        "general_refusals": general,
        "cells": _cells(rules.readiness(defects), defects),
        "margin_words": {"RegT": "margin", "Cash": "cash"}.get(application.margin, ""),
        "country_name": facts.country_name(application.country),
    }


def _cells(score: int, defects: list[Defect]) -> list[str]:
    """Twenty cells: good up to the score, then what warns, then what is missing."""
    good = score * 20 // 100
    warned = min(sum(not defect.stops for defect in defects), 20 - good)
    return ["good"] * good + ["wait"] * warned + ["none"] * (20 - good - warned)


def _place(application: Application, field: str) -> str:
    section = rules.section_of(field)
    return f"{reverse('clients:application_edit', args=[application.pk, section])}?check#at-{field}"


def _steps(application: Application, section: str, defects: list[Defect]) -> Any:
    draft = application.draft
    for each in rules.SECTIONS:
        mine = [defect for defect in defects if rules.section_of(defect.field) == each.key]
        stops = sum(defect.stops for defect in mine)
        touched = any(draft.get(name) for name, fact in rules.FIELDS.items() if fact.section == each.key)
        state = (
            "current" if each.key == section else "done" if touched and not stops and each.key != "review" else "todo"
        )
        yield Step(
            each.title, state, stops or sum(not defect.is_missing for defect in mine),  # type: ignore[arg-type]
            reverse("clients:application_edit", args=[application.pk, each.key]), bool(stops),
        )  # fmt: skip


def _groups(form: ApplicationForm) -> list[tuple[str, list[dict[str, Any]]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for name in form.fields:
        fact = rules.FIELDS[name]
        groups.setdefault(fact.group, []).append(_drawn(form, name))
    return list(groups.items())


def _drawn(form: ApplicationForm, name: str) -> dict[str, Any]:
    return {
        "bound": form[name],
        "fact": rules.FIELDS[name],
        "warnings": form.warnings_at(name),
        "refusals": form.refusals_at(name),
    }


def _review(application: Application, defects: list[Defect]) -> dict[str, Any]:
    if any(defect.stops for defect in defects):
        return {"payload": "", "sha256": ""}
    sealed = services.sealed_request(application)
    return {"payload": translate.pretty(translate.masked(sealed.request.wire_members())), "sha256": sealed.sha256}


@require_POST
@requires("clients.apply")
def field(request: HttpRequest, pk: Any, name: str) -> HttpResponse:
    """Keep one field, and answer with it checked; the steps, the readiness and the stamp come along out of band.

    With `?keep` (while the person still types) it only keeps, and leaves the field alone.
    """
    application = _own(request, pk)
    if name not in rules.FIELDS:
        raise Http404(name)
    typed: Any = request.POST.getlist(name) if name == "permissions" else request.POST.get(name, "")
    if name == "is_professional":
        typed = bool(typed)
    try:
        application = drafts.save_draft(application=application, values={name: typed}, by=reader(request))
    except Conflict:
        # Submitted meanwhile, by somebody else or in another tab: show what it is now.
        return HttpResponse(status=204, headers={"HX-Redirect": application.get_absolute_url()})
    defects = _defects(application)
    form = ApplicationForm(application, defects=[d for d in defects if d.field == name], only=name)
    context = {
        "application": application,
        "drawn": None if "keep" in request.GET else _drawn(form, name),
        "out_of_band": True,
        **_surroundings(application, rules.section_of(name), defects),
    }
    return render(request, "clients/_field_saved.html", context)


@require_POST
@requires("clients.submit")
def submit(request: HttpRequest, pk: Any) -> HttpResponse:
    """Submit what the review showed; a defect or another payload draws the review again and sends nothing."""
    application = _own(request, pk)
    try:
        services.submit_application(application=application, sha256=request.POST.get("sha256", ""), by=reader(request))
    except InvalidInput as refusal:
        return _draw(request, application, "review", show_missing=True, refusal=str(refusal), status=422)
    except Conflict as refusal:
        if not application.is_editable:
            raise
        return _draw(request, application, "review", show_missing=True, refusal=str(refusal), status=422)
    url = reverse("clients:application_detail", args=[application.pk])
    if is_fragment(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)


@require_POST
@requires("clients.apply")
def discard(request: HttpRequest, pk: Any) -> HttpResponse:
    drafts.discard(application=_own(request, pk), by=reader(request))
    return redirect("clients:application_board")
