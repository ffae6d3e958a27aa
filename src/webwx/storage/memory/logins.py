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
        """Its number; later logins have higher ones."""
        self.own_id = own_id
        self.position = position
        self.opened_at = time
        self.last_at = time
        """When its last batch came."""
        self.last_body: bytes | None = None
        """Digest of that batch, when it held more than messages."""
        self.listed: bytes | None = None
        """Digest of its contacts when they last came as a complete list."""
        self.contacts: dict[str, Contact] = {}
        self.names: dict[str, set[ContactId]] = {}
        """Who had a remark or nickname, even if they have another one by now."""

    def keep(self, contacts: Iterable[Contact], deleted: Iterable[str] = ()) -> None:
        """Keep contacts, and delete those with these ids."""
        for each in deleted:
            self.contacts.pop(each, None)
        for contact in contacts:
            self.contacts[contact.id] = contact
            for name in (contact.nickname, contact.remark):
                if name:
                    self.names.setdefault(name, set()).add(contact.id)


class MemoryLogins:
    """All logins of an account, the first first."""

    def __init__(self) -> None:
        self.by_id: dict[ContactId, MemoryLogin] = {}
        self.by_row: dict[int, MemoryLogin] = {}
        self._last = 0

    @property
    def newest(self) -> MemoryLogin | None:
        """The login that was opened last for the first time."""
        return self.by_row[max(self.by_row)] if self.by_row else None

    def open(self, own_id: ContactId, position: bytes, time: float) -> MemoryLogin:
        """Begin a login, or go on with it at another position."""
        login = self.by_id.get(own_id)
        if login is None:
            self._last += 1
            login = self.by_id[own_id] = self.by_row[self._last] = MemoryLogin(self._last, own_id, position, time)
        login.position = position
        return login

    def known(self, own_id: ContactId) -> MemoryLogin:
        """Return a login that must be known."""
        login = self.by_id.get(own_id)
        if login is None:
            raise StorageError("The journal does not know this login.")
        return login

    def ended_before(self, time: float) -> list[MemoryLogin]:
        """Return logins that others have followed, and of which nothing was heard since a time."""
        newest = max((login.last_at for login in self.by_row.values()), default=0.0)
        return [login for login in self.by_row.values() if login.last_at < min(time, newest)]


class MemoryRoster:
    """The contacts of a login; of those who are in it now, later changes are seen too."""

    is_kept = True

    def __init__(self, contacts: dict[str, Contact]) -> None:
        self.ids = Places.of(contacts)
        self._contacts = contacts

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Contact]:
        return (contact for contact in tuple(self._contacts.values()) if contact.id in self.ids)

    def get(self, contact_id: str) -> Contact | None:
        """Look a contact up by id."""
        return self._contacts.get(contact_id) if contact_id in self.ids else None

    def named(self, name: str) -> list[Contact]:
        """List the contacts that have this nickname or this remark."""
        return [contact for contact in self if name in {contact.nickname, contact.remark}]

    def pack(self) -> None:
        """Do nothing: the contacts are what they are."""
