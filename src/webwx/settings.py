"""
The settings: command-line options, environment variables and the configuration file, merged here only.

An option overrides a variable, and a variable overrides the file. Only entry points read this: a program that embeds
the library passes its own values.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import msgspec

from webwx.client.sending.rate_limit import RateLimit
from webwx.errors import InvalidSettings
from webwx.model.archive import Keep
from webwx.protocol.hosts import Desktop, check_proxy
from webwx.storage.account_folder import DEFAULT_ACCOUNT, AccountFolder, check_account_name, login_name
from webwx.storage.database_url import check_database_url, check_typed_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webwx.storage.account_folder import LoginName
    from webwx.storage.base import Storage

KEYS = (
    "home",
    "storage",
    "account",
    "server",
    "host",
    "proxy",
    "passphrase_from",
    "retention_days",
    "rate_limit",
    "keep",
)
"""Names of settings: keys of the file, and in capitals with the prefix `WEBWX_` names of variables."""


SECRET_FILES = ("WEBWX_PASSPHRASE_FILE", "WEBWX_PROXY_FILE", "WEBWX_STORAGE_FILE")
"""Variables that name a file with the value of the variable without `_FILE`, such as a secret of a container."""


class ForClient(TypedDict):
    """Arguments of a client, by their names."""

    host: str | None
    server: str | None
    proxy: str | None
    allowed_hosts: tuple[str, ...]
    desktop: Desktop | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Folders, server and options of the command line and of bots."""

    home: Path
    """Folder of the saved logins, and of the files of the gateway."""
    storage: str | None = field(default=None, repr=False)
    """URL of a PostgreSQL database for logins, journals and the gateway's records; it may contain a password."""
    account: str = DEFAULT_ACCOUNT
    """Name that the user chose for this account; each account has its own logins."""
    server: str | None = None
    """Origin of a server that plays all hosts of the platform."""
    host: str | None = None
    """Profile or host name; None uses the default."""
    proxy: str | None = field(default=None, repr=False)
    """Address of a proxy; it may contain a password."""
    allowed_hosts: tuple[str, ...] = ()
    """API hosts that a login may be redirected to, besides the platform's own; file only."""
    desktop: Desktop | None = None
    """Values of the desktop profile; file only."""
    passphrase: str | None = field(default=None, repr=False)
    """
    Passphrase that encrypts the saved logins; environment only, so that no list of processes and no backup shows it.
    """
    passphrase_from: Literal["keyring"] | None = None
    """Place of the passphrase of each saved login, if no passphrase is passed."""
    retention_days: float = 90
    """Days after which the journals delete events; 0: never."""
    rate_limit: Literal["on", "off"] | None = None
    """Whether sends and changes wait for the account's rate limit; None means yes, unless a server is set."""
    limits: RateLimit = field(default_factory=RateLimit)
    """The numbers of the rate limit; set in the file only."""
    keep: Keep | None = None
    """The media that are archived when they arrive; None: no media."""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Source of each setting: `option`, `environment` or `file`; a setting without a source is missing."""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ, **options: str | None) -> Settings:
        """
        Merge the settings; an empty value counts as missing.

        Args:
            environment: Environment variables.
            options: Command-line options, by the names in `KEYS`.

        Raises:
            InvalidSettings: A file cannot be read, or a value is not valid.
        """
        environment = _with_secrets(environment)
        file = read_config(config_path(environment))
        places: dict[str, Mapping[str, str | None]] = {
            "file": {name: _text(getattr(file, name)) for name in KEYS},
            "environment": {name: environment.get(f"WEBWX_{name.upper()}") for name in KEYS},
            "option": options,
        }
        # The later places win.
        stated = {name: (value, place) for place, values in places.items() for name, value in values.items() if value}
        values = {name: value for name, (value, _) in stated.items()}
        home = values.get("home")
        return cls(
            home=Path(home).expanduser() if home else state_folder(environment),
            storage=_storage(values.get("storage"), is_option=stated.get("storage", ("", ""))[1] == "option"),
            account=check_account_name(values.get("account", DEFAULT_ACCOUNT)),
            server=values.get("server"),
            host=values.get("host"),
            proxy=_proxy(values.get("proxy")),
            allowed_hosts=file.allowed_hosts,
            desktop=file.desktop,
            retention_days=_days(values.get("retention_days")),
            rate_limit=_switch(values.get("rate_limit")),
            limits=file.rate_limit if isinstance(file.rate_limit, RateLimit) else RateLimit(),
            keep=_keep(values.get("keep"), file.keep, is_of_file=stated.get("keep", ("", ""))[1] == "file"),
            passphrase=environment.get("WEBWX_PASSPHRASE") or None,
            passphrase_from=_passphrase_from(values.get("passphrase_from")),
            sources={name: place for name, (_, place) in stated.items()},
        )

    @property
    def folder(self) -> AccountFolder:
        """The folder of all saved logins and journals."""
        return AccountFolder(self.home)

    @property
    def login_path(self) -> Path:
        """The file of this account's login on this server or with this profile."""
        return self.folder.login_path(self.account, host=self.host, server=self.server)

    @property
    def journal_path(self) -> Path:
        """The file that stores events and sends of this login; it remains after a logout."""
        return self.login_path.with_suffix(".journal")

    @property
    def effective_rate_limit(self) -> RateLimit | None:
        """The rate limit of a client with these settings; None for no limit."""
        is_on = not self.server if self.rate_limit is None else self.rate_limit == "on"
        return self.limits if is_on else None

    @property
    def login_name(self) -> LoginName:
        """The name of this account's login in the storage."""
        return login_name(self.account, host=self.host, server=self.server)

    def for_client(self) -> ForClient:
        """Return the arguments that every client of these settings shares."""
        return {
            "host": self.host, "server": self.server, "proxy": self.proxy, "allowed_hosts": self.allowed_hosts,
            "desktop": self.desktop,
        }  # fmt: skip

    def open_storage(self, *, retention_days: float | None = None) -> Storage:
        """
        Return the storage of logins, journals and records: the database if one is set, else the folder.

        Args:
            retention_days: Days after which journals delete events; None: as configured.

        Raises:
            InvalidSettings: The driver of PostgreSQL is not installed.
        """
        # Imported here, because shell completion asks only for folders and names, and has to be quick.
        from webwx.storage.open import open_storage

        return open_storage(
            self.storage or self.home,
            passphrase=self.passphrase,
            passphrase_from=self.passphrase_from,
            retention_days=self.retention_days if retention_days is None else retention_days,
        )


