"""The operations of `PATCH /accounts`, each a check and an effect; `maintenance` carries them out.

    lifecycle     close, reopen, abandon, reset, external id
    profile       alias, currency, holder details, finances, email, tax form and other data of account and person
    permissions   trading permissions, margin, capabilities, LITE and PRO, SYEP, DRIP, fee templates, market data
    people        users, representatives, entities, further accounts
    papers        documents, questionnaires, quizzes, login messages

IBKR's sentences where its documentation prints them; where it says only "error" the sentence is the sandbox's own.
Simplified: "1 to 2 business days" is the close of the next one; forms that must be signed before margin or permissions
change are checked when sent, not demanded (which ones is not printed), but for 4155; updatePassword, the deprecated
operations, withholding statements (FA and FD) and BCAN (not IB-HK) always answer an error; a DRIP account reinvests
nothing; the right answer to every quiz question is its first.
"""

from . import lifecycle, papers, people, permissions, profile
from .base import Accepted, Operation, Outcome, Subject

ALL: dict[str, Operation] = {
    **lifecycle.OPERATIONS, **profile.OPERATIONS, **permissions.OPERATIONS, **people.OPERATIONS, **papers.OPERATIONS,
}  # fmt: skip

__all__ = ["ALL", "Accepted", "Operation", "Outcome", "Subject"]
