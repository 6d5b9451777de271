from django.urls import path

from backoffice.home import notice_views, views

app_name = "home"
urlpatterns = [
    path("", views.today, name="today"),
    path("today/inbox/", views.inbox, name="inbox"),
    path("notices/", notice_views.notice_list, name="notice_list"),
    path("notices/count/", notice_views.notice_count, name="notice_count"),
    path("notices/read/", notice_views.notices_read, name="notices_read"),
    path("notices/settings/", notice_views.notice_settings, name="notice_settings"),
    path("notices/<uuid:pk>/", notice_views.notice_open, name="notice_open"),
    path("notices/<uuid:pk>/later/", notice_views.notice_snooze, name="notice_snooze"),
    path("notices/<uuid:pk>/now/", notice_views.notice_wake, name="notice_wake"),
    path("state/", views.state_bar, name="state_bar"),
    path("lanes/", views.lanes, name="lanes"),
    path("search/", views.search, name="search"),
    path("components/", views.components, name="components"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
