"""Sends, recalls, forwards and read marks through a gateway."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from webwx.client.remote.contacts import recipient_of
from webwx.client.remote.missing import missing
from webwx.errors import InvalidRequest, NotThroughGateway, SendOutcomeUnknown
from webwx.representations.messages import Forwarding
from webwx.representations.sends import MessageToSend, OutboxEntry, SendView, outgoing_of, receipt_of

if TYPE_CHECKING:
    from webwx.client.identities import To
    from webwx.client.remote.calls import GatewayCalls
    from webwx.model.messages import Event, Message, Receipt
    from webwx.representations.sends import FileToSend
    from webwx.storage.base import Outgoing

_WAITS = 3
"""Number of times that the gateway is asked for the outcome of a send; it waits up to 25 s each time."""


class RemoteMessages:
    """
    Sends through a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        raise missing(name)

    async def send_text(self, to: To, text: str, *, key: str = "") -> Receipt:
        """Send a text."""
        return await self.send(MessageToSend(to=recipient_of(to), text=text), key)

    async def send_upload(self, to: To, file: FileToSend, *, key: str = "") -> Receipt:
        """Send a file that was uploaded to the gateway."""
        return await self.send(MessageToSend(to=recipient_of(to), file=file), key)

    async def reply(self, message: Message, text: str, *, key: str = "") -> Receipt:
        """Send a text into the chat of a message."""
        return await self.send_text(message.chat, text, key=key)

    async def send(self, message: MessageToSend, key: str) -> Receipt:
        """
        Send a message, so that the call can be repeated after a lost answer: a message without a key gets a random one.

        Raises:
            SendOutcomeUnknown: The gateway has stored the send, and has not finished it in time.
        """
        path, key = await self._calls.path("messages"), key or secrets.token_hex(16)
        for _ in range(_WAITS):
            sent = await self._calls.post(path, SendView, message, key=key)
            if sent.message_id is not None:
                return receipt_of(sent)
        raise SendOutcomeUnknown(
            f"The gateway has not finished the send in time (state {sent.state!r}); find_send shows the outcome later."
        )

    async def queue_text(self, to: To, text: str, *, key: str = "") -> Outgoing:
        """Store a text in the gateway's outbox, which sends it in the background."""
        message = MessageToSend(to=recipient_of(to), text=text)
        key = key or secrets.token_hex(16)
        sent = await self._calls.post(
            await self._calls.path("messages"), SendView, message, key=key, prefer="respond-async"
        )
        return outgoing_of(await self._calls.get(await self._calls.path("sends", sent.id), OutboxEntry))

    async def forward(self, message: Event, to: To, *, key: str = "") -> Receipt:
        """Forward a received message by its number, recalled or not."""
        path = await self._calls.path("messages", number_of(message), "forward")
        return receipt_of(
            await self._calls.post(path, SendView, Forwarding(to=recipient_of(to)), key=key or secrets.token_hex(16))
        )

    async def mark_read(self, chat: To) -> None:
        """Mark a whole chat as read."""
        await self._calls.change("POST", await self._calls.path("contacts", recipient_of(chat), "read"), type(None))

    async def recall(self, sent: Receipt | Outgoing) -> None:
        """Recall a message that was sent with this account, by the id of its send."""
        if not sent.client_id:
            raise InvalidRequest("The receipt has no client_id, so the gateway cannot find the message.")
        await self._calls.change("POST", await self._calls.path("sends", sent.client_id, "recall"), type(None))


def number_of(message: object) -> int:
    """
    Return the number of an event in the gateway's journal.

    Raises:
        NotThroughGateway: The object is not an event, or was not read from the gateway.
    """
    number = getattr(message, "number", 0)
    if not number:
        raise NotThroughGateway("A gateway finds a message by its number; pass an event that was read from it.")
    return int(number)
