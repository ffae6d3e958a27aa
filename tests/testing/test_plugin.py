"""The fixtures as pytest gives them to users; tests/packaging tests a complete run of a user's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.testing import Chatroom, Clock, Faults, PhoneUser, Sandbox


def test_each_fixture_has_a_long_name(
    webwx_sandbox: Sandbox, webwx_account: PhoneUser, webwx_friend: PhoneUser, webwx_chatroom: Chatroom,
    webwx_clock: Clock, webwx_faults: Faults, sandbox: Sandbox, account: PhoneUser, friend: PhoneUser,
    chatroom: Chatroom, clock: Clock, faults: Faults,
) -> None:  # fmt: skip
    assert (sandbox, account, friend) == (webwx_sandbox, webwx_account, webwx_friend)
    assert (chatroom, clock, faults) == (webwx_chatroom, webwx_clock, webwx_faults)
    assert (account.nickname, friend.nickname, chatroom.name) == ("小明", "阿华", "周末爬山")


@pytest.mark.webwx_world("shop.toml")
def test_a_world_is_read_from_a_file_beside_the_test(account: PhoneUser, friend: PhoneUser, chatroom: Chatroom) -> None:
    assert (account.nickname, friend.nickname, chatroom.name) == ("店长", "客人", "会员群")


def test_the_time_limit_is_set_in_the_configuration(pytestconfig: pytest.Config, sandbox: Sandbox) -> None:
    assert float(pytestconfig.getini("webwx_patience")) == sandbox.patience == 5


def test_the_plugin_imports_nothing_before_a_test_asks_for_it() -> None:
    program = (
        "import pytest, sys; before = set(sys.modules); import webwx.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["webwx", "webwx.testing", "webwx.testing.plugin"]


AN_ASYNCHRONOUS_TEST = """
import asyncio
import pytest
from webwx import AsyncClient, Bot, TextMessage

bot = Bot()

@bot.on(TextMessage, text="ping")
async def pong(ctx, message):
    await ctx.reply("pong")

@pytest.mark.parametrize("said", ["ping"])
async def test_a_bot(sandbox, friend, said):
    await asyncio.sleep(0)
    with sandbox.running(bot):
        friend.say(said)
        assert friend.hears("pong")

class TestIt:
    async def test_a_client(self, account, webwx_sandbox):
        async with AsyncClient(server=webwx_sandbox.url) as client:
            await client.login(show_qr=lambda _: account.confirms_login())
            await client.send_text("filehelper", "hello")
        assert account.hears("hello")

    async def test_that_fails(self, sandbox):
        assert sandbox is None
"""


def run_alone(folder: Path, tests: str, *options: str) -> str:
    """Run tests with only the kit's plugin and the named ones, and return the output of pytest."""
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "webwx.testing.plugin", "-p", "no:cacheprovider", *options]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize(
    "options",
    [(), ("-p", "pytest_asyncio.plugin"), ("-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto")],
    ids=["alone", "beside another plugin", "with another plugin"],
)
def test_asynchronous_tests_work_without_a_marker(tmp_path: Path, options: tuple[str, ...]) -> None:
    said = run_alone(tmp_path, AN_ASYNCHRONOUS_TEST, *options)
    assert "1 failed, 2 passed" in said
    assert "FAILED test_it.py::TestIt::test_that_fails" in said


def test_an_asynchronous_test_without_the_kit_is_not_changed(tmp_path: Path) -> None:
    assert "async def functions are not natively supported" in run_alone(tmp_path, "async def test_it(): pass")


def test_the_package_exports_every_name() -> None:
    import webwx.testing

    assert all(isinstance(getattr(webwx.testing, name), type) for name in dir(webwx.testing))


A_TEST_WITH_A_TRANSCRIPT = """
from webwx import Bot, TextMessage

bot = Bot()

@bot.on(TextMessage, text="ping")
async def pong(ctx, message):
    await ctx.reply("pong")

def test_chat(sandbox, friend, assert_transcript):
    with sandbox.running(bot):
        friend.say("ping")
        assert_transcript("chat.txt")
"""


def test_a_transcript_is_a_file_beside_its_test_and_an_option_writes_it(tmp_path: Path) -> None:
    assert "chat.txt does not exist" in run_alone(tmp_path, A_TEST_WITH_A_TRANSCRIPT)
    assert "1 passed" in run_alone(tmp_path, A_TEST_WITH_A_TRANSCRIPT, "--update-transcripts")
    assert (tmp_path / "chat.txt").read_text(encoding="utf-8") == "阿华: ping\n小明: pong\n"
    assert "1 passed" in run_alone(tmp_path, A_TEST_WITH_A_TRANSCRIPT)
