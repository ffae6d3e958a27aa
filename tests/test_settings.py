"""Settings: the folder of logins, the account and the server, from the command line, the environment and the file."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from tests.keyrings import MemoryKeyring
from tests.saved import LOGIN

from webwx.client.sending.rate_limit import RateLimit
from webwx.errors import InvalidSettings
from webwx.model.archive import Keep
from webwx.protocol.hosts import Desktop
from webwx.settings import KEYS, ConfigFile, Settings, config_folder, config_path, read_config, state_folder
from webwx.storage.account_folder import login_name
from webwx.storage.base import RETENTION_DAYS
from webwx.storage.login import LoginFile
from webwx.storage.saved_login import SavedLogin


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a configuration file that does not exist yet."""
    return tmp_path / "config.toml"


# -- the database ----------------------------------------------------------------------------------------------------

SECRET = "Gx7pQ2"


def test_a_password_of_the_database_is_taken_from_the_environment_and_shown_nowhere() -> None:
    settings = Settings.read({"WEBWX_STORAGE": f"postgresql://me:{SECRET}@db.test/webwx", "WEBWX_PASSPHRASE": "abc"})
    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.open_storage())
    assert settings.open_storage().place == "the database 'webwx' on db.test"


@pytest.mark.parametrize("url", [f"postgresql://me:{SECRET}@db.test/w", f"postgresql://db.test/w?password={SECRET}"])
def test_a_password_in_the_option_is_refused_because_others_can_read_it(url: str) -> None:
    with pytest.raises(InvalidSettings, match="PGPASSFILE") as refused:
        Settings.read({}, storage=url)
    assert SECRET not in str(refused.value)


def test_an_address_that_is_no_database_is_refused_without_a_part_of_it() -> None:
    with pytest.raises(InvalidSettings, match="postgresql://USER@HOST/DATABASE") as refused:
        Settings.read({"WEBWX_STORAGE": f"postgresql://me:a/{SECRET}@db.test/webwx"})
    assert SECRET not in str(refused.value)


# -- sources ---------------------------------------------------------------------------------------------------------

EVERYTHING = Settings(
    home=Path("/somewhere"),
    account="work",
    server="http://127.0.0.1:8790",
    host="web",
    proxy="http://127.0.0.1:8080",
    storage="postgresql://127.0.0.1/webwx",
    passphrase_from="keyring",
    rate_limit="on",
    retention_days=0,
    keep=Keep(chats=("all",)),
)
TEXTS = ("home", "account", "server", "host", "proxy", "storage", "passphrase_from", "rate_limit")
VALUES = {name: str(getattr(EVERYTHING, name)) for name in TEXTS}
"""The values in `EVERYTHING` that are written as texts, by their keys."""


def test_every_key_can_be_set_by_an_environment_variable(file: Path) -> None:
    variables = {f"WEBWX_{name.upper()}": value for name, value in VALUES.items()}
    more = {"WEBWX_CONFIG": str(file), "WEBWX_RETENTION_DAYS": "0"}
    settings = Settings.read(more | variables | {"WEBWX_KEEP": "all"})
    assert settings == EVERYTHING
    assert settings.sources == dict.fromkeys(KEYS, "environment")


def test_every_key_can_be_set_in_the_file(file: Path) -> None:
    numbers = ["retention_days = 0", 'keep = "all"']
    file.write_text("\n".join([*(f'{name} = "{value}"' for name, value in VALUES.items()), *numbers]))
    settings = Settings.read({"WEBWX_CONFIG": str(file)})
    assert settings == EVERYTHING
    assert settings.sources == dict.fromkeys(KEYS, "file")


