"""Names as people look for them: the beginnings of words, in any order, without accents or capitals.

The folding is a function of the database (`folded_words`, core migration 0004), so that its index can rest on it; what is
typed is folded by PostgreSQL too, and the two cannot differ.
"""

import re
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import models
from django.db.models import F, Func, Value

MOST_WORDS = 5


class FoldedWords(Func):
    """The words of a text column, for a generated column with a GIN index."""

    function = "folded_words"
    output_field = SearchVectorField()


class Beginnings(SearchQuery):
    """Words, each of which some word must begin with."""

    def __init__(self, typed: str) -> None:
        super().__init__(Value(typed))
        self.function = "folded_beginnings"


def words_of(*columns: str) -> models.GeneratedField:
    """Return a stored column with the words of some text columns."""
    joined: Any = F(columns[0])
    if len(columns) > 1:
        joined = models.ExpressionWrapper(_joined(columns), output_field=models.TextField())
    return models.GeneratedField(expression=FoldedWords(joined), output_field=SearchVectorField(), db_persist=True)


def _joined(columns: tuple[str, ...]) -> Any:
    expression: Any = F(columns[0])
    for column in columns[1:]:
        expression = Func(expression, Value(" "), F(column), template="(%(expressions)s)", arg_joiner=" || ")
    return expression


def starting_with(text: str) -> Beginnings | None:
    """Return a query that each typed word begins some word of the name; None when nothing was typed that has letters."""
    typed = re.findall(r"[^\W_]+", text)[:MOST_WORDS]
    return Beginnings(" ".join(typed)) if typed else None
