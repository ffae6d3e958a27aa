"""A client with a private journal: everything that needs a journal works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import PNG, SERVER, last, take

from webwx.client.client import AsyncClient
from webwx.model.archive import Keep
from webwx.model.messages import ImageMessage, MessageRecalled, TextMessage
from webwx.storage.sqlite.private import PrivateJournal
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.carriers import Counted

    from webwx.model.login import QrCode
    from webwx.sandbox.world import World


@pytest.fixture
def client(world: World, counted: Counted) -> AsyncClient:
    return AsyncClient(
        server=SERVER, transport=counted, clock=world.clock.now, timeouts=Timeouts(retry=0), journal=PrivateJournal(),
        keep=Keep(),
    )  # fmt: skip


@pytest.fixture
async def logged_in(client: AsyncClient, phone_of: Callable[[str], Callable[[QrCode], object]]) -> AsyncClient:
    await client.login(show_qr=phone_of("me"))
    return client


async def test_events_are_delivered_once_and_can_be_found(logged_in: AsyncClient, world: World) -> None:
    world.say("ahua", "me", "你好世界")
    (event,) = await take(logged_in, 1)
    assert isinstance(event, TextMessage)
    world.say("ahua", "me", "早上好")
    (following,) = await take(logged_in, 1)

    assert isinstance(following, TextMessage)
    assert following.text == "早上好", "an acknowledged event is not delivered again"
    assert [each.text for each in await logged_in.search("世界") if isinstance(each, TextMessage)] == ["你好世界"]
    assert await logged_in.history(chat=event.chat, limit=2) == [event, following]


async def test_a_keyed_send_is_sent_once(logged_in: AsyncClient, world: World, counted: Counted) -> None:
    counted.calls.clear()
    first = await logged_in.send_text("阿华", "daily report", key="daily")
    again = await logged_in.send_text("阿华", "daily report", key="daily")

    assert first.message_id == again.message_id
    assert counted.calls.count("webwxsendmsg") == 1
    assert last(world, "me", "ahua").text == "daily report"
    assert [row.state for row in await logged_in.list_sends()] == ["sent"]


async def test_a_recalled_picture_is_archived(logged_in: AsyncClient, world: World) -> None:
    world.picture("ahua", "me", PNG)
    *_, image = [event async for event in logged_in.events(follow=False)]  # This waits for the picture as well.
    world.recall("ahua", "me")
    *_, notice = [event async for event in logged_in.events(follow=False)]

    assert isinstance(image, ImageMessage)
    assert isinstance(notice, MessageRecalled)
    assert notice.original == image
    assert await logged_in.download(image) == PNG


async def test_identities_are_kept_over_logins_of_one_process(
    logged_in: AsyncClient, phone_of: Callable[[str], Callable[[QrCode], object]]
) -> None:
    before = {each.name: each.number for each in await logged_in.list_identities()}
    await logged_in.logout()
    await logged_in.login(show_qr=phone_of("me"))

    assert {each.name: each.number for each in await logged_in.list_identities()} == before
