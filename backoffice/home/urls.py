from django.urls import path

from backoffice.home import views

app_name = "home"
urlpatterns = [
    path("", views.today, name="today"),
    path("today/inbox/", views.inbox, name="inbox"),
    path("state/", views.state_bar, name="state_bar"),
    path("lanes/", views.lanes, name="lanes"),
    path("search/", views.search, name="search"),
    path("components/", views.components, name="components"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
