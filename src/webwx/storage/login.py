"""
The engines of the saved login: memory, and a JSON file that lets each command be a process of its own.

The file gives access to the account, so it is 0600 from the first syscall, refused when others may read it, and
replaced in one piece. Every change goes through `update`, under a lock and on what is in the file now: a process that
listens and one that sends save different parts of the same login.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import AlreadyRunning, InvalidLogin, StorageError
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact
from webwx.storage.atomic_write import write_private
from webwx.storage.base import LOGIN_VERSION, SavedLogin
from webwx.storage.encryption import UNREADABLE, Seal, read_sealed
from webwx.storage.locks import explain, lock, open_lock, require_own_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from webwx.storage.passphrase import Passphrase


class LoginMemory:
    """Keeps a login as long as the process; for tests, and for handing one client's login to another."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._saved: SavedLogin | None = None
        self._contacts: list[Contact] | Contacts = []
        self._last_id = 0
        self._is_syncing = False

    def load(self) -> SavedLogin | None:
        """Give what was saved, or None."""
        return self._saved

    def prepare(self) -> None:
        """Be ready for a `save`, as it always is."""

    def save(self, saved: SavedLogin) -> None:
        """Keep a new login in place of whatever was there."""
        self._saved = saved

    def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """Change what is saved, as it is now; nothing happens when nothing is."""
        with self._lock:
            if self._saved is not None:
                self._saved = change(self._saved)

    def reserve_id(self, at_least: int) -> int:
        """Give the lowest id from there on that nobody was given."""
        with self._lock:
            self._last_id = max(at_least, self._last_id + 1)
            return self._last_id

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
        return list(self._contacts)

    def packed_contacts(self) -> Contacts:
        """Give the same, read or not, as the client keeps them."""
        return Contacts.packed(self._contacts)

    def save_contacts(self, contacts: Iterable[Contact]) -> None:
        """Keep the contacts beside the login, as they are now."""
        self._contacts = contacts.copy() if isinstance(contacts, Contacts) else list(contacts)


