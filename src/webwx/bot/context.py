"""
What a handler is given beside its event: the verbs, each send with a key of its own.

The key is made of the consumer, the event's number and how many sends this call of the handler has made before. So the
k-th send of a handler that is called again, after a failure or in another process, is the same send: it gets the
receipt of the first time, goes on where that had not left yet, or raises `SendUnknown`; it is never a second one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from webwx.errors import UnknownContact

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from webwx.client.aio import AsyncClient
    from webwx.client.files import Source
    from webwx.client.media import Progress
    from webwx.model.contacts import Contact, ContactId
    from webwx.model.messages import Event, Receipt

T = TypeVar("T")


class Context:
    """The verbs for one event, for an asynchronous handler."""

    __slots__ = ("_consumer", "_ordinal", "attempt", "client", "event")

    def __init__(self, client: AsyncClient, event: Event, *, consumer: str, attempt: int) -> None:
        self.client: AsyncClient = client
        """The account's client; what is sent with it directly has no key."""
        self.event: Event = event
        """What has happened."""
        self.attempt: int = attempt
        """How often this event has been given to the handler, this time included."""
        self._consumer = consumer
        self._ordinal = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.event).__name__} {self.event.number}, attempt {self.attempt})"

    @property
    def redelivered(self) -> bool:
        """Whether the handler may have been given this event before, by a process that has died since."""
        return self.event.redelivered

    @property
    def chat(self) -> ContactId:
        """
        The chat that the event belongs to.

        Raises:
            UnknownContact: It belongs to none.
        """
        chat: ContactId | None = getattr(self.event, "chat", None)
        if not chat:
            raise UnknownContact(f"A {type(self.event).__name__} belongs to no chat; say where to send.")
        return chat

    async def reply(self, text: str) -> Receipt:
        """
        Send a text into the chat of the event.

        Raises:
            UnknownContact: The event belongs to no chat; nothing was sent.

        For the others see `AsyncClient.send_text`.

        """
        return await self.send_text(self.chat, text)

    async def send_text(self, to: Contact | str, text: str) -> Receipt:
        """
        Send a text.

        Raises: As `AsyncClient.send_text`.

        """
        return await self.client.send_text(to, text, key=self._next_key())

    async def send_image(
        self, to: Contact | str, image: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """
        Send a picture: JPEG, PNG, BMP, or a GIF, which goes as a sticker and keeps moving.

        Raises: As `AsyncClient.send_image`.

        """
        return await self.client.send_image(to, image, name=name, progress=progress, key=self._next_key())

    async def send_video(
        self, to: Contact | str, video: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """
        Send a video: mp4.

        Raises: As `AsyncClient.send_video`.

        """
        return await self.client.send_video(to, video, name=name, progress=progress, key=self._next_key())

    async def send_sticker(
        self, to: Contact | str, sticker: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """
        Send a sticker: a GIF, or one that the platform knows by its md5.

        Raises: As `AsyncClient.send_sticker`.

        """
        return await self.client.send_sticker(to, sticker, name=name, progress=progress, key=self._next_key())

    async def send_file(
        self, to: Contact | str, file: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """
        Send a file of any kind. It is read by pieces and never whole in memory.

        Raises: As `AsyncClient.send_file`.

        """
        return await self.client.send_file(to, file, name=name, progress=progress, key=self._next_key())

    async def forward(self, message: Event, to: Contact | str) -> Receipt:
        """
        Send a received message on, recalled or not: by the keys in its content, else by download and upload.

        Raises: As `AsyncClient.forward`.

        """
        return await self.client.forward(message, to, key=self._next_key())

    async def recall(self, receipt: Receipt) -> None:
        """
        Take back a message this account sent.

        Raises: As `AsyncClient.recall`.

        """
        await self.client.recall(receipt)

    async def mark_read(self, chat: Contact | str | None = None) -> None:
        """
        Mark the event's chat as read, or another one.

        Raises:
            UnknownContact: The event belongs to no chat.

        For the others see `AsyncClient.mark_read`.

        """
        await self.client.mark_read(self.chat if chat is None else chat)

    def _next_key(self) -> str:
        self._ordinal += 1
        return f"{self._consumer}/{self.event.number}/{self._ordinal}"


class SyncContext:
    """The verbs for one event, for a handler that is a plain function and runs in a thread of its own."""

    __slots__ = ("_context", "_loop")

    def __init__(self, context: Context, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._context).replace("Context", "SyncContext", 1)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something with the client and wait for it, as in `ctx.wait(ctx.client.list_chats())`."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @property
    def client(self) -> AsyncClient:
        """The account's client, whose verbs are for `wait`; what is sent with it directly has no key."""
        return self._context.client

    @property
    def event(self) -> Event:
        """What has happened."""
        return self._context.event

    @property
    def attempt(self) -> int:
        """How often this event has been given to the handler, this time included."""
        return self._context.attempt

    @property
    def redelivered(self) -> bool:
        """Whether the handler may have been given this event before, by a process that has died since."""
        return self._context.redelivered

    @property
    def chat(self) -> ContactId:
        """
        The chat that the event belongs to.

        Raises:
            UnknownContact: It belongs to none.
        """
        return self._context.chat

    def reply(self, text: str) -> Receipt:
        """Send a text into the chat of the event."""
        return self.wait(self._context.reply(text))

    def send_text(self, to: Contact | str, text: str) -> Receipt:
        """Send a text."""
        return self.wait(self._context.send_text(to, text))

    def send_image(
        self, to: Contact | str, image: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """Send a picture: JPEG, PNG, BMP, or a GIF, which goes as a sticker and keeps moving."""
        return self.wait(self._context.send_image(to, image, name=name, progress=progress))

    def send_video(
        self, to: Contact | str, video: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """Send a video: mp4."""
        return self.wait(self._context.send_video(to, video, name=name, progress=progress))

    def send_sticker(
        self, to: Contact | str, sticker: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """Send a sticker: a GIF, or one that the platform knows by its md5."""
        return self.wait(self._context.send_sticker(to, sticker, name=name, progress=progress))

    def send_file(
        self, to: Contact | str, file: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """Send a file of any kind. It is read by pieces and never whole in memory."""
        return self.wait(self._context.send_file(to, file, name=name, progress=progress))

    def forward(self, message: Event, to: Contact | str) -> Receipt:
        """Send a received message on, recalled or not: by the keys in its content, else by download and upload."""
        return self.wait(self._context.forward(message, to))

    def recall(self, receipt: Receipt) -> None:
        """Take back a message this account sent."""
        self.wait(self._context.recall(receipt))

    def mark_read(self, chat: Contact | str | None = None) -> None:
        """Mark the event's chat as read, or another one."""
        self.wait(self._context.mark_read(chat))
