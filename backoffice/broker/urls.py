from django.urls import path

from backoffice.broker import views

app_name = "broker"
urlpatterns = [
    path("", views.connection_list, name="connection_list"),
    path("gates/", views.gate_set, name="gate_set"),
    path("<uuid:pk>/test/", views.test_ask, name="test_ask"),
    path("<uuid:pk>/test/outcome/", views.test_show, name="test_show"),
]
