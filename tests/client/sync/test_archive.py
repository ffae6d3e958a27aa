"""Media that are archived as they arrive, and are available after a recall."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import stat
from typing import TYPE_CHECKING, Protocol

import pytest
from tests.carriers import Counted
from tests.client.conftest import (
    GIF,
    JPEG,
    MP3,
    MP4,
    PNG,
    SERVER,
    last,
    last_file,
    md5_of,
    take,
    texts,
)
from tests.client.virtual_loop import until
from tests.digests import md5
from tests.storage.arrivals import arrival, message

from webwx.bot.delivery import deliver
from webwx.client.client import AsyncClient
from webwx.client.state import LoginState
from webwx.client.sync.archive import TRIES
from webwx.errors import ConnectFailed, LoggedOut, MediaUnavailable, NoJournal, NotForwardable, Timeout
from webwx.model.archive import MEDIA_KINDS, Keep
from webwx.model.messages import FileMessage, ImageMessage, MessageRecalled
from webwx.protocol.codes import CHUNK_SIZE
from webwx.protocol.http import Response
from webwx.sandbox.options import Options
from webwx.storage.entries import EntryQuery
from webwx.storage.login import LoginMemory
from webwx.storage.lookup import find_message
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.tables.media import ARCHIVE_CONSUMER
from webwx.transport.loopback import Loopback
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from webwx.bot.context import Context
    from webwx.model.archive import MediaKind
    from webwx.model.login import QrCode
    from webwx.model.messages import Event
    from webwx.protocol.http import Request
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.people import WorldMessage
    from webwx.sandbox.world import World
    from webwx.storage.base import AccountJournal
    from webwx.storage.entries import Entry
    from webwx.storage.saved_login import LoginStore
    from webwx.storage.tables.media import StoredMedium
    from webwx.transport.runner import Transport

SENT_BY = {
    "image": "webwxsendmsgimg", "video": "webwxsendvideomsg", "file": "webwxsendappmsg", "sticker": "webwxsendemoticon",
}  # fmt: skip
"""The call that forwards each kind."""

PICTURES_ONLY = Keep()

KEYLESS = Options(picture_content="hash")
"""Options by which pictures have no keys."""

PICTURES = {"webwxgetmsgimg"}


class Keeping(Protocol):
    async def __call__(
        self, keep: Keep | None = PICTURES_ONLY, *, who: str = "me", store: LoginStore | None = None,
        transport: Transport | None = None,
    ) -> AsyncClient: ...  # fmt: skip


@pytest.fixture
def keeping(
    world: World, counted: Counted, journal: SqliteJournal, phone_of: Callable[[str], Callable[[QrCode], object]]
) -> Keeping:
    """Log an account in with a client that archives media."""

    async def log_in(
        keep: Keep | None = PICTURES_ONLY, *, who: str = "me", store: LoginStore | None = None,
        transport: Transport | None = None,
    ) -> AsyncClient:  # fmt: skip
        client = AsyncClient(
            server=SERVER, store=store, transport=transport or counted, clock=world.clock.now, journal=journal,
            timeouts=Timeouts(retry=0), keep=keep,
        )  # fmt: skip
        await client.login(show_qr=phone_of(who))
        counted.calls.clear()
        return client

    return log_in


async def drain(client: AsyncClient) -> None:
    """Read all waiting events, and wait until their media are archived."""
    async with asyncio.timeout(30):
        async for _ in client.events(follow=False):
            pass


async def kept(client: AsyncClient, journal: SqliteJournal, message_id: str) -> StoredMedium | None:
    return await journal.account(client.account.uin).media.find(message_id)


async def state(client: AsyncClient, journal: SqliteJournal, message: WorldMessage) -> str | None:
    found = await kept(client, journal, message.id)
    return None if found is None else found.state


def files(tmp_path: Path) -> list[bytes]:
    """Return the content of all archived media."""
    return sorted(path.read_bytes() for path in (tmp_path / "kept.journal.kept").glob("[!.]*"))


class Quiet(Counted):
    """Blocks polls after a fetch, because each would advance the time, unless they are allowed."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.go = asyncio.Event()
        self.go.set()

    async def send(self, request: Request) -> Response:
        if request.endpoint == "synccheck":
            await self.go.wait()
        elif request.endpoint == "webwxsync":
            self.go.clear()
        return await super().send(request)


