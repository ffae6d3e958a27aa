"""`webwx doctor`: what it reports, and what it must not report."""

from __future__ import annotations

import asyncio
import json
import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from tests.cli.conftest import Sandbox, Shell

from webwx.cli.doctor import PACKAGES, host_kind, scrubbed, server_kind
from webwx.settings import Settings
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.schema import VERSION


def test_the_report_has_versions_settings_and_logins(me: Shell, friend: Settings) -> None:
    report = me.run("doctor", "--json", "--host", "web").line
    assert list(report) == ["versions", "system", "configuration", "logins", "journals", "variables"]
    assert report["versions"]["webwx"]
    assert report["configuration"]["server"] == "http on this machine (environment)"
    assert report["configuration"]["host"] == "web (option)"
    assert report["configuration"]["account"] == "default (default)"
    assert report["logins"]["found"] == [
        "default: web on http on this machine, saved, mode 600",
        "account 1: web on http on this machine, saved, mode 600",
    ]
    facts = rf"\d+ events, 0 sends, 2 readers, version {VERSION}, sound, \d+ bytes, mode 600"
    assert [re.sub(facts, "FACTS", each) for each in report["journals"]["found"]] == [
        "default: FACTS",
        "account 1: FACTS",
    ]
    assert {"WEBWX_CONFIG", "WEBWX_HOME", "WEBWX_SERVER"} <= set(report["variables"]["set"])


def test_the_report_has_the_version_of_each_dependency() -> None:
    named = {name[0] for each in requires("webwx") or () if (name := re.match(r"[\w-]+", each))}
    named.discard("webwx")  # an extra that includes another one
    assert {each.replace("winloop", "uvloop") for each in named} == {
        each.replace("winloop", "uvloop") for each in PACKAGES
    }


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_report_has_nothing_private(
    me: Shell, friend: Settings, sandbox: Sandbox, tmp_path: Path, form: list[str]
) -> None:
    owner = tmp_path / "xiaoming"
    done = me.run(
        "doctor", "--account", "friend", "--proxy", "http://guest:geheim@proxy.example:3128", *form,
        HOME=str(owner), WEBWX_CONFIG=str(owner / "config.toml"), WEBWX_LANGUAGE="klingon",
    )  # fmt: skip
    assert done.code == 0
    saved = [asyncio.run(LoginFile(settings.login_path).load()) for settings in (me.settings, friend)]
    logins = [each.login for each in saved if each]
    assert len(logins) == 2
    private = {
        "xiaoming", "friend", "guest", "geheim", "proxy.example", "klingon", sandbox.url,
        *(text for login in logins for text in (login.nickname, login.user_id, str(login.credentials.uin))),
    }  # fmt: skip
    shown = done.stdout + done.stderr
    assert [text for text in private if text in shown or json.dumps(text)[1:-1] in shown] == []
    assert "~/config.toml" in shown
    assert "WEBWX_LANGUAGE" in shown


def test_settings_of_the_file_are_reported_without_their_values(shell: Shell) -> None:
    found = shell.run("doctor", "--json").line["configuration"]
    assert (found["allowed_hosts"], found["desktop"]) == ("0", "none")
    Path(shell.environment["WEBWX_CONFIG"]).write_text(
        'allowed_hosts = ["geheim.example"]\n[desktop]\nclient_version = "geheim"\nextspam = "geheim"'
    )
    done = shell.run("doctor", "--json")
    found = done.line["configuration"]
    assert (found["allowed_hosts"], found["desktop"]) == ("1", "given")
    assert "geheim" not in done.stdout


def test_how_a_login_ended_is_reported(me: Shell, sandbox: Sandbox) -> None:
    sandbox.control("log-out", who="me")
    me.run("status")
    assert me.run("doctor", "--json").line["logins"]["found"] == [
        "default: web on http on this machine, ended (phone), mode 600"
    ]


def test_an_unreadable_journal_is_reported_without_its_path(me: Shell) -> None:
    me.settings.journal_path.write_bytes(b"geheim" * 1000)
    done = me.run("doctor", "--json")
    assert done.line["journals"]["found"] == ["default: it cannot be read, 6000 bytes, mode 600"]
    assert "geheim" not in done.stdout


def test_an_invalid_configuration_is_reported_without_repeating_it(shell: Shell) -> None:
    Path(shell.environment["WEBWX_CONFIG"]).write_text('geheim = "geheim"')
    done = shell.run("doctor", "--json")
    assert done.code == 0
    assert "webwx config show" in done.line["configuration"]["problem"]
    assert "geheim" not in done.stdout


def test_the_report_for_people_has_sections(shell: Shell) -> None:
    shown = shell.run("doctor").stdout
    assert shown.startswith("versions:\n  webwx: ")
    assert "\n  terminal: no\n" in shown
    assert "\n  found: none\n" in shown


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({}, "none"),
        ({"WEBWX_PASSPHRASE": "geheim"}, "given (environment)"),
        ({"WEBWX_PASSPHRASE": "geheim", "WEBWX_PASSPHRASE_FROM": "keyring"}, "given (environment)"),
        ({"WEBWX_PASSPHRASE_FROM": "keyring"}, "from keyring.backends.null.Keyring"),
        (
            {"WEBWX_PASSPHRASE_FROM": "keyring", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
            "from a keyring, but none can be used",
        ),
        (
            {"WEBWX_PASSPHRASE_FROM": "keyring", "PYTHON_KEYRING_BACKEND": "tests.keyrings.LockedKeyring"},
            "from another keyring",
        ),
    ],
)
def test_the_report_has_the_source_of_the_passphrase(shell: Shell, variables: dict[str, str], shown: str) -> None:
    null = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    done = shell.run("doctor", "--json", **(null | variables))
    assert done.line["configuration"]["passphrase"] == shown
    assert "geheim" not in done.stdout


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (Path.home() / "webwx", "~/webwx"),
        (Path.home() / Path.home().name / "webwx", "~/USER/webwx"),
        (Path.home(), "~"),
        (Path("/srv") / Path.home().name / "webwx", "(outside the home folder)"),
        (Path("/clients/a-name/webwx"), "(outside the home folder)"),
    ],
)
def test_a_path_is_shown_without_the_name_of_the_user(path: Path, shown: str) -> None:
    assert scrubbed(path) == shown


def test_the_root_as_home_folder_is_not_abbreviated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    assert scrubbed(Path("/clients/a-name/webwx")) == "(outside the home folder)"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (None, "none"),
        ("http://127.0.0.1:8790", "http on this machine"),
        ("http://[::1]:8790", "http on this machine"),
        ("http://localhost:8790", "http on this machine"),
        ("https://chat.example", "https elsewhere"),
        ("http://10.0.0.7", "http elsewhere"),
    ],
)
def test_only_the_kind_of_an_address_is_reported(url: str | None, kind: str) -> None:
    assert server_kind(url) == kind


def test_the_name_of_a_foreign_host_is_not_reported() -> None:
    assert [host_kind(host) for host in (None, "filehelper", "wx2.qq.com", "wx.qq.com.evil.example")] == [
        "none", "filehelper", "wx2.qq.com", "another",
    ]  # fmt: skip
