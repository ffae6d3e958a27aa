"""
The context of a handler: the client's methods for one event, where each send has an idempotency key.

The key consists of the consumer, the event's number, the handler's name in a bot, and the number of sends that this
call of the handler has made before. So if a handler is called again, after a failure or in another process, its k-th
send is the same send as before: it returns the first receipt, or continues if nothing was sent yet; it never sends
twice. A send whose outcome is unknown counts as made, so its receipt has no message id.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Generic, Never, Protocol, TypeVar

import msgspec

# Types of a struct's fields are imported at run time as well: `inspect.signature` and `help` look them up.
from webwx.bot.arguments import CommandCall
from webwx.bot.conversations import ConversationTransaction
from webwx.bot.loop_guard import LoopGuard
from webwx.bot.one_shot_timers import OneShotTimers
from webwx.bot.running_accounts import RunningAccounts
from webwx.bot.state import ConversationState
from webwx.bot.unknown_sends import UnknownSends
from webwx.bot.unsent_replies import UnsentReplies
from webwx.client.client import AsyncClient
from webwx.client.sending.sender import StepKey
from webwx.errors import InvalidRequest, SendOutcomeUnknown, UnknownContact, WxError
from webwx.model.contacts import ContactId
from webwx.model.messages import Event, TextMessage
from webwx.storage.tables.timers import StoredTimer

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from typing_extensions import TypeVar as TypeVarWithDefault

    from webwx.bot.one_shot_timers import OneShotHandler
    from webwx.client.people.identities import To
    from webwx.client.sending.files import Source
    from webwx.client.sending.media import Progress
    from webwx.model.messages import Message, Receipt

    M = TypeVarWithDefault("M", bound=re.Match[str] | None, default=re.Match[str] | None, covariant=True)
else:
    M = TypeVar("M", covariant=True)  # a default, which only type checkers need, is part of Python from 3.13 on

Ask = Callable[[Event, Callable[[], Awaitable[object]], float | None], Awaitable[TextMessage]]
"""Sends a handler's question by the given function, waits some seconds for the answer, and returns it."""


class _Send(Protocol):
    """A send of the client, which lacks only its key."""

    def __call__(self, *, key: str) -> Awaitable[Receipt]: ...


