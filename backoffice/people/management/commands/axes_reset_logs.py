"""`manage.py axes_reset_logs`: refused; see `refusing`."""

from backoffice.people.management.refusing import Refusing


class Command(Refusing):
    help = "Refused here: lock-outs end one by one, with an entry in the audit."
    instead = (
        "Lock-outs end by themselves. "
        "To end one person's now, with an entry in the audit: manage.py axes_reset_username E-MAIL."
    )
