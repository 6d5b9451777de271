"""What `make check` says of known weaknesses, from the answers of the two registries."""

from typing import Any

from backoffice.embedded.dependencies import Audit, Finding, of_npm, of_python, verdict

SOUND: dict[str, Any] = {"name": "django", "version": "5.2.19", "vulns": []}
WEAK: dict[str, Any] = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": [], "description": ""}],
}
UNASKED: dict[str, Any] = {"name": "vine", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def test_a_known_weakness_fails_and_names_the_version_that_mends_it() -> None:
    code, lines = verdict([of_python({"dependencies": [SOUND, WEAK]})], is_strict=False)

    assert code == 1
    assert lines == [
        "jinja2 2.4.1: PYSEC-2019-217; mended in 2.10.1",
        "PyPI: 1 known weaknesses in 2 packages",
    ]


def test_sound_packages_pass() -> None:
    assert verdict([of_python({"dependencies": [SOUND]})], is_strict=True) == (
        0,
        ["PyPI: 0 known weaknesses in 1 packages"],
    )


def test_a_registry_without_advisories_is_said_and_fails_only_where_releases_are_made() -> None:
    silent = of_python({"dependencies": [SOUND, UNASKED]})

    code, lines = verdict([silent], is_strict=False)

    assert (code, lines) == (0, ["PyPI gave advisories for 1 of 2 packages: the rest is not audited"])
    assert verdict([silent], is_strict=True)[0] == 1


def test_npm_is_read_in_its_own_words() -> None:
    weak = of_npm({"vulnerabilities": {"htmx.org": {"severity": "high", "range": "<1.9.1"}}}, 4)

    assert weak == Audit("npm", 4, 4, (Finding("htmx.org <1.9.1", "high", ""),))
    assert of_npm({"error": {"code": "ENOAUDIT"}}, 4) == Audit("npm", 4, 0, ())
