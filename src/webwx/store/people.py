"""
The contacts of one login, read from the journal when somebody looks at them.

In memory are the hashes of their ids and whoever was looked at last. A look cannot wait for a turn of the loop, so it
has a connection of its own, which any thread may use.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import Contact
from webwx.model.roster import STAY_READ, STAY_READ_CHATROOMS, Hashes
from webwx.protocol.codec import clean_text
from webwx.store.rows import select
from webwx.store.schema import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any

_read = msgspec.json.Decoder(Contact).decode
_read_all = msgspec.json.Decoder(list[Contact]).decode


class Looks:
    """
    The connection for looks at single rows, opened when it is needed.

    Args:
        path: The journal's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._is_closed = False
        self._turn = threading.Lock()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """
        Read rows; a journal that was closed is opened for this alone.

        Raises:
            StorageError: They cannot be read.
        """
        with self._turn:
            try:
                if self._is_closed:
                    with contextlib.closing(self._connect()) as db:
                        return db.execute(query, values).fetchall()
                if self._db is None:
                    self._db = self._connect()
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                self._disconnect()
                raise StorageError(f"The journal cannot be read: {error}.") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._is_closed = True
            self._disconnect()

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise StorageError(f"There is no journal {self._path} any more.")
        return connect(self._path, is_reader=True, is_shared=True)

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()


class StoredRoster:
    """
    Whoever the journal knows of a login; of those who are in it now, later changes are seen too.

    Args:
        looks: Reads rows.
        login: The login's row.
        ids: Who is in it.
        is_chatroom: Says of an id whether it is a chatroom's.
    """

    is_kept = True

    def __init__(self, looks: Looks, login: int, ids: Iterable[str], is_chatroom: Callable[[str], bool]) -> None:
        listed = list(ids)
        self._looks = looks
        self._login = login
        self._ids = Hashes(listed)
        self._count = len(listed)
        self._is_chatroom = is_chatroom
        find = partial(_find, looks, login)
        self._person = lru_cache(STAY_READ)(find)
        self._chatroom = lru_cache(STAY_READ_CHATROOMS)(find)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, contact_id: str) -> bool:
        return contact_id in self._ids

    def __iter__(self) -> Iterator[Contact]:
        [(listed,)] = self._looks.rows(
            "SELECT '[' || coalesce(group_concat(contact), '') || ']' FROM ("
            "SELECT contact FROM contacts WHERE login = ? ORDER BY rowid)",
            self._login,
        )
        return (contact for contact in _read_all(listed) if contact.id in self._ids)

    def get(self, contact_id: str) -> Contact | None:
        """Look somebody up by id."""
        if contact_id not in self._ids:
            return None
        return self._chatroom(contact_id) if self._is_chatroom(contact_id) else self._person(contact_id)

    def named(self, name: str) -> list[Contact]:
        """List whoever has this nickname or this remark."""
        ids = self._looks.rows("SELECT id FROM names WHERE login = ? AND name = ?", self._login, clean_text(name))
        found = [self.get(each) for (each,) in ids]
        return [each for each in found if each is not None and name in {each.nickname, each.remark}]

    def pack(self) -> None:
        """Nothing is to be packed."""


def _find(looks: Looks, login: int, contact_id: str) -> Contact | None:
    found = looks.rows("SELECT contact FROM contacts WHERE login = ? AND id = ?", login, clean_text(contact_id))
    return _read(found[0][0]) if found else None


def read_roster(db: sqlite3.Connection, looks: Looks, login: int, is_chatroom: Callable[[str], bool]) -> StoredRoster:
    """Give the contacts of a login as they are now."""
    ids = [each for (each,) in select(db, ("id",), "FROM contacts WHERE login = ?", (login,))]
    return StoredRoster(looks, login, ids, is_chatroom)
