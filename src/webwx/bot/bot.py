"""
Bots: handlers, the account that they serve, and the way they run.

A bot is an entry point, like the command line: what it is not told it takes from where that takes it, so both see one
login and one journal. Whoever embeds one gives it a client, and then nothing is read from anywhere.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from webwx.bot.chat_queues import MAX_IN_FLIGHT, ChatQueues, DeliveryCounts
from webwx.bot.dispatch import Dispatch, Listeners
from webwx.bot.failures import describe
from webwx.bot.loop import run_long
from webwx.bot.loop_guard import MAX_REPLIES
from webwx.bot.router import Router, check_signature, name_of
from webwx.bot.threads import THREADS, is_asynchronous
from webwx.bot.timers import TimerRegistry, Timers
from webwx.client.login import print_code
from webwx.client.state import LoginState
from webwx.errors import LoggedOut, WxError
from webwx.protocol.hosts import PROFILES
from webwx.settings import Settings

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from types import FrameType
    from typing import Any

    from webwx.bot.dispatch import Middleware
    from webwx.client.client import AsyncClient
    from webwx.client.rate_limit import RateLimit
    from webwx.client.state import StateChange
    from webwx.model.archive import Keep
    from webwx.model.login import Account, QrCode
    from webwx.storage.base import Journal
    from webwx.storage.login import LoginStore

    Listener = TypeVar("Listener", bound=Callable[..., object])
    M = TypeVar("M", bound=Middleware)

_log = logging.getLogger("webwx.bot")

_ALIVE = frozenset((LoginState.ONLINE, LoginState.DEGRADED))


def print_push() -> None:
    """Say on the terminal's error stream that the phone asks for a confirmation."""
    sys.stderr.write("Confirm the login on your phone.\n")
    sys.stderr.flush()


