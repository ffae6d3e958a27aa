"""`webwx config`, and the effect of the configuration file on every command."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Sandbox, Shell

from webwx.cli.config import without_password
from webwx.settings import Settings


@pytest.fixture
def file(shell: Shell) -> Path:
    """The path of this shell's configuration file."""
    return Path(shell.environment["WEBWX_CONFIG"])


def test_the_path_is_printed_even_if_the_file_does_not_exist(shell: Shell, file: Path) -> None:
    assert shell.run("config", "path", "--json").line == {"path": str(file), "exists": False}
    file.write_text("this is [no TOML")
    assert shell.run("config", "path", "--json").line == {"path": str(file), "exists": True}
    assert shell.run("config", "path").stdout == f"{file}\n"


def test_each_setting_is_shown_with_its_source(shell: Shell, file: Path, sandbox: Sandbox) -> None:
    file.write_text(
        'account = "work"\nserver = "http://127.0.0.1:1"\nproxy = "http://me:geheim@127.0.0.1:8080"\n'
        'storage = "postgresql://me:geheim@db.test/webwx"\nretention_days = 30\nkeep = ["阿华", "周末爬山"]\n'
    )
    shown = shell.run("config", "show", "--json", "--host", "filehelper")
    assert shown.lines == [
        {"name": "home", "value": str(shell.settings.home), "source": "environment"},
        {"name": "storage", "value": "postgresql://db.test/webwx", "source": "file"},
        {"name": "account", "value": "work", "source": "file"},
        {"name": "server", "value": sandbox.url, "source": "environment"},
        {"name": "host", "value": "filehelper", "source": "option"},
        {"name": "proxy", "value": "http://127.0.0.1:8080", "source": "file"},
        {"name": "passphrase_from", "value": None, "source": "default"},
        {"name": "retention_days", "value": "30", "source": "file"},
        {"name": "rate_limit", "value": None, "source": "default"},
        {"name": "keep", "value": "阿华, 周末爬山", "source": "file"},
    ]
    assert shell.run("config", "show").stdout.splitlines()[5] == "proxy = http://127.0.0.1:8080  [file]"
    assert shell.run("config", "show").stdout.splitlines()[4] == "host = (none)  [default]"


def test_the_file_applies_where_no_option_or_variable_is_set(
    me: Shell, friend: Settings, file: Path, sandbox: Sandbox
) -> None:
    file.write_text(f'account = "friend"\nserver = "{sandbox.url}"\n')
    assert me.run("status", "--json", WEBWX_SERVER="").line["nickname"] == "阿华"


@pytest.mark.parametrize("content", ['acount = "work"', "account = 3", "account = ", "[desktop]\nversion = 1"])
def test_an_error_in_the_file_is_one_sentence_in_every_command(shell: Shell, file: Path, content: str) -> None:
    file.write_text(content)
    for command in (["status"], ["config", "show"], ["accounts"]):
        done = shell.run(*command)
        assert (done.code, done.stdout) == (2, "")
        assert str(file) in done.sentence
    assert shell.run("completion", "zsh").code == 0


def test_a_host_that_the_file_allows_is_accepted(shell: Shell, file: Path) -> None:
    assert shell.run("status", "--host", "wx9.qq.com").code == 2
    file.write_text('allowed_hosts = ["wx9.qq.com"]')
    assert shell.run("status", "--host", "wx9.qq.com").code == 4


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a:b@host:1/", "http://host:1/"),
        ("http://a@b:c@host:1", "http://host:1"),
        ("http://host:1", "http://host:1"),
        (None, None),
    ],
)
def test_a_password_in_a_proxy_address_is_not_shown(url: str | None, shown: str | None) -> None:
    assert without_password(url) == shown
