"""What people type about themselves, about each other, and about the programs that act for them."""

from typing import Any

from allauth.account.forms import ReauthenticateForm as PasswordAgain
from allauth.core import context, ratelimit
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import ReauthenticateForm as CodeAgain
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import encrypt
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.db import transaction

from backoffice.audit.services import digest, record
from backoffice.core.forms import OneUseForm, StrictForm
from backoffice.people.models import Book, Role, User

TOKEN_DAYS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year"))


class InvitationForm(OneUseForm):
    """A seat: who, what they do, and whose clients they see."""

    email = forms.EmailField(label="E-mail address", help_text="The link goes there, and they sign in with it.")
    name = forms.CharField(max_length=120, label="Name")
    role = forms.ChoiceField(choices=Role.choices, label="Role")
    books = forms.ModelMultipleChoiceField(
        Book.objects.order_by("name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Books",
        help_text="For advisors and viewers. Operations and principals see every book, administrators none.",
    )


class RoleForm(StrictForm):
    role = forms.ChoiceField(choices=Role.choices, label="Role")


class BooksForm(StrictForm):
    books = forms.ModelMultipleChoiceField(
        Book.objects.order_by("name"), required=False, widget=forms.CheckboxSelectMultiple, label="Books"
    )


class AcceptForm(StrictForm):
    """The password of somebody who was invited, twice."""

    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=" ".join(password_validators_help_texts()),
    )
    again = forms.CharField(
        label="The same again", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, user=self.person)
        return password

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("password") and given.get("again") and given["password"] != given["again"]:
            self.add_error("again", "The two are not the same.")
        return given


class TokenForm(OneUseForm):
    """A key for a program: what for, how long, and which of the person's own permissions."""

    name = forms.CharField(
        max_length=80, label="What it is for", help_text="For example: nightly report to the data room."
    )
    days = forms.TypedChoiceField(choices=TOKEN_DAYS, coerce=int, label="Works for", initial=90)
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label="What it may do")

    def __init__(self, *args: Any, scopes: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(name, f"{words} ({name})") for name, words in scopes.items()]


class AppForm(ActivateTOTPForm):  # type: ignore[misc]  # allauth is untyped
    """The first code of an authenticator app. allauth only compares it, so whoever saw it typed could sign in with it."""

    def clean_code(self) -> str:
        given: str = super().clean_code()
        app = Authenticator(user=self.user, type=Authenticator.Type.TOTP, data={"secret": encrypt(self.secret)})
        if not TOTP(app).validate_code(given):  # compares again, and uses the code up
            raise get_adapter().validation_error("incorrect_code")
        return given


class PasskeyForm(AddWebAuthnForm):  # type: ignore[misc]  # allauth is untyped
    """A passkey, in our words: it needs no password unless somebody wants it to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["passwordless"].initial = True
        self.fields["passwordless"].help_text = "Then it always asks for your finger, your face or its number."


class PasskeyNameForm(EditWebAuthnForm):  # type: ignore[misc]  # allauth is untyped
    """Another name for a passkey. allauth tells nobody of it, so the form that saves it writes it down."""

    @transaction.atomic
    def save(self) -> Authenticator:
        before = digest(self.instance)
        renamed: Authenticator = super().save()
        record(
            "people.rename_passkey", by=renamed.user, on=renamed, summary="A passkey has another name", before=before
        )
        return renamed


class ConfirmForm(forms.Form):
    """The person's password, or a code of their second factor, in one field. Wrong ones count as at sign-in."""

    proof = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.takes_codes = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()
        if self.takes_codes:
            self.fields["proof"].label = "Your password, or a code from your app"
        self.judge: PasswordAgain | CodeAgain | None = None

    def clean_proof(self) -> str:
        # As on allauth's own pages: so many tries of one person a minute, from however many addresses.
        if not ratelimit.consume(context.request, action="reauthenticate", user=self.user):
            raise forms.ValidationError("Too many tries. Wait a minute, then try again.")
        proof: str = self.cleaned_data["proof"]
        is_code = self.takes_codes and proof.strip().isdigit() and len(proof.strip()) <= 8
        judge = (
            CodeAgain({"code": proof}, user=self.user)
            if is_code
            else PasswordAgain({"password": proof}, user=self.user)
        )
        if not judge.is_valid():
            raise forms.ValidationError([error for errors in judge.errors.as_data().values() for error in errors])
        self.judge = judge
        return proof
