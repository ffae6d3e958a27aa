"""
`webwx doctor`: the facts that a bug report needs, without private data.

The report must not name a person, a machine or a key. Names hide in paths, account names and server addresses, so each
part prints only the kind of a value, and repeats only values that webwx itself could have written.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import ssl
import stat
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from webwx.cli.session import Session, command
from webwx.client.accounts import saved_account
from webwx.errors import InvalidSettings, StorageError
from webwx.protocol.hosts import FAMILIES, PROFILES, is_this_machine
from webwx.settings import KEYS, config_path
from webwx.storage.account_folder import DEFAULT_ACCOUNT, LoginName
from webwx.storage.open import check_up, check_up_database
from webwx.storage.passphrase import keyring_backend

if TYPE_CHECKING:
    from webwx.settings import Settings

EXTRAS = (
    "asyncpg", "cronsim", "cryptography", "keyring", "litestar", "markdown-it-py", "mcp", "multipart", "pillow",
    "prometheus-client", "trustme", "uvicorn", "websockets", "winloop" if sys.platform == "win32" else "uvloop",
)  # fmt: skip
"""Optional dependencies."""

PACKAGES = ("aiohappyeyeballs", "aiohttp", "click", "httptools", "isal", "msgspec", "segno", *EXTRAS)
"""All dependencies, as pyproject.toml names them."""

VARIABLES = (
    "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LC_ALL", "NO_COLOR", "NO_PROXY", "PYTHONIOENCODING", "PYTHONUTF8",
    "SSL_CERT_DIR", "SSL_CERT_FILE", "TERM", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
)  # fmt: skip
"""Environment variables, besides our own, that describe the environment."""


@command("doctor", examples=("webwx doctor", "webwx doctor --json"))
async def doctor(session: Session) -> None:
    """
    Print the facts for a bug report, without private data.

    Shows versions, folders, settings and the state of saved logins. Prints no key, name, id, message or address,
    changes nothing and contacts no server but the database of the setting 'storage'.
    """
    report = {"versions": versions(), "system": system()} | await _configured(session)
    report["variables"] = {"set": variables()}
    lines = []
    for part, facts in report.items():
        lines.append(f"{part}:")
        for name, value in facts.items():
            first, *more = _shown(value)
            lines += [f"  {name}: {first}".rstrip(), *(f"    {each}" for each in more)]
    session.output.result(lines, **report)


def versions() -> dict[str, Any]:
    """Return the versions of webwx and of its dependencies."""
    return {
        "webwx": _version("webwx"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
        **{name: _version(name) for name in PACKAGES},
    }


def system() -> dict[str, Any]:
    """Describe the machine without anything that identifies it."""
    return {
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "files": sys.getfilesystemencoding(),
        "terminal": sys.stdout.isatty(),
    }


def variables() -> list[str]:
    """List the relevant variables that are set, without their values, which may be private."""
    return sorted(
        name for name, value in os.environ.items() if value and (name.startswith("WEBWX_") or name in VARIABLES)
    )


async def _configured(session: Session) -> dict[str, dict[str, Any]]:
    file = config_path()
    configuration: dict[str, Any] = {"file": scrubbed(file), "exists": file.exists()}
    try:
        settings = session.settings
    except InvalidSettings:  # its text may repeat what was typed
        return {"configuration": configuration | {"problem": "it cannot be used; 'webwx config show' says why"}}
    numbers = {DEFAULT_ACCOUNT: DEFAULT_ACCOUNT}
    return {
        "configuration": configuration | in_force(settings),
        **({"database": await database(settings.storage)} if settings.storage else {}),
        "logins": {"home": scrubbed(settings.home), "found": logins(settings, numbers)},
        "journals": {"sqlite": sqlite3.sqlite_version, "found": journals(settings, numbers)},
    }


def in_force(settings: Settings) -> dict[str, str]:
    """Return the kind of value and the source of each setting."""
    kinds = {
        "home": scrubbed(settings.home),
        "storage": "a database" if settings.storage else "none",
        "account": "default" if settings.account == DEFAULT_ACCOUNT else "a named one",
        "server": server_kind(settings.server),
        "host": host_kind(settings.host),
        "proxy": server_kind(settings.proxy),
        "passphrase_from": settings.passphrase_from or "none",
        "retention_days": f"{settings.retention_days:g}",
        "rate_limit": settings.rate_limit or "none",
        "keep": "on" if settings.keep else "none",
    }
    return {
        **{name: f"{kinds[name]} ({settings.sources.get(name, 'default')})" for name in KEYS},
        "passphrase": passphrase_kind(settings),
        "allowed_hosts": str(len(settings.allowed_hosts)),
        "desktop": "given" if settings.desktop else "none",
    }


async def database(url: str) -> dict[str, Any]:
    """Describe the database and whether webwx works with it."""
    try:
        found = await check_up_database(url)
    except InvalidSettings:
        return {"reachable": False, "problem": "asyncpg is not installed"}
    if found.problem:
        return {"reachable": False, "problem": found.problem}
    schema = f"version {found.schema}" if found.schema else "none yet"
    return {
        "reachable": True,
        "server": f"PostgreSQL {found.server}{'' if found.is_supported else ', TOO OLD'}",
        "schema": f"{schema}{', OF A NEWER webwx' if found.is_newer else ''}"
        f"{', TOO OLD: run webwx storage migrate' if found.is_older else ''}",
        "btree_gin": "available" if found.has_btree_gin else "MISSING: an administrator has to create this extension",
        "logins": found.logins,
        "accounts": found.accounts,
        "stored": _soundness(found.unreadable) if found.is_checked or found.unreadable else "too many to check here",
    }


def logins(settings: Settings, numbers: dict[str, str]) -> list[str]:
    """Describe the saved logins; named accounts appear as numbers."""
    described = []
    for account, path in settings.folder.login_paths():
        number = numbers.setdefault(account, f"account {len(numbers)}")
        try:
            content = path.read_bytes()
        except OSError:
            content = None
        saved = saved_account(LoginName(account, path.stem), content)
        where = f"{host_kind(saved.host)} on {server_kind(saved.server)}" if saved.host else "?"
        reason = f" ({saved.reason})" if saved.reason else ""
        described.append(f"{number}: {where}, {saved.state}{reason}, mode {stat.S_IMODE(path.stat().st_mode):o}")
    return described


def journals(settings: Settings, numbers: dict[str, str]) -> list[str]:
    """Describe the journals: size and integrity."""
    described = []
    for account, path in settings.folder.journal_paths():
        number = numbers.setdefault(account, f"account {len(numbers)}")
        try:
            found = check_up(path)
        except StorageError:  # its text names the path
            described.append(f"{number}: it cannot be read, {_file_facts(path)}")
            continue
        state = "DAMAGED: 'webwx journal export' may still save what is in it"
        if found.is_sound:
            state = _soundness(found.unreadable)
        described.append(
            f"{number}: {found.entries} events, {found.sends} sends, {found.consumers} readers, "
            f"version {found.version}, {state}, {_file_facts(path)}"
        )
    return described


def _soundness(unreadable: int) -> str:
    if not unreadable:
        return "sound"
    return f"DAMAGED: {unreadable} events cannot be read, the others can; 'webwx journal check' lists them"


def _file_facts(path: Path) -> str:
    facts = path.stat()
    return f"{facts.st_size} bytes, mode {stat.S_IMODE(facts.st_mode):o}"


# -- values without private data -------------------------------------------------------------------------------------


def scrubbed(path: Path) -> str:
    """Return a path with the home folder abbreviated; a path outside of the home folder is not shown."""
    home = Path.home()
    if home == home.parent or not path.is_relative_to(home):
        return "(outside the home folder)"
    return str("~" / Path(*("USER" if part == home.name else part for part in path.relative_to(home).parts)))


def server_kind(url: str | None) -> str:
    """Return the scheme of an address, and whether it is on this machine."""
    if url is None:
        return "none"
    parts = urlsplit(url)
    return f"{parts.scheme} {'on this machine' if is_this_machine(parts.hostname or '') else 'elsewhere'}"


def host_kind(host: str | None) -> str:
    """Return the name of a profile or of a platform host; any other value is private."""
    if host is None or host in PROFILES or host in FAMILIES:
        return host or "none"
    return "another"


def passphrase_kind(settings: Settings) -> str:
    """Return the source of the passphrase of the saved logins."""
    if settings.passphrase:
        return "given (environment)"
    if not settings.passphrase_from:
        return "none"
    try:
        kind = type(keyring_backend())
    except StorageError:
        return "from a keyring, but none can be used"
    name = f"{kind.__module__}.{kind.__qualname__}"
    return f"from {name}" if name.startswith(("keyring.", "keyrings.")) else "from another keyring"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _shown(value: Any) -> list[str]:
    """Return a value as text: the rest of its line, and the lines below it."""
    match value:
        case None | []:
            return ["none"]
        case bool():
            return ["yes" if value else "no"]
        case list():
            return ["", *map(str, value)]
        case _:
            return [str(value)]
