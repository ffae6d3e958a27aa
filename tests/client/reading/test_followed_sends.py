"""A client follows the sends of its account, also those of other processes with the same journal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import SERVER
from tests.storage_contract.engines import ENGINES, make

from webwx.client.client import AsyncClient
from webwx.client.reading import followed_sends
from webwx.errors import NoJournal, NotLoggedIn, RecipientRejected
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from tests.carriers import Counted

    from webwx.model.login import QrCode
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.tables.outbox import Outgoing


async def until_state(sends: AsyncGenerator[Outgoing, None], state: str) -> list[tuple[str, str]]:
    """Return the texts and states of the changes up to a state."""
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(60):
        while not found or found[-1][1] != state:
            send = await anext(sends)
            found.append((send.text, send.state))
    return found


def client_of(world: World, counted: Counted, journal: Journal | None) -> AsyncClient:
    return AsyncClient(
        server=SERVER, transport=counted, clock=world.clock.now, timeouts=Timeouts(retry=0), journal=journal
    )


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
async def test_the_changes_of_own_sends_are_followed_from_now_on(
    world: World, counted: Counted, phone_of: Callable[[str], Callable[[QrCode], object]], tmp_path: Path, engine: str
) -> None:
    journal = make(engine, tmp_path).open()
    client = client_of(world, counted, journal)
    await client.login(show_qr=phone_of("me"))
    await client.send_text("filehelper", "before")
    mine, others = client.follow_sends(), client.follow_sends()
    receipt = await client.send_text("filehelper", "hello", key="k")
    for sends in (mine, others):
        assert (await until_state(sends, "sent"))[-1] == ("hello", "sent")
    await client.send_text("filehelper", "hello", key="k")
    await client.recall(receipt)
    assert await until_state(mine, "recalled") == [("hello", "recalled")]
    world.refuse_next("webwxsendmsg", 1201)
    with pytest.raises(RecipientRejected):
        await client.send_text("filehelper", "refused")
    assert (await until_state(mine, "failed"))[-1] == ("refused", "failed")
    await journal.close()


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_send_of_another_process_is_followed(
    world: World, counted: Counted, phone_of: Callable[[str], Callable[[QrCode], object]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, kind: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(followed_sends, "LOOK_EVERY", 0.01)
    engine = make(kind, tmp_path)
    async with engine.open() as journal, engine.open() as of_other:
        client, other = client_of(world, counted, journal), client_of(world, counted, of_other)
        await client.login(show_qr=phone_of("me"))
        await other.login(show_qr=phone_of("me"))
        await other.send_text("filehelper", "before")
        sends = client.follow_sends()
        world.wind(2)
        queued = await other.queue_text("filehelper", "from a command")
        assert await until_state(sends, "queued") == [("from a command", "queued")]
        receipt = await other.retry_send(queued.number)
        assert (await until_state(sends, "sent"))[-1] == ("from a command", "sent")
        await other.recall(receipt)
        assert await until_state(sends, "recalled") == [("from a command", "recalled")]


async def test_following_needs_a_login_and_a_journal(
    world: World, counted: Counted, phone_of: Callable[[str], Callable[[QrCode], object]], tmp_path: Path
) -> None:
    client = client_of(world, counted, make("memory", tmp_path).open())
    with pytest.raises(NotLoggedIn):
        client.follow_sends()
    client = client_of(world, counted, None)
    await client.login(show_qr=phone_of("me"))
    with pytest.raises(NoJournal):
        client.follow_sends()
