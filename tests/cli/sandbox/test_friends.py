"""`webwx sandbox --scenario`: scripted friends from a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

PONG = """
from webwx.sandbox.scenario import Scenario

friends = Scenario()


@friends.when("阿华", hears="ping")
def answer(ahua, message):
    pong = ahua.say("pong")
    ahua.after(5, ahua.recall, pong)


@friends.when("阿华", hears="oops")
def fail(ahua, message):
    ahua.say("hello", to="unknown")
"""


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "friends.py"
    path.write_text(text, "utf-8")
    return str(path)


def test_scripted_friends_answer_and_an_error_in_a_script_does_not_end_the_sandbox(
    shell: Shell, tmp_path: Path
) -> None:
    with shell.start("sandbox", "--port", "0", "--json", "--scenario", script(tmp_path, PONG)) as process:
        url = json.loads(process.stdout.readline())["url"]
        assert shell.run("phone", "say", "me", "阿华", "oops", "--server", url).code == 0
        mistake = process.stderr.readline()
        shell.run("phone", "say", "me", "阿华", "ping", "--server", url)
        shell.run("phone", "wind", "5", "--server", url)
        (chat,) = shell.run("phone", "inbox", "me", "--json", "--server", url).line["chats"]
        process.terminate()
    assert mistake.startswith("friends.py, line 15: There is no person 'unknown'")
    assert [(each["from"], each["recalled"]) for each in chat["messages"]] == [
        ("小明", False),
        ("小明", False),
        ("阿华", True),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\nx = y\n", "webwx: friends.py, line 2: NameError: name 'y' is not defined"),
        ("def f(:\n", "webwx: friends.py, line 1: invalid syntax"),
        ("x = 1\n", "webwx: friends.py creates no Scenario; add a line such as 'friends = Scenario()'."),
        (
            PONG.replace('when("阿华"', 'when("阿花"', 1),
            "webwx: friends.py, line 7: There is no person '阿花'; ",
        ),
    ],
)
def test_an_invalid_scenario_is_an_error_in_one_sentence(
    shell: Shell, tmp_path: Path, text: str, sentence: str
) -> None:
    done = shell.run("sandbox", "--port", "0", "--scenario", script(tmp_path, text))
    assert (done.code, done.stdout) == (2, "")
    assert done.sentence.startswith(sentence)
