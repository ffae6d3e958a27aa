"""Streams end with the key or session of their caller, and with the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from webwx.gateway.access.auth import CONSOLE, Caller
from webwx.gateway.access.sessions import session_id
from webwx.gateway.http.open_streams import OpenStreams
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

    from webwx.gateway.access.keys import ApiKey

CALLER = Caller(id="k", scopes=("events",), accounts=None, address="127.0.0.1")


def caller_of(key: ApiKey) -> Caller:
    return Caller(
        id=key.id, scopes=key.scopes, accounts=key.accounts, address="127.0.0.1", proof=key.digest
    )  # fmt: skip


async def test_a_refused_stream_ends_and_others_stay_open() -> None:
    gone = {CALLER}

    async def is_current(caller: Caller) -> bool:
        return caller not in gone

    streams = OpenStreams(is_current)
    other = msgspec.structs.replace(CALLER, id="other")
    refused, kept = streams.open(CALLER), streams.open(other)
    await streams.check()

    assert (refused.ended.is_set(), kept.ended.is_set()) == (True, False)
    kept.require_valid()
    with pytest.raises(GatewayProblem, match="deleted, rotated"):
        refused.require_valid()


async def test_the_end_of_the_server_ends_streams_without_a_refusal() -> None:
    async def is_current(caller: Caller) -> bool:
        return True

    streams = OpenStreams(is_current)
    early = streams.open(CALLER)
    streams.end_all()
    late = streams.open(CALLER)

    for stream in (early, late):
        assert stream.ended.is_set()
        stream.require_valid()


async def test_work_is_cancelled_when_its_stream_ends() -> None:
    async def is_current(caller: Caller) -> bool:
        return False

    streams = OpenStreams(is_current)
    stream, was_cancelled = streams.open(CALLER), asyncio.Event()

    async def forever() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()
        return "never"

    async def at_once() -> str:
        return "done"

    assert await stream.run(at_once()) == "done"
    working = asyncio.ensure_future(stream.run(forever()))
    await asyncio.sleep(0)
    await streams.check()
    assert await working is None
    assert was_cancelled.is_set()


async def test_a_key_is_current_until_it_expires_is_rotated_out_or_loses_a_right(running: Running) -> None:
    keys, access, clock = running.gateway.keys, running.gateway.access, running.world.clock
    made = (await keys.create("test", ["events", "read"], expires_at=clock.now() + 60)).key
    caller = caller_of(made)
    assert await access.is_current(caller)

    rotated = await keys.rotate(made.id, overlap=30)
    assert rotated is not None
    assert await access.is_current(caller)
    running.world.wind(31)
    assert not await access.is_current(caller)
    renewed = caller_of(rotated.key)
    assert await access.is_current(renewed)

    await keys.change(made.id, lambda key: msgspec.structs.replace(key, scopes=("events",)))
    assert not await access.is_current(renewed)
    narrowed = msgspec.structs.replace(renewed, scopes=("events",))
    assert await access.is_current(narrowed)
    running.world.wind(30)
    assert not await access.is_current(narrowed)


async def test_a_session_is_current_until_it_ends(running: Running) -> None:
    sessions = running.gateway.sessions
    token = str(await sessions.exchange(await sessions.create_code()))
    caller = Caller(id=CONSOLE, scopes=("admin",), accounts=None, address="", proof=session_id(token))
    assert await running.gateway.access.is_current(caller)
    await sessions.end(session_id(token))
    assert not await running.gateway.access.is_current(caller)
