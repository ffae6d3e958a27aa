"""Without a journal, fetched items are saved with the login until they are delivered."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted, DeliversOnce
from tests.client.conftest import saved_in, take, texts
from tests.client.virtual_loop import VirtualClockLoop

from webwx.client.client import AsyncClient
from webwx.client.reading.stream import AHEAD_FROM
from webwx.client.sync.recent_messages import MESSAGES
from webwx.errors import (
    AlreadyRunning,
    StorageError,
)
from webwx.flows.sync import MANY_TEXTS
from webwx.model.messages import (
    DeliveredEvent,
    Event,
    Pat,
)
from webwx.protocol.sysmsg import write_pat
from webwx.sandbox import contents
from webwx.sandbox.core import SandboxCore
from webwx.storage.login import LoginFile, LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.model.login import QrCode
    from webwx.sandbox.world import World
    from webwx.storage.saved_login import SavedLogin

    Phone = Callable[[str], Callable[[QrCode], object]]


@pytest.fixture
def virtual_runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        yield runner


class Full(LoginMemory):
    """A store that sometimes has no space for a login."""

    is_full = False

    async def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        if self.is_full:
            raise StorageError("The disk is full.")
        await super().update(change)


class TestWithoutAJournal:
    async def test_a_batch_is_saved_with_its_position_before_its_first_event(self, log_in: LogIn, world: World) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        before = await saved_in(store)
        for number in range(3):
            world.say("ahua", "me", str(number))
        events = client.events(include_all=False)
        await anext(events)
        saved = await saved_in(store)
        await events.aclose()

        assert saved.login.fetch_key != before.login.fetch_key
        assert len(saved.pending) == 4  # With the phone's greeting.
        assert len((await saved_in(store)).pending) == 2

    async def test_a_pat_names_the_friend_whose_real_id_it_has(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        xml = write_pat(actor="wxid_ahua", target="wxid_me", chat="wxid_me").replace('"${wxid_me}"', "我")
        world.notify("me", "ahua", contents.system_xml(xml, "拍了拍"))
        [pat] = await take(client, 1)

        assert isinstance(pat, Pat)
        assert (pat.actor, pat.target, pat.text) == ("阿华", None, '"阿华" 拍了拍 我')

    async def test_a_pat_in_a_chatroom_names_people_whose_real_ids_the_phone_has_sent(
        self, log_in: LogIn, world: World
    ) -> None:
        world.options = msgspec.structs.replace(world.options, real_ids="sent")
        world.say("ahua", "me", "hi")  # now it is a recent chat
        client = await log_in()
        xml = write_pat(actor="wxid_ahua", target="wxid_unknown", chat="hiking@chatroom")
        world.notify("me", "hiking", contents.system_xml(xml, "拍了拍"))
        [pat] = await take(client, 1)

        assert isinstance(pat, Pat)
        assert (pat.actor, pat.target, pat.text) == ("阿华", "群成员", '"阿华" 拍了拍 "群成员"')

    @pytest.mark.parametrize(("count", "is_asked"), [(AHEAD_FROM, True), (AHEAD_FROM - 1, False)])
    async def test_the_next_poll_runs_during_the_delivery_of_many_events_and_not_of_a_few(
        self, log_in: LogIn, world: World, counted: Counted, count: int, is_asked: bool
    ) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)  # The phone's greeting.
        for number in range(count):
            world.say("ahua", "me", str(number))
        async with client.events() as events:
            counted.calls.clear()
            first = await anext(events)
            after = counted.calls[counted.calls.index("webwxsync") + 1 :]
            rest = [await anext(events) for _ in range(count - 1)]

        assert after == ["synccheck"] * is_asked
        assert texts([first, *rest]) == [str(number) for number in range(count)]

    async def test_an_event_that_a_program_keeps_has_its_fields_after_a_thousand_others(
        self, log_in: LogIn, world: World
    ) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)
        async with client.events() as events:
            for answer in range(MESSAGES // MANY_TEXTS + 1):
                for number in range(MANY_TEXTS):
                    world.say("ahua", "me", f"{answer} {number}")
                event = await anext(events)
                assert isinstance(event, DeliveredEvent)
                if not answer:
                    kept = event, event.raw
                assert (event.raw["Content"], event.raw["ImgStatus"]) == (f"{answer} 0", 1)
                for _ in range(MANY_TEXTS - 1):
                    await anext(events)

        assert kept[0].raw == kept[1]

    async def test_a_running_poll_ends_with_its_stream(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)
        for number in range(AHEAD_FROM):
            world.say("ahua", "me", str(number))
        assert texts(await take(client, 1)) == ["0"]

        assert [task for task in asyncio.all_tasks() if "_check" in repr(task)] == []
        assert texts(await take(client, AHEAD_FROM - 1)) == [str(number) for number in range(1, AHEAD_FROM)]

    async def test_a_failed_poll_is_not_reported_when_its_stream_ends(
        self, log_in: LogIn, world: World, counted: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)
        for number in range(AHEAD_FROM):
            world.say("ahua", "me", str(number))
        async with client.events() as events:
            await anext(events)
            [poll] = [task for task in asyncio.all_tasks() if "_check" in repr(task)]
            counted.lose_answers("synccheck")
            world.say("ahua", "me", "after")
            await asyncio.wait([poll])
        del poll
        gc.collect()

        assert "never retrieved" not in caplog.text

    def test_a_running_poll_that_fails_is_repeated(
        self, log_in: LogIn, world: World, counted: Counted, virtual_runner: asyncio.Runner
    ) -> None:
        async def read(client: AsyncClient) -> list[Event]:
            async with client.events(include_all=False) as events:
                taken = [await anext(events)]
                counted.lose_answers("synccheck")
                taken += [await anext(events) for _ in range(AHEAD_FROM - 1)]
                world.say("ahua", "me", "after")
                return [*taken, await anext(events)]

        client = virtual_runner.run(log_in())
        for number in range(AHEAD_FROM):
            world.say("ahua", "me", str(number))

        assert texts(virtual_runner.run(read(client))) == [*map(str, range(AHEAD_FROM)), "after"]

    async def test_are_delivered_by_the_next_process(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted, tmp_path: Path
    ) -> None:
        path = tmp_path / "me.json"
        client = await log_in(store=LoginFile(path))
        for number in range(5):
            world.say("ahua", "me", str(number))
        got = texts(await take(client, 1))
        await client.close()
        counted.calls.clear()
        for _ in range(4):
            async with new_client(store=LoginFile(path)) as following:
                await following.resume()
                got += texts(await take(following, 1))

        assert got == list("01234")
        assert counted.calls == []

    async def test_a_batch_that_could_not_be_saved_is_held_and_not_fetched_again(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        """The server delivers each item once."""
        store, carrier = Full(), DeliversOnce(Loopback(sandbox))
        client = await log_in(store=store, transport=carrier)
        await take(client, 1, include_all=True)
        world.say("ahua", "me", "hi")
        store.is_full = True
        for _ in range(2):
            with pytest.raises(StorageError):
                await take(client, 1)
        store.is_full = False

        assert texts(await take(client, 1)) == ["hi"]

    async def test_continue_after_a_loop_that_ended_by_break(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        got: list[Event] = []
        for number in range(3):
            world.say("ahua", "me", str(number))
        for _ in range(3):
            async for event in client.events(include_all=False):
                got.append(event)
                break

        assert texts(got) == ["0", "1", "2"]

    async def test_have_one_reader_at_a_time(self, log_in: LogIn, new_client: NewClient, counted: Counted) -> None:
        store = LoginMemory()
        first = await log_in(store=store)
        second = new_client(store=store)
        await second.resume()
        events = first.events()
        await anext(events)
        counted.calls.clear()

        with pytest.raises(AlreadyRunning):
            await anext(second.events())
        assert counted.calls == []
        await events.aclose()
