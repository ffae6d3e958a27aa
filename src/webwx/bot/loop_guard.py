"""
The loop breaker: a bot that answers another bot stops before the platform stops it.

Two bots that answer each other go on for ever, and the platform takes that for abuse. So answers are counted for each
chat: those that one message caused in its own chat. When there are too many the chat is cut off, and stays so until
nothing has come there for a while. The clock is the event loop's, which no change of the time moves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from webwx.errors import LoopBroken
from webwx.model.contacts import FILEHELPER
from webwx.model.events import LoopDetected
from webwx.model.messages import Message, MessageRecalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.model.contacts import ContactId
    from webwx.model.messages import Event

LIMIT = 20
"""Answers in one chat within `WINDOW`; the next one is a loop."""

WINDOW = 60.0
"""Seconds in which answers are counted, and for which a chat that was cut off must be silent."""

_log = logging.getLogger("webwx.bot")


class LoopGuard:
    """
    One bot's loop breaker, which lives in one event loop.

    Args:
        limit: Answers in one chat within the window; 0: as many as it likes.
        window: Seconds.
        tell: Called once for each chat that is cut off, in the midst of the send that is refused.
    """

    def __init__(
        self, limit: int = LIMIT, window: float = WINDOW, *, tell: Callable[[LoopDetected], object] = lambda _: None
    ) -> None:
        self._limit = limit
        self._window = window
        self._tell = tell
        self._answers: OrderedDict[ContactId, deque[float]] = OrderedDict()
        """When each chat was answered, the chat that was answered last in the end."""
        self._cut_off: OrderedDict[ContactId, float] = OrderedDict()
        """When something last came in a chat that is cut off, the latest in the end."""

    def lets_in(self, event: Event) -> bool:
        """Say whether an event may be given to handlers; asked once for each that somebody else wrote."""
        chat = _counted_chat(event) if self._cut_off else None
        if chat is None or not self._is_cut_off(chat):
            return True
        self._cut_off[chat] = asyncio.get_running_loop().time()
        self._cut_off.move_to_end(chat)
        return False

    def check_answer(self, event: Event, to: ContactId) -> None:
        """
        Count a send that an event has caused, before it leaves.

        What was written before the bot began cannot be an answer to it, so answering that never is a loop.

        Raises:
            LoopBroken: It would be one too many in the event's chat, or the chat is cut off already.
        """
        chat = _counted_chat(event)
        if chat is None or to != chat or event.backlog or not self._limit:
            return
        if self._is_cut_off(chat):
            raise LoopBroken(f"This bot is silent in the chat until nothing has come there for {self._window:g} s.")
        now = asyncio.get_running_loop().time()
        self._forget(before=now - self._window)
        times = self._answers.setdefault(chat, deque())
        while times and times[0] <= now - self._window:
            times.popleft()
        if len(times) < self._limit:
            times.append(now)
            self._answers.move_to_end(chat)
            return
        del self._answers[chat]
        self._cut_off[chat] = now
        within = now - times[0]
        _log.warning(
            "A chat was answered %d times within %.0f s, as when two bots answer each other; "
            "it is left alone until nothing has come there for %g s.",
            self._limit, within, self._window,
        )  # fmt: skip
        self._tell(LoopDetected(chat=chat, replies=self._limit, seconds=within))
        raise LoopBroken(
            f"This would be answer {self._limit + 1} in the chat within {self._window:g} s, as when two bots answer "
            "each other, so nothing was sent."
        )

    def _is_cut_off(self, chat: ContactId) -> bool:
        now = asyncio.get_running_loop().time()
        while self._cut_off:
            longest_silent, last = next(iter(self._cut_off.items()))
            if now - last < self._window:
                break
            del self._cut_off[longest_silent]
        return chat in self._cut_off

    def _forget(self, *, before: float) -> None:
        """Let go of chats that were not answered for a while."""
        while self._answers:
            chat, times = next(iter(self._answers.items()))
            if times[-1] > before:
                return
            del self._answers[chat]


def _counted_chat(event: Event) -> ContactId | None:
    """Give the chat of what somebody else wrote; in `filehelper` oneself is the other one."""
    match event:
        case Message(is_self=is_self, chat=chat) | MessageRecalled(is_self=is_self, chat=chat):
            return chat if not is_self or chat == FILEHELPER else None
        case _:
            return None
