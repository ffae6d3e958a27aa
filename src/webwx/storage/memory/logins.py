"""The logins of an account in memory, each with its contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.model.roster import Places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from webwx.model.contacts import Contact, ContactId


class MemoryLogin:
    """A login."""

    def __init__(self, row: int, own_id: ContactId, position: bytes, time: float) -> None:
        self.row = row
        """Number of the login; later logins have higher numbers."""
        self.own_id = own_id
        self.position = position
        self.opened_at = time
        self.last_at = time
        """Time of the last batch, in seconds since 1970."""
        self.last_body: bytes | None = None
        """Digest of the last batch that had items without an id."""
        self.listed: bytes | None = None
        """Digest of the last complete list of contacts."""
        self.contacts: dict[str, Contact] = {}
        self.names: dict[str, set[ContactId]] = {}
        """Ids by remark or nickname, including earlier names of a contact."""

    def keep(self, contacts: Iterable[Contact], deleted: Iterable[str] = ()) -> None:
        """Store contacts, and delete contacts by their ids."""
        for each in deleted:
            self.contacts.pop(each, None)
        for contact in contacts:
            self.contacts[contact.id] = contact
            for name in (contact.nickname, contact.remark):
                if name:
                    self.names.setdefault(name, set()).add(contact.id)


class MemoryLogins:
    """All logins of an account, the oldest first."""

    def __init__(self) -> None:
        self.by_id: dict[ContactId, MemoryLogin] = {}
        self.by_row: dict[int, MemoryLogin] = {}
        self._last = 0

    @property
    def newest(self) -> MemoryLogin | None:
        """The login that was created last."""
        return self.by_row[max(self.by_row)] if self.by_row else None

    def open(self, own_id: ContactId, position: bytes, time: float) -> MemoryLogin:
        """Begin a login, or return a known one."""
        login = self.by_id.get(own_id)
        if login is None:
            self._last += 1
            login = self.by_id[own_id] = self.by_row[self._last] = MemoryLogin(self._last, own_id, position, time)
        return login

    def known(self, own_id: ContactId) -> MemoryLogin:
        """
        Return the login with an own id.

        Raises:
            StorageError: The login is unknown.
        """
        login = self.by_id.get(own_id)
        if login is None:
            raise StorageError("The journal does not know this login.")
        return login

    def ended_before(self, time: float) -> list[MemoryLogin]:
        """Return logins without a batch since a time that are not the latest one."""
        newest = max((login.last_at for login in self.by_row.values()), default=0.0)
        return [login for login in self.by_row.values() if login.last_at < min(time, newest)]


class MemoryRoster:
    """The contacts of a login; later changes of these contacts are visible, later contacts are not."""

    is_kept = True

    def __init__(self, contacts: dict[str, Contact]) -> None:
        self.ids = Places.of(contacts)
        self._contacts = contacts

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Contact]:
        return (contact for contact in tuple(self._contacts.values()) if contact.id in self.ids)

    def get(self, contact_id: str) -> Contact | None:
        """Return a contact by its id."""
        return self._contacts.get(contact_id) if contact_id in self.ids else None

    def named(self, name: str) -> list[Contact]:
        """Return the contacts that have this nickname or this remark."""
        return [contact for contact in self if name in {contact.nickname, contact.remark}]

    def pack(self) -> None:
        """Do nothing: the contacts belong to the journal."""
