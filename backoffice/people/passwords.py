"""What a list of common passwords cannot know: the same letter again and again, or the next one each time."""

from itertools import pairwise

from django.core.exceptions import ValidationError

FEWEST = 6  # different characters


class Varied:
    """Refuse passwords of few characters, or of rows such as "abcdefghijkl" and "123456789012" (NIST SP 800-63B 5.1.1.2)."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError for what somebody who guesses tries first."""
        typed = password.casefold()
        if len(set(typed)) < FEWEST:
            raise ValidationError(f"Use at least {FEWEST} different characters.", code="password_repeats")
        in_a_row = sum(_follows(one, next_one) for one, next_one in pairwise(typed))
        if in_a_row * 2 > len(typed):
            raise ValidationError("Letters or digits in their own order are guessed first.", code="password_in_a_row")

    def get_help_text(self) -> str:
        return "Your password can’t be one character repeated, or letters or digits in their own order."


def _follows(one: str, next_one: str) -> bool:
    return abs(ord(next_one) - ord(one)) <= 1 or (one + next_one) in {"90", "09"}
