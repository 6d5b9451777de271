"""Documents for tasks, sent as the `documentSubmission` operation of PATCH `/gw/api/v1/accounts`."""

from backoffice.ibkr.account_management.changes import send_operation
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.types.documents import ChangeAccepted, DocumentSubmission


def send_documents(requestor: Requestor, submission: DocumentSubmission) -> ChangeAccepted:
    """Hand in documents; IBKR reviews them within about a day and the account's tasks say what became of them.

    Trap: signing and base64 make a request 16/9 as large as its files; above 20 MB (about 11 MB of files) it
    raises Unsendable and nothing is sent.
    """
    return send_operation(requestor, "documentSubmission", submission.wire_members())
