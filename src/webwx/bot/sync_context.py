"""The context of a handler that is a plain function: `Context` without `await`."""

# Written by `make blocking` from Context; do not edit.

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from webwx.bot.context import Context, M
from webwx.bot.sync_state import SyncConversationState
from webwx.bot.threads import wait_for

if TYPE_CHECKING:
    import os
    from collections.abc import Coroutine
    from datetime import datetime
    from pathlib import Path
    from typing import Any, Never

    from webwx.bot.arguments import CommandCall
    from webwx.bot.one_shot_timers import OneShotHandler
    from webwx.client.client import AsyncClient
    from webwx.client.people.identities import To
    from webwx.client.sending.files import Source
    from webwx.client.sending.media import Progress
    from webwx.model.contacts import ContactId
    from webwx.model.messages import Event, Message, Receipt, TextMessage
    from webwx.storage.tables.timers import StoredTimer

T = TypeVar("T")


class SyncContext(Generic[M]):
    """
    The client's methods for one event, for a handler that is a plain function and runs in a thread.

    For a handler with `regex`, the annotation `SyncContext[re.Match[str]]` says that `match` is never None.
    """

    __slots__ = ("_context", "_loop")

    def __init__(self, context: Context[M], loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._context).replace("Context", "SyncContext", 1)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a call of the client and return its result, as in `ctx.wait(ctx.client.list_chats())`."""
        return wait_for(asyncio.run_coroutine_threadsafe(work, self._loop))

    @property
    def client(self) -> AsyncClient:
        """The account's client; sends made with it directly have no idempotency key, and raise `SendOutcomeUnknown`."""
        return self._context.client

    @property
    def event(self) -> Event:
        """The event; an empty `Event` in a timer."""
        return self._context.event

    @property
    def key(self) -> str:
        """Prefix of the keys of its sends; for a send with `ctx.client`, pass a key such as `f"{ctx.key}/mine"`."""
        return self._context.key

    @property
    def attempt(self) -> int:
        """Number of calls of the handler with this event, this call included."""
        return self._context.attempt

    @property
    def is_last_attempt(self) -> bool:
        """Whether the event becomes a dead letter if this attempt fails; a failure of the account does not count."""
        return self._context.is_last_attempt

    @property
    def match(self) -> M:
        """The match of the handler's `regex`; None for a handler without `regex`."""
        return self._context.match

    @property
    def command(self) -> CommandCall | None:
        """The command in the event's text, even if no handler has it; None in a bot without commands."""
        return self._context.command

    @property
    def redelivered(self) -> bool:
        """Whether the handler may have been called with this event before, in a process that has crashed since."""
        return self._context.redelivered

    @property
    def chat(self) -> ContactId:
        """
        The chat of the event, or of a one-shot timer.

        Raises:
            UnknownContact: The event has no chat.
        """
        return self._context.chat

    @property
    def state(self) -> SyncConversationState:
        """
        The state of the conversation: of the chat, or of the scope that `Bot(state_key=...)` sets.

        Raises:
            InvalidRequest: The context has no state: it belongs to a timer or an `on_error` function, or to no bot.
        """
        return SyncConversationState(self._context.state, self._loop)

    def account(self, name: str) -> SyncContext:
        """
        Return a context that acts with another account whose bot runs in this process: `ctx.account("work")`.

        The context has no event and no chat, because ids of one account are unknown to another; so each send names its
        recipient. Its sends have keys of this event, so each is made once, even if the handler is called again.

        Args:
            name: The name that the user chose for the account, as in `Bot(account="work")`.

        Raises:
            InvalidRequest: No bot that runs in this process serves an account of this name.
        """
        return SyncContext(self._context.account(name), self._loop)

    def reply(self, text: str) -> Receipt:
        """
        Send a text into the chat of the event.

        Raises:
            UnknownContact: The event has no chat; nothing was sent.
            ReplyLimitReached: The bot replied too often in this chat; nothing was sent. A handler need not catch it.

        For further errors see `AsyncClient.send_text`.
        """
        return self.wait(self._context.reply(text))

    def ask(self, question: str, *, timeout: float | None = None) -> TextMessage:
        """
        Send a text into the chat of the event, and return the next text of the event's author in that chat.

        The answer goes to no other handler. It is acknowledged together with the event, and is returned again when the
        handler is called again. While the handler waits, its time limit pauses, and the other events of the chat wait.

        The wait does not survive a restart: the event is delivered again, and the handler starts again, without sending
        its questions again. For a long conversation, or one of several people in a chatroom, use `state`.

        Args:
            question: The text to send.
            timeout: Seconds to wait for the answer; None: until the bot stops.

        Raises:
            NoAnswer: There was no answer in time. A handler need not catch it: if it does not, the event counts as
                handled.
            InvalidRequest: This is not the handler of an event in a bot, or it waits for another answer.
            UnknownContact: The event has no chat; nothing was sent.

        For further errors see `reply`.
        """
        return self.wait(self._context.ask(question, timeout=timeout))

    def reply_image(self, image: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a picture into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_image`.
        """
        return self.wait(self._context.reply_image(image, name=name, progress=progress))

    def reply_video(self, video: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a video into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_video`.
        """
        return self.wait(self._context.reply_video(video, name=name, progress=progress))

    def reply_sticker(self, sticker: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a sticker into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_sticker`.
        """
        return self.wait(self._context.reply_sticker(sticker, name=name, progress=progress))

    def reply_file(self, file: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a file into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_file`.
        """
        return self.wait(self._context.reply_file(file, name=name, progress=progress))

    def send_text(self, to: To, text: str) -> Receipt:
        """
        Send a text.

        Raises: As `AsyncClient.send_text`.
        """
        return self.wait(self._context.send_text(to, text))

    def send_image(self, to: To, image: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a picture: JPEG, PNG, BMP, or a GIF, which is sent as a sticker so that it stays animated.

        Raises: As `AsyncClient.send_image`.
        """
        return self.wait(self._context.send_image(to, image, name=name, progress=progress))

    def send_video(self, to: To, video: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a video: mp4.

        Raises: As `AsyncClient.send_video`.
        """
        return self.wait(self._context.send_video(to, video, name=name, progress=progress))

    def send_sticker(self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a sticker: a GIF, or one that the platform knows by its md5.

        Raises: As `AsyncClient.send_sticker`.
        """
        return self.wait(self._context.send_sticker(to, sticker, name=name, progress=progress))

    def send_file(self, to: To, file: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a file of any kind. It is read in chunks and is never in memory as a whole.

        Raises: As `AsyncClient.send_file`.
        """
        return self.wait(self._context.send_file(to, file, name=name, progress=progress))

    def forward(self, message: Event, to: To) -> Receipt:
        """
        Forward a received message, recalled or not: by the keys in its content, or else by download and upload.

        Raises: As `AsyncClient.forward`.
        """
        return self.wait(self._context.forward(message, to))

    def recall(self, sent: Receipt | Message) -> None:
        """
        Recall a message that this account wrote: by its receipt, or, if the phone sent it, by its event.

        Raises: As `AsyncClient.recall`.
        """
        self.wait(self._context.recall(sent))

    def mark_read(self, chat: To | None = None) -> None:
        """
        Mark the event's chat as read, or another one.

        Raises:
            UnknownContact: The event has no chat.

        For further errors see `AsyncClient.mark_read`.
        """
        self.wait(self._context.mark_read(chat))

    def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        """
        Return the content of a message's picture, sticker, voice, video or file, or a location's map.

        Raises: As `AsyncClient.download`.
        """
        return self.wait(self._context.download(message, progress=progress))

    def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        """
        Save the content of a message's media into a file, and return its path.

        Raises: As `AsyncClient.download_to`.
        """
        return self.wait(self._context.download_to(message, to, progress=progress))

    def call_later(
        self,
        handler: OneShotHandler | str,
        *unitless: Never,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        data: object = None,
        chat: To | None = None,
        name: str = "",
    ) -> StoredTimer:
        """
        Call a handler once after a delay: `await ctx.call_later(remind, minutes=10, data="tea")`.

        The timer is stored in the journal. If no process runs when it is due, the call is made at the next start. A
        handler that is called again with its event makes no second timer.

        Args:
            handler: A function that was registered with `@bot.timer()`, or its name.
            unitless: Nothing: a number needs a unit, as in `minutes=10`.
            days: Days of the delay.
            hours: Hours of the delay.
            minutes: Minutes of the delay.
            seconds: Seconds of the delay; all four are added.
            data: Passed to the handler; anything that can be encoded as JSON; the handler gets the decoded value.
            chat: Chat that the handler's context is for; default: the event's chat, if it has one.
            name: Name by which `list_timers` and `cancel_timers` find the timer; several may have the same.

        Raises:
            ValueError: The delay is negative, or the handler is not registered with this bot.
            TypeError: A number has no unit, or the data cannot be encoded as JSON.
            UnknownContact: No contact has the name of the chat, or several have.
            StorageError: The timer was not stored.
        """
        return self.wait(
            self._context.call_later(
                handler,
                *unitless,
                days=days,
                hours=hours,
                minutes=minutes,
                seconds=seconds,
                data=data,
                chat=chat,
                name=name,
            )
        )

    def call_at(
        self,
        handler: OneShotHandler | str,
        at: datetime,
        *,
        data: object = None,
        chat: To | None = None,
        name: str = "",
    ) -> StoredTimer:
        """
        Call a handler once at a time, or now if the time has passed; for everything else see `call_later`.

        Args:
            handler: As for `call_later`.
            at: The time; a value without a time zone is in that of the machine.
            data: As for `call_later`.
            chat: As for `call_later`.
            name: As for `call_later`.

        Raises:
            ValueError: The handler is not registered with this bot.
            TypeError: The time is no `datetime`.

        For further errors see `call_later`.
        """
        return self.wait(self._context.call_at(handler, at, data=data, chat=chat, name=name))

    def list_timers(self, *, name: str | None = None, chat: To | None = None) -> list[StoredTimer]:
        """
        Return the one-shot timers that wait, in the order of their times.

        Args:
            name: Only timers of this name.
            chat: Only timers of this chat; default: the event's chat. In a context without a chat: of all chats.

        Raises: As `AsyncClient.find_contact`.
        """
        return self.wait(self._context.list_timers(name=name, chat=chat))

    def cancel_timer(self, timer: StoredTimer | int) -> bool:
        """
        Cancel a one-shot timer of this bot, by its number; return whether it waited. A call that runs continues.

        Raises:
            StorageError: The change was not stored.
        """
        return self.wait(self._context.cancel_timer(timer))

    def cancel_timers(self, name: str, *, chat: To | None = None) -> int:
        """
        Cancel the one-shot timers of a name, and return how many waited.

        Args:
            name: The name.
            chat: As for `list_timers`.

        Raises:
            StorageError: A change was not stored.

        For further errors see `AsyncClient.find_contact`.
        """
        return self.wait(self._context.cancel_timers(name, chat=chat))