# -- the file --------------------------------------------------------------------------------------------------------


class DesktopTable(Desktop, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The values of the desktop profile, from the file."""


class RateLimitTable(RateLimit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[rate_limit]` of the file."""


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration file; its fields mean the same as in `Settings`."""

    home: str | None = None
    storage: str | None = None
    account: str | None = None
    server: str | None = None
    host: str | None = None
    proxy: str | None = None
    passphrase_from: str | None = None
    retention_days: float | None = None
    rate_limit: Literal["on", "off"] | RateLimitTable | None = None
    keep: str | tuple[str, ...] | Keep | None = None
    allowed_hosts: tuple[str, ...] = ()
    desktop: DesktopTable | None = None

    def __repr__(self) -> str:
        return "ConfigFile()"


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the configuration file: WEBWX_CONFIG, or the platform's default."""
    chosen = environment.get("WEBWX_CONFIG")
    return Path(chosen) if chosen else config_folder(environment) / "config.toml"


def read_config(path: Path) -> ConfigFile:
    """
    Read the configuration file; a missing file is an empty one.

    Raises:
        InvalidSettings: The file cannot be read, or has an unknown key. The error contains no values.
    """
    try:
        file = msgspec.toml.decode(path.read_text(encoding="utf-8"), type=ConfigFile)
    except FileNotFoundError:
        return ConfigFile()
    except OSError as error:
        raise InvalidSettings(f"The configuration {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidSettings(f"The configuration {path} is not UTF-8.") from None
    except msgspec.ValidationError as error:
        known = ", ".join(ConfigFile.__struct_fields__)
        raise InvalidSettings(f"The configuration {path} cannot be used: {error}; known keys are {known}.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidSettings(f"The configuration {path} is not valid TOML: {error}.") from None
    # A folder that depends on where a command is typed would make it look for its login somewhere else each time.
    if file.home and not Path(file.home).expanduser().is_absolute():
        raise InvalidSettings(f"The configuration {path} must give 'home' as an absolute path.")
    return file


# -- the platform's folders ------------------------------------------------------------------------------------------


def state_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return this platform's folder for application state."""
    return _folder(environment, platform, windows=("LOCALAPPDATA", "Local"), xdg=("XDG_STATE_HOME", ".local/state"))


def config_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return this platform's folder for configuration."""
    return _folder(environment, platform, windows=("APPDATA", "Roaming"), xdg=("XDG_CONFIG_HOME", ".config"))


def _folder(environment: Mapping[str, str], platform: str, *, windows: tuple[str, str], xdg: tuple[str, str]) -> Path:
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "webwx"
    (variable, otherwise), above = (windows, Path.home() / "AppData") if platform == "win32" else (xdg, Path.home())
    chosen = environment.get(variable)
    return (Path(chosen) if chosen else above / otherwise) / "webwx"


# -- values ----------------------------------------------------------------------------------------------------------


def _with_secrets(environment: Mapping[str, str]) -> Mapping[str, str]:
    """
    Return the environment with the variables whose values are in files.

    Raises:
        InvalidSettings: A file cannot be read, or a variable is set as well. The error does not contain the value.
    """
    read = {}
    for variable in SECRET_FILES:
        path, name = environment.get(variable), variable.removesuffix("_FILE")
        if not path:
            continue
        if environment.get(name):
            raise InvalidSettings(f"{name} and {variable} are both set; unset one of them.")
        try:
            read[name] = Path(path).read_text(encoding="utf-8").removesuffix("\n")
        except OSError as error:
            raise InvalidSettings(f"The file {path} of {variable} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise InvalidSettings(f"The file {path} of {variable} is not UTF-8.") from None
    return {**environment, **read} if read else environment


def _storage(url: str | None, *, is_option: bool) -> str | None:
    if url is not None and is_option:
        check_typed_url(url, "--storage")
    elif url is not None:
        check_database_url(url)
    return url


def _proxy(url: str | None) -> str | None:
    if url is not None:
        check_proxy(url)
    return url


def _days(text: str | None) -> float:
    if text is None:
        return Settings.retention_days
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < math.inf:
        raise InvalidSettings(f"'retention_days' cannot be {text!r}; give a number of days, or 0 to keep everything.")
    return days


def _switch(position: str | None) -> Literal["on", "off"] | None:
    match position:
        case None | "on" | "off":
            return position
        case _:
            raise InvalidSettings(f"'rate_limit' cannot be {position!r}; use 'on', 'off', or a table in the file.")


def _text(value: str | float | tuple[str, ...] | RateLimit | Keep | None) -> str | None:
    """Return a value of the file as the text of a variable; None for a table."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return None if value is None or isinstance(value, RateLimit) else str(value)


def _keep(chats: str | None, file: str | tuple[str, ...] | Keep | None, *, is_of_file: bool) -> Keep | None:
    """Return the media to archive: any source can set the chats, but only the file's table sets kinds and sizes."""
    if chats is None or chats == "off":
        return None
    if is_of_file and isinstance(file, Keep):
        return file
    if is_of_file and isinstance(file, tuple):
        names = file  # a name in a list may have a comma
    else:
        names = tuple(name for each in chats.split(",") if (name := each.strip()))
    return msgspec.structs.replace(file if isinstance(file, Keep) else Keep(), chats=names)


def _passphrase_from(place: str | None) -> Literal["keyring"] | None:
    match place:
        case None | "keyring":
            return place
        case _:
            # It is not repeated: it may be the passphrase itself.
            raise InvalidSettings("'passphrase_from' can only be 'keyring'.")