# -- recalled pictures -----------------------------------------------------------------------------------------------


async def test_a_picture_that_was_recalled_after_200_ms_is_archived_and_can_be_forwarded(
    keeping: Keeping, world: World, sandbox: SandboxCore, tmp_path: Path
) -> None:
    world.options = KEYLESS
    quiet = Quiet(Loopback(sandbox))
    client = await keeping(transport=quiet)
    async with asyncio.timeout(20), client.events(include_all=False) as events:
        world.picture("ahua", "周末爬山", PNG)
        image = await anext(events)
        await until(lambda: bool(files(tmp_path)))
        world.clock.wind(0.2)
        world.recall("ahua", "周末爬山")
        quiet.go.set()
        notice = await anext(events)
    quiet.calls.clear()
    receipt = await client.forward(notice, "filehelper")

    assert isinstance(notice, MessageRecalled)
    assert notice.original == image
    assert receipt.way == "by_upload"
    assert last_file(world, "me", "filehelper").md5 == md5(PNG)
    assert PICTURES.isdisjoint(quiet.calls), "archived media cause no request"
    assert await client.download(image) == PNG
    path = await client.download_to(image, tmp_path)
    assert (path.name, path.read_bytes()) == (f"{image.message_id}.png", PNG)


async def test_a_recalled_picture_that_is_not_archived_is_an_error(keeping: Keeping, world: World) -> None:
    world.options = KEYLESS
    client = await keeping(None)
    world.picture("ahua", "me", PNG)
    world.recall("ahua", "me")
    image, notice = await take(client, 2)
    assert isinstance(image, ImageMessage)

    with pytest.raises(NotForwardable, match="keep="):
        await client.forward(notice, "filehelper")
    with pytest.raises(MediaUnavailable):
        await client.download(image)


async def test_a_picture_that_was_recalled_before_its_download_is_lost_and_events_continue(
    keeping: Keeping, world: World, journal: SqliteJournal
) -> None:
    world.options = KEYLESS
    client = await keeping()
    picture = world.picture("ahua", "me", PNG)
    world.recall("ahua", "me")
    world.say("ahua", "me", "still here")
    _, _, text = await take(client, 3)
    await drain(client)

    assert texts([text]) == ["still here"]
    assert await state(client, journal, picture) == "unavailable"
    [recalled] = await client.list_recalled()
    assert recalled.way == "none"
    with pytest.raises(NotForwardable):
        await client.forward(recalled.notice, "filehelper")


async def test_archived_media_survive_the_process_and_the_login(
    keeping: Keeping, world: World, tmp_path: Path, counted: Counted, phone_of: Callable[[str], Callable[..., object]]
) -> None:
    world.options, store = KEYLESS, LoginMemory()
    client = await keeping(store=store)
    world.picture("ahua", "周末爬山", PNG)
    await drain(client)
    await client.close()
    world.recall("ahua", "周末爬山")
    other = SqliteJournal(tmp_path / "kept.journal")
    try:
        after = AsyncClient(server=SERVER, transport=counted, clock=world.clock.now, journal=other, store=store)
        await after.resume()
        await drain(after)
        await after.logout()
        later = AsyncClient(server=SERVER, transport=counted, clock=world.clock.now, journal=other)
        await later.login(show_qr=phone_of("me"))
        [recalled] = await later.list_recalled()
        receipt = await later.forward(recalled.notice, "filehelper")

        assert (recalled.way, receipt.way) == ("by_upload", "by_upload")
        assert last_file(world, "me", "filehelper").md5 == md5(PNG)
    finally:
        await other.close()


