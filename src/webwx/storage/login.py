"""
The engines of the saved login: memory, and a JSON file that separate processes can share.

The file gives access to the account, so it is created with mode 0600, refused if others may read it, and replaced
atomically. Every change goes through `update`, under a lock and on the current content of the file, because a process
that listens and one that sends save different parts of the same login.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import AlreadyRunning, InvalidLogin, StorageError
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact
from webwx.override import override
from webwx.storage.atomic_write import write_private
from webwx.storage.encryption import UNREADABLE, LoginCipher, read_encrypted
from webwx.storage.locks import explain, lock, open_lock, require_own_folder
from webwx.storage.saved_login import LOGIN_VERSION, LoginStore, SavedLogin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from webwx.storage.passphrase import Passphrase


_LOGIN, _CONTACTS = msgspec.json.Decoder(SavedLogin), msgspec.json.Decoder(list[Contact])
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""

_CLOCK_STEP = 0.1
"""
Seconds that a file is read each time after a change: two changes at once may have the same times, and a new file the
number of a deleted one. The clock of a file system advances in steps of 10 ms at most.
"""


class LoginMemory(LoginStore):
    """Keeps a login in memory; for tests, and for sharing one client's login with another client."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._saved: SavedLogin | None = None
        self._contacts = Contacts()
        self._last_id = 0
        self._is_syncing = False

    @override
    async def load(self) -> SavedLogin | None:
        return self._saved

    async def prepare(self) -> None:
        """Do nothing: a login can always be saved here."""

    @override
    async def save(self, saved: SavedLogin) -> None:
        self._saved = saved

    @override
    async def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        with self._lock:
            if self._saved is not None:
                self._saved = change(self._saved)

    async def reserve_id(self, at_least: int) -> int:
        """Return the lowest id, at least `at_least`, that was not returned before."""
        with self._lock:
            self._last_id = max(at_least, self._last_id + 1)
            return self._last_id

    @override
    async def clear(self) -> None:
        self._saved, self._contacts = None, Contacts()

    @contextlib.asynccontextmanager
    async def syncing(self) -> AsyncIterator[None]:
        """
        Hold the sync lock of this login.

        Raises:
            AlreadyRunning: Another sync loop of this process holds the lock.
        """
        if self._is_syncing:
            raise AlreadyRunning("This process is already syncing this login.", pid=os.getpid())
        self._is_syncing = True
        try:
            yield
        finally:
            self._is_syncing = False

    async def load_contacts(self) -> Contacts:
        """Return a copy of the contacts that are stored beside the login."""
        return self._contacts.copy()

    async def save_contacts(self, contacts: Contacts) -> None:
        """Store a copy of the contacts beside the login, replacing earlier ones."""
        self._contacts = contacts.copy()


