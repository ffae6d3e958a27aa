"""
Where the next fetch begins, with a journal.

The journal's word rules: what it has stored and where it stands were written in one piece. The saved login follows
behind, for the day when somebody goes on without the journal.
"""

from __future__ import annotations

import msgspec

from webwx.client.contacts import ContactVerbs
from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.protocol.sync import SyncKey


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Both keys. They are counters and no secret; a new skey is saved with the login, before the position moves."""

    fetch_key: SyncKey
    check_key: SyncKey

    def pack(self) -> bytes:
        """Write it as the journal keeps it."""
        return msgspec.json.encode(self)

    @classmethod
    def unpack(cls, packed: bytes) -> Position:
        """
        Read what the journal has kept.

        Raises:
            StorageError: It is none.
        """
        try:
            return msgspec.json.decode(packed, type=cls)
        except (msgspec.MsgspecError, RecursionError):
            raise StorageError("The journal's position cannot be read; another program wrote it.") from None


class PositionVerbs(ContactVerbs):
    """An account's place in its journal."""

    async def _find_position(self) -> None:
        """
        Go to where the journal stands; one that does not know this login begins with it.

        Raises:
            StorageError: The journal cannot be read or written.
        """
        if not await self._go_to_position():
            login = self._login
            position = Position(fetch_key=login.fetch_key, check_key=login.check_key)
            # They are read while they are written: all of them at once would weigh more than all else.
            await self._part_of_account().open_login(
                ContactId(login.user_id), position.pack(), self._cell.now(), self._contacts
            )
            await self._rest_on_journal()
            self._introduce_everybody()  # until now the ledger took nobody of this login

    async def _go_to_position(self) -> bool:
        """
        Fetch from where the journal stands, from now on; says whether it knows this login.

        Raises:
            StorageError: The journal cannot be read.
        """
        packed = await self._part_of_account().position(ContactId(self._login.user_id))
        if packed is None:
            return False
        position, login = Position.unpack(packed), self._login
        if position != Position(fetch_key=login.fetch_key, check_key=login.check_key):
            self._cell.change(fetch_key=position.fetch_key, check_key=position.check_key)
        return True
