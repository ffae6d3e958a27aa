"""`webwx run`: bots in their own process, from the file to the end."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import Shell, running_sandbox

from webwx.cli.bots.run import as_environment, split_target
from webwx.cli.exits import BadInput
from webwx.cli.option_values import OptionValues

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Sandbox, Started
    from tests.forks import Fork, Forks
    from tests.secret_scanner import SecretScanner

PONG = """
from webwx import Bot, TextMessage

bot = Bot()


@bot.on(TextMessage, text="ping")
async def pong(ctx, message):
    await ctx.reply("pong")
    print("answered", flush=True)


@bot.every(hours=1)
def tick(ctx):
    pass


if __name__ == "__main__":
    bot.run()
"""


class Running:
    """A running `webwx run`, which is stopped at the end of its block."""

    rest = ("", "")
    """The rest of its stdout and stderr, once it has ended."""

    def __init__(self, process: Started | Fork) -> None:
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.pid = process.pid

    def line(self) -> str:
        """Return the next line that it prints."""
        return self.stdout.readline().rstrip("\n")

    def wait_for(self, words: str) -> str:
        """Return its log up to the line with these words."""
        log = ""
        while words not in log:
            log += (line := self.stderr.readline())
            assert line, log
        return log


@contextmanager
def running(shell: Shell, *arguments: str) -> Iterator[Running]:
    """Run a command, and check that it ends with success."""
    with shell.start("run", *arguments) as process:
        run = Running(process)
        try:
            yield run
        finally:
            process.terminate()
            run.rest = process.communicate(timeout=20)
        assert process.returncode == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a bot that answers `ping`."""
    path = tmp_path / "folder" / "bot.py"
    path.parent.mkdir()
    path.write_text(PONG)
    return path


# -- running ---------------------------------------------------------------------------------------------------------


def test_the_bot_of_a_file_runs_and_is_reported_in_one_line(me: Shell, sandbox: Sandbox, file: Path) -> None:
    with running(me, str(file)) as process:
        assert process.line() == "bot runs as 小明 (web) with 1 handler and 1 timer."
        sandbox.say("ahua", "me", "ping")
        assert process.line() == "answered"
        assert sandbox.chat("ahua", "xiaoming")["messages"][-1]["text"] == "pong"
    assert process.rest == ("", "")


COUNTING = """
import gc
from webwx import Bot, TextMessage

bot, exempt = Bot(), gc.get_freeze_count()


@bot.on(TextMessage)
async def count(ctx, message):
    print(gc.get_freeze_count() > exempt, flush=True)
"""


