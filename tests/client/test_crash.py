"""Processes that are killed or stopped, or have another clock, against a sandbox on a port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libfaketime
import pytest

from webwx.client.client import AsyncClient
from webwx.client.sending.call_limit import MOST_CALLS
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.serve import serve
from webwx.sandbox.world import SystemClock
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.forks import Forks

    from webwx.model.login import QrCode
    from webwx.sandbox.world import World
    from webwx.storage.tables.outbox import Outgoing

PROGRAM = Path(__file__).with_name("program.py")

PATIENCE = 30.0
"""Seconds for a process to print something or to end."""


class Stage:
    """A sandbox on a port, a saved login and a journal, and a program that uses both."""

    def __init__(self, url: str, world: World, folder: Path, forks: Forks) -> None:
        self.url = url
        self.world = world
        self.folder = folder
        self.journal = SqliteJournal(folder / "me.journal")
        self._forks = forks

    async def log_in(self) -> None:
        def confirm(_: QrCode) -> None:
            self.world.scan("me")
            self.world.confirm()

        async with self.client() as client:
            await client.login(show_qr=confirm)

    def client(self) -> AsyncClient:
        return AsyncClient(server=self.url, store=LoginFile(self.folder / "me.json"), journal=self.journal)

    async def start(self, what: str, moment: str = "", **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, PROGRAM, what, self.url, self.folder, moment,
            stdout=asyncio.subprocess.PIPE, env=os.environ | environment,
        )  # fmt: skip

    async def run(self, what: str, moment: str = "") -> tuple[int, list[dict[str, Any]]]:
        """Run the program to its end, and return its exit code and output."""
        arguments = [what, self.url, str(self.folder), moment]
        streams = (subprocess.DEVNULL, subprocess.PIPE, sys.__stderr__ or subprocess.DEVNULL)
        with self._forks.start(arguments, dict(os.environ), None, streams, program=PROGRAM) as fork:
            printed, _ = await asyncio.to_thread(fork.communicate, PATIENCE)
            return fork.wait(), [json.loads(line) for line in printed.splitlines()]

    async def find_send(self, key: str) -> Outgoing | None:
        """Read the outbox as another process would."""
        client = self.client()
        await client.resume()
        return await client.find_send(key=key)


@pytest.fixture
async def stage(make_world: Callable[..., World], tmp_path: Path, forks: Forks) -> AsyncIterator[Stage]:
    world = make_world(clock=SystemClock())
    served = await serve(SandboxCore(world))
    stage = Stage(served.url, world, tmp_path, forks)
    await stage.log_in()
    yield stage
    await stage.journal.close()
    await served.close()


@pytest.mark.parametrize("count", [5, 100], ids=["few", "many"])
async def test_after_a_kill_only_the_unfinished_message_is_redelivered(stage: Stage, count: int) -> None:
    texts = [*map(str, range(count - 1)), "end"]
    for text in texts:
        stage.world.say("ahua", "me", text)
    code, first = await stage.run("listen", "2")
    assert code == -signal.SIGKILL
    code, second = await stage.run("listen")
    assert code == 0

    assert [line["text"] for line in first] == ["0", "1", "2"]
    assert [line["text"] for line in second] == texts[2:]
    assert not any(line["redelivered"] for line in first)
    assert second[0]["redelivered"]


@pytest.mark.verify
async def test_twenty_kills_lose_nothing_and_every_repetition_is_marked(stage: Stage) -> None:
    texts = [str(number) for number in range(20)]
    all_lines: list[dict[str, Any]] = []
    for text in texts:
        stage.world.say("ahua", "me", text)
        code, lines = await stage.run("listen", text)
        assert code == -signal.SIGKILL
        all_lines += lines
    stage.world.say("ahua", "me", "end")
    all_lines += (await stage.run("listen"))[1]
    seen: set[str] = set()
    for line in all_lines:
        assert line["redelivered"] == (line["text"] in seen)
        seen.add(line["text"])

    assert seen == {*texts, "end"}


@pytest.mark.parametrize(
    ("moment", "key", "state"),
    [
        ("before webwxuploadmedia", "file", "queued"),
        ("after webwxuploadmedia", "file", "queued"),
        ("after webwxsendmsg", "text", "unknown"),
        ("after webwxsendappmsg", "file", "unknown"),
    ],
)
async def test_a_send_interrupted_by_a_kill_continues_with_its_id_or_stays_unknown(
    stage: Stage, moment: str, key: str, state: str
) -> None:
    code, _ = await stage.run("send", moment)
    assert code == -signal.SIGKILL
    killed = await stage.find_send(key)
    assert killed is not None
    assert killed.state == state
    code, lines = await stage.run("send")
    assert code == 0

    expected = {"unknown": True} if state == "unknown" else {"client_id": killed.client_id}
    assert {"kind": key, **expected} in lines
    received = stage.world.inbox("ahua")["xiaoming"].messages
    assert len(received) == 2  # The text and the file, once each.


async def test_a_kill_among_a_hundred_sends_leaves_at_most_as_many_unknown_as_may_be_in_flight(stage: Stage) -> None:
    code, _ = await stage.run("send at once", "after webwxsendmsg")
    assert code == -signal.SIGKILL
    async with stage.client() as client:
        await client.resume()
        begun = await client.list_sends("sending", "unknown")
    assert 0 < len(begun) <= MOST_CALLS
    received = {each.content.text for each in stage.world.inbox("ahua")["xiaoming"].messages}
    assert received <= {each.text for each in begun}


@pytest.mark.verify
async def test_a_process_that_was_stopped_for_a_long_time_gets_the_missed_messages(stage: Stage) -> None:
    stage.world.say("ahua", "me", "before")
    process = await stage.start("listen")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        await process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(3)  # A stop cannot be simulated for a shorter time.
        stage.world.say("ahua", "me", "end")
        process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(5):
            line = json.loads(await process.stdout.readline())
        await process.wait()

    assert line["text"] == "end"


@pytest.mark.verify
@pytest.mark.parametrize("offset", ["+3600", "-3600", "+86400", "-86400"])
async def test_a_wrong_clock_loses_no_message(stage: Stage, offset: str) -> None:
    for text in ("0", "1", "end"):
        stage.world.say("ahua", "me", text)
    stage.world.wind(60)
    _, library = libfaketime.get_reload_information()
    process = await stage.start("listen", FAKETIME=offset, **library)
    async with asyncio.timeout(PATIENCE):
        printed, _ = await process.communicate()
    lines = [json.loads(line) for line in printed.splitlines()]

    assert process.returncode == 0
    assert [line["text"] for line in lines] == ["0", "1", "end"]
    assert all(line["backlog"] for line in lines)
