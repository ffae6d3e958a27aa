"""A client and a sandbox world in one process: the behaviour of each method for a script."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.carriers import Counted
from tests.client.conftest import JPEG, PNG, last_file, take
from tests.digests import md5

from webwx.errors import (
    MediaUnavailable,
    NotOnThisHost,
)
from webwx.model.messages import (
    ImageMessage,
    MessageRecalled,
    TextMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import LogIn

    from webwx.model.login import QrCode
    from webwx.sandbox.world import World

    Phone = Callable[[str], Callable[[QrCode], object]]


async def test_the_main_job(world: World, log_in: LogIn) -> None:
    me, friend = await log_in("me"), await log_in("ahua")

    receipt = await me.send_text("阿华", "你好😀 <br/> & co\n第二行")
    [text] = await take(friend, 1)
    assert isinstance(text, TextMessage)
    assert (text.message_id, text.text, text.is_self) == (receipt.message_id, "你好😀 <br/> & co\n第二行", False)

    for _ in range(3):
        world.say("ahua", "me", "在吗")  # Their own client receives it as well.
    assert world.inbox("me")["ahua"].unread == 3
    await me.mark_read("阿华")
    assert world.inbox("me")["ahua"].unread == 0

    await me.recall(receipt)
    *_, notice = await take(friend, 4)
    assert isinstance(notice, MessageRecalled)
    assert (notice.message_id, notice.original, notice.is_self) == (receipt.message_id, text, False)

    sent = await friend.send_image("小明", JPEG)
    await friend.recall(sent)
    *_, image, gone = await take(me, 6)
    assert isinstance(image, ImageMessage)
    assert isinstance(gone, MessageRecalled)
    assert gone.original == image
    with pytest.raises(MediaUnavailable):
        await me.download(image)

    forwarded = await me.forward(gone, "filehelper")
    assert md5(JPEG) == md5(await me.download(forwarded))
    assert last_file(world, "me", "filehelper").md5 == md5(JPEG)


class TestFileTransferHelper:
    async def test_has_one_chat_and_every_method_for_it(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in(host="filehelper")
        assert client.account.host == "filehelper"
        receipt = await client.send_text("filehelper", "hi")
        await client.mark_read("filehelper")
        await client.recall(receipt)
        picture = await client.send_image("filehelper", PNG)

        assert counted.calls == [
            "webwxsendmsg", "webwxstatusnotify", "webwxrevokemsg", "webwxuploadmedia", "webwxsendmsgimg",
        ]  # fmt: skip
        assert await client.download(picture) == PNG

    async def test_refuses_contacts_before_any_request(self, log_in: LogIn, counted: Counted) -> None:
        client = await log_in(host="filehelper")

        with pytest.raises(NotOnThisHost, match="host 'web'"):
            await client.list_contacts()
        assert counted.calls == []


def test_a_client_with_a_login_of_its_own_does_not_import_what_one_of_a_gateway_needs() -> None:
    unneeded = ("webwx.client.remote.", "webwx.client.remote_components", "webwx.representations", "importlib.metadata")
    program = "import sys; from webwx import AsyncClient; AsyncClient(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [name for name in done.stdout.split() if name.startswith(unneeded)] == []