@pytest.mark.parametrize("name", ["account", "server", "host", "proxy", "storage"])
def test_an_option_overrides_a_variable_and_a_variable_overrides_the_file(file: Path, name: str) -> None:
    values = {
        "account": "abc",
        "server": "http://abc",
        "host": "web",
        "proxy": "http://abc",
        "storage": "postgresql://abc/w",
    }[name]
    file.write_text(f'{name} = "{values}1"')
    environment = {"WEBWX_CONFIG": str(file)}

    def chosen(environment: dict[str, str], **options: str | None) -> tuple[str, str]:
        settings = Settings.read(environment, **options)
        return getattr(settings, name), settings.sources[name]

    assert chosen(environment, **{name: None}) == (f"{values}1", "file")
    environment[f"WEBWX_{name.upper()}"] = f"{values}2"
    assert chosen(environment, **{name: None}) == (f"{values}2", "environment")
    assert chosen(environment, **{name: f"{values}3"}) == (f"{values}3", "option")


def test_an_empty_value_counts_as_not_set(file: Path) -> None:
    file.write_text('host = ""')
    empty = {f"WEBWX_{name.upper()}": "" for name in KEYS}
    settings = Settings.read({"WEBWX_CONFIG": str(file), "XDG_STATE_HOME": "/state", "WEBWX_PASSPHRASE": ""} | empty)
    assert settings == Settings(home=state_folder({"XDG_STATE_HOME": "/state"}))
    assert (settings.account, settings.sources) == ("default", {})


