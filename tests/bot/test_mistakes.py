"""
Mistakes of people who write their first bot: each is reported with its place and a next step.

A program's last marked line, `# here`, is the place that has to be named.
"""

from __future__ import annotations

import gc
import re
import sys
import warnings
from typing import TYPE_CHECKING, NamedTuple

import pytest

from webwx.bot.bot import check
from webwx.cli.bots.run import load
from webwx.cli.exits import CommandFailed, explain
from webwx.cli.logs import format_warning
from webwx.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from webwx.bot.bot import Bot
    from webwx.testing import Clock, PhoneUser, Sandbox

BEGIN = """
import msgspec
from webwx import AsyncClient, Bot, MessageRecalled, Router, Step, Steps, TextMessage

bot = Bot()


class Survey(Steps):
    age = Step()

"""


class Mistake(NamedTuple):
    """A program with a mistake, and what has to be said about it."""

    program: str
    """The rest of the program; the line with `# here` is the place."""
    said: str
    """A pattern of the sentence with the next step."""


def handler(*lines: str) -> str:
    """Return a handler of the text `go`, with these lines."""
    body = "\n".join(f"    {line}" for line in lines)
    return f"@bot.on(TextMessage, text='go')\nasync def go(ctx, message):\n{body}\n"


LOADED = {
    "a module that is not installed": Mistake("import pandaz  # here", "install the package .* 'pandaz'"),
    "a name that webwx does not have": Mistake(
        "from webwx import TextMesage  # here", "write 'TextMessage' in this line"
    ),
    "a missing colon": Mistake("def go(ctx, message)  # here\n    pass", "expected ':'"),
    "the class of events as a text": Mistake(
        "@bot.on('text_message')  # here\ndef go(ctx, m): ...", "mean TextMessage"
    ),
    "an unknown keyword": Mistake("@bot.on(TextMessage, txt='go')  # here\ndef go(ctx, m): ...", "it has text="),
    "a number as the text": Mistake("@bot.on(TextMessage, text=5)  # here\ndef go(ctx, m): ...", "give a text"),
    "a broken pattern": Mistake("@bot.on(TextMessage, regex='(')  # here\ndef go(ctx, m): ...", r"missing \)"),
    "a handler without the message": Mistake("@bot.on(TextMessage)  # here\ndef go(ctx): ...", "context and an event"),
    "an interval without a unit": Mistake("@bot.every(5)  # here\ndef go(ctx): ...", r"every\(minutes=5\)"),
    "a time with a dot": Mistake("@bot.daily('8.30')  # here\ndef go(ctx): ...", "one like '08:30'"),
    "a timer without parentheses": Mistake("@bot.timer  # here\ndef go(ctx, data): ...", r"write @bot\.timer\(\)"),
    "a step as a text": Mistake("@bot.on(state='Survey.age')  # here\ndef go(ctx, m): ...", "give a step"),
    "plain middleware": Mistake("@bot.middleware  # here\ndef go(ctx, e, proceed): ...", "write `async def go`"),
    "a module as a router": Mistake("import json\nbot.include(json)  # here", "takes a router, such as"),
    "a type that no word has": Mistake("@bot.on(command='x')  # here\ndef go(ctx, m, a: dict): ...", "after a `\\*`"),
    "an event without that field": Mistake("@bot.on(Event, regexp='x')  # here\ndef go(ctx, m): ...", "'Event'"),
    "an error handler with two arguments": Mistake(
        "@bot.on_error  # here\ndef go(ctx, error): ...", "an event and an error"
    ),
    "an await outside of a function": Mistake("await bot.start()  # here", "'await' outside function"),
}

STARTED = {
    "a decorator without parentheses": Mistake("@bot.on  # here\nasync def go(ctx, message): ...", r"write `@bot\.on"),
    "a value that nothing provides": Mistake(
        "@bot.on(TextMessage)  # here\nasync def go(ctx, message, *, db): ...", r"call provide\(db=…\)"
    ),
    "two handlers of one command": Mistake(
        "@bot.on(command='x')\ndef one(ctx, m): ...\n@bot.on(command='x')  # here\ndef two(ctx, m): ...",
        "of them another command",
    ),
    "a command with its prefix": Mistake("@bot.on(command='/x')  # here\ndef go(ctx, m): ...", "its name without it"),
    "two bots of one name": Mistake("other = Bot()  # here", "give each its own with name="),
}

