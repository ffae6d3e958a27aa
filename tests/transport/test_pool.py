"""The pool: all clients with the same proxy and certificates in one loop share it, with one timer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.transport.lines import answer, serving

from webwx.transport.http11 import Http11Transport
from webwx.transport.pool import Pool, Route
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_all_clients_of_a_loop_share_their_connections() -> None:
    async with serving(answer()) as server:
        engines = [Http11Transport() for _ in range(3)]
        for engine in engines:
            await engine.send(server.request())
        for engine in engines:
            await engine.close()

    assert server.callers == 1


async def test_clients_with_another_proxy_do_not_share_connections(tmp_path: Path) -> None:
    async with serving(answer()) as server:
        engines = [
            Http11Transport(),
            Http11Transport(ca_file=tmp_path / "ca.pem"),
            Http11Transport(proxy=f"http://127.0.0.1:{server.port}"),
        ]
        for engine in engines:
            await engine.send(server.request())
        for engine in engines:
            await engine.close()

    assert server.callers == 3


async def test_the_pool_closes_with_its_last_client() -> None:
    async with serving(answer()) as server:
        first, last = Http11Transport(), Http11Transport()
        for engine in (first, last):
            await engine.send(server.request())
        await first.close()
        await last.send(server.request())
        assert server.callers == 1

        await last.close()
        await server.until_gone()


async def test_the_pool_is_forgotten_with_its_last_client() -> None:
    first, last = Http11Transport(), Http11Transport()
    pool = Pool.join(first, Route())
    assert Pool.join(last, Route()) is pool
    pool.leave(first)
    pool.leave(last)
    later = Pool.join(first, Route())
    assert later is not pool
    later.leave(first)


async def test_no_timer_is_left_after_the_last_client(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    call_at = loop.call_at

    def record(when: float, callback: Callable[..., object], *values: Any, **more: Any) -> asyncio.TimerHandle:
        timers.append(call_at(when, callback, *values, **more))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", record)
    async with serving(answer()) as server:
        engine = Http11Transport(Timeouts(call=3600, keep_idle=3600))
        await engine.send(server.request())
        idle = [timer for timer in timers if timer.when() > loop.time() + 1800]
        await engine.close()

    assert idle
    assert all(timer.cancelled() for timer in idle)


def test_the_pool_of_a_loop_that_is_closed_is_forgotten() -> None:
    async def join() -> Pool:
        return Pool.join(user, Route())

    user = Http11Transport()
    assert asyncio.run(join()) is not asyncio.run(join())


def test_a_transport_may_continue_in_another_loop() -> None:
    async def send() -> None:
        async with serving(answer(b"hi")) as server:
            assert (await engine.send(server.request())).body == b"hi"
            await engine.close()

    engine = Http11Transport()
    asyncio.run(send())
    asyncio.run(send())


async def test_requests_have_no_timers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timers: list[float] = []
    call_at = loop.call_at

    def count(when: float, callback: Callable[..., object], *values: Any, **more: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, callback, *values, **more)

    async with serving(answer()) as server:
        engine = Http11Transport()
        await engine.send(server.request())
        monkeypatch.setattr(loop, "call_at", count)
        for _ in range(20):
            await engine.send(server.request())
        await engine.close()

    assert timers == []


async def test_a_client_with_a_shorter_idle_limit_does_not_reuse_an_older_connection() -> None:
    async with serving(answer()) as server:
        patient, strict = Http11Transport(Timeouts(keep_idle=60)), Http11Transport(Timeouts(keep_idle=0))
        for engine in (patient, strict):
            await engine.send(server.request())
        for engine in (patient, strict):
            await engine.close()

    assert server.callers == 2
