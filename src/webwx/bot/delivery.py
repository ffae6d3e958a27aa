"""
Deliver one account's events to a handler, each until it is acknowledged.

The guarantees are described in docs/topics/delivery.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from webwx.bot.account_health import AccountHealth
from webwx.bot.chat_queues import MAX_IN_FLIGHT, ChatQueues, DeliveryCounts, is_last_attempt
from webwx.bot.context import Context
from webwx.bot.side_by_side import until_first_ends
from webwx.bot.signatures import name_of
from webwx.bot.sync_context import SyncContext
from webwx.bot.threads import THREADS, Threads, is_asynchronous
from webwx.bot.unknown_sends import UnknownSends, check_on_unknown
from webwx.bot.unsent_replies import UnsentReplies
from webwx.bot.watchdog import LoopWatchdog
from webwx.client.state import LoginState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.unknown_sends import OnUnknown
    from webwx.client.client import AsyncClient
    from webwx.client.reading.delivered import Delivered
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
    on_unknown: OnUnknown = "continue",
) -> None:
    """
    Call a handler for each event, without end: for events of one chat in their order, for several chats concurrently.

    The client needs a journal. An event is acknowledged when the handler has returned. If the handler raises (also
    `SystemExit` or a cancellation), it is called again after a delay; after the last attempt the event becomes a dead
    letter, and the next event of the chat is handled. An event that was not acknowledged when the process ended is
    delivered again, with `redelivered` set.

    When the call is cancelled, no more events are fetched, running handlers may take ten seconds to end, and the
    acknowledgements are stored; a second cancellation ends the call at once. When the client is closed, the call
    returns. It installs no signal handlers: a program that has to stop cleanly on SIGTERM cancels the call in a signal
    handler of its own.

    Args:
        client: A client that is logged in.
        handler: Called with a context and the event; a plain function runs in a thread, with a `SyncContext`.
        consumer: Name of the consumer in the journal; several can run at the same time under different names.
        include_all: Whether to deliver phone activity and changes of contacts as well.
        attempts: Number of attempts after which an event becomes a dead letter.
        time_limit: Seconds after which an asynchronous handler is cancelled, which counts as a failure. A plain
            function cannot be cancelled; it is only logged, like every call that takes longer than 30 s.
        in_flight: Maximum number of events in memory.
        threads: Maximum number of plain functions that run at the same time.
        counts: Counters to use.
        on_unknown: What a send of the context does if its outcome is unknown; as for `Bot`.

    Raises:
        LoggedOut: The login ended.
        AlreadyRunning: Another process is syncing this login, or another part of this one uses the consumer's name.
        ValueError: `on_unknown` has an unknown value.
    """
    check_on_unknown(on_unknown)
    counts = counts or DeliveryCounts()
    unknown_sends = UnknownSends(consumer, counts) if on_unknown == "continue" else None
    loop = asyncio.get_running_loop()
    pool = None if is_asynchronous(handler) else Threads(threads)
    call = cast("AsyncHandler", handler)  # a plain function is called by the pool

    async with client.subscribe(consumer, shows=True) as subscription:
        is_local = subscription.is_synced_here
        unsent_replies = UnsentReplies(consumer, client, subscription.part) if is_local else None

        async def handle(delivered: Delivered, attempt: int) -> bool:
            event = delivered.event
            if not include_all and event.is_quiet:
                return False
            context = Context(
                client, event, key=f"{consumer}/{event.number}", attempt=attempt,
                is_last_attempt=is_last_attempt(delivered.entry, attempt, attempts), _unknown_sends=unknown_sends,
                _unsent_replies=unsent_replies,
            )  # fmt: skip
            if pool is None:
                await call(context, event)
            else:
                await pool.call(handler, SyncContext(context, loop), event)
            return False

        queues = ChatQueues(
            subscription, handle, attempts=attempts, in_flight=in_flight, counts=counts,
            time_limit=time_limit if pool is None else None,
            is_over=lambda: client.state is LoginState.LOGGED_OUT, health=AccountHealth(client, subscription),
        )  # fmt: skip
        try:
            with LoopWatchdog.watching(consumer, [(name_of(handler), handler)], counts):
                await until_first_ends(queues.run(), *(() if unsent_replies is None else (unsent_replies.run(),)))
        finally:
            if pool is not None:
                pool.end()
            await subscription.close(unseen_from=queues.last_handled + 1)
