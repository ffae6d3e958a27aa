"""`webwx worker`: what it refuses before it runs; tests/cluster runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

DATABASE = {"WEBWX_STORAGE": "postgresql://me@127.0.0.1:1/webwx", "WEBWX_PASSPHRASE": "three words long"}


def test_a_worker_needs_a_database(shell: Shell) -> None:
    refused = shell.run("worker")
    assert refused.code == 2
    assert "--storage postgresql://HOST/DATABASE" in refused.sentence


@pytest.mark.parametrize("command", [("worker",), ("serve", "--port", "0")])
def test_a_process_without_a_passphrase_is_refused(shell: Shell, command: tuple[str, ...]) -> None:
    refused = shell.run(*command, **DATABASE | {"WEBWX_PASSPHRASE": ""})
    assert refused.code == 2
    assert "set WEBWX_PASSPHRASE" in refused.sentence


def test_a_heartbeat_that_is_too_slow_for_the_lease_is_refused(shell: Shell) -> None:
    refused = shell.run("worker", "--lease", "6", "--heartbeat", "3", **DATABASE)
    assert refused.code == 2
    assert "at most 2 seconds, not 3" in refused.sentence


@pytest.mark.parametrize("argument", ["journal='me.journal'", "rate_limit=RateLimit()"])
def test_a_bot_that_decides_about_its_client_is_refused(shell: Shell, tmp_path: Path, argument: str) -> None:
    bot = tmp_path / "bot.py"
    bot.write_text(f"from webwx import Bot, RateLimit\n\nbot = Bot({argument})\n")
    refused = shell.run("worker", str(bot), **DATABASE)
    assert refused.code == 2
    assert f"sets {argument.split('=')[0]}=" in refused.sentence
