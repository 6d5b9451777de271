"""The whole product running as `make run` runs it, and a Chromium in front of it.

Web, workers, beat, session keeper and the sandbox are real processes; the firm is the demonstration firm.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from backoffice.people.demonstration import LOGINS, PASSWORD
from tests.sandbox_process import SandboxProcess
from tests.worker_processes import Processes, wait_until

# pytest-django's own objects are used inside Playwright's event loop; it only forbids what we do not do.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
EMAIL = {login.key: login.email for login in LOGINS}


def screenshots() -> Path:
    folder = Path(
        os.environ.get("SCREENSHOTS", str(Path(os.environ.get("BACKOFFICE_STATE", ROOT / "var")) / "screenshots"))
    )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    assert found, "no Chromium on this machine; `make test` installs one"
    arguments = ["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def firm(processes: Processes, sandbox: SandboxProcess, live_server: Any, settings: Any, tmp_path: Path) -> str:
    """The address of the running product, with the demonstration firm in it and its session live."""
    from backoffice.broker.models import BrokerageSession, SessionState

    settings.STATE_DIR = tmp_path
    call_command("load_demonstration", "--sandbox-url", sandbox.url)
    processes.keeper()
    processes.worker()
    processes.beat()
    wait_until(
        lambda: BrokerageSession.objects.filter(state=SessionState.LIVE).exists(), 60, "session live", processes.logs
    )
    return str(live_server.url)


def faults_of(page: Page, *rules: str) -> list[str]:
    """Return what axe-core calls serious or critical on the page as it stands; `rules` names the only ones to ask about."""
    page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text())
    options = {"resultTypes": ["violations"], "preload": False, **({"runOnly": list(rules)} if rules else {})}
    found = page.evaluate("options => axe.run(document, options).then(result => result.violations)", options)
    return [
        f"{fault['id']}: {', '.join(' '.join(node['target']) for node in fault['nodes'])}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    ]


class Person:
    """Somebody at a browser of their own."""

    def __init__(self, context: BrowserContext, address: str, email: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.address = address
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._note)
        self.page.set_default_timeout(20_000)
        self.page.goto(f"{address}/account/login/")
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button[type=submit], form button[type=submit]")
        self.page.wait_for_url(f"{address}/")

    def _note(self, message: Any) -> None:
        if message.type == "error" and "status of 422" not in message.text:
            self.problems.append(message.text)

    def goto(self, path: str) -> None:
        answer = self.page.goto(f"{self.address}{path}")
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"

    def faults(self, *rules: str) -> list[str]:
        """Return what axe-core finds. It measures with styles of its own, which the content policy refuses: not noted."""
        heard = list(self.problems)
        found = faults_of(self.page, *rules)
        self.problems[:] = heard
        return found

    def shot(self, name: str, *, width: int = 1440, dark: bool = False, full: bool = False) -> Path:
        """Leave a picture of the page as it is now."""
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.set_viewport_size({"width": width, "height": 1000 if width > 600 else 780})
        path = screenshots() / f"{name}{'-dark' if dark else ''}{'' if width == 1440 else f'-{width}'}.png"
        self.page.wait_for_timeout(250)  # colours fade for 120 ms when the theme changes
        self.page.screenshot(path=path, full_page=full)
        self.page.set_viewport_size({"width": 1440, "height": 1000})
        self.page.emulate_media(color_scheme="light")
        return path


@pytest.fixture
def at_the_browser(
    chromium: Browser, firm: str, sandbox: SandboxProcess, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Person]]:
    """Sign a demonstration person in: `at_the_browser("principal")`. Whatever they do, IBKR has charged nothing for it."""
    people: list[Person] = []

    def sign_in(key: str) -> Person:
        person = Person(chromium.new_context(viewport={"width": 1440, "height": 1000}), firm, EMAIL[key])
        people.append(person)
        return person

    yield sign_in
    problems = [problem for person in people for problem in person.problems]
    for number, person in enumerate(people, start=1):
        # What each person saw last: the first thing to look at when a journey fails.
        person.page.screenshot(path=screenshots() / f"end-{request.node.name}-{number}.png")
        person.context.close()
    assert problems == []
    assert sandbox.ledger("market-data-fee") == [], "something drew a snapshot that costs money"
