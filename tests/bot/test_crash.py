"""Bots in other processes that are killed or stopped, against a sandbox on a port: which events are redelivered."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bot.conftest import Server
    from tests.forks import Fork, Forks
    from tests.secret_scanner import SecretScanner

PROGRAMS = [Path(__file__).with_name(name) for name in ("program.py", "bot_program.py")]
PATIENCE = 30.0


class Bot:
    """The program, which a test can start several times, and its log."""

    def __init__(
        self, program: Path, server: Server, folder: Path, secret_scanner: SecretScanner, forks: Forks
    ) -> None:
        self._program = program
        self._server = server
        self._folder = folder
        self._secret_scanner = secret_scanner
        self._forks = forks

    @contextmanager
    def running(self) -> Iterator[Fork]:
        """Start the program, and check that it has ended afterwards."""
        streams = (subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE)
        arguments = [self._server.url, str(self._folder)]
        with self._forks.start(arguments, dict(os.environ), None, streams, program=self._program) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield process
            finally:
                process.kill()
                _, errors = process.communicate(PATIENCE)
                self._secret_scanner.record("the bot's stderr", errors)

    @property
    def diary(self) -> list[dict[str, Any]]:
        path = self._folder / "diary.jsonl"
        if not path.exists():
            return []
        whole, _, _ = path.read_text("utf-8").rpartition("\n")  # The last line may be incomplete.
        return [json.loads(line) for line in whole.splitlines()]

    def calls(self, text: str) -> list[tuple[int, bool]]:
        """Return attempt and redelivery mark of each call for a text."""
        return [
            (each["attempt"], each["redelivered"])
            for each in self.diary
            if (each["what"], each["text"]) == ("called", text)
        ]

    def dead_letters(self) -> list[tuple[int, str]]:
        """Return number and error of each dead letter, read from the journal as another process does."""

        async def read() -> list[tuple[int, str]]:
            journal = SqliteJournal(self._folder / "me.journal")
            (uin,) = await journal.accounts()
            letters = await journal.account(uin).dead_letters("bot")
            await journal.close()
            return [(letter.entry.number, letter.error) for letter in letters]

        return asyncio.run(read())

    def revive(self, number: int) -> bool:
        """Revive a dead letter, as another process does."""

        async def write() -> bool:
            journal = SqliteJournal(self._folder / "me.journal")
            (uin,) = await journal.accounts()
            is_one = await journal.account(uin).revive("bot", number)
            await journal.close()
            return is_one

        return asyncio.run(write())

    def number(self, text: str) -> int:
        """Return the number of a text's event."""
        return next(int(each["number"]) for each in self.diary if each["text"] == text)

    def done(self, text: str) -> int:
        return sum((each["what"], each["text"]) == ("done", text) for each in self.diary)

    def wait(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, self.diary[-5:]
            time.sleep(0.01)

    def check(self, texts: dict[str, list[str]]) -> dict[str, int]:
        """Check that all events were acknowledged in order, and that each repeated call is marked as redelivered."""
        diary = self.diary
        seen: set[str] = set()
        repeated = 0
        for each in diary:
            if each["what"] == "called":
                if each["text"] in seen:
                    repeated += 1
                    assert each["redelivered"], each
                    assert each["attempt"] >= 2, each
                seen.add(each["text"])
        for sent in texts.values():
            assert set(sent) <= {each["text"] for each in diary if each["what"] == "done"}
            firsts = list(dict.fromkeys(each["text"] for each in diary if each["text"] in set(sent)))
            assert sent == firsts
        return {"texts": sum(map(len, texts.values())), "calls": sum(each["what"] == "called" for each in diary),
                "called_again": repeated}  # fmt: skip


@pytest.fixture(params=PROGRAMS, ids=["deliver", "bot"])
def bot(
    request: pytest.FixtureRequest, server: Server, tmp_path: Path, secret_scanner: SecretScanner, forks: Forks
) -> Bot:
    return Bot(request.param, server, tmp_path, secret_scanner, forks)


def test_a_message_is_redelivered_after_a_kill_in_its_handler_and_the_previous_one_is_not(
    bot: Bot, server: Server
) -> None:
    with bot.running() as process:
        server.say("ahua", "answer before")
        bot.wait(lambda: bot.done("answer before") == 1)
        server.say("ahua", "hang")
        bot.wait(lambda: len(bot.calls("hang")) == 1)
        for text in ("meanwhile", "and then"):  # Each has the acknowledgement of the one before.
            server.say("lilei", text)
            bot.wait(lambda: bot.done(text) == 1)  # noqa: B023 - called before the next turn
        process.kill()
    with bot.running():
        bot.wait(lambda: len(bot.calls("hang")) == 2)
        server.say("lilei", "after")
        bot.wait(lambda: bot.done("after") == 1)
    assert bot.calls("answer before") == bot.calls("meanwhile") == [(1, False)]
    first, second = bot.calls("hang")
    assert first == (1, False)
    assert second[0] >= 2
    assert second[1]
    assert server.answers("ahua") == ["re: answer before"]


def die(bot: Bot) -> None:
    """Run the program until an event kills it."""
    with bot.running() as process:
        assert process.wait(PATIENCE) == -signal.SIGKILL


def test_only_an_event_that_always_kills_its_process_becomes_a_dead_letter(bot: Bot, server: Server) -> None:
    with bot.running():
        server.say("ahua", "before")
        bot.wait(lambda: bot.done("before") == 1)
    said = [("lilei", "slow 1"), ("ahua", "die"), ("zhangsan", "slow 2"), ("ahua", "behind"), ("lilei", "slow 3")]
    for sender, text in said:
        server.say(sender, text)
    for _ in range(3):
        die(bot)
    with bot.running():
        bot.wait(lambda: all(bot.done(text) for _, text in said if text != "die"))
        assert bot.calls("die") == [(1, False), (2, True), (3, True)]
        assert bot.dead_letters() == [(bot.number("die"), "the process crashed 3 times while it was handled")]
    if sys.platform == "linux":  # entries are marked where a boot of the machine has a name
        assert bot.calls("behind") == [(1, False)]


@pytest.mark.skipif(sys.platform != "linux", reason="entries are marked where a boot of the machine has a name")
def test_after_a_kill_only_events_in_handlers_are_redelivered(bot: Bot, server: Server) -> None:
    with bot.running():
        server.say("ahua", "before")
        bot.wait(lambda: bot.done("before") == 1)
    for number in range(40):
        server.say("lilei", "hang" if number == 20 else f"first {number}")  # Those behind it wait at each kill.
    server.say("ahua", "die")
    for number in range(40):
        server.say("zhangsan", f"then {number}")
    called: set[str] = set()
    for _ in range(2):
        before = len(bot.diary)
        die(bot)
        done = {each["text"] for each in bot.diary[:before] if each["what"] == "done"}
        calls = [each for each in bot.diary[before:] if each["what"] == "called"]
        again = {each["text"] for each in calls if each["redelivered"]}
        # A thread may end the process when the handler on the event loop has just noted that it is done.
        assert len({each["text"] for each in calls} & done) <= 1
        assert {each["text"] for each in calls} & done <= again
        assert again >= {each["text"] for each in calls if each["text"] in called}
        # A thread may end the process just when the handlers of the two other chats are called.
        assert len(again - called) <= 2
        called |= {each["text"] for each in calls}
    assert "first 21" not in called


@pytest.mark.verify
def test_revived_event_that_crashes_again_does_so_twice_more(bot: Bot, server: Server) -> None:
    with bot.running():
        server.say("lilei", "before")
        bot.wait(lambda: bot.done("before") == 1)
    server.say("ahua", "die")
    for _ in range(3):
        die(bot)
    with bot.running() as process:
        bot.wait(lambda: len(bot.dead_letters()) == 1)
        assert bot.revive(bot.number("die"))
        assert process.wait(PATIENCE) == -signal.SIGKILL  # It reached the running process.
    die(bot)
    with bot.running():
        bot.wait(lambda: len(bot.dead_letters()) == 1)
        server.say("ahua", "after")
        bot.wait(lambda: bot.done("after") == 1)
    assert len(bot.calls("die")) == 5


@pytest.mark.verify
def test_handler_that_hangs_at_the_same_time_is_not_given_up(bot: Bot, server: Server) -> None:
    with bot.running():
        server.say("zhangsan", "before")
        bot.wait(lambda: bot.done("before") == 1)
    server.say("lilei", "hang")
    server.say("ahua", "die")
    for _ in range(3):
        die(bot)
    with bot.running():
        server.say("ahua", "after")
        bot.wait(lambda: bot.done("after") == 1)
        assert [number for number, _ in bot.dead_letters()] == [bot.number("die")]
    assert len(bot.calls("hang")) == 4


@pytest.fixture
def endless_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a program that ends wait for its handlers without a limit, so that only their end or a signal ends it."""
    monkeypatch.setenv("DRAIN_TIMEOUT", "3600")


def end(process: Fork) -> None:
    """End a process, and wait until it has ended with exit code 0."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


@pytest.mark.verify
@pytest.mark.usefixtures("endless_drain")
def test_end_under_load_waits_for_its_handlers_and_loses_nothing(bot: Bot, server: Server) -> None:
    texts: dict[str, list[str]] = {"ahua": [], "lilei": [], "zhangsan": []}

    def load(count: int) -> None:
        for number in range(count):
            for sender, said in texts.items():
                said.append(f"slow {sender} {len(said)}" if number % 2 else f"answer {sender} {len(said)}")
                server.say(sender, said[-1])

    with bot.running() as process:
        load(20)
        end(process)
    load(5)
    with bot.running() as process:
        load(5)
        bot.wait(lambda: all(bot.done(text) for said in texts.values() for text in said))
        end(process)
    bot.check(texts)
    for sender, said in texts.items():
        assert [f"re: {text}" for text in said if text.startswith("answer")] == server.answers(sender)


@pytest.mark.verify
@pytest.mark.usefixtures("endless_drain")
def test_second_signal_ends_at_once_and_running_events_are_redelivered(bot: Bot, server: Server) -> None:
    with bot.running() as process:
        server.say("ahua", "done")
        server.say("lilei", "hang")
        bot.wait(lambda: bot.done("done") == 1 and len(bot.calls("hang")) == 1)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # Another process, which has no virtual clock.
        assert process.poll() is None
        end(process)
    with bot.running():
        bot.wait(lambda: len(bot.calls("hang")) == 2)
    assert bot.calls("done") == [(1, False)]
    assert bot.calls("hang")[1][1]


@pytest.mark.verify
def test_a_handler_that_hangs_is_cancelled_after_a_limit(
    bot: Bot, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIN_TIMEOUT", "2")
    with bot.running() as process:
        server.say("lilei", "hang")
        bot.wait(lambda: len(bot.calls("hang")) == 1)
        begun = time.monotonic()
        end(process)
        assert time.monotonic() - begun >= 2
    with bot.running():
        bot.wait(lambda: len(bot.calls("hang")) == 2)
    assert bot.calls("hang")[1][1]


@pytest.mark.verify
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("endless_drain")
@pytest.mark.parametrize("bot", PROGRAMS[1:], indirect=True, ids=["bot"])
def test_sigterm_at_random_moments_under_load_loses_nothing_and_answers_nothing_twice(bot: Bot, server: Server) -> None:
    """The soak test does the same with `deliver`, and much more often."""
    dice = random.Random(13)
    texts: dict[str, list[str]] = {"ahua": [], "lilei": [], "zhangsan": []}
    for _ in range(10):
        with bot.running() as process:
            for _ in range(dice.randrange(5, 15)):
                sender = dice.choice(list(texts))
                texts[sender].append(f"{dice.choice(['slow', 'answer', 'note'])} {sender} {len(texts[sender])}")
                server.say(sender, texts[sender][-1])
            time.sleep(dice.random() * 0.05)  # Another process, which has no virtual clock.
            end(process)
    with bot.running() as process:
        bot.wait(lambda: all(bot.done(text) for said in texts.values() for text in said))
        end(process)
    bot.check(texts)
    for sender, said in texts.items():
        assert [f"re: {text}" for text in said if text.startswith("answer")] == server.answers(sender)
