"""Send, reply, mark as read, recall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.client.history import HistoryVerbs
from webwx.client.identity import To
from webwx.client.sender import Way
from webwx.errors import InvalidRequest, RecallExpired, RecallRefused
from webwx.flows import messages as message_flows
from webwx.model.messages import Message, Receipt
from webwx.protocol.codes import RECALL_WINDOW

if TYPE_CHECKING:
    from webwx.storage.base import Outgoing

_CLOCK_TOLERANCE = 2.0
"""Seconds by which two clocks that both count whole seconds may disagree."""


class MessageVerbs(HistoryVerbs):
    """The customer's four actions, and what goes with them."""

    async def send_text(self, to: To, text: str, *, key: str = "") -> Receipt:
        """
        Send a text.

        Args:
            to: A contact, `filehelper`, a remark, a nickname, or an id. With a journal also an identity or its number,
                and an id or a contact of an earlier login leads to that person or chatroom, if they are surely known.
            text: Sent as it is: nothing in it is a command, a path or markup. At most 16,000 characters.
            key: Your own name for this send, which needs a journal: with the same key again, in whatever process,
                nothing is sent twice. What was sent gives its receipt, what was refused or never left is tried again,
                and what may have been sent raises `SendOutcomeUnknown`.

        Raises:
            NoJournal: A key, and no journal; nothing was sent.
            UnknownContact: Nobody of that name, or several; nothing was sent.
            StaleContact: An id of an earlier login, whose owner is gone or not surely known; nothing was sent.
            EmptyText: No character; nothing was sent.
            TextTooLong: Beyond the limit; nothing was sent.
            RecipientRejected: Not a friend, or oneself.
            RateLimited: Too many sends.
            SendOutcomeUnknown: The answer was lost: it may have been sent, and is not repeated for you.
            LoggedOut: The login ended; nothing was sent.
            StorageError: The journal cannot be written; nothing was sent.

        Wire: webwxsendmsg

        """
        if key and (sent := await self._sent_as(key)):
            return sent
        chat = await self._target(to)
        message_flows.check_text(text)
        way = Way(lambda client_id: message_flows.send_text(self._cell.login, chat, text, client_id))
        return await self._send(chat, "text", text, (way,), key)

    async def reply(self, message: Message, text: str, *, key: str = "") -> Receipt:
        """
        Send a text into the chat of a message.

        Raises: As `send_text`.

        Wire: webwxsendmsg

        """
        return await self.send_text(message.chat, text, key=key)

    async def retry_send(self, number: int) -> Receipt:
        """
        Send a text of the outbox that has not left, or was refused, under the client id that it has.

        What was sent meanwhile gives its receipt. Of anything but a text the outbox keeps the name only: send it anew,
        with the same key where it has one.

        Args:
            number: The send's, as `list_sends` gives it.

        Raises:
            NoJournal: There is none.
            InvalidRequest: There is no such send, or it is no text; nothing was sent.
            StaleContact: It was for somebody of an earlier login, who is gone or not surely known; nothing was sent.
            SendOutcomeUnknown: It may have been sent, now or then.
            LoggedOut: The login ended; nothing was sent.

        Wire: webwxsendmsg

        """
        self._require_login()
        row = await self.find_send(number=number)
        if row is None:
            raise InvalidRequest(f"The outbox has no send {number}; nothing was sent.")
        if row.kind != "text":
            key = " with the same key" if row.key else ""
            raise InvalidRequest(f"Of a send like this the outbox keeps the name only; send it anew{key}.")
        receipt = await self._outcome(row)
        if receipt is not None:
            return receipt
        chat = await self._target(row.chat)
        way = Way(lambda client_id: message_flows.send_text(self._login, chat, row.text, client_id))
        return await self._go_on(row, chat, way)

    async def mark_read(self, chat: To) -> None:
        """
        Mark a whole chat as read: its badge goes on the account's other devices. The other side learns nothing.

        Raises:
            UnknownContact: Nobody of that name, or several; nothing was sent.
            LoggedOut: The login ended.

        Wire: webwxstatusnotify (code 1)

        """
        await self._run(message_flows.mark_read(self._login, await self._target(chat), self._cell.now()))

    async def recall(self, sent: Receipt | Outgoing) -> None:
        """
        Take back a message this account sent.

        The other side sees a notice that something was recalled, not what it said. The platform allows this for two
        minutes; ask `receipt.can_recall(now)` first if you would rather not catch an exception.

        Args:
            sent: What `send_…`, `reply` or `forward` returned, here or in another process; or the send as `list_sends`
                and `find_send` give it.

        Raises:
            InvalidRequest: The send did not go out, or nobody can say; there is nothing to recall yet.
            RecallExpired: The two minutes are over. The message stays.
            StaleContact: It was sent in an earlier login, and that chat is gone or not surely known. The message stays.
            RecallRefused: It is not this account's message, or nobody knows it. The message stays.
            SendOutcomeUnknown: The answer was lost.
            LoggedOut: The login ended.

        Wire: webwxrevokemsg

        """
        self._require_login()
        receipt = sent if isinstance(sent, Receipt) else sent.receipt
        if receipt is None:
            raise InvalidRequest("This was not sent, as far as is known, so there is nothing to recall.")
        if self._cell.now() - receipt.time > RECALL_WINDOW + _CLOCK_TOLERANCE:
            raise RecallExpired("The message is older than two minutes and can no longer be recalled; it stays.")
        here = msgspec.structs.replace(receipt, chat=await self._id_of(receipt.chat))
        try:
            await self._run(message_flows.recall(self._login, here))
            await self._note_recall(receipt.client_id)
        except RecallRefused as error:
            if self._cell.now() - receipt.time < RECALL_WINDOW - _CLOCK_TOLERANCE:
                raise
            raise RecallExpired(
                "The message is older than two minutes and can no longer be recalled; it stays.",
                endpoint=error.endpoint, ret=error.ret, message=error.message,
            ) from None  # fmt: skip
