"""
Entries as rows: how batches are appended, and how entries are read.

One statement appends the waiting batches of all accounts. It locks the row of each account, checks its epoch, and
assigns the numbers. It sees only what was committed when it began, so two checks follow the lock. An account to which
another process has appended meanwhile is left out, and its batch is appended again. An account whose batch has items
that are stored already is left out too, and its batch is appended again without these items.

`OFFSET 0` makes PostgreSQL look each message up by the index. Without it, a plan that was made while the table was
small reads the whole table for each statement, until the table is analyzed.

The statement does not wait for a row that another transaction has locked, because all other accounts would wait as
well; the batches of such an account are appended by a separate statement.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.events import Item
from webwx.model.messages import Event
from webwx.storage.batches import digest_of_body, new_items, read_positions
from webwx.storage.bodies import blank, locate, pack, unpack_batch
from webwx.storage.entries import Entry
from webwx.storage.entry_blocks import BLOCK, MOST_BLOCKS
from webwx.storage.postgres.database import transaction
from webwx.storage.postgres.tables import PostgresStatements
from webwx.storage.refusals import NotOwner
from webwx.storage.tables.read_positions import keep_read_positions
from webwx.storage.tokenizer import cut, searchable_text, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import asyncpg

    from webwx.model.events import Arrived
    from webwx.storage.entries import Arrival
    from webwx.storage.postgres.database import Connection, PostgresDatabase
    from webwx.storage.refusals import Fence

Kind = Literal["message", "contact", "deleted", "gap"]

KINDS: tuple[Kind, ...] = ("message", "contact", "deleted", "gap")
"""Kinds of items; a row holds the index in this tuple, so a new kind is appended."""

BACKLOG, QUARANTINED, NOTICE, LONG = 1, 2, 4, 8
"""Flags of an entry. `LONG`: `words` holds its tokens without positions, because there are too many."""

MOST_ACCOUNTS = 256
"""Maximum number of accounts in one statement."""

LONGEST_TOKEN = 500
"""Maximum number of characters of a token in `words`; PostgreSQL takes 2,046 bytes."""

_BEFORE_BLOCKS = 64
"""Number of new entries of an account before this process first looks for blocks to store."""

_MOST_TOKENS, _MOST_REPEATS = 16_000, 250
"""Maximum number of positions of a text, and of one token; PostgreSQL drops positions beyond 16,383 and 255."""

_ITEM_COLUMNS = 12
"""Number of columns of an item."""

_log = logging.getLogger("webwx.storage")

_PLACE_OF: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}

_APPEND = """
WITH waiting AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::float8[], $6::bytea[], $7::bytea[])
        AS w (account, epoch, login, position, time, digest, body)
), locked AS MATERIALIZED (
    SELECT a.account, a.last_number FROM accounts a JOIN waiting w ON a.account = w.account AND a.epoch = w.epoch
    FOR NO KEY UPDATE OF a {wait}
), items AS MATERIALIZED (
    SELECT * FROM unnest(
        $8::bigint[], $9::smallint[], $10::smallint[], $11::integer[], $12::integer[], $13::bigint[], $14::bigint[],
        $15::varchar[], $16::varchar[], $17::bytea[], $18::varchar[], $19::boolean[]
    ) WITH ORDINALITY AS i (
        account, kind, flags, start, length, digest, time, message_id, chat, raw, words, has_namesake, place)
), known AS MATERIALIZED (
    SELECT i.account, array_agg(i.place) AS places
    FROM items i JOIN waiting w ON w.account = i.account JOIN logins l ON l.login = w.login
    WHERE CASE WHEN i.message_id = '' THEN l.last_body = w.digest ELSE EXISTS (
        SELECT FROM entries e WHERE e.account = i.account AND e.message_id <> ''
        AND hashtextextended(e.message_id, 0) = hashtextextended(i.message_id, 0)
        AND e.message_id = i.message_id AND e.digest = i.digest OFFSET 0) END
    GROUP BY i.account
), appended AS MATERIALIZED (
    SELECT w.*, k.last_number FROM locked k JOIN waiting w USING (account) JOIN accounts seen USING (account)
    WHERE seen.last_number = k.last_number AND NOT EXISTS (SELECT FROM known n WHERE n.account = k.account)
), numbered AS MATERIALIZED (
    SELECT a.login, a.last_number, i.*,
        a.last_number + row_number() OVER (PARTITION BY i.account ORDER BY i.place) AS number,
        i.message_id <> '' AND (i.has_namesake OR EXISTS (
            SELECT FROM entries e WHERE e.account = i.account AND e.message_id <> ''
            AND hashtextextended(e.message_id, 0) = hashtextextended(i.message_id, 0)
            AND e.message_id = i.message_id OFFSET 0)) AS is_conflict
    FROM items i JOIN appended a ON a.account = i.account
), counted AS MATERIALIZED (
    SELECT account, count(*) AS items, count(*) FILTER (WHERE is_conflict) AS conflicts FROM numbered GROUP BY account
), new_batches AS (
    INSERT INTO batches (account, batch, time, body)
    SELECT a.account, a.last_number + 1, a.time, a.body FROM appended a JOIN counted c USING (account)
), new_entries AS (
    INSERT INTO entries (account, number, login, batch, kind, flags, start, length, digest, time, message_id, chat,
        raw, words)
    SELECT account, number, login, last_number + 1, kind, flags, start, length, digest, time, message_id, chat,
        raw, words::tsvector
    FROM numbered ORDER BY account, number
), new_numbers AS (
    UPDATE accounts a SET last_number = a.last_number + c.items, conflicts = a.conflicts + c.conflicts
    FROM counted c WHERE a.account = c.account
), positions AS (
    UPDATE logins l SET position = coalesce(a.position, l.position),
        last_at = CASE WHEN a.position IS NULL THEN l.last_at ELSE greatest(l.last_at, a.time) END,
        last_body = coalesce(a.digest, l.last_body)
    FROM appended a WHERE l.login = a.login AND (a.position IS NOT NULL OR a.digest IS NOT NULL)
)
SELECT w.account, a.account IS NOT NULL AS is_stored, k.account IS NOT NULL AS is_locked,
    seen.epoch IS NOT DISTINCT FROM w.epoch AS is_owned, n.places AS known, a.last_number,
    coalesce(c.conflicts, 0) AS conflicts
