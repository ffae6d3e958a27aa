"""Names that the shell completes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Shell
from tests.cli.test_completion import complete

from webwx.cli.names import whom
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.settings import Settings
from webwx.storage.login import LoginFile


def test_a_chat_is_completed_by_its_name(me: Shell) -> None:
    assert complete(me, "webwx send 阿") == ["阿华"]
    assert complete(me, "webwx read 阿") == ["阿华"]
    assert "filehelper" in complete(me, "webwx forward ")


def test_a_text_is_not_completed_by_a_name(me: Shell) -> None:
    assert complete(me, "webwx send 阿华 ") == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("who:12", 12), ("#12", 12), ("12", "12"), ("who:", "who:"), ("who:012", "who:012"), ("#-1", "#-1"),
        ("who:" + "1" * 16, "who:" + "1" * 16), ("who:１２", "who:１２"), ("阿华", "阿华"), ("a\udcffb", "a\ufffdb"),
    ],
)  # fmt: skip
def test_numbers_and_names_are_completed_by_their_prefix(text: str, meant: str | int) -> None:
    assert whom(text) == meant


def test_numbers_are_completed(me: Shell) -> None:
    numbers = {str(contact["number"]) for contact in me.run("contacts", "--json").lines}
    assert set(complete(me, "webwx identity explain ")) == set(complete(me, "webwx identity merge 1 ")) == numbers


def test_without_a_journal_no_number_is_completed_and_no_journal_is_created(shell: Shell) -> None:
    assert complete(shell, "webwx identity explain ") == []
    assert not shell.settings.journal_path.exists()


def test_contacts_of_the_account_on_the_line_are_completed(me: Shell) -> None:
    save_contacts(replace(me.settings, account="other"), "王芳芳")
    assert complete(me, "webwx send --account other 王") == ["王芳芳"]
    assert complete(me, "webwx --account other send 王") == ["王芳芳"]


def test_accounts_with_a_login_are_completed(me: Shell, friend: Settings) -> None:
    assert complete(me, "webwx send --account ") == ["default", "friend"]
    assert complete(me, "webwx status --account f") == ["friend"]


@pytest.mark.parametrize(
    "name", ["$(reboot)", "`reboot`", "a;reboot", "two words", "a|b", "*", "~", "-v", "a\nb", "a'b", "#a", "a\x1b[2J"]
)
def test_a_name_with_shell_syntax_is_not_completed(shell: Shell, name: str) -> None:
    save_contacts(shell.settings, name, "阿华")
    assert complete(shell, "webwx send ") == ["filehelper", "文件传输助手", "阿华"]


def test_an_error_in_the_configuration_is_not_shown_during_completion(shell: Shell) -> None:
    Path(shell.environment["WEBWX_CONFIG"]).write_text("mistake = 1")
    assert complete(shell, "webwx send ") == []
    assert complete(shell, "webwx send --account ") == []


def save_contacts(settings: Settings, *nicknames: str) -> None:
    """Store contacts beside the saved login."""
    contacts = Contacts(Contact(id=ContactId(f"@{hash(each):x}"), nickname=each, kind="friend") for each in nicknames)
    asyncio.run(LoginFile(settings.login_path).save_contacts(contacts))
