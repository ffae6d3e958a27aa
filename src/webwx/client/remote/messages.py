"""Sends, recalls, forwards and read marks through a gateway."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from webwx.client.remote.contacts import recipient_of
from webwx.client.sending.messages import check_recallable
from webwx.client.sending.sender import StepKey
from webwx.errors import InvalidRequest, KeyReused, SendOutcomeUnknown
from webwx.model.messages import Message
from webwx.representations.contacts import MARK_READ
from webwx.representations.messages import FORWARD_MESSAGE, RECALL_MESSAGE, Forwarding
from webwx.representations.sends import (
    RECALL_SEND,
    RETRY_SEND,
    SEND_MESSAGE,
    SHOW_SEND,
    MessageToSend,
    SendView,
    outgoing_of,
    receipt_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.client.people.identities import To
    from webwx.client.remote.calls import GatewayCalls
    from webwx.client.remote.history import RemoteHistory
    from webwx.model.messages import Event, Receipt
    from webwx.representations.sends import FileToSend
    from webwx.storage.tables.outbox import Outgoing

_WAITS = 3
"""Number of times that the gateway is asked for the outcome of a send; it waits up to 25 s each time."""


class RemoteMessages:
    """
    Sends through a gateway.

    Args:
        calls: Calls of the gateway.
        history: Finds sends.
    """

    def __init__(self, calls: GatewayCalls, history: RemoteHistory) -> None:
        self._calls = calls
        self._history = history

    async def send_text(self, to: To, text: str, *, key: str = "") -> Receipt:
        return await self.send(MessageToSend(to=recipient_of(to), text=text), key)

    async def send_upload(self, to: To, file: FileToSend, *, key: str = "") -> Receipt:
        """Send a file that was uploaded to the gateway."""
        return await self.send(MessageToSend(to=recipient_of(to), file=file), key)

    async def reply(self, message: Message, text: str, *, key: str = "") -> Receipt:
        return await self.send_text(message.chat, text, key=key)

    async def send(self, message: MessageToSend, key: str) -> Receipt:
        """Send a message; one without a key gets a random one, so that the call can be repeated after a lost answer."""
        key = key or secrets.token_hex(16)
        try:
            return await _receipt_of_last(lambda: self._calls.call(SEND_MESSAGE, body=message, key=key))
        except KeyReused as reused:
            return await self._receipt_of_step(key, reused)

    async def _receipt_of_step(self, key: str, reused: KeyReused) -> Receipt:
        """
        Return the receipt of a handler's step that has another content now: its send is made once, as it was stored.

        Raises:
            KeyReused: The key is not one of a step.
            SendOutcomeUnknown: The message may have been sent.
        """
        row = await self._history.find_send(key=key) if isinstance(key, StepKey) else None
        if row is None:
            raise reused
        if row.receipt is not None:
            return row.receipt
        if row.state in {"queued", "failed"}:
            return await self.retry_send(row.number)
        raise SendOutcomeUnknown(f"Send {row.number} of the outbox may or may not have been sent.")

    async def retry_send(self, number: int) -> Receipt:
        """Send a queued or refused text again, or a queued file that the gateway keeps."""
        row = await self._history.find_send(number=number)
        if row is None:
            raise InvalidRequest(f"The outbox has no send {number}; nothing was sent.")
        client_id = row.client_id
        return await _receipt_of_last(lambda: self._calls.call(RETRY_SEND, client_id))

    async def queue_text(self, to: To, text: str, *, key: str = "", background: bool = False) -> Outgoing:
        """Store a text in the gateway's outbox, which sends it in the background."""
        del background  # the gateway sends whatever it has stored
        message = MessageToSend(to=recipient_of(to), text=text)
        key = key or secrets.token_hex(16)
        sent = await self._calls.call(SEND_MESSAGE, body=message, key=key, prefer="respond-async")
        return outgoing_of(await self._calls.call(SHOW_SEND, sent.id))

    async def forward(self, message: Event, to: To, *, key: str = "") -> Receipt:
        """Forward a received message by its number, recalled or not."""
        number = await self._history.number_of(message)
        key = key or secrets.token_hex(16)
        try:
            return receipt_of(
                await self._calls.call(FORWARD_MESSAGE, number, body=Forwarding(to=recipient_of(to)), key=key)
            )
        except KeyReused as reused:
            return await self._receipt_of_step(key, reused)

    async def store_outcomes(self) -> None:
        """Return at once: the gateway stores the outcomes of sends, so a kill of this process changes none."""

    async def mark_read(self, chat: To) -> None:
        """Mark a whole chat as read."""
        await self._calls.call(MARK_READ, recipient_of(chat))

    async def recall(self, sent: Receipt | Outgoing | Message) -> None:
        """Recall a message of this account, by the id of its send, or without one by the number of its event."""
        check_recallable(sent)
        client_id = "" if isinstance(sent, Message) else sent.client_id
        if client_id:
            await self._calls.call(RECALL_SEND, client_id)
        else:
            await self._calls.call(RECALL_MESSAGE, await self._history.number_of(sent))


async def _receipt_of_last(send: Callable[[], Awaitable[SendView]]) -> Receipt:
    """
    Repeat a call of a send until the send has an outcome, and return its receipt.

    Raises:
        SendOutcomeUnknown: The gateway has stored the send, and has not finished it in time.
    """
    for _ in range(_WAITS):
        sent = await send()
        if sent.message_id is not None:
            return receipt_of(sent)
    raise SendOutcomeUnknown(
        f"The gateway has not finished the send in time (state {sent.state!r}); find_send shows the outcome later."
    )
