from django.apps import AppConfig


class HomeConfig(AppConfig):
    name = "backoffice.home"
    label = "home"

    def ready(self) -> None:
        from backoffice.home import contributions

        contributions.register()
