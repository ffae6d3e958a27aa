"""
Hand one account's events to a handler, each until it is done with.

What is promised, and what is not, stands in docs/topics/delivery.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from webwx.bot.chat_queues import MAX_IN_FLIGHT, ChatQueues, DeliveryCounts, is_last_attempt
from webwx.bot.context import Context
from webwx.bot.sync_context import SyncContext
from webwx.bot.threads import THREADS, Threads, is_asynchronous
from webwx.client.state import LoginState
from webwx.model.events import is_quiet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.client.client import AsyncClient
    from webwx.client.subscription import Delivered
    from webwx.model.messages import Event

    AsyncHandler = Callable[[Context, Event], Awaitable[object]]
    SyncHandler = Callable[[SyncContext, Event], object]


async def deliver(
    client: AsyncClient,
    handler: AsyncHandler | SyncHandler,
    *,
    consumer: str = "bot",
    include_all: bool = False,
    attempts: int = 3,
    time_limit: float | None = None,
    in_flight: int = MAX_IN_FLIGHT,
    threads: int = THREADS,
    counts: DeliveryCounts | None = None,
) -> None:
    """
    Hand events to a handler, for ever: those of one chat in their order, those of several chats side by side.

    The client needs a journal. An event is done with once the handler has returned; one whose handler has raised, an
    exit or a cancellation included, is tried again after a pause, and given up after so many attempts: it is a dead
    letter then, and the chat goes on. What was not done with when the process ended comes again, `redelivered`.

    When it is cancelled, no more is fetched, what is in flight gets ten seconds to end, and the acknowledgements are
    stored; a second cancellation ends it at once. When the client is closed, it returns. Signals are left alone: a
    program that is to end well on SIGTERM cancels this from a handler of its own.

    Args:
        client: Logged in.
        handler: Called with a context and the event; a plain function runs in a thread, with a `SyncContext`.
        consumer: Whose place in the journal it is; several may work side by side, each with a name of its own.
        include_all: Hand out activity of the phone and changes of contacts as well.
        attempts: How often an event is tried.
        time_limit: Seconds after which an asynchronous handler is cancelled, which counts as a failure. A plain
            function cannot be stopped; it is only reported, as all are that take longer than 30 s.
        in_flight: How many events may be in memory.
        threads: How many plain functions may run at once.
        counts: Where to count what becomes of them.

    Raises:
        LoggedOut: The login ended.
        AlreadyRunning: Another process is syncing this login, or another part of this one has the consumer's name.
    """
    loop = asyncio.get_running_loop()
    pool = None if is_asynchronous(handler) else Threads(threads)
    call = cast("AsyncHandler", handler)  # unless there is a pool

    async with client.subscribe(consumer, shows=True) as subscription:

        async def handle(delivered: Delivered, attempt: int) -> None:
            event = delivered.event
            if not include_all and is_quiet(event):
                return
            context = Context(
                client, event, key=f"{consumer}/{event.number}", attempt=attempt,
                is_last_attempt=is_last_attempt(delivered.entry, attempt, attempts),
            )  # fmt: skip
            if pool is None:
                await call(context, event)
            else:
                await pool.call(handler, SyncContext(context, loop), event)

        queues = ChatQueues(
            subscription, handle, attempts=attempts, in_flight=in_flight, counts=counts,
            time_limit=time_limit if pool is None else None,
            is_over=lambda: client.state is LoginState.LOGGED_OUT,
        )  # fmt: skip
        try:
            await queues.run()
        finally:
            if pool is not None:
                pool.end()
            await subscription.close(unseen_from=queues.last_handled + 1)
