"""IBKR's messages to the username (`/fyi/*`): at most one call a second over all of them.

Delivery to telephones and by e-mail (`/fyi/deliveryoptions`) is left out on purpose: it is the person's own business.
Prompts about orders are not here; they are answered through `orders.answer_prompt`.
"""

import re
from collections.abc import Sequence

from backoffice.ibkr.answers import object_read
from backoffice.ibkr.errors import Unavailable, Unsendable
from backoffice.ibkr.reading import list_read, read_answer, read_answers
from backoffice.ibkr.requestor import Requestor
from backoffice.ibkr.transport import Effect, Reply
from backoffice.ibkr.types.notifications import Disclaimer, Notification, NotificationKind, Unread

MOST_AT_ONCE = 10
_KIND = re.compile(r"[A-Z][A-Z0-9]{1,3}")
_NOTIFICATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Notifications:
    """Reads messages and says which are wanted. Every call may be repeated without harm."""

    def __init__(self, requestor: Requestor) -> None:
        self._requestor = requestor

    def unread(self) -> Unread:
        """GET /fyi/unreadnumber. Trap: 423 (locked) means ask later; it is Unavailable here, not a refusal."""
        reply = self._get("unreadnumber")
        if reply.status == 423:
            raise Unavailable("IBKR's messages are locked for a moment.", status=423, exchange=reply.exchange)
        return read_answer(Unread, object_read(reply), reply)

    def recent(
        self,
        *,
        most: int = MOST_AT_ONCE,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        after: str | None = None,
    ) -> tuple[Notification, ...]:
        """GET /fyi/notifications: the newest messages, at most 10; for older ones give the last one's id as `after`."""
        if not 1 <= most <= MOST_AT_ONCE:
            raise Unsendable(f"At most {MOST_AT_ONCE} messages come at once.")
        query = {"max": str(most)}
        if only:
            query["include"] = ",".join(_kind(each) for each in only)
        if without:
            query["exclude"] = ",".join(_kind(each) for each in without)
        if after is not None:
            query["id"] = _notification(after)
        reply = self._requestor.trading("GET", "fyi", "notifications", effect=Effect.READ, query=query)
        return read_answers(Notification, list_read(reply, within="notifications"), reply)

    def older(self, after: str) -> tuple[Notification, ...]:
        """GET /fyi/notifications/more: the messages before this one. Trap: it takes no kinds; `recent` does, with `after`."""
        query = {"id": _notification(after)}
        reply = self._requestor.trading("GET", "fyi", "notifications", "more", effect=Effect.READ, query=query)
        return read_answers(Notification, list_read(reply, within="notifications"), reply)

    def mark_read(self, notification_id: str) -> None:
        """PUT /fyi/notifications/{id}: mark a message as read."""
        object_read(
            self._requestor.trading("PUT", "fyi", "notifications", _notification(notification_id), effect=Effect.READ)
        )

    def kinds(self) -> tuple[NotificationKind, ...]:
        """GET /fyi/settings: the kinds of messages, and which are wanted."""
        reply = self._get("settings")
        return read_answers(NotificationKind, list_read(reply), reply)

    def want(self, kind: str, *, wanted: bool) -> None:
        """POST /fyi/settings/{kind}: ask for a kind, or not. Trap: an unknown kind is answered as if it were known."""
        object_read(
            self._requestor.trading(
                "POST", "fyi", "settings", _kind(kind), effect=Effect.READ, body={"enabled": wanted}
            )
        )

    def disclaimer(self, kind: str) -> Disclaimer:
        """GET /fyi/disclaimer/{kind}: what must be read about a kind of message."""
        reply = self._get("disclaimer", _kind(kind))
        return read_answer(Disclaimer, object_read(reply), reply)

    def accept_disclaimer(self, kind: str) -> None:
        """PUT /fyi/disclaimer/{kind}: say that it was read."""
        object_read(self._requestor.trading("PUT", "fyi", "disclaimer", _kind(kind), effect=Effect.READ))

    def _get(self, *segments: str) -> Reply:
        return self._requestor.trading("GET", "fyi", *segments, effect=Effect.READ)


def _kind(kind: str) -> str:
    if not _KIND.fullmatch(kind):
        raise Unsendable(f"{kind!r} is not a kind of message such as BA.")
    return kind


def _notification(notification_id: str) -> str:
    if not _NOTIFICATION.fullmatch(notification_id):
        raise Unsendable(f"{notification_id!r} is not the id of a message.")
    return notification_id
