"""Whose a paper is: of joint holders each hands in his own, and IBKR takes one file for each form."""

from typing import Any

from tests.sandbox.support import Caller, application, errors, outcome
from tests.sandbox.test_customers import joint
from tests.sandbox.test_review import hand_in, paper

ONE_EACH = "Only one document per form number is accepted"


def opened(caller: Caller, ext: str) -> str:
    caller.config(trulioo="nomatch")
    return str(outcome(caller.post("/accounts", joint(ext)))["accounts"][0]["value"])


def states(caller: Caller, number: str) -> dict[str, str]:
    """State of the proof of identity by holder."""
    rows = caller.get(f"/accounts/{number}/tasks", type="registration").json()["registrationTasks"]
    return {row["externalId"]: row["state"] for row in rows if row["formNumber"] == 8001}


def of(holder: str, first: str, form: int = 8001, **more: Any) -> dict[str, Any]:
    return paper(form, signer=f"{first} Mockfield", externalIndividualId=holder, **more)


def test_a_paper_of_the_second_holder_answers_his_own_task(caller: Caller) -> None:
    number = opened(caller, "pp-1")

    assert outcome(hand_in(caller, number, of("pp-1-2", "Dario")))["status"] == "Success"

    assert states(caller, number) == {"pp-1-1": "To Be Sent", "pp-1-2": "Received- Being Processed"}


def test_both_holders_hand_in_the_same_form_at_once(caller: Caller) -> None:
    number = opened(caller, "pp-2")

    assert outcome(hand_in(caller, number, of("pp-2-1", "Clara"), of("pp-2-2", "Dario")))["status"] == "Success"

    assert set(states(caller, number).values()) == {"Received- Being Processed"}


def test_a_paper_of_joint_holders_says_whose_it_is_and_is_signed_by_that_one(caller: Caller) -> None:
    number = opened(caller, "pp-3")
    nobodys = {name: value for name, value in of("", "Clara").items() if name != "externalIndividualId"}

    assert errors(hand_in(caller, number, nobodys))[0] == (
        "External Individual Id of the document for form 8001 is missing."
    )
    assert "does not match any individual" in errors(hand_in(caller, number, of("else", "Clara")))[0]
    assert errors(hand_in(caller, number, of("pp-3-2", "Clara"))) == ["Signature not accepted."]
    assert errors(hand_in(caller, number, of("pp-3-1", "Clara"), of("pp-3-1", "Clara"))) == [ONE_EACH]


def test_an_application_of_joint_holders_says_so_too(caller: Caller) -> None:
    whole = joint("pp-4")
    whole["application"]["documents"] = [
        {name: value for name, value in of("", "Clara").items() if name != "externalIndividualId"}
    ]

    assert errors(caller.post("/accounts", whole)) == [
        "External Individual Id of the document for form 8001 is missing."
    ]


def test_an_application_has_one_file_for_each_form(caller: Caller) -> None:
    whole = application("pp-5")
    whole["application"]["documents"] = [paper(8001), paper(8001, name="back.pdf")]

    assert errors(caller.post("/accounts", whole)) == [ONE_EACH]


def test_whose_a_paper_of_a_single_holder_is_makes_no_difference(caller: Caller) -> None:
    caller.config(trulioo="nomatch")
    number = outcome(caller.post("/accounts", application("pp-6")))["accounts"][0]["value"]

    assert outcome(hand_in(caller, number, paper(8001, externalIndividualId="somebody")))["status"] == "Success"
