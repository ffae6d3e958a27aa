"""
The contacts of one login, read from the journal when they are looked up.

Only the hashes of their ids and the contacts of the last lookups are in memory. A lookup is synchronous, so it uses its
own connection, which any thread may use.

Once a later login has begun and the contacts of both have identities, the earlier one is compacted: only contacts
without an identity are left, and chatrooms with messages, because the names of their members are needed to show those.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import Contact, is_chatroom
from webwx.model.roster import STAY_READ, STAY_READ_CHATROOMS, Places
from webwx.protocol.codec import clean_text
from webwx.storage.identity_matching import encode_contacts
from webwx.storage.sqlite.bulk import as_list, insert, select, select_numbers
from webwx.storage.sqlite.index import key_of
from webwx.storage.sqlite.schema import connect, explain, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from webwx.model.contacts import ContactId

_READ = 64
"""Number of contacts that are read at a time; few, because a chatroom may have 500 members."""

_KEPT = 1_024
"""Number of contacts that are written at a time, to limit the memory for their encoded form."""

COMPACTED = 500
"""Number of contacts that are deleted in one transaction."""

_read = msgspec.json.Decoder(Contact).decode
_read_all = msgspec.json.Decoder(list[Contact]).decode


class RowLookups:
    """
    The connection for lookups of single rows, opened when it is needed, and closed when it is not.

    Args:
        path: The journal's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._is_closed = False
        self._is_used = False
        """Whether there was a lookup since the last call of `release`."""
        self._turn = threading.Lock()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """
        Read rows; if the journal is closed, open it for this query only.

        Raises:
            StorageError: The rows cannot be read.
        """
        with self._turn:
            try:
                if self._is_closed:
                    with contextlib.closing(self._connect()) as db:
                        return db.execute(query, values).fetchall()
                self._is_used = True
                if self._db is None:
                    self._db = self._connect()
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                self._disconnect()
                raise StorageError(f"The journal {self._path} cannot be read: {explain(error)}") from None

    def release(self) -> None:
        """Close the connection until the next lookup, if there was none since the last call of this."""
        if not self._is_used:
            with self._turn:
                self._disconnect()
        self._is_used = False

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            self._is_closed = True
            self._disconnect()

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise StorageError(f"The journal {self._path} does not exist any more.")
        return connect(self._path, is_reader=True, is_shared=True)

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()


class StoredRoster:
    """
    The contacts of a login; later changes of these contacts are visible, later contacts are not.

    Args:
        lookups: The connection for lookups.
        login: Row of the login.
        ids: Ids of the contacts.
        is_chatroom: Returns whether an id is the id of a chatroom.
    """

    is_kept = True

    def __init__(self, lookups: RowLookups, login: int, ids: Iterable[str], is_chatroom: Callable[[str], bool]) -> None:
        listed = list(ids)
        self._lookups = lookups
        self._login = login
        self.ids: Places = Places.of(listed)
        self._count = len(listed)
        self._is_chatroom = is_chatroom
        find = partial(_find, lookups, login)
        self._person = lru_cache(STAY_READ)(find)
        self._chatroom = lru_cache(STAY_READ_CHATROOMS)(find)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Contact]:
        [(numbers,)] = self._lookups.rows(
            "SELECT json_group_array(rowid) FROM (SELECT rowid FROM contacts WHERE login = ? ORDER BY rowid)",
            self._login,
        )
        places: list[int] = msgspec.json.decode(numbers)
        for start in range(0, len(places), _READ):
            some = as_list(places[start : start + _READ])
            [(listed,)] = self._lookups.rows(
                "SELECT '[' || coalesce(group_concat(contact), '') || ']' FROM ("
                "SELECT contact FROM contacts WHERE rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid)",
                some,
            )
            yield from (contact for contact in _read_all(listed) if contact.id in self.ids)

    def get(self, contact_id: str) -> Contact | None:
        """Return a contact by its id."""
        if contact_id not in self.ids:
            return None
        return self._chatroom(contact_id) if self._is_chatroom(contact_id) else self._person(contact_id)

    def named(self, name: str) -> list[Contact]:
        """Return the contacts that have this nickname or this remark."""
        ids = self._lookups.rows("SELECT id FROM names WHERE login = ? AND name = ?", self._login, clean_text(name))
        found = [self.get(each) for (each,) in ids]
        return [each for each in found if each is not None and name in {each.nickname, each.remark}]

    def pack(self) -> None:
        """Do nothing: no contacts are in memory."""


def _find(lookups: RowLookups, login: int, contact_id: str) -> Contact | None:
    found = lookups.rows("SELECT contact FROM contacts WHERE login = ? AND id = ?", login, clean_text(contact_id))
    return _read(found[0][0]) if found else None


def read_roster(
    db: sqlite3.Connection, lookups: RowLookups, login: int, is_chatroom: Callable[[str], bool]
) -> StoredRoster:
    """Return the current contacts of a login."""
    ids = [each for (each,) in select(db, ("id",), "FROM contacts WHERE login = ?", (login,))]
    return StoredRoster(lookups, login, ids, is_chatroom)