class Bot(Router, TimerRegistry):
    """
    Handlers for the events of one account, each event once to the first handler that fits.

    Args:
        account: Which login of yours; default: as the command line has it, like the next two.
        host: Where to log in: `filehelper`, `web`, `desktop`, or an API host's name.
        server: Origin of a server that plays all hosts, such as a sandbox's `http://127.0.0.1:8790`.
        name: Names the bot's place in the journal and its sends. Bots of one account need names of their own.
        client: All about the account in place of what stands above and below, with a journal; logged in or not. It is
            not closed at the end.
        store: Where the login is kept; default: the command line's file.
        journal: What keeps messages and sends: a path, or a journal, which is not closed at the end; default: the file
            beside that.
        rate_limit: Rate limit of the account; default: from the settings.
        keep: Which media are fetched as they arrive and kept, against recalls; default: as it is set.
        show_qr: Called with each login code; the default draws it on the terminal.
        on_push: Called when the phone was asked to confirm without a code.
        relogin: Log in anew when the login ends. False: its end is the bot's end.
        attempts: How often an event is tried before it is a dead letter.
        time_limit: Seconds after which an asynchronous handler is cancelled, which counts as a failure.
        in_flight: How many events may be in memory.
        threads: How many plain functions may run at once.
        replies_per_minute: Answers in one chat within a minute, beyond which it is taken for a loop; 0: no limit.
        debug: Log one line per event with the handler it went to and why others did not match, and the messages of
            exceptions. These lines hold names and may hold text of a chat; by default logs hold neither.

    Raises:
        TypeError: A client, and something else that says which account.
        ValueError: A number that leaves nothing to do, or no name.
    """

    def __init__(
        self,
        *,
        account: str | None = None,
        host: str | None = None,
        server: str | None = None,
        name: str = "bot",
        client: AsyncClient | None = None,
        store: LoginStore | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        rate_limit: RateLimit | None = None,
        keep: Keep | None = None,
        show_qr: Callable[[QrCode], object] = print_code,
        on_push: Callable[[], object] = print_push,
        relogin: bool = True,
        attempts: int = 3,
        time_limit: float | None = None,
        in_flight: int = MAX_IN_FLIGHT,
        threads: int = THREADS,
        replies_per_minute: int = MAX_REPLIES,
        debug: bool = False,
    ) -> None:
        Router.__init__(self)
        TimerRegistry.__init__(self)
        if client is not None and any(
            each is not None for each in (account, host, server, store, journal, rate_limit, keep)
        ):
            raise TypeError("A bot that is given a client takes all else about the account from it.")
        if not name:
            raise ValueError("A bot needs a name; it marks its place in the journal.")
        for keyword, number in {"attempts": attempts, "in_flight": in_flight, "threads": threads}.items():
            if number < 1:
                raise ValueError(f"{keyword}= cannot be {number}; give 1 or more.")
        if time_limit is not None and time_limit <= 0:
            raise ValueError(f"time_limit= cannot be {time_limit:g}; give seconds, or None for no limit.")
        if replies_per_minute < 0:
            raise ValueError(f"replies_per_minute= cannot be {replies_per_minute}; give 0 for no limit.")
        self.name: str = name
        """Names its place in the journal."""
        self.counts: DeliveryCounts = DeliveryCounts()
        """What has become of the events so far."""
        self.host: str | None = host
        """Where it logs in; None: as it is set."""
        self.rate_limit: RateLimit | None = rate_limit
        """How fast its account may act; None: as it is set."""
        self.keep: Keep | None = keep
        """Which media are kept against recalls; None: as it is set."""
        self.debug: bool = debug
        """Events and exception messages are logged."""
        self._account = account
        self._server = server
        self._client = client
        self._store = store
        self._journal = journal
        self._show_qr = show_qr
        self._on_push = on_push
        self._relogin = relogin
        self._attempts = attempts
        self._time_limit = time_limit
        self._in_flight = in_flight
        self._threads = threads
        self._replies_per_minute = replies_per_minute
        self._listeners = Listeners()

    def __repr__(self) -> str:
        return f"Bot({self.name!r})"

    # -- what is called ----------------------------------------------------------------------------------------------

    def middleware(self, function: M) -> M:
        """
        Put a function around every handler: `async def timed(ctx, event, proceed): await proceed()`.

        The first that is registered is the outermost. One that does not proceed keeps the event from its handler, and
        the event is done with.

        Raises:
            TypeError: It is not asynchronous, or cannot be called like that.
        """
        check_signature(function, 3, "Middleware is called with a context, an event and what proceeds")
        if not is_asynchronous(function):
            raise TypeError(f"Middleware waits for what it surrounds: write `async def {name_of(function)}`.")
        self._listeners.middleware.append(function)
        return function

    def on_error(self, function: Listener) -> Listener:
        """
        Call a function after each attempt that has failed: `async def failed(ctx, event, error)`.

        `ctx.is_last_attempt` says that the event is given up now. The event is None when a timer failed. What the
        function raises itself is logged.

        Raises:
            TypeError: It cannot be called like that.
        """
        check_signature(function, 3, "What is called after a failure gets a context, an event and an error")
        self._listeners.on_error.append(function)
        return function

    def on_logged_out(self, function: Listener) -> Listener:
        """
        Call a function when the login has ended, before a new one is tried: `async def gone(reason)`.

        Raises:
            TypeError: It cannot be called with the reason.
        """
        check_signature(function, 1, "What is called after a log-out gets the reason")
        self._listeners.on_logged_out.append(function)
        return function

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """
        Run until SIGTERM or Ctrl-C, and end well then: what is in flight gets ten seconds. For the rest see `run`.

        Raises: As `run`.

        """
        run(self)

    async def start(self) -> None:
        """
        Log in where needed and hand out events, until this is cancelled. No signal is touched.

        Raises: As `start`.

        """
        await start(self)

    def settings(self) -> Settings:
        """
        Say what account it serves, as the settings are now.

        Raises:
            InvalidSettings: Something set cannot be.
        """
        return Settings.read(account=self._account, host=self.host, server=self._server)

    def _account_key(self, client: AsyncClient | None) -> object:
        """Say which account it serves, unless it is a given client's: bots of one place share a client."""
        client = client or self._client
        if client is not None:
            return id(client)
        return id(self._store) if self._store is not None else self.settings().login_path.absolute()

    @asynccontextmanager
    async def _opened_client(
        self, on_state: Callable[[Bot, StateChange], object] | None = None
    ) -> AsyncIterator[AsyncClient]:
        if self._client is not None:
            yield self._client
            return
        from webwx.client.client import AsyncClient
        from webwx.storage.open import open_journal

        settings = self.settings()
        async with AsyncExitStack() as stack:
            journal = self._journal
            if journal is None:
                journal = open_journal(settings.journal_path, retention_days=settings.retention_days)
                stack.push_async_callback(journal.close)
            yield await stack.enter_async_context(
                AsyncClient(
                    **settings.for_client(),
                    store=self._store or settings.login_file(),
                    journal=journal,
                    keep=settings.keep if self.keep is None else self.keep,
                    rate_limit=settings.effective_rate_limit if self.rate_limit is None else self.rate_limit,
                    on_state=None if on_state is None else partial(on_state, self),
                )
            )

    async def _serve(self, shared_client: _SharedClient, on_ready: Callable[[Bot, AsyncClient], object]) -> None:
        """Log in and work, and after each end of the login again."""
        client = shared_client.client
        dispatch = Dispatch(
            self.name, client, self, self._listeners, threads=self._threads, attempts=self._attempts,
            time_limit=self._time_limit, replies_per_minute=self._replies_per_minute, debug=self.debug,
        )  # fmt: skip
        try:
            await shared_client.log_in(self._show_qr, self._on_push)
            self._warn_of_unreachable_handlers(client.account)
            while True:
                try:
                    return await self._work(client, dispatch, on_ready)
                except LoggedOut as end:
                    _log.warning("%s: the login has ended: %s", self.name, end)
                    await dispatch.report_log_out(end)
                    if not self._relogin:
                        raise
                await shared_client.log_in(self._show_qr, self._on_push)
        finally:
            dispatch.end()

    def _warn_of_unreachable_handlers(self, account: Account) -> None:
        """Log which handlers can never be called on the host of this login."""
        if PROFILES[account.host].has_contacts:
            return
        for handler in self.handlers():
            reason = handler.unreachable(account)
            if reason:
                _log.warning(
                    "%s: %s is never called here: this login is File Transfer Helper web, where %s. "
                    "Choose full web WeChat with host='web' or --host web.",
                    self.name, handler.name, reason,
                )  # fmt: skip

    async def _work(
        self, client: AsyncClient, dispatch: Dispatch, on_ready: Callable[[Bot, AsyncClient], object]
    ) -> None:
        """Hand out what happens, and call the timers, as long as the login lives."""
        async with client.subscribe(self.name, shows=True) as subscription:
            on_ready(self, client)
            queues = ChatQueues(
                subscription, dispatch.handle, attempts=self._attempts, in_flight=self._in_flight, counts=self.counts,
                is_over=lambda: client.state is LoginState.LOGGED_OUT, debug=self.debug,
            )  # fmt: skip
            work = [queues.run()]
            if self.timers:
                timers = Timers(
                    self.timers, subscription.part, dispatch.call_timer, bot=self.name, clock=client.clock,
                    debug=self.debug,
                )  # fmt: skip
                work.append(timers.run())
            try:
                await _until_first_ends(*work)
            finally:
                await subscription.close(unseen_from=queues.last_handled + 1)


