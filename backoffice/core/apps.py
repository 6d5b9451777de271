from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "backoffice.core"
    label = "core"

    def ready(self) -> None:
        from backoffice.core import logs

        logs.connect()