def keep_contacts(
    db: sqlite3.Connection, login: int, contacts: Iterable[Contact], deleted: Iterable[ContactId] = ()
) -> None:
    """Store contacts of a login, and delete contacts by their ids; unchanged contacts are not written again."""
    gone = [clean_text(each) for each in deleted]
    if gone:
        db.execute(
            "DELETE FROM contacts WHERE login = ? AND id IN (SELECT value FROM json_each(?))", (login, as_list(gone))
        )
    left = iter(contacts)
    while some := list(islice(left, _KEPT)):
        write_contacts(db, login, some, encode_contacts(some))


def write_contacts(
    db: sqlite3.Connection, login: int, contacts: Iterable[Contact], encoded: Mapping[ContactId, bytes]
) -> None:
    """Store contacts of a login, of which `encoded` is the JSON by id; unchanged contacts are not written again."""
    insert(
        db, "contacts (login, id, contact)", list(encoded.items()), shared=(login,), utf8=1,
        then="ON CONFLICT (login, id) DO UPDATE SET contact = excluded.contact WHERE contact <> excluded.contact",
    )  # fmt: skip
    names = {(name, each.id) for each in contacts for name in (each.nickname, each.remark) if name}
    insert(db, "names (login, name, id)", sorted(names), shared=(login,), verb="INSERT OR IGNORE")


_ENDED = (
    # Complete lists come only from logins that end each other. A later batch of a login shows that it has not ended.
    "FROM logins l WHERE NOT l.is_compacted AND l.complete_digest IS NOT NULL"
    " AND EXISTS (SELECT 1 FROM logins n WHERE n.account = l.account AND n.login > l.login"
    " AND n.complete_digest IS NOT NULL AND n.opened_at >= l.last_at)"
)
"""The logins that have ended and are not compacted."""


class RosterCompaction:
    """Deletes, in small transactions, the contacts of earlier logins that later ones make unnecessary."""

    def __init__(self) -> None:
        self._accounts: set[int] | None = None
        """The accounts whose logins are to be checked; None: all."""

    @property
    def is_due(self) -> bool:
        """Whether there may be logins to compact."""
        return self._accounts is None or bool(self._accounts)

    def look_soon(self, account: int | None = None) -> None:
        """Check the logins of an account, or of all accounts, with the next piece of work."""
        if account is None:
            self._accounts = None
        elif self._accounts is not None:
            self._accounts.add(account)

    def work(self, db: sqlite3.Connection) -> None:
        """Do a piece in its own transaction."""
        with transaction(db):
            if self._accounts is None:
                self._accounts = set(select_numbers(db, f"SELECT DISTINCT l.account AS number {_ENDED}", {}))
            for account in list(self._accounts)[:1]:
                if not _compact(db, account):
                    self._accounts.remove(account)


def _compact(db: sqlite3.Connection, account: int) -> bool:
    """Delete some contacts of a login of an account that has ended, and return whether there was such a login."""
    ended = db.execute(f"SELECT l.login {_ENDED} AND l.account = ? LIMIT 1", (account,)).fetchone()
    if ended is None:
        return False
    (login,) = ended
    gone = select_numbers(
        db,
        "SELECT c.rowid AS number FROM contacts c WHERE c.login = :login"
        " AND c.id NOT IN (SELECT value FROM json_each(:kept))"
        " AND EXISTS (SELECT 1 FROM links l WHERE l.account = :account AND l.login IN (0, :login) AND l.id = c.id)"
        " ORDER BY c.rowid LIMIT :most",
        {
            "account": account,
            "login": login,
            "kept": as_list(_chatrooms_with_words(db, account, login)),
            "most": COMPACTED,
        },
    )
    db.execute("DELETE FROM contacts WHERE rowid IN (SELECT value FROM json_each(?))", (as_list(gone),))
    if len(gone) < COMPACTED:
        db.execute(
            "DELETE FROM names WHERE login = :login AND id NOT IN (SELECT id FROM contacts WHERE login = :login)",
            {"login": login},
        )
        db.execute("UPDATE logins SET is_compacted = 1 WHERE login = ?", (login,))
    return True


def _chatrooms_with_words(db: sqlite3.Connection, account: int, login: int) -> list[str]:
    """Return the chatrooms of a login that have messages or sends."""
    rows = select(db, ("id",), "FROM contacts WHERE login = ? AND id LIKE '%@%'", (login,))
    rooms = {each: key_of(each) for (each,) in rows if is_chatroom(each)}
    with_messages = select_numbers(
        db,
        "SELECT value AS number FROM json_each(:keys) WHERE EXISTS ("
        " SELECT 1 FROM by_chat WHERE account = :account AND key = value)",
        {"account": account, "keys": as_list(rooms.values())},
    )
    unindexed = select(
        db, ("DISTINCT chat",), "FROM entries WHERE number > (SELECT number FROM indexed) AND account = ?", (account,)
    )
    sent = select(
        db,
        ("value",),
        "FROM json_each(:rooms) WHERE EXISTS (SELECT 1 FROM outbox WHERE account = :account AND chat = value)",
        {"account": account, "rooms": as_list(rooms)},
    )
    named = {each for (each,) in (*unindexed, *sent)}
    keys = set(with_messages)
    return [each for each, key in rooms.items() if key in keys or each in named]
