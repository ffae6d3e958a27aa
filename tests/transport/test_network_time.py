"""Time in which the event loop was blocked is not the network's: it does not count towards a time limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.virtual_loop import VirtualClockLoop, run_with_virtual_clock
from tests.transport.lines import Caller, answer, serving

from webwx.errors import ProxyFailed, Timeout
from webwx.protocol.http import Request
from webwx.transport.aiohttp_transport import AiohttpTransport
from webwx.transport.http11 import Http11Transport
from webwx.transport.network_time import NetworkTime, time_limit
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.transport.runner import Transport

transports = pytest.mark.parametrize(
    "make", [Http11Transport, AiohttpTransport], ids=["http11", "aiohttp"]
)  # fmt: skip

BLOCK = 60.0


async def network_time() -> NetworkTime:
    return NetworkTime.of_running_loop()


def test_a_loop_keeps_its_network_time_while_others_begin() -> None:
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        before = first.run_until_complete(network_time())
        second.run_until_complete(network_time())
        assert first.run_until_complete(network_time()) is before
    finally:
        first.close()
        second.close()


def block() -> None:
    """Block the event loop for a minute of its clock."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    loop.jump(BLOCK)


def blocked_meanwhile(says: bytes) -> Callable[[Caller], Awaitable[None]]:
    """Answer after some seconds, in the middle of which the loop is blocked."""

    async def talk(caller: Caller) -> None:
        await caller.reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(2)
        block()
        await asyncio.sleep(2)
        await caller.say(says)
        await caller.receive_end()

    return talk


@transports
def test_an_answer_that_a_blocked_loop_has_delayed_is_not_late(make: Callable[..., Transport]) -> None:
    async def work() -> None:
        async with serving(blocked_meanwhile(answer(b"hello"))) as server:
            transport = make(Timeouts(call=5.0))
            assert (await transport.send(server.request())).body == b"hello"
            await transport.close()

    run_with_virtual_clock(work)


@transports
def test_a_connection_that_a_blocked_loop_has_delayed_does_not_fail(make: Callable[..., Transport]) -> None:
    async def work() -> None:
        async with serving(blocked_meanwhile(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as proxy:
            transport = make(Timeouts(connect=5.0), proxy=f"http://127.0.0.1:{proxy.port}")
            with pytest.raises(ProxyFailed, match="403"):  # its answer has arrived in time
                await transport.send(Request(method="GET", url="https://host.test/", endpoint="webwxsync"))
            await transport.close()

    run_with_virtual_clock(work)


@transports
def test_a_server_that_is_silent_after_a_block_is_given_up(make: Callable[..., Transport]) -> None:
    async def work() -> None:
        async def talk(caller: Caller) -> None:
            await caller.receive()
            block()
            await caller.receive_end()

        async with serving(talk) as server:
            transport, loop = make(Timeouts(call=5.0)), asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(Timeout):
                await transport.send(server.request())
            assert loop.time() - began < BLOCK + 7
            await transport.close()

    run_with_virtual_clock(work)


def test_network_time_stands_still_while_the_loop_is_blocked() -> None:
    async def work() -> None:
        time, blocks = NetworkTime.of_running_loop(), list[float]()
        time.use("test", blocks.append)
        began = time.now()
        await asyncio.sleep(10)
        block()
        assert time.now() - began == pytest.approx(10, abs=0.6)
        await asyncio.sleep(10)
        assert time.now() - began == pytest.approx(20, abs=0.6)
        assert sum(blocks) == pytest.approx(BLOCK, abs=0.6)
        time.leave("test")
        assert repr(time).startswith("NetworkTime(")

    run_with_virtual_clock(work)


def test_a_limit_is_extended_and_over_in_network_time() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):  # noqa: PT012 - in the middle of the limit
            async with time_limit(5) as limit:
                await asyncio.sleep(4)
                limit.extend(3)
                began = loop.time()
                block()
                await asyncio.Event().wait()
        assert loop.time() - began == pytest.approx(BLOCK + 3, abs=0.6)

    run_with_virtual_clock(work)


@pytest.mark.parametrize("seconds", [0, 0.2, 0.5, 0.7, 5, 5.3])
def test_a_limit_is_over_at_its_time(seconds: float) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.1)
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with time_limit(seconds):
                await asyncio.Event().wait()
        assert loop.time() - began == pytest.approx(seconds, abs=0.01)

    run_with_virtual_clock(work)


def test_a_block_may_take_its_time_to_end_once_its_limit_is_over() -> None:
    async def work() -> None:
        loop, failures = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: failures.append(context))

        async def end_slowly() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(3)

        with pytest.raises(TimeoutError):
            async with time_limit(1):
                await end_slowly()
        assert not failures

    run_with_virtual_clock(work)


def test_limits_that_end_early_need_no_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        loop, timers = asyncio.get_running_loop(), list[float]()
        call_at = loop.call_at

        def counted(when: float, callback: Callable[..., object], *arguments: Any, **more: Any) -> asyncio.TimerHandle:
            timers.append(when)
            return call_at(when, callback, *arguments, **more)

        monkeypatch.setattr(loop, "call_at", counted)
        for _ in range(100):
            async with time_limit(10):
                pass
        assert len(timers) == 1  # that of the network time

    run_with_virtual_clock(work)
