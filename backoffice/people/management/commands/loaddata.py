"""`manage.py loaddata`: refused; see `refusing`."""

from backoffice.people.management.refusing import Refusing


class Command(Refusing):
    help = "Refused here: rows from a file leave no entry in the audit."
    instead = (
        "Rows from a file would leave no entry in the audit. "
        "People are invited on the People page; everything else comes in by the product's own pages and commands."
    )
