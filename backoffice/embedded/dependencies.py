"""Known weaknesses in what we depend on: `python -m backoffice.embedded.dependencies`, a step of `make check`.

Asks PyPI's advisories (pip-audit) about every package of the test lock, which holds the run lock too, and npm's about the
pages' packages. A known weakness fails. A registry that gives no advisories, as a mirror may, is said and passes, because
it says nothing about the packages; DEPENDENCY_AUDIT=strict fails then too, for the machine that makes releases.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from backoffice.embedded import setup
from backoffice.embedded.state import ROOT

_PATIENCE = 120  # seconds for either registry


@dataclass(frozen=True)
class Finding:
    """One known weakness: the package with its version, the advisory, and the version without it."""

    package: str
    advisory: str
    fixed_in: str

    def __str__(self) -> str:
        return f"{self.package}: {self.advisory}; " + (
            f"mended in {self.fixed_in}" if self.fixed_in else "not mended yet"
        )


@dataclass(frozen=True)
class Audit:
    """What one registry told."""

    registry: str
    asked: int
    answered: int
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        if self.answered < self.asked:
            return (
                f"{self.registry} gave advisories for {self.answered} of {self.asked} packages: the rest is not audited"
            )
        return f"{self.registry}: {len(self.findings)} known weaknesses in {self.asked} packages"


def of_python(report: dict[str, Any]) -> Audit:
    """Read pip-audit's JSON: {"dependencies": [{"name", "version", "vulns": [...]} or {"name", "skip_reason"}]}."""
    packages = report["dependencies"]
    findings = [
        Finding(f"{each['name']} {each['version']}", weakness["id"], ", ".join(weakness["fix_versions"]))
        for each in packages
        for weakness in each.get("vulns", ())
    ]
    answered = sum(1 for each in packages if "skip_reason" not in each)
    return Audit("PyPI", len(packages), answered, tuple(findings))


def of_npm(report: dict[str, Any], packages: int) -> Audit:
    """Read `npm audit --json`: {"vulnerabilities": {name: {"severity", "via", "range"}}}, or {"error": ...} from a mirror."""
    if "vulnerabilities" not in report:
        return Audit("npm", packages, 0, ())
    findings = [
        Finding(f"{name} {found.get('range', '')}".strip(), str(found.get("severity", "weak")), "")
        for name, found in report["vulnerabilities"].items()
    ]
    return Audit("npm", packages, packages, tuple(findings))


def verdict(audits: Iterable[Audit], *, is_strict: bool) -> tuple[int, list[str]]:
    """Return the exit code and what to print, the findings first."""
    told = list(audits)
    findings = [str(finding) for audit in told for finding in audit.findings]
    is_silent = any(audit.answered < audit.asked for audit in told)
    return int(bool(findings) or (is_strict and is_silent)), [*findings, "; ".join(str(audit) for audit in told)]


def _read(command: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE)
        report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def main() -> int:
    lock = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")
    locked = sum(1 for line in lock.splitlines() if "==" in line)
    pip_audit = [sys.executable, "-m", "pip_audit", "-r", "requirements/test.txt", "--require-hashes", "--disable-pip"]
    python = _read([*pip_audit, "--no-deps", "--format", "json", "--progress-spinner", "off", "--timeout", "10"])
    pages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    audits = (
        of_python(python) if python else Audit("PyPI", locked, 0, ()),
        of_npm(_read([*setup.npm_command(), "audit", "--json"]), len(pages) - 1),
    )
    code, lines = verdict(audits, is_strict=os.environ.get("DEPENDENCY_AUDIT") == "strict")
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
