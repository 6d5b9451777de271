"""The pytest side of the check against IBKR's OpenAPI file: whose exchange it was, and what the whole run adds up to.

After each test the sandboxes are asked what they found; the test that caused a violation fails with the operation, the
place and the rule. At the end of a run of everything, an exception of tests/specification_exceptions.py that nothing used fails the
run: what the facts no longer need is taken out. Under xdist each process adds up its own and the first one sums.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox_process import SandboxProcess
from tests.specification import FILE
from tests.specification_exceptions import EXCEPTIONS
from tests.specification_inspector import Findings, inspector

SUM = pytest.StashKey[Findings]()
UNUSED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SUM] = Findings()


def ask(config: pytest.Config) -> None:
    """Fail the running test with whatever the sandboxes found since they were last asked, or before they ended."""
    found = Findings()
    watcher = inspector()
    if watcher is not None:
        found.add(watcher.findings())
        for process in SandboxProcess.running:
            found.add(process.findings())
        found.add(SandboxProcess.last_words)
        SandboxProcess.last_words = Findings()
    violations = list(dict.fromkeys(found.violations))
    found.violations = []
    config.stash[SUM].add(found)
    if violations:
        listed = "\n".join(f"  {each}" for each in violations)
        pytest.fail(f"not as IBKR's OpenAPI file says (tests/specification.py):\n{listed}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    ask(item.config)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    yield
    ask(item.config)


def is_whole(config: pytest.Config) -> bool:
    """Whether everything there is was asked to run."""
    option = config.option
    selected = option.keyword or option.markexpr or option.deselect or getattr(option, "lf", False)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not selected


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["specification"] = config.stash[SUM].as_data()
    elif FILE.exists() and exitstatus == pytest.ExitCode.OK and is_whole(config):
        config.stash[UNUSED] = [" | ".join(key) for key in sorted(EXCEPTIONS.keys() - config.stash[SUM].used)]
        if config.stash[UNUSED]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    if "specification" in getattr(node, "workeroutput", {}):
        node.config.stash[SUM].add(Findings.from_data(node.workeroutput["specification"]))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    total = config.stash[SUM]
    if not FILE.exists():
        terminalreporter.write_line(
            f"IBKR's OpenAPI file is not at {FILE}: no exchange was checked against it", yellow=True
        )
        return
    terminalreporter.write_line(
        f"{total.exchanges} exchanges checked against IBKR's OpenAPI file in {total.milliseconds / 1000:.1f} s; "
        f"{len(total.used)} of {len(EXCEPTIONS)} exceptions needed"
    )
    for key in config.stash.get(UNUSED, []):
        terminalreporter.write_line(f"nothing needs this exception any more, take it out: {key}", red=True)
