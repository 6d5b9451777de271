from django.apps import AppConfig


class BrokerConfig(AppConfig):
    name = "backoffice.broker"
    label = "broker"
