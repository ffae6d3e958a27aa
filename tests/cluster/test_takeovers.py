"""Workers that take accounts from each other while they append: only the owner of the moment stores entries."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.storage.arrivals import OWN, arrival, everything, message, opened

from webwx.storage.leases import ClusterMember
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.refusals import Fence, NotOwner

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

ACCOUNTS = range(1, 6)
WORKERS = range(1, 7)
ROUNDS = 60

TAKE = "UPDATE accounts SET epoch = epoch + 1 WHERE account = $1 RETURNING epoch"


class Taker:
    """A worker that appends to accounts under the epoch with which it has last taken each of them."""

    def __init__(self, number: int, schema: TemporarySchema) -> None:
        self.stored: dict[str, tuple[int, int]] = {}
        """Account and epoch of each message that was reported as stored."""
        self.refused: set[str] = set()
        self._number = number
        self._rng = random.Random(number)
        self._epochs = dict.fromkeys(ACCOUNTS, 1)
        member = ClusterMember(f"w{number}", lambda uin: Fence(account=uin, epoch=self._epochs[uin]), 30)
        self._journal = PostgresJournal(schema.url, member=member)

    async def work(self, database: asyncpg.Pool) -> None:
        """Take accounts and append to them, at random."""
        for place in range(ROUNDS):
            uin = self._rng.choice(ACCOUNTS)
            if self._rng.random() < 0.4:
                self._epochs[uin] = await database.fetchval(TAKE, uin)
            account, id_, epoch = self._journal.account(uin), str(self._number * 1_000 + place), self._epochs[uin]
            await account.position(OWN)
            try:
                await account.ingest(arrival(message(id_)))
            except NotOwner:
                self.refused.add(id_)
            else:
                self.stored[id_] = uin, epoch
        await self._journal.close()


async def test_no_entry_is_stored_by_an_earlier_owner(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        accounts = {uin: await opened(journal, uin) for uin in ACCOUNTS}
        takers = [Taker(number, schema) for number in WORKERS]
        async with asyncpg.create_pool(schema.url, min_size=1, max_size=3) as database:
            await asyncio.gather(*(taker.work(database) for taker in takers))
        stored = {id_: place for taker in takers for id_, place in taker.stored.items()}
        refused = {id_ for taker in takers for id_ in taker.refused}

        assert len(stored) + len(refused) == len(WORKERS) * ROUNDS
        assert stored
        assert refused
        for uin, account in accounts.items():
            entries = await everything(account)
            assert [entry.number for entry in entries] == list(range(1, len(entries) + 1)), "no gap"
            assert {entry.message_id for entry in entries} == {id_ for id_, place in stored.items() if place[0] == uin}
            epochs = [stored[entry.message_id][1] for entry in entries]
            assert epochs == sorted(epochs), "an entry of an earlier owner follows one of a later owner"
