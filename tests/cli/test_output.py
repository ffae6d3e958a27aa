"""Results are on stdout and messages on stderr, and no text of a contact can imitate either."""

from __future__ import annotations

import ast
import base64
import io
import json
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import Shell, log_in, running_sandbox

from webwx import cli
from webwx.cli.output import Output, print_failure, printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Sandbox
    from tests.forks import Forks
    from tests.secret_scanner import SecretScanner


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_result_is_a_sentence_or_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).result("你好。", name="你好")
    Output(as_json=True).result("你好。", name="你好", size=1)
    assert capsys.readouterr() == ('你好。\n{"name":"你好","size":1}\n', "")


def test_remarks_are_printed_without_json_only(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).remark("Look.")
    Output(as_json=True).remark("Look.")
    Output(as_json=True).report("This one matters.")
    assert capsys.readouterr() == ("", "Look.\nThis one matters.\n")


def test_several_results_are_several_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.result(["one", "two\nstill two"])
    output.report(["", "three"])
    assert capsys.readouterr() == ("one\ntwo\\nstill two\n", "\nthree\n")


def test_program_text_is_printed_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).program("one\n\ttwo\u202e")
    assert capsys.readouterr().out == "one\n\ttwo\u202e\n"


def test_nothing_is_printed_on_a_closed_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    Output(as_json=False).report("Look.")
    print_failure("No.")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {}, "\x1b[31mwebwx:\x1b[0m No.\n"),
        (Terminal(), {"NO_COLOR": ""}, "\x1b[31mwebwx:\x1b[0m No.\n"),
        (Terminal(), {"NO_COLOR": "1"}, "webwx: No.\n"),
        (Terminal(), {"TERM": "dumb"}, "webwx: No.\n"),
        (io.StringIO(), {}, "webwx: No.\n"),
    ],
)
def test_a_failure_is_red_on_a_terminal_unless_no_color_is_set(
    stream: io.StringIO, environment: dict[str, str], expected: str
) -> None:
    print_failure("No.", stream, environment)
    assert stream.getvalue() == expected


# -- texts of contacts -----------------------------------------------------------------------------------------------


def is_shown(character: str) -> bool:
    """Return whether a character has its own width on a line and does not affect others."""
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\tc\x00", r"a\nb\r\tc\x00"),
        ("\x1b[2J\x9b1m\x7f", r"\x1b[2J\x9b1m\x7f"),
        ("\u202egnp.exe\u2066\u2069", r"\u202egnp.exe\u2066\u2069"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("a\u200bb\ufeffc\u2060d\xade\u3164", r"a\u200bb\ufeffc\u2060d\xade\u3164"),
        ("a\u200db\u200cc", r"a\u200db\u200cc"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "你好，阿华！ 1 < 2 & C:\\new",
        "👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 👍🏽 🏳\ufe0f\u200d🌈",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "می\u200cخواهم",
    ],
)
def test_visible_text_is_not_changed(text: str) -> None:
    assert printable(text) == text


def test_every_invisible_character_is_escaped() -> None:
    hidden = [chr(number) for number in range(sys.maxunicode + 1) if not is_shown(chr(number))]
    visible_format = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"  # number signs in Arabic
    assert [each for each in hidden if printable(each) == each and each not in visible_format] == [
        each
        for each in hidden
        if 0x110BD <= ord(each) <= 0x1345F  # and in other old scripts
    ]


def test_json_is_printed_with_visible_characters_only() -> None:
    everything = "".join(map(chr, range(0x3400))) + "\ud800\ufeff\U000e0041"
    document = printable_json(everything)
    assert json.loads(document) == everything
    for character in "\n\x1b\x7f\x9b\u200d\u202e\u2028\u2066\ufeff\ud800\U000e0041":
        assert character not in document


ROOT = Path(cli.__file__).parent

PRINTS_BY_ITSELF = {
    "output.py": "the one place",
    "__init__.py": "a usage, which holds no text but ours",
    "progress.py": "the same, with a label that is escaped",
    "help.py": "help, which holds no text but ours",
}
"""Modules that print without `Output`, each with the reason."""


