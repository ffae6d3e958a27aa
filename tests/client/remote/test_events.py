"""The stream of a consumer over connections that are lost and opened again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.remote.test_both_ways import begin_reader, next_event

from webwx.errors import AlreadyRunning
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox
    from tests.client.remote.conftest import OpenGateway


async def test_a_consumer_has_one_reader_at_a_time(open_gateway: OpenGateway, sandbox: Sandbox) -> None:
    async with open_gateway() as client:
        await begin_reader(client, sandbox)
        async with client.events("reader") as stream:
            sandbox.say("ahua", "me", "mine")
            await next_event(stream, TextMessage, "mine")
            with pytest.raises(AlreadyRunning):
                await anext(aiter(client.events("reader")))


async def test_quiet_events_are_left_out_on_request(open_gateway: OpenGateway, sandbox: Sandbox) -> None:
    async with open_gateway() as client:
        await begin_reader(client, sandbox)
        async with asyncio.timeout(20), client.events("reader", include_all=False) as stream:
            sandbox.control("open", who="me", chat="ahua")
            sandbox.say("ahua", "me", "loud")
            async for event in stream:
                assert isinstance(event, TextMessage)
                if event.text == "loud":
                    break
