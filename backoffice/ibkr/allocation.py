"""`/iserver/account/allocation/*`: an advisor's allocation groups and presets."""

import re

from backoffice.ibkr import paths
from backoffice.ibkr.answers import list_of, object_read, problem_in, readable_or_none, refused_access, rejected
from backoffice.ibkr.errors import OutcomeUnknown
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.allocation import (
    AllocationAccount,
    Group,
    GroupDefinition,
    GroupSummary,
    Presets,
    PresetsChange,
)

_GROUP = ("iserver", "account", "allocation", "group")
_PRESETS = ("iserver", "account", "allocation", "presets")
# Wrong accounts, names and methods are documented to be refused with HTTP 500: these words make it a refusal we recognise.
_REFUSED_WITH_500 = re.compile(
    r"invalid|unknown|duplicate|already exists|not found|doesn't exist|does not exist|not allowed|unsupported|must|required|cannot",
    re.IGNORECASE,
)


class Allocation:
    """Reads and keeps allocation groups and presets. After any write, read it again and compare."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def accounts(self) -> tuple[AllocationAccount, ...]:
        """GET /iserver/account/allocation/accounts: the figures methods A and N are computed from."""
        reply = self._requestor.trading("GET", "iserver", "account", "allocation", "accounts", effect=Effect.READ)
        found = []
        for row in list_read(reply, within="accounts"):
            members = row if isinstance(row, dict) else {}
            figures = {
                str(pair.get("key")): pair.get("value")
                for pair in list_of(members.get("data"))
                if isinstance(pair, dict)
            }
            data = {
                **members,
                "account_id": members.get("name"),
                "net_liquidation": figures.get("NetLiquidation"),
                "available_equity": figures.get("AvailableEquity"),
            }
            found.append(read_answer(AllocationAccount, data, reply))
        return tuple(found)

    def groups(self) -> tuple[GroupSummary, ...]:
        """GET /iserver/account/allocation/group: names, methods and sizes."""
        reply = self._requestor.trading("GET", *_GROUP, effect=Effect.READ)
        return read_answers(GroupSummary, list_read(reply, within="data"), reply)

    def group(self, name: str) -> Group:
        """POST /iserver/account/allocation/group/single: one group with its members. Names are case-sensitive."""
        reply = self._requestor.trading(
            "POST", *_GROUP, "single", effect=Effect.READ, body={"name": paths.group_name(name)}
        )
        return read_answer(Group, object_read(reply), reply)

    def create_group(self, definition: GroupDefinition) -> None:
        """POST /iserver/account/allocation/group. A write, sent once. Raises Rejected, also for a name that exists."""
        self._confirm(self._requestor.trading("POST", *_GROUP, effect=Effect.WRITE, body=definition.wire_members()))

    def replace_group(self, definition: GroupDefinition, *, previous_name: str | None = None) -> None:
        """PUT /iserver/account/allocation/group. A write, sent once; it replaces the whole membership and may rename."""
        body = {**definition.wire_members(), "prev_name": paths.group_name(previous_name or definition.name)}
        self._confirm(self._requestor.trading("PUT", *_GROUP, effect=Effect.WRITE, body=body))

    def delete_group(self, name: str) -> None:
        """POST /iserver/account/allocation/group/delete. A write, sent once."""
        body = {"name": paths.group_name(name)}
        self._confirm(self._requestor.trading("POST", *_GROUP, "delete", effect=Effect.WRITE, body=body))

    def presets(self) -> Presets:
        """GET /iserver/account/allocation/presets: how block orders are shared out.

        Trap: every login of this username to TWS overwrites them; read them before each block order and keep what was read.
        """
        reply = self._requestor.trading("GET", *_PRESETS, effect=Effect.READ)
        return read_answer(Presets, object_read(reply), reply)

    def set_presets(self, wanted: PresetsChange) -> None:
        """POST /iserver/account/allocation/presets: set all five. A write, sent once; then read and compare.

        Trap: what is set here does not reach TWS, and TWS's own presets come back with its next login.
        """
        self._confirm(self._requestor.trading("POST", *_PRESETS, effect=Effect.WRITE, body=wanted.wire_members()))

    def _confirm(self, reply: Reply) -> None:
        body = readable_or_none(reply)
        if (error := refused_access(reply, body)) is not None:
            raise error
        problem = problem_in(body)
        if 200 <= reply.status < 300 and problem is None and isinstance(body, dict) and body.get("success") is True:
            return
        if problem is not None and not problem.is_internal:
            if 200 <= reply.status < 300 or 400 <= reply.status < 500:
                raise rejected(problem, reply)
            if reply.status == 500 and _REFUSED_WITH_500.search(problem.text):
                raise rejected(problem, reply)
        said = f": {problem.text}" if problem else ""
        raise OutcomeUnknown(f"IBKR answered HTTP {reply.status}{said}", status=reply.status, exchange=reply.exchange)
