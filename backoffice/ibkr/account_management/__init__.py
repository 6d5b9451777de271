"""Account management: applications, status and tasks (`accounts`), documents, and changes to accounts.

`Accounts` is the family the client exposes; documents and changes are PATCH operations it delegates to.
"""

from backoffice.ibkr.account_management.accounts import Accounts

__all__ = ["Accounts"]