HANDLED = {
    "two handlers of one name": Mistake(
        "@bot.on(TextMessage, text='stop')\ndef go(ctx, m): ...\n@bot.on(TextMessage)  # here\ndef go(ctx, m): ...",
        "give each function its own name",
    ),
    "a call without await": Mistake(handler("ctx.reply('x')  # here"), "write `await` before the call"),
    "a coroutine as the result": Mistake(
        "@bot.on(TextMessage)  # here\nasync def go(ctx, message):\n    return ctx.reply('x')", "write `await` before"
    ),
    "a plain handler that calls an asynchronous function": Mistake(
        "async def work(): ...\n@bot.on(TextMessage)  # here\ndef go(ctx, message):\n    return work()",
        "write it as `async def`",
    ),
    "an unknown attribute of a message": Mistake(
        handler("await ctx.reply(message.txt)  # here"), "did you mean 'text'"
    ),
    "an unknown method of the context": Mistake(handler("await ctx.repyl('x')  # here"), "did you mean 'reply'"),
    "a method of the context called on the message": Mistake(
        handler("await message.reply('x')  # here"), r"the context has it: ctx\.reply"
    ),
    "an unknown name": Mistake(handler("await ctx.reply(tetx)  # here"), "the name 'tetx' has no value"),
    "an unknown keyword of a method": Mistake(handler("await ctx.reply(txt='x')  # here"), "Run with --debug"),
    "a number as a reply": Mistake(handler("await ctx.reply(5)  # here"), r"convert it, as in str\(value\)"),
    "an empty reply": Mistake(handler("await ctx.reply('')  # here"), "There is no text to send"),
    "a recipient that does not exist": Mistake(
        handler("await ctx.send_text('no one there', 'x')  # here"), "No contact is named '…' .*; list the contacts"
    ),
    "a file that does not exist": Mistake(handler("await ctx.reply_file('no.txt')  # here"), "No such file"),
    "bytes that are no picture": Mistake(handler("await ctx.reply_image(b'x')  # here"), "use JPEG, PNG"),
    "an unregistered one-shot timer": Mistake(
        handler("await ctx.call_later(go, minutes=1)  # here"), r"write @bot\.timer\(\) above it"
    ),
    "a delay without a unit": Mistake(handler("await ctx.call_later(go, 1)  # here"), r"\(remind, minutes=10\)"),
    "a step by its name": Mistake(handler("await ctx.state.set_step('Survey.age')  # here"), "such as Survey.age"),
    "a list as the values of a state": Mistake(
        handler("await ctx.state.set_values([1])  # here"), "a dict or a struct"
    ),
    "values that JSON cannot hold": Mistake(
        handler("await ctx.state.update_values(bot=bot)  # here"), "Store texts, numbers"
    ),
    "a field of a state without a default": Mistake(
        "class A(msgspec.Struct):\n    age: int\n" + handler("await ctx.state.get_values(A)  # here"),
        "each of its fields a default",
    ),
    "a value of a state that is not there": Mistake(
        handler("(await ctx.state.get_values(dict))['age']  # here"), "Run with --debug"
    ),
    "an account that no bot serves": Mistake(
        handler("await ctx.account('work').send_text('filehelper', 'x')  # here"), "Pass a bot with this account="
    ),
    "a client that was closed": Mistake(
        "other = AsyncClient()\n" + handler("await other.close()", "await other.send_text('filehelper', 'x')  # here"),
        "log in first",
    ),
    "a message as the recipient": Mistake(handler("await ctx.send_text(message, 'x')  # here"), "is its field chat"),
    "an address as a picture": Mistake(handler("await ctx.reply_image('https://a.b/c.png')  # here"), "download it"),
    "an object as a file": Mistake(handler("await ctx.reply_file(object())  # here"), "a path, bytes or a stream"),
    "a recall of a text": Mistake(handler("await ctx.recall('x')  # here"), "Only the receipt of a send"),
    "a time as a text": Mistake(handler("await ctx.call_at(go, '08:30')  # here"), "takes a datetime"),
    "an error in a group of tasks": Mistake(
        "import asyncio\nasync def work():\n    await asyncio.sleep(0)\n    work.missing  # here\n"
        + handler("async with asyncio.TaskGroup() as group:", "    group.create_task(work())"),
        "has no attribute 'missing'",
    ),
    "an await of a plain function": Mistake("def work(): ...\n" + handler("await work()  # here"), "Run with --debug"),
}


class Program(NamedTuple):
    """A program on disk."""

    path: Path
    place: str
    """File and line of the mistake."""


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[Mistake], Program]]:
    """Write a program with a mistake; its module is forgotten at the end."""
    before = set(sys.modules), list(sys.path)

    def written(mistake: Mistake) -> Program:
        text = BEGIN + mistake.program + "\n"
        path = tmp_path / "bot.py"
        path.write_text(text)
        (line,) = [number for number, each in enumerate(text.splitlines(), 1) if "# here" in each]
        return Program(path, f"bot.py:{line}")

    yield written
    for name in set(sys.modules) - before[0]:
        if getattr(sys.modules[name], "__file__", None) == str(tmp_path / "bot.py"):
            del sys.modules[name]
    sys.path[:] = before[1]


class _Session:
    """The part of a command's session that loads a program."""

    def __init__(self) -> None:
        self.output = Output(as_json=False)


def loaded(program: Program) -> list[Bot]:
    return list(load(_Session(), program.path).values())  # type: ignore[arg-type]  # it uses the output only


@pytest.mark.parametrize("name", LOADED)
def test_a_mistake_is_reported_when_the_program_is_loaded(
    name: str, write: Callable[[Mistake], Program], capsys: pytest.CaptureFixture[str]
) -> None:
    program = write(LOADED[name])
    with pytest.raises(CommandFailed) as failure:
        loaded(program)
    said = f"{capsys.readouterr().err}\n{explain(failure.value)[1]}"
    assert program.place in said.splitlines()[-1]
    assert re.search(LOADED[name].said, said)
    assert "/src/webwx/bot/" not in said  # Frames of webwx are folded.


@pytest.mark.parametrize("name", STARTED)
def test_a_mistake_is_reported_when_the_bot_starts(name: str, write: Callable[[Mistake], Program]) -> None:
    program = write(STARTED[name])
    with pytest.raises((TypeError, ValueError), match=STARTED[name].said) as error:
        check(*loaded(program))
    assert program.place in str(error.value)


@pytest.mark.parametrize("name", HANDLED)
def test_a_mistake_is_reported_when_a_message_arrives(
    name: str,
    write: Callable[[Mistake], Program],
    webwx_sandbox: Sandbox,
    webwx_friend: PhoneUser,
    webwx_clock: Clock,
) -> None:
    program = write(HANDLED[name])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with webwx_sandbox.running(*loaded(program)) as running:
            webwx_friend.say("go")
            webwx_clock.wind(seconds=10)
            gc.collect()
            said = "\n".join(running.warnings)
    said += "".join(format_warning(each.message, each.category, each.filename, each.lineno) for each in warned)
    assert program.place in said
    assert re.search(HANDLED[name].said, said)