def test_a_passphrase_is_read_from_the_environment_only(file: Path) -> None:
    environment = {"WEBWX_CONFIG": str(file), "WEBWX_PASSPHRASE": "correct horse"}
    assert Settings.read(environment).passphrase == "correct horse"
    file.write_text('passphrase = "correct horse"')
    with pytest.raises(InvalidSettings):
        Settings.read(environment)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEBWX_PASSPHRASE", "correct horse"),
        ("WEBWX_PROXY", "http://user:word@127.0.0.1:1"),
        ("WEBWX_STORAGE", "postgresql://user:word@127.0.0.1/webwx"),
    ],
)
def test_a_secret_can_be_in_a_file(tmp_path: Path, variable: str, value: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{value}\n")
    settings = Settings.read({f"{variable}_FILE": str(secret), "WEBWX_CONFIG": str(tmp_path / "absent")})
    assert value in {settings.passphrase, settings.proxy, settings.storage}


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_file_is_no_passphrase(tmp_path: Path, content: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    assert Settings.read({"WEBWX_PASSPHRASE_FILE": str(secret)}).passphrase is None


def test_a_file_with_a_secret_that_cannot_be_used_is_refused_without_its_content(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"horse \xff")
    for environment in (
        {"WEBWX_PASSPHRASE_FILE": str(tmp_path / "absent")},
        {"WEBWX_PASSPHRASE_FILE": str(tmp_path)},
        {"WEBWX_PASSPHRASE_FILE": str(binary)},
        {"WEBWX_PASSPHRASE_FILE": str(binary), "WEBWX_PASSPHRASE": "horse"},
    ):
        with pytest.raises(InvalidSettings, match="WEBWX_PASSPHRASE_FILE") as refused:
            Settings.read(environment)
        assert "horse" not in str(refused.value)


@pytest.mark.parametrize("where", ["environment", "file"])
def test_the_only_other_source_of_a_passphrase_is_the_keyring(file: Path, where: str) -> None:
    environment = {"WEBWX_CONFIG": str(file)}
    if where == "environment":
        environment["WEBWX_PASSPHRASE_FROM"] = "correct horse"
    else:
        file.write_text('passphrase_from = "correct horse"')
    with pytest.raises(InvalidSettings, match="'passphrase_from' can only be 'keyring'") as caught:
        Settings.read(environment)
    assert "correct horse" not in str(caught.value)


def test_the_file_sets_allowed_hosts_and_desktop_values(file: Path) -> None:
    file.write_text('allowed_hosts = ["wx9.qq.com"]\n[desktop]\nclient_version = "1.2"\nextspam = "abc"')
    settings = Settings.read({"WEBWX_CONFIG": str(file)})
    assert settings.allowed_hosts == ("wx9.qq.com",)
    assert isinstance(settings.desktop, Desktop)
    assert (settings.desktop.client_version, settings.desktop.extspam) == ("1.2", "abc")


def test_the_repr_of_settings_has_no_secret() -> None:
    settings = Settings(home=Path("/home"), proxy="http://me:geheim@host:1", passphrase="geheim")
    assert "geheim" not in repr(settings)
    assert "geheim" not in repr(ConfigFile(proxy="http://me:geheim@host:1"))


# -- invalid values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["work", "阿华", "a", "a.b-c_d", "x" * 64])
def test_a_valid_account_name_is_accepted(file: Path, account: str) -> None:
    settings = Settings.read({"WEBWX_CONFIG": str(file), "WEBWX_HOME": "/home"}, account=account)
    assert settings.login_path == Path("/home/accounts") / account / "filehelper.json"


@pytest.mark.parametrize("account", ["..", ".a", "a.", "-a", "a/b", "a\\b", "a b", "a\n", "x" * 65, "a:b"])
def test_an_invalid_account_name_is_refused(file: Path, account: str) -> None:
    with pytest.raises(InvalidSettings, match="account"):
        Settings.read({"WEBWX_CONFIG": str(file)}, account=account)


@pytest.mark.parametrize("proxy", ["geheim", "socks5://geheim:1", "http://", "http://geheim:x", "http://[geheim"])
def test_an_invalid_proxy_is_refused_without_repeating_it(file: Path, proxy: str) -> None:
    with pytest.raises(InvalidSettings, match="proxy") as caught:
        Settings.read({"WEBWX_CONFIG": str(file)}, proxy=proxy)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'acount = "geheim"', "unknown field `acount`; known keys are home, storage, account,"),
        (b'account = ["geheim"]', r"\$.account"),
        (b'account = "geheim', "is not valid TOML"),
        (b"account = " + b"[" * 100_000, "is not valid TOML"),
        (b'account = "\xff"', "is not UTF-8"),
        (b'home = "geheim"', "absolute path"),
        (b'[desktop]\nclient_version = "geheim"', "extspam"),
        (b'[desktop]\nclient_version = "1"\nextspam = "2"\nuin = "geheim"', "unknown field `uin`"),
    ],
)
def test_an_invalid_file_is_an_error_that_names_the_file_and_the_key(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(InvalidSettings, match=words) as caught:
        read_config(file)
    assert str(file) in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read_config(tmp_path)


def test_a_missing_file_counts_as_empty(file: Path) -> None:
    assert read_config(file) == ConfigFile()


# -- folders ---------------------------------------------------------------------------------------------------------


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
    ("platform", "environment", "folder"),
    [
        ("linux", {"XDG_CONFIG_HOME": "/config"}, Path("/config/webwx")),
        ("linux", {}, Path.home() / ".config/webwx"),
        ("darwin", {}, Path.home() / "Library/Application Support/webwx"),
        ("win32", {"APPDATA": "/roaming"}, Path("/roaming/webwx")),
        ("win32", {}, Path.home() / "AppData/Roaming/webwx"),
    ],
)
def test_the_default_configuration_file_is_in_the_platforms_folder_for_configuration(
    platform: str, environment: dict[str, str], folder: Path
) -> None:
    assert config_folder(environment, platform) == folder


def test_a_variable_names_another_configuration_file() -> None:
    assert config_path({}) == config_folder({}) / "config.toml"
    assert config_path({"WEBWX_CONFIG": ""}) == config_folder({}) / "config.toml"
    assert config_path({"WEBWX_CONFIG": "/other.toml"}) == Path("/other.toml")


def test_a_tilde_is_the_home_folder(file: Path) -> None:
    file.write_text('home = "~/logins"')
    assert Settings.read({"WEBWX_CONFIG": str(file)}).home == Path.home() / "logins"


# -- logins ----------------------------------------------------------------------------------------------------------


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
def test_each_server_and_host_profile_has_its_own_login(server: str | None, host: str | None, name: str) -> None:
    assert Settings(home=Path("/home"), server=server, host=host).login_path == Path("/home/logins") / name


