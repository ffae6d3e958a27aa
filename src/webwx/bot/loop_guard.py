"""
The loop guard: silence a bot that replies to another bot, before the platform blocks the account.

Two bots that reply to each other never stop, and the platform treats this as abuse. The guard counts a bot's replies
per chat: sends into the chat of the event that caused them. A chat with too many replies is silenced until no event has
arrived there for a while. Time is the event loop's, which does not change when the wall clock is set.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from webwx.errors import ReplyLimitReached
from webwx.model.contacts import FILEHELPER
from webwx.model.events import LoopDetected
from webwx.model.messages import Message, MessageRecalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.model.contacts import ContactId
    from webwx.model.messages import Event

MAX_REPLIES = 20
"""Maximum number of replies in one chat within `WINDOW`; the next reply counts as a loop."""

WINDOW = 60.0
"""Seconds in which replies are counted; a silenced chat is allowed again after as many seconds without an event."""

_log = logging.getLogger("webwx.bot")


class LoopGuard:
    """
    The loop guard of one bot, for one event loop.

    Args:
        limit: Maximum number of replies in one chat within the window; 0: no limit.
        window: Seconds.
        on_loop: Called once for each chat that is silenced, during the send that is refused.
    """

    def __init__(
        self,
        limit: int = MAX_REPLIES,
        window: float = WINDOW,
        *,
        on_loop: Callable[[LoopDetected], object] = lambda _: None,
    ) -> None:
        self._limit = limit
        self._window = window
        self._on_loop = on_loop
        self._replies: OrderedDict[ContactId, deque[float]] = OrderedDict()
        """Times of the replies in each chat; the chat with the latest reply is last."""
        self._silenced: OrderedDict[ContactId, float] = OrderedDict()
        """Time of the last event in each silenced chat; the latest is last."""

    def allows(self, event: Event) -> bool:
        """Return whether an event may be handled; called once per event."""
        chat = _counted_chat(event) if self._silenced else None
        if chat is None or not self._is_silenced(chat):
            return True
        self._silenced[chat] = asyncio.get_running_loop().time()
        self._silenced.move_to_end(chat)
        return False

    def check_reply(self, event: Event, to: ContactId) -> bool:
        """
        Count a send that an event has caused, before it leaves; return whether it was counted.

        A reply to a message that was written before the bot started is not counted, because that message answers no
        bot.

        Raises:
            ReplyLimitReached: The limit is reached in the event's chat, or the chat is silenced already.
        """
        chat = _counted_chat(event)
        if chat is None or to != chat or event.backlog or not self._limit:
            return False
        if self._is_silenced(chat):
            raise ReplyLimitReached(
                f"This bot sends no replies in the chat until no message has arrived there for {self._window:g} s."
            )
        now = asyncio.get_running_loop().time()
        self._forget(before=now - self._window)
        times = self._replies.setdefault(chat, deque())
        while times and times[0] <= now - self._window:
            times.popleft()
        if len(times) < self._limit:
            times.append(now)
            self._replies.move_to_end(chat)
            return True
        del self._replies[chat]
        self._silenced[chat] = now
        within = now - times[0]
        _log.warning(
            "The bot replied %d times in one chat within %.0f s, as if two bots reply to each other; "
            "it sends no reply there until nothing has arrived for %g s.",
            self._limit, within, self._window,
        )  # fmt: skip
        self._on_loop(LoopDetected(chat=chat, replies=self._limit, seconds=within))
        raise ReplyLimitReached(
            f"The bot has sent {self._limit} replies in the chat within {self._window:g} s and may be talking to "
            "another bot, so nothing was sent."
        )

    def undo_reply(self, to: ContactId) -> None:
        """Do not count the last reply in a chat, because nothing was sent."""
        times = self._replies.get(to)
        if times:
            times.pop()
            if not times:
                del self._replies[to]

    def _is_silenced(self, chat: ContactId) -> bool:
        now = asyncio.get_running_loop().time()
        while self._silenced:
            longest_silent, last = next(iter(self._silenced.items()))
            if now - last < self._window:
                break
            del self._silenced[longest_silent]
        return chat in self._silenced

    def _forget(self, *, before: float) -> None:
        """Forget chats without a recent reply."""
        while self._replies:
            chat, times = next(iter(self._replies.items()))
            if times[-1] > before:
                return
            del self._replies[chat]


def _counted_chat(event: Event) -> ContactId | None:
    """Return the chat of another person's message, or of this account's own message in `filehelper`."""
    match event:
        case Message(is_self=is_self, chat=chat) | MessageRecalled(is_self=is_self, chat=chat):
            return chat if not is_self or chat == FILEHELPER else None
        case _:
            return None
