"""`manage.py account_unsetmultipleprimaryemails`: refused; see `refusing`."""

from backoffice.people.management.refusing import Refusing


class Command(Refusing):
    help = "Refused here: people have the one address they were invited by."
    instead = (
        "People have the one address they were invited by, so there is nothing to mend. "
        "Close the account and invite the other address on the People page."
    )