FROM waiting w LEFT JOIN appended a USING (account) LEFT JOIN locked k USING (account)
    LEFT JOIN accounts seen USING (account) LEFT JOIN known n USING (account) LEFT JOIN counted c USING (account)
"""

APPEND_ALL = _APPEND.format(wait="SKIP LOCKED")
"""Appends to all accounts whose rows are free."""

APPEND_ONE = _APPEND.format(wait="")
"""Appends to one account, after waiting for its row."""


class AppendedBatch(NamedTuple):
    """The result of an append."""

    last_number: int
    """The account's last number before the batch."""
    items: int
    """Number of new items."""
    conflicts: int


class Append:
    """A batch that waits to be appended."""

    def __init__(self, fence: Fence, login: int, own_id: ContactId, arrival: Arrival) -> None:
        self.fence = fence
        self.login = login
        self.time = arrival.time
        self.position = arrival.position
        self.digest = digest_of_body(arrival)
        self.done: asyncio.Future[AppendedBatch] = asyncio.get_running_loop().create_future()
        self.newest = 0
        """Number of the newest entry of the batch; 0 if it has no new one, or is not appended yet."""
        self._own_id = own_id
        self._body = arrival.body
        self._total = len(arrival.items)
        self._items = new_items(arrival.items, {}, is_repeated=False)[0]
        """The items that are to be appended, each with its digest."""
        self.rows: list[tuple[object, ...]] = []
        self.body: bytes | None = None
        self._prepare()

    def _prepare(self) -> None:
        items = self._items
        if not items:
            self.rows, self.body = [], None
            return
        places = locate(self._body, [each.raw for each, _ in items])
        body = self._body
        if len(items) < self._total:  # a purge could not delete bytes to which no entry points
            body = blank(body, [place for place in places if place is not None])
        self.body = pack(body)
        seen = set[str]()
        self.rows = []
        for (each, digest), place in zip(items, places, strict=True):
            words, flags = self._words_of(each)
            flags |= BACKLOG * each.is_backlog | QUARANTINED * each.is_quarantined | NOTICE * each.is_notice
            start, length, raw = (0, 0, bytes(each.raw)) if place is None else (place.start, place.length, None)
            self.rows.append(
                (
                    self.fence.account, _PLACE_OF[each.item.kind], flags, start, length, digest,
                    each.time or int(self.time), each.message_id, each.chat, raw, words, each.message_id in seen,
                )
            )  # fmt: skip
            seen.add(each.message_id)

    def _words_of(self, item: Arrived) -> tuple[str | None, int]:
        """Return the tokens of an item as a `tsvector`, and the flag of a long text."""
        if item.item.kind != "message":
            return None, 0
        text = searchable_text(item.read) if isinstance(item.read, Event) else words_of(item.raw, self._own_id)
        return vector_of(cut(text))

    def remove(self, places: Collection[int]) -> None:
        """Leave out items that are stored already."""
        self._items = [each for place, each in enumerate(self._items) if place not in places]
        self._prepare()

    def read_positions(self, arrival: Arrival, first: int) -> dict[ContactId, int]:
        """Return the chats that the batch marks as read, once it is appended with this number of its first item."""
        return read_positions(arrival, self._items, first)

    def settle(self, last_number: int, conflicts: int) -> None:
        """Return the result to the caller."""
        self.newest = last_number + len(self.rows) if self.rows else 0
        if conflicts:
            _log.warning("%d messages arrived with the id of another message; both are stored.", conflicts)
        if not self.done.done():
            self.done.set_result(AppendedBatch(last_number, len(self.rows), conflicts))

    def fail(self, error: BaseException) -> None:
        """Raise an error in the caller."""
        if not self.done.done():
            self.done.set_exception(error)


