from django.urls import path

from backoffice.people.views import directory, own, seats

app_name = "people"
urlpatterns = [
    path("people/", directory.person_list, name="list"),
    path("people/invite/", directory.invite, name="invite"),
    path("people/changes/<uuid:pk>/agree/", directory.seat_agree, name="seat_agree"),
    path("people/changes/<uuid:pk>/decline/", directory.seat_decline, name="seat_decline"),
    path("people/invitations/<uuid:pk>/resend/", directory.invitation_resend, name="invitation_resend"),
    path("people/invitations/<uuid:pk>/withdraw/", directory.invitation_withdraw, name="invitation_withdraw"),
    path("account/seat/<str:secret>/", seats.accept, name="accept"),
    path("account/sessions/", own.session_list, name="sessions"),
    path("account/sessions/<int:pk>/end/", own.session_end, name="session_end"),
    path("account/sessions/end-others/", own.session_end_others, name="session_end_others"),
    path("account/stay/", own.stay, name="stay"),
    path("account/file/", own.file_waiting, name="file"),
    path("account/tokens/", own.token_list, name="tokens"),
    path("account/tokens/<uuid:pk>/revoke/", own.token_revoke, name="token_revoke"),
    path("account/confirm/", own.confirm, name="confirm"),
    path("people/<uuid:pk>/", directory.person_detail, name="detail"),
    path("people/<uuid:pk>/role/", directory.person_role, name="role"),
    path("people/<uuid:pk>/books/", directory.person_books, name="books"),
    path("people/<uuid:pk>/close/", directory.person_close, name="close"),
    path("people/<uuid:pk>/open/", directory.person_open, name="open"),
    path("people/<uuid:pk>/factors/", directory.person_factors, name="factors"),
    path("people/<uuid:pk>/sign-out/", directory.person_sign_out, name="sign_out"),
    path("people/<uuid:pk>/tokens/<uuid:token>/revoke/", directory.person_token_revoke, name="person_token_revoke"),
]