class _SharedClient:
    """A client that all bots of its account share; only one of them logs it in at a time."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self._entering = asyncio.Lock()

    async def log_in(self, show_qr: Callable[[QrCode], object], on_push: Callable[[], object]) -> None:
        """Log in unless the client is logged in, and retry temporary failures for ever."""
        async with self._entering:
            if self.client.state not in _ALIVE:
                await self.client.login(show_qr=show_qr, on_push=on_push, is_patient=True)


# -- several at once -------------------------------------------------------------------------------------------------


async def start(
    *bots: Bot,
    client: AsyncClient | None = None,
    on_ready: Callable[[Bot, AsyncClient], object] = lambda *_: None,
    on_state: Callable[[Bot, StateChange], object] | None = None,
) -> None:
    """
    Let bots run side by side, of one account or of several, until this is cancelled. No signal is touched.

    A bot that ends with an error does not end the others. When the last one has ended, the first error is raised.

    Args:
        bots: Those of one account share a client.
        client: Whose account all of them serve, whatever they were told, as in a test; it is not closed at the end.
        on_ready: Called with each bot and its client when it begins to work, after each login.
        on_state: Called as `AsyncClient(on_state=…)` is, with the first bot of the account before the change; not for
            a client that was given. Default: it is logged.

    Raises:
        ValueError: There is no bot, two bots of one account have one name, or an `on` has no function.
        InvalidSettings: Something set cannot be.
        LoginTimeout: No login code was confirmed.
        LoggedOut: The login ended, and the bot is not to log in anew.
        AlreadyRunning: Another process is syncing this login, or has a bot of that name.
        NoJournal: A client was given that has none.

    For others see `AsyncClient.login`.

    """
    check(*bots, client=client)
    for bot in bots:
        if not bot.timers and not list(bot.handlers()):
            _log.warning("%s: it has no handler and no timer, so nothing will come of what arrives.", bot.name)
    async with AsyncExitStack() as stack:
        shared: dict[object, _SharedClient] = {}
        for bot in bots:
            key = bot._account_key(client)
            if key not in shared:
                opened = await stack.enter_async_context(bot._opened_client(on_state)) if client is None else client
                shared[key] = _SharedClient(opened)
        await _until_all_end(
            *(
                _log_end(bot, bot._serve(shared[bot._account_key(client)], on_ready), is_one_of_several=len(bots) > 1)
                for bot in bots
            )
        )


def check(*bots: Bot, client: AsyncClient | None = None) -> None:
    """
    Make sure that bots can run side by side, before anybody logs in.

    Args:
        bots: As for `start`.
        client: As for `start`.

    Raises:
        ValueError: There is none, two of one account have one name, or an `on` has no function.
        InvalidSettings: Something set cannot be.
    """
    if not bots:
        raise ValueError("There is no bot to run.")
    places = [(bot._account_key(client), bot.name) for bot in bots]
    for bot, key in zip(bots, places, strict=True):
        list(bot.handlers())
        if places.count(key) > 1:
            raise ValueError(f"Two bots of one account are called {bot.name!r}; give each a name of its own.")


def run(*bots: Bot, on_ready: Callable[[Bot, AsyncClient], object] = lambda *_: None) -> None:
    """
    Run bots until SIGTERM or Ctrl-C, and end well then: what is in flight gets ten seconds, and then is cancelled.

    A second signal does not wait so long. It is the one place where handlers of signals are installed, for the time of
    this call; a signal that is ignored, as SIGINT is in the background of a shell script, stays ignored.

    Args:
        bots: As for `start`.
        on_ready: As for `start`.

    Raises:
        RuntimeError: A loop runs here already.

    For others see `start`.

    """
    found = _loading.get()
    if found is not None:
        found.extend(bots)
        return
    if _is_in_loop():
        raise RuntimeError("A loop runs here already, as in a notebook; await `start` in it instead.")
    run_long(_run_until_signal(bots, on_ready))


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def loading() -> Iterator[list[Bot]]:
    """Load a program for its bots: as long as this is open, `run` starts none and only adds to this list."""
    found: list[Bot] = []
    token = _loading.set(found)
    try:
        yield found
    finally:
        _loading.reset(token)


_loading: ContextVar[list[Bot] | None] = ContextVar("_found", default=None)


async def _run_until_signal(bots: tuple[Bot, ...], on_ready: Callable[[Bot, AsyncClient], object]) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker: this is a coroutine
    with _cancelled_by_signals(task) as signals:
        try:
            await start(*bots, on_ready=on_ready)
        except asyncio.CancelledError:
            if not signals:
                raise


@contextmanager
def _cancelled_by_signals(task: asyncio.Task[Any]) -> Iterator[list[int]]:
    """
    Let SIGTERM and SIGINT cancel a task; gives those that came.

    One that is ignored stays so: a shell starts what runs in its background with SIGINT ignored.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # which is the only one that may say what they do
        yield came
        return
    loop = asyncio.get_running_loop()

    def end(number: int, _: FrameType | None) -> None:
        came.append(number)
        if len(came) > _MAX_SIGNALS:
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(task.cancel)

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    before = {each: handler for each, handler in handlers.items() if handler is not signal.SIG_IGN}
    for each in before:
        with suppress(NotImplementedError):  # Windows
            # Makes a signal wake the loop, also one that comes just as it falls asleep.
            loop.add_signal_handler(each, lambda: None)
        signal.signal(each, end)
    try:
        yield came
    finally:
        for each, handler in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(each)
            signal.signal(each, handler)


