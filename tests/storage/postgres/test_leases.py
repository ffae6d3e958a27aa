"""Leases of workers: claims, fair shares, takeovers, and the end of a dead worker's sessions."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.postgres import add_accounts
from tests.storage.arrivals import FRIEND, arrival, messages, opened

from webwx.errors import StorageError
from webwx.storage.leases import ClusterMember, LeaseTimes, WorkerHealth
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.leases import CLAIM, FREE, PostgresLeases
from webwx.storage.refusals import Fence, NotOwner
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema

verify = pytest.mark.verify

EXPIRE = "UPDATE workers SET expires = now() - interval '1 second' WHERE worker = '{}'"


@pytest.fixture
async def leases(schema: TemporarySchema) -> AsyncIterator[PostgresLeases]:
    opened = PostgresLeases(schema.url, LeaseTimes())
    await opened.workers()  # makes the schema
    yield opened
    await opened.close()


def member(worker: str, epoch: int) -> ClusterMember:
    """Return a worker that believes to own every account with this epoch."""
    return ClusterMember(worker=worker, fence=lambda account: Fence(account=account, epoch=epoch), timeout=5)


@verify
async def test_a_single_worker_takes_all_accounts_and_raises_their_epochs(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    add_accounts(schema, 3)
    await leases.join("a", "host-a", 100)

    await leases.join("a", "host-a", 100)
    assert await leases.claim("a") == {1: 2, 2: 2, 3: 2}
    assert await leases.held("a") == {1: 2, 2: 2, 3: 2}
    assert await leases.claim("a") == {}
    owner = await leases.owner_of(2)
    assert owner is not None
    assert (owner.worker, owner.address, owner.epoch) == ("a", "host-a", 2)
    assert await leases.owner_of(9) is None


@verify
async def test_workers_share_the_accounts_by_their_capacities(schema: TemporarySchema, leases: PostgresLeases) -> None:
    add_accounts(schema, 9)
    for worker, capacity in (("a", 200), ("b", 100)):
        await leases.join(worker, "", capacity)
    assert len(await leases.claim("a")) == 6
    assert len(await leases.claim("b")) == 3

    await leases.join("c", "", 2)
    renewals = [await leases.renew(worker) for worker in ("a", "b", "c")]
    assert [each.share for each in renewals if each] == [6, 3, 1]


@verify
async def test_the_shares_always_suffice_for_all_accounts_also_with_weights(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    rng = random.Random(3)
    for _ in range(30):
        schema.execute("DELETE FROM accounts; DELETE FROM workers")
        capacities = [rng.choice((1, 3, 10, 100, 1000)) for _ in range(rng.randint(1, 5))]
        accounts = rng.randint(0, sum(capacities))
        add_accounts(schema, accounts)
        shares = []
        for number, capacity in enumerate(capacities):
            await leases.join(f"w{number}", "", capacity)
            await leases.renew(f"w{number}", WorkerHealth(weight=rng.randint(1, capacity)))
        for number in range(len(capacities)):
            renewal = await leases.renew(f"w{number}")
            assert renewal is not None
            shares.append(renewal.share)
        assert accounts <= sum(shares) <= accounts + len(shares)
        assert all(0 <= share <= capacity for share, capacity in zip(shares, capacities, strict=True))


@verify
async def test_a_worker_whose_weight_is_low_gets_fewer_accounts_but_all_if_it_is_alone(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    add_accounts(schema, 9)
    await leases.join("a", "", 100)
    health = WorkerHealth(weight=50)
    alone = await leases.renew("a", health)
    await leases.join("b", "", 100)
    beside = await leases.renew("a", health)
    assert alone is not None
    assert beside is not None
    assert (alone.share, beside.share) == (9, 3)


@verify
async def test_a_worker_shows_how_it_is(schema: TemporarySchema, leases: PostgresLeases) -> None:
    add_accounts(schema, 1)
    await leases.join("a", "", 10)
    schema.execute("UPDATE workers SET renewed = now() - interval '1 hour'")
    [before] = await leases.workers()
    assert 3600 <= before.lease_age < 3600 + 300
    await leases.renew("a", WorkerHealth(weight=10, loop_lag=0.5, failed_bots=2))
    [row] = await leases.workers()
    assert (row.loop_lag, row.failed_bots) == (0.5, 2)
    assert 0 <= row.lease_age < 300

    assert await leases.consumer_lags() == {}
    await leases.claim("a")
    async with PostgresJournal(schema.url, member=member("a", 2)) as journal:
        for name in ("bot", "webhook", "listen"):
            consumer = await (await opened(journal, 1)).consumer(name)
            await consumer.close()
    schema.execute("UPDATE accounts SET last_number = 7; UPDATE consumers SET acked = 3 WHERE name = 'bot'")
    assert await leases.consumer_lags() == {}  # no program has `listen` open, which would be behind for ever
    schema.execute("UPDATE consumers SET is_open = true WHERE name <> 'listen'")
    assert await leases.consumer_lags() == {"a": 7}
    schema.execute("UPDATE consumers SET is_open = false WHERE name = 'webhook'")
    assert await leases.consumer_lags() == {"a": 4}


@verify
async def test_a_worker_takes_no_more_than_its_capacity(schema: TemporarySchema, leases: PostgresLeases) -> None:
    add_accounts(schema, 9)
    await leases.join("a", "", 4)
    assert len(await leases.claim("a")) == 4
    assert await leases.claim("a") == {}


@verify
async def test_accounts_of_an_expired_lease_are_taken_and_those_of_a_live_one_are_not(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    add_accounts(schema, 2)
    await leases.join("a", "", 10)
    await leases.claim("a")
    await leases.join("b", "", 10)
    assert await leases.claim("b") == {}

    schema.execute(EXPIRE.format("a"))
    assert await leases.claim("b") == {1: 3, 2: 3}
    assert await leases.held("a") == {}


@verify
async def test_a_worker_that_is_late_goes_on_with_what_was_not_taken(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    add_accounts(schema, 2)
    await leases.join("a", "", 10)
    await leases.claim("a")
    schema.execute(EXPIRE.format("a"))
    assert await leases.claim("a") == {}, "an expired worker takes nothing"

    assert await leases.renew("a") is not None
    assert await leases.held("a") == {1: 2, 2: 2}


@verify
async def test_a_draining_worker_has_no_share(schema: TemporarySchema, leases: PostgresLeases) -> None:
    add_accounts(schema, 2)
    await leases.join("a", "", 10)
    await leases.claim("a")
    assert await leases.drain("a")
    assert not await leases.drain("unknown")

    renewal = await leases.renew("a")
    assert renewal is not None
    assert (renewal.is_draining, renewal.share) == (True, 0)
    await leases.release("a", [Fence(account=1, epoch=2)])
    assert await leases.claim("a") == {}
    await leases.join("b", "", 10)
    assert await leases.claim("b") == {1: 3}


@verify
async def test_an_account_that_was_taken_over_is_not_released_by_its_earlier_owner(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    add_accounts(schema, 1)
    await leases.join("a", "", 10)
    await leases.claim("a")
    await leases.release("a", [Fence(account=1, epoch=1)])
    assert await leases.held("a") == {1: 2}


@verify
async def test_an_account_whose_login_has_ended_is_taken_after_the_next_login(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
        await leases.join("a", "", 10)
        await leases.claim("a")
        await leases.release("a", [Fence(account=1, epoch=2)], is_wanted=False)
        assert await leases.claim("a") == {}
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
    assert await leases.claim("a") == {1: 3}


@verify
async def test_a_worker_that_leaves_gives_up_its_accounts(schema: TemporarySchema, leases: PostgresLeases) -> None:
    add_accounts(schema, 2)
    await leases.join("a", "", 10)
    await leases.claim("a")
    await leases.leave("a")
    assert await leases.workers() == []
    assert await leases.renew("a") is None
    assert [each.worker for each in await leases.accounts()] == [None, None]


@verify
async def test_a_reset_removes_the_workers_and_skips_epochs(schema: TemporarySchema, leases: PostgresLeases) -> None:
    add_accounts(schema, 2)
    await leases.join("a", "", 10)
    await leases.claim("a")
    assert await leases.reset() == 2
    assert await leases.renew("a") is None
    assert [each.epoch for each in await leases.accounts()] == [1_000_002, 1_000_002]


@verify
async def test_a_takeover_makes_begun_sends_unknown_until_their_outcome_arrives(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
    await leases.join("a", "", 10)
    epoch = (await leases.claim("a"))[1]
    async with PostgresJournal(schema.url, member=member("a", epoch)) as journal:
        outbox = journal.account(1).outbox
        row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0, state="sending")
        schema.execute(EXPIRE.format("a"))
        await leases.join("b", "", 10)
        await leases.claim("b")

        assert schema.execute("SELECT state FROM outbox").strip() == "unknown"
        await outbox.settle(row.number, "sent", time=2.0)
        assert [each.state for each in await outbox.find(SendQuery())] == ["sent"]
        with pytest.raises(NotOwner):
            await outbox.sending(row.number, 3.0, FRIEND)


@verify
async def test_a_process_that_is_no_worker_writes_to_accounts_without_an_owner_only(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    await leases.join("a", "", 10)
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        await leases.claim("a")
        with pytest.raises(NotOwner):
            await account.ingest(arrival(*messages(1, 1)))
        async with PostgresJournal(schema.url) as other:
            with pytest.raises(NotOwner, match="worker a owns"):
                await opened(other, 1)
        await leases.release("a", [Fence(account=1, epoch=2)])
        with pytest.raises(NotOwner):
            await account.ingest(arrival(*messages(1, 1)))
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        assert await account.ingest(arrival(*messages(1, 1))) == 1


@verify
async def test_a_send_is_queued_by_any_process_and_made_by_the_owner(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    async with PostgresJournal(schema.url) as other:
        await opened(other, 1)
        await leases.join("a", "", 10)
        epoch = (await leases.claim("a"))[1]
        outbox = other.account(1).outbox
        row, same = [
            await outbox.add(client_id=name, chat=FRIEND, kind="text", text="x", key="k", time=1.0) for name in "12"
        ]
        assert (row.state, same) == ("queued", row)
        with pytest.raises(NotOwner):
            await outbox.sending(row.number, 2.0, FRIEND)
        async with PostgresJournal(schema.url, member=member("a", epoch)) as owner:
            assert await owner.account(1).outbox.sending(row.number, 3.0, FRIEND)


@verify
async def test_processes_that_queue_a_send_with_one_key_at_the_same_time_store_it_once(
    schema: TemporarySchema,
) -> None:
    async with PostgresJournal(schema.url) as one, PostgresJournal(schema.url) as other:
        await opened(one, 1)
        rows = await asyncio.gather(
            *(
                journal.account(1).outbox.add(client_id=f"{n}", chat=FRIEND, kind="text", text="x", key="k", time=1.0)
                for n, journal in enumerate([one, other] * 5)
            )
        )
        assert {row.number for row in rows} == {1}
        assert len(await one.account(1).outbox.find(SendQuery())) == 1


@verify
async def test_a_worker_without_capacity_takes_nothing_and_leaves_the_shares_of_the_others(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    add_accounts(schema, 3)
    await leases.join("front", "", 0)
    assert await leases.claim("front") == {}
    renewal = await leases.renew("front")
    assert renewal is not None
    assert renewal.share == 0
    await leases.join("a", "", 10)
    assert len(await leases.claim("a")) == 3


@verify
async def test_an_account_that_is_wanted_again_is_taken(schema: TemporarySchema, leases: PostgresLeases) -> None:
    add_accounts(schema, 1)
    await leases.join("a", "", 10)
    await leases.claim("a")
    await leases.release("a", [Fence(account=1, epoch=2)], is_wanted=False)
    assert await leases.claim("a") == {}
    await leases.want(1)
    assert await leases.claim("a") == {1: 3}


@verify
async def test_a_takeover_ends_the_sessions_of_the_earlier_owner(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
    await leases.join("a", "", 10)
    await leases.claim("a")
    async with PostgresJournal(schema.url, member=member("a", 2)) as old:
        await old.account(1).consumer("bot")
        await leases.join("b", "", 10)
        schema.execute(EXPIRE.format("a"))
        await leases.claim("b")
        async with PostgresJournal(schema.url, member=member("b", 3)) as new:
            taken = await new.account(1).consumer("bot")
            await taken.close()
        with pytest.raises(NotOwner):
            await old.account(1).change_state("pace", lambda _: b"1")


async def _takers(schema: TemporarySchema, statement: str) -> Counter[int]:
    """Run two claims of which the second begins before the first is stored, and count the takers of each account."""
    leases = PostgresLeases(schema.url, LeaseTimes())
    for worker in ("a", "b"):
        await leases.join(worker, "", 100)
    await leases.close()
    add_accounts(schema, 20)
    # The second statement sees the accounts as they are now, and waits for this lock before it reads them.
    gated = statement.replace("a.wanted AND", "a.wanted AND (SELECT count(pg_advisory_xact_lock(7)) > 0) AND")
    assert gated != statement
    gate, first, second = [await asyncpg.connect(schema.url) for _ in range(3)]
    await gate.execute("SELECT pg_advisory_lock(7)")
    claim = asyncio.ensure_future(second.fetch(gated, "b"))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = $1"
    while not await gate.fetchval(waits, second.get_server_pid()):  # noqa: ASYNC110 - no event announces it
        await asyncio.sleep(0.01)
    taken = await first.fetch(statement, "a")
    await gate.execute("SELECT pg_advisory_unlock(7)")
    taken += await claim
    for connection in (gate, first, second):
        await connection.close()
    return Counter(row["account"] for row in taken)


@verify
async def test_two_claims_at_once_take_each_account_once(schema: TemporarySchema) -> None:
    assert await _takers(schema, CLAIM) == Counter(range(1, 21))


@verify
async def test_a_claim_that_asks_for_no_live_worker_would_take_accounts_twice(schema: TemporarySchema) -> None:
    wrong = CLAIM.replace(
        FREE, "NOT EXISTS (SELECT FROM workers w WHERE w.worker = a.worker AND w.expires > now())"
    )  # fmt: skip
    assert wrong != CLAIM
    assert 2 in (await _takers(schema, wrong)).values()


@verify
async def test_six_workers_that_claim_at_once_take_each_account_once(
    schema: TemporarySchema, leases: PostgresLeases
) -> None:
    workers = [f"w{number}" for number in range(6)]
    for worker in workers:
        await leases.join(worker, "", 1_000)
    add_accounts(schema, 600)
    claims = await asyncio.gather(*(leases.claim(worker) for worker in workers))
    assert Counter(account for each in claims for account in each) == Counter(range(1, 601))
    assert {len(each) for each in claims} == {100}


async def test_an_unreachable_database_is_named_in_the_error() -> None:
    leases = PostgresLeases("postgresql://me:hunter2@/wx?host=/nowhere", LeaseTimes())
    with pytest.raises(StorageError, match="'wx' on /nowhere") as caught:
        await leases.workers()
    assert "hunter2" not in str(caught.value)
    await leases.close()
