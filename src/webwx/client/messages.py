"""Send, reply, mark as read, recall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.base import BaseClient
from webwx.errors import RecallExpired, RecallRefused
from webwx.flows import messages as message_flows
from webwx.model.contacts import Contact
from webwx.model.messages import Message, Receipt
from webwx.protocol.codes import RECALL_WINDOW

if TYPE_CHECKING:
    pass

_CLOCK_TOLERANCE = 2.0
"""Seconds by which two clocks that both count whole seconds may disagree."""


class MessageVerbs(BaseClient):
    """The customer's four actions, and what goes with them."""

    async def send_text(self, to: Contact | str, text: str) -> Receipt:
        """
        Send a text.

        Args:
            to: A contact, `filehelper`, a remark, a nickname, or an id of this login.
            text: Sent as it is: nothing in it is a command, a path or markup. At most 16,000 characters.

        Raises:
            UnknownContact: Nobody of that name, or several; nothing was sent.
            EmptyText: No character; nothing was sent.
            TextTooLong: Beyond the limit; nothing was sent.
            TargetRefused: Not a friend, or oneself.
            RateLimited: Too many sends.
            SendUnknown: The answer was lost: it may have been sent, and is never repeated for you.
            LoggedOut: The login ended; nothing was sent.

        Wire: webwxsendmsg

        """
        chat = self._target(to)
        message_flows.check_text(text)
        client_id = self._cell.next_client_id()
        message_id = await self._run(message_flows.send_text(self._login, chat, text, client_id))
        return self._receipt(message_id, client_id, chat)

    async def reply(self, message: Message, text: str) -> Receipt:
        """
        Send a text into the chat of a message.

        Raises: As `send_text`.

        Wire: webwxsendmsg

        """
        return await self.send_text(message.chat, text)

    async def mark_read(self, chat: Contact | str) -> None:
        """
        Mark a whole chat as read: its badge goes on the account's other devices. The other side learns nothing.

        Raises:
            UnknownContact: Nobody of that name, or several; nothing was sent.
            LoggedOut: The login ended.

        Wire: webwxstatusnotify (code 1)

        """
        await self._run(message_flows.mark_read(self._login, self._target(chat), self._cell.now()))

    async def recall(self, receipt: Receipt) -> None:
        """
        Take back a message this account sent.

        The other side sees a notice that something was recalled, not what it said. The platform allows this for two
        minutes; ask `receipt.can_recall(now)` first if you would rather not catch an exception.

        Args:
            receipt: What `send_…`, `reply` or `forward` returned, here or in another process.

        Raises:
            RecallExpired: The two minutes are over. The message stays.
            RecallRefused: It is not this account's message, or nobody knows it. The message stays.
            SendUnknown: The answer was lost.
            LoggedOut: The login ended.

        Wire: webwxrevokemsg

        """
        self._require_login()
        if self._cell.now() - receipt.time > RECALL_WINDOW + _CLOCK_TOLERANCE:
            raise RecallExpired("The message is older than two minutes and can no longer be recalled; it stays.")
        try:
            await self._run(message_flows.recall(self._login, receipt))
        except RecallRefused as error:
            if self._cell.now() - receipt.time < RECALL_WINDOW - _CLOCK_TOLERANCE:
                raise
            raise RecallExpired(
                "The message is older than two minutes and can no longer be recalled; it stays.",
                endpoint=error.endpoint, ret=error.ret, message=error.message,
            ) from None  # fmt: skip
