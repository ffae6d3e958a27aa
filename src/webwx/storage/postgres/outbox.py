"""
An account's sends, as rows that are stored before anything is transmitted.

A row in state `sending` belongs to the process that sends it: it has the epoch of its owner, and the key of an advisory
lock that the process holds. If the account's epoch is higher, or the lock is free, the outcome of the send is unknown.
A row in state `queued` may come from any process; the owner of the account sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.protocol.codec import clean_text
from webwx.storage.base import Outgoing
from webwx.storage.postgres.database import new_lock
from webwx.storage.refusals import ChangeRefused, NotOwner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import asyncpg

    from webwx.storage.base import SendQuery, State
    from webwx.storage.postgres.database import Connection, PostgresDatabase

_SETTLE_DEAD = """
UPDATE outbox SET state = 'unknown', sender = '' WHERE account = $1 AND state = 'sending' AND CASE
        WHEN epoch < (SELECT epoch FROM accounts WHERE account = $1) OR sender = '' THEN true
        WHEN sender = $2 THEN false
        ELSE pg_try_advisory_xact_lock_shared(sender::bigint) END
"""

_ADD = """
WITH held AS MATERIALIZED (
    SELECT true FROM accounts WHERE account = $1 AND ($10::bigint = 0 OR epoch = $10) AND NOT EXISTS (
        SELECT FROM outbox WHERE account = $1 AND $3 <> '' AND key <> '' AND webwx_key(key) = webwx_key($3))
    FOR NO KEY UPDATE
)
INSERT INTO outbox (
    account, client_id, key, chat, kind, text, addressed, content_id, state, epoch, sender, created_at, changed_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12 FROM held ON CONFLICT DO NOTHING
RETURNING number
"""
"""
Stores a send, if its key is new, the account is known, and its epoch is `$10`; 0 allows any epoch.

Nothing is stored if another transaction stores the key first: this statement does not see its row, but the index does.
The account's row is held before the number is assigned, so numbers become visible in their order.
"""

_BEGIN = """
WITH owned AS MATERIALIZED (
    SELECT true FROM accounts WHERE account = $1 AND epoch = $5 FOR NO KEY UPDATE
), begun AS (
    UPDATE outbox SET state = 'sending', epoch = $5, sender = $6, chat = $4, changed_at = $3 FROM owned
    WHERE account = $1 AND number = $2 AND state IN ('queued', 'failed') RETURNING true
)
SELECT EXISTS (SELECT FROM owned) OR NOT EXISTS (SELECT FROM accounts WHERE account = $1) AS is_owned,
    EXISTS (SELECT FROM begun) AS is_begun
"""

_SETTLE = """
UPDATE outbox SET state = $3, sender = '', receipt = $4, message_id = $5, ret = $6, changed_at = $7
WHERE account = $1 AND number = $2 AND epoch <= $8
    AND ($9::float8 IS NULL OR state IN ('sending', 'unknown') AND changed_at = $9)
"""
"""
Stores an outcome; with the time of an attempt's begin only if the send waits for the outcome of that attempt.

Only the begin of an attempt and its outcome change the time, so it identifies the attempt, also after the send became
`unknown` because its process seemed dead.
"""

_UNDO = """
UPDATE outbox SET state = 'queued', sender = ''
WHERE account = $1 AND sender = $2 AND state = 'sending' AND changed_at = $3
    AND (number = $4::bigint OR webwx_key(client_id) = webwx_key($5))
"""
"""Stores that an attempt was not begun."""


class PostgresSender:
    """
    The lock that shows other processes that this one is still sending; used in the thread of the connections.

    Args:
        database: The database.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._key = new_lock()
        self.name: str = str(self._key)
        """Key of the lock, as in the rows of sends."""
        self._is_held = False

    async def hold(self) -> None:
        """Take the lock, before the first send."""
        if not self._is_held:
            await self._database.locks.take(self._key)
            self._is_held = True


class PostgresOutbox:
    """
    An account's sends; `Outbox` states the guarantees.

    Args:
        account: The account's number at the platform.
        database: The database.
        sender: The lock of this process.
        changed: Called with the account after each change of a send, in the thread of the connections.
    """

    def __init__(
        self, account: int, database: PostgresDatabase, sender: PostgresSender, changed: Callable[[int], object]
    ) -> None:  # fmt: skip
        self._account = account
        self._database = database
        self._sender = sender
        self._changed = changed
        self._begun: dict[int, int] = {}
        """Epoch under which each unfinished send was begun, by number."""

    def __repr__(self) -> str:
        return "PostgresOutbox(***)"

    async def add(
        self, *, client_id: str, chat: ContactId, kind: str, text: str, key: str, time: float,
        state: Literal["queued", "sending"] = "queued", addressed: str = "", content_id: str = "",
    ) -> Outgoing:  # fmt: skip
        """Store a send, or return the existing send with the same key."""
        given = [clean_text(each) for each in (client_id, key, chat, kind, text, addressed, content_id)]
        sender = self._sender.name if state == "sending" else ""

        def stored(number: int, epoch: int) -> Outgoing:
            self._changed(self._account)
            if state == "sending":
                self._begun[number] = epoch
            return Outgoing(
                number=number, client_id=given[0], key=given[1], chat=ContactId(given[2]), kind=given[3], text=given[4],
                addressed=given[5], content_id=given[6], state=state, created_at=time, changed_at=time,
            )  # fmt: skip

        async def store(db: Connection) -> Outgoing:
            """Store the send in a transaction that holds the account's row, unless its key is known."""
            if key:
                known = await self._of_key(db, given[1])
                if known and known[0].state == "sending":
                    await db.execute(_SETTLE_DEAD, self._account, self._sender.name)
                    known = await self._of_key(db, given[1])
                if known and (known[0].state, known[0].client_id) != ("sending", given[0]):
                    return known[0]
            epoch = 0 if state == "queued" else (await self._database.fence_of(self._account)).epoch
            number: int = await db.fetchval(
                "INSERT INTO outbox (account, client_id, key, chat, kind, text, addressed, content_id, state, epoch,"
                " sender, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)"
                " RETURNING number",
                self._account, *given, state, epoch, sender, time,
            )  # fmt: skip
            return stored(number, epoch)

        async def insert() -> Outgoing:
            if state == "sending":
                await self._sender.hold()
            # 0 for a send that the owner of the account begins later.
            epoch = 0 if state == "queued" else (await self._database.sending_fence_of(self._account)).epoch
            number = await self._database.changing(
                lambda db: db.fetchval(_ADD, self._account, *given, state, epoch, sender, time)
            )
            if number is not None:
                return stored(number, epoch)
            return await (self._database.sharing if state == "queued" else self._database.writing)(self._account, store)

        async def work() -> Outgoing:
            try:
                return await insert()
            except (NotOwner, ChangeRefused):
                raise
            except StorageError:
                if state == "sending":
                    self._keep_as_queued(time, client_id=given[0])
                raise

        return await self._database.run(work)

    async def _of_key(self, db: Connection, key: str) -> list[Outgoing]:
        query = "SELECT * FROM outbox WHERE account = $1 AND key <> '' AND webwx_key(key) = webwx_key($2)"
        return _sends(await db.fetch(query, self._account, key))

    async def sending(self, number: int, time: float, chat: ContactId) -> bool:
        """Set a send to `sending`, and return whether its first byte may be transmitted."""

        async def work() -> bool:
            await self._sender.hold()
            epoch = (await self._database.sending_fence_of(self._account)).epoch
            try:
                row = await self._database.changing(
                    lambda db: db.fetchrow(_BEGIN, self._account, number, time, chat, epoch, self._sender.name)
                )
            except ChangeRefused:
                raise
            except StorageError:
                self._keep_as_queued(time, number=number)
                raise
            if not row["is_owned"]:
                raise NotOwner("Another process owns this account now.")
            if row["is_begun"]:
                self._begun[number] = epoch
                self._changed(self._account)
            return bool(row["is_begun"])

        return await self._database.run(work)

    async def settle(
        self, number: int, state: Literal["queued", "sent", "failed", "unknown", "recalled"], *, time: float,
        receipt: Receipt | None = None, ret: int = 0, begun_at: float | None = None,
    ) -> None:  # fmt: skip
        """
        Store the outcome of a send.

        Only the process that has sent knows the outcome. It is stored even if the process no longer owns the account,
        unless the send was begun again under a higher epoch.
        """
        begun = self._begun.pop(number, None)
        written = None if receipt is None else receipt.to_json()

        async def store(db: Connection) -> None:
            epoch = (await self._database.fence_of(self._account)).epoch if begun is None else begun
            message_id = "" if receipt is None else clean_text(receipt.message_id)
            await db.execute(_SETTLE, self._account, number, state, written, message_id, ret, time, epoch, begun_at)
            self._changed(self._account)

        async def work() -> None:
            try:
                await self._database.changing(store)
            except (NotOwner, ChangeRefused):
                raise
            except StorageError:
                if begun_at is None:
                    raise
                self._database.kept.add(store)

        await self._database.run(work)

    def _keep_as_queued(self, begun_at: float, *, number: int = 0, client_id: str = "") -> None:
        """Keep the outcome of an attempt that was not begun, because it is unknown whether its begin was stored."""
        self._database.kept.add(
            lambda db: db.execute(_UNDO, self._account, self._sender.name, begun_at, number, client_id)
        )

    async def flush(self) -> None:
        """Return at once: outcomes are stored immediately."""

    async def find(self, query: SendQuery) -> list[Outgoing]:
        """Return the sends that match a query, the newest first; a send whose process has died is `unknown`."""
        found, values = _query(query)

        async def read(db: Connection) -> list[Outgoing]:
            await db.execute(_SETTLE_DEAD, self._account, self._sender.name)
            return _sends(await db.fetch(found, self._account, *values))

        return await self._database.read(read)

    async def count(self) -> dict[State, int]:
        """Return the number of sends in each state that occurs; a send whose process has died is `unknown`."""

        async def read(db: Connection) -> dict[State, int]:
            await db.execute(_SETTLE_DEAD, self._account, self._sender.name)
            rows = await db.fetch(
                "SELECT state, count(*) AS number FROM outbox WHERE account = $1 GROUP BY state", self._account
            )
            return {row["state"]: row["number"] for row in rows}

        return await self._database.read(read)

    async def remove(self, number: int) -> bool:
        """Delete a send, free its key, and return whether it was deleted; a send in state `sending` stays."""

        async def delete(db: Connection) -> bool:
            await db.execute(_SETTLE_DEAD, self._account, self._sender.name)
            gone = await db.fetchval(
                "DELETE FROM outbox WHERE account = $1 AND number = $2 AND state <> 'sending' RETURNING true",
                self._account, number,
            )  # fmt: skip
            return gone is not None

        return await self._database.write(self._account, delete)


def _query(query: SendQuery) -> tuple[str, list[object]]:
    """
    Return the statement that finds the sends of an account, and its values from the second one on.

    Sends of some chats or states are one ordered query each: with `= ANY`, all of them would be read and sorted.
    """
    conditions, values = "", list[object]()
    of_each, each = "", list[str]()
    if query.chats:
        of_each = " AND webwx_key(chat) = webwx_key(each)"
        each = sorted(set(query.chats))
    elif query.states:
        of_each, each = " AND state = each", sorted(set(query.states))

    def require(condition: str, value: object) -> None:
        nonlocal conditions
        values.append(value)
        conditions += f" AND {condition}".format(f"${len(values) + 1}")

    if query.number is not None:
        require("number = {}::bigint", query.number)
    if query.key is not None:
        require("key <> '' AND webwx_key(key) = webwx_key({})", query.key)
    if query.client_id is not None:
        require("webwx_key(client_id) = webwx_key({})", query.client_id)
    if query.message_id is not None:
        require("message_id <> '' AND webwx_key(message_id) = webwx_key({})", query.message_id)
    if query.chats and query.states:
        require("state = ANY ({}::varchar[])", list(query.states))
    if query.before is not None:
        require("number < {}::bigint", query.before)
    if query.since:
        require("created_at >= {}::float8", query.since)
    if query.until:
        require("created_at <= {}::float8", query.until)
    order = f" ORDER BY number DESC LIMIT {int(query.limit)}"
    found = f"SELECT * FROM outbox WHERE account = $1{of_each}{conditions}{order}"  # noqa: S608 - no value is put together
    if of_each:
        values.append(each)
        found = f"SELECT o.* FROM unnest(${len(values) + 1}::varchar[]) each CROSS JOIN LATERAL ({found}) o{order}"  # noqa: S608 - as above
    return found, values


def _sends(rows: Iterable[asyncpg.Record]) -> list[Outgoing]:
    return [
        Outgoing(
            number=row["number"], client_id=row["client_id"], key=row["key"], chat=ContactId(row["chat"]),
            kind=row["kind"], text=row["text"], addressed=row["addressed"], content_id=row["content_id"],
            state=row["state"],
            receipt=None if row["receipt"] is None else Receipt.from_json(row["receipt"]), ret=row["ret"],
            created_at=row["created_at"], changed_at=row["changed_at"],
        )
        for row in rows
    ]  # fmt: skip
