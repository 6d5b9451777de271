from django.urls import path

from funding import views

app_name = "funding"
urlpatterns = [
    path("", views.transfer_list, name="list"),
    path("export.csv", views.transfer_export, name="export"),
    path("withdraw/", views.withdraw, name="withdraw"),
    path("deposit/", views.deposit, name="deposit"),
    path("banks/", views.bank_list, name="banks"),
    path("withdrawable/", views.ask_withdrawable, name="ask_withdrawable"),
    path("withdrawable/<uuid:pk>/", views.withdrawable, name="withdrawable"),
    path("client/<uuid:pk>/", views.client_panel, name="client_panel"),
    path("client/<uuid:pk>/withdraw/", views.client_withdraw, name="client_withdraw"),
    path("client/<uuid:pk>/deposit/", views.client_deposit, name="client_deposit"),
    path("<uuid:pk>/", views.transfer_detail, name="transfer_detail"),
    path("<uuid:pk>/live/", views.transfer_live, name="transfer_live"),
    path("<uuid:pk>/approve/", views.approve, name="approve"),
    path("<uuid:pk>/decline/", views.decline, name="decline"),
    path("<uuid:pk>/take-back/", views.take_back, name="take_back"),
]
