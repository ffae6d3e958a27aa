"""Send texts, reply, mark chats as read, recall messages."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import msgspec

from webwx.client.sending.sender import SendWay, WantedSend
from webwx.errors import InvalidRequest, RecallExpired, RecallRefused, StorageError, UnknownContact, WxError
from webwx.flows import messages as message_flows
from webwx.model.messages import Message, Receipt
from webwx.protocol.codes import RECALL_WINDOW
from webwx.storage.lookup import find_send
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.identities import AccountIdentities, To
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.client.sending.sender import Sender

_log = logging.getLogger("webwx.client")

_CLOCK_TOLERANCE = 2.0
"""Seconds by which two clocks with whole seconds may differ."""


def check_recallable(sent: object) -> None:
    """
    Check that a value says which message to recall.

    Raises:
        InvalidRequest: It is of another class.
    """
    if not isinstance(sent, Receipt | Outgoing | Message):
        raise InvalidRequest(
            f"Only the receipt of a send, a stored send or a message can be recalled, and no {type(sent).__name__}."
        )


@contextlib.contextmanager
def _noted_failures() -> Iterator[None]:
    """Go on after a failure of the journal, for a chat that the platform marks as read, or has marked."""
    try:
        yield
    except StorageError as error:
        _log.warning("The journal does not know that a chat was marked as read: %s", error)


class Messages:
    """
    Texts, read marks and recalls of one account.

    Args:
        session: The account's session.
        storage: The account's storage.
        identities: Finds the contact that a caller means.
        updates: Returns the part of the journal that can be read.
        sender: Sends texts.
    """

    def __init__(
        self,
        session: ClientSession,
        storage: AccountStorage,
        identities: AccountIdentities,
        updates: IdentityUpdates,
        sender: Sender,
    ) -> None:
        self._session = session
        self._storage = storage
        self._identities = identities
        self._updates = updates
        self._sender = sender

    async def send_text(self, to: To, text: str, *, key: str = "") -> Receipt:
        wanted = WantedSend(to, "text", text, key)
        try:
            message_flows.check_text(text)
            chat = await self._identities.target(to)
        except WxError:
            if key and (sent := await self._sender.sent_as(wanted)):  # its receiver may not exist any more
                return sent
            raise
        way = SendWay(lambda client_id: message_flows.send_text(self._session.login, chat, text, client_id))
        return await self._sender.send(wanted, chat, (way,))

    async def reply(self, message: Message, text: str, *, key: str = "") -> Receipt:
        return await self.send_text(message.chat, text, key=key)

    async def queue_text(self, to: To, text: str, *, key: str = "", background: bool = False) -> Outgoing:
        """Store a text in the outbox without sending it."""
        message_flows.check_text(text)
        wanted = WantedSend(to, "text", text, key)
        try:
            contact = await self._identities.contact(to)
        except UnknownContact:
            if (row := await self._sender.stored_as(wanted)) is not None:
                return await self._sender.in_background(row) if background else row
            raise
        return await self._sender.queue(wanted, contact.id, background=background)

    async def retry_send(self, number: int) -> Receipt:
        await self._session.require_login()
        row = await find_send((await self._updates.readable_part()).outbox, number=number)
        if row is None:
            raise InvalidRequest(f"The outbox has no send {number}; nothing was sent.")
        receipt = await self._sender.outcome(row)
        if receipt is not None:
            return receipt
        if row.kind != "text":
            key = " with the same key" if row.key else ""
            raise InvalidRequest(f"The outbox has only the name of this file; send the file again{key}.")
        chat = await self._identities.target(row.chat)
        way = SendWay(lambda client_id: message_flows.send_text(self._session.login, chat, row.text, client_id))
        return await self._sender.go_on(row, chat, way)

    async def mark_read(self, chat: To) -> None:
        to, now = await self._identities.target(chat), self._session.now()
        last = 0
        with _noted_failures():
            if self._storage.has_journal:
                last = await self._storage.part().read_positions.last_entry()
        await self._session.run(message_flows.mark_read(self._session.login, to, now))
        if last:
            with _noted_failures():
                await self._storage.part().read_positions.mark(to, last, now)

    async def recall(self, sent: Receipt | Outgoing | Message) -> None:
        """Recall a message that this account wrote, here or on another device."""
        await self._session.require_login()
        check_recallable(sent)
        if isinstance(sent, Message):
            sent = await self._sent(sent)
        stored = await self._sender.stored(client_id=sent.client_id)
        known = None if stored is None else stored.receipt
        given = sent if isinstance(sent, Receipt) else sent.receipt
        receipt = known if given is None or given.is_unknown else given
        if receipt is None:
            raise InvalidRequest("It is unknown whether this message was sent, so it cannot be recalled.")
        is_recalled = stored is not None and stored.state == "recalled"
        if is_recalled and known is not None and receipt.message_id == known.message_id:
            return
        if self._session.now() - receipt.time > RECALL_WINDOW + _CLOCK_TOLERANCE:
            raise RecallExpired("The message is older than two minutes and can no longer be recalled.")
        here = msgspec.structs.replace(receipt, chat=await self._identities.id_of(receipt.chat))
        try:
            await self._session.run(message_flows.recall(self._session.login, here))
            await self._sender.note_recall(receipt.client_id)
        except RecallRefused as error:
            if self._session.now() - receipt.time < RECALL_WINDOW - _CLOCK_TOLERANCE:
                raise
            raise RecallExpired(
                "The message is older than two minutes and can no longer be recalled.",
                endpoint=error.endpoint, ret=error.ret, message=error.message,
            ) from None  # fmt: skip

    async def _sent(self, message: Message) -> Receipt | Outgoing:
        """
        Return the send of a message, or a receipt without a client id if another device sent it.

        Raises:
            InvalidRequest: Another account wrote the message, or the platform did, or it has no id.
        """
        if not message.is_self or message.sender is None:  # a notice in a chat may have this account's id
            raise InvalidRequest("Only a message of this account can be recalled.")
        if message.message_id in {"", "0"}:
            raise InvalidRequest("The platform gave this message no id, so it cannot be recalled.")
        stored = await self._sender.stored(message_id=message.message_id)
        receipt = Receipt(message_id=message.message_id, client_id="", chat=message.chat, time=float(message.time))
        return stored or receipt