# -- what is archived ------------------------------------------------------------------------------------------------


async def send_all(world: World) -> dict[str, WorldMessage]:
    return {
        "image": world.picture("ahua", "me", PNG),
        "video": world.video("ahua", "me", MP4),
        "voice": world.voice("ahua", "me", MP3),
        "file": world.file("ahua", "me", JPEG, "a.bin"),
        "sticker": world.sticker("ahua", "me", GIF),
    }


@pytest.mark.parametrize("kinds", [None, ("video", "voice", "file", "sticker"), ("voice",)])
async def test_pictures_are_archived_and_other_kinds_on_request(
    kinds: tuple[MediaKind, ...] | None, keeping: Keeping, world: World, journal: SqliteJournal
) -> None:
    client = await keeping(Keep() if kinds is None else Keep(kinds=kinds))
    sent = await send_all(world)
    world.say("ahua", "me", "a text shows nothing")
    await drain(client)

    states = {kind: await state(client, journal, message) for kind, message in sent.items()}
    assert states == {kind: "kept" if kind in (kinds or ("image",)) else None for kind in sent}


async def test_every_archived_kind_can_be_forwarded_after_its_recall(keeping: Keeping, world: World) -> None:
    client = await keeping(Keep(kinds=MEDIA_KINDS))
    sent = await send_all(world)
    messages = [event async for event in client.events(include_all=False, follow=False)]
    for kind, shown in zip(sent, messages, strict=True):
        world.recall("ahua", "me", sent[kind].id)
        if kind in SENT_BY:
            world.refuse_next(SENT_BY[kind], -1)  # Its keys are no longer valid.
        receipt = await client.forward(shown, "Boss")
        arrived = last(world, "lilei", "xiaoming")

        assert (kind, receipt.way) == (kind, "by_upload")
        assert md5_of(arrived) == md5_of(sent[kind])


async def test_nothing_is_archived_by_default(keeping: Keeping, world: World, counted: Counted, tmp_path: Path) -> None:
    client = await keeping(None)
    world.picture("ahua", "me", PNG)
    await drain(client)

    assert PICTURES.isdisjoint(counted.calls)
    assert files(tmp_path) == []


def test_the_archive_needs_a_journal() -> None:
    with pytest.raises(NoJournal):
        AsyncClient(server=SERVER, keep=Keep())


async def test_only_media_of_the_named_chats_are_archived(
    keeping: Keeping, world: World, journal: SqliteJournal
) -> None:
    client = await keeping(Keep(chats=("Boss", "周末爬山")))
    pictures = [
        world.picture("lilei", "me", PNG),
        world.picture("ahua", "周末爬山", PNG),
        world.picture("ahua", "me", PNG),
    ]
    await drain(client)

    assert [await state(client, journal, picture) for picture in pictures] == ["kept", "kept", None]


