"""
Consumers of the journals of several accounts, opened again after each new login.

A webhook or a rule has one consumer in the journal of each of its accounts, so its position is stored there, and no
event is lost by a restart or while an account is logged out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NoReturn

from webwx.client.cancellation import cancel_until_done
from webwx.errors import AlreadyRunning, LoggedOut, NotLoggedIn, StorageError, TooManyOpenFiles, WxError
from webwx.gateway.accounts.account import AccountFollower
from webwx.gateway.problems import GatewayProblem
from webwx.override import override

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from webwx.gateway.accounts.account import EventConsumer, GatewayAccount, GatewayAccounts

_log = logging.getLogger("webwx.gateway")

_REOPEN = 5.0
"""Seconds until a consumer is opened again after a failure, such as a disk error."""


_REOPEN_FULL = 300.0
"""Seconds until a consumer is opened again for which there was no room: many may wait, and each writes a line."""


async def require_room(
    port: GatewayAccounts, serves: Callable[[int], bool], served: Callable[[int], bool] = lambda _: False
) -> None:
    """
    Check that there is room for the consumers of a new or changed owner, before it is stored.

    Args:
        port: The accounts.
        serves: Returns whether the events of an account are to be read.
        served: Returns whether they are read already.

    Raises:
        TooManyOpenFiles: There is no room.
    """
    port.require_consumers(sum(serves(number) and not served(number) for number in await port.list_owned()))


class AccountConsumers:
    """
    One consumer with the same name in the journal of each account.

    Args:
        name: Name of the consumer.
        port: The accounts.
        serves: Returns whether the events of an account are to be read.
        work: Called with an account and its open consumer; it returns, or raises `LoggedOut`, when the login has ended.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        name: str,
        port: GatewayAccounts,
        serves: Callable[[int], bool],
        work: Callable[[GatewayAccount, EventConsumer], Awaitable[object]],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._name = name
        self._port = port
        self._serves = serves
        self._work = work
        self._sleep = sleep
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._renewed: dict[int, asyncio.Event] = {}
        """For each account an event that is set when it has come online."""
        self._opened: dict[int, asyncio.Event] = {}
        """For each account an event that is set once its consumer is open, or cannot be opened now."""

    def __repr__(self) -> str:
        return f"AccountConsumers({self._name})"

    def names_on(self, account: int) -> list[str]:
        """Return the name of the consumer, if the events of an account are to be read."""
        return [self._name] if self._serves(account) else []

    def serve(self, account: int) -> None:
        """Read the events of an account, unless they are read already."""
        if not self._serves(account):
            return
        task = self._tasks.get(account)
        if task is None or task.done():
            self._renewed[account], self._opened[account] = asyncio.Event(), asyncio.Event()
            self._tasks[account] = asyncio.ensure_future(self._read_account(account))
        else:
            self._renewed[account].set()

    async def until_open(self) -> None:
        """Return once the consumer has a position in the journal of each account that is logged in."""
        for opened in self._opened.values():
            await opened.wait()

    async def until_online(self, account: int) -> None:
        """Return once an account has come online again after its consumer was opened."""
        await self._renewed[account].wait()

    async def stop_account(self, account: int) -> None:
        """Stop to read an account, because this process is about to close it."""
        task = self._tasks.pop(account, None)
        if task is not None:
            await cancel_until_done([task])

    async def stop(self) -> None:
        """Stop; the next run continues with the unacknowledged events."""
        await cancel_until_done(self._tasks.values())

    async def _read_account(self, number: int) -> None:
        """Read the events of an account, again after each new login, until the account is removed."""
        renewed, opened = self._renewed[number], self._opened[number]
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        while not task.cancelling():  # an error of the end may have replaced the cancellation
            renewed.clear()
            try:
                account = self._port.account(number)
                async with account.events.consume(self._name) as consumer:
                    opened.set()
                    await self._work(account, consumer)
            except GatewayProblem:  # the account was removed
                return
            except (LoggedOut, NotLoggedIn):
                pass
            except (AlreadyRunning, StorageError) as error:
                _log.warning("The consumer %s waits for account %s: %s", self._name, number, error)
                opened.set()
                if not task.cancelling():
                    await self._sleep(_REOPEN_FULL if isinstance(error, TooManyOpenFiles) else _REOPEN)
                continue
            except WxError as error:  # the saved login cannot be read; a new one replaces it
                _log.warning("The consumer %s waits for account %s: %s", self._name, number, error)
            finally:
                opened.set()
            if not task.cancelling():
                await renewed.wait()


