from django.urls import path

from backoffice.journal import policy_views

app_name = "policies"
urlpatterns = [
    path("", policy_views.policy_list, name="list"),
    path("change/", policy_views.policy_edit, name="edit"),
    path("<int:number>/", policy_views.policy_detail, name="detail"),
    path("<int:number>/approve/", policy_views.policy_approve, name="approve"),
    path("<int:number>/decline/", policy_views.policy_decline, name="decline"),
]
