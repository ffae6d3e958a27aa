"""The rate limiter: an account's sends and changes within its limit, across refusals, restarts and clock changes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest
from tests.carriers import Counted
from tests.client.conftest import PNG, SERVER
from tests.client.sending.test_rate_limit import holds
from tests.client.virtual_loop import VirtualClockLoop, until

from webwx.client.client import AsyncClient
from webwx.client.sending.rate_limit import FIRST_PAUSE, RateLimit, limit_of
from webwx.client.sending.rate_limiter import LimiterMemory, RateLimiter
from webwx.client.state import LoginState
from webwx.errors import InvalidRequest, RateLimited, RateLimitReached, StorageError
from webwx.protocol.http import Response
from webwx.sandbox import contents
from webwx.storage.login import LoginMemory
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.tables.outbox import Outgoing

START = 1_560_000_000.0


Test = Callable[..., Coroutine[Any, Any, None]]


def on_virtual_clock(test: Test) -> Callable[..., None]:
    """Run a test on a loop whose clock jumps, except while a journal writes."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            runner.run(test(*arguments, **fixtures))

    return run


def seconds() -> float:
    """Return the seconds that have passed on the loop of this test."""
    return asyncio.get_running_loop().time()


class Watched(Counted):
    """Records when each request arrives, and refuses requests as too frequent where a test says so."""

    def __init__(self, sandbox: SandboxCore) -> None:
        super().__init__(Loopback(sandbox))
        self.times: list[tuple[str, float]] = []
        self.refuses_each = 0
        """Every such number of message requests, one is refused as too frequent."""
        self.answers: dict[str, list[Response]] = {}
        """Answers to calls that replace those of the platform."""
        self.held: asyncio.Event | None = None
        """Holds a message that has arrived."""
        self.arrived = asyncio.Event()
        self._world = sandbox.world

    async def send(self, request: Request) -> Response:
        self.times.append((request.endpoint, seconds()))
        if self.answers.get(request.endpoint):
            self.calls.append(request.endpoint)
            return self.answers[request.endpoint].pop(0)
        if request.endpoint == "webwxsendmsg":
            if self.refuses_each and len(self.of("webwxsendmsg")) % self.refuses_each == 0:
                self._world.refuse_next("webwxsendmsg", 1205)
            if self.held is not None:
                self.arrived.set()
                await self.held.wait()
        return await super().send(request)

    def of(self, endpoint: str) -> list[float]:
        """Return the times at which the requests of a call arrived."""
        return [time for name, time in self.times if name == endpoint]


class Stage:
    """Clients of one account that behave like separate processes."""

    def __init__(self, world: World, carrier: Watched, folder: Path) -> None:
        self.world = world
        self.carrier = carrier
        self.path = folder / "kept.journal"
        self.store = LoginMemory()
        self.waits: list[tuple[float, str]] = []
        self.ahead = 0.0
        """Seconds by which the machine's clock was set."""
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Stage:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def process(self, rate_limit: RateLimit | None = RateLimit(), *, has_journal: bool = True) -> AsyncClient:  # noqa: B008
        """Return a logged-in client; the first one scans a code."""
        loop = asyncio.get_running_loop()
        journal: Journal | None = None
        if has_journal:
            journal = SqliteJournal(self.path, retention_days=0)
            self._stack.push_async_callback(journal.close)
        client = await self._stack.enter_async_context(
            AsyncClient(
                server=SERVER,
                store=self.store,
                transport=self.carrier,
                journal=journal,
                rate_limit=rate_limit,
                clock=lambda: START + self.ahead + loop.time(),
                on_wait=lambda seconds, why: self.waits.append((seconds, why)),
            )
        )

        def scan(_: QrCode) -> None:
            self.world.scan("me")
            self.world.confirm()

        await client.login(show_qr=scan)
        return client

    def texts(self) -> list[str]:
        """The texts on the phone, in order."""
        inbox = self.world.inbox("ahua")
        return [message.text for message in inbox["xiaoming"].messages] if "xiaoming" in inbox else []


