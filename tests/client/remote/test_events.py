"""The stream of a consumer over connections that are lost and opened again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.cli.gateway.test_serve import new_key, serving
from tests.client.remote.conftest import QUICK
from tests.client.remote.test_both_ways import begin_reader, next_event

from webwx.client.client import AsyncClient
from webwx.errors import AlreadyRunning, StorageError
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox, Shell
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


async def test_a_confirmed_acknowledgement_survives_a_kill_of_the_gateway(me: Shell, sandbox: Sandbox) -> None:
    key = new_key(me, "events,read")
    with serving(me) as (process, first_line):
        async with AsyncClient(gateway=first_line["url"], key=key, timeouts=QUICK) as client:
            await begin_reader(client, sandbox)
            async with client.events("reader") as stream:
                for text in ("first", "second", "third"):
                    sandbox.say("ahua", "me", text)
                await next_event(stream, TextMessage, "first")
                await stream.ack()  # the others have arrived meanwhile, and are not lost
                await next_event(stream, TextMessage, "second")
                await stream.ack()
                process.kill()
                process.wait()
    with serving(me) as (_, first_line):
        async with (
            AsyncClient(gateway=first_line["url"], key=key, timeouts=QUICK) as client,
            client.events("reader") as stream,
        ):
            event = await next_event(stream, TextMessage)
            assert isinstance(event, TextMessage)
            assert event.text == "third"


async def test_a_lost_connection_is_reopened_and_a_lost_confirmation_is_reported(me: Shell, sandbox: Sandbox) -> None:
    key = new_key(me, "events,read")
    with serving(me) as (process, first_line):
        port = first_line["url"].rpartition(":")[2]
        async with AsyncClient(gateway=first_line["url"], key=key, timeouts=QUICK) as client:
            await begin_reader(client, sandbox)
            async with client.events("reader") as stream:
                sandbox.say("ahua", "me", "before")
                await next_event(stream, TextMessage, "before")
                process.kill()
                process.wait()
                with pytest.raises(StorageError, match="confirmed"):
                    await stream.ack()
                with serving(me, "--port", port):
                    # The acknowledgement is repeated, so the event does not come again.
                    sandbox.say("ahua", "me", "after")
                    event = await next_event(stream, TextMessage)
                    assert isinstance(event, TextMessage)
                    assert event.text == "after"
