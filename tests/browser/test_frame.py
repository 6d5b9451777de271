"""The frame that every page stands in: where one is, at every width, and how far the keyboard alone reaches."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from backoffice.broker.models import Gate, MasterAccount
from backoffice.core import clock
from backoffice.home.models import Notice
from tests.browser.conftest import faults_of, screenshots
from tests.conftest import PASSWORD
from trading.models import Instrument

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The word is drawn within the first 100 px, and nothing lies over it.
SEEN_AT_THE_TOP = """word => [...document.querySelectorAll("b, em, span")].some(each => {
  const box = each.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
  return each.textContent.trim() === word && box.bottom < 100 && document.elementFromPoint(x, y) === each; })"""


@pytest.fixture
def page(chromium: Browser, live_server: Any, principal: Any, master: Any) -> Iterator[Page]:
    """A principal of a firm with one connection, signed in."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, base_url=live_server.url)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto("/account/login/")
    page.fill("[name=login]", principal.email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{live_server.url}/")
    yield page
    context.close()


@pytest.mark.parametrize("width", [1440, 900, 360])
def test_a_production_connection_is_named_on_every_page_at_every_width(page: Page, width: int) -> None:
    MasterAccount.objects.update(environment="production", base_url="https://api.ibkr.com")
    page.set_viewport_size({"width": width, "height": 800})

    for path in ("/", "/connections/", "/clients/", "/account/password/change/", "/clients/no-such-page/"):
        page.goto(path)
        assert page.evaluate(SEEN_AT_THE_TOP, "Production"), f"{path} at {width} px"
        line = page.locator(".bo-env--production").bounding_box()
        assert line is not None
        assert (line["x"], line["width"]) == (0, width)
        assert faults_of(page, "color-contrast") == []
        page.screenshot(path=screenshots() / f"production-{path.strip('/').replace('/', '-') or 'today'}-{width}.png")


def test_the_keyboard_alone_stops_sending(page: Page) -> None:
    page.goto("/connections/")
    press(page, "Tab", "Enter")  # the first stop is "Skip to content"
    tab_to(page, page.locator(".bo-gate summary").first)
    press(page, "Enter")
    tab_to(page, page.locator(".bo-gate [name=reason]").first)
    page.keyboard.type("Something looks wrong")
    tab_to(page, page.get_by_role("button", name="Stop sending").first)
    press(page, "Enter")
    expect(page.locator(".bo-gate").first).to_contain_text("Stopped")

    assert not Gate.objects.get().is_open
    page.goto("/")
    expect(page.get_by_text("Something looks wrong").first).to_be_visible()


def test_escape_leaves_the_found_and_gives_the_field_back(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("connections")
    page.keyboard.type(" no such thing")
    expect(page.locator("#hits")).not_to_be_empty()

    press(page, "Escape")

    expect(page.locator("#hits")).to_be_empty()
    expect(page.locator("#search")).to_be_focused()


def test_the_count_of_new_notices_is_put_in_place_under_the_pointer(page: Page, principal: Any) -> None:
    """In a list the change waits for a press, so that no row moves away; a count has no row."""
    page.clock.install()
    page.goto("/")
    bell = page.locator(".bo-place[data-bo-live]")
    bell.hover()
    Notice.objects.create(
        user=principal, kind="order:1", group="orders", title="An order waits", url="/", tone="wait", since=clock.now()
    )

    page.clock.run_for(21_000)

    expect(bell).to_have_text(re.compile(r"Notices\s*1"))


def test_the_choices_of_a_filter_stay_on_the_page(page: Page) -> None:
    for width in (1440, 900, 360):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("/trading/blotter/")
        page.locator("details.bo-filter summary").last.click()

        choices = page.locator("details.bo-filter .bo-filter__choices").last
        expect(choices).to_be_in_viewport(ratio=1)


def test_a_refused_form_has_the_focus_where_the_first_thing_is_to_mend(page: Page) -> None:
    page.goto("/trading/orders/new/")
    page.get_by_role("button", name="Preview").click()

    expect(page.locator("#instrument-text")).to_be_focused()


def test_an_instrument_is_chosen_by_the_keyboard_alone(page: Page) -> None:
    """Enter in the search does not preview a ticket that has no instrument, and the focus goes on to the quantity."""
    Instrument.objects.create(
        conid="756733", symbol="SPY", name="SPDR S&P 500 ETF Trust", exchange="ARCA", currency="USD"
    )
    page.route("**/quote/", lambda route: route.abort())  # no worker answers here, and the test ends before one would
    page.goto("/trading/orders/new/")
    page.locator("#instrument-text").click()
    page.keyboard.type("SPY")
    found = page.locator("#instrument-hits button").first
    expect(found).to_contain_text("SPY")

    press(page, "Enter")
    expect(found).to_be_focused()
    press(page, "ArrowUp", "ArrowDown", "Enter")

    expect(page.locator("[name=quantity]")).to_be_focused()
    expect(page.locator("[name=conid]")).to_have_value("756733")
    assert page.url.endswith("/trading/orders/new/")


def test_a_file_that_waited_for_a_proof_comes_once(page: Page) -> None:
    """Coming back to the page that fetched it takes no second copy of what is personal."""
    with page.expect_download() as first:
        page.goto("/account/file/?file=/clients/export.csv&back=/clients/")
    expect(page.locator(".bo-state__items")).to_be_visible()
    page.get_by_role("link", name="Back to where you were").click()
    page.wait_for_url("**/clients/")
    taken: list[Any] = []
    page.on("download", lambda download: taken.append(download))

    page.go_back()

    expect(page.get_by_role("link", name="Fetch the file")).to_be_visible()
    page.wait_for_timeout(500)
    assert first.value.suggested_filename.endswith(".csv")
    assert taken == []


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, wanted: Locator) -> None:
    """Go on by Tab until `wanted` has the focus and shows it."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("each => each === document.activeElement"):
            mark = "each => { const box = each.closest('.bo-control') ?? each, look = getComputedStyle(box);"
            mark += " return look.outlineStyle !== 'none' || look.boxShadow !== 'none' }"
            assert wanted.evaluate(mark), f"{wanted} has the focus and does not show it"
            return
    raise AssertionError(f"{wanted} is not reached by Tab")
