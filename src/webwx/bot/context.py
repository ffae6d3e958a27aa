"""
What a handler is given beside its event: the verbs, each send with a key of its own.

The key is made of the consumer, the event's number, in a bot the handler's name, and how many sends this call of the
handler has made before. So the k-th send of a handler that is called again, after a failure or in another process, is
the same send: it gets the receipt of the first time, continues where that has not left yet, or raises
`SendOutcomeUnknown`; it is never a second one.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

# What the fields of a struct are annotated with is here at run time too: `inspect.signature` and `help` look it up.
from webwx.bot.loop_guard import LoopGuard
from webwx.client.client import AsyncClient
from webwx.errors import UnknownContact
from webwx.model.messages import Event

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from typing_extensions import TypeVar as TypeVarWithDefault

    from webwx.client.files import Source
    from webwx.client.identity import To
    from webwx.client.media import Progress
    from webwx.model.contacts import ContactId
    from webwx.model.messages import Message, Receipt

    M = TypeVarWithDefault("M", bound=re.Match[str] | None, default=re.Match[str] | None, covariant=True)
else:
    M = TypeVar("M", covariant=True)  # a default, which only type checkers need, is part of Python from 3.13 on


class Context(msgspec.Struct, Generic[M], eq=False):  # a struct, as each event has one: made in a fourth of the time
    """
    The verbs for one event, for an asynchronous handler.

    For a handler with `regex`, the annotation `Context[re.Match[str]]` says that `match` is never None.
    """

    client: AsyncClient
    """The account's client; what is sent with it directly has no key."""
    event: Event
    """What has happened; an empty `Event` in a timer."""
    key: str
    """What the keys of its sends begin with; one that is sent with `ctx.client` may have `f"{ctx.key}/mine"`."""
    attempt: int = 1
    """How often this event has been given to the handler, this time included."""
    is_last_attempt: bool = False
    """Whether the event is given up when this attempt fails."""
    match: M = None  # type: ignore[assignment]  # set before a handler with `regex` is called
    """What the handler's `regex` has found in the text; None when it has none."""
    _loop_guard: LoopGuard | None = None
    """What counts the answers."""
    _ordinal: int = 0
    """Sends so far."""

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
            what = "A timer" if type(self.event) is Event else f"This {type(self.event).__name__}"
            raise UnknownContact(f"{what} belongs to no chat; say where to send.")
        return chat

    async def reply(self, text: str) -> Receipt:
        """
        Send a text into the chat of the event.

        Raises:
            UnknownContact: The event belongs to no chat; nothing was sent.
            ReplyLimitReached: The bot has answered too often here; nothing was sent, and its handler need not mind.

        For the others see `AsyncClient.send_text`.

        """
        return await self.send_text(self.chat, text)

    async def send_text(self, to: To, text: str) -> Receipt:
        """
        Send a text.

        Raises: As `AsyncClient.send_text`.

        """
        return await self.client.send_text(to, text, key=await self._next_key(to))

    async def send_image(self, to: To, image: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a picture: JPEG, PNG, BMP, or a GIF, which goes as a sticker and keeps moving.

        Raises: As `AsyncClient.send_image`.

        """
        return await self.client.send_image(to, image, name=name, progress=progress, key=await self._next_key(to))

    async def send_video(self, to: To, video: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a video: mp4.

        Raises: As `AsyncClient.send_video`.

        """
        return await self.client.send_video(to, video, name=name, progress=progress, key=await self._next_key(to))

    async def send_sticker(
        self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """
        Send a sticker: a GIF, or one that the platform knows by its md5.

        Raises: As `AsyncClient.send_sticker`.

        """
        return await self.client.send_sticker(to, sticker, name=name, progress=progress, key=await self._next_key(to))

    async def send_file(self, to: To, file: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a file of any kind. It is read by pieces and never whole in memory.

        Raises: As `AsyncClient.send_file`.

        """
        return await self.client.send_file(to, file, name=name, progress=progress, key=await self._next_key(to))

    async def forward(self, message: Event, to: To) -> Receipt:
        """
        Send a received message on, recalled or not: by the keys in its content, else by download and upload.

        Raises: As `AsyncClient.forward`.

        """
        return await self.client.forward(message, to, key=await self._next_key(to))

    async def recall(self, receipt: Receipt) -> None:
        """
        Take back a message this account sent.

        Raises: As `AsyncClient.recall`.

        """
        await self.client.recall(receipt)

    async def mark_read(self, chat: To | None = None) -> None:
        """
        Mark the event's chat as read, or another one.

        Raises:
            UnknownContact: The event belongs to no chat.

        For the others see `AsyncClient.mark_read`.

        """
        await self.client.mark_read(self.chat if chat is None else chat)

    async def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        """
        Download what a message shows: a picture, sticker, voice, video, file, or a location's map.

        Raises: As `AsyncClient.download`.

        """
        return await self.client.download(message, progress=progress)

    async def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        """
        Download what a message shows into a file, and give its path.

        Raises: As `AsyncClient.download_to`.

        """
        return await self.client.download_to(message, to, progress=progress)

    async def _next_key(self, to: To) -> str:
        """
        Give the key of the next send.

        Raises:
            ReplyLimitReached: It would be one answer too many; nothing was sent.
        """
        self._ordinal += 1
        key = f"{self.key}/{self._ordinal}"
        if self._loop_guard is not None:
            is_reply = to == getattr(self.event, "chat", None)
            with contextlib.suppress(UnknownContact):  # the send will say so
                target = self.chat if is_reply else (await self.client.find_contact(to)).id
                self._loop_guard.check_reply(self.event, target)
        return key