class Context(
    msgspec.Struct, Generic[M], eq=False
):  # a struct, because there is one per event and a struct is made in a fourth of the time
    """
    The client's methods for one event, for an asynchronous handler.

    For a handler with `regex`, the annotation `Context[re.Match[str]]` says that `match` is never None.
    """

    client: AsyncClient
    """
    The account's client; sends made with it directly have no idempotency key, and raise `SendOutcomeUnknown`.
    """
    event: Event
    """The event; an empty `Event` in a timer."""
    key: str
    """Prefix of the keys of its sends; for a send with `ctx.client`, pass a key such as `f"{ctx.key}/mine"`."""
    attempt: int = 1
    """Number of calls of the handler with this event, this call included."""
    is_last_attempt: bool = False
    """Whether the event becomes a dead letter if this attempt fails; a failure of the account does not count."""
    match: M = None  # type: ignore[assignment]  # set before a handler with `regex` is called
    """The match of the handler's `regex`; None for a handler without `regex`."""
    command: CommandCall | None = None
    """The command in the event's text, even if no handler has it; None in a bot without commands."""
    _loop_guard: LoopGuard | None = None
    """Counts the replies; None: no limit."""
    _timers: OneShotTimers | None = None
    """The bot's one-shot timers; None outside a bot."""
    _timer_chat: ContactId = ContactId("")
    """The chat of a one-shot timer; empty for none."""
    _conversation: ConversationTransaction | None = None
    """Transaction on the state; None: this context has no state."""
    _ask: Ask | None = None
    """Asks a question; None: this is not the context of an event's handler."""
    _accounts: RunningAccounts | None = None
    """The accounts of this process; None outside a bot."""
    _others: dict[str, Context] | None = None
    """Contexts that the method `account` has returned, by the account's name."""
    _unknown_sends: UnknownSends | None = None
    """Counts sends with an unknown outcome as made; None: they raise `SendOutcomeUnknown`."""
    _unsent_replies: UnsentReplies | None = None
    """Settles replies that stay queued; None: they stay."""
    _ordinal: int = 0
    """Number of sends and new timers so far."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.event).__name__} {self.event.number}, attempt {self.attempt})"

    @property
    def redelivered(self) -> bool:
        """Whether the handler may have been called with this event before, in a process that has crashed since."""
        return self.event.redelivered

    @property
    def chat(self) -> ContactId:
        """
        The chat of the event, or of a one-shot timer.

        Raises:
            UnknownContact: The event has no chat.
        """
        chat: ContactId | None = self._timer_chat or getattr(self.event, "chat", None)
        if not chat:
            is_empty = type(self.event) is Event
            what = "A timer or another account" if is_empty else f"This {type(self.event).__name__}"
            raise UnknownContact(f"{what} has no chat; pass the recipient to a send method.")
        return chat

    @property
    def state(self) -> ConversationState:
        """
        The state of the conversation: of the chat, or of the scope that `Bot(state_key=...)` sets.

        Raises:
            InvalidRequest: The context has no state: it belongs to a timer or an `on_error` function, or to no bot.
        """
        if self._conversation is None:
            raise InvalidRequest("Only the handler of an event has a state; timers and on_error functions have none.")
        return ConversationState(self._conversation)

    def account(self, name: str) -> Context:
        """
        Return a context that acts with another account whose bot runs in this process: `ctx.account("work")`.

        The context has no event and no chat, because ids of one account are unknown to another; so each send names its
        recipient. Its sends have keys of this event, so each is made once, even if the handler is called again.

        Args:
            name: The name that the user chose for the account, as in `Bot(account="work")`.

        Raises:
            InvalidRequest: No bot that runs in this process serves an account of this name.
        """
        if self._accounts is None:
            raise InvalidRequest("Only a function of a bot can act with another account.")
        self._others = self._others or {}
        if name not in self._others:
            client, uin = self._accounts.client_of(name), self.client.account.uin
            # The number of this account tells its event from one of the other account with the same number.
            self._others[name] = Context(
                client, Event(), f"{uin}/{self.key}", attempt=self.attempt, is_last_attempt=self.is_last_attempt,
                _unknown_sends=self._unknown_sends, _unsent_replies=self._unsent_replies,
            )  # fmt: skip
        return self._others[name]

    async def reply(self, text: str) -> Receipt:
        """
        Send a text into the chat of the event.

        Raises:
            UnknownContact: The event has no chat; nothing was sent.
            ReplyLimitReached: The bot replied too often in this chat; nothing was sent. A handler need not catch it.

        For further errors see `AsyncClient.send_text`.

        """
        return await self.send_text(self.chat, text)

    async def ask(self, question: str, *, timeout: float | None = None) -> TextMessage:  # noqa: ASYNC109 - of the answer
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
        if self._ask is None:
            raise InvalidRequest("Only the handler of an event in a bot can ask a question.")
        chat = self.chat
        return await self._ask(self.event, lambda: self.send_text(chat, question), timeout)

    async def reply_image(self, image: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a picture into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_image`.

        """
        return await self.send_image(self.chat, image, name=name, progress=progress)

    async def reply_video(self, video: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a video into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_video`.

        """
        return await self.send_video(self.chat, video, name=name, progress=progress)

    async def reply_sticker(self, sticker: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a sticker into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_sticker`.

        """
        return await self.send_sticker(self.chat, sticker, name=name, progress=progress)

    async def reply_file(self, file: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a file into the chat of the event.

        Raises: As `reply` and `AsyncClient.send_file`.

        """
        return await self.send_file(self.chat, file, name=name, progress=progress)

    async def send_text(self, to: To, text: str) -> Receipt:
        """
        Send a text.

        Raises: As `AsyncClient.send_text`.

        """
        return await self._send(to, partial(self.client.send_text, to, text))

    async def send_image(self, to: To, image: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a picture: JPEG, PNG, BMP, or a GIF, which is sent as a sticker so that it stays animated.

        Raises: As `AsyncClient.send_image`.

        """
        return await self._send(to, partial(self.client.send_image, to, image, name=name, progress=progress))

    async def send_video(self, to: To, video: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a video: mp4.

        Raises: As `AsyncClient.send_video`.

        """
        return await self._send(to, partial(self.client.send_video, to, video, name=name, progress=progress))

    async def send_sticker(
        self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None
    ) -> Receipt:
        """
        Send a sticker: a GIF, or one that the platform knows by its md5.

        Raises: As `AsyncClient.send_sticker`.

        """
        return await self._send(to, partial(self.client.send_sticker, to, sticker, name=name, progress=progress))

    async def send_file(self, to: To, file: Source, *, name: str = "", progress: Progress | None = None) -> Receipt:
        """
        Send a file of any kind. It is read in chunks and is never in memory as a whole.

        Raises: As `AsyncClient.send_file`.

        """
        return await self._send(to, partial(self.client.send_file, to, file, name=name, progress=progress))

    async def forward(self, message: Event, to: To) -> Receipt:
        """
        Forward a received message, recalled or not: by the keys in its content, or else by download and upload.

        Raises: As `AsyncClient.forward`.

        """
        return await self._send(to, partial(self.client.forward, message, to))

    async def recall(self, sent: Receipt | Message) -> None:
        """
        Recall a message that this account wrote: by its receipt, or, if the phone sent it, by its event.

        Raises: As `AsyncClient.recall`.

        """
        await self.client.recall(sent)

    async def mark_read(self, chat: To | None = None) -> None:
        """
        Mark the event's chat as read, or another one.

        Raises:
            UnknownContact: The event has no chat.

        For further errors see `AsyncClient.mark_read`.

        """
        await self.client.mark_read(self.chat if chat is None else chat)

    async def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        """
        Return the content of a message's picture, sticker, voice, video or file, or a location's map.

        Raises: As `AsyncClient.download`.

        """
        return await self.client.download(message, progress=progress)

    async def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        """
        Save the content of a message's media into a file, and return its path.

        Raises: As `AsyncClient.download_to`.

        """
        return await self.client.download_to(message, to, progress=progress)

    # -- one-shot timers ---------------------------------------------------------------------------------------------

    async def call_later(
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
        if unitless:
            raise TypeError("The delay of a timer needs a unit, as in call_later(remind, minutes=10).")
        delay = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if delay < 0:
            raise ValueError("The delay of a timer cannot be negative.")
        return await self._add_timer(handler, self.client.clock() + delay, data=data, chat=chat, name=name)

    async def call_at(
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
        if not isinstance(at, datetime):
            raise TypeError(f"call_at() takes a datetime, and no {type(at).__name__}; call_later() takes a delay.")
        return await self._add_timer(handler, at.timestamp(), data=data, chat=chat, name=name)

    async def list_timers(self, *, name: str | None = None, chat: To | None = None) -> list[StoredTimer]:
        """
        Return the one-shot timers that wait, in the order of their times.

        Args:
            name: Only timers of this name.
            chat: Only timers of this chat; default: the event's chat. In a context without a chat: of all chats.

        Raises: As `AsyncClient.find_contact`.

        """
        return await self._one_shots().find(name=name, chat=await self._chosen_chat(chat))

    async def cancel_timer(self, timer: StoredTimer | int) -> bool:
        """
        Cancel a one-shot timer of this bot, by its number; return whether it waited. A call that runs continues.

        Raises:
            StorageError: The change was not stored.
        """
        return await self._one_shots().cancel(timer if isinstance(timer, int) else timer.number)

    async def cancel_timers(self, name: str, *, chat: To | None = None) -> int:
        """
        Cancel the one-shot timers of a name, and return how many waited.

        Args:
            name: The name.
            chat: As for `list_timers`.

        Raises:
            StorageError: A change was not stored.

        For further errors see `AsyncClient.find_contact`.

        """
        timers = await self.list_timers(name=name, chat=chat)
        return sum([await self.cancel_timer(each) for each in timers])

    async def _add_timer(
        self, handler: OneShotHandler | str, due_at: float, *, data: object, chat: To | None, name: str
    ) -> StoredTimer:
        self._ordinal += 1
        key = f"{self.key}/{self._ordinal}"
        chosen = await self._chosen_chat(chat)
        return await self._one_shots().add(handler, due_at, key=key, chat=chosen or ContactId(""), name=name, data=data)

    async def _chosen_chat(self, chat: To | None) -> ContactId | None:
        """Return the id of a chat, by default the chat of this context; None if the event belongs to no chat."""
        if chat is not None:
            return (await self.client.find_contact(chat)).id
        try:
            return self.chat
        except UnknownContact:
            return None

    def _one_shots(self) -> OneShotTimers:
        if self._timers is None:
            raise ValueError("Only the handlers of a Bot can use one-shot timers.")
        return self._timers

    async def _send(self, to: To, send: _Send) -> Receipt:
        """
        Make a send under the next key.

        Raises:
            ReplyLimitReached: The bot replied too often in this chat; nothing was sent.
        """
        self._ordinal += 1
        key = StepKey(f"{self.key}/{self._ordinal}")
        counted_in = await self._count_reply(to)
        try:
            if self._unknown_sends is None:
                return await send(key=key)
            return await self._unknown_sends.receipt_of(self.client, key, self.event, partial(send, key=key))
        except SendOutcomeUnknown:
            raise
        except WxError:
            if self._loop_guard is not None and counted_in is not None:
                self._loop_guard.undo_reply(counted_in)
            if self._unsent_replies is not None:
                self._unsent_replies.note()
            raise

    async def _count_reply(self, to: To) -> ContactId | None:
        """Count a send for the loop guard; return the chat in which it counts, None if it does not count."""
        if self._loop_guard is None:
            return None
        is_reply = to == getattr(self.event, "chat", None)
        with contextlib.suppress(UnknownContact):  # the send raises it
            target = self.chat if is_reply else (await self.client.find_contact(to)).id
            return target if self._loop_guard.check_reply(self.event, target) else None
        return None
