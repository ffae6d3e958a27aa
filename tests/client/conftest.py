"""Clients of a sandbox in process: every request is counted, and clients use the world's clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest
from tests.carriers import Counted

from webwx.client.blocking import Client
from webwx.client.client import AsyncClient
from webwx.client.state import LoginState
from webwx.model.messages import Message, TextMessage
from webwx.protocol.sync import KeyValue, SyncKey
from webwx.storage.open import is_any_at_work
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.transport.loopback import Loopback
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
    from pathlib import Path

    from webwx.client.reading.delivered import Delivered
    from webwx.client.reading.subscription import Subscription
    from webwx.model.login import QrCode
    from webwx.model.messages import Event
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.media import MediaFile
    from webwx.sandbox.people import WorldMessage
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.saved_login import LoginStore, SavedLogin
    from webwx.transport.runner import Transport

SERVER = "http://sandbox.test"

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (320).to_bytes(4) + (240).to_bytes(4) + bytes(range(256)) * 800
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(255, -1, -1)) * 800
GIF = b"GIF89a" + bytes(range(256)) * 3
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 5
MP3 = b"ID3\x04" + bytes(range(256)) * 2


class NewClient(Protocol):
    def __call__(
        self,
        *,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        host: str | None = None,
        journal: Journal | None = None,
        dedupe_by_client_id: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> AsyncClient: ...


class LogIn(Protocol):
    def __call__(
        self,
        who: str = "me",
        *,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        host: str | None = None,
        journal: Journal | None = None,
        dedupe_by_client_id: bool = False,
    ) -> Coroutine[Any, Any, AsyncClient]: ...


@pytest.fixture
def counted(sandbox: SandboxCore) -> Counted:
    """The transport of every client of a test that has no transport of its own; it counts requests."""
    return Counted(Loopback(sandbox, is_any_at_work))


@pytest.fixture
def usual_journal() -> Journal | None:
    """The journal of a client that has none of its own; a test file may replace it."""
    return None


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """A journal in a file, which all clients of a test can use."""
    journal = SqliteJournal(tmp_path / "kept.journal")
    yield journal
    asyncio.run(journal.close())


@pytest.fixture
def new_client(world: World, counted: Counted, usual_journal: Journal | None) -> NewClient:
    def make(
        *,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        host: str | None = None,
        journal: Journal | None = usual_journal,
        dedupe_by_client_id: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> AsyncClient:
        return AsyncClient(
            host=host, server=SERVER, store=store, transport=transport or counted, clock=clock or world.clock.now,
            timeouts=Timeouts(retry=0), journal=journal, dedupe_by_client_id=dedupe_by_client_id,
        )  # fmt: skip

    return make


@pytest.fixture
def phone_of(world: World) -> Callable[[str], Callable[[QrCode], object]]:
    """Return a function that scans and confirms the newest code by the phone of an account."""

    def phone(who: str) -> Callable[[QrCode], object]:
        def show(code: QrCode) -> None:
            world.scan(who)
            world.confirm()

        return show

    return phone


@pytest.fixture
def log_in(
    new_client: NewClient,
    counted: Counted,
    phone_of: Callable[[str], Callable[[QrCode], object]],
    usual_journal: Journal | None,
) -> LogIn:
    """Log an account in, and reset the counters."""

    async def log_in(
        who: str = "me",
        *,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        host: str | None = None,
        journal: Journal | None = usual_journal,
        dedupe_by_client_id: bool = False,
    ) -> AsyncClient:
        client = new_client(
            store=store, transport=transport, host=host, journal=journal, dedupe_by_client_id=dedupe_by_client_id
        )
        await client.login(show_qr=phone_of(who))
        counted.calls.clear()
        return client

    return log_in


async def take(client: AsyncClient, count: int, *, include_all: bool = False, consumer: str = "events") -> list[Event]:
    """Read this many events, acknowledge them, and stop normally."""
    async with asyncio.timeout(600), client.events(consumer, include_all=include_all) as events:
        taken = [await anext(events) for _ in range(count)]
        await events.ack()
    return taken


async def take_messages(client: AsyncClient, count: int) -> list[Message]:
    """Read this many events, which have to be messages."""
    messages = [event for event in await take(client, count) if isinstance(event, Message)]
    assert len(messages) == count
    return messages


def last(world: World, who: str, chat: str) -> WorldMessage:
    """Return the newest message of a chat on a phone."""
    return world.inbox(who)[chat].messages[-1]


def last_file(world: World, who: str, chat: str) -> MediaFile:
    """Return the file of the newest message of a chat on a phone."""
    media_file = last(world, who, chat).media_file
    assert media_file is not None
    return media_file


def md5_of(message: WorldMessage) -> str:
    """Return the MD5 of a message's file."""
    assert message.media_file is not None
    return message.media_file.md5


def is_online(client: AsyncClient) -> bool:
    return client.state is LoginState.ONLINE


async def saved_in(store: LoginStore) -> SavedLogin:
    """Return the login that a store has."""
    saved = await store.load()
    assert saved is not None
    return saved


def refuse_code(code: QrCode) -> NoReturn:
    """Fail, because a login should need no code."""
    pytest.fail("A code was shown.")


def later(world: World, *plan: tuple[float, Callable[[], object]]) -> None:
    """Schedule actions at a time that the client's polls reach."""
    begun, waiting = world.now, list(plan)

    def look(_: str) -> None:
        if waiting and world.now - begun >= waiting[0][0]:
            waiting.pop(0)[1]()

    world.subscribe(look)


def texts(events: Iterable[object]) -> list[str]:
    """Return the texts among events."""
    return [event.text for event in events if isinstance(event, TextMessage)]


async def take_texts(subscription: Subscription, count: int) -> list[Delivered]:
    """Take entries until there are enough texts, and acknowledge all of them."""
    got: list[Delivered] = []
    async with asyncio.timeout(20):
        while len(got) < count:
            for given in await subscription.take():
                subscription.ack(given.entry.number)
                if isinstance(given.event, TextMessage):
                    got.append(given)
    await subscription.flush()
    return got


@pytest.fixture
def client(
    world: World, sandbox: SandboxCore, journal: SqliteJournal, phone_of: Callable[[str], Callable[[QrCode], object]]
) -> Iterator[Client]:
    """A blocking client that is logged in."""
    with Client(server=SERVER, transport=Loopback(sandbox), clock=world.clock.now, journal=journal) as client:
        client.login(show_qr=phone_of("me"))
        yield client


def position(number: int) -> SyncKey:
    """Return a position of the sync loop."""
    return SyncKey(count=1, list=(KeyValue(key=2, val=number),))


def said(messages: Sequence[object]) -> list[str]:
    """Return the text of each message, or the name of its class."""
    return [getattr(each, "text", type(each).__name__) for each in messages]
