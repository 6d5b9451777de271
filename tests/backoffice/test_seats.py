"""Power over money or people is given by two: one asks, another agrees; taking it is never held up."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from backoffice.audit.models import Entry
from backoffice.core import clock
from backoffice.core.errors import Conflict, NotPermitted
from backoffice.home import second_persons
from backoffice.people import seats, services
from backoffice.people.models import ApiToken, Invitation, SeatChange, SeatStatus, User
from backoffice.people.policies import services as policies
from backoffice.people.policies.document import APPROVERS, FIRST, ApprovalRule

pytestmark = pytest.mark.django_db


def asked(person: User, by: User, role: str = "principal") -> SeatChange:
    services.change_role(person, role=role, by=by)
    return SeatChange.objects.get(person=person, status=SeatStatus.WAITING)


def role_of(person: User) -> str:
    return User.objects.get(pk=person.pk).role


@pytest.mark.parametrize("role", ["principal", "administrator"])
def test_a_role_with_power_waits_until_another_agrees(
    role: str, advisor: User, administrator: User, principal: User, client: Client
) -> None:
    change = asked(advisor, administrator, role)
    assert role_of(advisor) == "advisor"
    client.force_login(principal)
    page = client.get(f"/people/{advisor.pk}/").content.decode()

    answer = client.post(f"/people/changes/{change.pk}/agree/")

    assert f"Ada Alder becomes {role}" in page
    assert (answer["Location"], role_of(advisor)) == (f"/people/{advisor.pk}/", role)
    kept = Entry.objects.filter(subject_id=str(advisor.pk), action__startswith="people.").order_by("id")
    assert [(entry.action, entry.actor) for entry in kept] == [
        ("people.ask_seat", administrator), ("people.agree_seat", principal), ("people.change_role", principal),
    ]  # fmt: skip


@pytest.mark.parametrize(("verb", "role"), [("agree", "principal"), ("decline", "advisor")])
def test_a_button_pressed_twice_decides_once_and_answers_alike(
    verb: str, role: str, advisor: User, administrator: User, principal: User, client: Client
) -> None:
    change = asked(advisor, administrator)
    client.force_login(principal)
    url = f"/people/changes/{change.pk}/{verb}/"

    answers = [client.post(url) for _ in range(2)]

    assert {(each.status_code, each["Location"]) for each in answers} == {(302, f"/people/{advisor.pk}/")}
    assert role_of(advisor) == role
    assert Entry.objects.filter(action=f"people.{verb}_seat").count() == 1
    assert client.post(f"/people/changes/{change.pk}/{'decline' if verb == 'agree' else 'agree'}/").status_code == 409


def test_whoever_asked_and_whom_it_is_about_do_not_agree(
    administrator: User, principal: User, client: Client, person: Any
) -> None:
    other = person("administrator", "Olga Other")
    change = asked(other, administrator)

    for somebody, words in ((administrator, "You asked for this"), (other, "This is about you")):
        client.force_login(somebody)
        answer = client.post(f"/people/changes/{change.pk}/agree/")

        assert answer.status_code == 403
        assert words in answer.content.decode()
        assert Entry.objects.filter(action="request.refused", actor=somebody).count() == 1
    assert role_of(other) == "administrator"


@pytest.mark.parametrize("column", ["asked_by_id", "person_id"])
def test_the_database_asks_for_a_second_person_too(
    column: str, administrator: User, principal: User, advisor: User, person: Any
) -> None:
    other = person("administrator", "Olga Other")
    change = asked(other, administrator)
    for by in (getattr(change, column), advisor.pk):
        with pytest.raises(IntegrityError, match="a second person must agree"), transaction.atomic():
            write(
                "UPDATE people_seatchange SET status='agreed', decided_by_id=%s, decided_at=now() WHERE id=%s",
                by,
                change,
            )
    with pytest.raises(IntegrityError, match="frozen"), transaction.atomic():
        write("UPDATE people_seatchange SET asked_by_id=%s WHERE id=%s", principal.pk, change)
    with pytest.raises(IntegrityError), transaction.atomic():
        write("DELETE FROM people_seatchange WHERE id <> %s AND id = %s", uuid.uuid4(), change)
    with pytest.raises(IntegrityError, match="begins by asking"), transaction.atomic():
        SeatChange.objects.create(
            person=advisor, role="principal", asked_by=administrator, asked_at=clock.now(), status="agreed",
            decided_by=principal, decided_at=clock.now(),
        )  # fmt: skip


def write(sql: str, by: uuid.UUID, change: SeatChange) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, [by, change.pk])


def test_an_invitation_to_power_is_not_sent_before_and_its_letter_works_after(
    administrator: User, principal: User, mailoutbox: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    def link(secret: str) -> str:
        return f"http://testserver/account/seat/{secret}/"

    with django_capture_on_commit_callbacks(execute=True):
        invitation = services.invite(
            email="new@example.com", name="Nell New", role="principal", books=(), by=administrator, link=link
        )
        with pytest.raises(Conflict, match="waits for a second person"):
            services.resend(invitation, by=administrator, link=link)
    assert mailoutbox == []

    with django_capture_on_commit_callbacks(execute=True):
        services.agree(SeatChange.objects.get(), by=principal, link=link)

    [letter] = mailoutbox
    secret = letter.body.split("/account/seat/")[1].split("/")[0]
    found = services.find_invitation(secret)
    assert found == invitation
    assert services.accept_invitation(invitation, password="violet harbour 48 kettle").role == "principal"


def test_a_no_leaves_everything_and_withdraws_the_invitation(administrator: User, principal: User) -> None:
    services.invite(email="n@example.com", name="Nell New", role="administrator", books=(), by=administrator, link=str)

    change = seats.decline(SeatChange.objects.get(), by=principal)

    assert change.status == SeatStatus.DECLINED
    assert Invitation.objects.get().why_closed == "This invitation was withdrawn."
    with pytest.raises(Conflict, match="decided already: not agreed to"):
        services.agree(change, by=principal, link=str)


def test_a_closed_principal_is_let_in_again_by_two(
    administrator: User, principal: User, second_principal: User
) -> None:
    services.deactivate(second_principal, by=administrator)

    services.reactivate(second_principal, by=administrator)
    assert not User.objects.get(pk=second_principal.pk).is_active
    services.agree(SeatChange.objects.get(), by=principal, link=str)

    assert User.objects.get(pk=second_principal.pk).is_active


def test_taking_power_is_never_held_up_and_drops_what_waits(
    administrator: User, principal: User, second_principal: User
) -> None:
    change = asked(second_principal, administrator, "administrator")

    services.change_role(second_principal, role="viewer", by=administrator)

    change.refresh_from_db()
    assert (role_of(second_principal), change.status) == ("viewer", SeatStatus.DROPPED)


def test_what_was_asked_for_somebody_who_has_changed_since_is_not_given(
    advisor: User, administrator: User, principal: User
) -> None:
    change = asked(advisor, administrator)
    User.objects.filter(pk=advisor.pk).update(role="viewer")

    with pytest.raises(Conflict, match="has another role since"):
        services.agree(change, by=principal, link=str)
    assert role_of(advisor) == "viewer"


def test_what_was_asked_by_somebody_who_may_not_any_more_is_not_given(
    advisor: User, administrator: User, principal: User, person: Any
) -> None:
    change = asked(advisor, person("administrator", "Olga Other"))
    User.objects.filter(pk=change.asked_by_id).update(is_active=False)

    with pytest.raises(Conflict, match="may not change people any more"):
        services.agree(change, by=principal, link=str)
    with pytest.raises(NotPermitted):
        services.agree(change, by=advisor, link=str)
    assert role_of(advisor) == "advisor"


def test_in_a_new_firm_with_nobody_else_it_is_done_at_once(advisor: User, administrator: User) -> None:
    services.change_role(advisor, role="principal", by=administrator)

    assert (role_of(advisor), SeatChange.objects.count()) == ("principal", 0)


def test_today_shows_it_to_whoever_may_agree_and_to_nobody_else(
    advisor: User, administrator: User, principal: User, operations: User
) -> None:
    asked(advisor, administrator)

    def titles(user: User) -> list[str]:
        return [item.title for item in second_persons.inbox(user)]

    assert titles(principal) == ["Ada Alder becomes principal"]
    assert titles(administrator) == titles(operations) == titles(advisor) == []


# ---- forms that make something are used once


def seat(intent: str) -> dict[str, str]:
    return {"email": "new@example.com", "name": "Nell New", "role": "viewer", "intent": intent}


def test_an_invitation_pressed_twice_is_one_and_both_presses_are_told_so(administrator: User, client: Client) -> None:
    client.force_login(administrator)
    form = seat(str(uuid.uuid4()))

    answers = [client.post("/people/invite/", form) for _ in range(2)]

    assert [answer.get("Location") for answer in answers] == ["/people/", "/people/"]
    assert Invitation.objects.count() == 1


def test_a_token_pressed_twice_is_one_and_its_text_does_not_come_again(advisor: User, client: Client) -> None:
    client.force_login(advisor)
    form = {"name": "Nightly", "days": "7", "scopes": ["clients.view"], "intent": str(uuid.uuid4())}

    first, second = (client.post("/account/tokens/", form) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 409)
    assert "bo_" in first.content.decode()
    assert "This form was sent twice." in second.content.decode()
    assert form["intent"] not in second.content.decode()  # the form drawn below is another one
    assert ApiToken.objects.count() == 1


# ---- a forged hidden field


@pytest.mark.row(id="Z02")
def test_a_forged_field_of_an_invitation_gives_no_other_role(viewer: User, administrator: User) -> None:
    services.invite(email="n@example.com", name="Nell New", role="viewer", books=(), by=administrator, link=str)
    secret = "a-link-that-is-known"
    Invitation.objects.update(token_sha256=services.digest(secret))
    good = {"password": "violet harbour 48 kettle", "again": "violet harbour 48 kettle"}

    forged = Client().post(f"/account/seat/{secret}/", {**good, "role": "principal"})

    assert forged.status_code == 422
    assert "This form does not take “role”." in forged.content.decode()
    assert not User.objects.filter(email="n@example.com").exists()
    assert Entry.objects.filter(action="request.refused", data__route="people:accept").count() == 1
    assert Client().post(f"/account/seat/{secret}/", good).status_code == 302


@pytest.mark.row(id="Z02")
@pytest.mark.parametrize("part", ["role", "books"])
def test_a_forged_field_changes_nobody(part: str, advisor: User, administrator: User, client: Client) -> None:
    client.force_login(administrator)

    forged = client.post(
        f"/people/{advisor.pk}/{part}/", {"role": "viewer"} | {"is_active": "", "email": "me@x.example"}
    )

    assert forged.status_code == 422
    assert "This form does not take “email”, “is_active”" in forged.content.decode()
    assert role_of(advisor) == "advisor"
    assert Entry.objects.filter(action="request.refused", actor=administrator).count() == 1


@pytest.mark.parametrize(
    ("url", "typed", "made"),
    [
        ("/people/invite/", seat("not one of ours"), Invitation.objects.count),
        ("/account/tokens/", {"name": "N", "days": "7", "scopes": ["home.view_today"]}, ApiToken.objects.count),
    ],
)
def test_without_the_forms_own_token_nothing_is_made(
    url: str, typed: dict[str, Any], made: Callable[[], int], administrator: User, client: Client
) -> None:
    client.force_login(administrator)

    assert client.post(url, typed).status_code == 422
    assert made() == 0


def test_a_seat_in_operations_waits_where_the_policy_lets_operations_approve(
    administrator: User, principal: User, second_principal: User, viewer: User
) -> None:
    rule = ApprovalRule("withdrawal", 1, roles=APPROVERS["operations"])
    proposed = policies.propose(
        replace(FIRST, approvals=(rule,)), by=principal, reason="The desk decides", effective_at=clock.now(), based_on=1
    )
    policies.approve(proposed, by=second_principal, document_sha256=proposed.document_sha256)

    services.invite(email="g@example.com", name="Gil Ghost", role="operations", books=(), by=administrator, link=str)
    services.change_role(viewer, role="operations", by=administrator)

    assert role_of(viewer) == "viewer"
    assert seats.waiting().filter(role="operations").count() == 2
    assert Invitation.objects.get().sent_at is None


def test_a_seat_in_operations_waits_from_the_day_a_coming_policy_is_approved(
    administrator: User, principal: User, second_principal: User, viewer: User
) -> None:
    rule = ApprovalRule("withdrawal", 1, roles=APPROVERS["operations"])
    proposed = policies.propose(
        replace(FIRST, approvals=(rule,)), by=principal, reason="The desk decides",
        effective_at=clock.now() + timedelta(days=7), based_on=1,
    )  # fmt: skip
    policies.approve(proposed, by=second_principal, document_sha256=proposed.document_sha256)

    services.change_role(viewer, role="operations", by=administrator)

    assert role_of(viewer) == "viewer"


def test_a_seat_in_operations_is_given_at_once_where_only_principals_approve(
    administrator: User, principal: User, viewer: User
) -> None:
    services.change_role(viewer, role="operations", by=administrator)

    assert role_of(viewer) == "operations"