async def test_an_unknown_name_is_logged_once_and_without_the_name(
    keeping: Keeping, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = await keeping(Keep(chats="unlisted"))
    for _ in range(3):
        world.picture("ahua", "me", PNG)
    await drain(client)

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [("is unknown" in each, "unlisted" in each) for each in warnings] == [(True, False)]
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", ["image", "file"])
async def test_media_above_the_size_limit_are_not_archived(
    kind: MediaKind, keeping: Keeping, world: World, journal: SqliteJournal, counted: Counted, tmp_path: Path
) -> None:
    client = await keeping(Keep(kinds=(kind,), max_size=1_000))
    large = world.picture("ahua", "me", PNG) if kind == "image" else world.file("ahua", "me", PNG, "a.png")
    await drain(client)

    assert await state(client, journal, large) == "too_large"
    assert list((tmp_path / "kept.journal.kept").glob("*")) == []
    if kind == "file":  # The message has the size of its file.
        assert "webwxgetmedia" not in counted.calls


async def test_the_oldest_media_are_deleted_to_make_space(
    keeping: Keeping, world: World, journal: SqliteJournal, tmp_path: Path
) -> None:
    client = await keeping(Keep(max_total=2 * len(PNG)))
    pictures = []
    for turn in range(4):
        pictures.append(world.picture("ahua", "me", PNG[:-1] + bytes([turn])))
        await drain(client)

    assert [await state(client, journal, each) for each in pictures] == ["dropped", "dropped", "kept", "kept"]
    assert len(files(tmp_path)) == 2


async def test_media_are_deleted_after_the_days_of_the_setting(
    keeping: Keeping, world: World, journal: SqliteJournal, tmp_path: Path
) -> None:
    client = await keeping(Keep(days=0.1))
    old = world.picture("ahua", "me", PNG)
    await drain(client)
    world.clock.wind(0.07 * 86_400)
    new = world.picture("ahua", "me", JPEG)
    await drain(client)
    assert len(files(tmp_path)) == 2
    world.clock.wind(0.05 * 86_400)
    await drain(client)

    assert [await state(client, journal, each) for each in (old, new)] == ["dropped", "kept"]
    assert files(tmp_path) == [JPEG]
    assert await client.find_message(old.id) is not None


async def test_archived_files_are_private(keeping: Keeping, world: World, tmp_path: Path) -> None:
    client = await keeping()
    world.picture("ahua", "me", PNG)
    await drain(client)

    folder = tmp_path / "kept.journal.kept"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (folder, *folder.iterdir())] == [0o700, 0o600]


async def test_progress_of_an_archived_file_is_reported_on_the_loop(
    keeping: Keeping, world: World, counted: Counted
) -> None:
    client = await keeping(Keep(kinds=("file",)))
    content = bytes(CHUNK_SIZE + 1)
    world.file("ahua", "me", content, "a.bin")
    [file] = [event async for event in client.events(include_all=False, follow=False)]
    counted.calls.clear()
    progress: list[tuple[int, int]] = []

    def tell(done: int, size: int) -> None:
        asyncio.get_running_loop()  # Raises in another thread.
        progress.append((done, size))

    assert isinstance(file, FileMessage)
    assert await client.download(file, progress=tell) == content
    assert progress == [(CHUNK_SIZE, len(content)), (len(content), len(content))]
    assert counted.calls == []


async def test_purging_a_message_deletes_its_media(keeping: Keeping, world: World, tmp_path: Path) -> None:
    client = await keeping()
    world.picture("ahua", "me", PNG)
    world.picture("lilei", "me", JPEG)
    await drain(client)
    await client.purge_history("阿华")

    assert files(tmp_path) == [JPEG]


async def test_media_can_be_purged_without_their_messages(keeping: Keeping, world: World, tmp_path: Path) -> None:
    client = await keeping()
    message = world.picture("ahua", "me", PNG)
    await drain(client)

    assert await client.purge_kept(before=world.now - 60) == 0
    assert await client.purge_kept() == 1
    assert files(tmp_path) == []
    assert await client.find_message(message.id) is not None


async def test_a_message_whose_media_are_archived_is_not_read_again_by_the_next_process(
    keeping: Keeping, world: World, journal: SqliteJournal
) -> None:
    client = await keeping()
    world.picture("ahua", "me", PNG)
    await drain(client)
    part = journal.account(client.account.uin)
    await client.close()
    archive = await part.consumer(ARCHIVE_CONSUMER)
    waiting = await archive.take()
    await archive.close()
    assert waiting == []


async def test_damaged_media_are_not_returned(keeping: Keeping, world: World, tmp_path: Path, counted: Counted) -> None:
    client = await keeping()
    message = world.picture("ahua", "me", PNG)
    await drain(client)
    [path] = (tmp_path / "kept.journal.kept").iterdir()
    path.write_bytes(JPEG)
    counted.calls.clear()

    assert await client.download(message.id) == PNG
    assert counted.calls == ["webwxgetmsgimg"]


