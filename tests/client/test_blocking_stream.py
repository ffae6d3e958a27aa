"""A stream of events without `await`."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import SERVER, saved_in

from webwx.client.blocking import Client
from webwx.client.blocking_stream import BlockingEventStream
from webwx.client.reading.stream import EventStream
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from webwx.model.login import QrCode
    from webwx.model.messages import Event
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World


def test_events_that_were_not_taken_are_stored(
    world: World, sandbox: SandboxCore, phone_of: Callable[[str], Callable[[QrCode], object]]
) -> None:
    store = LoginMemory()
    client = Client(server=SERVER, store=store, transport=Loopback(sandbox), clock=world.clock.now)
    client.login(show_qr=phone_of("me"))
    for number in range(3):
        world.say("ahua", "me", str(number))
    for _ in client.events(include_all=False):
        break

    assert len(asyncio.run(saved_in(store)).pending) == 2


class TestEventStream:
    def test_an_event_is_redelivered_until_it_is_acknowledged(self, world: World, client: Client) -> None:
        for number in range(3):
            world.say("ahua", "me", str(number))
        got = []
        for way in ("left", "acknowledged", "left"):
            with client.events(include_all=False) as events:
                got.append(next(events))
                if way == "acknowledged":
                    events.ack()

        assert [(getattr(event, "text", ""), event.redelivered) for event in got] == [
            ("0", False),
            ("0", True),
            ("1", False),
        ]

    def test_another_loop_can_follow_a_loop_that_ended_by_break(self, world: World, client: Client) -> None:
        world.say("ahua", "me", "hi")
        for _ in range(3):
            for event in client.events(include_all=False):
                assert isinstance(event, TextMessage)
                break

    def test_the_repr_shows_no_event(self, client: Client) -> None:
        assert repr(client.events()) == "BlockingEventStream()"

    def test_an_error_inside_the_block_of_a_stream_is_raised_although_another_thread_reads(self) -> None:
        has_begun, may_end = threading.Event(), threading.Event()

        async def nothing() -> AsyncGenerator[Event, None]:
            has_begun.set()
            await asyncio.to_thread(may_end.wait)
            nothing: tuple[Event, ...] = ()
            for each in nothing:
                yield each

        async def ack() -> None:
            pass

        stream = BlockingEventStream(EventStream(nothing(), ack))
        with ThreadPoolExecutor(1) as threads:
            with pytest.raises(ValueError, match="the real error"), stream:  # noqa: PT012 - it is raised inside
                reading = threads.submit(next, stream, None)
                has_begun.wait()
                raise ValueError("the real error")
            may_end.set()
            assert reading.result() is None
