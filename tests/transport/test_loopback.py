"""In one process a long poll blocks no other request, and the virtual clock advances to the end of a poll."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.protocol.hosts import single
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, PollReply, PollRequest, QrRequest
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from webwx.sandbox.core import SandboxCore

HOSTS = single("http://sandbox.test")


@pytest.fixture
async def uuid(sandbox: SandboxCore) -> str:
    """The uuid of a login code that was not scanned."""
    response = await Loopback(sandbox).send(JSLOGIN.encode_request(QrRequest(), HOSTS))
    return JSLOGIN.decode_reply(response).uuid


async def poll(sandbox: SandboxCore, uuid: str) -> PollReply:
    response = await Loopback(sandbox).send(LOGIN_POLL.encode_request(PollRequest(uuid=uuid), HOSTS))
    return LOGIN_POLL.decode_reply(response)


async def test_a_poll_without_changes_ends_when_the_clock_reaches_its_end(sandbox: SandboxCore, uuid: str) -> None:
    begun = sandbox.world.now

    assert (await poll(sandbox, uuid)).code == 408
    assert sandbox.world.now == begun + sandbox.world.options.hold_seconds


async def test_a_poll_returns_a_change_without_advancing_the_clock(sandbox: SandboxCore, uuid: str) -> None:
    begun = sandbox.world.now

    async def scan() -> None:
        sandbox.world.scan("me", uuid)

    answer, _ = await asyncio.gather(poll(sandbox, uuid), scan())

    assert answer.code == 201
    assert sandbox.world.now == begun


async def test_a_call_that_is_not_held_is_answered_at_once(sandbox: SandboxCore) -> None:
    begun = sandbox.world.now
    transport = Loopback(sandbox)
    response = await transport.send(JSLOGIN.encode_request(QrRequest(), HOSTS))
    await transport.close()

    assert response.status == 200
    assert sandbox.world.now == begun


async def test_the_clock_stands_still_while_something_takes_real_time(sandbox: SandboxCore, uuid: str) -> None:
    begun, looks = sandbox.world.now, [True, True]

    def is_at_work() -> bool:
        assert sandbox.world.now == begun
        return bool(looks and looks.pop())

    request = LOGIN_POLL.encode_request(PollRequest(uuid=uuid), HOSTS)
    await Loopback(sandbox, is_at_work).send(request)
    assert looks == []
    assert sandbox.world.now > begun
