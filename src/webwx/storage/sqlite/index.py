"""
The indexes by id, by chat and by word, which are filled after a batch was stored.

Ids, chats and words arrive in random order, so each new row of their indexes changes another page, and with a million
rows in the file that costs many times more than storing the message. So a batch is stored without them. The rows after
the last indexed number are the tail; a query searches the index and scans the tail.
"""

from __future__ import annotations

import time
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from webwx.model.messages import Event
from webwx.storage.entry_blocks import BLOCK, MOST_BLOCKS
from webwx.storage.sqlite.bulk import as_list, insert, select, select_numbers
from webwx.storage.sqlite.entries import read_rows
from webwx.storage.sqlite.schema import large_cache, transaction
from webwx.storage.tokenizer import cut, searchable_text, words_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

    from webwx.model.events import Arrived

IDLE = 0.05
"""Seconds without a job before indexing begins."""

PATIENCE = 0.5
"""Seconds that a short tail may wait for more entries, so that single messages do not cost a commit each."""

LATEST = 1.5
"""Maximum seconds that a tail waits for a busy writer: no index is more than two seconds behind."""

LONGEST = 20_000
"""Maximum number of rows in a tail; a longer one is indexed without waiting for an idle moment."""

STEP = 10_000
"""
Maximum number of rows that are indexed at a time.

In a large file each row changes another page, unless several rows go into the same page: a larger step costs less.
"""

SLICE = 0.25
"""Seconds after which a step ends: beside a busy program, the same rows may take a hundred times as long."""


_HASH = blake2b(digest_size=8)


def key_of(text: str) -> int:
    """Return the 64-bit key of an id: the number that it is, else a hash. A query must compare the text as well."""
    if len(text) < 19 and text.isascii() and text.isdigit():  # all such numbers fit
        return int(text)
    hashed = _HASH.copy()  # takes half the time of a new one, and most message ids have 19 digits
    hashed.update(text.encode())
    return int.from_bytes(hashed.digest(), signed=True)


_key_of_chat = lru_cache(1_000)(key_of)  # most messages are in few chats


class _Unindexed(msgspec.Struct, frozen=True, gc=False):
    """The fields of an entry that the indexes need; the garbage collector does not visit the thousands that wait."""

    account: int
    message_id: str
    digest: int
    chat: str
    words: str


