from backoffice.sandbox.coverage import FILE, operations, text


def test_the_list_of_what_is_served_is_the_one_in_the_repository() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m backoffice.sandbox.coverage"


def test_an_operation_is_listed_once_and_under_the_family_that_serves_it() -> None:
    served = operations()
    listed = [each for group in served.values() for each in group]

    assert len(listed) == len(set(listed))
    assert "POST /oauth2/api/v1/token" in served["oauth"]
