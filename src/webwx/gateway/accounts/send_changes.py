"""
The states of sends as they change, for readers that follow them.

A send is announced by its number, in this process, or by its account, from another one; a reader that follows the
account then reads the send. Without a reader nothing is read, and no reader adds a transaction to a send.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from webwx.client.reading.send_news import SendNews
from webwx.errors import WxError
from webwx.gateway.accounts.account import SendChange
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account import GatewayAccount
    from webwx.storage.tables.outbox import Outgoing

_log = logging.getLogger("webwx.gateway")

SEND_CHANGED: Final = "send.changed"
"""Type of the change of a send; readers get it only if they name it."""

_NEWEST = 50
"""Number of the newest sends that are read if only the account of a change is known."""

_WINDOW = 10.0
"""Seconds before the newest change in which the other changes of such an announcement are."""


_LOOK_AGAIN = 5.0
"""
Seconds after which sends without a final state are read again.

The death of the process of a send is not announced, and the announcement of its outcome may be lost.
"""

_UNFINISHED: Final = frozenset(("queued", "sending"))
"""States that are not final."""


class SendChanges:
    """
    Passes the changes of sends to readers.

    Args:
        account: Returns an account by its number.
    """

    def __init__(self, account: Callable[[int], GatewayAccount]) -> None:
        self._account = account
        self._readers: WeakSet[_SendReader] = WeakSet()
        """The readers; one leaves the set when its generator ends."""

    def __repr__(self) -> str:
        return f"SendChanges({len(self._readers)} readers)"

    def note(self, account: int, number: int = 0) -> None:
        """Note that a send has changed; without a number, any sends of the account."""
        for reader in self._readers:
            if reader.follows(account):
                reader.news.note((account, number))

    @property
    def has_readers(self) -> bool:
        """Whether there is a reader."""
        return bool(self._readers)

    def is_followed(self, account: int) -> bool:
        """Return whether a reader gets the sends of an account."""
        return any(reader.follows(account) for reader in self._readers)

    def watch(self, accounts: Collection[int] | None = None) -> AsyncGenerator[SendChange, None]:
        """Return the sends of some accounts (None: all) that change from now on, several quick changes once."""
        reader = _SendReader(None if accounts is None else frozenset(accounts))
        self._readers.add(reader)
        return self._follow(reader)

    async def _follow(self, reader: _SendReader) -> AsyncGenerator[SendChange, None]:
        loop = asyncio.get_running_loop()
        look_at = loop.time() + _LOOK_AGAIN
        while True:
            change = await reader.news.take_until(look_at)
            if change is None:
                found = [
                    SendChange(account, send)
                    for account, numbers in tuple(reader.unfinished.items())
                    for send in await self._newest(account)
                    if send.number in numbers
                ]
                look_at = loop.time() + _LOOK_AGAIN
            else:
                found = [SendChange(change[0], send) for send in await self._read(*change)]
            for each in found:
                if reader.is_new(each):
                    yield each

    async def _read(self, account: int, number: int) -> list[Outgoing]:
        """Return the sends of an announcement, the earliest change first; none if they cannot be read now."""
        if number:
            return await self._try(account, lambda client: _found(client, number))
        newest = sorted(await self._newest(account), key=lambda send: send.changed_at)
        return [send for send in newest if send.changed_at >= newest[-1].changed_at - _WINDOW]

    async def _newest(self, account: int) -> list[Outgoing]:
        """Return the newest sends of an account; none if they cannot be read now."""
        return await self._try(account, lambda client: client.list_sends(limit=_NEWEST))

    async def _try(self, account: int, read: Callable[[AsyncClient], Awaitable[list[Outgoing]]]) -> list[Outgoing]:
        try:
            return await read(self._account(account).client)
        except (WxError, GatewayProblem) as error:  # the account is handed over, or the storage fails
            _log.debug("A changed send cannot be read now: %s", error)
            return []


async def _found(client: AsyncClient, number: int) -> list[Outgoing]:
    send = await client.find_send(number=number)
    return [] if send is None else [send]


class _SendReader:
    """One reader, and the changes that wait for it by account and number."""

    def __init__(self, accounts: frozenset[int] | None) -> None:
        self._accounts = accounts
        self.news: SendNews[tuple[int, int]] = SendNews()
        self.unfinished: dict[int, set[int]] = {}
        """Numbers of the sends without a final state that the reader has seen, by their accounts."""

    def follows(self, account: int) -> bool:
        """Return whether the reader gets the sends of an account."""
        return self._accounts is None or account in self._accounts

    def is_new(self, change: SendChange) -> bool:
        """Return whether the state of a send differs from the one that the reader has seen, and remember it."""
        account, send = change.account, change.send
        if send.state in _UNFINISHED:
            self.unfinished.setdefault(account, set()).add(send.number)
        elif account in self.unfinished:
            self.unfinished[account].discard(send.number)
            if not self.unfinished[account]:
                del self.unfinished[account]
        return self.news.is_new((account, send.number), send)
