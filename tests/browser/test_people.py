"""Proving who one is, in a real browser: a passkey, the dialog over the page, the warning before a session ends."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from backoffice.people.models import Book
from tests.conftest import PASSWORD
from tests.funding.conftest import make_account

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(10_000)
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    about = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
             "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": about})
    yield page
    context.close()


def type_password(page: Page, address: str, person: Any) -> None:
    page.goto(f"{address}/account/login/")
    page.fill("[name=login]", person.email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_passkey_is_added_because_it_is_required_and_then_signs_in_alone(
    page: Page, live_server: Any, settings: Any, operations: Any
) -> None:
    settings.MFA_REQUIRED = True
    type_password(page, live_server.url, operations)
    expect(page.get_by_role("heading", name="Add a second factor")).to_be_visible()

    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.locator(".bo-codes li")).to_have_count(10)
    page.get_by_role("link", name="They are kept").click()
    expect(page.get_by_text("signs in without the password")).to_be_visible()
    page.goto("about:blank")  # a page that still asks for its numbers would leave by itself once it is signed out
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/account/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()

    page.wait_for_url(f"{live_server.url}/")


def test_a_value_is_shown_by_itself_once_the_dialog_knows_who_asks(
    page: Page, live_server: Any, settings: Any, advisor: Any, master: Any
) -> None:
    book = Book.objects.create(name="North")
    book.members.add(advisor)
    client = make_account("U1000011", master, book).client
    client.email = "desmond@example.com"
    client.save()
    type_password(page, live_server.url, advisor)
    page.wait_for_url(f"{live_server.url}/")
    page.goto(f"{live_server.url}/clients/{client.pk}/")
    settings.STEP_UP_SECONDS = 0

    page.locator(".bo-masked summary").first.click()
    page.locator(".bo-masked__why button").first.click()
    dialog = page.get_by_role("dialog", name="Is it still you?")
    expect(dialog.get_by_label("Your password")).to_be_focused()
    settings.STEP_UP_SECONDS = 300
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Go on").click()

    expect(page.get_by_text("desmond@example.com")).to_be_visible()
    expect(dialog).to_be_hidden()


def test_a_page_warns_before_it_is_signed_out_and_a_word_keeps_it(
    page: Page, live_server: Any, settings: Any, viewer: Any
) -> None:
    settings.SESSION_IDLE = timedelta(seconds=900)
    type_password(page, live_server.url, viewer)
    page.wait_for_url(f"{live_server.url}/")
    warning = page.locator("#leaving")
    expect(warning).to_be_hidden()

    page.evaluate("localStorage.setItem('touched', String(Math.floor(Date.now() / 1000) - 790))")
    expect(warning).to_contain_text("You are signed out in 1 min")
    warning.get_by_role("button", name="Stay signed in").click()

    expect(warning).to_be_hidden()