def test_collections_do_not_visit_what_was_there_at_the_start(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(COUNTING)
    with running(me, str(file)) as process:
        process.line()
        sandbox.say("ahua", "me", "ping")
        assert process.line() == "True"


def test_collections_visit_what_a_later_login_has_made(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(COUNTING.replace("gc.get_freeze_count() > exempt", "gc.get_freeze_count()"))
    with running(me, str(file)) as process:
        process.line()
        sandbox.say("ahua", "me", "ping")
        exempt = int(process.line())
        sandbox.control("log-out", who="me")
        process.wait_for("on your phone")
        sandbox.control("confirm", uuid="")
        assert process.line().startswith("bot runs as")
        sandbox.say("ahua", "me", "ping")
        assert int(process.line()) <= exempt


def test_the_line_has_stable_keys(me: Shell, file: Path) -> None:
    with running(me, str(file), "--json") as process:
        line = json.loads(process.line())
    assert list(line) == ["bot", "nickname", "id", "host", "handlers", "timers"]
    assert (line["bot"], line["nickname"], line["handlers"], line["timers"]) == ("bot", "小明", 1, 1)


def test_an_outage_and_a_new_login_are_one_line_each(me: Shell, sandbox: Sandbox, file: Path) -> None:
    with running(me, str(file)) as process:
        process.line()
        sandbox.control("faults", fault="status", endpoint="synccheck")
        sandbox.say("ahua", "me", "ping")
        log = process.wait_for("bot: The connection is lost; the client retries: ")
        sandbox.control("faults/reset", now=True)
        sandbox.say("ahua", "me", "ping")
        log += process.wait_for("bot: The connection is restored.\n")
        sandbox.control("log-out", who="me")
        log += process.wait_for("on your phone")
        sandbox.control("confirm", uuid="")
        log += process.wait_for("bot: Logged in again.\n")
    assert [log.count(word) for word in ("is lost", "is restored", "Logged in again.")] == [1, 1, 1]


def test_running_handlers_end_before_the_process(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(
        PONG.replace(
            'await ctx.reply("pong")',
            'import asyncio; print("begun", flush=True); await asyncio.sleep(0.3); await ctx.reply("pong")',
        )
    )
    with running(me, str(file)) as process:
        process.line()
        sandbox.say("ahua", "me", "ping")
        assert process.line() == "begun"
    assert process.rest == ("answered\n", "")


def test_without_a_login_a_code_is_shown_on_stderr(shell: Shell, sandbox: Sandbox, file: Path) -> None:
    with running(shell, str(file)) as process:
        assert "█" in process.wait_for("Scan this")
        sandbox.control("scan", who="me")
        sandbox.control("confirm", uuid="")
        assert process.line().startswith("bot runs as 小明 ")


def test_the_options_choose_the_account_of_a_bot_that_names_none(me: Shell, friend: object, file: Path) -> None:
    with running(me, str(file), "--account", "friend") as process:
        assert process.line().startswith("bot runs as 阿华 ")
    with running(me, str(file)) as process:
        assert process.line().startswith("bot runs as 小明 ")


def test_a_bot_that_names_its_account_keeps_it(me: Shell, friend: object, file: Path) -> None:
    file.write_text(PONG.replace("Bot()", 'Bot(account="friend")'))
    with running(me, str(file), "--account", "default") as process:
        assert process.line().startswith("bot runs as 阿华 ")


def test_several_bots_of_a_file_run_and_a_name_selects_one(me: Shell, friend: object, file: Path) -> None:
    file.write_text(PONG.replace("bot = Bot()", 'bot = Bot()\nsecond = Bot(account="friend", name="two")'))
    (other := file.with_name("other.py")).write_text(PONG.replace("Bot()", 'Bot(name="three")'))
    with running(me, str(file), str(other)) as process:
        assert {process.line().split(" (")[0] for _ in range(3)} == {
            "bot runs as 小明", "two runs as 阿华", "three runs as 小明",
        }  # fmt: skip
    with running(me, f"{file}:second", str(file.with_name("other.py:bot"))) as process:
        assert {process.line().split(" (")[0] for _ in range(2)} == {"two runs as 阿华", "three runs as 小明"}


def test_a_second_process_of_the_same_login_is_refused_and_names_the_first(me: Shell, file: Path) -> None:
    with running(me, str(file)) as process:
        process.line()
        done = me.run("run", str(file))
    assert done.code == 3
    assert (done.stdout, f"(pid {process.pid})" in done.sentence) == ("", True)


# -- the log ---------------------------------------------------------------------------------------------------------

FAILING = """
import logging

from webwx import Bot, TextMessage

bot = Bot(attempts=1)


@bot.on(TextMessage)
async def price(ctx, message):
    logging.getLogger("shop").info("asked for a price")
    {"tea": 5}[message.text]
"""


def test_the_traceback_of_a_handler_and_the_programs_own_log_are_shown(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(FAILING)
    with running(me, str(file)) as process:
        process.line()
        sandbox.say("ahua", "me", "secret")
        log = process.wait_for("\nKeyError\n")
    assert " INFO shop: asked for a price\n" in log
    assert f'  File "{file}", line 12, in price\n    {{"tea": 5}}[message.text]\n' in log
    assert "secret" not in log


def test_debug_shows_each_event_and_the_messages_of_exceptions(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(FAILING)
    with running(me, str(file), "--debug") as process:
        process.line()
        sandbox.say("ahua", "me", "secret")
        log = process.wait_for("KeyError: 'secret'\n")
    assert re.search(r"event \d+ message\.text from 阿华 -> price failed, \d+ ms", log)


def test_a_program_that_configures_logging_keeps_its_configuration(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text("import logging\nlogging.basicConfig(format='MINE %(message)s', level='INFO')\n" + FAILING)
    with running(me, str(file)) as process:
        process.line()
        sandbox.say("ahua", "me", "secret")
        log = process.wait_for("\nKeyError\n")
    assert log.startswith("MINE asked for a price\nMINE bot: event ")


def test_handlers_that_can_never_be_called_on_this_host_are_named(
    tmp_path: Path, secret_scanner: SecretScanner, forks: Forks
) -> None:
    file = tmp_path / "bot.py"
    file.write_text(
        "from webwx import Bot, TextMessage\n\nbot = Bot()\n\n\n@bot.on(TextMessage, group=True)\n"
        "async def welcome(ctx, message): ...\n"
    )
    with running_sandbox(forks, "--auto-confirm") as sandbox:
        shell = Shell(tmp_path / "home", sandbox.url, secret_scanner.record, forks)
        with running(shell, str(file), "--host", "filehelper") as process:
            log = process.wait_for("welcome is never called here")
        assert "this login is File Transfer Helper web, where group=True needs a chatroom" in log
        done = shell.run("send", "阿华", "hi", "--host", "filehelper")
    assert done.code == 2
    assert done.sentence == (
        "webwx: File Transfer Helper web has one chat, 'filehelper', and no contact '阿华'; "
        "to write to contacts, log in with host 'web', if this account may use it."
    )


# -- the file --------------------------------------------------------------------------------------------------------


def test_a_file_imports_files_beside_it_and_is_imported_only_once(me: Shell, file: Path) -> None:
    file.write_text("import bot_parts\n" + PONG + "\nassert bot_parts.there() is bot\n")
    file.with_name("bot_parts.py").write_text("def there():\n    import bot\n    return bot.bot\n")
    with running(me, str(file)) as process:
        assert process.line().startswith("bot runs as ")


def test_a_bot_that_the_file_itself_runs_is_run_once(me: Shell, file: Path) -> None:
    file.write_text(PONG.replace('if __name__ == "__main__":\n    bot.run()', "bot.run()\nprint('loaded')"))
    with running(me, str(file)) as process:
        assert process.line() == "loaded"
        assert process.line().startswith("bot runs as ")
    assert process.rest == ("", "")


def test_a_file_with_the_name_of_a_module_does_not_hide_it(me: Shell, file: Path) -> None:
    (taken := file.with_name("asyncio.py")).write_text(PONG)
    with running(me, str(taken)) as process:
        assert process.line().startswith("bot runs as ")


def test_the_traceback_of_a_file_begins_with_its_own_line(shell: Shell, file: Path) -> None:
    file.write_text("def build():\n    raise KeyError('token')\n\n\nbuild()\n")
    done = shell.run("run", str(file))
    assert (done.code, done.stdout) == (1, "")
    first, place, *_, error, sentence = done.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert place == f'  File "{file}", line 5, in <module>'
    assert error == "KeyError: 'token'"
    assert sentence == "webwx: bot.py cannot be run: KeyError at bot.py:2; see above, and correct this line."


def test_a_syntax_error_is_shown_as_python_shows_it(shell: Shell, file: Path) -> None:
    file.write_text("x = (\n")
    done = shell.run("run", str(file))
    assert done.code == 1
    assert done.stderr.splitlines()[0] == f'  File "{file}", line 1'
    assert "SyntaxError: '(' was never closed" in done.stderr


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        ("x = 1\n", "", "bot.py creates no Bot; add a line such as 'bot = Bot()'."),
        (PONG, ":tick", "bot.py has no Bot 'tick'; it has 'bot'."),
        (
            PONG + "\nagain = Bot()\n",
            "",
            "Several bots of one account have the name 'bot' (bot.py:4 and bot.py:21); give each its own with name=.",
        ),
        (
            "from webwx import Bot\nbot = Bot()\n@bot.on()\nasync def buy(ctx, message, *, shop): ...\n",
            "",
            "No value is provided for the parameter 'shop' of buy at bot.py:3; call provide(shop=…) of the bot or of "
            "the router, or give it a default.",
        ),
    ],
)
def test_a_file_without_the_bot_is_an_error_in_one_sentence(
    me: Shell, file: Path, text: str, name: str, sentence: str
) -> None:
    file.write_text(text)
    done = me.run("run", f"{file}{name}")
    assert (done.code, done.sentence) == (2, f"webwx: {sentence}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nope.py",), "File 'nope.py' does not exist."),
        ((".",), "File '.' does not exist."),
        ((__file__, "--on-logout", "no-such-program now"), "cannot run 'no-such-program': the program does not exist."),
        ((__file__, "--on-logout", "echo 'open"), "--on-logout is not a command; check its quotes."),
        ((__file__, "--on-logout", ""), "--on-logout is not a command; check its quotes."),
        ((__file__, "--proxy", "nonsense"), "The proxy's address is invalid"),
        ((__file__, "--account", "../other"), "cannot name an account"),
    ],
)
def test_wrong_usage_is_reported_before_the_file_is_loaded(
    shell: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    done = shell.run("run", *arguments)
    assert done.code == 2
    assert sentence in done.sentence


def test_a_file_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    (path := tmp_path / "my:bot").write_text("")
    assert split_target(str(path)) == (path, "")
    assert split_target(f"{path}:name") == (path, "name")
    with pytest.raises(BadInput, match="does not exist"):
        split_target(str(tmp_path / "my"))


def test_options_that_are_not_given_do_not_change_the_environment() -> None:
    assert as_environment(OptionValues()) == {}
    given = OptionValues(server="http://127.0.0.1:8790", account="work", proxy="http://127.0.0.1:1", host="web")
    assert sorted(as_environment(given)) == ["WEBWX_ACCOUNT", "WEBWX_HOST", "WEBWX_PROXY", "WEBWX_SERVER"]


def test_names_of_files_are_completed(shell: Shell) -> None:
    done = shell.run(COMP_WORDS="webwx run b", COMP_CWORD="2", _WEBWX_COMPLETE="bash_complete")
    assert done.stdout.split() == ["file,b"]


# -- the end of a login ----------------------------------------------------------------------------------------------


def test_a_command_is_run_when_the_login_ends(me: Shell, sandbox: Sandbox, file: Path) -> None:
    note = file.with_name("note")
    write = "import os, sys; open(sys.argv[1], 'a').write(' '.join(os.environ[f'WEBWX_{n}'] for n in sys.argv[2:]))"
    command = shlex.join([sys.executable, "-c", write, str(note), "REASON", "ACCOUNT"])
    file.write_text(PONG + "\n@bot.on_logged_out\ndef gone(reason):\n    print(reason.reason, flush=True)\n")
    with running(me, str(file), "--on-logout", command) as process:
        process.line()
        sandbox.control("log-out", who="me")
        assert process.line() == "phone"
        # It asks for a new login after all this is reported.
        process.wait_for("on your phone")
        assert note.read_text() == "phone default"


def test_a_failing_command_is_reported_and_the_bot_continues(me: Shell, sandbox: Sandbox, file: Path) -> None:
    command = shlex.join([sys.executable, "-c", "raise SystemExit(7)"])
    with running(me, str(file), "--on-logout", command) as process:
        process.line()
        sandbox.control("log-out", who="me")
        process.wait_for("The command of --on-logout ended with exit code 7.\n")


# -- other uses ------------------------------------------------------------------------------------------------------


def test_a_unit_is_printed_and_no_bot_runs(shell: Shell, file: Path) -> None:
    file.write_text("raise SystemExit('loaded')")
    done = shell.run("run", f"{file}:bot", "--systemd-unit", "--account", "work", "--on-logout", "echo gone")
    assert (done.code, done.stderr) == (0, "")
    assert f'"-m" "webwx" "run" "{file}:bot" "--on-logout" "echo gone"' in done.stdout
    assert '"WEBWX_ACCOUNT=work"' in done.stdout


def test_the_interpreter_runs_the_same_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "webwx", "--version"], env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("webwx ")


# -- logs as JSON ----------------------------------------------------------------------------------------------------

SELLING = """
import logging
from webwx import Bot, TextMessage

bot = Bot(name="shop", attempts=1)


@bot.on(TextMessage)
def buy(ctx, message):
    logging.getLogger("shop").info("sold", extra={"price": 3})
    raise ValueError(message.text)
"""


def test_every_line_of_the_log_is_an_object_with_the_event_and_without_its_text(
    me: Shell, sandbox: Sandbox, file: Path
) -> None:
    file.write_text(SELLING)
    with running(me, str(file), "--log-format", "json") as process:
        process.line()
        sandbox.say("ahua", "me", "a secret order")
        log = process.wait_for("dead letter")
    lines = [json.loads(line) for line in (log + process.rest[1]).splitlines()]
    assert [(each["logger"], each["level"]) for each in lines] == [("shop", "info"), ("webwx.bot", "error")]
    own, library = lines
    assert (own["message"], own["price"], own["bot"]) == ("sold", 3, "shop")
    assert (own["event"], own["chat"]) == (library["event"], library["chat"])
    assert "secret" not in log
    assert "阿华" not in log


def test_failure_of_a_command_is_a_record_of_its_log(me: Shell, tmp_path: Path) -> None:
    done = me.run("run", str(tmp_path / "missing.py"), "--log-format", "json")
    record = json.loads(done.stderr)
    assert (done.code, done.stdout) == (2, "")
    assert (record["logger"], record["level"], record["exit_code"]) == ("webwx.cli", "error", 2)
    assert "does not exist" in record["message"]


def test_unit_and_reloaded_process_get_the_log_format(me: Shell, file: Path) -> None:
    unit = me.run("run", str(file), "--log-format", "json", "--systemd-unit").stdout
    assert '"--log-format" "json"' in unit
