"""Addresses of the trading pages."""

from django.urls import path

from trading.views import blotter, groups, instruments, orders, portfolio, what_if

app_name = "trading"
urlpatterns = [
    path("portfolio/", portfolio.firm, name="portfolio"),
    path("portfolio/export/", portfolio.export, name="portfolio_export"),
    path("portfolio/refresh/", portfolio.refresh, name="portfolio_refresh"),
    path("portfolio/refresh/<uuid:pk>/", portfolio.refreshed, name="portfolio_refreshed"),
    path("portfolio/accounts/<str:number>/", portfolio.account, name="account"),
    path("instruments/search/", instruments.search, name="instrument_search"),
    path("instruments/ask/", instruments.ask, name="instrument_ask"),
    path("instruments/found/<uuid:pk>/", instruments.found, name="instrument_found"),
    path("instruments/quoted/<uuid:pk>/", instruments.quoted, name="quoted"),
    path("instruments/<str:conid>/", portfolio.instrument, name="instrument"),
    path("instruments/<str:conid>/choose/", instruments.choose, name="instrument_choose"),
    path("instruments/<str:conid>/live/", instruments.live, name="quote_live"),
    path("instruments/<str:conid>/quote/", instruments.quote, name="quote"),
    path("groups/", groups.group_list, name="group_list"),
    path("groups/new/", groups.new, name="group_new"),
    path("groups/<uuid:pk>/", groups.detail, name="group_detail"),
    path("groups/<uuid:pk>/edit/", groups.edit, name="group_edit"),
    path("groups/<uuid:pk>/delete/", groups.delete, name="group_delete"),
    path("orders/new/", orders.new, name="order_new"),
    path("orders/preview/", orders.draw_up, name="order_preview"),
    path("orders/<uuid:pk>/", orders.detail, name="order_detail"),
    path("orders/<uuid:pk>/live/", orders.live, name="order_live"),
    path("orders/<uuid:pk>/what-if/", what_if.ask, name="what_if"),
    path("orders/what-ifs/<uuid:pk>/", what_if.shown, name="what_if_shown"),
    path("orders/<uuid:pk>/send/", orders.send, name="order_send"),
    path("orders/<uuid:pk>/discard/", orders.discard, name="order_discard"),
    path("orders/<uuid:pk>/answer/", orders.answer, name="order_answer"),
    path("orders/<uuid:pk>/cancel/", orders.cancel, name="order_cancel"),
    path("orders/<uuid:pk>/take-back/", orders.take_back, name="order_take_back"),
    path("blotter/", blotter.blotter, name="blotter"),
    path("blotter/export/", blotter.export, name="blotter_export"),
    path("clients/<uuid:pk>/panel/", portfolio.client_panel, name="client_panel"),
    path("clients/<uuid:pk>/trade/", orders.client_trade, name="client_trade"),
]
