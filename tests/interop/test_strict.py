"""Our client with every option of `--strict`, on the real host names: all its work succeeds."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from webwx import AsyncClient, ImageMessage, LoggedOut, MessageRecalled, RateLimited, TextMessage
from webwx.cli.sandbox.pictures import png
from webwx.protocol.codes import CHECK_ABOVE
from webwx.protocol.media import image_type
from webwx.sandbox.clock import SystemClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import STRICT, Options
from webwx.sandbox.serve import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from webwx import Event
    from webwx.sandbox.serve import TlsAccess
    from webwx.sandbox.world import World


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    options: Options = Options(auto_confirm=True, **STRICT)  # type: ignore[arg-type]  # each is of its option's type
    return make_world(options=options, clock=SystemClock())


@pytest.fixture
async def client(world: World) -> AsyncIterator[AsyncClient]:
    served = await serve(SandboxCore(world), tls=True)
    access: TlsAccess | None = served.tls
    assert access is not None
    async with AsyncClient(host="wx.qq.com", proxy=access.proxy, ca_file=access.ca, clock=lambda: world.now) as client:
        await client.login(show_qr=quiet)
        yield client
    await served.close()


def quiet(code: object) -> None:
    """Ignore the code: the sandbox confirms by itself."""


async def received(events: AsyncIterator[Event], kind: type[Event]) -> Event:
    """Wait for an event of a kind from others, and skip own messages."""
    async for event in events:
        if isinstance(event, kind) and not getattr(event, "is_self", False):
            return event
    raise AssertionError


async def test_all_kinds_of_work_succeed(client: AsyncClient, world: World) -> None:
    async with aclosing(client.events(include_all=False)) as events:
        world.say("ahua", "me", "在吗")
        text = await received(events, TextMessage)
        assert isinstance(text, TextMessage)
        await client.mark_read(text.chat)
        await client.recall(await client.send_text("阿华", "oops"))
        await client.send_image("阿华", png())
        await client.send_file("阿华", b"a report", name="report.txt")

        world.picture("ahua", "me", png())
        picture = await received(events, ImageMessage)
        assert isinstance(picture, ImageMessage)
        assert image_type(await client.download(picture)) == "image/jpeg"
        world.recall("ahua", "me")
        recalled = await received(events, MessageRecalled)
        assert isinstance(recalled, MessageRecalled)
        assert recalled.original == picture
        await client.forward(recalled, "filehelper")

    sent = [(message.kind, message.is_recalled) for message in world.inbox("ahua")["xiaoming"].messages]
    assert [each for each in sent if each[0] != "system"][-3:] == [("image", False), ("file", False), ("image", True)]
    assert world.inbox("me")["filehelper"].messages[-1].kind == "image"


async def test_every_message_is_delivered_once_although_syncs_are_repeated(client: AsyncClient, world: World) -> None:
    async with aclosing(client.events(include_all=False)) as events:
        texts = []
        for number in range(12):
            world.say("ahua", "me", str(number))
            event = await received(events, TextMessage)
            assert isinstance(event, TextMessage)
            texts.append(event.text)
    assert texts == [str(number) for number in range(12)]


async def test_too_many_sends_are_refused_until_a_minute_has_passed(client: AsyncClient, world: World) -> None:
    most = world.options.acts_per_minute
    for number in range(most):
        await client.send_text("filehelper", str(number))
    with pytest.raises(RateLimited):
        await client.send_text("filehelper", "one too many")
    world.wind(60)
    await client.send_text("filehelper", "again")
    assert world.inbox("me")["filehelper"].messages[-1].text == "again"


async def test_a_login_ends_after_a_day_and_the_next_one_works(client: AsyncClient, world: World) -> None:
    async with aclosing(client.events(include_all=False)) as events:
        world.wind(24 * 3600)
        with pytest.raises(LoggedOut):
            await anext(events)
    await client.login(show_qr=quiet)
    await client.send_text("filehelper", "back")
    assert world.inbox("me")["filehelper"].messages[-1].text == "back"


async def test_a_large_file_is_announced_and_arrives(client: AsyncClient, world: World) -> None:
    content = bytes(CHECK_ABOVE + 1)
    await client.send_file("阿华", content, name="film.bin")
    assert world.inbox("ahua")["xiaoming"].messages[-1].media_file is not None