def vector_of(tokens: Sequence[str]) -> tuple[str | None, int]:
    """Return tokens as the text of a `tsvector`, and `LONG` if their positions do not fit into one."""
    if not tokens:
        return None, 0
    is_long = len(tokens) > _MOST_TOKENS or max(map(len, tokens)) > LONGEST_TOKEN
    if is_long or (len(tokens) > _MOST_REPEATS and max(Counter(tokens).values()) > _MOST_REPEATS):
        return " ".join(f"'{token}'" for token in sorted({each[:LONGEST_TOKEN] for each in tokens})), LONG
    return " ".join([f"'{token}':{place}" for place, token in enumerate(tokens, 1)]), 0


class Appender:
    """
    The batches that wait to be appended; used in the thread of the connections only.

    Args:
        database: The database.
        announce: Called with an account and the number of its newest entry after each append.
    """

    def __init__(self, database: PostgresDatabase, announce: Callable[[int, int], object]) -> None:
        self._database = database
        self._announce = announce
        self._waiting: dict[int, deque[Append]] = {}
        """Batches by account, in the order of their calls."""
        self._alone: set[int] = set()
        """Accounts that are being appended by a statement of their own."""
        self._block_due: dict[int, int] = {}
        """The number from which on whole blocks of an account's numbers are looked for, to store them."""
        self._is_working = False

    def append(
        self, fence: Fence, login: int, own_id: ContactId, arrival: Arrival
    ) -> asyncio.Future[AppendedBatch]:  # fmt: skip
        """
        Append a batch soon, together with those of other accounts.

        Returns:
            The future result. It raises `NotOwner` if another process owns the account, and another `StorageError` if
            the batch was not stored, or may not have been.
        """
        job = Append(fence, login, own_id, arrival)
        self._waiting.setdefault(fence.account, deque()).append(job)
        self._work_soon()
        return job.done

    def _work_soon(self) -> None:
        if not self._is_working:
            self._is_working = True
            self._database.start(self._work())

    async def _work(self) -> None:
        try:
            while jobs := self._next():
                for job in await self._try(jobs, APPEND_ALL):
                    self._alone.add(job.fence.account)
                    self._database.start(self._append_alone(job))
        finally:
            self._is_working = False

    async def _append_alone(self, job: Append) -> None:
        """Append a batch to an account whose row is locked by another transaction."""
        try:
            while await self._try([job], APPEND_ONE):
                pass
        finally:
            self._alone.discard(job.fence.account)
            self._work_soon()

    def _next(self) -> list[Append]:
        jobs = [jobs[0] for account, jobs in self._waiting.items() if account not in self._alone]
        return jobs[:MOST_ACCOUNTS]

    async def _try(self, jobs: list[Append], statement: str) -> list[Append]:
        """Append the batches that can be appended now, and return those whose account is locked."""
        try:
            busy, again = await self._database.changing(lambda db: _append(db, jobs, statement))
        except BaseException as error:  # noqa: BLE001 - raised in the callers
            for job in jobs:
                job.fail(error)
            busy, again = [], []
        left = {job.fence.account for job in (*busy, *again)}
        for job in jobs:
            account = job.fence.account
            if account not in left:
                self._waiting[account].popleft()
                if not self._waiting[account]:
                    del self._waiting[account]
                if job.newest:
                    self._announce(account, job.newest)
                    self._store_blocks_if_due(account, job.newest)
        return busy if statement is APPEND_ALL else [*busy, *again]

    def _store_blocks_if_due(self, account: int, newest: int) -> None:
        due = self._block_due.get(account)
        end = (newest + 1) // BLOCK * BLOCK + BLOCK - 1
        if due is None:  # of the blocks that other processes have begun, one may be whole
            self._block_due[account] = min(end, newest + _BEFORE_BLOCKS)
        elif newest >= due:
            self._block_due[account] = end
            self._database.start(self._store_blocks(account, newest))

    async def _store_blocks(self, account: int, newest: int) -> None:
        """Store the blocks of an account whose numbers are all used."""
        with contextlib.suppress(StorageError):  # the next block stores them
            while await self._database.changing(lambda db: _store_blocks(db, account, newest)):
                pass


