"""Turns of readers: how much they do in one iteration of the event loop, and that all of them go on."""

from __future__ import annotations

import asyncio

from webwx.gateway.process.reader_turns import ReaderTurns


class Work:
    """Work of readers, each item of which takes a millisecond unless it says otherwise."""

    def __init__(self, item: float = 0.001) -> None:
        self.done = 0
        self.turns = ReaderTurns(lambda: self.done * item)
        self.in_iterations: list[int] = []
        """Number of items that all readers together have handled in each iteration of the event loop."""

    async def read(self, items: int) -> None:
        async for _ in self.turns.spread(range(items)):
            self.done += 1

    async def watch(self) -> None:
        """Count the items of each iteration, as another request would see them."""
        while True:
            before = self.done
            await asyncio.sleep(0)
            self.in_iterations.append(self.done - before)


async def test_many_readers_together_do_a_few_milliseconds_of_work_in_each_iteration() -> None:
    work = Work()
    watching = asyncio.ensure_future(work.watch())
    await asyncio.gather(*(work.read(50) for _ in range(100)))
    watching.cancel()

    assert work.done == 5_000
    assert max(work.in_iterations) <= 6
    assert len(work.in_iterations) <= 5_000


async def test_readers_of_one_short_item_do_not_take_an_iteration_each() -> None:
    work = Work(0.00001)
    watching = asyncio.ensure_future(work.watch())
    await asyncio.gather(*(work.read(1) for _ in range(500)))
    watching.cancel()

    assert work.done == 500
    assert len(work.in_iterations) < 50


async def test_a_reader_of_few_items_does_not_wait_when_no_other_reads() -> None:
    work = Work()
    reading = asyncio.ensure_future(work.read(3))
    await asyncio.sleep(0)
    assert reading.done()


async def test_pages_are_read_one_in_each_iteration() -> None:
    work = Work()
    begun = 0

    async def read_page() -> None:
        nonlocal begun
        await work.turns.next()
        begun += 1
        work.done += 50

    watching = asyncio.ensure_future(work.watch())
    await asyncio.gather(*(read_page() for _ in range(20)))
    watching.cancel()
    assert begun == 20
    assert max(work.in_iterations) <= 100


async def test_a_reader_that_is_cancelled_while_it_waits_does_not_stop_the_others() -> None:
    work = Work()
    readers = [asyncio.ensure_future(work.read(50)) for _ in range(10)]
    await asyncio.sleep(0)
    for reader in readers[:5]:
        reader.cancel()
    await asyncio.wait(readers)
    assert all(reader.done() and not reader.cancelled() for reader in readers[5:])
