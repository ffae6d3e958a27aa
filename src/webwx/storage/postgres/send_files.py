"""
The files of queued sends: a table with their bytes in pieces, so that the next owner of an account has them.

The last piece of a file is shorter than the others, and may be empty: a file without such a piece is not complete. No
transaction covers more than a few pieces, so the account's other changes do not wait for a large file.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, BinaryIO

from webwx.errors import StorageError
from webwx.override import override
from webwx.storage.leases import SendFiles
from webwx.storage.postgres.archive import PIECE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from webwx.storage.postgres.database import PostgresDatabase

_ROUND = 128
"""Number of pieces that one transaction deletes."""


class PostgresSendFiles(SendFiles):
    """The files of one account's queued sends; `SendFiles` states the guarantees."""

    def __init__(self, account: int, database: PostgresDatabase) -> None:
        self._account = account
        self._database = database

    def __repr__(self) -> str:
        return "PostgresSendFiles(***)"

    @override
    async def put(self, number: int, file: BinaryIO) -> None:
        await self._delete(self._fenced, "number = $2::bigint", number)
        try:
            await self._put_pieces(number, file)
        except BaseException:
            with contextlib.suppress(StorageError):  # the next owner deletes it
                await self.delete(number)
            raise

    async def _put_pieces(self, number: int, file: BinaryIO) -> None:
        place, is_last = 0, False
        while not is_last:
            piece = await asyncio.to_thread(file.read, PIECE)
            is_last = len(piece) < PIECE
            values = (self._account, number, place, piece)
            await self._fenced("INSERT INTO send_pieces VALUES ($1, $2, $3, $4)", *values)
            place += 1

    async def copy_to(self, number: int, file: BinaryIO) -> bool:
        """Write the file of a send to an open file; return False if it is not stored completely."""
        query = "SELECT bytes FROM send_pieces WHERE account = $1 AND number = $2 AND piece = $3"
        place, is_last = 0, False
        while not is_last:
            piece: bytes | None = await self._database.read(
                lambda db, place=place: db.fetchval(query, self._account, number, place)  # type: ignore[misc]
            )
            if piece is None:
                return False
            await asyncio.to_thread(file.write, piece)
            is_last = len(piece) < PIECE
            place += 1
        return True

    async def delete(self, number: int) -> None:
        """Delete the file of a send, if it is stored."""
        await self._delete(self._unfenced, "number = $2::bigint", number)

    async def delete_all_but(self, numbers: Collection[int]) -> None:
        """Delete the files of all sends but some; usually there are none, and a read is cheaper than a change."""
        query = "SELECT EXISTS (SELECT FROM send_pieces WHERE account = $1 AND number <> ALL ($2::bigint[]))"
        if await self._database.read(lambda db: db.fetchval(query, self._account, list(numbers))):
            await self._delete(self._fenced, "number <> ALL ($2::bigint[])", list(numbers))

    async def _delete(self, execute: Callable[..., Awaitable[str]], condition: str, value: object) -> None:
        found = f"SELECT ctid FROM send_pieces WHERE account = $1 AND {condition} LIMIT {_ROUND}"  # noqa: S608 - no value is put together
        statement = f"DELETE FROM send_pieces WHERE ctid = ANY (ARRAY ({found}))"  # noqa: S608 - as above
        while await execute(statement, self._account, value) == f"DELETE {_ROUND}":
            pass

    async def _fenced(self, statement: str, *values: object) -> str:
        """Execute a statement if this process owns the account."""
        return await self._database.write(self._account, lambda db: db.execute(statement, *values))

    async def _unfenced(self, statement: str, *values: object) -> str:
        """Execute a statement, whatever process owns the account."""
        return await self._database.run(lambda: self._database.changing(lambda db: db.execute(statement, *values)))
