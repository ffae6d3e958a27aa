"""Subscriptions: several readers of one account, each with its own position, and one sync for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.conftest import take_texts, texts
from tests.turns import let_others_run

from webwx.client.reading.delivered import Deferred
from webwx.errors import AlreadyRunning, InvalidRequest, NoJournal, NotLoggedIn, StorageError
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginMemory
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.log_room import BUSY, ROOM
from webwx.storage.sqlite.schema import log_of
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.transport.runner import Transport

    Phone = Callable[[str], Callable[[QrCode], object]]


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


class HoldsFetch(Counted):
    """Holds the answer to the next webwxsync after `is_on` was set."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.is_on = False
        self.begun, self.released = asyncio.Event(), asyncio.Event()

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if self.is_on and request.endpoint == "webwxsync":
            self.is_on = False
            self.begun.set()
            await self.released.wait()
        return response


class TestReaders:
    async def test_have_their_own_cursors(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        async with client.subscribe("one") as one, client.subscribe("other") as other:
            for number in range(5):
                world.say("ahua", "me", str(number))
            first = [given.event for given in await take_texts(one, 5)]
            second = [given.event for given in await take_texts(other, 5)]

        assert texts(first) == texts(second) == list("01234")

    async def test_share_one_sync(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in()
        async with client.subscribe("one") as one, client.subscribe("other") as other:
            world.say("ahua", "me", "hi")
            await asyncio.gather(take_texts(one, 1), take_texts(other, 1))

        assert counted.calls.count("webwxsync") <= 2

    async def test_continue_when_one_of_them_ends(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        async with client.subscribe("one") as one:
            async with client.subscribe("other"):
                pass
            world.say("ahua", "me", "hi")
            assert len(await take_texts(one, 1)) == 1

    async def test_one_whose_end_is_cancelled_while_another_one_opens_has_ended(
        self, log_in: LogIn, world: World
    ) -> None:
        client = await log_in()
        one, other = client.subscribe("one"), client.subscribe("other")
        await one.open()
        opening, ending = asyncio.create_task(other.open()), asyncio.create_task(one.close())
        await asyncio.sleep(0)  # both have begun: the second one waits for the first one
        ending.cancel()
        await asyncio.wait([opening, ending])
        await other.close()
        async with client.subscribe("one") as again:
            world.say("ahua", "me", "hi")
            assert len(await take_texts(again, 1)) == 1

    async def test_do_not_end_before_what_another_one_has_just_fetched(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        carrier = HoldsFetch(Loopback(sandbox))
        client = await log_in(transport=carrier)
        async with client.subscribe("follows") as follows, client.subscribe("once", follow=False) as once:
            world.say("ahua", "me", "first")
            await take_texts(follows, 1)
            await take_texts(once, 1)
            carrier.is_on = True
            world.say("ahua", "me", "second")
            await carrier.begun.wait()
            taking = asyncio.create_task(once.take())
            await let_others_run()  # it finds nothing in the journal, and waits for the fetch of the other one
            carrier.released.set()
            assert texts([given.event for given in await taking]) == ["second"]

    async def test_end_the_sync_when_the_last_one_ends(self, log_in: LogIn, counted: Counted) -> None:
        client = await log_in()
        async with client.subscribe("one"):
            while "synccheck" not in counted.calls:  # noqa: ASYNC110 - no event reports it
                await asyncio.sleep(0)
        counted.calls.clear()
        await let_others_run()

        assert counted.calls == []

    async def test_of_one_name_can_be_open_once(self, log_in: LogIn) -> None:
        client = await log_in()
        async with client.subscribe("one"):
            with pytest.raises(AlreadyRunning):
                await client.subscribe("one").open()
        async with client.subscribe("one"):
            pass

    async def test_name_of_the_media_archive_is_refused(self, log_in: LogIn) -> None:
        with pytest.raises(InvalidRequest, match="reserved for the media archive"):
            await (await log_in()).subscribe("keep").open()

    async def test_of_one_name_in_another_process_are_refused(self, log_in: LogIn, new_client: NewClient) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        other = new_client(store=store)
        await other.resume()
        async with client.subscribe("one"):
            with pytest.raises(AlreadyRunning):
                await other.subscribe("other").open()

    async def test_need_a_journal_and_a_login(self, log_in: LogIn, new_client: NewClient) -> None:
        with pytest.raises(NoJournal):
            await (await log_in(journal=None)).subscribe("one").open()
        with pytest.raises(NotLoggedIn):
            await new_client().subscribe("one").open()

    async def test_that_were_closed_get_all_missed_events(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        async with client.subscribe("away"):
            pass
        async with client.subscribe("here") as here:
            for number in range(1_000):
                world.say("ahua", "me", str(number))
            assert len(await take_texts(here, 1_000)) == 1_000
        async with client.subscribe("away") as away:
            got = [given.event for given in await take_texts(away, 1_000)]

        assert texts(got) == [str(number) for number in range(1_000)]

    async def test_that_stop_can_acknowledge_and_read_again(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        world.say("ahua", "me", "hi")
        async with client.subscribe("one") as feed:
            given = next(each for each in await feed.take() if isinstance(each.event, TextMessage))
            await feed.stop()
            counted.calls.clear()
            found = await feed.read_again(
                [
                    Deferred(given.entry.number, attempt=2, redelivered=True, crashes=0),
                    Deferred(10_000, attempt=1, redelivered=False, crashes=0),
                ]
            )
            assert list(found) == [given.entry.number]
            again = found[given.entry.number]
            assert (again.entry.attempt, again.event) == (2, msgspec.structs.replace(given.event, redelivered=True))
            assert await feed.take() == []
            feed.ack(given.entry.number)
            await feed.flush()
        assert counted.calls == []
        with pytest.raises(StorageError, match="not open"):
            feed.ack(1)

    async def test_give_up_an_event_and_get_it_again_when_revived(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "hi")
        async with client.subscribe("one") as feed:
            given = next(each for each in await feed.take() if isinstance(each.event, TextMessage))
            assert await feed.failed(given.entry.number, "ValueError") == 1
            await feed.give_up(given.entry.number, "ValueError")
            assert await client.revive(given.entry.number, consumer="one")
            again = await feed.take()
            assert [each.entry.number for each in again] == [given.entry.number]


@pytest.mark.parametrize("follow", [False, True])
async def test_only_one_that_stays_open_has_room_in_the_log(
    log_in: LogIn, world: World, tmp_path: Path, follow: bool
) -> None:
    async with (await log_in()).subscribe("one", follow=follow) as feed:
        for number in range(BUSY + 1):
            world.say("ahua", "me", str(number))
            feed.ack((await feed.take())[-1].entry.number)
        assert (log_of(tmp_path / "kept.journal").stat().st_size >= ROOM) is follow


def test_the_repr_shows_the_name(log_in: LogIn) -> None:
    async def work() -> str:
        return repr((await log_in()).subscribe("one"))

    assert asyncio.run(work()) == "Subscription('one')"
