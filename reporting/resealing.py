"""The files of reports under the current key. Rows are append-only, so a file is replaced under its own name, in one move."""

import os
from pathlib import Path

from django.core.files.storage import default_storage

from backoffice.core.crypto import Undecipherable, is_current, reseal
from backoffice.core.resealing import Tally
from reporting.models import ReportFile
from reporting.services import place_of


def report_files() -> Tally:
    """Seal every stored file anew that is not under the current key."""
    tally = Tally("report files")
    for file in ReportFile.objects.order_by("pk").iterator(chunk_size=200):
        with default_storage.open(file.stored_as) as stored:
            sealed = stored.read().decode()
        if is_current(sealed):
            continue
        try:
            anew = reseal(sealed, place_of(file))
        except Undecipherable:
            tally.unreadable += 1
            continue
        _replace(Path(default_storage.path(file.stored_as)), anew)
        tally.resealed += 1
    return tally


def _replace(path: Path, content: str) -> None:
    """Write beside it and move: a reader sees the old file or the new one, and a crash leaves one of them."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
