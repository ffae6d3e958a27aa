"""
The chats of `webwx mcp`, which belong to the WeChat user for whom they were given, as those of a program do.

A program of a gateway stores its lists. Those of `webwx mcp` are options in the configuration of an agent, which stays
the same when another user logs in as the account. So what the options stand for, and for which user, is stored when
they are used first: a name is the person who had it then, and a number or `*` is of that user.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import NotLoggedIn, RecordChanged, TransportError
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.adapters.permissions import ChatPermissions, names_people, of_present_user
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from webwx.client.client import AsyncClient
    from webwx.gateway.adapters.mcp.command_agents import CommandAgent
    from webwx.gateway.adapters.permissions import ChatEntry
    from webwx.storage.tables.records import RecordStore

_KIND = "mcp/command-lists"


class CommandLists:
    """
    The lists of one agent, as its options have them.

    Args:
        records: Stores what the lists stand for.
        client: The client of the account.
        agent: The agent.
        see: The chats that it may read beside File Transfer Helper, as they were typed.
        write: The chats to which it may send beside File Transfer Helper.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self,
        records: RecordStore,
        client: AsyncClient,
        agent: CommandAgent,
        see: Sequence[str],
        write: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        self._records = records
        self._client = client
        self._see, self._write = see, write
        self._clock = clock
        parts = msgspec.json.encode([agent.account, agent.place, agent.kind, see, write])
        self._id = hashlib.sha256(parts).hexdigest()[:32]

    def __repr__(self) -> str:
        return "CommandLists(***)"

    async def read(self, entry_of: Callable[[AsyncClient, str], Awaitable[ChatEntry]]) -> ChatPermissions:
        """
        Return the permissions: those that are stored, or those of the user who is logged in now, if any.

        Args:
            entry_of: Returns the entry for a chat as it was typed.

        Raises:
            StorageError: They cannot be read or stored.
            TransportError: The gateway of the client cannot be reached to look a person up.
        """
        if not (self._see or self._write):
            return ChatPermissions()
        stored = await self._stored()
        while stored is None:
            user = await self._present_user()
            see = (FILEHELPER, *[await entry_of(self._client, each) for each in self._see])
            write = (FILEHELPER, *[await entry_of(self._client, each) for each in self._write])
            if await self._present_user() == user:  # otherwise the numbers may be those of another user
                stored = ChatPermissions(see=see, write=write)
                with suppress(TransportError):  # the first call of a tool finds the user, or reports it
                    stored = await self.bind(stored)
        return stored

    async def bind(self, permissions: ChatPermissions) -> ChatPermissions:
        """
        Return permissions with the user to whom they belong, and store them as soon as that user is known.

        Raises:
            StorageError: They cannot be stored.
            TransportError: The gateway of the client cannot be reached.
        """
        if permissions.user or not names_people((*permissions.see, *permissions.write)):
            return permissions
        bound = await of_present_user(permissions, self._client)
        if not bound.user:
            return bound
        try:
            await self._records.put(_KIND, self._id, msgspec.json.encode(bound), version=0, time=self._clock())
        except RecordChanged:  # another process of the agent was quicker
            return await self._stored() or bound
        return bound

    async def is_of_another_user(self, permissions: ChatPermissions) -> bool:
        """Return whether the lists belong to another user than the one who is logged in now, if this is known."""
        user = await self._present_user()
        return bool(user) and permissions.user not in {0, user}

    async def _stored(self) -> ChatPermissions | None:
        record = await self._records.get(_KIND, self._id)
        return None if record is None else msgspec.json.decode(record.body, type=ChatPermissions)

    async def _present_user(self) -> int:
        """Return the user; 0: there was no login, or it is not known now."""
        try:
            return await user_of(self._client)
        except (NotLoggedIn, TransportError):
            return 0


async def forget_lists(records: RecordStore) -> int:
    """Forget to whom the lists of all agents belong, so that they are read again; return the number of lists."""
    found = await records.find(_KIND)
    for each in found:
        await records.delete(_KIND, each.id)
    return len(found)