_MAX_SIGNALS = 2
"""Signals after which a loop that no cancellation reaches is interrupted."""


async def _log_end(bot: Bot, work: Coroutine[Any, Any, None], *, is_one_of_several: bool) -> None:
    """Let it be known at once when one of several bots has ended."""
    try:
        await work
    except Exception as error:
        if is_one_of_several:
            why = str(error) if isinstance(error, WxError) else describe(error)
            _log.error("%s has ended, and the others go on: %s", bot.name, why)
        raise


async def _until_first_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run until one of these ends, and end the others then. Cancellations, a second one too, are passed on."""
    await _run_side_by_side(work, is_end_of_all=True)


async def _until_all_end(*work: Coroutine[Any, Any, None]) -> None:
    """Run until all of these have ended. Cancellations, a second one too, are passed on."""
    await _run_side_by_side(work, is_end_of_all=False)


async def _run_side_by_side(work: tuple[Coroutine[Any, Any, None], ...], *, is_end_of_all: bool) -> None:
    tasks = [asyncio.create_task(each) for each in work]
    waiting, is_ending, is_cancelled = set(tasks), False, False
    while waiting:
        try:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            is_over = is_end_of_all and not is_ending  # who is told twice does not wait for what is in flight
        except asyncio.CancelledError:
            is_over = is_cancelled = True
        if is_over:
            is_ending = True
            for each in waiting:
                each.cancel()
    errors = [error for each in tasks if not each.cancelled() and (error := each.exception())]
    if errors:
        raise errors[0]
    if is_cancelled:
        raise asyncio.CancelledError