# -- downloads -------------------------------------------------------------------------------------------------------


class Held(Counted):
    """Holds all downloads until it is released."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.go = asyncio.Event()
        self.most = 0
        """Maximum number of downloads at a time."""
        self._now = 0

    async def send(self, request: Request) -> Response:
        if request.endpoint != "webwxgetmsgimg":
            return await super().send(request)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await self.go.wait()
            return await super().send(request)
        finally:
            self._now -= 1


async def test_events_are_delivered_while_two_downloads_hang(
    keeping: Keeping, world: World, sandbox: SandboxCore, tmp_path: Path
) -> None:
    held = Held(Loopback(sandbox))
    client = await keeping(transport=held)
    async with asyncio.timeout(20), client.events(include_all=False) as events:
        for turn in range(5):
            world.picture("ahua", "me", PNG + bytes([turn]))
        world.say("ahua", "me", "after them")
        given = [await anext(events) for _ in range(6)]
        await until(lambda: held.most == 2)
        assert texts(given[-1:]) == ["after them"]
        assert files(tmp_path) == []
        held.go.set()
        await until(lambda: len(files(tmp_path)) == 5)

    assert held.most == 2


async def test_an_interrupted_download_is_made_by_the_next_process(
    keeping: Keeping, world: World, sandbox: SandboxCore, tmp_path: Path
) -> None:
    held, store = Held(Loopback(sandbox)), LoginMemory()
    client = await keeping(transport=held, store=store)
    async with asyncio.timeout(20), client.events(include_all=False) as events:
        world.picture("ahua", "me", PNG)
        await anext(events)
        await until(lambda: held.most > 0)
    await client.close()
    assert files(tmp_path) == []

    await drain(await keeping(store=store))
    assert files(tmp_path) == [PNG]


async def keep_by_hand(part: AccountJournal, entry: Entry, now: float) -> None:
    """Archive the media of an entry without acknowledging it, as a process that is killed in between."""
    with part.media.begin() as (file, path):
        file.write(PNG)
        await part.media.add(entry, path, time=now, max_total=2**30)


async def test_media_archived_by_a_killed_process_are_not_downloaded_again(
    keeping: Keeping, world: World, journal: SqliteJournal, counted: Counted, tmp_path: Path
) -> None:
    world.options, store = KEYLESS, LoginMemory()
    client = await keeping(None, store=store)
    part = journal.account(client.account.uin)
    await (await part.consumer(ARCHIVE_CONSUMER, since="beginning")).close()
    image = world.picture("ahua", "me", PNG)
    await drain(client)
    entry = await find_message(part, image.id)
    assert entry is not None
    await keep_by_hand(part, entry, world.now)
    await client.close()
    world.recall("ahua", "me")
    counted.calls.clear()
    again = await keeping(store=store)
    await drain(again)

    assert PICTURES.isdisjoint(counted.calls)
    assert await state(again, journal, image) == "kept"
    assert files(tmp_path) == [PNG]


async def test_two_pictures_with_one_id_are_both_archived(
    keeping: Keeping, world: World, journal: SqliteJournal, tmp_path: Path
) -> None:
    store = LoginMemory()
    client = await keeping(None, store=store)
    part = journal.account(client.account.uin)
    await (await part.consumer(ARCHIVE_CONSUMER, since="beginning")).close()
    image = world.picture("ahua", "me", PNG)
    await drain(client)
    first = await find_message(part, image.id)
    assert first is not None
    position = await part.position(client.account.id)
    assert position is not None
    await part.ingest(arrival(bytes(first.item.raw).replace(b"cdnthumblength", b"cdnThumbLength"), position=position))
    await keep_by_hand(part, first, world.now)
    await client.close()
    await drain(await keeping(store=store))

    numbers = {entry.number for entry in await part.find(EntryQuery(limit=10)) if entry.message_id == image.id}
    assert len(numbers) == 2
    with contextlib.closing(sqlite3.connect(tmp_path / "kept.journal")) as file:
        kept_of = {number for (number,) in file.execute("SELECT number FROM media WHERE state = 'kept'")}
    assert kept_of == numbers


class FailingDownloads(Counted):
    """Fails this many downloads."""

    def __init__(self, inner: Transport, failure: Exception | None, times: int) -> None:
        super().__init__(inner)
        self._failure = failure
        self._times = times

    async def send(self, request: Request) -> Response:
        if request.endpoint == "webwxgetmsgimg" and self._times:
            self._times -= 1
            self.calls.append("failed")
            if self._failure is not None:
                raise self._failure
            return Response()
        return await super().send(request)


@pytest.mark.parametrize(
    ("failure", "times", "becomes"),
    [
        (None, TRIES - 1, "kept"),
        (None, TRIES, "unavailable"),
        (ConnectFailed("No server."), 3 * TRIES, "kept"),
        (Timeout("No answer in time."), TRIES, "unavailable"),
    ],
    ids=["not there yet", "never there", "no network", "never in time"],
)
async def test_a_failed_download_is_tried_again_and_without_a_network_unlimited(
    failure: Exception | None, times: int, becomes: str, keeping: Keeping, world: World, sandbox: SandboxCore,
    journal: SqliteJournal
) -> None:  # fmt: skip
    unwell = FailingDownloads(Loopback(sandbox), failure, times)
    client = await keeping(transport=unwell)
    async with client.events(include_all=False) as events:
        picture = world.picture("ahua", "me", PNG)
        await anext(events)
        while (became := await state(client, journal, picture)) is None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)

    assert became == becomes
    assert unwell.calls.count("failed") == times


async def test_an_outage_does_not_count_as_attempts(
    keeping: Keeping, world: World, sandbox: SandboxCore, journal: SqliteJournal
) -> None:
    not_there_yet = FailingDownloads(Loopback(sandbox), None, TRIES - 1)
    client = await keeping(transport=FailingDownloads(not_there_yet, ConnectFailed("No server."), 2 * TRIES))
    async with client.events(include_all=False) as events:
        picture = world.picture("ahua", "me", PNG)
        await anext(events)
        while (became := await state(client, journal, picture)) is None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)

    assert became == "kept"


async def test_an_unexpected_exception_is_logged_by_its_class(
    keeping: Keeping, world: World, sandbox: SandboxCore, caplog: pytest.LogCaptureFixture
) -> None:
    client = await keeping(transport=FailingDownloads(Loopback(sandbox), ZeroDivisionError("a secret"), 1))
    world.picture("ahua", "me", PNG)
    await drain(client)
    await client.wait_for_kept()

    assert "The media archive has stopped: ZeroDivisionError." in [record.getMessage() for record in caplog.records]


async def test_a_program_that_reads_one_event_can_wait_for_its_media(
    keeping: Keeping, world: World, tmp_path: Path
) -> None:
    client = await keeping()
    await client.wait_for_kept()  # Nothing was read yet, so there is nothing to wait for.
    async with asyncio.timeout(20), client.events(include_all=False) as events:
        for turn in range(3):
            world.picture("ahua", "me", PNG + bytes([turn]))
            await anext(events)
            await client.wait_for_kept()
            assert len(files(tmp_path)) == turn + 1


async def test_media_beyond_the_limit_are_not_waited_for_without_a_network(
    keeping: Keeping, world: World, sandbox: SandboxCore
) -> None:
    client = await keeping(transport=FailingDownloads(Loopback(sandbox), ConnectFailed("No server."), 10**9))
    for turn in range(150):
        world.picture("ahua", "me", GIF + bytes([turn]))
    await drain(client)


async def test_a_reader_of_waiting_events_does_not_wait_for_the_network(
    keeping: Keeping, world: World, sandbox: SandboxCore, tmp_path: Path
) -> None:
    store = LoginMemory()
    client = await keeping(
        transport=FailingDownloads(Loopback(sandbox), ConnectFailed("No server."), 1_000), store=store
    )
    world.picture("ahua", "me", PNG)
    await drain(client)
    await client.close()
    assert files(tmp_path) == []

    await drain(await keeping(store=store))
    assert files(tmp_path) == [PNG]


async def test_a_disk_that_cannot_be_written_is_tried_again(keeping: Keeping, world: World, tmp_path: Path) -> None:
    folder = tmp_path / "kept.journal.kept"
    folder.touch()  # In place of a folder.
    client = await keeping()
    async with asyncio.timeout(20), client.events(include_all=False) as events:
        world.picture("ahua", "me", PNG)
        await anext(events)
        await client.wait_for_kept()  # Until it has failed, without being given up.
        folder.unlink()
        await until(lambda: bool(files(tmp_path)))

    assert files(tmp_path) == [PNG]


async def test_events_are_delivered_while_another_process_has_the_archive(
    keeping: Keeping, world: World, journal: SqliteJournal, caplog: pytest.LogCaptureFixture
) -> None:
    client = await keeping()
    consumer = await journal.account(client.account.uin).consumer(ARCHIVE_CONSUMER)
    world.picture("ahua", "me", PNG)
    [picture] = await take(client, 1)
    await consumer.close()

    assert isinstance(picture, ImageMessage)
    assert "The media archive cannot start" in caplog.text


async def test_the_first_consumer_of_a_new_journal_gets_all_entries_despite_an_archive(
    keeping: Keeping, journal: SqliteJournal
) -> None:
    client = await keeping()
    part = journal.account(client.account.uin)
    position = await part.position(client.account.id)
    assert position is not None
    await part.ingest(arrival(message("7", "stored before anybody has read"), position=position))
    [event] = [event async for event in client.events(include_all=False, follow=False)]

    assert texts([event]) == ["stored before anybody has read"]


async def test_the_end_of_the_login_ends_the_archiving_without_an_error(
    keeping: Keeping, world: World, sandbox: SandboxCore, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held(Loopback(sandbox))
    client = await keeping(transport=held)
    world.picture("ahua", "me", PNG)
    async with asyncio.timeout(20), client.events(include_all=False) as events:
        await anext(events)
        await until(lambda: held.most > 0)
        world.log_out("me")
        await until(lambda: client.state is LoginState.LOGGED_OUT)
        held.go.set()
        await client.wait_for_kept()
        with pytest.raises(LoggedOut):
            await anext(events)

    assert "The media archive has stopped" not in caplog.text


async def test_a_bot_forwards_a_recalled_picture(
    keeping: Keeping, world: World, sandbox: SandboxCore, tmp_path: Path
) -> None:
    world.options = KEYLESS
    quiet = Quiet(Loopback(sandbox))
    client = await keeping(transport=quiet)
    async with client.subscribe("bot", follow=False):
        pass
    done = asyncio.Event()

    async def handle(ctx: Context, event: Event) -> None:
        match event:
            case ImageMessage():
                await until(lambda: bool(files(tmp_path)))
                world.recall("ahua", "周末爬山")
                quiet.go.set()
            case MessageRecalled(original=ImageMessage() as original):
                await ctx.forward(original, to="filehelper")
                done.set()

    work = asyncio.create_task(deliver(client, handle, consumer="bot"))
    world.picture("ahua", "周末爬山", PNG)
    async with asyncio.timeout(20):
        await done.wait()
    work.cancel()
    await asyncio.wait([work])

    assert last_file(world, "me", "filehelper").md5 == md5(PNG)
