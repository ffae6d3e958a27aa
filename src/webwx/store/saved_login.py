"""
The saved login: a JSON file that lets each command be a process of its own.

Whoever can read it can use the account, so it is 0600 from the first syscall and replaced in one piece. Every change
goes through `update`, under a lock and on what is in the file now: a process that listens and one that sends save
different parts of the same login.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from webwx.errors import AlreadyRunning, InvalidLogin
from webwx.model.contacts import Contact
from webwx.model.events import Item
from webwx.model.login import Login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VERSION = 1
"""Of the file's layout."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a login ended."""

    reason: str
    """As in `LoggedOut`."""
    text: str


class SavedLogin(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a login."""

    login: Login
    pending: tuple[Item, ...] = ()
    """Fetched and saved with the keys, but not yet handed to anybody."""
    ended: Ended | None = None
    """Set once the platform has said that the login is over; what is pending can still be read."""
    version: int = VERSION


class LoginStore(Protocol):
    """Where a login outlives its process."""

    def load(self) -> SavedLogin | None:
        """
        Give what was saved, or None.

        Raises:
            InvalidLogin: Something was, and it cannot be read.
        """
        ...

    def save(self, saved: SavedLogin) -> None:
        """Keep a new login in place of whatever was there."""
        ...

    def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """Change what is saved, as it is now; nothing happens when nothing is."""
        ...

    def clear(self) -> None:
        """Forget the login and its contacts."""
        ...

    def syncing(self) -> contextlib.AbstractContextManager[None]:
        """
        Be the one that syncs this login: two would split its messages between them.

        Raises:
            AlreadyRunning: Somebody is.
        """
        ...

    def load_contacts(self) -> list[Contact]:
        """Give the contacts kept beside the login."""
        ...

    def save_contacts(self, contacts: list[Contact]) -> None:
        """Keep the contacts beside the login."""
        ...


class LoginMemory:
    """Keeps a login as long as the process; for tests, and for handing one client's login to another."""

    def __init__(self) -> None:
        self._saved: SavedLogin | None = None
        self._contacts: list[Contact] = []
        self._is_syncing = False

    def load(self) -> SavedLogin | None:
        """Give what was saved, or None."""
        return self._saved

    def save(self, saved: SavedLogin) -> None:
        """Keep a new login in place of whatever was there."""
        self._saved = saved

    def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """Change what is saved, as it is now; nothing happens when nothing is."""
        if self._saved is not None:
            self._saved = change(self._saved)

    def clear(self) -> None:
        """Forget the login and its contacts."""
        self._saved, self._contacts = None, []

    @contextlib.contextmanager
    def syncing(self) -> Iterator[None]:
        """
        Be the one that syncs this login.

        Raises:
            AlreadyRunning: Another one in this process is.
        """
        if self._is_syncing:
            raise AlreadyRunning("This login is being synced already, in this process.", pid=os.getpid())
        self._is_syncing = True
        try:
            yield
        finally:
            self._is_syncing = False

    def load_contacts(self) -> list[Contact]:
        """Give the contacts kept beside the login."""
        return self._contacts

    def save_contacts(self, contacts: list[Contact]) -> None:
        """Keep the contacts beside the login."""
        self._contacts = contacts


class LoginFile:
    """
    Keeps a login in a file, readable by its owner only.

    Args:
        path: The file; its folder is made when needed. The contacts lie beside it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._contacts_path = self._path.with_suffix(".contacts.json")

    def __repr__(self) -> str:
        return f"LoginFile({str(self._path)!r})"

    def load(self) -> SavedLogin | None:
        """
        Give what was saved, or None.

        Raises:
            InvalidLogin: The file cannot be read as a login of this version.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidLogin(f"The saved login {self._path} cannot be read: {error.strerror}.") from None
        try:
            saved = msgspec.json.decode(content, type=SavedLogin)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise InvalidLogin(f"The saved login {self._path} is damaged; delete it and log in again.") from None
        if saved.version != VERSION:
            raise InvalidLogin(
                f"The saved login {self._path} has version {saved.version}, this webwx reads {VERSION}; log in again."
            )
        return saved

    def save(self, saved: SavedLogin) -> None:
        """Keep a new login in place of whatever was there."""
        with self._locked():
            self._write(self._path, msgspec.json.encode(saved))

    def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """Change what is saved, as it is now; nothing happens when nothing is."""
        with self._locked():
            saved = self.load()
            if saved is not None:
                self._write(self._path, msgspec.json.encode(change(saved)))

    def clear(self) -> None:
        """Forget the login and its contacts."""
        with self._locked():
            self._path.unlink(missing_ok=True)
            self._contacts_path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def syncing(self) -> Iterator[None]:
        """
        Be the one that syncs this login, on this machine; the lock ends with the process, however that ends.

        Raises:
            AlreadyRunning: Another process is; `pid` says which.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path.with_name(f".{self._path.name}.sync"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                _lock(handle, wait=False)
            except OSError:
                pid = int(os.pread(handle, 20, 0) or 0) or None
                raise AlreadyRunning(
                    f"Another process{f' (pid {pid})' if pid else ''} is syncing this login.", pid=pid
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(handle)

    def load_contacts(self) -> list[Contact]:
        """Give the contacts kept beside the login; none when they cannot be read, since they can be fetched again."""
        try:
            return msgspec.json.decode(self._contacts_path.read_bytes(), type=list[Contact])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return []

    def save_contacts(self, contacts: list[Contact]) -> None:
        """Keep the contacts beside the login."""
        with self._locked():
            self._write(self._contacts_path, msgspec.json.encode(contacts))

    def _write(self, path: Path, content: bytes) -> None:
        """Replace a file in one piece: a crash leaves the old or the new one."""
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes of this login out for the moment of a change."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(handle, wait=True)
            yield
        finally:
            os.close(handle)


try:
    import fcntl
except ImportError:  # Windows has a lock of its own kind
    import msvcrt

    def _lock(handle: int, *, wait: bool) -> None:
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # only there on Windows

else:

    def _lock(handle: int, *, wait: bool) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