@pytest.fixture
def stage(world: World, sandbox: SandboxCore, tmp_path: Path) -> Stage:
    return Stage(world, Watched(sandbox), tmp_path)


async def stored(client: AsyncClient, key: str) -> Outgoing:
    """Wait until a send is stored in the outbox."""
    while (send := await client.find_send(key=key)) is None:
        pass
    return send


async def send_many(client: AsyncClient, texts: list[str]) -> None:
    await asyncio.gather(*(client.send_text("阿华", text, key=text) for text in texts))


class TestSends:
    @pytest.mark.parametrize("has_journal", [True, False])
    @on_virtual_clock
    async def test_two_hundred_texts_arrive_in_order_although_every_tenth_is_refused(
        self, stage: Stage, has_journal: bool
    ) -> None:
        async with stage:
            client = await stage.process(has_journal=has_journal)
            stage.carrier.refuses_each = 10
            texts = [str(number) for number in range(200)]
            keys = texts if has_journal else [""] * 200
            await asyncio.gather(
                *(client.send_text("阿华", text, key=key) for text, key in zip(texts, keys, strict=True))
            )

            assert stage.texts() == texts
            requests = stage.carrier.of("webwxsendmsg")
            assert len(requests) == 222
            assert holds(limit_of(RateLimit(), "messages"), requests)
            after = [requests[at + 1] - time for at, time in enumerate(requests[:-1]) if (at + 1) % 10 == 0]
            assert min(after) >= FIRST_PAUSE * 0.9
            if has_journal:
                assert len(await client.list_sends("sent", limit=999)) == 200

    @on_virtual_clock
    async def test_a_refused_send_is_repeated_with_its_client_id(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process()
            stage.world.refuse_next("webwxsendmsg", 1205, times=3)
            receipt = await client.send_text("阿华", "hi")
            [send] = await client.list_sends()

            assert stage.carrier.calls.count("webwxsendmsg") == 4
            assert (send.state, send.client_id, send.ret) == ("sent", receipt.client_id, 0)
            assert [why for _, why in stage.waits] == ["refused"] * 3
            assert 63 <= seconds() <= 79  # 10, 20 and 40 seconds, each up to a tenth more or less.
            rate_limit_state = await client.rate_limit_state()
            assert rate_limit_state is not None
            assert rate_limit_state.refusals == 0

    @on_virtual_clock
    async def test_two_clients_of_a_journal_share_one_bucket(self, stage: Stage) -> None:
        async with stage:
            clients = [await stage.process() for _ in range(2)]
            stage.carrier.refuses_each = 10
            await asyncio.gather(
                *(send_many(client, [f"{who}{number}" for number in range(8)]) for who, client in enumerate(clients))
            )

            # The clock may jump between a reservation and its request, so that two arrive at the same time.
            limit = limit_of(RateLimit(), "messages")._replace(burst=6)
            assert holds(limit, stage.carrier.of("webwxsendmsg"))
            for who in "01":
                own = [text for text in stage.texts() if text[0] == who]
                assert own == [f"{who}{number}" for number in range(8)]

    @on_virtual_clock
    async def test_a_process_does_not_wait_for_the_whole_queue_of_another(self, stage: Stage) -> None:
        async with stage:
            bot, script = await stage.process(), await stage.process()
            busy = asyncio.create_task(send_many(bot, [str(number) for number in range(19)]))
            await asyncio.sleep(2)  # The burst is used, and one more.
            await script.send_text("阿华", "urgent")

            assert stage.texts().index("urgent") <= 8
            await busy

    @on_virtual_clock
    async def test_a_pause_survives_its_process(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(patience=1))
            stage.world.refuse_next("webwxsendmsg", 1205)
            with pytest.raises(
                RateLimited, match=r"webwxsendmsg was refused \(ret 1205\): .* try again in \d+ s"
            ) as refused:
                await client.send_text("阿华", "hi", key="1")
            assert refused.value.retry_after == pytest.approx(FIRST_PAUSE, abs=2)
        async with stage:
            client = await stage.process()
            rate_limit_state = await client.rate_limit_state()
            assert rate_limit_state is not None
            assert (rate_limit_state.refusals, rate_limit_state.may_send) == (1, False)
            assert rate_limit_state.paused_until == pytest.approx(START + FIRST_PAUSE, abs=2)
            began = seconds()
            await client.send_text("阿华", "hi", key="1")

            assert seconds() - began >= FIRST_PAUSE * 0.8
            assert stage.texts() == ["hi"]

    @on_virtual_clock
    async def test_a_pause_by_another_process_delays_waiting_sends(self, stage: Stage) -> None:
        async with stage:
            one, other = await stage.process(), await stage.process()
            await send_many(one, [str(number) for number in range(5)])
            waiting = asyncio.create_task(one.send_text("阿华", "late"))  # For one and a half seconds.
            await until(lambda: bool(stage.waits))
            stage.world.refuse_next("webwxstatusnotify", 1205)
            with pytest.raises(RateLimited):
                await other.mark_read("阿华")
            began = seconds()
            await waiting

            assert seconds() - began >= FIRST_PAUSE * 0.9
            assert [reason for _, reason in stage.waits] == ["rate_limit", "refused"]

    @on_virtual_clock
    async def test_of_a_client_without_a_rate_limit_are_sent_at_once(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(None)
            await send_many(client, [str(number) for number in range(30)])
            stage.world.refuse_next("webwxsendmsg", 1205)
            with pytest.raises(RateLimited, match="wait some minutes") as refused:
                await client.send_text("阿华", "more")

            assert refused.value.retry_after is None
            assert await client.rate_limit_state() is None
            assert stage.carrier.of("webwxsendmsg") == [0] * 31


class TestAWait:
    @on_virtual_clock
    async def test_that_is_cancelled_leaves_the_send_queued_and_frees_its_reservation(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(jitter=0))
            await send_many(client, [str(number) for number in range(5)])
            began = seconds()
            waiting = asyncio.create_task(client.send_text("阿华", "never", key="never"))
            await until(lambda: bool(stage.waits))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            send = await client.find_send(key="never")
            assert send is not None
            assert send.state == "queued"
            await client.send_text("阿华", "next")

            assert seconds() - began == pytest.approx(1.5, abs=0.2)
            assert stage.texts()[5:] == ["next"]

    @on_virtual_clock
    async def test_behind_another_one_that_is_cancelled_leaves_the_send_queued(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process()
            stage.carrier.held = asyncio.Event()
            first = asyncio.create_task(client.send_text("阿华", "first"))
            await stage.carrier.arrived.wait()
            second = asyncio.create_task(client.send_text("阿华", "second", key="2"))
            await stored(client, "2")
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            stage.carrier.held.set()
            await first
            send = await client.find_send(key="2")

            assert send is not None
            assert send.state == "queued"
            assert stage.texts() == ["first"]

    @on_virtual_clock
    async def test_that_is_too_long_is_refused_with_the_next_possible_time(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(burst=1, spacing=30, jitter=0, patience=20))
            await client.send_text("阿华", "1")
            with pytest.raises(RateLimitReached, match="nothing was sent, try again in 30 s") as refused:
                await client.send_text("阿华", "2", key="2")
            send = await client.find_send(key="2")

            assert refused.value.retry_after == 30
            assert send is not None
            assert send.state == "queued"
            await asyncio.sleep(15)
            await client.send_text("阿华", "2", key="2")
            assert stage.texts() == ["1", "2"]
            assert seconds() == pytest.approx(30, abs=1)  # The refused send took no reservation.

    @on_virtual_clock
    async def test_behind_others_counts_as_well(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(patience=20))
            stage.carrier.held = asyncio.Event()
            first = asyncio.create_task(client.send_text("阿华", "1"))
            await stage.carrier.arrived.wait()
            with pytest.raises(RateLimitReached, match="try again in 1 s"):
                await client.send_text("阿华", "2")
            assert seconds() == pytest.approx(20, abs=1)
            stage.carrier.held.set()
            await first

    @on_virtual_clock
    async def test_ends_when_the_send_is_deleted_from_the_outbox(self, stage: Stage) -> None:
        async with stage:
            client, other = await stage.process(), await stage.process()
            await send_many(client, [str(number) for number in range(5)])
            waiting = asyncio.create_task(client.send_text("阿华", "never", key="never"))
            send = await stored(other, "never")
            assert await other.forget_send(send.number)
            with pytest.raises(InvalidRequest, match="deleted from the outbox"):
                await waiting

            assert "never" not in stage.texts()

    @on_virtual_clock
    async def test_for_a_key_that_another_process_sends_meanwhile_gives_its_receipt(self, stage: Stage) -> None:
        async with stage:
            clients = [await stage.process() for _ in range(2)]
            await send_many(clients[0], [str(number) for number in range(5)])
            one, other = await asyncio.gather(*(client.send_text("阿华", "once", key="once") for client in clients))

            assert one == other
            assert stage.texts()[5:] == ["once"]

    @on_virtual_clock
    async def test_is_no_longer_when_the_clock_is_set_back(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(jitter=0))
            await send_many(client, [str(number) for number in range(5)])
            stage.ahead = -86_400
            await client.send_text("阿华", "late")

            assert seconds() == pytest.approx(1.5, abs=0.2)

    @on_virtual_clock
    async def test_is_reported(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(burst=1, spacing=12, jitter=0))
            await client.send_text("阿华", "1")
            await client.send_text("阿华", "2")

            [(seconds, reason)] = stage.waits
            assert reason == "rate_limit"
            assert seconds == pytest.approx(12, abs=0.5)


class TestAnUpload:
    @on_virtual_clock
    async def test_that_is_refused_is_uploaded_again_and_its_media_id_is_never_used(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process()
            stolen = b'{"BaseResponse":{"Ret":1205,"ErrMsg":""},"MediaId":"@crypt_somebody_elses"}'
            stage.carrier.answers["webwxuploadmedia"] = [Response(body=stolen)]
            began = seconds()
            receipt = await client.send_image("阿华", PNG, key="1")

            assert seconds() - began >= FIRST_PAUSE * 0.9
            assert stage.carrier.calls[-3:] == ["webwxuploadmedia", "webwxuploadmedia", "webwxsendmsgimg"]
            assert await client.download(receipt) == PNG
            [send] = await client.list_sends()
            assert send.state == "sent"

    @on_virtual_clock
    async def test_is_counted_by_files(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(uploads_per_hour=2))
            for number in range(3):
                await client.send_file("阿华", PNG * 4, name=f"{number}.bin")

            assert seconds() >= 3600
            rate_limit_state = await client.rate_limit_state()
            assert rate_limit_state is not None
            assert (rate_limit_state.uploads_last_hour, rate_limit_state.messages_last_minute) == (1, 1)

    @on_virtual_clock
    async def test_that_is_refused_for_good_leaves_the_send_queued(self, stage: Stage) -> None:
        async with stage:
            client = await stage.process(RateLimit(patience=5))
            stage.world.refuse_next("webwxuploadmedia", 1205)
            with pytest.raises(RateLimited):
                await client.send_image("阿华", PNG, key="1")
            send = await client.find_send(key="1")

            assert send is not None
            assert send.state == "queued"


class TestALineOfThePlatform:
    @pytest.mark.parametrize(
        ("line", "refusals"),
        [
            ("操作太频繁，请稍后再试", 1),
            ("“阿华”修改群名为“操作太频繁”", 0),
        ],
    )
    @on_virtual_clock
    async def test_of_too_frequent_operations_is_a_refusal(
        self, stage: Stage, world: World, line: str, refusals: int
    ) -> None:
        async with stage:
            client = await stage.process()
            async with client.events(include_all=False) as events:
                world.say("ahua", "me", "操作太频繁")
                await anext(events)
                world.delivery.deliver(world.people["xiaoming"], "ahua", contents.system(line))
                await anext(events)
            rate_limit_state = await client.rate_limit_state()

            assert rate_limit_state is not None
            assert rate_limit_state.refusals == refusals

    @on_virtual_clock
    async def test_is_one_refusal_although_its_batch_is_stored_repeatedly(self, stage: Stage, world: World) -> None:
        async with stage:
            client = await stage.process()
            async with client.events(include_all=False) as events:
                world.say("ahua", "me", "hi")
                await anext(events)
                with contextlib.closing(sqlite3.connect(stage.path)) as file:
                    file.execute(
                        "CREATE TRIGGER stop BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'not now'); END"
                    )
                    world.delivery.deliver(world.people["xiaoming"], "ahua", contents.system("操作太频繁，请稍后再试"))
                    # Storing is tried repeatedly; within one pause a second refusal would not be visible.
                    await asyncio.sleep(12 * FIRST_PAUSE)
                    assert client.state is LoginState.DEGRADED
                    file.execute("DROP TRIGGER stop")
                await anext(events)
            rate_limit_state = await client.rate_limit_state()

            assert rate_limit_state is not None
            assert rate_limit_state.refusals == 1


class Disk(LimiterMemory):
    """A store of limiter states that becomes full."""

    is_full = False

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        if self.is_full:
            raise StorageError("The disk is full.")
        return await super().change_state(name, change)


class TestAFullDisk:
    @on_virtual_clock
    async def test_prevents_every_send(self) -> None:
        disk, done = Disk(), list[int]()
        disk.is_full = True

        async def act() -> None:
            done.append(1)

        with pytest.raises(StorageError):
            await RateLimiter(RateLimit(), lambda: disk, seconds).run("messages", act)
        assert done == []

    @on_virtual_clock
    async def test_does_not_fail_a_completed_send(self) -> None:
        disk = Disk()
        limiter = RateLimiter(RateLimit(), lambda: disk, seconds)
        await limiter.refused()

        async def act() -> str:
            disk.is_full = True
            return "sent"

        assert await limiter.run("messages", act) == "sent"

    @on_virtual_clock
    async def test_does_not_change_a_refusal(self) -> None:
        disk = Disk()
        disk.is_full = True
        await RateLimiter(RateLimit(), lambda: disk, seconds).refused()


class TestOtherChanges:
    @on_virtual_clock
    async def test_of_each_kind_have_their_own_rate_limit(self, stage: Stage, world: World) -> None:
        async with stage:
            client = await stage.process(RateLimit(jitter=0))
            room = (await client.create_chatroom(["阿华", "张三"])).chatroom
            await client.rename_chatroom(room, "a")
            await client.leave_chatroom(room)
            assert seconds() == pytest.approx(20, abs=0.2)

            await client.set_remark("阿华", "A")
            await client.set_pinned("A")
            await client.set_pinned("A", False)
            assert seconds() == pytest.approx(23, abs=0.4)

            world.chatrooms["hiking"].add([world.add_person("陌生人")])
            await client.list_contacts()
            [member] = [each for each in client.contacts.resolve("周末爬山").members if each.nickname == "陌生人"]
            await client.add_friend(member)
            await client.add_friend(member)
            assert seconds() == pytest.approx(83, abs=0.6)

    @on_virtual_clock
    async def test_are_tried_again_when_they_are_refused(self, stage: Stage, world: World) -> None:
        async with stage:
            client = await stage.process()
            world.refuse_next("webwxcreatechatroom", 1205)
            world.refuse_next("webwxoplog", 1205)
            await client.create_chatroom(["阿华", "张三"])
            await client.set_remark("阿华", "A")

            assert stage.carrier.calls.count("webwxcreatechatroom") == 2
            assert stage.carrier.calls.count("webwxoplog") == 2
            assert client.contacts.find(remark="A").nickname == "阿华"

    @on_virtual_clock
    async def test_a_refusal_of_an_unlimited_call_delays_limited_ones(self, stage: Stage, world: World) -> None:
        async with stage:
            client = await stage.process()
            world.refuse_next("webwxgetcontact", 1205)
            with pytest.raises(RateLimited):
                await client.list_contacts()
            await client.send_text("阿华", "hi")

            assert seconds() >= FIRST_PAUSE * 0.9
