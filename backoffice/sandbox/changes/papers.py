"""Documents, questionnaires, quizzes and login messages: what a client or the firm hands in for a person to read."""

from typing import Any

from backoffice.sandbox import documents, enumerations, login_messages, review
from backoffice.sandbox.clock import stamp

from .base import ANY_STATUS, DONE, OPEN_OR_PENDING, Accepted, Operation, Outcome, Subject

LONGEST_DETAIL = 350
QUIZ_TASKS = {2430: 2431, 2432: 2433, 2438: 2439}


def papers(subject: Subject, handed_in: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the documents of any operation."""
    is_joint, holders = subject.trait("customer type") == "JOINT", subject.persons()
    found = documents.repeated(handed_in, is_joint=is_joint)
    by_id = {holder.external_id: holder for holder in holders}
    for document in [] if found else handed_in:
        if is_joint:
            found += documents.joint_mistakes(subject.sandbox, subject.master.account, document, by_id)
        else:
            found += documents.mistakes(subject.sandbox, subject.master.account, document, holders)
    return found


def file(subject: Subject, handed_in: list[dict[str, Any]]) -> None:
    """Keep checked documents and set their tasks going."""
    for document in handed_in:
        documents.take(subject.sandbox, subject.number, document, subject.request_id, stamp(subject.now))


def _submit(subject: Subject) -> list[str] | Accepted:
    handed_in = subject.operation.get("documents", [])
    if not handed_in:
        return ["documents is missing"]
    found = papers(subject, handed_in)
    for document in handed_in:
        form, owner = document.get("formNumber"), documents.owner_of(subject.sandbox, subject.number, document)
        is_wanted = form is None or (
            documents.waiting_task(subject.sandbox, subject.number, form, owner) is not None
            or login_messages.agreement_for(subject.sandbox, subject.number, form) is not None
            or form in documents.FILED_AHEAD
        )
        if not is_wanted:
            found.append(f"Form {form} is not an outstanding task of account {subject.number}")
    return found or Accepted(subject.now)


def _submitted(subject: Subject, _note: dict[str, Any]) -> Outcome:
    file(subject, subject.operation["documents"])
    return DONE


def _answers(subject: Subject, sheets: list[dict[str, Any]]) -> list[str]:
    """What is wrong with filled questionnaires [{formNumber, answers: [{questionId, id, detail}]}]."""
    if not sheets:
        return ["questionnaire is missing"]
    found: list[str] = []
    for sheet in sheets:
        form = sheet.get("formNumber")
        questions = {question["questionId"]: question for question in enumerations.questions(form or 0)}
        if not questions:
            found.append(f"Form {form} is not a questionnaire")
            continue
        answered = {answer.get("questionId"): answer for answer in sheet.get("answers", [])}
        found += [f"Question {number} is unknown in form {form}" for number in answered if number not in questions]
        for number, question in questions.items():
            answer = answered.get(number)
            if answer is None:
                found += [f"Question {number} of form {form} is mandatory"] if question["isMandatoryToAnswer"] else []
            elif question["answers"] and answer.get("id") not in {choice["id"] for choice in question["answers"]}:
                found.append(f"Answer {answer.get('id')} is not a choice of question {number}")
            elif not question["answers"] and not answer_text(answer):
                found.append(f"Question {number} of form {form} is mandatory")
            if answer is not None and len(answer_text(answer)) > LONGEST_DETAIL:
                found.append(f"The detail of question {number} exceeds {LONGEST_DETAIL} characters")
    return found


def answer_text(answer: dict[str, Any]) -> str:
    """The free text of an answer, whose member is an object or text in the documents that describe it."""
    detail = answer.get("detail", answer.get("answerDetail", answer.get("details", "")))
    return detail if isinstance(detail, str) else "".join(str(value) for value in detail.values()) if detail else ""


def _questionnaires(subject: Subject) -> list[str] | Accepted:
    found = _answers(subject, subject.operation.get("questionnaire", []))
    return found or Accepted(subject.now)


def _answered(subject: Subject, _note: dict[str, Any]) -> Outcome:
    for sheet in subject.operation["questionnaire"]:
        _complete(subject, sheet["formNumber"])
    return DONE


def _complete(subject: Subject, form: int) -> None:
    for task in review.tasks(subject.sandbox, subject.number):
        if task.form_number == form and task.completed_at is None:
            review.judge_task(subject.sandbox, task)


def _quizzes(subject: Subject) -> list[str] | Accepted:
    found = _answers(subject, subject.operation.get("questionnaire", []))
    tasks = {task.get("formNumber") for task in subject.operation.get("task", [])}
    for sheet in subject.operation.get("questionnaire", []):
        wanted = QUIZ_TASKS.get(sheet.get("formNumber", 0))
        if wanted is None:
            found.append(f"Form {sheet.get('formNumber')} is not a quiz")
        elif wanted not in tasks:
            found.append(f"Task {wanted} is missing")
    return found or Accepted(subject.now)


def _quizzed(subject: Subject, _note: dict[str, Any]) -> Outcome:
    """The right answer to every invented question is its first; 8 of 10 pass."""
    for sheet in subject.operation["questionnaire"]:
        right = {
            question["questionId"]: question["answers"][0]["id"]
            for question in enumerations.questions(sheet["formNumber"])
        }
        score = sum(1 for answer in sheet["answers"] if right.get(answer["questionId"]) == answer.get("id"))
        if score < 8:
            return Outcome(f"Quiz {sheet['formNumber']} was not passed")
        subject.set_trait(f"quiz {sheet['formNumber']}", stamp(subject.now))
        for form in (sheet["formNumber"], QUIZ_TASKS[sheet["formNumber"]]):
            _complete(subject, form)
    return DONE


def _prohibited(subject: Subject) -> list[str] | Accepted:
    details = subject.operation.get("prohibitedQuestionnaireDetails", [])
    if not details:
        return ["prohibitedQuestionnaireDetails is missing"]
    if subject.person(subject.operation.get("entityId"), subject.operation.get("externalId")) is None:
        return ["The individual is not known: provide entityId or externalId"]
    found = [
        f"Details are required for {detail['code']}"
        for detail in details
        if detail.get("status") and not detail.get("details")
    ]
    return found or Accepted(subject.now)


def _prohibited_answered(subject: Subject, _note: dict[str, Any]) -> Outcome:
    _complete(subject, 3442)
    subject.set_trait("prohibited country questionnaire", subject.operation["prohibitedQuestionnaireDetails"])
    return DONE


def _messages(subject: Subject) -> list[str] | Accepted:
    wanted = subject.operation.get("loginMessageIds", [])
    if not wanted:
        return ["loginMessageIds is missing"]
    everything = login_messages.waiting(subject.sandbox, subject.number, login_messages.TEXTS)
    known = {number: kind for number, kind, _ in everything}
    found = [f"Login message {number} is not pending" for number in wanted if number not in known]
    found += [
        f"Login message {number} of type {known[number]} can be completed in the portal only"
        for number in wanted
        if number in known and known[number] not in login_messages.BY_API
    ]
    return found or Accepted(subject.now)


def _messages_completed(subject: Subject, _note: dict[str, Any]) -> Outcome:
    for number in subject.operation["loginMessageIds"]:
        login_messages.complete(subject.sandbox, number)
    return DONE


OPERATIONS = {
    "documentSubmission": Operation(_submit, _submitted, ANY_STATUS),
    "questionnaires": Operation(_questionnaires, _answered, OPEN_OR_PENDING),
    "quizQuestionnaires": Operation(_quizzes, _quizzed, OPEN_OR_PENDING),
    "prohibitedCountryQuestionnaire": Operation(_prohibited, _prohibited_answered, OPEN_OR_PENDING),
    "completeLoginMessage": Operation(_messages, _messages_completed),
}
