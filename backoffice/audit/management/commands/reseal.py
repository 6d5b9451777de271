"""`manage.py reseal`: put everything that is encrypted under the first key of FIELD_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backoffice.audit import services as audit
from backoffice.core import resealing


class Command(BaseCommand):
    help = "Seal everything anew with the first key of FIELD_KEYS, while people work. Run again until nothing is left."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--indexes", action="store_true", help="make the blind indexes anew (after BLIND_INDEX_KEY)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        tallies = list(resealing.indexes() if options["indexes"] else resealing.everything())
        for tally in tallies:
            if tally.resealed or tally.unreadable:
                self.stdout.write(f"{tally.place}: {tally.resealed} sealed anew, {tally.unreadable} unreadable")
        unreadable = sum(tally.unreadable for tally in tallies)
        made, what = (
            sum(tally.resealed for tally in tallies),
            "Blind indexes" if options["indexes"] else "Sealed values",
        )
        audit.record(
            "core.reseal", by=None, summary=f"{what} made anew at the command line: {made}, unreadable: {unreadable}",
            places={tally.place: tally.resealed for tally in tallies if tally.resealed},
        )  # fmt: skip
        if unreadable:
            raise CommandError(
                f"{unreadable} values open with no key of FIELD_KEYS. Put back the key they were sealed with; "
                "nothing was changed in them."
            )
        self.stdout.write("Everything is under the first key; the others may be taken out of FIELD_KEYS.")
