"""What a service may refuse, said so that a person can act on it."""


class Refusal(Exception):
    """A service declined. `str()` is a sentence for the person who asked."""


class InvalidInput(Refusal):
    """One field broke one rule.

    `field` is the form field's name, `message` says what is wrong, `fix` says how to mend it.
    """

    def __init__(self, field: str, message: str, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.field = field
        self.message = message
        self.fix = fix


class Conflict(Refusal):
    """The row is no longer in the state the caller saw; somebody else moved it first."""


class NotPermitted(Refusal):
    """The person may not do this; the sentence says who may."""
