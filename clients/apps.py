from django.apps import AppConfig


class ClientsConfig(AppConfig):
    name = "clients"

    def ready(self) -> None:
        from backoffice.home import registry
        from backoffice.journal import decisions
        from clients import demonstration, reviewing
        from clients.selectors import evidence, search, today

        entry = registry.NavigationEntry
        registry.navigation.add(
            entry("Clients", "Clients", "users", "clients:client_list", "clients.view", order=20, mobile=2)
        )
        registry.navigation.add(
            entry(
                "Clients", "Applications", "layout-kanban", "clients:application_board", "clients.view",
                count=today.application_count, order=21, mobile=3,
            )
        )  # fmt: skip
        registry.navigation.add(
            entry(
                "Clients", "Maintenance", "refresh", "clients:maintenance_list", "clients.view",
                count=today.maintenance_count, order=22,
            )
        )  # fmt: skip
        registry.navigation.add(
            entry("Records", "Retention", "archive", "clients:retention", "clients.view_retention", order=62)
        )
        decisions.register("clients.application", reviewing.review_application, reviewing.application_headline)
        decisions.register("clients.maintenancerequest", reviewing.review_change, reviewing.change_headline)
        registry.inbox.add(today.inbox)
        registry.told_doubts.add("clients.application")
        registry.told_doubts.add("clients.maintenancerequest")
        registry.search.add(search.search)
        registry.evidence.add(evidence.of)
        registry.feed.add(today.feed)
        registry.demonstration.add(registry.DemonstrationLoader(order=10, name="clients", load=demonstration.load))