def prints(source: str) -> bool:
    """Return whether a program prints without `Output`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "echo" | "secho" | "pprint")):
                return True
            case ast.Call(func=ast.Attribute(attr="echo" | "secho" | "echo_via_pager" | "print_exc")):
                return True
            case ast.Call(func=ast.Attribute(value=name, attr="write" | "writelines")) if "std" in ast.unparse(name):
                return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id="watched"), attr="write")):
                return True
            case _:
                pass
    return False


def test_every_command_prints_by_output() -> None:
    assert {path.name for path in ROOT.rglob("*.py") if prints(path.read_text("utf-8"))} == set(PRINTS_BY_ITSELF)


def test_only_modules_without_texts_of_contacts_print_program_text() -> None:
    using = {path.name for path in ROOT.rglob("*.py") if ".output.program(" in path.read_text("utf-8")}
    assert using == {"completion.py", "mcp.py", "run.py"}
    drawing = {path.name for path in ROOT.rglob("*.py") if "output.draw(" in path.read_text("utf-8")}
    assert drawing == {"login.py"}


HOSTILE = "evil\nIMITATION\r\x1b[2J\x1b]0;title\x07\x9b31m\x7f\u202e\u2066\u2028\u2029\x85\u200b\ufeff\U000e0041"
"""A name and a text of a contact that try to control the terminal."""


class Stage:
    """小明 in a shell, with a friend and a chatroom that have hostile names."""

    def __init__(self, shell: Shell, sandbox: Sandbox, folder: Path) -> None:
        self.shell = shell
        self.sandbox = sandbox
        self.folder = folder
        contacts = shell.run("contacts", "--json").lines
        self.friend, self.room = (
            f"who:{each['number']}"
            for kind in ("friend", "chatroom")
            for each in contacts
            if each["kind"] == kind and each["nickname"] == HOSTILE
        )

    def say(self, verb: str = "say", **fields: Any) -> str:
        """Send content from the friend, and return its id."""
        return str(self.sandbox.control(verb, **({"from": "mallory", "to": "me"} | fields))["message_id"])

    def hear(self, verb: str = "say", **fields: Any) -> dict[str, Any]:
        """Send content from the friend, and listen until it arrives."""
        message_id = self.say(verb, **fields)
        while True:
            received = self.shell.run("listen", "--count", "1", "--json").line
            if received["message_id"] == message_id:
                return received

    def send(self) -> str:
        """Send the friend a text, and return its number in the outbox."""
        assert self.shell.run("send", self.friend, HOSTILE).code == 0
        return str(self.shell.run("outbox", "--limit", "1", "--json").line["number"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, secret_scanner: SecretScanner, forks: Forks) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("hostile")
    world = folder / "world.toml"
    world.write_text(
        f"""
        people = [
            {{ nickname = "小明", id = "xiaoming", friends = "everybody" }},
            {{ nickname = {in_toml(HOSTILE)}, id = "mallory" }},
            {{ nickname = "李雷", id = "lilei" }},
            {{ nickname = "晨报", id = "paper", account = "public" }},
        ]
        history = [{{ from = "paper", to = "me", articles = [{{ title = {in_toml(HOSTILE)}, url = "" }}] }}]
        chatrooms = [
            {{ name = {in_toml(HOSTILE)}, id = "room", members = ["mallory", "me", "lilei"] }},
        ]
        """
    )
    with running_sandbox(forks, "--world", str(world)) as sandbox:
        shell = Shell(folder / "home", sandbox.url, secret_scanner.record, forks)
        log_in("me", shell.settings, sandbox, secret_scanner)
        stage = Stage(shell, sandbox, folder)
        stage.hear(text=HOSTILE)  # The chat is now among the recent ones.
        yield stage


def in_toml(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


Step = Callable[[Stage], object]
CommandLine = Callable[[Stage], list[str]]


def typed(*words: str, after: Step | None = None) -> CommandLine:
    """
    Return a function that prepares the stage and returns a command line; `{friend}` and the like are fields of the
    stage.
    """

    def command_line(stage: Stage) -> list[str]:
        happened = after(stage) if after else None
        number = happened["number"] if isinstance(happened, dict) else happened
        known = {
            "{friend}": stage.friend, "{room}": stage.room, "{folder}": str(stage.folder), "{number}": str(number),
        }  # fmt: skip
        return [known.get(word, word) for word in words]

    return command_line


def said(verb: str = "say", **fields: Any) -> Step:
    return lambda stage: stage.say(verb, **fields)


def received(verb: str = "say", **fields: Any) -> Step:
    return lambda stage: stage.hear(verb, **fields)


def recalled(stage: Stage) -> None:
    stage.hear(text=HOSTILE)
    stage.sandbox.control("recall", **{"from": "mallory", "to": "me", "message_id": ""})
    stage.hear(text="behind it")


def failed(stage: Stage) -> str:
    """Make a send that is refused, and return its number."""
    stage.sandbox.control("refuse", endpoint="webwxsendmsg", ret=1, times=1)
    assert stage.shell.run("send", stage.friend, HOSTILE).code == 5
    return str(stage.shell.run("outbox", "--limit", "1", "--json").line["number"])


FILE = {"name": f"{HOSTILE}.txt", "content": base64.b64encode(b"x").decode()}
NOTICE = {"from": "me", "to": "mallory", "text": HOSTILE, "xml": ""}
PLACE = {"latitude": 1.0, "longitude": 2.0, "label": HOSTILE, "name": HOSTILE}

LISTEN = ("listen", "--count", "1")

COMMANDS: dict[str, CommandLine] = {
    "contacts": typed("contacts"),
    "chats": typed("chats"),
    "articles": typed("articles"),
    "identity list": typed("identity", "list"),
    "identity show": typed("identity", "show", "{friend}"),
    "identity explain": typed("identity", "explain", "{friend}"),
    "chatroom list": typed("chatroom", "list"),
    "chatroom members": typed("chatroom", "members", "{room}"),
    "read": typed("read", "{friend}"),
    "pin": typed("pin", "{friend}"),
    "send": typed("send", "{friend}", "hello"),
    "send a file": typed("send", "{friend}", "--file", __file__),
    "recall": typed("recall", "{number}", after=Stage.send),
    "outbox": typed("outbox", "--limit", "1", after=Stage.send),
    "outbox retry": typed("outbox", "retry", "{number}", after=failed),
    "forward": typed("forward", "{number}", "{friend}", after=received(text=HOSTILE)),
    "history": typed("history", after=received(text=HOSTILE)),
    "history of sends": typed("history", "--limit", "1", after=Stage.send),
    "search": typed("search", "needle", after=received(text=f"needle {HOSTILE}")),
    "recalled": typed("recalled", after=recalled),
    "listen": typed(*LISTEN, after=said(text=HOSTILE)),
    "listen in a chatroom": typed(*LISTEN, after=said(text=HOSTILE, to="room")),
    "listen to a file": typed(*LISTEN, after=said("file", **FILE)),
    "listen to a link": typed(*LISTEN, after=said("link", title=HOSTILE, url=f"https://example.org/{HOSTILE}")),
    "listen to a card": typed(*LISTEN, after=said("card", person="mallory")),
    "listen to a place": typed(*LISTEN, after=said("location", **PLACE)),
    "listen to a notice": typed(*LISTEN, after=said("notice", **NOTICE)),
    "receive": typed("receive", "--to", "{folder}", after=said("file", **FILE)),
    "journal export": typed("journal", "export", after=received(text=HOSTILE)),
    "phone inbox": typed("phone", "inbox", "me"),
    "phone wire": typed("phone", "wire"),
    "phone say": typed("phone", "say", "me", HOSTILE, "hello"),
    "phone open": typed("phone", "open", "me", HOSTILE),
    "phone remark": typed("phone", "remark", "me", "lilei", HOSTILE),
    "chatroom create": typed("chatroom", "create", "{friend}", "李雷", "--name", HOSTILE),
    "chatroom rename": typed("chatroom", "rename", "{room}", f"{HOSTILE} 2"),
    "remark": typed("remark", "{friend}", f"{HOSTILE} 3"),
}
"""Commands, each with the preparation that makes it print a hostile text."""

ECHO_WHAT_WAS_TYPED = {"phone", "chatroom", "friend", "login", "status", "logout", "accounts"}
"""
Commands and groups, some of them also in the table above, that name a contact in the one sentence of their result.
"""

WITHOUT_CONTACTS = {
    "demo", "sandbox", "proxy", "new", "run", "serve", "push", "journal", "outbox", "config", "completion", "doctor",
    "help", "worker", "cluster", "storage", "mcp",
}  # fmt: skip
"""Commands that print only numbers, paths, and the names of the user's own bots, and groups of such commands."""


def test_every_command_is_tested_or_prints_no_text_of_a_contact() -> None:
    tried = {name.split()[0] for name in COMMANDS}
    missing = set(cli.COMMANDS) - tried - ECHO_WHAT_WAS_TYPED - WITHOUT_CONTACTS
    assert missing == set(), "add these commands to COMMANDS, or to WITHOUT_CONTACTS if no text of a contact is printed"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_contact_cannot_imitate_the_output_of_a_command(name: str, stage: Stage) -> None:
    done = stage.shell.run(*COMMANDS[name](stage))

    assert done.code == 0, done
    printed = f"{done.stdout}{done.stderr}"
    assert "IMITATION" in printed or name == "phone wire"
    assert [line for line in printed.split("\n") if line.startswith("IMITATION")] == []
    assert [character for character in printed.replace("\n", "") if not is_shown(character)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_json_has_the_complete_text_in_visible_characters(name: str, stage: Stage) -> None:
    done = stage.shell.run(*COMMANDS[name](stage), "--json")

    assert done.code == 0, done
    assert [character for character in done.stdout.replace("\n", "") if not is_shown(character)] == []
    for line in done.stdout.splitlines():
        assert printable_json(json.loads(line)) == line