class Index:
    """The indexes of a file; used by the writer thread only."""

    def __init__(self) -> None:
        self._tail: dict[int, dict[str, tuple[int, ...]]] | None = None
        """The digests of messages in the tail, by account and id; None: the tail must be read from the file."""
        self._stored: dict[int, _Unindexed] = {}
        """Entries of the tail that this process has stored, by number."""
        self._data_version = 0
        self._indexed = 0
        self._last = 0
        self._own_last: int | None = None
        """The last number that this process has stored or read; None if it is unknown, after a failed transaction."""
        self._pending_since: float | None = None
        self._busy_at = 0.0

    def forget(self) -> None:
        """Drop all cached state, because a transaction was rolled back."""
        self.reload()
        self._own_last = None

    def reload(self) -> None:
        """Read the tail from the file before it is used again."""
        self._tail = None
        self._stored.clear()

    # -- duplicates --------------------------------------------------------------------------------------------------

    def digests(self, db: sqlite3.Connection, account: int, ids: Collection[str]) -> dict[str, tuple[int, ...]]:
        """Return the digests of the stored messages with these ids; unknown ids are left out."""
        wanted = set(ids) - {""}
        tail = self._loaded(db).get(account, {})
        known = {each: tail[each] for each in tail.keys() & wanted}
        if self._indexed and wanted:
            rows = db.execute(
                "SELECT i.digest, e.message_id FROM by_id i CROSS JOIN entries e ON e.number = i.number"
                " WHERE i.account = ? AND i.key IN (SELECT value FROM json_each(?))",
                (account, as_list(sorted(map(key_of, wanted)))),
            )
            for digest, message_id in rows:
                if message_id in wanted:
                    known[message_id] = (*known.get(message_id, ()), digest)
        return known

    def added(self, account: int, first: int, new: Sequence[tuple[Arrived, int]]) -> None:
        """
        Keep entries that are being stored, so that they need not be read back to be indexed.

        Args:
            account: Row of the account.
            first: Number of the first entry; the numbers are consecutive.
            new: The entries, each with its digest.
        """
        if self._tail is None:
            return
        tail = self._tail.setdefault(account, {})
        for number, (item, digest) in enumerate(new, first):
            if isinstance(item.read, Event):
                self._stored[number] = _Unindexed(
                    account, item.message_id, digest, item.chat, searchable_text(item.read)
                )
            if item.message_id:
                tail[item.message_id] = (*tail.get(item.message_id, ()), digest)

    def is_overtaken(self, last: int) -> bool:
        """Return whether the file's last number differs from the last one known here, and remember it."""
        is_news, self._own_last = last != self._own_last, last
        return is_news

    def appended(self, last: int) -> None:
        """Record the last number that is being stored."""
        self._last = self._own_last = last
        if self._pending_since is None:
            self._pending_since = time.monotonic()

    def _loaded(self, db: sqlite3.Connection) -> dict[int, dict[str, tuple[int, ...]]]:
        """Return the tail; read it from the file if it is not in memory or another process has written since."""
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if self._tail is None or version != self._data_version:
            self._data_version = version
            self._tail = {}
            self._stored.clear()
            (self._indexed,) = db.execute("SELECT number FROM indexed").fetchone()
            self._last, self._pending_since = self._indexed, None
            tail = select(
                db, ("account", "message_id", "digest", "number"), "FROM entries WHERE number > ?", (self._indexed,)
            )
            for account, message_id, digest, number in tail:
                if message_id:
                    known = self._tail.setdefault(account, {})
                    known[message_id] = (*known.get(message_id, ()), digest)
                self._last = max(number, self._last)
                self._pending_since = self._pending_since or time.monotonic()
        return self._tail

    # -- filling -----------------------------------------------------------------------------------------------------

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        """Index a piece of the tail if it is due; return the seconds until the next piece is due."""
        if self._tail is None:
            with transaction(db):
                self._loaded(db)
        if self._pending_since is None:
            return None
        now = time.monotonic()
        if not is_idle:
            self._busy_at = now
        quiet = now - self._busy_at
        waited = now - self._pending_since
        length = self._last - self._indexed
        if waited < LATEST and length <= LONGEST:
            if quiet < IDLE:
                return IDLE - quiet
            if waited < PATIENCE and length < STEP:
                return PATIENCE - waited
        self.fill(db, STEP)
        return 0.0 if self._pending_since is not None else None

    def fill(self, db: sqlite3.Connection, limit: int) -> bool:
        """Index the next entries in one transaction, and return whether any are left."""
        with large_cache(db), transaction(db):
            until = time.monotonic() + SLICE
            self._loaded(db)
            (indexed,) = db.execute("SELECT number FROM indexed").fetchone()
            numbers = select_numbers(
                db, "SELECT number FROM entries WHERE number > ? ORDER BY number LIMIT ?", (indexed, limit)
            )
            is_rest = len(numbers) < limit
            by_id: list[tuple[int, int, int, int]] = []
            by_chat: list[tuple[int, int, int]] = []
            words: list[tuple[int, str]] = []
            done: list[_Unindexed] = []
            upto, count = indexed, 0
            for upto, each in self._unindexed(db, numbers):
                count += 1
                if each.message_id:
                    by_id.append((each.account, key_of(each.message_id), each.digest, upto))
                    done.append(each)
                if each.chat:
                    by_chat.append((each.account, _key_of_chat(each.chat), upto))
                if tokens := cut(each.words):
                    words.append((upto, " ".join(tokens)))
                if time.monotonic() > until:
                    break
            insert(db, "by_id", sorted(by_id))
            insert(db, "by_chat", sorted(by_chat))
            insert(db, "words (rowid, text)", words)
            db.execute("UPDATE indexed SET number = ?", (upto,))
            _store_blocks(db, upto)
        for number in numbers[:count]:
            self._stored.pop(number, None)
        self._indexed = upto
        for each in done:
            self._drop(each.account, each.message_id, each.digest)
        is_done = is_rest and count == len(numbers)
        self._pending_since = None if is_done else time.monotonic()
        return not is_done

    def _unindexed(self, db: sqlite3.Connection, numbers: list[int]) -> Iterator[tuple[int, _Unindexed]]:
        """Yield entries with their numbers, in order; entries of other processes are read from the file."""
        rows = read_rows(db, [number for number in numbers if number not in self._stored])
        for number in numbers:
            if (stored := self._stored.get(number)) is not None:
                yield number, stored
            else:
                row = next(rows)
                words = words_of(row.raw, row.own_id) if row.kind == "message" else ""
                yield number, _Unindexed(row.account, row.message_id, row.digest, row.chat, words)

    def _drop(self, account: int, message_id: str, digest: int) -> None:
        """Remove a message that is indexed now from the tail."""
        if self._tail is None:
            return
        tail = self._tail.get(account, {})
        left = tail.pop(message_id, ())
        if left not in {(), (digest,)}:  # several messages have the same id
            tail[message_id] = tuple(each for each in left if each != digest)


def _store_blocks(db: sqlite3.Connection, upto: int) -> None:
    """Store the next blocks whose numbers are all used."""
    (stored,) = db.execute("SELECT coalesce(max(block), -1) + 1 FROM entry_blocks").fetchone()
    (first,) = db.execute("SELECT min(number) FROM entries WHERE number >= ?", (stored * BLOCK,)).fetchone()
    begin = (upto if first is None else first) // BLOCK  # others before it may be deleted
    end = min((upto + 1) // BLOCK, begin + MOST_BLOCKS)
    if begin < end:
        db.execute(
            "INSERT INTO entry_blocks SELECT number / ?, account, min(time), max(time), count(*) FROM entries"
            " WHERE number >= ? AND number < ? GROUP BY 1, 2",
            (BLOCK, begin * BLOCK, end * BLOCK),
        )
