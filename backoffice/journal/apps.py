from django.apps import AppConfig


class JournalConfig(AppConfig):
    name = "backoffice.journal"
    label = "journal"
