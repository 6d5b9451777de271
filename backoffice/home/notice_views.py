"""Notices: the list, opening one, putting one off, and how one is told."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.core import clock
from backoffice.core.errors import InvalidInput
from backoffice.home import formats, notice_mail, notices, paging, registry
from backoffice.home.forms import NoticePreferenceForm, SnoozeForm
from backoffice.home.models import Notice
from backoffice.home.parts import View
from backoffice.home.views import reader
from backoffice.people.policy import requires

_VIEWS = {"new": "New", "standing": "All that stand", "asleep": "Put off", "past": "Over"}


@require_safe
@requires("home.view_today")
def notice_list(request: HttpRequest) -> HttpResponse:
    """What needed the reader, newest first, whether or not a page was open then."""
    user, now = reader(request), clock.now()
    view = request.GET.get("view", "new")
    mine = Notice.objects.visible_to(user)
    rows = {
        "standing": mine.standing(),
        "asleep": mine.asleep(now),
        "past": mine.filter(gone_at__isnull=False),
    }.get(view, mine.unread().exclude(snoozed_until__gt=now))
    context = {
        "page": paging.cut(rows, request.GET, at="since"),
        "view": view if view in _VIEWS else "new",
        "views": [View(word, f"?view={key}", key == view) for key, word in _VIEWS.items()],
        "groups": {group.key: group for group in registry.inbox_groups},
        "now": now,
    }
    return render(request, "home/notice_list.html", context)


@require_safe
@requires("home.view_today")
def notice_count(request: HttpRequest) -> HttpResponse:
    """The bell of the side column, for a page that asks again."""
    return render(request, "home/_bell.html", {"unread": notices.unread_count(reader(request))})


@require_safe
@requires("home.view_today")
def notice_open(request: HttpRequest, pk: Any) -> HttpResponse:
    """Mark a notice as seen and go to what it is about."""
    notice = get_object_or_404(Notice.objects.visible_to(reader(request)), pk=pk)
    notices.mark_read(notice, by=reader(request))
    is_ours = url_has_allowed_host_and_scheme(notice.url, allowed_hosts=None)
    return redirect(notice.url if is_ours else "home:today")


@require_POST
@requires("home.view_today")
def notices_read(request: HttpRequest) -> HttpResponse:
    number = notices.mark_all_read(reader(request))
    messages.success(request, f"{number} marked as seen. What they are about stays in your inbox until it is done.")
    return redirect("home:notice_list")


@require_http_methods(["GET", "POST"])
@requires("home.view_today")
def notice_snooze(request: HttpRequest, pk: Any) -> HttpResponse:
    """Put a matter off, for a time and a reason."""
    user = reader(request)
    notice = get_object_or_404(Notice.objects.visible_to(user).standing(), pk=pk)
    form = SnoozeForm(request.POST or None)
    if form.is_valid():
        until = clock.now() + timedelta(hours=form.cleaned_data["hours"])
        try:
            notices.snooze(notice, until=until, reason=form.cleaned_data["reason"], by=user)
        except InvalidInput as refusal:
            form.add_error("reason", str(refusal))
        else:
            return redirect("home:notice_list")
    status = 422 if form.is_bound else 200
    context = {
        "form": form,
        "notice": notice,
        "told_after": formats.span(notice_mail.ESCALATE_AFTER) if notices.is_urgent(notice) else "",
    }
    return render(request, "home/notice_snooze.html", context, status=status)


@require_POST
@requires("home.view_today")
def notice_wake(request: HttpRequest, pk: Any) -> HttpResponse:
    user = reader(request)
    notices.wake(get_object_or_404(Notice.objects.visible_to(user).standing(), pk=pk), by=user)
    return redirect("home:notice_list")


@require_http_methods(["GET", "POST"])
@requires("home.view_today")
def notice_settings(request: HttpRequest) -> HttpResponse:
    """How the reader wants to be told."""
    wish = notices.preference_of(reader(request))
    form = NoticePreferenceForm(request.POST or None, instance=wish)
    if form.is_valid():
        notices.keep_preference(form.instance)
        messages.success(request, "Kept. It holds from the next notice on.")
        return redirect("home:notice_settings")
    return render(request, "home/notice_settings.html", {"form": form}, status=422 if form.is_bound else 200)
