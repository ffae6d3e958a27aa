"""
Events to handlers: what a bot does with each that its lanes hand it.

A handler is chosen, called inside the middleware, and what it raises is told before the lanes count it. There is no
task per event here either.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, cast

import msgspec

from webwx.bot.chat_queues import is_last_attempt
from webwx.bot.context import Context
from webwx.bot.event_log import EventLog
from webwx.bot.failures import describe, trace
from webwx.bot.loop_guard import LoopGuard
from webwx.bot.router import Routes, name_of
from webwx.bot.sync_context import SyncContext
from webwx.bot.threads import Threads, is_asynchronous
from webwx.client.state import LoginState
from webwx.errors import ReplyLimitReached
from webwx.model.contacts import FILEHELPER
from webwx.model.messages import Event, Message, MessageRecalled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.router import Handler, Router
    from webwx.bot.timers import Timer
    from webwx.client.client import AsyncClient
    from webwx.client.subscription import Delivered
    from webwx.errors import LoggedOut
    from webwx.model.events import LoopDetected

    Proceed = Callable[[], Awaitable[object]]
    Middleware = Callable[[Context, Event, Proceed], Awaitable[object]]

_log = logging.getLogger("webwx.bot")


class Listeners:
    """What a bot calls beside its handlers."""

    def __init__(self) -> None:
        self.middleware: list[Middleware] = []
        """The first is the outermost."""
        self.on_error: list[Callable[..., object]] = []
        self.on_logged_out: list[Callable[..., object]] = []


class Dispatch:
    """
    A bot at work on one client.

    Args:
        name: The bot's.
        client: Logged in.
        router: Its handlers.
        listeners: What else it calls.
        threads: How many plain functions may run at once.
        attempts: How often an event is tried.
        time_limit: Seconds for an asynchronous handler.
        answers: How many answers in one chat within a minute are no loop; 0: any number.
        debug: Log each event, and the messages of exceptions.
    """

    def __init__(
        self,
        name: str,
        client: AsyncClient,
        router: Router,
        listeners: Listeners,
        *,
        threads: int,
        attempts: int,
        time_limit: float | None,
        replies_per_minute: int,
        debug: bool = False,
    ) -> None:
        self._name = name
        self._client = client
        self._routes = Routes(router)
        self._listeners = listeners
        self._pool = Threads(threads)
        self._attempts = attempts
        self._time_limit = time_limit
        self._is_simple = time_limit is None and not listeners.middleware
        """An asynchronous handler is called as it is."""
        self._loops: list[LoopDetected] = []
        """Found by a handler that is running, and not told yet."""
        self._loop_guard = LoopGuard(replies_per_minute, on_loop=self._loops.append)
        self._loop = asyncio.get_running_loop()
        self._is_debug = debug

    def end(self) -> None:
        """Let go of the threads."""
        self._pool.end()

    # -- events ------------------------------------------------------------------------------------------------------

    async def handle(self, delivered: Delivered, attempt: int) -> None:
        """Give an event to the handler that it is for."""
        event = delivered.event
        handlers = self._routes.of(type(event))
        if not (handlers or self._is_debug) or not self._loop_guard.allows(event):
            return
        context = Context(
            self._client, event, key=f"{self._name}/{event.number}", attempt=attempt,
            is_last_attempt=is_last_attempt(delivered.entry, attempt, self._attempts), _loop_guard=self._loop_guard,
        )  # fmt: skip
        log = EventLog(context, self._routes.all, self._loop.time()) if self._is_debug else None
        try:
            await self._call_first_match(handlers, context, log)
        except ReplyLimitReached:
            if log is not None:
                log.write(self._loop.time(), "stopped by the loop guard")
        except BaseException as error:
            if log is not None:
                log.write(self._loop.time(), "failed")
            if not _is_cancelled(error) and self._client.state is not LoginState.LOGGED_OUT:
                await self._report_error(context, event, error)
            raise
        else:
            if log is not None:
                log.write(self._loop.time())
        while self._loops:
            await self._report_loop(self._loops.pop(), event.number)

    async def _call_first_match(
        self, handlers: tuple[Handler, ...], context: Context, log: EventLog | None = None
    ) -> None:
        """Call the first handler that matches."""
        event = context.event
        is_own = getattr(event, "is_self", False)
        own = event if is_own and isinstance(event, (Message, MessageRecalled)) else None
        is_hidden = own is not None and own.chat != FILEHELPER  # there the phone's own are what is said to us
        for handler in handlers:
            if (is_hidden and not handler.takes_own) or not handler.matches(context):
                if log is not None:
                    is_own_refused = is_hidden and not handler.takes_own
                    log.did_not_match(
                        handler, "own= is not set" if is_own_refused else handler.reason_for_mismatch(context)
                    )
                continue
            if own is not None and await self._client.was_sent_here(own):
                if log is not None:
                    log.did_not_match(handler, "this program sent the message itself")
                return
            if handler.has_async_filters and (reason_for_refusal := await handler.reason_for_refusal(context)):
                if log is not None:
                    log.did_not_match(handler, reason_for_refusal)
                continue
            if log is not None:
                log.chose(handler)
            context.key += f"/{handler.name}"
            if handler.is_plain or not self._is_simple:
                await self._call(handler, context)
            else:
                await handler.start(context)
            return

    async def _call(self, handler: Handler, context: Context) -> None:
        """Call a handler inside the middleware; one that is asynchronous may take so long only."""
        proceed = self._innermost(handler, context)
        for middleware in reversed(self._listeners.middleware):
            proceed = partial(middleware, context, context.event, proceed)
        if self._time_limit is None or handler.is_plain:
            await proceed()
            return
        try:
            async with asyncio.timeout(self._time_limit) as limit:
                await proceed()
        except TimeoutError as error:
            if limit.expired() and error.__cause__ is not None:
                error.with_traceback(error.__cause__.__traceback__)  # where it was, and not where time is kept
            raise

    def _innermost(self, handler: Handler, context: Context) -> Proceed:
        if handler.is_plain:
            return partial(self._pool.call, handler.function, SyncContext(context, self._loop), context.event)
        return partial(handler.start, context)

    # -- timers ------------------------------------------------------------------------------------------------------

    async def call_timer(self, timer: Timer, key: str) -> None:
        """Call a timer's handler."""
        context = Context(self._client, Event(), key=key)
        try:
            await self._call_listener(timer.handler, context)
        except BaseException as error:
            if not _is_cancelled(error) and self._client.state is not LoginState.LOGGED_OUT:
                await self._report_error(context, None, error)
            raise

    # -- what else is called -----------------------------------------------------------------------------------------

    async def report_log_out(self, reason: LoggedOut) -> None:
        """Tell that the login has ended."""
        for listener in self._listeners.on_logged_out:
            await self._call_and_log_errors(name_of(listener), partial(self._call_listener, listener, reason))

    async def _report_loop(self, loop: LoopDetected, number: int) -> None:
        """Give an event of ours to the handler that it is for; it is given once, whatever becomes of it."""
        event = msgspec.structs.replace(loop, number=number)
        context = Context(self._client, event, key=f"{self._name}/{number}/loop")
        await self._call_and_log_errors(
            "LoopDetected", partial(self._call_first_match, self._routes.of(type(event)), context)
        )

    async def _report_error(self, context: Context, event: Event | None, error: BaseException) -> None:
        """Tell that an attempt has failed; sends have keys of their own, since the next attempt's may be others."""
        for listener in self._listeners.on_error:
            name = name_of(listener)
            again = Context(
                self._client, context.event, key=f"{context.key}/{name}/{context.attempt}", attempt=context.attempt,
                is_last_attempt=context.is_last_attempt, _loop_guard=self._loop_guard,
            )  # fmt: skip
            await self._call_and_log_errors(name, partial(self._call_listener, listener, again, event, error))

    async def _call_and_log_errors(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        """Call what has no attempt after this one; what it raises is logged, and that is all."""
        try:
            await call()
        except ReplyLimitReached:
            pass
        except BaseException as error:  # as for a handler
            if _is_cancelled(error):
                raise
            _log.error(
                "%s: %s failed: %s.\n%s", self._name, name, describe(error), trace(error, with_messages=self._is_debug)
            )

    async def _call_listener(self, function: Callable[..., object], *arguments: object) -> None:
        if is_asynchronous(function):
            await cast("Awaitable[object]", function(*arguments))  # it says that it gives one
        else:
            plain = [SyncContext(each, self._loop) if isinstance(each, Context) else each for each in arguments]
            await self._pool.call(function, *plain)


def _is_cancelled(error: BaseException) -> bool:
    """Say whether this error is the end of all work, and nobody's failure."""
    task = asyncio.current_task()
    return isinstance(error, KeyboardInterrupt) or (task is not None and task.cancelling() > 0)
