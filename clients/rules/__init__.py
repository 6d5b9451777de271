"""What IBKR asks of a hybrid individual application, checked before a byte is sent (account-management.md 6.1 to 6.4).

Pure: a draft (what was typed) goes in, named defects come out. Each says the field, what is wrong, how to mend it, and
its rule. `stops` defects are refused by IBKR; the others warn of delay.
"""

from clients.rules.checks import Defect, check, check_address, check_alias, readiness
from clients.rules.fields import FIELDS, PERSONAL, SECTIONS, FieldFact, Section, section_of

__all__ = [
    "FIELDS",
    "PERSONAL",
    "SECTIONS",
    "Defect",
    "FieldFact",
    "Section",
    "check",
    "check_address",
    "check_alias",
    "readiness",
    "section_of",
]
