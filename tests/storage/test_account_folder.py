"""The folder of saved logins: a different path for each account, host and server."""

from __future__ import annotations

from pathlib import Path

import pytest

from webwx.errors import InvalidSettings
from webwx.storage.account_folder import AccountFolder, check_account_name

FOLDER = AccountFolder(Path("/state"))


@pytest.mark.parametrize(
    ("account", "host", "server", "path"),
    [
        ("default", None, None, "logins/filehelper.json"),
        ("default", "web", None, "logins/web.json"),
        ("default", None, "http://127.0.0.1:8790", "logins/127.0.0.1-8790.json"),
        ("default", "desktop", "http://127.0.0.1:8790", "logins/127.0.0.1-8790-desktop.json"),
        ("work", "web", None, "accounts/work/web.json"),
        ("logins", None, None, "accounts/logins/filehelper.json"),
    ],
)
def test_each_login_has_its_own_file(account: str, host: str | None, server: str | None, path: str) -> None:
    assert Path("/state", path) == FOLDER.login_path(account, host=host, server=server)


def test_logins_and_journals_are_found_with_their_accounts(tmp_path: Path) -> None:
    folder = AccountFolder(tmp_path)
    for account in ("default", "work", "family"):
        path = folder.login_path(account, host="web", server=None)
        path.parent.mkdir(parents=True)
        for suffix in (".json", ".journal", ".contacts.json"):
            path.with_suffix(suffix).touch()

    assert [account for account, _ in folder.login_paths()] == ["default", "family", "work"]
    assert {path.name for _, path in folder.login_paths()} == {"web.json"}
    assert [account for account, _ in folder.journal_paths()] == ["default", "family", "work"]


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    folder = AccountFolder(tmp_path / "none")
    assert list(folder.login_paths()) == list(folder.journal_paths()) == []
    assert repr(folder) == f"AccountFolder({str(tmp_path / 'none')!r})"


@pytest.mark.parametrize("name", ["", "..", "../friend", "a/b", "-a", "a" * 65])
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match="account"):
        check_account_name(name)


@pytest.mark.parametrize("name", ["a", "work", "张三", "a.b-c_d"])
def test_a_name_of_letters_and_digits_is_accepted(name: str) -> None:
    assert name == check_account_name(name)
