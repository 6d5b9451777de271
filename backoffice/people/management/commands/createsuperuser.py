"""`manage.py createsuperuser`: refused; see `refusing`."""

from backoffice.people.management.refusing import Refusing


class Command(Refusing):
    help = "Refused here: nobody stands above the roles."
    instead = (
        "Nobody here stands above the roles. "
        "Make the first administrator with manage.py add_administrator; who comes later is invited on the People page."
    )
