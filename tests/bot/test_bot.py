"""A bot from start to end: its account, the causes of its end, and its behaviour at the end of the login."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.bot.conftest import running, until
from tests.carriers import TEMPORARY, Counted, FaultyTransport
from tests.client.conftest import SERVER
from tests.turns import let_others_run

import webwx
from webwx.bot.bot import Bot, loading, run, start
from webwx.client.client import AsyncClient
from webwx.client.state import LoginState
from webwx.errors import AlreadyRunning, ConnectFailed, LoggedOut, LoginTimeout, NoJournal
from webwx.model.messages import TextMessage
from webwx.settings import Settings
from webwx.storage.login import LoginMemory
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bot.conftest import OpenClient, Server

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.tables.outbox import Outgoing

PROGRAM = Path(__file__).with_name("bot_program.py")
DAYS = 24 * 3600


def phone_of(world: World) -> Callable[..., object]:
    """Return a phone that scans and confirms each code."""
    return lambda *_: (world.scan("me"), world.confirm())


def noting(bot: Bot) -> list[str]:
    """Make a bot record all texts that it receives, and answer `ping`."""
    texts: list[str] = []

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        texts.append(message.text)
        if message.text == "ping":
            await ctx.reply("pong")

    return texts


class TestSendChanged:
    async def test_a_bot_gets_the_states_of_all_sends_of_its_account(
        self, open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with open_client() as client:
            bots = [Bot(client=client, name="one"), Bot(client=client, name="two")]
            found = [list[tuple[str, str]](), list[tuple[str, str]]()]
            texts = noting(bots[0])

            @bots[0].on_send_changed
            def fail(send: Outgoing) -> None:
                raise ZeroDivisionError  # It is logged, and has no other effect.

            @bots[0].on_send_changed
            async def note(send: Outgoing) -> None:
                found[0].append((send.text, send.state))

            @bots[1].on_send_changed
            def note_in_a_thread(send: Outgoing) -> None:
                found[1].append((send.text, send.state))

            await client.send_text("filehelper", "before")
            async with client.subscribe("one", follow=False), client.subscribe("two", follow=False):
                pass
            ready: list[Bot] = []
            task = asyncio.create_task(start(*bots, on_ready=lambda bot, _: ready.append(bot)))
            await until(lambda: len(ready) == 2)
            world.say("ahua", "me", "ping")
            await until(lambda: texts == ["ping"])
            await until(lambda: all(("pong", "sent") in each for each in found))
            await client.send_text("filehelper", "of another program")
            await until(lambda: all(("of another program", "sent") in each for each in found))
            task.cancel()
            await asyncio.wait([task])
        assert not any(text == "before" for each in found for text, _ in each)
        assert "fail failed: ZeroDivisionError" in caplog.text

    async def test_a_function_that_takes_no_send_is_refused(self) -> None:
        with pytest.raises(TypeError, match="An on_send_changed function is called with the send"):
            Bot().on_send_changed(lambda: None)


class TestLogOut:
    async def test_a_login_that_ends_every_48_hours_is_renewed_and_the_history_is_complete(
        self, open_client: OpenClient, world: World
    ) -> None:
        async with open_client() as client:
            bot = Bot(client=client, show_qr=phone_of(world), on_push=lambda: world.confirm())
            texts, reasons, said = noting(bot), list[str](), list[str]()

            @bot.on_logged_out
            async def gone(reason: LoggedOut) -> None:
                reasons.append(reason.reason)

            @bot.on_logged_out
            def gone_too(reason: LoggedOut) -> None:
                raise ZeroDivisionError  # It is logged, and has no other effect.

            ids = set[str]()
            async with running(bot, client) as task:
                for turn in range(5):
                    ids.add(client.contacts.find(nickname="阿华").id)
                    for text in (f"{turn}, soon", f"{turn}, later"):
                        world.say("ahua", "me", text)
                        said.append(text)
                        await until(lambda: texts == said)
                        world.wind(DAYS)
                    world.log_out("me")
                    await until(lambda: len(reasons) == turn + 1 and client.state is LoginState.ONLINE)  # noqa: B023
                world.say("ahua", "me", "ping")
                await until(lambda: texts == [*said, "ping"])
                await until(lambda: world.inbox("ahua")["xiaoming"].messages[-1].text == "pong")
                assert not task.done()
            history = await client.history("阿华", limit=100)
        assert reasons == ["phone"] * 5
        assert len(ids) == 5
        assert [each.text for each in history if isinstance(each, TextMessage)][-11:] == [*said, "ping"]
        assert (bot.counts.failed, bot.counts.dead) == (0, 0)

    async def test_phone_is_asked_first_and_a_code_is_shown_if_it_does_not_confirm(
        self, open_client: OpenClient, world: World
    ) -> None:
        asked, shown = list[str](), list[str]()

        def show(_: object) -> None:
            shown.append("code")
            phone_of(world)()

        async with open_client() as client:
            bot = Bot(client=client, show_qr=show, on_push=lambda: asked.append("push"))
            texts = noting(bot)
            async with running(bot, client):
                world.say("ahua", "me", "1")
                await until(lambda: texts == ["1"])
                world.log_out("me")
                await until(lambda: shown == ["code"] and client.state is LoginState.ONLINE)
                world.say("ahua", "me", "2")
                await until(lambda: texts == ["1", "2"])
        assert asked == ["push"]

    async def test_unconfirmed_login_ends_the_bot(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            bot = Bot(client=client, show_qr=lambda _: None, on_push=lambda: None)
            noting(bot)
            task = asyncio.create_task(bot.start())
            await until(lambda: bot.counts.delivered > 0)
            world.log_out("me")
            with pytest.raises(LoginTimeout):
                await task

    async def test_without_a_new_login_the_end_of_the_login_ends_the_bot(
        self, open_client: OpenClient, world: World
    ) -> None:
        reasons: list[LoggedOut] = []
        async with open_client() as client:
            bot = Bot(client=client, relogin=False)
            bot.on_logged_out(reasons.append)
            noting(bot)
            task = asyncio.create_task(bot.start())
            await until(lambda: bot.counts.delivered > 0)
            world.log_out("me")
            with pytest.raises(LoggedOut):
                await task
        assert [each.reason for each in reasons] == ["phone"]

    async def test_a_network_failure_during_a_new_login_is_retried(
        self, open_client: OpenClient, world: World, sandbox: SandboxCore
    ) -> None:
        class Broken(Counted):
            is_broken = False

            async def send(self, request: Request) -> Response:
                if self.is_broken and request.endpoint == "jslogin":
                    self.is_broken = False
                    raise ConnectFailed("jslogin: nothing left this machine.")
                return await super().send(request)

        carrier = Broken(Loopback(sandbox))
        async with open_client(transport=carrier) as client:
            bot = Bot(client=client, show_qr=phone_of(world), on_push=lambda: None)
            texts = noting(bot)
            async with running(bot, client):
                carrier.is_broken = True
                world.log_out("me")
                await until(lambda: not carrier.is_broken and client.state is LoginState.ONLINE)
                world.say("ahua", "me", "1")
                await until(lambda: texts == ["1"])

    async def test_attempt_interrupted_by_the_end_is_repeated_and_not_a_failure(
        self, open_client: OpenClient, world: World
    ) -> None:
        errors, calls = list[object](), list[int]()
        async with open_client() as client:
            bot = Bot(client=client, attempts=1, show_qr=phone_of(world), on_push=lambda: world.confirm())
            bot.on_error(lambda ctx, event, error: errors.append(error))

            @bot.on(TextMessage)
            async def log_out_and_answer(ctx: Context, message: TextMessage) -> None:
                calls.append(ctx.attempt)
                if len(calls) == 1:
                    world.log_out("me")
                    await until(lambda: client.state is LoginState.LOGGED_OUT)
                    await ctx.send_text("filehelper", "too late")

            async with running(bot, client):
                world.say("ahua", "me", "1")
                await until(lambda: len(calls) == 2)
        assert errors == []
        assert (bot.counts.failed, bot.counts.dead) == (0, 0)


class TestStart:
    @pytest.mark.parametrize("answer", [*TEMPORARY.values(), ConnectFailed("No connection.")])
    async def test_a_temporary_failure_does_not_end_a_starting_bot(
        self, open_client: OpenClient, world: World, sandbox: SandboxCore, tmp_path: Path, answer: Response | Exception
    ) -> None:
        store = LoginMemory()
        async with open_client(store=store):
            pass
        carrier = FaultyTransport(Loopback(sandbox), webwxinit=[answer])
        journal = SqliteJournal(tmp_path / "bot.journal", retention_days=0)
        async with AsyncClient(
            server=SERVER, store=store, transport=carrier, clock=world.clock.now, journal=journal
        ) as client:
            bot = Bot(client=client, show_qr=lambda code: pytest.fail("A login was asked for."))
            texts = noting(bot)
            task = asyncio.create_task(bot.start())
            world.say("ahua", "me", "1")
            await until(lambda: texts == ["1"] or task.done())
            task.cancel()
            await asyncio.wait([task])
        await journal.close()
        assert texts == ["1"]
        assert carrier.calls[:2] == ["webwxinit"] * 2

    async def test_a_client_without_a_login_is_logged_in(self, world: World, counted: Counted, tmp_path: Path) -> None:
        journal = SqliteJournal(tmp_path / "me.journal", retention_days=0)
        async with AsyncClient(server=SERVER, transport=counted, clock=world.clock.now, journal=journal) as client:
            ready: list[tuple[Bot, AsyncClient]] = []
            bot = Bot(client=client, show_qr=phone_of(world))
            texts = noting(bot)
            task = asyncio.create_task(start(bot, on_ready=lambda *arguments: ready.append(arguments)))
            await until(lambda: ready == [(bot, client)])
            world.say("ahua", "me", "1")
            await until(lambda: texts == ["1"])
            task.cancel()
            await asyncio.wait([task])
            assert client.state is LoginState.ONLINE  # The client was passed in, so the bot does not close it.
        await journal.close()

    async def test_a_client_with_a_login_causes_no_request(self, open_client: OpenClient, counted: Counted) -> None:
        async with open_client() as client:
            counted.calls.clear()
            asked: list[list[str]] = []
            task = asyncio.create_task(start(Bot(client=client), on_ready=lambda *_: asked.append([*counted.calls])))
            await until(lambda: asked == [[]])
            task.cancel()
            await asyncio.wait([task])

    async def test_client_passed_to_start_overrides_the_settings_of_the_bots(self, open_client: OpenClient) -> None:
        bots = [Bot(name=name, server="http://127.0.0.1:9", account="another") for name in ("one", "two")]
        ready: list[str] = []
        async with open_client() as client:
            task = asyncio.create_task(start(*bots, client=client, on_ready=lambda bot, _: ready.append(bot.name)))
            await until(lambda: sorted(ready) == ["one", "two"])
            task.cancel()
            await asyncio.wait([task])
            with pytest.raises(ValueError, match="Several bots of one account"):
                await start(bots[0], bots[0], client=client)

    async def test_a_client_without_a_journal_is_refused(self, world: World, counted: Counted) -> None:
        async with AsyncClient(server=SERVER, transport=counted, clock=world.clock.now) as client:
            with pytest.raises(NoJournal):
                await Bot(client=client, show_qr=phone_of(world)).start()

    @pytest.mark.parametrize(
        "choice", [{"account": "work"}, {"host": "web"}, {"server": SERVER}, {"store": LoginMemory()}]
    )
    async def test_client_and_other_settings_of_the_account_are_refused_together(self, choice: dict[str, Any]) -> None:
        async with AsyncClient() as client:
            with pytest.raises(TypeError, match="takes client= or other settings of the account"):
                Bot(client=client, **choice)

    @pytest.mark.parametrize(
        "choice",
        [
            {"attempts": 0}, {"in_flight": 0}, {"threads": 0}, {"time_limit": 0}, {"replies_per_minute": -1},
            {"name": ""},
        ],
        ids=lambda choice: next(iter(choice)),
    )  # fmt: skip
    def test_a_limit_of_zero_is_refused(self, choice: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(choice))):
            Bot(**choice)

    async def test_a_start_without_a_bot_is_refused(self) -> None:
        with pytest.raises(ValueError, match="There is no bot to run"):
            await start()

    async def test_bot_without_handlers_and_timers_is_logged(
        self, open_client: OpenClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with open_client() as client:
            idle, busy = Bot(client=client, name="idle"), Bot(client=client, name="busy")
            busy.every(hours=1)(lambda ctx: None)
            for bot in (idle, busy):
                async with running(bot, client):
                    await asyncio.sleep(0)
        assert [record.getMessage() for record in caplog.records if "no handler" in record.getMessage()] == [
            "idle has no handler and no timer, so it does nothing; write @bot.on(TextMessage) above a function."
        ]

    async def test_handlers_may_be_asynchronous_or_plain(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            bot, done = Bot(client=client), list[str]()

            @bot.on(TextMessage, regex=r"^buy (\w+)")
            def plain(ctx: SyncContext, message: TextMessage) -> None:
                assert ctx.match is not None
                done.append(f"bought {ctx.match[1]}")
                ctx.reply(done[-1])

            async with running(bot, client):
                world.say("ahua", "me", "buy milk")
                await until(lambda: done == ["bought milk"])
                await until(lambda: world.inbox("ahua")["xiaoming"].messages[-1].text == "bought milk")


class TestSettings:
    """A bot and the command line serve one login, with one journal."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        home = tmp_path / "state"
        monkeypatch.setenv("WEBWX_HOME", str(home))
        monkeypatch.setenv("WEBWX_CONFIG", str(tmp_path / "config.toml"))
        for name in ("WEBWX_ACCOUNT", "WEBWX_SERVER", "WEBWX_HOST"):
            monkeypatch.delenv(name, raising=False)
        return home

    def test_arguments_override_settings(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Bot().settings().host is None
        monkeypatch.setenv("WEBWX_ACCOUNT", "work")
        monkeypatch.setenv("WEBWX_HOST", "wx2.qq.com")
        assert Bot(host="wx.qq.com").settings().login_path == home / "accounts" / "work" / "wx.qq.com.json"

    async def test_bot_uses_login_and_journal_of_the_command_line(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WEBWX_SERVER", server.url)
        bot = Bot()
        texts = noting(bot)
        ready = asyncio.Event()
        task = asyncio.create_task(start(bot, on_ready=lambda *_: ready.set()))
        await asyncio.wait_for(ready.wait(), 60)
        await asyncio.to_thread(server.say, "ahua", "ping")
        await until(lambda: texts[-1:] == ["ping"])
        await until(lambda: bot.counts.in_flight == 0)
        task.cancel()
        await asyncio.wait([task])
        command = [Path(sys.executable).with_name("webwx"), "history", "阿华"]
        done = await asyncio.to_thread(partial(subprocess.run, command, capture_output=True, text=True, check=True))
        assert "ping" in done.stdout
        assert "pong" in done.stdout

    async def test_bots_of_one_account_share_its_login(self, server: Server) -> None:
        bots = [Bot(server=server.url, name=name) for name in ("one", "other")]
        texts = [noting(bot) for bot in bots]
        clients: list[AsyncClient] = []
        task = asyncio.create_task(start(*bots, on_ready=lambda _, client: clients.append(client)))
        await until(lambda: len(clients) == 2)
        assert clients[0] is clients[1]
        await asyncio.to_thread(server.say, "ahua", "to both")
        await until(lambda: all(each[-1:] == ["to both"] for each in texts))
        with pytest.raises(AlreadyRunning):
            await Bot(server=server.url, name="a third").start()
        task.cancel()
        await asyncio.wait([task])

    async def test_bots_of_one_account_need_different_names(self) -> None:
        with pytest.raises(
            ValueError, match=r"Several bots .* have the name 'bot' \(test_bot.py:\d+ and test_bot.py:\d+\)"
        ):
            await start(Bot(), Bot(host="web"), Bot())


class TestSeveral:
    async def test_end_of_one_account_does_not_end_the_other(
        self, world: World, sandbox: SandboxCore, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.ERROR, "webwx.bot")
        journal = SqliteJournal(tmp_path / "both.journal", retention_days=0)

        def client() -> AsyncClient:
            return AsyncClient(
                server=SERVER, transport=Loopback(sandbox), clock=world.clock.now, journal=journal, store=LoginMemory()
            )

        async with client() as one, client() as other:
            await one.login(show_qr=phone_of(world))
            await other.login(show_qr=lambda _: (world.scan("ahua"), world.confirm()))
            bots = Bot(client=one, name="one", relogin=False), Bot(client=other, name="other")
            texts = [noting(bot) for bot in bots]
            task = asyncio.create_task(start(*bots))
            world.say("lilei", "me", "to one")
            world.say("lilei", "ahua", "to other")
            await until(lambda: texts == [["to one"], ["to other"]])
            world.log_out("me")
            await until(lambda: "one has ended; the other bots continue" in caplog.text)
            world.say("lilei", "ahua", "still here")
            await until(lambda: texts[1] == ["to other", "still here"])
            assert not task.done()
            task.cancel()
            with pytest.raises(LoggedOut):  # The first error, after all have ended.
                await task
        await journal.close()

    async def test_bots_that_share_a_login_log_in_once_when_it_ends(
        self, open_client: OpenClient, world: World, counted: Counted
    ) -> None:
        async with open_client() as client:
            bots = [
                Bot(client=client, name=name, show_qr=phone_of(world), on_push=lambda: world.confirm())
                for name in ("one", "other")
            ]
            texts = [noting(bot) for bot in bots]
            for bot in bots:
                async with client.subscribe(bot.name, follow=False):
                    pass  # Both consumers must exist before the first message.
            task = asyncio.create_task(start(*bots))
            world.say("ahua", "me", "before")
            await until(lambda: texts == [["before"], ["before"]])
            counted.calls.clear()
            world.log_out("me")
            await until(lambda: "webwxnewloginpage" in counted.calls)
            world.say("ahua", "me", "again")
            await until(lambda: texts == [["before", "again"]] * 2)
            assert counted.calls.count("webwxnewloginpage") == 1
            task.cancel()
            await asyncio.wait([task])

    async def test_second_cancellation_ends_bots_at_once(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            bot, called = Bot(client=client), asyncio.Event()

            @bot.on(TextMessage)
            async def hang(ctx: Context, message: TextMessage) -> None:
                called.set()
                await asyncio.Event().wait()

            task = asyncio.create_task(start(bot))
            world.say("ahua", "me", "hang")
            await called.wait()
            task.cancel()
            await let_others_run()
            assert not task.done()
            task.cancel()
            async with asyncio.timeout(8):
                await asyncio.wait([task])
            assert task.cancelled()


class TestRun:
    def test_no_bot_starts_while_its_program_is_loaded(self) -> None:
        one, other = Bot(), Bot(name="other")
        with loading() as found:
            one.run()
            run(other)
        assert found == [one, other]

    async def test_run_in_an_event_loop_names_the_coroutine_to_await(self) -> None:
        with pytest.raises(RuntimeError, match="await `start` instead"):
            Bot().run()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
    def test_signal_ends_the_bot_and_the_previous_signal_handler_is_restored(
        self, server: Server, tmp_path: Path, number: signal.Signals
    ) -> None:
        with program(server, tmp_path) as process:
            process.send_signal(number)
            output, errors = process.communicate(timeout=20)
        assert (process.returncode, output, errors) == (0, "ended well\n", "")

    def test_an_ignored_signal_stays_ignored(self, server: Server, tmp_path: Path) -> None:
        ignoring = (
            "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
        )
        with program(server, tmp_path, sys.executable, "-c", ignoring) as process:
            process.send_signal(signal.SIGINT)
            server.say("ahua", "answer me")
            wait_until(lambda: "answer me" in (tmp_path / "diary.jsonl").read_text("utf-8"), process)
            process.terminate()
            output, errors = process.communicate(timeout=20)
        assert (process.returncode, output, errors) == (0, "ended well\n", "")

    def test_the_third_signal_interrupts_a_blocked_loop_and_waits_for_no_handler(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DRAIN_TIMEOUT", "60")
        with program(server, tmp_path) as process:
            server.say("ahua", "block")
            wait_until((tmp_path / "diary.jsonl").read_text, process)
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.5)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=40)[1]
        assert process.returncode != 0
        assert "KeyboardInterrupt" in errors


def wait_until(is_so: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until a condition holds while a process runs."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def program(server: Server, folder: Path, *starter: str) -> Iterator[subprocess.Popen[str]]:
    """Start the program and yield it once it is ready; end it after the test in any case."""
    (folder / "diary.jsonl").touch()
    with subprocess.Popen(
        [*starter, sys.executable, PROGRAM, server.url, folder],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_names_that_bots_need_are_public() -> None:
    assert (webwx.Bot, webwx.run, webwx.start) == (Bot, run, start)
    assert Settings.__name__ not in webwx.__all__
