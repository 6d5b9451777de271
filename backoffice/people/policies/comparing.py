"""Two versions side by side, in words."""

from dataclasses import dataclass

from backoffice.people.policies.document import Document


@dataclass(frozen=True)
class Difference:
    """One line of a comparison, in the form of the page part for before and after."""

    label: str
    before: str
    after: str

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


def compare(before: Document, after: Document) -> list[Difference]:
    """Return every line of either document; rules that moved without changing are the same rule."""
    old, new = _keyed(before), _keyed(after)
    return [Difference(label, old.get(label, ""), new.get(label, "")) for label in dict.fromkeys([*old, *new])]


def _keyed(document: Document) -> dict[str, str]:
    found: dict[str, str] = {}
    for label, value in document.lines():
        head, _, number = label.rpartition(" ")
        if head in {"Approval", "Limit"} and number.isdigit():
            what, _, says = value.rpartition(": ")
            found[what] = says
        else:
            found[label] = value
    return found
