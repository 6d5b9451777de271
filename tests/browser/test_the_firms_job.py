"""The firm's whole job, once, as its people do it. Each journey leaves screenshots."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import papers
from tests.browser.conftest import Person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
SignIn = Callable[[str], Person]

APPLICANT = {
    "holder": {
        "salutation": "Ms.", "first_name": "Leonie", "last_name": "Brandt", "date_of_birth": "1984-05-17",
        "country_of_birth": "USA", "citizenship": "USA",
    },
    "contact": {
        "email": "leonie.brandt@example.org", "phone": "+1 202 555 0142", "country": "USA", "street1": "14 Larch Street",
        "city": "Hartford", "postal_code": "06103", "state": "CT", "tax_country": "USA", "tax_number": "212-09-4417",
    },
    "account": {"base_currency": "USD", "margin": "Cash", "prefix": "leobra"},
}  # fmt: skip


def fill(person: Person, values: dict[str, str]) -> None:
    """Type into each field and leave it, so that it is checked and kept.

    A choice and a date are sent as soon as they are made, before the field is left: whoever began to listen only then would
    miss a quick answer. What is kept while typing (`?keep`) is not the answer that is waited for.
    """
    for name, value in values.items():
        control = person.page.locator(f"main [name={name}]")
        is_choice = control.evaluate("element => element.tagName") == "SELECT"
        with person.page.expect_response(lambda answer, field=name: answer.url.endswith(f"/field/{field}/")):
            if is_choice:
                control.select_option(value)
            else:
                control.fill(value)
            control.blur()


def test_an_account_is_opened_and_the_board_moves_by_itself(at_the_browser: SignIn, sandbox: Any) -> None:
    mara = at_the_browser("operations")
    mara.shot("today-operations")
    mara.page.get_by_role("link", name="Applications").first.click()
    mara.page.get_by_role("link", name="New application").click()
    mara.page.locator("[name=book]").select_option(label="Carvalho")
    mara.page.get_by_role("button", name="Start the draft").click()
    mara.page.wait_for_url("**/edit/holder/")
    draft = mara.page.url.removesuffix("holder/")

    # A rule, a fix, and what was typed stays.
    fill(mara, {"last_name": "B7andt"})
    expect(mara.page.locator("main")).to_contain_text("Latin")
    expect(mara.page.locator("main [name=last_name]")).to_have_value("B7andt")
    mara.shot("application-defect")

    for section, values in APPLICANT.items():
        mara.page.goto(f"{draft}{section}/")
        fill(mara, values)
        mara.shot(f"application-{section}")
    mara.page.goto(f"{draft}review/")
    expect(mara.page.locator("main")).not_to_contain_text("4417")  # the review masks what is personal
    mara.shot("application-review")
    mara.page.get_by_role("button", name="Submit to IBKR").click()
    expect(mara.page.locator("main")).to_contain_text(re.compile(r"U\d{7}"), timeout=30_000)
    mara.shot("application-at-ibkr")

    mara.goto("/clients/applications/")
    card = mara.page.locator("main").get_by_text("Leonie Brandt")
    expect(card.first).to_be_visible()
    mara.shot("board")
    before = lane_of(mara, "Leonie Brandt")
    sandbox.advance(600)  # IBKR's review, and what the client does in the portal, in one step
    was_there = mara.page.locator(f"section[aria-label='{before}']", has_text="Leonie Brandt")
    expect(was_there).to_have_count(0, timeout=90_000)
    expect(mara.page.locator(".bo-lane--folded[aria-label='Open, 1']")).to_be_visible(timeout=60_000)
    mara.page.wait_for_timeout(300)
    mara.shot("board-moved")
    mara.shot("board", dark=True)
    mara.shot("board", width=360)
    assert len(sandbox.ledger("application")) == 1


def lane_of(person: Person, name: str) -> str:
    lane = person.page.locator("section.bo-lane", has_text=name)
    return str(lane.get_attribute("aria-label"))


def test_a_refused_document_is_sent_again(at_the_browser: SignIn, sandbox: Any, tmp_path: Path) -> None:
    mara = at_the_browser("operations")
    mara.goto("/clients/applications/")
    mara.page.get_by_text("Zofia Wielgoszka").first.click()
    expect(mara.page.locator("[name=file]").first).to_be_visible(timeout=60_000)  # once IBKR's tasks are read
    mara.shot("document-refused")
    letter = tmp_path / "bill.pdf"
    letter.write_bytes(PDF)

    mara.page.locator("[name=proof_type]").first.select_option("Utility Bill")
    mara.page.locator("[name=file]").first.set_input_files(letter)
    mara.page.get_by_role("button", name="Send to IBKR").first.click()

    expect(mara.page.locator("body")).to_contain_text(
        re.compile("Received|Being checked|With IBKR", re.I), timeout=40_000
    )
    mara.shot("document-sent")
    assert len(sandbox.ledger("document")) == 1


def test_an_alias_is_followed_until_ibkr_shows_it(at_the_browser: SignIn, sandbox: Any) -> None:
    ines = at_the_browser("advisor")
    open_client(ines, "Marianne Holloway")
    ines.shot("client")
    ines.shot("client", dark=True)
    ines.shot("client", width=360)
    ines.page.get_by_role("link", name="Alias").click()
    ines.page.fill("[name=alias]", "Holloway core")
    ines.page.get_by_role("button", name="Send to IBKR").click()

    expect(ines.page.locator("main")).to_contain_text(re.compile("done|IBKR shows", re.I), timeout=60_000)
    ines.shot("maintenance-done")
    open_client(ines, "Marianne Holloway")
    expect(ines.page.locator("main")).to_contain_text("Holloway core")
    assert len(sandbox.ledger("patch")) == 1


def test_a_new_address_is_sent_from_the_form_that_shows_the_old_one(at_the_browser: SignIn, sandbox: Any) -> None:
    ines = at_the_browser("advisor")
    open_client(ines, "Marianne Holloway")
    ines.page.get_by_role("link", name="Address").click()
    for name, typed in {"street1": "9 Larch Street", "city": "Hartford", "postal_code": "06103", "state": "CT"}.items():
        ines.page.fill(f"[name={name}]", typed)
    ines.shot("address")
    ines.shot("address", width=360)
    ines.page.get_by_role("button", name="Send to IBKR").click()

    ines.page.wait_for_url(re.compile(r"/clients/maintenance/[0-9a-f-]{36}/"))
    expect(ines.page.locator("main")).not_to_contain_text("9 Larch Street")  # masked until somebody says why
    ines.page.get_by_label(re.compile("^Show")).first.click()
    ines.page.get_by_role("button", name="The client asked").first.click()
    expect(ines.page.locator("main")).to_contain_text("9 Larch Street")
    ines.shot("address-shown")


def test_the_portal_opens_once(at_the_browser: SignIn) -> None:
    ines = at_the_browser("advisor")
    open_client(ines, "Marianne Holloway")

    with ines.context.expect_page() as opened:
        ines.page.get_by_role("button", name="Open in IBKR's portal").click()
    portal = opened.value
    portal.wait_for_url("**/sso/resolver**", timeout=30_000)
    expect(portal.locator("body")).to_contain_text("Marianne")
    portal.screenshot(path=str(ines.shot("portal-before")).replace("portal-before", "portal"))

    again = portal.context.request.get(portal.url)
    assert not again.ok or "Marianne" not in again.text()


def test_a_withdrawal_waits_for_a_second_person(at_the_browser: SignIn, sandbox: Any) -> None:
    mara = at_the_browser("operations")
    open_client(mara, "Marianne Holloway")
    mara.page.get_by_role("link", name="Withdraw").first.click()
    mara.page.select_option("[name=bank]", index=1)
    mara.page.fill("[name=amount]", "1250.00")
    mara.page.select_option("[name=currency]", "USD")
    mara.page.fill("[name=note]", "Asked for by telephone, 23 November")
    mara.page.wait_for_timeout(2500)  # the withdrawable cash comes from IBKR meanwhile
    mara.shot("withdrawal-form")
    mara.page.get_by_role("button", name="Ask for approval").dblclick()
    mara.page.wait_for_url(re.compile(r"/funding/[0-9a-f-]{36}/"))
    address = mara.page.url
    seal = mara.page.locator(".bo-seal, [class*=seal]").first.inner_text()
    mara.shot("withdrawal-waits")
    assert sandbox.ledger("withdrawal") == []

    tomas = at_the_browser("principal")
    tomas.shot("today-principal")
    tomas.goto("/approvals/")
    tomas.shot("approvals")
    tomas.shot("approvals", width=360)
    tomas.page.goto(address)
    assert tomas.page.locator(".bo-seal, [class*=seal]").first.inner_text() == seal
    tomas.shot("withdrawal-approve")
    tomas.shot("withdrawal-approve", width=360, dark=True)
    tomas.page.get_by_role("button", name="Approve", exact=True).click()
    tomas.page.locator("#approve-dialog [name=typed]").fill("1250.00")
    tomas.shot("withdrawal-typed")
    tomas.page.get_by_role("button", name="Approve the withdrawal").click()

    expect(mara.page.locator("main")).to_contain_text(
        re.compile("Taken by IBKR|At IBKR|Processed|Done"), timeout=30_000
    )
    sandbox.advance(60)
    expect(mara.page.locator("main")).to_contain_text("PROCESSED", timeout=60_000)
    mara.shot("withdrawal-done")
    assert len(sandbox.ledger("withdrawal")) == 1


def test_statements_are_fetched_and_downloaded(at_the_browser: SignIn) -> None:
    mara = at_the_browser("operations")
    mara.goto("/reports/")
    mara.page.get_by_role("button", name=re.compile(r"Fetch \d+ missing")).click()
    expect(mara.page.locator("main")).to_contain_text(re.compile(r"(\d+) of \1 files"), timeout=120_000)
    mara.goto("/reports/")
    mara.shot("reports-held")
    mara.shot("reports-held", width=360, dark=True)
    mara.goto("/reports/")
    mara.page.get_by_role("link", name="Open").first.click()
    mara.shot("report")

    with mara.page.expect_download() as download:
        mara.page.get_by_role("link", name=re.compile("Download")).first.click()

    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")


def test_a_block_order_is_allocated_confirmed_filled_and_proven(at_the_browser: SignIn, sandbox: Any) -> None:
    ines = at_the_browser("advisor")
    ines.goto("/trading/portfolio/")
    expect(ines.page.locator("main")).to_contain_text("6 of 6 accounts are fresh", timeout=90_000)
    ines.shot("portfolio")
    ines.shot("portfolio", width=360, dark=True)
    ines.goto("/trading/portfolio/accounts/U1000011/")
    ines.shot("account")
    ines.goto("/trading/groups/")
    ines.shot("groups")
    draw_up_block(ines)
    expect(ines.page.locator("main")).to_contain_text("are allocated")
    ines.shot("ticket-preview")
    ines.shot("ticket-preview", dark=True)
    ines.shot("ticket-preview", width=360)
    ines.page.get_by_role("button", name="Send to IBKR").dblclick()

    dialog = ines.page.get_by_role("dialog", name=re.compile("IBKR asks"))
    expect(dialog).to_contain_text("This order will be distributed over multiple accounts.", timeout=30_000)
    assert sandbox.ledger("order") == []
    ines.shot("question")
    ines.shot("question", width=360)
    dialog.get_by_role("button", name="Confirm to IBKR").click()

    expect(ines.page.locator("main")).to_contain_text("Filled", timeout=60_000)
    expect(ines.page.locator("main")).to_contain_text("Every account got what was frozen.", timeout=60_000)
    ines.shot("order-proof")
    ines.goto("/trading/blotter/?tab=done")
    ines.shot("blotter")
    ines.shot("blotter", dark=True)
    ines.shot("blotter", width=360)
    assert len(sandbox.ledger("order")) == 1


def test_a_declined_question_leaves_no_order(at_the_browser: SignIn, sandbox: Any) -> None:
    ines = at_the_browser("advisor")
    ines.goto("/trading/portfolio/")
    expect(ines.page.locator("main")).to_contain_text("6 of 6 accounts are fresh", timeout=90_000)
    draw_up_block(ines)
    ines.page.get_by_role("button", name="Send to IBKR").click()

    dialog = ines.page.get_by_role("dialog", name=re.compile("IBKR asks"))
    expect(dialog).to_be_visible(timeout=30_000)
    dialog.get_by_role("button", name="Decline the order").click()

    expect(ines.page.locator("main")).to_contain_text("Declined", timeout=30_000)
    ines.shot("order-declined")
    assert sandbox.ledger("order") == []


def test_each_role_has_its_own_product(at_the_browser: SignIn) -> None:
    adam = at_the_browser("administrator")
    expect(adam.page.get_by_role("navigation").first).not_to_contain_text("Clients")
    adam.goto("/connections/")
    adam.shot("connections")
    adam.shot("connections", width=360, dark=True)

    vera = at_the_browser("viewer")
    vera.goto("/clients/")
    vera.shot("clients-viewer")
    vera.page.locator("main table a").first.click()
    expect(vera.page.get_by_role("link", name="Withdraw")).to_have_count(0)


def draw_up_block(person: Person) -> None:
    """Fill in and preview: buy SPY for the advisor's accounts of the group.

    The limit is far enough above the last price that no minute's move passes it, and within the 3% that raise no flag.
    """
    page = person.page
    person.goto("/trading/orders/new/")
    page.locator("#instrument-text").press_sequentially("SPY", delay=30)
    page.get_by_text("ARCA USD").first.click()
    last = page.locator("main").get_by_text("Last", exact=True).locator("xpath=following::*[1]")
    expect(last).to_have_text(re.compile(r"\d"), timeout=30_000)
    price = last.inner_text().replace(",", "")
    page.fill("[name=quantity]", "43")
    group = page.locator("[name=allocate_to] option", has_text="Group ").first
    page.select_option("[name=allocate_to]", value=group.get_attribute("value"))
    page.fill("[name=limit_price]", f"{int(Decimal(price) * Decimal('1.015'))}.00")
    page.fill("[name=reason]", "Invest the November contributions")
    page.get_by_role("button", name="Preview").first.click()
    page.wait_for_url(re.compile(r"/trading/orders/[0-9a-f-]{36}/"))


def open_client(person: Person, name: str) -> None:
    person.goto("/clients/")
    person.page.get_by_role("link", name=name).first.click()
    person.page.wait_for_url(re.compile(r"/clients/[0-9a-f-]{36}/"))


PDF = papers.pdf()
