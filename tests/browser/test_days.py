"""Each role walks through its day on the running product: what it does, what it may not, and what it is shown.

Every page on the way is looked at twice, at 1440 and at 360 pixels: it has one heading, nothing reaches over its edge,
every field has a name, and axe-core finds nothing serious. What the browser's console
complains about, a breach of the content policy included, fails the test (conftest).
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from playwright.sync_api import expect

from backoffice.audit.models import Entry
from backoffice.people.models import Invitation, PolicyVersion
from funding.models import CashTransfer
from tests.browser.conftest import EMAIL, PASSWORD, Person
from tests.browser.test_the_firms_job import open_client

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
SignIn = Callable[[str], Person]
UNNAMED = """[...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter(each =>
  each.offsetParent && !each.labels.length && !each.ariaLabel && !each.getAttribute("aria-labelledby")).map(each => each.name)"""
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def look(person: Person, name: str, path: str = "", *, dark: bool = False) -> None:
    """Open a page, hold it against what every page must be, and leave a picture of it."""
    if path:
        person.goto(path)
    page = person.page
    expect(page.locator("h1")).to_have_count(1)
    assert page.evaluate(UNNAMED) == [], name
    assert person.faults() == [], name
    person.shot(f"day-{name}", dark=dark)
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate(BEYOND) <= 0, f"{name} reaches over the edge of a phone"
    if dark:
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(150)  # colours fade for 120 ms when the theme changes
        assert person.faults("color-contrast") == [], f"{name}, on a phone in the dark"
        page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 1000})


def refused(person: Person, path: str, status: int) -> None:
    answer = person.context.request.get(f"{person.address}{path}", max_redirects=0)
    assert answer.status == status, path


def test_every_role_walks_through_its_day(at_the_browser: SignIn, settings: Any) -> None:
    settings.STEP_UP_SECONDS = 300
    ines = advisors_day(at_the_browser)
    operations_day(at_the_browser)
    principals_day(at_the_browser, settings)
    expect_news_for_the_advisor(ines)
    administrators_day(at_the_browser)
    viewers_day(at_the_browser)


def advisors_day(sign_in: SignIn) -> Person:
    """Finds a client by Ctrl-K and asks for a withdrawal; other books, approvals and the firm's affairs are closed."""
    ines = sign_in("advisor")
    page = ines.page
    look(ines, "advisor-today")
    page.keyboard.press("Control+k")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("Holloway")
    page.locator("#hits").get_by_text("Marianne Holloway").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/clients/[0-9a-f-]{36}/"))
    look(ines, "advisor-client")
    page.get_by_role("link", name="Withdraw").first.click()
    page.select_option("[name=bank]", index=1)
    page.fill("[name=amount]", "a lot")
    page.fill("[name=note]", "By telephone at ten")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("This is not an amount.")).to_be_visible()
    expect(page.locator("[name=note]")).to_have_value("By telephone at ten")  # nothing typed is lost
    page.fill("[name=amount]", "925.00")
    page.get_by_role("button", name="Ask for approval").click()
    page.wait_for_url(re.compile(r"/funding/[0-9a-f-]{36}/"))
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    look(ines, "advisor-withdrawal")
    for name, path in (
        ("portfolio", "/trading/portfolio/"),
        ("blotter", "/trading/blotter/"),
        ("notices", "/notices/"),
    ):
        look(ines, f"advisor-{name}", path)
    foreign = CashTransfer._meta.apps.get_model("clients", "Client").objects.filter(book__name="Halloway").first()
    refused(ines, f"/clients/{foreign.pk}/", 404)
    for path in ("/approvals/", "/people/", "/audit/", "/connections/"):
        refused(ines, path, 403)
    return ines


