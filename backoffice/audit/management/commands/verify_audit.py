"""Check the whole audit chain; the exit code is 1 when a row is not as it was, or one that the chain tells of is gone."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backoffice.audit import anchors, keys, losses, sealing, verifying


class Command(BaseCommand):
    help = "Check every audit entry, its place in the chain, and the anchors outside the database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchors", type=Path, action="append", default=[], metavar="FILE",
            help="a copy of the anchors kept elsewhere; may be given more than once",
        )  # fmt: skip

        parser.add_argument(
            "--derived-key", action="store_true",
            help="check nothing; print the secret key made of BLIND_INDEX_KEY as AUDIT_KEYS takes it",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        if options["derived_key"]:
            self.stdout.write(keys.derived_pair())
            return
        for source in options["anchors"]:
            if not source.is_file():
                raise CommandError(f"{source} is not a file.")
        if lost := losses.of_tables():
            raise CommandError(lost, returncode=1)
        sealing.seal_committed()
        report = verifying.verify(anchor_files=options["anchors"], progress=self._progress)
        seconds, tenths = divmod(report.milliseconds // 100, 10)
        self.stdout.write(f"{report.checked} entries checked in {seconds}.{tenths} s, {report.anchors} anchors.")
        if report.problem is not None:
            raise CommandError(f"The audit chain is broken at {report.problem}. {report.hint}".rstrip(), returncode=1)
        if lost := losses.of_rows():
            raise CommandError(lost, returncode=1)
        if not report.anchors:
            self.stdout.write("No anchor was found: a cut-off end would not be seen.")
        self.stdout.write(f"Whole. {report.unsealed} wait for their place.")
        self.stdout.write("Keep this line elsewhere; it shows a cut-off end:")
        self.stdout.write(anchors.drop().line)

    def _progress(self, checked: int) -> None:
        if checked % 100_000 == 0:
            self.stderr.write(f"{checked} entries")
