"""
Bots: handlers for the events of one account, and the functions that run them.

A bot is an entry point, like the command line: settings that are not passed are read from the same places, so both use
the same login and journal. A bot that is given a client reads no settings.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from webwx.bot.account_health import AccountHealth
from webwx.bot.chat_queues import MAX_IN_FLIGHT, ChatQueues, DeliveryCounts
from webwx.bot.commands import DEFAULT_COMMANDS
from webwx.bot.conversations import Conversations
from webwx.bot.dispatch import Dispatch, Listeners
from webwx.bot.failures import FailureReports, calling_place, describe
from webwx.bot.http_handlers import HttpRoutes
from webwx.bot.journal import use_journal
from webwx.bot.loop import run_long
from webwx.bot.loop_guard import MAX_REPLIES
from webwx.bot.one_shot_timers import OneShotTimers, TimerCounts
from webwx.bot.router import Router, check_commands
from webwx.bot.running_accounts import RunningAccounts
from webwx.bot.side_by_side import until_all_end, until_first_ends
from webwx.bot.signatures import check_injectable, check_signature, name_of, place_of
from webwx.bot.state_timeouts import StateTimeouts
from webwx.bot.stored_states import StoredStates
from webwx.bot.threads import THREADS, is_asynchronous
from webwx.bot.timers import TimerRegistry, Timers
from webwx.bot.unknown_sends import UnknownSends, check_on_unknown
from webwx.bot.unsent_replies import UnsentReplies
from webwx.bot.watchdog import LoopWatchdog
from webwx.client.login.login import print_code
from webwx.client.state import LoginState
from webwx.errors import InvalidRequest, LoggedOut, WxError
from webwx.protocol.hosts import PROFILES
from webwx.settings import Settings

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
    from types import FrameType
    from typing import Any

    from webwx.bot.commands import Commands
    from webwx.bot.conversations import StateKey
    from webwx.bot.http_handlers import HttpRequest, HttpResponse
    from webwx.bot.stored_states import StateMigration
    from webwx.bot.unknown_sends import OnUnknown
    from webwx.client.client import AsyncClient
    from webwx.client.sending.rate_limit import RateLimit
    from webwx.client.state import StateChange
    from webwx.model.archive import Keep
    from webwx.model.login import Account, QrCode
    from webwx.storage.base import Journal, Storage
    from webwx.storage.saved_login import LoginStore

    MigrationT = TypeVar("MigrationT", bound=StateMigration)
    Listener = TypeVar("Listener", bound=Callable[..., object])

_log = logging.getLogger("webwx.bot")

_ALIVE = frozenset((LoginState.ONLINE, LoginState.DEGRADED))


def print_push() -> None:
    """Print to stderr that the phone asks for a confirmation."""
    sys.stderr.write("Confirm the login on your phone.\n")
    sys.stderr.flush()


class Bot(Router, TimerRegistry):
    """
    Handlers for the events of one account; each event goes to the first handler that matches.

    Args:
        account: Name of the saved login; default: the command line's setting, like the next two.
        host: Where to log in: `filehelper`, `web`, `desktop`, or an API host's name.
        server: Origin of a server that plays all hosts, such as a sandbox's `http://127.0.0.1:8790`.
        name: Consumer of the bot in the journal, and prefix of the keys of its sends. Bots of one account need
            different names.
        client: A client with a journal, logged in or not, in place of all other settings of the account. It is not
            closed at the end.
        store: Where the login is saved; default: the command line's file.
        journal: Path of the journal, or a journal, which is not closed at the end; default: the file beside the login.
        rate_limit: Rate limit of the account; default: from the settings.
        keep: Which media are archived as they arrive, before a recall; default: from the settings.
        show_qr: Called with each login code; the default draws it on the terminal.
        on_push: Called when the phone was asked to confirm without a code.
        relogin: Log in again when the login ends. False: the bot ends with the login.
        attempts: Number of attempts after which an event becomes a dead letter.
        time_limit: Seconds after which an asynchronous handler is cancelled, which counts as a failure.
        in_flight: Maximum number of events in memory.
        threads: Maximum number of plain functions that run at the same time.
        replies_per_minute: Replies in one chat within a minute that the loop guard allows; 0: no limit.
        state_key: The scope of a state: each `chat`, each `person` in each chat, or each text that a function of the
            event returns.
        commands: Prefixes of commands, and the chats in which the bot answers with usage and help.
        on_unknown: What a send of a handler does if its outcome is unknown, because the answer was lost: `continue`
            counts it as made and returns a receipt with `is_unknown`; `raise` raises `SendOutcomeUnknown` in every
            attempt.
        debug: Log one line per event with its handler and why others did not match, and the messages of exceptions.
            These lines contain names and may contain text of a chat; without `debug`, logs contain neither.

    Raises:
        TypeError: A client was passed together with another setting of the account.
        ValueError: A number is too small, or the name is empty.
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
        state_key: StateKey = "chat",
        commands: Commands = DEFAULT_COMMANDS,
        on_unknown: OnUnknown = "continue",
        debug: bool = False,
    ) -> None:
        Router.__init__(self)
        TimerRegistry.__init__(self)
        if client is not None and any(
            each is not None for each in (account, host, server, store, journal, rate_limit, keep)
        ):
            raise TypeError(
                "Bot() takes client= or other settings of the account, such as host= or journal=, but not both."
            )
        if not name:
            raise ValueError("name= cannot be empty; it is the name of the bot's consumer in the journal.")
        for keyword, number in {"attempts": attempts, "in_flight": in_flight, "threads": threads}.items():
            if number < 1:
                raise ValueError(f"{keyword}= cannot be {number}; give 1 or more.")
        if time_limit is not None and time_limit <= 0:
            raise ValueError(f"time_limit= cannot be {time_limit:g}; give seconds, or None for no limit.")
        if replies_per_minute < 0:
            raise ValueError(f"replies_per_minute= cannot be {replies_per_minute}; give 0 for no limit.")
        if state_key not in ("chat", "person") and not callable(state_key):
            raise ValueError(f"state_key= cannot be {state_key!r}; give 'chat', 'person', or a function of an event.")
        check_on_unknown(on_unknown)
        self.name: str = name
        """Name of the bot's consumer in the journal."""
        self.counts: DeliveryCounts = DeliveryCounts()
        """Number of events by outcome."""
        self.timer_counts: TimerCounts = TimerCounts()
        """Number of calls of timers by outcome."""
        self.account: str | None = account
        """Name of the saved login; None: the setting's value, and every account of a gateway."""
        self.host: str | None = host
        """Where the bot logs in; None: the setting's value."""
        self.rate_limit: RateLimit | None = rate_limit
        """Rate limit of the account; None: the setting's value."""
        self.keep: Keep | None = keep
        """Media that are archived when they arrive; None: the setting's value."""
        self.commands: Commands = commands
        """Prefixes of commands, and the chats in which the bot answers with usage and help."""
        self.conversations: Conversations | None = None
        """The bot's conversations, once it runs."""
        self.debug: bool = debug
        """Whether events and messages of exceptions are logged."""
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
        self._state_key = state_key
        self._on_unknown = on_unknown
        self._listeners = Listeners()
        self._migrations: list[StateMigration] = []
        self._place = calling_place()
        """File and line of the program that created the bot."""
        self._dispatch: Dispatch | None = None
        """Calls the handlers; None while the bot is not running."""

    def __repr__(self) -> str:
        return f"Bot({self.name!r})"

    # -- listeners ---------------------------------------------------------------------------------------------------

    def on_error(self, function: Listener) -> Listener:
        """
        Call a function after each failed attempt: `async def failed(ctx, event, error)`.

        It only reports: the event is tried again. `error` registers functions that handle errors of some classes.
        With `ctx.is_last_attempt`, the event becomes a dead letter. The event is None when a timer has failed. Errors
        of the function itself are logged.

        Raises:
            TypeError: The function does not take these arguments.
        """
        check_injectable(function, 3, "An on_error function is called with a context, an event and an error")
        self._listeners.on_error.append(function)
        return function

    def on_logged_out(self, function: Listener) -> Listener:
        """
        Call a function when the login has ended, before the bot logs in again: `async def ended(error)`.

        Raises:
            TypeError: The function does not take one argument.
        """
        check_signature(function, 1, "An on_logged_out function is called with the error that ended the login")
        self._listeners.on_logged_out.append(function)
        return function

    def on_send_changed(self, function: Listener) -> Listener:
        """
        Call a function when a send of the account was stored or has another state: `async def changed(send)`.

        The send is an `Outgoing`, made by this bot or by any other program, as for `AsyncClient.follow_sends`. The
        calls are made one after another while the bot is logged in. A change is reported once, at most: after an error
        of the function, which is logged, and after a restart it is not reported again.

        Raises:
            TypeError: The function does not take one argument.
        """
        check_signature(function, 1, "An on_send_changed function is called with the send")
        self._listeners.on_send_changed.append(function)
        return function

    def migrate_state(self, function: MigrationT) -> MigrationT:
        """
        Convert the states that an earlier version of the program has stored: `def migrate(step, values)`.

        The function is called with the name of the step, such as `Survey.age`, and the values as a dict, when a stored
        state is read for the first time in a process. It returns the new step and values, or None to keep them;
        `("", {})` ends the conversation. A result is stored with the next change of the state, so the function has to
        keep states that are converted already. Several functions are called one after the other, in their order.

        Raises:
            TypeError: The function is asynchronous, or does not take these arguments.
        """
        check_signature(function, 2, "A function of migrate_state is called with a step and the values")
        if is_asynchronous(function):
            raise TypeError(f"A function of migrate_state is a plain one; write `def {name_of(function)}`.")
        self._migrations.append(function)
        return function

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """
        Run until SIGTERM or Ctrl-C; then running handlers may take ten seconds to end. See the function `run`.

        Raises: As `run`.

        """
        run(self)

    async def start(self) -> None:
        """
        Log in if necessary and handle events, until this is cancelled. No signal handler is installed.

        Raises: As `start`.

        """
        await start(self)

    def settings(self) -> Settings:
        """
        Return the bot's settings, as they are now.

        Raises:
            InvalidSettings: A setting is invalid.
        """
        return Settings.read(account=self.account, host=self.host, server=self._server)

    @property
    def own_client_settings(self) -> tuple[str, ...]:
        """The arguments for the bot's own client; they are unused where the account has a client already."""
        given = {
            "client": self._client, "store": self._store, "journal": self._journal, "rate_limit": self.rate_limit,
            "keep": self.keep,
        }  # fmt: skip
        return tuple(name for name, value in given.items() if value is not None)

    def for_account(self, account: str) -> Bot:
        """Return a bot with the same functions for another account, with counts and conversations of its own."""
        bot = copy(self)
        bot.account = account
        bot.counts, bot.timer_counts, bot.conversations = DeliveryCounts(), TimerCounts(), None
        bot._dispatch = None
        return bot

    @property
    def http_routes(self) -> HttpRoutes:
        """
        The handlers of HTTP requests, by method and path.

        Raises:
            ValueError: Two handlers have the same method and path.
            TypeError: No value is provided for a parameter of a handler.
        """
        return HttpRoutes(self.http_handlers())

    async def answer_http(self, request: HttpRequest) -> HttpResponse:
        """
        Call the handler that `on_http` registered for a request, as a gateway does, and return its answer.

        Raises:
            LookupError: No handler has this method and path.
            InvalidRequest: The bot is not running, or the handler cannot use the body.

        An error of the handler is logged, passed to the `on_error` functions, and raised.
        """
        if self._dispatch is None:
            raise InvalidRequest(f"The bot {self.name!r} is not running.")
        return await self._dispatch.answer_http(request)

    def _check_handlers(self) -> None:
        """Raise an error if a decorator was not applied, or no value is provided for a parameter of a function."""
        check_commands(self.handlers(), self.commands.all_prefixes)
        _ = self.http_routes  # raises for two handlers of one path, and for a parameter that nothing provides
        list(self.handler_calls())
        for function in self._listeners.on_error:
            self.plan_call(function)
        for timer in self.timers:
            self.plan_call(timer.handler)
        for handler in self.timer_handlers.values():
            self.plan_call(handler)

    def _account_key(self, client: AsyncClient | None) -> object:
        """Return a key of the bot's account; bots with the same key share a client."""
        client = client or self._client
        if client is not None:
            return id(client)
        return id(self._store) if self._store is not None else self.settings().login_path.absolute()

    @asynccontextmanager
    async def _opened_client(
        self, open_storage: Callable[[Settings], Storage], on_state: Callable[[Bot, StateChange], object] | None
    ) -> AsyncIterator[AsyncClient]:
        if self._client is not None:
            yield self._client
            return
        from webwx.client.client import AsyncClient

        settings = self.settings()
        storage = open_storage(settings)
        async with AsyncClient(
            **settings.for_client(),
            store=self._store or storage.login(settings.login_name),
            journal=storage.journal(settings.login_name) if self._journal is None else self._journal,
            keep=settings.keep if self.keep is None else self.keep,
            rate_limit=settings.effective_rate_limit if self.rate_limit is None else self.rate_limit,
            on_state=None if on_state is None else partial(on_state, self),
        ) as client:
            yield client

    def _account_name(self, client: AsyncClient | None) -> str | None:
        """Return the name that the user chose for the bot's account; None if a client was passed instead."""
        if self.account is not None or client is not None or self._client is not None:
            return self.account
        return self.settings().account

    async def _serve(
        self,
        login: _LoginSource,
        accounts: RunningAccounts,
        on_ready: Callable[[Bot, AsyncClient], object],
    ) -> None:
        """Log in and handle events; after each end of the login, log in again."""
        client = login.client
        named = {name: step for handler in self.handlers() for name, step in handler.steps.items()}
        stored = StoredStates(self.name, self._migrations, named)
        self.conversations = conversations = Conversations(client, self._state_key, stored)
        reports = FailureReports(debug=self.debug)
        self._dispatch = dispatch = Dispatch(
            self.name, client, conversations, self, self._listeners, commands=self.commands, accounts=accounts,
            threads=self._threads, attempts=self._attempts, time_limit=self._time_limit,
            replies_per_minute=self._replies_per_minute,
            unknown_sends=UnknownSends(self.name, self.counts) if self._on_unknown == "continue" else None,
            debug=self.debug, reports=reports,
        )  # fmt: skip
        try:
            self._warn_of_equal_names()
            await login.log_in(self._show_qr, self._on_push)
            self._warn_of_unreachable_handlers(client.account)
            while True:
                try:
                    return await self._work(client, conversations, dispatch, reports, on_ready)
                except LoggedOut as end:
                    _log.warning("%s: the login has ended: %s", self.name, end)
                    await dispatch.report_log_out(end)
                    if not self._relogin:
                        raise
                await login.log_in(self._show_qr, self._on_push)
        finally:
            self._dispatch = None
            dispatch.end()

    def _warn_of_equal_names(self) -> None:
        """Log which handlers have the same name, and so the same keys for their sends."""
        functions: dict[str, dict[Callable[..., object], None]] = {}
        for handler in self.handlers():
            functions.setdefault(handler.name, {})[handler.function] = None
        for name, several in functions.items():
            if len(several) > 1:
                _log.warning(
                    "%s: several handlers have the name %s (%s). The keys of their sends contain the name, so a send "
                    "of one may count as a send of another; give each function its own name.",
                    self.name, name, ", ".join(map(place_of, several)),
                )  # fmt: skip

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
        self, client: AsyncClient, conversations: Conversations, dispatch: Dispatch, reports: FailureReports,
        on_ready: Callable[[Bot, AsyncClient], object],
    ) -> None:  # fmt: skip
        """Handle events and call timers until the login ends."""
        async with client.subscribe(self.name, shows=True) as subscription:
            conversations.open(subscription)
            await conversations.report_stored()
            on_ready(self, client)
            health = AccountHealth(client, subscription)
            queues = ChatQueues(
                subscription, dispatch.handle, attempts=self._attempts, in_flight=self._in_flight, counts=self.counts,
                is_over=lambda: client.state is LoginState.LOGGED_OUT, health=health, reports=reports,
            )  # fmt: skip
            dispatch.queues = queues
            dispatch.one_shot_timers = one_shot_timers = OneShotTimers(
                self.timer_handlers, client, subscription.part, dispatch.call_one_shot, bot=self.name,
                attempts=self._attempts, counts=self.timer_counts, health=health, reports=reports,
            )  # fmt: skip
            timeouts = StateTimeouts(
                conversations, dispatch.time_out, is_over=lambda: client.state is LoginState.LOGGED_OUT, bot=self.name,
                attempts=self._attempts, health=health, reports=reports,
            )  # fmt: skip
            dispatch.unsent_replies = unsent_replies = UnsentReplies(self.name, client, subscription.part)
            work = [queues.run(), timeouts.run(), unsent_replies.run()]
            if self._listeners.on_send_changed:
                work.append(use_journal(self.name, dispatch.report_sends))
            if self.timer_handlers:
                work.append(one_shot_timers.run())
            if self.timers:
                timers = Timers(
                    self.timers, subscription.part, dispatch.call_timer, bot=self.name, clock=client.clock,
                    counts=self.timer_counts, reports=reports,
                )  # fmt: skip
                work.append(timers.run())
            try:
                with LoopWatchdog.watching(self.name, self._named_functions(), self.counts):
                    await until_first_ends(*work)
            finally:
                await subscription.close(unseen_from=queues.last_handled + 1)

    def _named_functions(self) -> Iterator[tuple[str, Callable[..., object]]]:
        """Yield the names and functions of all handlers."""
        yield from ((each.name, each.function) for each in self.handlers())
        yield from ((each.name, each.handler) for each in self.timers)
        yield from self.timer_handlers.items()


