"""
What is looked for by id, by chat and by word: filled after the fact.

Ids, chats and words come in random order, so each new row of their indexes dirties a page of its own, and with a
million rows in the file that costs many times what storing the message does. So a batch goes in without them. The rows
behind the last indexed number are the tail; a look-up asks the index and scans the tail.
"""

from __future__ import annotations

import time
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from webwx.model.messages import Event
from webwx.storage.sqlite.bulk import as_list, insert, select, select_numbers
from webwx.storage.sqlite.entries import read_rows
from webwx.storage.sqlite.schema import transaction
from webwx.storage.tokenizer import cut, told_by, words_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

    from webwx.model.events import Arrived

IDLE = 0.05
"""Seconds without a job after which there is time for the index."""

PATIENCE = 0.5
"""Seconds that a short tail may wait for more, so that a message now and then costs no commit each."""

LATEST = 1.5
"""Seconds that a tail waits at most, however busy the writer is: no index is more than two behind."""

LONGEST = 20_000
"""Rows in a tail at most; beyond, indexing does not wait for an idle moment."""

STEP = 10_000
"""
Rows at a time, at most.

Each row changes a page of its own in a large file, unless others go into the same page: the more at once, the cheaper.
"""

SLICE = 0.25
"""Seconds after which it is enough: beside a program that never rests, the same rows take a hundred times as long."""


def key_of(text: str) -> int:
    """Give 64 bits that stand for an id: the number that it is, else a hash. Whoever finds it compares the text."""
    if text.isascii() and text.isdigit() and len(text) < 19:  # all such numbers fit
        return int(text)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


_key_of_chat = lru_cache(1_000)(key_of)  # few chats say most


class _Unindexed(NamedTuple):
    """What the indexes need of an entry."""

    account: int
    message_id: str
    digest: int
    chat: str
    words: str


class Index:
    """The indexes of a file; what is kept in memory belongs to the thread that writes."""

    def __init__(self) -> None:
        self._tail: dict[int, dict[str, tuple[int, ...]]] | None = None
        """The digests of each message that is not indexed, by account and id; None: to be read from the file."""
        self._stored: dict[int, _Unindexed] = {}
        """By number, entries of the tail that this process has stored."""
        self._data_version = 0
        self._indexed = 0
        self._last = 0
        self._own_last: int | None = None
        """The last number that this process has stored or was told of; None: nobody can say what was stored."""
        self._pending_since: float | None = None
        self._busy_at = 0.0

    def forget(self) -> None:
        """Look at the file anew before anything else is done."""
        self.reload()
        self._own_last = None

    def reload(self) -> None:
        """Read the tail from the file before it is used again."""
        self._tail = None
        self._stored.clear()

    # -- duplicates --------------------------------------------------------------------------------------------------

    def digests(self, db: sqlite3.Connection, account: int, ids: Collection[str]) -> dict[str, tuple[int, ...]]:
        """Give the digests under which messages of these ids are known; those that nobody knows are left out."""
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
        Take note of entries that are being stored, so that they need not be read back to be indexed.

        Args:
            account: Row of their account.
            first: Number of the first one; the others follow.
            new: Each with its digest.
        """
        if self._tail is None:
            return
        tail = self._tail.setdefault(account, {})
        for number, (item, digest) in enumerate(new, first):
            if isinstance(item.read, Event):
                self._stored[number] = _Unindexed(account, item.message_id, digest, item.chat, told_by(item.read))
            if item.message_id:
                tail[item.message_id] = (*tail.get(item.message_id, ()), digest)

    def is_overtaken(self, last: int) -> bool:
        """Say whether the file's last number is news to this process, which it is once."""
        is_news, self._own_last = last != self._own_last, last
        return is_news

    def appended(self, last: int) -> None:
        """Take note of the last number that is being stored."""
        self._last = self._own_last = last
        if self._pending_since is None:
            self._pending_since = time.monotonic()

    def _loaded(self, db: sqlite3.Connection) -> dict[int, dict[str, tuple[int, ...]]]:
        """Give the tail, read from the file when this process does not know it, or another one has written since."""
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
        """Index a piece of the tail, when it is time; gives the seconds until the next piece is due."""
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
        """Index the next entries, in a transaction of its own; says whether any are left."""
        with transaction(db):
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
            indexed_now: list[tuple[int, str, int]] = []
            upto, count = indexed, 0
            for upto, (account, message_id, digest, chat, text) in self._unindexed(db, numbers):
                count += 1
                if message_id:
                    by_id.append((account, key_of(message_id), digest, upto))
                    indexed_now.append((account, message_id, digest))
                if chat:
                    by_chat.append((account, _key_of_chat(chat), upto))
                if tokens := cut(text):
                    words.append((upto, " ".join(tokens)))
                if time.monotonic() > until:
                    break
            insert(db, "by_id", sorted(by_id))
            insert(db, "by_chat", sorted(by_chat))
            insert(db, "words (rowid, text)", words)
            db.execute("UPDATE indexed SET number = ?", (upto,))
        for number in numbers[:count]:
            self._stored.pop(number, None)
        self._indexed = upto
        for each in indexed_now:
            self._drop(*each)
        is_done = is_rest and count == len(numbers)
        self._pending_since = None if is_done else time.monotonic()
        return not is_done

    def _unindexed(self, db: sqlite3.Connection, numbers: list[int]) -> Iterator[tuple[int, _Unindexed]]:
        """Yield entries with their numbers, in order; what this process has not stored is read from the file."""
        rows = read_rows(db, [number for number in numbers if number not in self._stored])
        for number in numbers:
            if (stored := self._stored.get(number)) is not None:
                yield number, stored
            else:
                row = next(rows)
                words = words_of(row.raw, row.own_id) if row.kind == "message" else ""
                yield number, _Unindexed(row.account, row.message_id, row.digest, row.chat, words)

    def _drop(self, account: int, message_id: str, digest: int) -> None:
        """Let go of a message that is indexed now."""
        if self._tail is None:
            return
        tail = self._tail.get(account, {})
        left = tail.pop(message_id, ())
        if left not in {(), (digest,)}:  # ids have met
            tail[message_id] = tuple(each for each in left if each != digest)
