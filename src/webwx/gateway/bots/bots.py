"""
Bots inside the gateway: each runs on the gateway's accounts, with the client that the gateway keeps logged in.

A bot on one account is a run. Events are delivered as in every bot: the run has a consumer of its own in the journal.
A run waits while its account is logged out, and continues after the next login.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

from webwx.bot.bot import check, serve
from webwx.bot.failures import summarize
from webwx.bot.running_accounts import RunningAccounts
from webwx.errors import InvalidSettings, LoggedOut, NotLoggedIn, WxError
from webwx.gateway.problems import code_of_error, public_sentence_of
from webwx.protocol.hosts import choose
from webwx.representations.bots import BotView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable

    from webwx.bot.bot import Bot
    from webwx.client.client import AsyncClient
    from webwx.representations.bots import RunState

_log = logging.getLogger("webwx.gateway")

RESERVED_NAMES = frozenset({"gateway"})
"""Names of the gateway's own consumers."""

_RETRY = 5.0
"""Seconds until a run begins again after an error, for example because another process runs the bot."""


class AssignedBot(NamedTuple):
    """A bot and the accounts on which it runs."""

    bot: Bot
    accounts: tuple[str, ...] = ()
    """Names of the accounts; empty: all accounts, or the one that the bot names itself."""

    def runs_on(self, account: str) -> bool:
        """Return whether the bot runs on an account."""
        return account in self.names if self.names else True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the accounts on which it runs; empty for all."""
        return self.accounts or (() if self.bot.account is None else (self.bot.account,))


class HostedAccount(Protocol):
    """An account on which bots run."""

    number: int
    name: str

    @property
    def client(self) -> AsyncClient:
        """The account's client, logged in or not."""
        ...

    async def wait_for_login(self) -> None:
        """
        Return once the account is logged in, and its new bots have a position in its journal.

        Raises:
            StorageError: The positions cannot be stored.
        """
        ...


