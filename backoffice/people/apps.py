from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "backoffice.people"
    label = "people"
    verbose_name = "People"

    def ready(self) -> None:
        from backoffice.core import resealing as core
        from backoffice.people import resealing, witness

        witness.listen()
        core.others.append(resealing.second_factors)