class _LoginSource(Protocol):
    """A client, and the way in which it is logged in."""

    client: AsyncClient

    async def log_in(self, show_qr: Callable[[QrCode], object], on_push: Callable[[], object]) -> None:
        """Return once the client is logged in."""
        ...


class _SharedClient:
    """A client that all bots of an account share; one bot at a time logs it in."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self._entering = asyncio.Lock()

    async def log_in(self, show_qr: Callable[[QrCode], object], on_push: Callable[[], object]) -> None:
        """Log in unless the client is logged in; retry temporary failures for ever."""
        async with self._entering:
            if self.client.state not in _ALIVE:
                await self.client.login(show_qr=show_qr, on_push=on_push, is_patient=True)


class _AwaitedClient:
    """A client that another part of the program logs in."""

    def __init__(self, client: AsyncClient, wait_for_login: Callable[[], Awaitable[object]]) -> None:
        self.client = client
        self._wait_for_login = wait_for_login

    async def log_in(self, show_qr: Callable[[QrCode], object], on_push: Callable[[], object]) -> None:
        """Wait for the login."""
        del show_qr, on_push
        await self._wait_for_login()


async def serve(
    bot: Bot,
    client: AsyncClient,
    *,
    wait_for_login: Callable[[], Awaitable[object]],
    accounts: RunningAccounts,
    on_ready: Callable[[Bot, AsyncClient], object] = lambda *_: None,
) -> None:
    """
    Run a bot on an account whose logins are made elsewhere, until a cancellation or a log-out here.

    Args:
        bot: The bot, whose functions were checked by `check`.
        client: The account's client, logged in or not; it is not closed at the end.
        wait_for_login: Returns once the client is logged in; called at the beginning and after each end of a login.
        accounts: The accounts with which the bot's functions can act.
        on_ready: As for `start`.

    Raises:
        LoggedOut: The login ended, and the bot has `relogin=False`.
        AlreadyRunning: Another process is syncing this login, or another consumer has the bot's name.
        StorageError: The journal cannot be used.
    """
    await bot._serve(_AwaitedClient(client, wait_for_login), accounts, on_ready)


# -- several at once -------------------------------------------------------------------------------------------------


async def start(
    *bots: Bot,
    client: AsyncClient | None = None,
    on_ready: Callable[[Bot, AsyncClient], object] = lambda *_: None,
    on_state: Callable[[Bot, StateChange], object] | None = None,
) -> None:
    """
    Run bots of one account or of several, until this is cancelled. No signal handler is installed.

    A bot that ends with an error does not end the others. When the last one has ended, the first error is raised.

    Args:
        bots: The bots; those of one account share a client.
        client: A client that all bots use instead of their own settings, as in a test; it is not closed at the end.
        on_ready: Called with each bot and its client after each login, when it begins to handle events.
        on_state: Called with the first bot of an account and each change of the client's state; not for a client that
            was passed. Default: changes are logged.

    Raises:
        ValueError: There is no bot, two bots of one account have the same name, or a decorator of `on` was not applied.
        TypeError: No value is provided for a parameter of a handler or of another function of a bot.
        InvalidSettings: A setting is invalid.
        LoginTimeout: No login code was confirmed in time.
        LoggedOut: The login ended, and the bot has `relogin=False`.
        AlreadyRunning: Another process is syncing this login, or runs a bot of that name.
        NoJournal: The client that was passed has no journal.

    For further errors see `AsyncClient.login`.

    """
    check(*bots, client=client)
    for bot in bots:
        if not bot.timers and not list(bot.handlers()) and not bot.http_routes:
            _log.warning(
                "%s has no handler and no timer, so it does nothing; write @bot.on(TextMessage) above a function.",
                bot.name,
            )
        if bot.http_routes and client is None:
            _log.warning(
                "%s: its on_http handlers are not called here; a gateway calls them: webwx serve --bot FILE.", bot.name
            )
    async with AsyncExitStack() as stack:
        shared: dict[object, _SharedClient] = {}
        accounts = RunningAccounts()
        opened_storages: list[Storage] = []

        def open_storage(settings: Settings) -> Storage:
            """Return the storage, which all bots of a process share because they read the same environment."""
            if not opened_storages:
                opened_storages.append(settings.open_storage())
                stack.push_async_callback(opened_storages[0].close)
            return opened_storages[0]

        for bot in bots:
            key = bot._account_key(client)
            if key not in shared:
                opened = client
                if opened is None:
                    opened = await stack.enter_async_context(bot._opened_client(open_storage, on_state))
                shared[key] = _SharedClient(opened)
            account_name = bot._account_name(client)
            if account_name is not None:
                accounts.add(account_name, shared[key].client)
        await until_all_end(
            *(
                _log_end(
                    bot,
                    bot._serve(shared[bot._account_key(client)], accounts, on_ready),
                    is_one_of_several=len(bots) > 1,
                )
                for bot in bots
            )
        )


def check(*bots: Bot, client: AsyncClient | None = None) -> None:
    """
    Raise an error unless bots can run together; nothing is sent.

    Args:
        bots: As for `start`.
        client: As for `start`.

    Raises:
        ValueError: There is no bot, two bots of one account have the same name, or a decorator of `on` was not applied.
        TypeError: No value is provided for a parameter of a handler or of another function of a bot.
        InvalidSettings: A setting is invalid.
    """
    if not bots:
        raise ValueError("There is no bot to run.")
    keys = [(bot._account_key(client), bot.name) for bot in bots]
    for bot, key in zip(bots, keys, strict=True):
        bot._check_handlers()
        if keys.count(key) > 1:
            places = " and ".join(each._place for each, its_key in zip(bots, keys, strict=True) if its_key == key)
            raise ValueError(
                f"Several bots of one account have the name {bot.name!r} ({places}); give each its own with name=."
            )


def run(*bots: Bot, on_ready: Callable[[Bot, AsyncClient], object] = lambda *_: None) -> None:
    """
    Run bots until SIGTERM or Ctrl-C; then running handlers may take ten seconds to end, and are cancelled.

    A second signal cancels them at once. Signal handlers are installed for the time of this call only; a signal that is
    ignored, as SIGINT is in the background of a shell script, stays ignored.

    Args:
        bots: As for `start`.
        on_ready: As for `start`.

    Raises:
        RuntimeError: This thread runs an event loop already.

    For further errors see `start`.

    """
    found = _loading.get()
    if found is not None:
        found.extend(bots)
        return
    if _is_in_loop():
        raise RuntimeError("This thread runs an event loop already, as in a notebook; await `start` instead.")
    run_long(_run_until_signal(bots, on_ready))


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def loading() -> Iterator[list[Bot]]:
    """Collect the bots of a program while it is loaded: inside the block, `run` only adds its bots to the list."""
    found: list[Bot] = []
    token = _loading.set(found)
    try:
        yield found
    finally:
        _loading.reset(token)


_loading: ContextVar[list[Bot] | None] = ContextVar("_loading", default=None)


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
    Cancel a task on SIGTERM and SIGINT; return the list of signals received.

    A signal that is ignored stays ignored: a shell starts background jobs with SIGINT ignored.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main thread may install signal handlers
        yield received
        return
    loop = asyncio.get_running_loop()

    def end(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > _MAX_SIGNALS:
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(task.cancel)

    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    before = {each: handler for each, handler in handlers.items() if handler is not signal.SIG_IGN}
    for each in before:
        with suppress(NotImplementedError):  # Windows
            # Makes a signal wake the event loop, also one that arrives just before the loop waits.
            loop.add_signal_handler(each, lambda: None)
        signal.signal(each, end)
    try:
        yield received
    finally:
        for each, handler in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(each)
            signal.signal(each, handler)


_MAX_SIGNALS = 2
"""Number of signals that cancel; the next one interrupts the event loop, which a cancellation may not reach."""


async def _log_end(bot: Bot, work: Coroutine[Any, Any, None], *, is_one_of_several: bool) -> None:
    """Run a bot; if it is one of several, log its error at once."""
    try:
        await work
    except Exception as error:
        if is_one_of_several:
            why = str(error) if isinstance(error, WxError) else describe(error)
            _log.error("%s has ended; the other bots continue: %s", bot.name, why)
        raise
