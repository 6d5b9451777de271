from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "reporting"

    def ready(self) -> None:
        from backoffice.core import resealing as core
        from reporting import contributions, resealing

        contributions.register()
        core.others.append(resealing.report_files)