def operations_day(sign_in: SignIn) -> None:
    """Begins a draft and gives it up, looks at what is stuck, takes an evidence pack and sees who saw a client."""
    mara = sign_in("operations")
    page = mara.page
    look(mara, "operations-today", "/")
    look(mara, "operations-board", "/clients/applications/")
    page.get_by_role("link", name="New application").click()
    page.locator("[name=book]").select_option(label="Halloway")
    page.get_by_role("button", name="Start the draft").click()
    page.wait_for_url("**/edit/holder/")
    look(mara, "operations-draft")
    for name, path in (
        ("maintenance", "/clients/maintenance/"),
        ("banks", "/funding/banks/"),
        ("reports", "/reports/"),
    ):
        look(mara, f"operations-{name}", path)
    open_client(mara, "Marianne Holloway")
    client = page.url.rstrip("/").rsplit("/", 1)[-1]
    look(mara, "operations-who-saw", f"/audit/who-saw/{client}/")
    pack = mara.context.request.get(f"{mara.address}/audit/evidence/client/{client}/")
    assert (pack.status, pack.body()[:2]) == (200, b"PK")
    expect(page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    refused(mara, "/policies/change/", 403)


def principals_day(sign_in: SignIn, settings: Any) -> None:
    """Approves what another made, once it is proven who asks; tries and proposes a policy; stops sending and lets it go on."""
    tomas = sign_in("principal")
    page = tomas.page
    look(tomas, "principal-today", dark=True)
    look(tomas, "principal-approvals", "/approvals/", dark=True)
    transfer = CashTransfer.objects.get(amount=925)
    look(tomas, "principal-withdrawal", f"/funding/{transfer.pk}/")
    settings.STEP_UP_SECONDS = 0
    page.get_by_role("button", name="Approve", exact=True).click()
    page.locator("#approve-dialog [name=typed]").fill("925.00")
    page.get_by_role("button", name="Approve the withdrawal").click()
    asked = page.get_by_label(re.compile("password", re.IGNORECASE)).last
    expect(asked).to_be_visible()
    tomas.shot("day-principal-step-up")
    settings.STEP_UP_SECONDS = 300
    asked.fill(PASSWORD)
    page.get_by_role("button", name="Go on").last.click()
    expect(page.locator("main")).to_contain_text(re.compile("Approved|Waiting to be sent|With IBKR|At IBKR|Taken"))
    look(tomas, "principal-policy", "/policies/change/")
    page.locator("[name=approvals-0-approvals]").fill("2")
    page.locator("[name=reason]").fill("Two people from now on")
    page.get_by_role("button", name="Try it on the last 30 days").click()
    expect(page.get_by_role("heading", name="Tried on the last 30 days")).to_be_visible()
    look(tomas, "principal-policy-tried", dark=True)
    page.get_by_role("button", name="Propose it").click()
    page.wait_for_url(re.compile(r"/policies/\d+/"))
    expect(page.get_by_text("another principal must approve it")).to_be_attached()
    proposed = PolicyVersion.objects.latest("number")
    assert proposed.maker.email == EMAIL["principal"]
    look(tomas, "principal-connections", "/connections/", dark=True)
    switch = page.locator(".bo-gate").first
    switch.locator("summary").click()
    switch.locator("[name=reason]").fill("Something looks wrong")
    with page.expect_navigation():
        switch.get_by_role("button", name="Stop sending").click()
    tomas.goto("/")
    expect(page.locator("body")).to_contain_text("Something looks wrong")
    tomas.shot("day-principal-stopped")
    for name, path in (("audit", "/audit/"), ("people", "/people/"), ("notice-settings", "/notices/settings/")):
        look(tomas, f"principal-{name}", path)
    sunniva = sign_in("principal2")
    look(sunniva, "principal-second", f"/policies/{proposed.number}/")
    expect(sunniva.page.get_by_role("button", name="Approve").first).to_be_enabled()
    sunniva.goto("/connections/")  # whoever stopped it does not let it go on again
    switch = sunniva.page.locator(".bo-gate").first
    switch.locator("summary").click()
    switch.locator("[name=reason]").fill("It was nothing")
    with sunniva.page.expect_navigation():
        switch.get_by_role("button", name="Allow sending again").click()
    sunniva.goto("/")
    expect(sunniva.page.get_by_text("Everything stopped")).to_have_count(0)


def expect_news_for_the_advisor(ines: Person) -> None:
    """The advisor's page was closed meanwhile; what became of the request is there when it is opened again."""
    transfer = CashTransfer.objects.get(amount=925)
    ines.goto(f"/funding/{transfer.pk}/")
    expect(ines.page.locator("main")).to_contain_text("Tomas Okafor")


def administrators_day(sign_in: SignIn) -> None:
    """Invites somebody, looks at sessions and tokens, has the audit's chain checked; clients are closed."""
    adam = sign_in("administrator")
    page = adam.page
    look(adam, "administrator-today", "/")
    look(adam, "administrator-invite", "/people/invite/")
    page.fill("[name=email]", "petra.novak@alderrow.example")
    page.fill("[name=name]", "Petra Novak")
    page.select_option("[name=role]", "viewer")
    page.locator("[name=books]").first.check()
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.locator("main")).to_contain_text("Petra Novak")
    assert Invitation.objects.filter(email="petra.novak@alderrow.example", accepted_at=None).exists()
    assert mail.outbox[-1].to == ["petra.novak@alderrow.example"]
    for name, path in (("sessions", "/account/sessions/"), ("tokens", "/account/tokens/"), ("api", "/api/v1/docs/")):
        look(adam, f"administrator-{name}", path)
    look(adam, "administrator-chain", "/audit/chain/", dark=True)
    page.get_by_role("button", name="Check every row").click()
    expect(page.locator("main")).to_contain_text(re.compile("whole", re.I), timeout=40_000)
    adam.shot("day-administrator-checked")
    for path in ("/clients/", "/funding/", "/trading/portfolio/", "/reports/"):
        refused(adam, path, 403)


def viewers_day(sign_in: SignIn) -> None:
    """Reads one book and changes nothing: no button that acts, and an address typed by hand is refused and recorded."""
    vera = sign_in("viewer")
    look(vera, "viewer-today")
    for name, path in (("clients", "/clients/"), ("funding", "/funding/"), ("portfolio", "/trading/portfolio/")):
        look(vera, f"viewer-{name}", path, dark=name == "clients")
    vera.goto("/clients/")
    vera.page.locator("main table a").first.click()
    for word in ("Withdraw", "Deposit", "Trade", "Address", "Alias"):
        expect(vera.page.get_by_role("link", name=word, exact=True)).to_have_count(0)
    refused(vera, "/funding/withdraw/", 403)
    refused(vera, "/trading/orders/new/", 403)
    assert Entry.objects.filter(action="request.refused", actor__email=EMAIL["viewer"]).count() == 2