_STORE_BLOCKS = """
INSERT INTO entry_blocks
SELECT account, number / $3::bigint, min(time), max(time), count(*) FROM entries, (
    SELECT number / $3::bigint AS first FROM entries WHERE account = $1 AND number >= $3::bigint * (
        SELECT coalesce((SELECT block FROM entry_blocks WHERE account = $1 ORDER BY block DESC LIMIT 1), -1) + 1
    ) ORDER BY number LIMIT 1
) stored
WHERE account = $1 AND number >= first * $3::bigint
    AND number < least(($2::bigint + 1) / $3::bigint, first + $4::bigint) * $3::bigint
GROUP BY account, number / $3::bigint
ON CONFLICT DO NOTHING
"""


async def _store_blocks(db: Connection, account: int, newest: int) -> bool:
    """Store the next blocks, and return whether there may be more."""
    async with transaction(db):
        # An entry that is deleted meanwhile would be counted, and the trigger would find no block yet.
        await db.execute("SELECT FROM accounts WHERE account = $1 FOR NO KEY UPDATE", account)
        done = await db.execute(_STORE_BLOCKS, account, newest, BLOCK, MOST_BLOCKS)
    return int(done.rpartition(" ")[2]) == MOST_BLOCKS


async def append_now(db: Connection, fence: Fence, login: int, own_id: ContactId, arrival: Arrival) -> AppendedBatch:
    """Append a batch in the transaction of the caller, which has locked the account."""
    job = Append(fence, login, own_id, arrival)
    while not job.done.done():
        await _append(db, [job], APPEND_ONE)
    appended = await job.done
    if read := job.read_positions(arrival, appended.last_number + 1):
        await keep_read_positions(PostgresStatements(db, fence.account), read, arrival.time)
    return appended


