"""Account management: applications, status, tasks, documents and changes (`accounts`), requests, forms, enumerations.

`Accounts`, `Requests`, `Forms`, `Enumerations` and `Validations` are the families the client exposes. The answers to
applications are read in `applications`, those to changes in `changes`; `verdicts` finds their Success or Error,
`archives` unpacks the files of forms, `pages` reads lists page by page.
"""

from backoffice.ibkr.account_management.accounts import Accounts
from backoffice.ibkr.account_management.enumerations import Enumerations
from backoffice.ibkr.account_management.forms import Forms
from backoffice.ibkr.account_management.requests import Requests
from backoffice.ibkr.account_management.validations import Validations

__all__ = ["Accounts", "Enumerations", "Forms", "Requests", "Validations"]
