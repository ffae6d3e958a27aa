"""`webwx demo`."""

from __future__ import annotations

import re
from pathlib import Path

import click.exceptions
import pytest
from tests.cli.conftest import Shell

from webwx.cli import COMMANDS
from webwx.cli.columns import width
from webwx.cli.option_values import OptionValues
from webwx.cli.sandbox.demo import STEPS, Demo, perform
from webwx.cli.session import Session
from webwx.client.client import AsyncClient
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import default_world
from webwx.transport.loopback import Loopback

NAMES = ["login", "send_text", "mark_read", "recall", "forward_recalled_image"]


def test_every_step_is_a_verified_line(shell: Shell) -> None:
    done = shell.run("demo", "--json")
    assert (done.code, done.stderr) == (0, "")
    assert [(line["step"], line["ok"]) for line in done.lines] == [(name, True) for name in NAMES]
    steps = {line["step"]: line for line in done.lines}
    assert (steps["mark_read"]["unread_before"], steps["mark_read"]["unread_after"]) == (3, 0)
    pictures = steps["forward_recalled_image"]["pictures"]
    assert [picture["format"] for picture in pictures] == ["jpeg", "png"]
    for picture in pictures:
        assert picture["bytes"] >= 200_000
        assert picture["downloaded_md5"] == picture["md5"]
        assert picture["message_id"] != picture["recalled_message_id"]


def test_each_step_is_one_line_with_its_time(shell: Shell) -> None:
    done = shell.run("demo")
    lines = done.stdout.splitlines()
    assert (done.code, len(lines)) == (0, len(STEPS))
    for line in lines:
        assert re.match(r"✓ +\d+\.\d s  \S", line), line
        assert width(line) <= 80


def test_verbose_output_names_the_wire_calls_of_each_step(shell: Shell) -> None:
    lines = shell.run("demo", "--verbose").stdout.splitlines()
    for line, (_name, wire, _step) in zip(lines, STEPS, strict=True):
        assert line.endswith(f"[{wire}]")


def test_the_demo_ends_with_commands_that_exist(shell: Shell) -> None:
    named = re.findall(r"^  webwx (\S+)", shell.run("demo").stderr, re.MULTILINE)
    assert named
    assert set(named) <= COMMANDS.keys()


def test_the_demo_stores_nothing_and_calls_no_server_of_the_user(shell: Shell) -> None:
    assert shell.run("demo", WEBWX_SERVER="http://127.0.0.1:1").code == 0
    assert not Path(shell.environment["WEBWX_HOME"]).exists()


async def test_a_step_without_its_effect_on_the_server_fails(capsys: pytest.CaptureFixture[str]) -> None:
    world = default_world(options=Options(media_after_recall="kept"))
    transport = Loopback(SandboxCore(world))
    async with (
        AsyncClient(server="http://127.0.0.1:1", transport=transport) as me,
        AsyncClient(server="http://127.0.0.1:1", transport=transport) as friend,
    ):
        with pytest.raises(click.exceptions.Exit) as ended:
            await perform(Session(OptionValues(as_json=True)), Demo(world, me, friend))
    assert ended.value.exit_code == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        '{"step":"forward_recalled_image","ok":false,"reason":"the recalled picture can still be downloaded by its id"}'
    )