def columns_of(jobs: Sequence[Append]) -> list[list[object]]:
    """Return the parameters of a statement that appends batches: one list for each column."""
    rows = [row for job in jobs for row in job.rows]
    return [
        [job.fence.account for job in jobs], [job.fence.epoch for job in jobs], [job.login for job in jobs],
        [job.position for job in jobs], [job.time for job in jobs], [job.digest for job in jobs],
        [job.body for job in jobs],
        *([list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(_ITEM_COLUMNS)]),
    ]  # fmt: skip


async def _append(db: Connection, jobs: list[Append], statement: str) -> tuple[list[Append], list[Append]]:
    """Append batches; return those whose account is locked, and those that are to be appended again."""
    found = await db.fetch(statement, *columns_of(jobs))
    answers = {row["account"]: row for row in found}
    busy: list[Append] = []
    again: list[Append] = []
    offset = 1
    for job in jobs:
        answer, first = answers[job.fence.account], offset
        offset += len(job.rows)
        if answer["is_stored"]:
            job.settle(answer["last_number"], answer["conflicts"])
        elif not answer["is_locked"] and not answer["is_owned"]:
            job.fail(NotOwner("Another process owns this account now."))
        elif not answer["is_locked"]:
            busy.append(job)
        else:
            if answer["known"]:
                job.remove({place - first for place in answer["known"]})
            again.append(job)
    return busy, again


# -- reading ---------------------------------------------------------------------------------------------------------

_COLUMNS = (
    "e.number, e.kind, e.flags, e.time, e.message_id, e.chat, e.batch, e.start, e.length, e.raw, l.own_id,"
    " CASE WHEN row_number() OVER (PARTITION BY e.batch ORDER BY e.number) = 1 THEN b.body END AS body"
)
_JOINED = "JOIN logins l USING (login) LEFT JOIN batches b ON b.account = e.account AND b.batch = e.batch"


def reading_of(source: str, columns: str = "") -> str:
    """Return the query that reads the entries of a subquery in the order of arrival, each body once."""
    return f"SELECT {_COLUMNS}{columns} FROM ({source}) e {_JOINED} ORDER BY e.number"  # noqa: S608 - no value is put together


def entries_of(rows: Iterable[asyncpg.Record]) -> list[Entry]:
    """Decode the rows of a query from `reading_of`."""
    entries: list[Entry] = []
    packed: dict[int, bytes] = {}
    bodies: dict[int, bytes | None] = {}
    for row in rows:
        batch, raw = row["batch"], row["raw"]
        if row["body"] is not None:  # in the first row of a batch, which may not need it
            packed[batch] = row["body"]
        if raw is None:
            if batch not in bodies:
                bodies[batch] = unpack_batch(batch, packed.pop(batch, None))
            body = bodies[batch]
            raw = None if body is None else body[row["start"] : row["start"] + row["length"]]
        item = Item(kind="damaged") if raw is None else Item(kind=KINDS[row["kind"]], raw=msgspec.Raw(raw))
        entries.append(
            Entry(
                number=row["number"], item=item,
                own_id=ContactId(row["own_id"]), message_id=row["message_id"], chat=ContactId(row["chat"]),
                time=row["time"], is_backlog=bool(row["flags"] & BACKLOG),
            )
        )  # fmt: skip
    return entries


async def read_numbers(db: Connection, account: int, numbers: Collection[int]) -> list[Entry]:
    """Read entries by their numbers, in the order of arrival; missing entries are skipped."""
    source = "SELECT * FROM entries WHERE account = $1 AND number = ANY($2::bigint[])"
    return entries_of(await db.fetch(reading_of(source), account, list(numbers)))
