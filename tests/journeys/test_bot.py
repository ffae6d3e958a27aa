"""A bot of `webwx run` with timers and a failing handler, killed and started again, operated by commands only."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.journeys.served import PATIENCE, log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Started
    from tests.journeys.served import User

BOT = """
from webwx import Bot, TextMessage

bot = Bot(account="work")
parse = PARSE


@bot.timer()
async def remind(ctx, data):
    await ctx.reply(f"Time for {data['what']}.")


@bot.every(seconds=1)
async def tick(ctx):
    await ctx.send_text("filehelper", "tick")


@bot.on(TextMessage, regex="^tea in (.+)$")
async def tea(ctx, message):
    await ctx.call_later(remind, seconds=float(ctx.match[1]), data={"what": "tea"})
    await ctx.reply("I shall remind you.")


@bot.on(TextMessage)
async def count(ctx, message):
    await ctx.reply(f"twice that is {2 * parse(message.text)}")
"""


@contextmanager
def running(user: User, folder: Path, code: str) -> Iterator[Started]:
    """Run the bot in its own process until the end of the block."""
    (folder / "bot.py").write_text(code)
    with user.start_process("run", "bot.py", folder=folder) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "bot runs as" in line, process.communicate()
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def until(is_reached: Callable[[], bool]) -> None:
    """Wait until a condition is met."""
    deadline = time.monotonic() + PATIENCE
    while not is_reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_timers_and_dead_letters_survive_kills_and_a_repaired_handler_gets_the_event(
    user: User, tmp_path: Path
) -> None:
    def shown(text: str) -> int:
        """Return how often the phone shows a text."""
        return user.shown().count(text)

    log_in(user)
    with running(user, tmp_path, BOT.replace("PARSE", "int")) as process:
        user.write("tea in 0.5")
        until(lambda: shown("I shall remind you.") == 1)
        until(lambda: shown("Time for tea.") == 1)
        until(lambda: shown("tick") > 1)
        user.write("tea in 1")
        until(lambda: shown("I shall remind you.") == 2)
        process.kill()

    with running(user, tmp_path, BOT.replace("PARSE", "int")):
        until(lambda: shown("Time for tea.") == 2)
        user.write("five")
        until(lambda: "five" in user.run("journal", "dead", "--consumer", "bot", "--account", "work").stdout)
    (letter,) = user.run("journal", "dead", "--consumer", "bot", "--account", "work", "--json").lines
    assert letter["event"]["text"] == "five"

    with running(user, tmp_path, BOT.replace("PARSE", '{"five": 5}.__getitem__')):
        revived = user.run("journal", "revive", str(letter["event"]["number"]), "--account", "work")
        assert revived.code == 0, revived
        until(lambda: shown("twice that is 10") == 1)
    assert user.run("journal", "dead", "--consumer", "bot", "--account", "work", "--json").stdout == ""
    assert shown("Time for tea.") == 2
