"""The limit of an account's calls in flight: sixteen to a host, first come first served, and each kind apart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.carriers import Counted
from tests.client.conftest import last, take

from webwx.client.client import AsyncClient
from webwx.client.sending import call_limit
from webwx.client.sending.call_limit import MOST_CALLS, CallPlaces
from webwx.errors import ConnectFailed, SendOutcomeUnknown, Timeout
from webwx.model.messages import TextMessage
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.client.conftest import LogIn

    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.sqlite.journal import SqliteJournal
    from webwx.transport.runner import Transport

ORIGIN = "https://wx.example"


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


class Holding(Counted):
    """Holds the answers to the requests of one call until the test releases them."""

    def __init__(self, inner: Transport, endpoint: str) -> None:
        super().__init__(inner)
        self.held: list[str] = []
        """Contents of the requests that have arrived, in order."""
        self.is_full = asyncio.Event()
        """Set while as many requests are held as may be in flight."""
        self.in_flight = self.most = 0
        self.loses = False
        self._released = asyncio.Semaphore(0)
        self._endpoint = endpoint

    def release(self, count: int) -> None:
        """Answer held requests, and those that arrive later, until there were this many."""
        for _ in range(count):
            self._released.release()

    async def send(self, request: Request) -> Response:
        if request.endpoint != self._endpoint:
            return await super().send(request)
        self.held.append(request.content.decode())
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        if self.in_flight == MOST_CALLS:
            self.is_full.set()
        try:
            response = await super().send(request)
            await self._released.acquire()
            if self.loses:
                raise Timeout(f"{self._endpoint}: no answer in time.")
            return response
        finally:
            self.in_flight -= 1


@pytest.fixture
def sends(sandbox: SandboxCore) -> Holding:
    return Holding(Loopback(sandbox), "webwxsendmsg")


async def test_sends_beyond_the_limit_wait_in_order_and_are_not_stored_as_begun(log_in: LogIn, sends: Holding) -> None:
    client = await log_in(transport=sends)
    sending = [asyncio.create_task(client.send_text("阿华", f"text {number:02}")) for number in range(30)]
    await sends.is_full.wait()
    assert len(await client.list_sends("sending")) == MOST_CALLS
    sends.release(30)
    await asyncio.gather(*sending)
    assert sends.most == MOST_CALLS
    assert [number for number in range(30) if f"text {number:02}" not in sends.held[number]] == []


async def test_lost_answers_leave_at_most_the_sends_in_flight_unknown(log_in: LogIn, sends: Holding) -> None:
    client = await log_in(transport=sends)
    sending = [asyncio.create_task(client.send_text("阿华", f"text {number}")) for number in range(30)]
    await sends.is_full.wait()
    for each in sending:
        each.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    assert len(await client.list_sends("unknown")) == MOST_CALLS
    assert len(sends.held) == MOST_CALLS


async def test_a_failed_send_leaves_its_place_to_the_next_one(log_in: LogIn, sends: Holding) -> None:
    client = await log_in(transport=sends)
    sends.loses = True
    sends.release(3 * MOST_CALLS)
    failed = await asyncio.gather(
        *(client.send_text("阿华", "same") for _ in range(3 * MOST_CALLS)), return_exceptions=True
    )
    assert {type(each) for each in failed} == {SendOutcomeUnknown}
    sends.loses = False
    sends.release(1)
    await client.send_text("阿华", "after")


async def test_messages_are_fetched_while_all_places_of_sends_are_taken(
    world: World, log_in: LogIn, sends: Holding
) -> None:
    client = await log_in(transport=sends)
    sending = [asyncio.create_task(client.send_text("阿华", f"text {number}")) for number in range(MOST_CALLS + 1)]
    await sends.is_full.wait()
    world.say("ahua", "me", "meanwhile")
    [event] = await take(client, 1)
    assert isinstance(event, TextMessage)
    assert event.text == "meanwhile"
    sends.release(len(sending))
    await asyncio.gather(*sending)
    assert last(world, "ahua", "xiaoming").text == f"text {MOST_CALLS}"


async def test_calls_of_a_client_without_a_journal_are_limited_too(log_in: LogIn, sandbox: SandboxCore) -> None:
    reads = Holding(Loopback(sandbox), "webwxoplog")
    client = await log_in(transport=reads, journal=None)
    pinning = [asyncio.create_task(client.set_pinned("阿华", is_pinned=True)) for _ in range(20)]
    await reads.is_full.wait()
    assert (await client.measure()).waiting_calls == len(pinning) - MOST_CALLS
    reads.release(20)
    await asyncio.gather(*pinning)
    assert reads.most == MOST_CALLS
    assert (await client.measure()).waiting_calls == 0


@pytest.mark.parametrize("ends", [AsyncClient.close, AsyncClient.logout])
async def test_sends_that_wait_when_a_client_is_closed_or_logged_out_are_not_made(
    log_in: LogIn, sends: Holding, ends: Callable[[AsyncClient], Awaitable[None]]
) -> None:
    client = await log_in(transport=sends)
    sending = [asyncio.create_task(client.send_text("阿华", f"text {number}")) for number in range(MOST_CALLS + 4)]
    await sends.is_full.wait()
    await ends(client)
    sends.release(len(sending))
    outcomes = await asyncio.gather(*sending, return_exceptions=True)
    assert {type(each) for each in outcomes[MOST_CALLS:]} == {ConnectFailed}
    assert len(sends.held) == MOST_CALLS


@pytest.fixture(params=[False, True], ids=["one-by-one", "gathered"])
def places(request: pytest.FixtureRequest) -> CallPlaces:
    return CallPlaces(ORIGIN, gathers=request.param)


async def entered(places: CallPlaces, count: int) -> list[asyncio.Task[None]]:
    """Take all places, and return this many calls that wait for one."""
    for _ in range(MOST_CALLS):
        await places.enter()
    waiting = [asyncio.create_task(places.enter()) for _ in range(count)]
    await asyncio.sleep(0)
    return waiting


async def test_with_a_journal_waiting_calls_begin_together_when_all_places_are_free() -> None:
    places = CallPlaces(ORIGIN, gathers=True)
    waiting = await entered(places, 2 * MOST_CALLS)
    for _ in range(MOST_CALLS - 1):
        places.leave()
    assert repr(places) == f"CallPlaces({MOST_CALLS - 1} free, {2 * MOST_CALLS} waiting)"
    places.leave()
    await asyncio.gather(*waiting[:MOST_CALLS])
    assert repr(places) == f"CallPlaces(0 free, {MOST_CALLS} waiting)"
    places.refuse()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_calls_that_hang_do_not_keep_gathered_places_from_the_others() -> None:
    places = CallPlaces(ORIGIN, gathers=True)
    waiting = await entered(places, 4)
    places.leave()
    places.leave()
    await asyncio.gather(*waiting[:2])
    assert repr(places) == "CallPlaces(0 free, 2 waiting)"
    places.leave()
    places.leave()
    await asyncio.gather(*waiting)


async def test_a_long_wait_for_a_place_is_logged_once(
    places: CallPlaces, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(call_limit, "LONG_WAIT", 0.0)
    waiting = await entered(places, 2)
    for _ in range(4):  # The time of the first check has come.
        await asyncio.sleep(0)
    [record] = [each for each in caplog.records if each.name == "webwx.client"]
    assert record.getMessage() == (
        f"Calls to https://wx.example have waited for 0 s, because {MOST_CALLS} earlier ones have no answer yet; "
        "2 calls wait."
    )
    places.refuse()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_call_takes_a_place_that_was_gathered_for_a_cancelled_one(places: CallPlaces) -> None:
    [waiting] = await entered(places, 1)
    waiting.cancel()
    places.leave()
    await asyncio.gather(waiting, return_exceptions=True)
    await places.enter()
    assert repr(places) == "CallPlaces(0 free, 0 waiting)"


async def test_a_wait_that_is_refused_and_cancelled_frees_no_place(places: CallPlaces) -> None:
    [waiting] = await entered(places, 1)
    places.refuse()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert repr(places) == "CallPlaces(0 free, 0 waiting)"


async def test_a_cancelled_wait_passes_its_turn_on(places: CallPlaces) -> None:
    first, second, third = await entered(places, 3)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    places.leave()
    first.cancel()  # Its turn would come now.
    await asyncio.gather(first, return_exceptions=True)
    await third
    assert first.cancelled()


async def test_a_call_that_leaves_beside_a_cancelled_wait_frees_its_place(places: CallPlaces) -> None:
    [waiting] = await entered(places, 1)
    waiting.cancel()
    places.leave()  # The waiting call does not know yet that it is cancelled.
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await places.enter()
