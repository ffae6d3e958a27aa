"""Every kind of message that can be forwarded, by its content or by download and upload; and those that cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from tests.carriers import Counted
from tests.client.conftest import GIF, JPEG, MP3, MP4, PNG, last, last_file, md5_of, take
from tests.digests import md5

from webwx.errors import ApiError, NotForwardable, RateLimited
from webwx.model.messages import (
    MessageRecalled,
)
from webwx.sandbox import contents
from webwx.sandbox.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import LogIn

    from webwx.sandbox.people import MessageContent, WorldMessage
    from webwx.sandbox.world import World


class TestForward:
    async def test_a_recalled_picture_is_forwarded_although_its_bytes_are_gone(
        self, log_in: LogIn, world: World
    ) -> None:
        client = await log_in()
        world.picture("ahua", "周末爬山", PNG)
        world.recall("ahua", "周末爬山")
        image, _ = await take(client, 2)
        await client.forward(image, "Boss")

        assert last_file(world, "lilei", "xiaoming").md5 == md5(PNG)

    async def test_an_own_recalled_picture_is_forwarded(self, log_in: LogIn, world: World) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        receipt = await client.send_image("阿华", JPEG)
        await client.recall(receipt)
        image, notice = await take(client, 2)
        assert isinstance(notice, MessageRecalled)
        assert (notice.is_self, notice.original) == (True, image)
        await client.forward(notice, "filehelper")

        assert last_file(world, "me", "filehelper").md5 == md5(JPEG)

    async def test_uploads_nothing(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in()
        world.picture("ahua", "me", PNG)
        [image] = await take(client, 1)
        counted.calls.clear()
        await client.forward(image, "filehelper")

        assert counted.calls == ["webwxsendmsgimg"]

    async def test_a_text_is_forwarded_unchanged(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "<br/> & 你好\n😀")
        [text] = await take(client, 1)
        await client.forward(text, "filehelper")

        assert last(world, "me", "filehelper").text == "<br/> & 你好\n😀"

    async def test_a_text_is_forwarded_with_the_text_that_it_quotes(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.quote("ahua", "me", world.say("ahua", "me", "原文").id, "回复")
        quote = (await take(client, 2))[1]
        await client.forward(quote, "filehelper")

        assert last(world, "me", "filehelper").text == "「阿华：原文」\n- - - - - - - - - - - - - - -\n回复"

    async def test_a_location_is_forwarded_with_its_place_and_name(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.send("ahua", "me", contents.location(22.5, 113.25, "深圳市示例路", "[某店]"))
        [place] = await take(client, 1)
        receipt = await client.forward(place, "Boss")
        sent = last(world, "lilei", "xiaoming").content

        assert receipt.way == "by_content"
        assert (sent.kind, sent.text) == ("location", "深圳市示例路")
        assert 'x="22.500000" y="113.250000"' in sent.wire.ori_content
        assert 'poiname="[某店]"' in sent.wire.ori_content

    @pytest.mark.parametrize(
        ("send", "call"),
        [
            (lambda world: world.picture("ahua", "me", PNG), "webwxsendmsgimg"),
            (lambda world: world.video("ahua", "me", MP4, seconds=12), "webwxsendvideomsg"),
            (lambda world: world.sticker("ahua", "me", GIF), "webwxsendemoticon"),
            (lambda world: world.file("ahua", "me", MP3, "a&b <1>.txt"), "webwxsendappmsg"),
        ],
        ids=["picture", "video", "sticker", "file"],
    )
    async def test_media_are_forwarded_by_their_content_in_one_call(
        self, log_in: LogIn, world: World, counted: Counted, send: Callable[[World], WorldMessage], call: str
    ) -> None:
        client = await log_in()
        sent = send(world)
        [message] = await take(client, 1)
        counted.calls.clear()
        receipt = await client.forward(message, "Boss")
        arrived = last(world, "lilei", "xiaoming")

        assert counted.calls == [call]
        assert receipt.way == "by_content"
        assert (sent.kind, md5_of(sent), sent.text) == (arrived.kind, md5_of(arrived), arrived.text)

    @pytest.mark.parametrize(
        ("send", "call"),
        [
            (lambda world: world.picture("ahua", "me", PNG), "webwxsendmsgimg"),
            (lambda world: world.picture("ahua", "me", GIF), "webwxsendmsgimg"),
            (lambda world: world.video("ahua", "me", MP4), "webwxsendvideomsg"),
            (lambda world: world.sticker("ahua", "me", GIF), "webwxsendemoticon"),
            (lambda world: world.file("ahua", "me", MP3, "汉 a&b.txt"), "webwxsendappmsg"),
        ],
        ids=["picture", "moving picture", "video", "sticker", "file"],
    )
    async def test_media_with_expired_keys_are_forwarded_by_download_and_upload(
        self, log_in: LogIn, world: World, send: Callable[[World], WorldMessage], call: str
    ) -> None:
        client = await log_in()
        sent = send(world)
        [message] = await take(client, 1)
        world.refuse_next(call, -1)
        receipt = await client.forward(message, "Boss")
        arrived = last(world, "lilei", "xiaoming")

        assert receipt.way == "by_upload"
        assert (md5_of(sent), sent.text) == (md5_of(arrived), arrived.text)

    @pytest.mark.parametrize("form", ["hash", "keyless"])
    async def test_a_picture_without_keys_is_forwarded_by_download_and_upload(
        self, log_in: LogIn, world: World, form: Literal["hash", "keyless"]
    ) -> None:
        world.options = Options(picture_content=form)
        client = await log_in()
        world.picture("ahua", "me", PNG)
        [image] = await take(client, 1)
        receipt = await client.forward(image, "filehelper")

        assert receipt.way == "by_upload"
        assert last_file(world, "me", "filehelper").md5 == md5(PNG)

    async def test_a_recalled_picture_without_keys_cannot_be_forwarded(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        world.options = Options(picture_content="hash")
        client = await log_in()
        world.picture("ahua", "me", PNG)
        world.recall("ahua", "me")
        image, _ = await take(client, 2)
        counted.calls.clear()

        with pytest.raises(NotForwardable, match="its media are not archived"):
            await client.forward(image, "filehelper")
        assert set(counted.calls) == {"webwxgetmsgimg"}

    async def test_another_refusal_is_raised_and_nothing_is_downloaded(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        world.picture("ahua", "me", PNG)
        [image] = await take(client, 1)
        counted.calls.clear()
        world.refuse_next("webwxsendmsgimg", 1205)

        with pytest.raises(RateLimited):
            await client.forward(image, "filehelper")
        assert counted.calls == ["webwxsendmsgimg"]

    async def test_a_refused_text_is_not_downloaded(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "hi")
        [text] = await take(client, 1)
        world.refuse_next("webwxsendmsg", -1)

        with pytest.raises(ApiError):
            await client.forward(text, "filehelper")

    @pytest.mark.parametrize(
        "content",
        [
            contents.store_sticker(),
            contents.call(),
            contents.system("hi"),
            contents.raw(49, 2000, "<msg><appmsg><title>money</title><type>2000</type></appmsg></msg>"),
        ],
        ids=lambda content: content.kind,
    )
    async def test_a_kind_that_cannot_be_forwarded_is_refused_before_any_request(
        self, log_in: LogIn, world: World, counted: Counted, content: MessageContent
    ) -> None:
        client = await log_in()
        world.send("ahua", "me", content)
        [message] = await take(client, 1)
        counted.calls.clear()

        with pytest.raises(NotForwardable, match=f"This {type(message).__name__} cannot be forwarded"):
            await client.forward(message, "filehelper")
        assert counted.calls == []