def test_a_journal_is_beside_its_login_and_is_found_without_the_login(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, account="阿华", host="wx2.qq.com")
    assert settings.journal_path == tmp_path / "accounts/阿华/wx2.qq.com.journal"
    settings.journal_path.parent.mkdir(parents=True)
    for name in ("wx2.qq.com.journal", "wx2.qq.com.journal-wal", ".wx2.qq.com.journal.consumer-1"):
        settings.journal_path.with_name(name).touch()
    assert list(settings.folder.journal_paths()) == [("阿华", settings.journal_path)]
    assert list(settings.folder.login_paths()) == []


def test_the_default_of_retention_days() -> None:
    assert Settings(home=Path("/home")).retention_days == RETENTION_DAYS


@pytest.mark.parametrize("days", ["-1", "soon", "nan", "inf"])
def test_invalid_retention_days_are_refused(file: Path, days: str) -> None:
    with pytest.raises(InvalidSettings, match="retention_days"):
        Settings.read({"WEBWX_CONFIG": str(file), "WEBWX_RETENTION_DAYS": days})


@pytest.mark.parametrize(
    ("rate_limit", "server", "is_on"),
    [
        ("", "", True),
        ("", "http://127.0.0.1:8790", False),
        ("on", "http://127.0.0.1:8790", True),
        ("off", "", False),
    ],
)
def test_the_rate_limit_is_on_for_the_platform_and_off_for_other_servers_by_default(
    file: Path, rate_limit: str, server: str, is_on: bool
) -> None:
    settings = Settings.read({"WEBWX_CONFIG": str(file), "WEBWX_RATE_LIMIT": rate_limit, "WEBWX_SERVER": server})
    assert settings.effective_rate_limit == (RateLimit() if is_on else None)


def test_the_rate_limit_has_the_numbers_of_the_file(file: Path) -> None:
    file.write_text("[rate_limit]\nspacing = 3\nmessages_per_minute = 10\npatience = inf")
    limits = {"spacing": 3, "messages_per_minute": 10, "patience": math.inf}
    for environment, is_on in (
        ({}, True),
        ({"WEBWX_RATE_LIMIT": "off"}, False),
        ({"WEBWX_SERVER": "http://a.test"}, False),
    ):
        settings = Settings.read({"WEBWX_CONFIG": str(file), **environment})
        rate_limit = settings.effective_rate_limit
        assert (rate_limit is not None) is is_on
        assert msgspec.structs.asdict(settings.limits) == msgspec.structs.asdict(RateLimit()) | limits


@pytest.mark.parametrize(
    "line", ['rate_limit = "slow"', "rate_limit = 3", "[rate_limit]\nburst = 0", "[rate_limit]\nspeed = 3"]
)
def test_an_invalid_rate_limit_in_the_file_is_refused(file: Path, line: str) -> None:
    file.write_text(line)
    with pytest.raises(InvalidSettings, match="rate_limit"):
        Settings.read({"WEBWX_CONFIG": str(file)})


def test_an_invalid_variable_for_the_rate_limit_is_refused(file: Path) -> None:
    with pytest.raises(InvalidSettings, match="'rate_limit' cannot be 'slow'; use 'on', 'off'"):
        Settings.read({"WEBWX_CONFIG": str(file), "WEBWX_RATE_LIMIT": "slow"})


_TABLE = '[keep]\nchats = ["Boss"]\nkinds = ["image", "voice"]\nmax_size = 1000'


@pytest.mark.parametrize(
    ("content", "variable", "keep"),
    [
        ("", "", None),
        ('keep = "all"', "", Keep(chats=("all",))),
        ('keep = ["阿华", "周末爬山"]', "", Keep(chats=("阿华", "周末爬山"))),
        ('keep = ["Smith, John"]', "", Keep(chats=("Smith, John",))),
        ('[keep]\nchats = ["Smith, John", "阿华"]', "", Keep(chats=("Smith, John", "阿华"))),
        (_TABLE, "", Keep(chats=("Boss",), kinds=("image", "voice"), max_size=1_000)),
        (_TABLE, "all", Keep(chats=("all",), kinds=("image", "voice"), max_size=1_000)),
        (_TABLE, "off", None),
        ("", "阿华, 周末爬山", Keep(chats=("阿华", "周末爬山"))),
    ],
)
def test_the_archive_is_set_by_chats_or_by_a_table(file: Path, content: str, variable: str, keep: Keep | None) -> None:
    file.write_text(content)
    assert Settings.read({"WEBWX_CONFIG": str(file), "WEBWX_KEEP": variable}).keep == keep


