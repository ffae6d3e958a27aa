"""The three commands of the README, and the steps after them, by mouse and keyboard."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import ROOT, SERVER, blocks
from tests.docs.reader import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import Browser
    from tests.secret_scanner import SecretScanner

pytestmark = pytest.mark.verify

COMMANDS = "".join(block for block in blocks(ROOT / "README.md", "sh") if ".venv/bin/webwx" in block)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[str]:
    """The programs of the README's commands, each started when the one before runs; yields the server's address."""
    setup, *starts = [shlex.split(line, comments=True) for line in COMMANDS.splitlines()]
    assert setup == ["make", "setup"]
    port = free_port()
    server = SERVER.replace("8790", port)
    with ExitStack() as stack:
        for command, says in zip(starts, ("is running at", "echo runs as 小明"), strict=True):
            here = [word.replace(SERVER, server) for word in command]
            here += ["--port", port] if "sandbox" in here else []
            process = stack.enter_context(
                subprocess.Popen(
                    here, cwd=ROOT,
                    env=os.environ | {"WEBWX_HOME": str(tmp_path), "PYTHONUTF8": "1", "BROWSER": "true"},
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                )
            )  # fmt: skip
            stack.callback(process.terminate)
            assert process.stdout is not None
            assert any(says in line for line in process.stdout)
        yield server


async def test_the_readme_leads_to_a_bot_that_answers_in_the_browser(
    chromium: Browser, secret_scanner: SecretScanner, started: str
) -> None:
    from tests.browser.user import BrowserUser

    context = await chromium.new_context(locale="en-US")
    hands = BrowserUser(await context.new_page(), started, secret_scanner.record)
    await hands.open()
    await hands.be("阿华")
    await hands.rail("contacts").click()
    await hands.page.get_by_role("option", name=re.compile("^小明")).click()
    await hands.button("Send message").click()
    await hands.say("hello")
    await hands.see(hands.message("hello")).to_have_count(2)
    await context.close()
    assert hands.wrongs == []
