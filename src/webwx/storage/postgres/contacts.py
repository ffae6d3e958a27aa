"""
The contacts of one login: rows in the database, and a packed copy in memory for lookups.

A lookup is synchronous, so it never waits for the network: a roster holds the contacts of its login, compressed, and
applies the changes that this process stores.
"""

from __future__ import annotations

import weakref
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from webwx.model.contacts import Contact, Listed, Listing, is_chatroom
from webwx.model.roster import PackedRoster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from webwx.model.contacts import ContactId
    from webwx.model.roster import Places
    from webwx.storage.postgres.database import Connection

_WRITTEN = 1_024
"""Number of contacts that are written at a time, to limit the memory for their encoded form."""

_decode = msgspec.json.Decoder(Contact).decode


class PostgresRoster:
    """
    The contacts of a login; later changes of these contacts are visible, later contacts are not.

    Args:
        rows: Id and JSON of each contact.
    """

    is_kept = True

    def __init__(self, rows: Iterable[tuple[ContactId, bytes]]) -> None:
        listing = Listing(Listed(each, contact) for each, contact in rows)
        self._packed = PackedRoster(listing, _read, is_chatroom)
        self.ids: Places = self._packed.ids
        self._changed: dict[str, Contact | None] = {}
        """Contacts that were stored later; None for a deleted one."""
        self._packed.named("")  # builds the index of the names, in this thread
        self._packed.pack()

    def __len__(self) -> int:
        return len(self._packed) - sum(contact is None for contact in tuple(self._changed.values()))

    def __iter__(self) -> Iterator[Contact]:
        for contact in self._packed:
            now = self._changed.get(contact.id, contact)
            if now is not None:
                yield now

    def get(self, contact_id: str) -> Contact | None:
        """Return a contact by its id."""
        if contact_id in self._changed:
            return self._changed[contact_id]
        return self._packed.get(contact_id)

    def named(self, name: str) -> list[Contact]:
        """Return the contacts that have this nickname or this remark."""
        changed = self._changed
        found = [contact for contact in self._packed.named(name) if contact.id not in changed]
        now = [contact for contact in tuple(changed.values()) if contact is not None]
        return found + [contact for contact in now if name in {contact.nickname, contact.remark}]

    def pack(self) -> None:
        """Do nothing: the contacts are packed already."""

    def change(self, contacts: Iterable[Contact], deleted: Iterable[str]) -> None:
        """Apply changes that were stored."""
        for contact in contacts:
            if contact.id in self.ids:
                self._changed[contact.id] = contact
        for each in deleted:
            if each in self.ids:
                self._changed[each] = None


def _read(parts: Sequence[bytes]) -> Contact | None:
    return _decode(parts[-1])


class OpenRosters:
    """The rosters of one account that are in use, by own id."""

    def __init__(self) -> None:
        self._rosters: dict[str, weakref.WeakSet[PostgresRoster]] = {}

    def add(self, own_id: str, roster: PostgresRoster) -> None:
        """Add a roster."""
        self._rosters.setdefault(own_id, weakref.WeakSet()).add(roster)

    def change(self, own_id: str, contacts: Iterable[Contact], deleted: Iterable[str]) -> None:
        """Pass changes that were stored to the rosters of a login."""
        for roster in tuple(self._rosters.get(own_id, ())):
            roster.change(contacts, deleted)


async def read_roster(db: Connection, account: int, own_id: ContactId) -> PostgresRoster:
    """Return the current contacts of a login."""
    login = await db.fetchval("SELECT login FROM logins WHERE account = $1 AND own_id = $2", account, own_id)
    # The best plan depends on how many of all contacts the login has, so it is made for this login.
    async with db.transaction(readonly=True):
        await db.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = await db.fetch("SELECT id, contact FROM contacts WHERE login = $1 ORDER BY place", login)
    return PostgresRoster((row["id"], row["contact"]) for row in rows)


async def keep_contacts(
    db: Connection, login: int, contacts: Iterable[Contact], deleted: Iterable[ContactId] = ()
) -> None:
    """Store contacts of a login, and delete contacts by their ids; unchanged contacts are not written again."""
    gone = list(deleted)
    if gone:
        await db.execute("DELETE FROM contacts WHERE login = $1 AND id = ANY ($2::varchar[])", login, gone)
    left = iter(contacts)
    while some := {each.id: each for each in islice(left, _WRITTEN)}:
        await db.execute(
            "INSERT INTO contacts (login, id, contact) SELECT $1, * FROM unnest($2::varchar[], $3::bytea[])"
            " ON CONFLICT (login, id) DO UPDATE SET contact = excluded.contact"
            " WHERE contacts.contact <> excluded.contact",
            login, list(some), [msgspec.json.encode(each) for each in some.values()],
        )  # fmt: skip
        names = [(name, each.id) for each in some.values() for name in {each.nickname, each.remark} if name]
        await db.execute(
            "INSERT INTO names (login, name, id, text) SELECT $1, webwx_key(n.name), n.id, n.name"
            " FROM unnest($2::varchar[], $3::varchar[]) n (name, id) ON CONFLICT DO NOTHING",
            login, [name for name, _ in names], [each for _, each in names],
        )  # fmt: skip


def decoded(rows: Iterable[bytes]) -> list[Contact]:
    """Decode contacts."""
    return [_decode(each) for each in rows]
