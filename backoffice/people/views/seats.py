"""Taking a seat that was offered by e-mail. Nobody is signed in yet."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from backoffice.core.errors import Conflict
from backoffice.people import services
from backoffice.people.forms import AcceptForm
from backoffice.people.models import Invitation, User


@sensitive_post_parameters()
@login_not_required
@require_http_methods(["GET", "POST"])
def accept(request: HttpRequest, secret: str) -> HttpResponse:
    """Choose a password; then sign in, which leads to a second factor. A closed link says why, and is recorded."""
    invitation = services.find_invitation(secret)
    if invitation is None:
        return _closed(request, None, "This link is not one of ours, or a newer one was sent.")
    if invitation.why_closed:
        return _closed(request, invitation, invitation.why_closed)
    person = User(email=invitation.email, name=invitation.name, role=invitation.role)
    form = AcceptForm(request.POST or None, person=person)
    if request.method == "POST" and form.is_valid():
        try:
            services.accept_invitation(invitation, password=form.cleaned_data["password"])
        except Conflict as refused:
            return _closed(request, invitation, str(refused))
        messages.info(request, "Your account is ready. Sign in with the password you chose.")
        return redirect("account_login")
    context = {"form": form, "invitation": invitation}
    return render(request, "people/accept.html", context, status=422 if form.is_bound else 200)


def _closed(request: HttpRequest, invitation: Invitation | None, sentence: str) -> HttpResponse:
    if invitation is not None:
        services.refuse_invitation(invitation)
    return render(request, "people/accept_closed.html", {"sentence": sentence}, status=410)
