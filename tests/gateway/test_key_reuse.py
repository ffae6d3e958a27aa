"""
An idempotency key belongs to one send, wherever a repeated request arrives.

The table runs against a client, the owner of an account, the HTTP API, and a node that does not run the account.
`tests/cli/messages/test_outbox.py` runs the command.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import GIF, JPEG, PNG
from tests.gateway.cluster_nodes import node
from tests.key_cases import CASES, Case
from tests.postgres import new_schema

from webwx.client.sending.sender import StepKey
from webwx.errors import KeyReused
from webwx.gateway.accounts.account_sends import MediaContent, TextContent
from webwx.gateway.problems import GatewayProblem
from webwx.representations.problems import error_of_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import Running

    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.local_account import LocalAccount
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World

Send = Callable[[Case], Awaitable[str]]
"""Sends the text or the file of a case under one key, and returns the id of the send."""

FIRST = CASES["the same request"]

MESSAGES = "/api/v1/accounts/1/messages"


async def delete_boss(world: World, client: AsyncClient) -> None:
    world.unfriend("me", "lilei")
    async with asyncio.timeout(20):
        while client.contacts.called("Boss"):  # noqa: ASYNC110 - the client has no event for it
            await asyncio.sleep(0.001)


async def check(case: Case, send: Send, between: Callable[[], Awaitable[object]]) -> None:
    """Make both requests of a case."""
    first = await send(FIRST)
    await between()
    if case.is_same:
        assert await send(case) == first
    else:
        with pytest.raises(KeyReused):
            await send(case)


def content_of(case: Case, folder: Path) -> TextContent | MediaContent:
    if case.kind == "text":
        return TextContent(text=case.text)
    path = folder / "a file"
    path.write_text(case.text)
    return MediaContent(kind="file", path=path, name=case.text)


def by_client(running: Running) -> contextlib.AbstractAsyncContextManager[Send]:
    async def send(case: Case) -> str:
        client = running.port.account(1).client
        if case.kind == "file":
            return (await client.send_file(case.to, case.text.encode(), name=case.text, key="k")).client_id
        return (await client.send_text(case.to, case.text, key="k")).client_id

    return contextlib.nullcontext(send)


def by_owner(running: Running) -> contextlib.AbstractAsyncContextManager[Send]:
    async def send(case: Case) -> str:
        content = content_of(case, running.folder)
        return (await running.port.account(1).sends.send(case.to, content, key="k")).client_id

    return contextlib.nullcontext(send)


def by_owner_later(running: Running) -> contextlib.AbstractAsyncContextManager[Send]:
    async def send(case: Case) -> str:
        sends, content = running.port.account(1).sends, content_of(case, running.folder)
        if isinstance(content, TextContent):
            sent = await sends.enqueue(case.to, content.text, key="k")
        else:
            sent = await sends.enqueue_file(case.to, content, key="k")
        async with asyncio.timeout(20):
            while (await running.port.account(1).status()).queued:  # noqa: ASYNC110 - no event marks its end
                await asyncio.sleep(0)
        return sent.client_id

    return contextlib.nullcontext(send)


@contextlib.asynccontextmanager
async def by_http(running: Running) -> AsyncIterator[Send]:
    async with running.client("send") as client:

        async def send(case: Case) -> str:
            body: dict[str, object] = {"to": case.to, "text": case.text}
            if case.kind == "file":
                content = base64.b64encode(case.text.encode()).decode()
                body = {"to": case.to, "file": {"data": content, "name": case.text}}
            answer = await client.post(MESSAGES, json=body, headers={"Idempotency-Key": "k"})
            if answer.status_code != 201:
                assert answer.status_code == 422
                raise error_of_answer(answer.status_code, answer.content)
            return str(answer.json()["id"])

        yield send


DOORS = {"client": by_client, "owner": by_owner, "owner, in the background": by_owner_later, "HTTP": by_http}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
async def test_a_key_belongs_to_one_send(
    online: Running, door: Callable[[Running], contextlib.AbstractAsyncContextManager[Send]], case: Case
) -> None:
    async def between() -> None:
        match case.event:
            case "deleted":
                await delete_boss(online.world, online.port.account(1).client)
            case "login":
                online.world.log_out("me")
                await online.port.account(1).check()
                await online.log_in()

    async with door(online) as send:
        await check(case, send, between)
    assert [each.text for each in online.world.inbox("lilei")["xiaoming"].messages][-1:] == ["hello"]


@pytest.mark.verify
@pytest.mark.parametrize("case", [case for case in CASES.values() if case.event != "login"])
async def test_a_key_belongs_to_one_send_at_a_node_without_the_account(
    sandbox: SandboxCore, tmp_path: Path, case: Case
) -> None:
    schema = new_schema()
    async with (
        node(schema, sandbox, tmp_path / "worker") as worker,
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
    ):
        number = await worker.log_in()
        owner = await worker.until_owned(number)
        await front.until_state(number, "online")

        async def send(case: Case) -> str:
            content = content_of(case, tmp_path)
            return (await front.port.account(number).sends.send(case.to, content, key="k")).client_id

        async def between() -> None:
            if case.event:
                await delete_boss(sandbox.world, owner.client)

        if case.kind == "file":  # the owner has the file, so nothing is compared
            with pytest.raises(GatewayProblem, match="No worker runs"):
                await send(case)
        else:
            await check(case, send, between)


@pytest.mark.parametrize("wait", [True, False], ids=["waits", "in the background"])
async def test_a_key_of_a_file_belongs_to_its_content(online: Running, tmp_path: Path, wait: bool) -> None:
    account = online.port.account(1)

    async def send(kind: str, content: bytes) -> str:
        path = tmp_path / "upload"
        path.write_bytes(content)
        path.chmod(0o600)
        media = MediaContent(kind=kind, path=path, name="cat.png")  # type: ignore[arg-type]  # as in the parameters
        if wait:
            return (await account.sends.send("filehelper", media, key="k")).client_id
        return (await account.sends.enqueue_file("filehelper", media, key="k")).client_id

    first = await send("image", PNG)
    assert await send("image", PNG) == first
    for kind, content in (("image", JPEG), ("file", PNG), ("sticker", GIF)):
        with pytest.raises(KeyReused):
            await send(kind, content)
    with pytest.raises(KeyReused):
        await account.sends.send("filehelper", TextContent(text="cat.png"), key="k")


async def test_a_key_of_a_forward_belongs_to_its_message(online: Running) -> None:
    account, world = online.port.account(1), online.world
    numbers: list[int] = []
    for content in (PNG, JPEG):
        world.picture("ahua", "me", content)
    for text in ("one", "two"):
        world.say("ahua", "me", text)
        numbers.append((await online.until_text(text)).event.number)
    pictures = [
        number for number in range(1, numbers[0]) if "Image" in type(await account.client.find_message(number)).__name__
    ]
    for first, other in (numbers, pictures):
        sent = await account.sends.forward(first, "filehelper", key=f"k{first}")
        assert (await account.sends.forward(first, "filehelper", key=f"k{first}")).client_id == sent.client_id
        with pytest.raises(KeyReused):
            await account.sends.forward(other, "filehelper", key=f"k{first}")
        with pytest.raises(KeyReused):
            await account.sends.forward(first, "Boss", key=f"k{first}")


async def test_texts_are_compared_as_they_are_stored(online: Running) -> None:
    client = online.port.account(1).client
    first = await client.send_text("Boss", "half a character: \ud83d", key="k")
    assert await client.send_text("Boss", "half a character: \ud83d", key="k") == first


async def test_a_step_of_a_bot_is_made_once_whatever_it_says_when_it_is_repeated(online: Running) -> None:
    account: LocalAccount = online.port.account(1)
    first = await account.client.send_text("Boss", "it is 12:00", key=StepKey("bot/1/1"))
    assert await account.client.send_text("Boss", "it is 12:01", key=StepKey("bot/1/1")) == first
    assert await account.client.send_text("Boss", "", key=StepKey("bot/1/1")) == first
    assert await account.client.send_image("filehelper", PNG, key=StepKey("bot/1/1")) == first
