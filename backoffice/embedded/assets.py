"""Third-party files of the pages: installed from npm by the Node of the Python environment, copied to `static/vendor/`.

Only what a page asks for is copied, each minified file with its source map (the manifest storage refuses one without
the other). Which icons is said by `static/icons.txt`, one name a line. Standard library only.
"""

import hashlib
import shutil
from pathlib import Path

FILES = {
    "node_modules/@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "node_modules/@tabler/core/dist/css/tabler.min.css.map": "tabler/tabler.min.css.map",
    "node_modules/@tabler/core/dist/js/tabler.min.js": "tabler/tabler.min.js",
    "node_modules/@tabler/core/dist/js/tabler.min.js.map": "tabler/tabler.min.js.map",
    "node_modules/htmx.org/dist/htmx.min.js": "htmx/htmx.min.js",
}
LICENCES = {
    "node_modules/@tabler/core/LICENSE": "tabler/LICENSE",
    "node_modules/@tabler/icons/LICENSE": "icons/LICENSE",
    "node_modules/htmx.org/LICENSE": "htmx/LICENSE",
    "node_modules/@fontsource-variable/ibm-plex-sans/LICENSE": "fonts/ibm-plex-sans-LICENSE",
    "node_modules/@fontsource/ibm-plex-mono/LICENSE": "fonts/ibm-plex-mono-LICENSE",
    "node_modules/@fontsource-variable/source-serif-4/LICENSE": "fonts/source-serif-4-LICENSE",
}
FACES = {
    "node_modules/@fontsource-variable/ibm-plex-sans/files": "ibm-plex-sans-{subset}-wght-{style}.woff2",
    "node_modules/@fontsource/ibm-plex-mono/files": "ibm-plex-mono-{subset}-{weight}-{style}.woff2",
    "node_modules/@fontsource-variable/source-serif-4/files": "source-serif-4-{subset}-wght-{style}.woff2",
}
SUBSETS = ("latin", "latin-ext", "cyrillic", "greek", "vietnamese")  # names of clients come in these
MONO_WEIGHTS = ("400", "500", "600")
OUTLINE_ICONS = "node_modules/@tabler/icons/icons/outline"


class MissingFile(Exception):
    """A file that the packages should hold is not there."""


def wanted_icons(root: Path) -> list[str]:
    """Return the icon names of `static/icons.txt`: one a line, # begins a remark."""
    chosen = root / "static" / "icons.txt"
    lines = (
        (line.partition("#")[0].strip() for line in chosen.read_text(encoding="utf-8").splitlines())
        if chosen.exists()
        else ()
    )
    return [line for line in lines if line]


def plan(root: Path) -> dict[Path, Path]:
    """Return every copy to make, source to target. An icon the set does not have raises `MissingFile` with its name."""
    target = root / "static" / "vendor"
    copies = {root / source: target / name for source, name in FILES.items()}
    copies |= {root / source: target / name for source, name in LICENCES.items() if (root / source).exists()}
    for folder, pattern in FACES.items():
        for subset in SUBSETS:
            for style in ("normal", "italic"):
                for weight in MONO_WEIGHTS if "{weight}" in pattern else ("",):
                    name = pattern.format(subset=subset, style=style, weight=weight)
                    if (root / folder / name).exists():  # not every face has every alphabet
                        copies[root / folder / name] = target / "fonts" / name
    for name in wanted_icons(root):
        copies[root / OUTLINE_ICONS / f"{name}.svg"] = target / "icons" / f"{name}.svg"
    missing = [str(source.relative_to(root)) for source in copies if not source.exists()]
    if missing:
        raise MissingFile(", ".join(missing))
    return copies


def copy(root: Path) -> int:
    """Fill `static/vendor/` and return how many files it holds. What is no longer wanted goes away."""
    copies = plan(root)
    for source, target in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for path in (root / "static" / "vendor").rglob("*"):
        if path.is_file() and path not in copies.values():
            path.unlink()
    return len(copies)


def fingerprint(root: Path) -> str:
    """Return what the copies depend on, as a digest: the npm lock, the chosen icons and this file."""
    digest = hashlib.sha256()
    for source in (root / "package-lock.json", root / "static" / "icons.txt", Path(__file__)):
        digest.update(source.read_bytes() if source.exists() else b"-")
    return digest.hexdigest()