@pytest.mark.parametrize(
    "line", ["keep = 3", '[keep]\nkinds = ["picture"]', "[keep]\nsize = 3", "[keep]\nmax_size = 0"]
)
def test_an_invalid_archive_setting_is_refused(file: Path, line: str) -> None:
    file.write_text(line)
    with pytest.raises(InvalidSettings):
        Settings.read({"WEBWX_CONFIG": str(file)})


async def test_a_saved_login_is_encrypted_as_the_settings_say(tmp_path: Path, memory_keyring: MemoryKeyring) -> None:
    plain = Settings(home=tmp_path, host="plain")
    typed = Settings(home=tmp_path, host="typed", passphrase="correct horse")
    kept = Settings(home=tmp_path, host="kept", passphrase_from="keyring")
    for settings in (plain, typed, kept):
        await settings.open_storage().login(settings.login_name).save(SavedLogin(login=LOGIN))
    assert await LoginFile(plain.login_path).load() is not None
    assert await LoginFile(typed.login_path, passphrase="correct horse").load() is not None
    [passphrase] = memory_keyring.entries.values()
    assert await LoginFile(kept.login_path, passphrase=passphrase).load() is not None


async def test_a_passphrase_in_the_environment_replaces_the_one_in_the_keyring(
    tmp_path: Path, memory_keyring: MemoryKeyring
) -> None:
    settings = Settings(home=tmp_path, passphrase="correct horse", passphrase_from="keyring")
    await settings.open_storage().login(settings.login_name).save(SavedLogin(login=LOGIN))
    assert await LoginFile(settings.login_path, passphrase="correct horse").load() is not None
    assert memory_keyring.entries == {}


async def test_the_same_account_in_two_homes_has_two_entries_in_the_keyring(
    tmp_path: Path, memory_keyring: MemoryKeyring
) -> None:
    """With one entry, a logout in one home would delete the passphrase of the other."""
    one, other = (Settings(home=tmp_path / name, passphrase_from="keyring") for name in ("one", "other"))
    await one.open_storage().login(one.login_name).save(SavedLogin(login=LOGIN))
    await other.open_storage().login(other.login_name).save(SavedLogin(login=LOGIN))
    await one.open_storage().login(one.login_name).clear()
    assert await other.open_storage().login(other.login_name).load() is not None
    assert len(memory_keyring.entries) == 1


async def test_each_account_of_a_home_has_its_own_entry_in_the_keyring(
    tmp_path: Path, memory_keyring: MemoryKeyring
) -> None:
    settings = Settings(home=tmp_path / "home", passphrase_from="keyring")
    work = login_name("work", host=None, server=None)
    await settings.open_storage().login(settings.login_name).save(SavedLogin(login=LOGIN))
    await settings.open_storage().login(work).save(SavedLogin(login=LOGIN))
    await settings.open_storage().login(settings.login_name).clear()

    assert await settings.open_storage().login(work).load() is not None
    assert len(memory_keyring.entries) == 1


def test_saved_logins_are_listed_with_their_accounts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert list(settings.folder.login_paths()) == []
    expected = [
        ("default", tmp_path / "logins/filehelper.json"),
        ("default", tmp_path / "logins/wx2.qq.com.json"),
        ("阿华", tmp_path / "accounts/阿华/web.json"),
    ]
    others = ["filehelper.contacts.json", "filehelper.journal", ".filehelper.json.lock", ".filehelper.json"]
    for path in (*(path for _, path in expected), *(tmp_path / "logins" / name for name in others)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(settings.folder.login_paths()) == expected