class RunningConsumers(AccountFollower):
    """
    The consumers that run now, by the id of the webhook or the rule that they belong to.

    Args:
        port: The accounts.
        prefix: What the names of all their consumers begin with.
        list_names: Returns the names of the consumers of all stored owners, running or not.
    """

    def __init__(
        self, port: GatewayAccounts, prefix: str, list_names: Callable[[], Awaitable[Collection[str]]]
    ) -> None:  # fmt: skip
        self._port = port
        self._prefix = prefix
        self._list_names = list_names
        self._running: dict[str, AccountConsumers] = {}
        self._to_clean: asyncio.Queue[int] = asyncio.Queue()
        """Numbers of accounts whose journals may have consumers of deleted owners."""
        self._cleaned: set[int] = set()
        """Numbers of the accounts whose journals need not be looked at when they come online again."""
        self._cleaning = asyncio.Lock()
        self._tasks: list[asyncio.Future[NoReturn]] = []

    def __repr__(self) -> str:
        return f"RunningConsumers({len(self._running)})"

    def start(self) -> None:
        """Begin to read the accounts that come online, new ones included."""
        self._tasks = [asyncio.ensure_future(self._watch()), asyncio.ensure_future(self._clean())]
        self._port.followers.append(self)

    async def clean_soon(self) -> None:
        """Delete the consumers of deleted owners soon, which another process or an earlier version has left."""
        for number in await self._port.list_owned():
            self._to_clean.put_nowait(number)

    async def clean(self) -> None:
        """Delete the consumers of deleted owners, which would count their waiting events for ever."""
        for number in await self._port.list_owned():
            await self._clean_account(number)

    async def begin(self, owner: str, consumers: AccountConsumers) -> None:
        """Begin to read the events of all accounts that this process runs."""
        self._running[owner] = consumers
        for number in await self._port.list_owned():
            consumers.serve(number)

    async def end(self, owner: str) -> None:
        """Stop the consumers of an owner, if it has any."""
        consumers = self._running.pop(owner, None)
        if consumers is not None:
            await consumers.stop()

    async def close(self) -> None:
        """Stop all consumers."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for owner in list(self._running):
            await self.end(owner)

    @override
    def names_on(self, account: int) -> list[str]:
        return [name for consumers in self._running.values() for name in consumers.names_on(account)]

    @override
    async def close_account(self, account: int) -> None:
        self._cleaned.discard(account)
        for consumers in list(self._running.values()):  # others begin or end meanwhile
            await consumers.stop_account(account)

    async def _watch(self) -> NoReturn:
        async for status in self._port.watch_states(owned=True):
            if status.state == "online":
                for consumers in self._running.values():
                    consumers.serve(status.number)
                if status.number not in self._cleaned:  # it may come online often
                    self._cleaned.add(status.number)
                    self._to_clean.put_nowait(status.number)
        raise AssertionError("The stream of account states has ended.")

    async def _clean(self) -> NoReturn:
        while True:
            await self._clean_account(await self._to_clean.get())

    async def _clean_account(self, number: int) -> None:
        """Delete the consumers of an account whose owner is not stored any more."""
        try:
            account = self._port.account(number)
            # An owner is stored before its consumers are made, so its name is listed if its consumer is.
            part = account.client.subscribe(self._prefix).part
            found = {name for name in await part.consumer_names() if name.startswith(self._prefix)}
            async with self._cleaning:  # a consumer that is being deleted counts as open
                for name in found.difference(await self._list_names()) if found else ():
                    await (await account.owned()).forget_consumer(name)
        except (GatewayProblem, WxError) as error:  # the next start, or the next time online, tries again
            self._cleaned.discard(number)
            _log.info("Consumers of account %d that belong to nothing are not deleted yet: %s", number, error)