class BotRun:
    """
    A bot on one account.

    Args:
        bot: The bot; no other process may run it.
        account: The account.
        accounts: The accounts with which the bot's functions can act.
        sleep: Waits for some seconds after an error.
    """

    def __init__(
        self,
        bot: Bot,
        account: HostedAccount,
        accounts: RunningAccounts,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.bot = bot
        self.account = account
        self.state: RunState = "waiting"
        self.error: str | None = None
        """Why the run has failed or ended."""
        self.error_code = ""
        """Code of the error, as of a problem; empty without an error."""
        self._accounts = accounts
        self._sleep = sleep
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(self._note_end)

    def __repr__(self) -> str:
        return f"BotRun({self.bot.name!r}, account {self.account.number}, {self.state})"

    @property
    def is_serving(self) -> bool:
        """Whether the bot answers HTTP requests, which it does while the account is logged out too."""
        return self.state in {"waiting", "running"} and not self._task.cancelling()

    def cancel(self) -> None:
        """Stop; running handlers may take ten seconds to end."""
        if not self._task.cancelling():  # a second cancellation would not wait for them
            self._task.cancel()

    def stop(self) -> None:
        """Stop without waiting for running handlers."""
        self._task.cancel()

    async def wait(self) -> None:
        """Return once the bot has ended."""
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._task.cancelling():  # an error of the end may have replaced the cancellation
            self.state = "waiting"
            try:
                await serve(
                    self.bot, self.account.client, wait_for_login=self._wait_for_login, accounts=self._accounts,
                    on_ready=self._note_ready,
                )  # fmt: skip
            except LoggedOut as end:
                self._stop("ended", end, str(end))
                return
            except NotLoggedIn:  # the account was logged out here
                continue
            except WxError as error:
                if self._task.cancelling():
                    return
                if self.error != str(error):
                    _log.error("The bot %s on account %d: %s", self.bot.name, self.account.number, error)
                self._stop("failed", error, str(error))
                await self._sleep(_RETRY)

    async def _wait_for_login(self) -> None:
        self.state = "waiting"
        await self.account.wait_for_login()

    def _note_ready(self, bot: Bot, client: AsyncClient) -> None:
        del bot, client
        self.state, self.error, self.error_code = "running", None, ""

    def _stop(self, state: RunState, error: BaseException, text: str) -> None:
        self.state, self.error, self.error_code = state, text, code_of_error(error)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._stop("ended", error, public_sentence_of(error))
            _log.error("The bot %s on account %d has ended: %s.", self.bot.name, self.account.number, summarize(error))


class HostedBots:
    """
    The bots of a gateway, each on its accounts.

    Args:
        bots: The bots, which `check_bots` has accepted.
        sleep: Waits for some seconds after an error.
    """

    def __init__(
        self, bots: Iterable[AssignedBot] = (), sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._bots = tuple(bots)
        self._sleep = sleep
        self._accounts = RunningAccounts()
        self._runs: dict[HostedAccount, list[BotRun]] = {}
        """The runs of each account that has some."""

    def __repr__(self) -> str:
        return f"HostedBots({len(self._bots)} bots, {len(self.runs)} runs)"

    @property
    def names(self) -> frozenset[str]:
        """Names of the bots, which are those of their consumers."""
        return frozenset(assigned.bot.name for assigned in self._bots)

    def names_on(self, account: str) -> list[str]:
        """Return the names of the bots that run on an account."""
        return [assigned.bot.name for assigned in self._bots if assigned.runs_on(account)]

    @property
    def runs(self) -> tuple[BotRun, ...]:
        """All runs, in the order in which their accounts were opened."""
        return tuple(run for runs in self._runs.values() for run in runs)

    @property
    def failed(self) -> int:
        """Number of runs that an error has stopped; some of them are tried again."""
        return sum(run.state in {"failed", "ended"} for run in self.runs)

    def find_runs(self, name: str) -> list[BotRun]:
        """Return the runs of a bot by its name."""
        return [run for run in self.runs if run.bot.name == name]

    def open_account(self, account: HostedAccount) -> int:
        """Begin to run the bots of an account that the gateway has opened, and return how many."""
        self._accounts.add(account.name, account.client)
        runs = [
            BotRun(assigned.bot.for_account(account.name), account, self._accounts, self._sleep)
            for assigned in self._bots
            if assigned.runs_on(account.name)
        ]
        if runs:
            self._runs[account] = runs
        return len(runs)

    async def close_account(self, account: HostedAccount) -> None:
        """Stop the bots of an account that the gateway is about to close."""
        try:
            await _end(self._runs.get(account, ()))
        finally:
            self._runs.pop(account, None)
            self._accounts.remove(account.name)

    def begin_closing(self) -> None:
        """Stop all bots; running handlers may take ten seconds to end."""
        for run in self.runs:
            run.cancel()

    def stop_waiting(self) -> None:
        """Stop all bots without waiting for running handlers."""
        for run in self.runs:
            run.stop()

    async def close(self) -> None:
        """Stop all bots, and return once they have ended."""
        try:
            await _end(self.runs)
        finally:
            self._runs.clear()


async def _end(runs: Collection[BotRun]) -> None:
    for run in runs:
        run.cancel()
    try:
        for run in runs:
            await run.wait()
    finally:  # a cancellation does not wait for running handlers
        for run in runs:
            run.stop()


def view_of_run(run: BotRun) -> BotView:
    """Return a bot as the API shows it."""
    counts = run.bot.counts
    return BotView(
        name=run.bot.name, account=run.account.number, state=run.state, error=run.error, error_code=run.error_code,
        handled=counts.delivered, failed_attempts=counts.failed, dead_letters=counts.dead, in_flight=counts.in_flight,
        paths=run.bot.http_routes.paths,
    )  # fmt: skip


def check_bots(bots: Iterable[AssignedBot], *, host: str | None, server: str | None) -> None:
    """
    Check that bots can run in one gateway; nothing is sent.

    Args:
        bots: The bots.
        host: Where the gateway's accounts are logged in; None: the default.
        server: Server of the logins; None: the platform.

    Raises:
        InvalidSettings: One of them cannot run there.
    """
    checked: list[AssignedBot] = []
    for assigned in bots:
        _check_bot(assigned, host, server)
        for other in checked:
            if other.bot.name == assigned.bot.name and _share_an_account(assigned, other):
                raise InvalidSettings(
                    f"Two bots of one account have the name {assigned.bot.name!r}; give each its own with name=."
                )
        checked.append(assigned)


def _check_bot(assigned: AssignedBot, host: str | None, server: str | None) -> None:
    bot, which = assigned.bot, f"The bot {assigned.bot.name!r}"
    try:
        check(bot)
    except (TypeError, ValueError) as error:
        raise InvalidSettings(f"{which} cannot run: {error}") from None
    if bot.own_client_settings:
        raise InvalidSettings(
            f"{which} sets {bot.own_client_settings[0]}=, which the gateway decides for its accounts; remove it."
        )
    if bot.name in RESERVED_NAMES:
        raise InvalidSettings(f"{which} has a name that the gateway uses itself; give it another with name=.")
    if bot.account is not None and assigned.accounts not in {(), (bot.account,)}:
        raise InvalidSettings(
            f"{which} names the account {bot.account!r} itself, but the configuration names another one."
        )
    settings = bot.settings()
    if choose(settings.host, settings.server) != choose(host, server):
        raise InvalidSettings(
            f"{which} is for accounts of another host or server than the gateway's; remove host= and server= from it, "
            "or start the gateway with --host or --server."
        )


def _share_an_account(one: AssignedBot, other: AssignedBot) -> bool:
    return not one.names or not other.names or not set(one.names).isdisjoint(other.names)
