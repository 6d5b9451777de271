"""Account management: applications, status, tasks, documents and changes (`accounts`), requests, forms, enumerations.

`Accounts`, `Requests`, `Forms`, `Enumerations` and `Validations` are the families the client exposes. The answers to
applications are read in `applications`, those to changes in `changes`; `verdicts` finds their Success or Error.
"""

from backoffice.ibkr.account_management.accounts import Accounts
from backoffice.ibkr.account_management.requests import Requests

__all__ = ["Accounts", "Requests"]