class LoginFile:
    """
    Keeps a login in a file, readable by its owner only.

    Args:
        path: The file; its folder is made when needed. The contacts lie beside it.
        passphrase: Encrypts both; needs `webwx[crypto]`. A `KeyringPassphrase` needs nobody to know it.

    Raises:
        StorageError: `webwx[crypto]` is not installed, or the passphrase is empty.
    """

    def __init__(self, path: str | os.PathLike[str], *, passphrase: str | Passphrase | None = None) -> None:
        self._path = Path(path)
        self._contacts_path = self._path.with_suffix(".contacts.json")
        self._seal = None if passphrase is None else Seal(passphrase)

    def __repr__(self) -> str:
        return f"LoginFile({str(self._path)!r})"

    def load(self) -> SavedLogin | None:
        """
        Give what was saved, or None.

        Raises:
            InvalidLogin: Others can read the file or replace it, the passphrase does not open it, or it is damaged or
                of another version; then it was set aside, and there is none from now on.
        """
        try:
            return self._load()
        except _Damaged:
            with self._locked():  # somebody may just have mended it
                return self._load_or_set_aside()

    def prepare(self) -> None:
        """
        Be ready for a `save`: make the folder and, where a keyring keeps it, the passphrase.

        Raises:
            StorageError: Nothing can be written here, or the keyring does not open.
        """
        with self._locked():
            self._prepare()

    def save(self, saved: SavedLogin) -> None:
        """
        Keep a new login in place of whatever was there.

        Raises:
            StorageError: The disk does not take it, or the keyring does not open.
        """
        with self._locked():
            self._prepare()
            self._write(self._path, msgspec.json.encode(saved))

    def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """
        Change what is saved, as it is now; nothing happens when nothing is.

        Raises:
            InvalidLogin: As for `load`.
            StorageError: The disk does not take it.
        """
        with self._locked():
            saved = self._load_or_set_aside()
            if saved is not None:
                self._write(self._path, msgspec.json.encode(change(saved)))

    def reserve_id(self, at_least: int) -> int:
        """
        Give the lowest id from there on that nobody was given, in whatever process.

        The lock's own file remembers the last one: it is lost with the machine's power, and the time has moved on then.

        Raises:
            StorageError: The disk does not take it.
        """
        with self._locked() as handle:
            last = os.pread(handle, 20, 0).decode("ascii", "replace")
            made = max(at_least, int(last) + 1) if last.isdecimal() else at_least
            try:
                os.pwrite(handle, str(made).encode(), 0)
            except OSError as error:
                raise StorageError(f"Nothing can be written beside {self._path}: {explain(error)}") from None
        return made

    def clear(self) -> None:
        """
        Forget the login and its contacts, and the passphrase where a keyring keeps it.

        Raises:
            StorageError: The files, or the passphrase in the keyring, cannot be deleted.
        """
        with self._locked():
            try:
                self._path.unlink(missing_ok=True)
                self._contacts_path.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(f"The saved login {self._path} cannot be deleted: {explain(error)}") from None
            if self._seal is not None:
                self._seal.remove()

    @contextlib.contextmanager
    def syncing(self) -> Iterator[None]:
        """
        Be the one that syncs this login, on this machine; the lock ends with the process, however that ends.

        Raises:
            AlreadyRunning: Another process is; `pid` says which.
        """
        handle = self._open_lock("sync")
        try:
            try:
                lock(handle, wait=False)
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
            return msgspec.json.decode(self._opened(self._contacts_path.read_bytes()), type=list[Contact])
        except (OSError, InvalidLogin, *UNREADABLE):
            return []

    def save_contacts(self, contacts: Iterable[Contact]) -> None:
        """Keep the contacts beside the login, as they are now."""
        listed = b",".join(map(msgspec.json.encode, contacts))
        with self._locked():
            self._write(self._contacts_path, b"[" + listed + b"]")

    def _load(self) -> SavedLogin | None:
        """
        Read the file.

        Raises:
            InvalidLogin: It may be a good one, but must not or cannot be read.
            _Damaged: It never will be one.
        """
        try:
            require_own_folder(self._path.parent)
        except StorageError as error:
            raise InvalidLogin(str(error)) from None
        try:
            with self._path.open("rb") as file:
                self._check_private(file.fileno())
                content = file.read()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise _Damaged("is a folder") from None
        except OSError as error:
            raise InvalidLogin(f"The saved login {self._path} cannot be read: {error.strerror}.") from None
        try:
            saved = msgspec.json.decode(self._opened(content), type=SavedLogin)
        except UNREADABLE:
            raise _Damaged("is damaged") from None
        if saved.version != LOGIN_VERSION:
            raise _Damaged(f"has version {saved.version}, this webwx reads {LOGIN_VERSION}")
        return saved

    def _load_or_set_aside(self) -> SavedLogin | None:
        """Read the file, under the lock; what never will be a login is moved out of a new one's way."""
        try:
            return self._load()
        except _Damaged as damage:
            aside = self._path.with_name(f"{self._path.name}.invalid-{int(time.time())}")
            try:
                self._path.rename(aside)
            except OSError as error:
                raise InvalidLogin(
                    f"The saved login {self._path} {damage}, and cannot be moved away: {error.strerror}."
                ) from None
            raise InvalidLogin(
                f"The saved login {self._path} {damage}; it was moved to {aside.name}, so log in again."
            ) from None

    def _check_private(self, handle: int) -> None:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & 0o077 and sys.platform != "win32":
            raise InvalidLogin(
                f"The saved login {self._path} can be read by others (mode {mode:04o}), and whoever reads it has the "
                f"account. If nobody has, make it yours alone: chmod 600 '{self._path}'. Else log out on the phone."
            )

    def _opened(self, content: bytes) -> bytes:
        sealed = read_sealed(content)
        if sealed is None:
            if self._seal is not None and content.startswith(b"{"):
                raise InvalidLogin(
                    f"The saved login {self._path} is not encrypted, though a passphrase was given; "
                    "delete it and log in again."
                )
            return content
        if self._seal is None:
            raise InvalidLogin(f"The saved login {self._path} is encrypted; give its passphrase.")
        return self._seal.open(sealed)

    def _prepare(self) -> None:
        if self._seal is not None:
            self._seal.prepare()

    def _write(self, path: Path, content: bytes) -> None:
        write_private(path, content if self._seal is None else self._seal.close(content))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Keep other processes of this login out for the moment of a change; gives the lock's file."""
        handle = self._open_lock("lock")
        try:
            lock(handle, wait=True)
            yield handle
        finally:
            os.close(handle)

    def _open_lock(self, name: str) -> int:
        require_own_folder(self._path.parent)
        return open_lock(self._path.with_name(f".{self._path.name}.{name}"), self._path)


class _Damaged(Exception):
    """A file that will never be a login; the text says why."""