class LoginFile(LoginStore):
    """
    Keeps a login in a file, readable by its owner only.

    Args:
        path: The file; its folder is created when needed. The contacts are stored beside it.
        passphrase: Encrypts both; needs `webwx[crypto]`. A `KeyringPassphrase` is generated and stored by the system.

    Raises:
        StorageError: `webwx[crypto]` is not installed, or the passphrase is empty.
    """

    def __init__(self, path: str | os.PathLike[str], *, passphrase: str | Passphrase | None = None) -> None:
        self._path = Path(path)
        self._contacts_path = self._path.with_suffix(".contacts.json")
        self._cipher = None if passphrase is None else LoginCipher(passphrase)
        self._known: _Known | None = None
        """What the file held when it was read last; None if it has to be read again."""

    def __repr__(self) -> str:
        return f"LoginFile({str(self._path)!r})"

    async def load(self) -> SavedLogin | None:
        """
        Return the saved login; None if no login is saved.

        Every send calls it, so a file that has not changed since the last call is not read again.

        Raises:
            InvalidLogin: Others can read or replace the file, the passphrase is wrong, or the file is damaged or of
                another version. A damaged file is moved aside, so later calls return None.
        """
        try:
            return self._load()
        except _Damaged:
            with self._locked():  # another process may just have replaced it
                return self._load_or_set_aside()

    async def prepare(self) -> None:
        """
        Prepare for `save`: create the folder and, with a keyring, the passphrase.

        Raises:
            StorageError: The folder is not writable, or the keyring failed.
        """
        with self._locked():
            self._prepare()

    async def save(self, saved: SavedLogin) -> None:
        """
        Store a new login, replacing an earlier one.

        Raises:
            StorageError: The file cannot be written, or the keyring failed.
        """
        with self._locked():
            self._prepare()
            self._write(self._path, msgspec.json.encode(saved))

    async def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """
        Replace the saved login by the result of a function that gets it; do nothing if no login is saved.

        Raises:
            InvalidLogin: The saved login cannot be read, as in `load`.
            StorageError: The file cannot be written.
        """
        with self._locked():
            saved = self._load_or_set_aside()
            if saved is not None:
                self._write(self._path, msgspec.json.encode(change(saved)))

    async def reserve_id(self, at_least: int) -> int:
        """
        Return the lowest id, at least `at_least`, that was not returned to any process before.

        The lock file holds the last id. A power failure may lose it, which is harmless because `at_least` comes from
        the clock.

        Raises:
            StorageError: The lock file cannot be written.
        """
        with self._locked() as handle:
            last = os.pread(handle, 20, 0).decode("ascii", "replace")
            made = max(at_least, int(last) + 1) if last.isdecimal() else at_least
            try:
                os.pwrite(handle, str(made).encode(), 0)
            except OSError as error:
                raise StorageError(f"Nothing can be written beside {self._path}: {explain(error)}") from None
        return made

    async def clear(self) -> None:
        """
        Delete the login and its contacts, and the passphrase from the keyring.

        Raises:
            StorageError: The files, or the passphrase in the keyring, cannot be deleted.
        """
        with self._locked():
            try:
                self._path.unlink(missing_ok=True)
                self._contacts_path.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(f"The saved login {self._path} cannot be deleted: {explain(error)}") from None
            if self._cipher is not None:
                self._cipher.remove()

    @contextlib.asynccontextmanager
    async def syncing(self) -> AsyncIterator[None]:
        """
        Hold the sync lock of this login on this machine; the lock ends with the process, even after a crash.

        Raises:
            AlreadyRunning: Another process holds the lock; `pid` is its process id.
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

    @override
    async def load_contacts(self) -> Contacts:
        try:
            return Contacts.packed(_CONTACTS.decode(self._opened(self._contacts_path.read_bytes())))
        except (OSError, InvalidLogin, *UNREADABLE):
            return Contacts()

    async def save_contacts(self, contacts: Contacts) -> None:
        """Store the contacts beside the login, replacing earlier ones; they are read and written in another thread."""
        await asyncio.to_thread(self._write_contacts, contacts)

    def _write_contacts(self, contacts: Contacts) -> None:
        listed = b",".join(map(msgspec.json.encode, contacts))
        with self._locked():
            self._write(self._contacts_path, b"[" + listed + b"]")

    def _load(self) -> SavedLogin | None:
        """
        Read the file.

        Raises:
            InvalidLogin: The file must not or cannot be read; its content may be valid.
            _Damaged: The content is not a valid login.
        """
        try:
            require_own_folder(self._path.parent)
        except StorageError as error:
            raise InvalidLogin(str(error)) from None
        known = self._known
        if known is not None and known.version == self._version():
            return known.saved
        read_at = time.time()  # at first, because a key may be derived below for longer than a step of the clock
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                self._check_private(found.st_mode)
                content = file.read()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise _Damaged("is a folder") from None
        except OSError as error:
            raise InvalidLogin(f"The saved login {self._path} cannot be read: {error.strerror}.") from None
        try:
            saved = _LOGIN.decode(self._opened(content))
        except UNREADABLE:
            raise _Damaged("is damaged") from None
        if saved.version != LOGIN_VERSION:
            raise _Damaged(f"has version {saved.version}, this webwx reads {LOGIN_VERSION}")
        is_old = abs(read_at - found.st_ctime) > _CLOCK_STEP
        self._known = _Known(_FileVersion.of(found), saved) if is_old else None
        return saved

    def _version(self) -> _FileVersion | None:
        """Return the version of the file; None if it cannot be told."""
        try:
            return _FileVersion.of(self._path.stat())
        except OSError:
            return None

    def _load_or_set_aside(self) -> SavedLogin | None:
        """Read the file, under the lock; move a damaged file aside."""
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

    def _check_private(self, file_mode: int) -> None:
        mode = stat.S_IMODE(file_mode)
        if mode & 0o077 and sys.platform != "win32":
            raise InvalidLogin(
                f"The saved login {self._path} can be read by others (mode {mode:04o}), and it gives access to the "
                f"account. If no one has read it, make it private: chmod 600 '{self._path}'. "
                "Otherwise log out on the phone."
            )

    def _opened(self, content: bytes) -> bytes:
        encrypted = read_encrypted(content)
        if encrypted is None:
            if self._cipher is not None and content.startswith(b"{"):
                raise InvalidLogin(
                    f"The saved login {self._path} is not encrypted, though a passphrase was given; "
                    "delete it and log in again."
                )
            return content
        if self._cipher is None:
            raise InvalidLogin(f"The saved login {self._path} is encrypted; give its passphrase.")
        return self._cipher.decrypt(encrypted)

    def _prepare(self) -> None:
        if self._cipher is not None:
            self._cipher.prepare()

    def _write(self, path: Path, content: bytes) -> None:
        write_private(path, content if self._cipher is None else self._cipher.encrypt(content))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the lock for changes, which excludes other processes; yield the handle of the lock file."""
        handle = self._open_lock("lock")
        try:
            lock(handle, wait=True)
            yield handle
        finally:
            os.close(handle)

    def _open_lock(self, name: str) -> int:
        require_own_folder(self._path.parent)
        return open_lock(self._path.with_name(f".{self._path.name}.{name}"), self._path)


class _FileVersion(NamedTuple):
    """What changes whenever the file is replaced, or its mode is changed."""

    inode: int
    size: int
    mode: int
    modified_at: int
    changed_at: int

    @classmethod
    def of(cls, found: os.stat_result) -> _FileVersion:
        """Return the version of a file."""
        return cls(found.st_ino, found.st_size, found.st_mode, found.st_mtime_ns, found.st_ctime_ns)


class _Known(NamedTuple):
    """The content of a file in one version."""

    version: _FileVersion
    saved: SavedLogin


class _Damaged(Exception):
    """The file does not hold a valid login; the text is the reason."""
