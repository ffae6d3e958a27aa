"""
The sync cursor of a client with a journal: the position at which the next fetch begins.

The journal's position counts, because it is stored in one transaction with the entries. The saved login gets the
position afterwards, so that a client without the journal can continue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.protocol.sync import SyncKey

if TYPE_CHECKING:
    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.identity_updates import IdentityUpdates


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Both sync keys. They are counters, not secrets; a new skey is saved with the login before the position."""

    fetch_key: SyncKey
    check_key: SyncKey

    def pack(self) -> bytes:
        """Encode the position for the journal."""
        return msgspec.json.encode(self)

    @classmethod
    def unpack(cls, packed: bytes) -> Position:
        """
        Decode a position from the journal.

        Raises:
            StorageError: The bytes are not a position.
        """
        try:
            return msgspec.json.decode(packed, type=cls)
        except (msgspec.MsgspecError, RecursionError):
            raise StorageError("The journal's position cannot be read; another program wrote it.") from None


class SyncCursor:
    """
    Moves an account's login to the position of its journal.

    Args:
        session: The account's session.
        storage: The account's storage; it has a journal.
        book: The contacts of the present login.
        updates: Matches contacts with identities.
    """

    def __init__(
        self, session: ClientSession, storage: AccountStorage, book: ContactBook, updates: IdentityUpdates
    ) -> None:
        self._session = session
        self._storage = storage
        self._book = book
        self._updates = updates

    async def find(self) -> None:
        """
        Continue from the journal's position; a journal that does not know this login stores its position.

        Raises:
            StorageError: The journal cannot be read or written.
        """
        if not await self.follow():
            await self.begin()

    async def begin(self) -> None:
        """
        Store this login and its contacts in the journal, and continue from the position there.

        Raises:
            StorageError: The journal cannot be written.
        """
        login = self._session.login
        position = Position(fetch_key=login.fetch_key, check_key=login.check_key)
        # Contacts are read one by one: all at once would take more memory than everything else.
        opened = await self._storage.part().open_login(
            ContactId(login.user_id),
            position.pack(),
            self._session.now(),
            self._book.contacts,
            complete=self._book.is_complete,
        )
        self._move(opened.position)
        self._book.contacts.rest_on(opened.roster)
        await self._updates.begin(opened.identified)

    async def follow(self) -> bool:
        """
        Continue from the journal's position; return whether the journal knows this login.

        Raises:
            StorageError: The journal cannot be read.
        """
        packed = await self._storage.part().position(ContactId(self._session.login.user_id))
        if packed is None:
            return False
        self._move(packed)
        return True

    def _move(self, packed: bytes) -> None:
        """Continue from a position of the journal."""
        position, login = Position.unpack(packed), self._session.login
        if position != Position(fetch_key=login.fetch_key, check_key=login.check_key):
            self._session.change(fetch_key=position.fetch_key, check_key=position.check_key)
