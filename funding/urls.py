from django.urls import path

from funding.views import lists, tickets, transfer

app_name = "funding"
urlpatterns = [
    path("", lists.transfer_list, name="list"),
    path("export.csv", lists.transfer_export, name="export"),
    path("withdraw/", tickets.withdraw, name="withdraw"),
    path("deposit/", tickets.deposit, name="deposit"),
    path("banks/", lists.bank_list, name="banks"),
    path("withdrawable/", tickets.ask_withdrawable, name="ask_withdrawable"),
    path("withdrawable/<uuid:pk>/", tickets.withdrawable, name="withdrawable"),
    path("client/<uuid:pk>/", lists.client_panel, name="client_panel"),
    path("client/<uuid:pk>/withdraw/", lists.client_withdraw, name="client_withdraw"),
    path("client/<uuid:pk>/deposit/", lists.client_deposit, name="client_deposit"),
    path("<uuid:pk>/", transfer.transfer_detail, name="transfer_detail"),
    path("<uuid:pk>/live/", transfer.transfer_live, name="transfer_live"),
    path("<uuid:pk>/approve/", transfer.approve, name="approve"),
    path("<uuid:pk>/decline/", transfer.decline, name="decline"),
    path("<uuid:pk>/take-back/", transfer.take_back, name="take_back"),
]
