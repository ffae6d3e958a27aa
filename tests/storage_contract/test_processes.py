"""Several processes on one journal, and processes that are killed: for engines whose journals survive a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, UIN, arrival, everything, ids, messages, opened
from tests.storage.entries import numbers

from webwx.errors import AlreadyRunning
from webwx.storage.entries import EntryQuery
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}


@pytest.fixture
async def two(quick_engine: StorageEngine) -> AsyncIterator[tuple[Journal, Journal]]:
    """Return one journal twice, as two processes open it; it has an account."""
    one, other = quick_engine.open(), quick_engine.open()
    await opened(one)
    yield one, other
    await other.close()
    await one.close()


@contextlib.asynccontextmanager
async def program(engine: StorageEngine, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run another process on a journal, and kill it in the end."""
    command = (sys.executable, "-m", "tests.storage_contract.program", engine.url, *words)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=ENVIRONMENT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def contents(paths: list[str]) -> list[bytes]:
    return [Path(each).read_bytes() for each in paths]


async def known(journal: Journal, uin: int = UIN) -> AccountJournal:
    """Return the account with its login."""
    account = journal.account(uin)
    await account.position(OWN)
    return account


# -- concurrent processes --------------------------------------------------------------------------------------------


async def test_two_processes_write_into_one_journal(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    account = await opened(journal)
    async with program(quick_engine, "send", "100") as other:
        for first in range(1, 1_001, 10):
            await account.ingest(arrival(*messages(first, 10)))
        lines = [await said(other) for _ in range(101)]

    assert lines[-1] == "end"
    assert len(await everything(account)) == 1_000
    assert len(await journal.account(7).outbox.find(SendQuery(limit=1_000))) == 100
    await journal.close()


async def test_a_message_stored_by_another_process_is_a_duplicate(two: tuple[Journal, Journal]) -> None:
    one, other = [await known(each) for each in two]
    await one.ingest(arrival(*messages(1, 3)))
    await other.ingest(arrival(*messages(4, 3)))

    assert await one.ingest(arrival(*messages(1, 7))) == 1


@pytest.mark.parametrize("is_taken_between", [True, False])
async def test_entries_of_another_process_between_two_batches_are_delivered_in_order(
    two: tuple[Journal, Journal], is_taken_between: bool
) -> None:
    account, beside = [await known(each) for each in two]
    consumer = await account.consumer("bot")
    taken: list[int] = []
    for first in (1, 2):  # From the storage, then from memory.
        await account.ingest(arrival(*messages(first, 1)))
        taken += numbers(await consumer.take())
    await account.ingest(arrival(*messages(3, 1)))
    if is_taken_between:
        taken += numbers(await consumer.take())
    await beside.ingest(arrival(*messages(4, 1)))
    await account.ingest(arrival(*messages(5, 1)))
    while more := await consumer.take():
        taken += numbers(more)
    assert taken == [1, 2, 3, 4, 5]


async def test_entries_of_another_process_are_delivered_after_a_batch_of_another_account(
    two: tuple[Journal, Journal],
) -> None:
    journal, beside = two
    account, second = await known(journal), journal.account(UIN + 1)
    consumer = await account.consumer("bot")
    await second.open_login(OWN, b"fresh", 1.0, [])
    await account.ingest(arrival(*messages(1, 1)))
    taken = ids(await consumer.take())
    await account.ingest(arrival(*messages(2, 1)))
    taken += ids(await consumer.take())
    await (await known(beside)).ingest(arrival(*messages(3, 1)))
    await second.ingest(arrival(*messages(4, 1)))
    await account.ingest(arrival(*messages(5, 1)))
    while more := await consumer.take():
        taken += ids(more)
    assert taken == ["1", "2", "3", "5"]


async def test_dead_letters_are_read_and_revived_while_another_process_has_the_consumer(
    two: tuple[Journal, Journal],
) -> None:
    account, part = [await known(each) for each in two]
    await account.ingest(arrival(*messages(1, 2)))
    notified = asyncio.Event()
    held = await account.consumer("bot", on_revived=notified.set)
    assert numbers(await held.take()) == [1, 2]
    await held.failed(1, "ValueError at bot.py:1")
    await held.give_up(1, "ValueError at bot.py:1")

    assert [each.entry.number for each in await part.dead_letters("bot")] == [1]
    assert await part.revive("bot", 1)
    assert not await part.revive("bot", 1), "not a dead letter any more"
    assert await part.dead_letters("bot") == []
    await notified.wait()
    assert numbers(await held.take()) == [1]


async def test_a_state_that_two_processes_change_at_once_loses_no_change(two: tuple[Journal, Journal]) -> None:
    both = [each.account(UIN) for each in two]
    await asyncio.gather(*(each.change_state("count", lambda before: before + b".") for each in both * 20))

    assert [await each.state("count") for each in both] == [b"." * 40] * 2


async def test_a_key_that_two_processes_use_at_once_is_one_send(two: tuple[Journal, Journal]) -> None:
    both = [each.account(UIN).outbox for each in two]
    adding = (
        outbox.add(client_id=f"{turn}{place}", chat=FRIEND, kind="text", text="", key=f"key {turn}", time=1.0)
        for turn in range(10)
        for place, outbox in enumerate(both)
    )
    sends = await asyncio.gather(*adding)
    for one, other in zip(sends[::2], sends[1::2], strict=True):
        assert (one.number, one.client_id) == (other.number, other.client_id)
    assert len({each.number for each in sends}) == 10


async def test_a_send_that_two_processes_begin_at_once_is_begun_by_one_of_them(two: tuple[Journal, Journal]) -> None:
    both = [each.account(UIN).outbox for each in two]
    for turn in range(20):
        row = await both[0].add(client_id=f"{turn}", chat=FRIEND, kind="text", text="", key="", time=1.0)
        begun = await asyncio.gather(*(outbox.sending(row.number, 2.0, FRIEND) for outbox in both * 5))
        assert sum(begun) == 1


async def test_a_key_that_two_processes_send_with_at_once_is_begun_by_one_of_them(two: tuple[Journal, Journal]) -> None:
    both = [each.account(UIN).outbox for each in two]
    for turn in range(10):
        sends = await asyncio.gather(
            *(
                outbox.add(
                    client_id=f"{turn} {place}", chat=FRIEND, kind="text", text="", key=f"{turn}", time=1.0,
                    state="sending",
                )
                for place, outbox in enumerate(both * 3)
            )
        )  # fmt: skip
        assert len({row.number for row in sends}) == 1
        assert sum(row.client_id == f"{turn} {place}" for place, row in enumerate(sends)) == 1
        assert {row.state for row in sends} == {"sending"}


async def test_media_that_are_added_survive_another_process_that_deletes(two: tuple[Journal, Journal]) -> None:
    here, there = [await known(each) for each in two]
    await here.ingest(arrival(*messages(1, 20)))
    entries = (await here.find(EntryQuery(limit=20)))[::-1]

    async def sweep() -> None:
        for _ in range(20):
            await there.media.drop(before=1.0)

    async def add() -> None:
        for number, entry in enumerate(entries):
            with here.media.begin() as (file, part):
                file.write(b"%d" % number)
                await here.media.add(entry, part, time=1_000.0, max_total=10**9)

    await asyncio.gather(add(), sweep())
    found = [await here.media.find(entry.message_id) for entry in entries]
    assert contents([each.path for each in found if each]) == [b"%d" % number for number in range(20)]


# -- killed processes ------------------------------------------------------------------------------------------------


async def test_a_consumer_is_open_in_one_process_until_it_dies(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    account = await opened(journal)
    async with program(quick_engine, "hold", "bot") as other:
        assert await said(other) == "open"
        with pytest.raises(AlreadyRunning, match="'bot' is open already"):
            await account.consumer("bot")
    await account.consumer("bot")
    await journal.close()


async def test_a_send_in_flight_in_a_process_that_died_is_unknown(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    outbox = journal.account(UIN).outbox
    async with program(quick_engine, "leave") as other:
        assert await said(other) == "ready"
        assert [row.state for row in await outbox.find(SendQuery())] == ["sent", "sending", "queued"]
        again = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="sending", time=1.0)
        assert again.state == "sending"

    async with asyncio.timeout(30):
        # A database notices the death of a process a moment later.
        while (await outbox.find(SendQuery()))[1].state == "sending":  # noqa: ASYNC110 - no event announces it
            await asyncio.sleep(0.01)
    assert [row.state for row in await outbox.find(SendQuery())] == ["sent", "unknown", "queued"]
    assert await outbox.sending(2, 1.0, FRIEND) is False
    assert await outbox.sending(1, 1.0, FRIEND) is True, "it was never transmitted, so it may be sent"
    await journal.close()


async def test_a_process_that_ends_without_closing_the_journal_loses_nothing(
    quick_engine: StorageEngine,
) -> None:
    async with program(quick_engine, "forget") as other:
        assert await other.wait() == 0
    journal = quick_engine.open()

    assert [row.state for row in await journal.account(UIN).outbox.find(SendQuery())] == ["sent"]
    await journal.close()


async def test_closing_the_journal_marks_sends_in_flight_as_unknown(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    outbox = journal.account(UIN).outbox
    row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0)
    await outbox.sending(row.number, 1.0, FRIEND)
    await journal.close()
    journal = quick_engine.open()

    assert [row.state for row in await journal.account(UIN).outbox.find(SendQuery())] == ["unknown"]
    await journal.close()


@pytest.mark.parametrize("line", [*range(6), *(pytest.param(line, marks=pytest.mark.verify) for line in range(6, 40))])
async def test_a_process_that_is_killed_around_any_commit_loses_nothing(quick_engine: StorageEngine, line: int) -> None:
    lines: list[str] = []
    async with program(quick_engine, "store", "5") as other:
        async with asyncio.timeout(30):
            while len(lines) <= line and (words := await said(other)):
                lines.append(words)
    await quick_engine.settle()
    assert other.stdout is not None
    lines += (await other.stdout.read()).decode().splitlines()
    tried = {int(each.split()[1]) for each in lines if each.startswith("trying")}
    stored_batches = {int(each.split()[1]) for each in lines if each.startswith("stored")}
    given = {int(each.split()[1]) for each in lines if each.startswith("given")}
    done = {int(each.split()[1]) for each in lines if each.startswith("done")}
    journal = quick_engine.open()
    account = journal.account(UIN)
    position = await account.position(OWN)
    stored = int(position or b"0")
    left = await (await account.consumer("bot")).take(100) if position is not None else []

    assert len(stored_batches) <= stored <= len(tried), "every batch that was reported as stored is stored"
    assert ids(await everything(account)) == [str(number) for number in range(1, 3 * stored + 1)], (
        "no batch is stored in part"
    )
    assert all(entry.redelivered for entry in left if entry.number in given), "a repeated entry must be marked"
    assert not done & set(numbers(left)), "a flushed acknowledgement is not lost"
    await journal.close()
