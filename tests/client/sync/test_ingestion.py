"""Batches in the journal: stored once with their next position, despite faults."""

from __future__ import annotations

import asyncio
import logging
import resource
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted, DeliversOnce
from tests.client.conftest import is_online, take, take_texts, texts

from webwx.client.state import LoginState
from webwx.errors import LoggedOut, StorageError, UnknownContact
from webwx.model.events import ContactChanged, ContinuityLost
from webwx.model.messages import Event, MessageRecalled
from webwx.protocol.sync import WEBWXSYNC, SyncReply
from webwx.storage.login import LoginMemory
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.entries import Arrival
    from webwx.transport.runner import Transport

    Phone = Callable[[str], Callable[[QrCode], object]]


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


class Replaying(Counted):
    """Answers every fetch with the new items and all earlier ones."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.is_on = False
        self._all: list[msgspec.Raw] = []

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != WEBWXSYNC.name:
            return response
        reply: SyncReply = WEBWXSYNC.decode_reply(response)
        new = [raw.copy() for raw in reply.add_msg_list]
        if self.is_on:
            reply = msgspec.structs.replace(reply, add_msg_list=[*self._all, *new])
            response = msgspec.structs.replace(response, body=WEBWXSYNC.encode_reply(reply).body)
        self._all += new
        return response


class TestWhatIsStored:
    async def test_is_delivered_once_although_the_server_repeats_it_after_a_restart(
        self, log_in: LogIn, new_client: NewClient, world: World, sandbox: SandboxCore
    ) -> None:
        carrier, store = Replaying(Loopback(sandbox)), LoginMemory()
        client = await log_in(transport=carrier, store=store)
        for number in range(1_000):
            world.say("ahua", "me", str(number))
        await take(client, 1_000)
        await client.close()
        carrier.is_on = True
        following = new_client(transport=carrier, store=store)
        await following.resume()
        world.say("ahua", "me", "/restart")

        assert texts(await take(following, 1)) == ["/restart"]
        async with following.events(include_all=False, follow=False) as events:
            assert [event async for event in events] == []

    async def test_is_stored_after_a_crash(self, log_in: LogIn, new_client: NewClient, world: World) -> None:
        """Nothing is closed, and the login was saved only once, at the login."""
        store = LoginMemory()
        client = await log_in(store=store)
        saved = await store.load()
        for number in range(3):
            world.say("ahua", "me", str(number))
        assert texts(await take(client, 1)) == ["0"]
        assert saved is not None
        await store.save(saved)
        following = new_client(store=store)
        await following.resume()

        assert texts(await take(following, 2)) == ["1", "2"]

    async def test_events_without_a_listener_are_delivered_by_default(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        await take(client, 1, include_all=True)
        await client.close()
        for number in range(3):
            world.say("ahua", "me", str(number))
        world.wind(60)
        following = new_client(store=store)
        await following.resume()
        got = await take(following, 3)

        assert texts(got) == ["0", "1", "2"]
        assert all(event.backlog for event in got)

    async def test_is_delivered_although_the_answer_of_the_journal_was_lost(
        self, log_in: LogIn, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = await log_in()
        store = SqliteAccount.ingest
        async with client.subscribe("bot") as subscription:
            await subscription.take()
            waiting = asyncio.ensure_future(subscription.take())
            lost = asyncio.Event()

            async def store_and_fail(account: SqliteAccount, arrival: Arrival) -> int:
                count = await store(account, arrival)
                if count and not lost.is_set():
                    lost.set()
                    raise StorageError("The journal did not answer.")
                return count

            monkeypatch.setattr(SqliteAccount, "ingest", store_and_fail)
            world.say("ahua", "me", "hello")
            await lost.wait()
            assert texts([given.event for given in await asyncio.wait_for(waiting, 10)]) == ["hello"]

    async def test_a_burst_is_in_the_history_once_it_is_delivered(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        said = [str(number) for number in range(100)]
        async with client.subscribe("one") as feed:
            for text in said:
                world.say("ahua", "me", text)
            assert texts([given.event for given in await take_texts(feed, 100)]) == said
            assert texts(await client.history("阿华", limit=100)) == said

    @pytest.mark.parametrize("ahead", [3_600.0, -3_600.0, 86_400.0, -86_400.0])
    async def test_is_distinguished_from_new_messages_by_the_servers_clock(
        self, new_client: NewClient, world: World, phone_of: Phone, ahead: float
    ) -> None:
        client = new_client(clock=lambda: world.now + ahead)
        await client.login(show_qr=phone_of("me"))
        said = [str(number) for number in range(20)]
        for text in said:
            world.say("ahua", "me", text)
        world.wind(60)
        got: list[Event] = []
        async with client.events(include_all=False) as events:
            got += [await anext(events) for _ in said]
            world.say("ahua", "me", "new")
            got.append(await anext(events))

        assert texts(got) == [*said, "new"]
        assert [event.backlog for event in got] == [True] * 20 + [False]

    async def test_is_recognised_while_the_clock_jumps(
        self, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        ahead = 0.0
        client = new_client(clock=lambda: world.now + ahead)
        await client.login(show_qr=phone_of("me"))
        await take(client, 1, include_all=True)
        got: list[Event] = []
        async with client.events(include_all=False) as events:
            for jump in (3_600.0, -86_400.0, 0.0):
                ahead = jump
                world.say("ahua", "me", str(jump))
                got.append(await anext(events))

        assert [event.backlog for event in got] == [False] * 3

    @pytest.mark.parametrize("later", [1_500, pytest.param(20_000, marks=pytest.mark.verify)])
    async def test_has_the_original_of_a_recall_of_any_age(
        self, log_in: LogIn, new_client: NewClient, world: World, later: int
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        old = world.say("ahua", "me", "old")
        for number in range(later):  # More than a client without a journal remembers.
            world.say("lilei", "me", str(number))
        [first, *_] = await take(client, later + 1)
        await client.close()
        following = new_client(store=store)
        await following.resume()
        world.wind(3 * 3_600)
        old.time = world.now  # Too old for a recall on the platform.
        world.recall("ahua", "me", old.id)
        [recalled] = await take(following, 1)

        assert isinstance(recalled, MessageRecalled)
        assert recalled.original == msgspec.structs.replace(first, backlog=False)

    async def test_has_a_gap_after_another_login(
        self, log_in: LogIn, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        world.say("ahua", "me", "1")
        await take(client, 1)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.check()
        world.wind(3_600)
        await client.login(show_qr=phone_of("me"))
        world.say("ahua", "me", "2")
        [gap, message] = await take(client, 2)

        assert isinstance(gap, ContinuityLost)
        assert gap.reason == "new_login"
        assert gap.until - gap.since >= 3_600
        assert texts([message]) == ["2"]

    async def test_has_the_pending_items_from_before_the_journal(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store, journal=None)
        for number in range(3):
            world.say("ahua", "me", str(number))
        assert texts(await take(client, 1)) == ["0"]
        await client.close()
        following = new_client(store=store)
        await following.resume()

        assert texts(await take(following, 2)) == ["1", "2"]
        saved = await store.load()
        assert saved is not None
        assert saved.pending == ()

    async def test_has_no_key(self, log_in: LogIn, world: World, tmp_path: Path) -> None:
        client = await log_in()
        for name in ("hiking", "other"):
            if name == "other":
                world.add_chatroom("Other", ["me", "ahua"], name)
            world.say("ahua", name, "hi")
        await take(client, 2)
        await client.send_text("阿华", "hi", key="1")
        content = b"".join(path.read_bytes() for path in _files(tmp_path))

        assert len(content) > 10_000
        for secret in world.issued:
            assert secret.encode() not in content

    async def test_a_gap_is_reported_once(
        self, log_in: LogIn, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        await take(client, 1, include_all=True)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.check()
        await client.login(show_qr=phone_of("me"))
        [gap] = await take(client, 1)
        assert isinstance(gap, ContinuityLost)
        await client.close()
        following = new_client(store=store)
        await following.resume()
        world.say("ahua", "me", "hi")

        assert texts(await take(following, 1)) == ["hi"]


def _files(folder: Path) -> list[Path]:
    return list(folder.glob("*kept.journal*"))


class TestContacts:
    async def test_a_deleted_friend_is_deleted_in_the_next_process_and_the_messages_stay(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        gone = client.contacts.find(nickname="阿华").id
        world.say("ahua", "me", "hi")
        await take(client, 2, include_all=True)  # The client looks up the unknown sender of a message.
        world.unfriend("me", "ahua")
        await take(client, 1, include_all=True)
        with pytest.raises(UnknownContact):
            client.contacts.resolve("阿华")
        following = new_client(store=store)  # The first client is never closed.
        await following.resume()

        assert following.contacts.get(gone) is None
        assert texts([e for e in await following.history(gone) if isinstance(e, Event)]) == ["hi"]

    async def test_a_change_of_a_contact_is_applied_before_its_event_is_read(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        async with client.subscribe("slow"):
            world.befriend("xiaoming", "ahua", remark="花")
            while client.contacts.find(nickname="阿华").remark != "花":  # noqa: ASYNC110 - no event reports it
                await asyncio.sleep(0.001)
        following = new_client(store=store)
        await following.resume()

        assert following.contacts.find(remark="花").nickname == "阿华"
        got = await take(following, 2, include_all=True, consumer="slow")
        [changed] = [event for event in got if isinstance(event, ContactChanged)]
        assert changed.contact.nickname == "阿华"
        assert changed.raw["RemarkName"] == "花"


class TestAFullDisk:
    async def test_loses_nothing_and_ends_by_itself(
        self, log_in: LogIn, world: World, sandbox: SandboxCore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The server delivers each item once, so fetched items that could not be stored must be held."""
        counted = DeliversOnce(Loopback(sandbox))
        client = await log_in(transport=counted)
        await take(client, 1, include_all=True)
        counted.calls.clear()
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        caplog.clear()
        async with client.events(include_all=False) as events:
            waiting = asyncio.ensure_future(anext(events))
            async with asyncio.timeout(20):
                # Opening on a full disk may fail, if the writer of identities has just failed.
                while "synccheck" not in counted.calls:  # noqa: ASYNC110 - no event reports it
                    await asyncio.sleep(0.001)
            try:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1, unlimited[1]))
                for number in range(3):
                    world.say("ahua", "me", str(number))
                async with asyncio.timeout(20):
                    while client.state is not LoginState.DEGRADED:  # noqa: ASYNC110 - nothing tells of it
                        await asyncio.sleep(0.001)
                assert not waiting.done()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            got = [await waiting, await anext(events), await anext(events)]

        assert texts(got) == ["0", "1", "2"]
        assert is_online(client)
        warnings = [line.getMessage() for line in caplog.records if line.levelno == logging.WARNING]
        # The writer of identities reports its own failure if it runs just then.
        assert sum("The journal cannot be written" in line for line in warnings) == 1

    async def test_at_the_start_is_an_error(self, log_in: LogIn, tmp_path: Path) -> None:
        (tmp_path / "folder.journal").mkdir()
        journal = SqliteJournal(tmp_path / "folder.journal")
        with pytest.raises(StorageError):
            await log_in(journal=journal)
        await journal.close()
