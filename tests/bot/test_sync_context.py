"""The context of a handler that is a plain function: its methods wait for the loop."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest
from tests.bot.test_context import context, text_from
from tests.client.conftest import GIF, MP4, PNG

from webwx.bot.context import Context
from webwx.bot.sync_context import SyncContext
from webwx.errors import UnknownContact
from webwx.model.messages import ImageMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bot.conftest import OpenClient

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World


class TestParity:
    VERBS = sorted(name for name in vars(Context) if not name.startswith("_"))

    def test_a_plain_function_has_every_method_of_an_asynchronous_handler(self) -> None:
        assert {*self.VERBS, "wait"} == {name for name in dir(SyncContext) if not name.startswith("_")}

    @pytest.mark.parametrize("name", [name for name in VERBS if inspect.isfunction(getattr(Context, name))])
    def test_a_method_has_the_same_parameters_and_is_not_awaited(self, name: str) -> None:
        one, other = getattr(Context, name), getattr(SyncContext, name)
        assert str(inspect.signature(one)) == str(inspect.signature(other)).replace("SyncContext", "Context")
        assert inspect.iscoroutinefunction(one) or name == "account"  # It sends nothing, and so does not wait.
        assert not inspect.iscoroutinefunction(other)

    @pytest.mark.parametrize("name", [name for name in VERBS if inspect.getdoc(getattr(Context, name))])
    def test_a_method_has_the_same_docstring(self, name: str) -> None:
        one, other = (inspect.getdoc(getattr(kind, name)) or "" for kind in (Context, SyncContext))
        assert other.partition("\n")[0] == one.partition("\n")[0]


class TestPlainFunctions:
    async def in_a_thread(self, client: AsyncClient, work: Callable[[SyncContext], object]) -> object:
        ctx = SyncContext(context(client, text_from(client, "阿华"), attempt=2), asyncio.get_running_loop())
        return await asyncio.to_thread(work, ctx)

    async def test_the_methods_wait_for_their_results(self, open_client: OpenClient, world: World) -> None:
        def work(ctx: SyncContext) -> None:
            ctx.mark_read()
            receipt = ctx.reply("在")
            ctx.recall(receipt)
            ctx.send_text("张三", "1")
            ctx.send_image("张三", PNG, name="2.png")
            ctx.send_video("张三", MP4, name="3.mp4")
            ctx.send_sticker("张三", GIF, name="4.gif")
            ctx.send_file("张三", b"5", name="5.txt")
            ctx.forward(ctx.event, "张三")
            ctx.reply_image(PNG, name="6.png")

        async with open_client() as client:
            await self.in_a_thread(client, work)
            assert [each.is_recalled for each in world.inbox("ahua")["xiaoming"].messages] == [True, False]
            assert len(world.inbox("zhangsan")["xiaoming"].messages) == 6

    async def test_anything_else_of_the_client_can_be_waited_for(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            await self.in_a_thread(client, lambda ctx: ctx.wait(ctx.client.check()))

    async def test_errors_are_raised_in_the_thread(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            with pytest.raises(UnknownContact):
                await self.in_a_thread(client, lambda ctx: ctx.send_text("unknown", "?"))

    async def test_the_fields_of_the_event_are_the_same(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            values = await self.in_a_thread(
                client,
                lambda ctx: (
                    ctx.attempt,
                    ctx.is_last_attempt,
                    ctx.redelivered,
                    ctx.chat,
                    ctx.match,
                    ctx.key,
                    repr(ctx),
                ),
            )
            chat = client.contacts.find(nickname="阿华").id
            assert (2, False, False, chat, None, "bot/7", "SyncContext(TextMessage 7, attempt 2)") == values

    async def test_context_downloads_media_of_a_message(
        self, open_client: OpenClient, world: World, tmp_path: Path
    ) -> None:
        async with open_client() as client:
            world.picture("ahua", "me", PNG)
            async with client.events("pictures", include_all=False) as events:
                picture = await anext(each async for each in events if isinstance(each, ImageMessage))
            ctx = SyncContext(context(client, picture), asyncio.get_running_loop())
            assert await asyncio.to_thread(ctx.download, picture) == PNG
            path = await asyncio.to_thread(ctx.download_to, picture, tmp_path)
            assert path.read_bytes() == PNG
