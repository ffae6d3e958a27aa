"""Where logins are kept and whom to talk to, from the environment and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from webwx.settings import Settings, state_folder


def test_the_environment_says_where_and_whom() -> None:
    settings = Settings.from_environment({
        "WEBWX_HOME": "/somewhere", "WEBWX_SERVER": "http://127.0.0.1:8790", "WEBWX_HOST": "web",
    })  # fmt: skip
    assert settings == Settings(home=Path("/somewhere"), server="http://127.0.0.1:8790", host="web")


def test_the_command_line_beats_the_environment() -> None:
    environment = {"WEBWX_HOME": "/somewhere", "WEBWX_SERVER": "http://a", "WEBWX_HOST": "web"}
    settings = Settings.from_environment(environment, server="http://b", host="filehelper")
    assert (settings.server, settings.host) == ("http://b", "filehelper")


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = Settings.from_environment({"WEBWX_HOME": "", "WEBWX_SERVER": "", "WEBWX_HOST": ""})
    assert (settings.home, settings.server, settings.host) == (state_folder({}), None, None)


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {"XDG_STATE_HOME": "/state"}, Path("/state/webwx")),
        ("linux", {}, Path.home() / ".local/state/webwx"),
        ("darwin", {}, Path.home() / "Library/Application Support/webwx"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/webwx")),
        ("win32", {}, Path.home() / "AppData/Local/webwx"),
    ],
)
def test_the_default_home_is_the_platforms_folder_for_state(
    platform: str, environment: dict[str, str], folder: Path
) -> None:
    assert state_folder(environment, platform) == folder


@pytest.mark.parametrize(
    ("server", "host", "name"),
    [
        (None, None, "filehelper.json"),
        (None, "web", "web.json"),
        (None, "wx2.qq.com", "wx2.qq.com.json"),
        ("http://127.0.0.1:8790", None, "127.0.0.1-8790.json"),
        ("http://127.0.0.1:8790/", "web", "127.0.0.1-8790.json"),
        ("http://127.0.0.1:8790", "filehelper", "127.0.0.1-8790-filehelper.json"),
        ("HTTPS://Chat.Example", None, "chat.example.json"),
        ("http://[::1]:8790", None, "1-8790.json"),
        (None, "../../etc/passwd", "etc-passwd.json"),
        (None, "..", "unnamed.json"),
    ],
)
def test_each_server_and_profile_has_a_login_of_its_own(server: str | None, host: str | None, name: str) -> None:
    assert Settings(home=Path("/home"), server=server, host=host).login_path == Path("/home/logins") / name


def test_the_last_receipt_lies_beside_its_login() -> None:
    settings = Settings(home=Path("/home"), host="web")
    assert settings.last_receipt_path == Path("/home/logins/web.last-receipt.json")
