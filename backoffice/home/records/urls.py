from django.urls import path

from backoffice.home.records import views

app_name = "audit"
urlpatterns = [
    path("", views.entry_list, name="entry_list"),
    path("export/", views.entry_export, name="entry_export"),
    path("chain/", views.chain, name="chain"),
    path("chain/check/", views.check_start, name="check_start"),
    path("chain/check/<uuid:pk>/", views.check_show, name="check_show"),
    path("<int:pk>/", views.entry_detail, name="entry_detail"),
    path("evidence/<str:kind>/<uuid:pk>/", views.evidence_pack, name="evidence_pack"),
    path("who-saw/<uuid:pk>/", views.who_saw, name="who_saw"),
]
