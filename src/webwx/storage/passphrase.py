"""
Where the passphrase of a saved login comes from: somebody types it, or the system keyring keeps one.

A keyring's passphrase is made of dice when the first login is saved, and nobody ever sees it. The system opens the
keyring when its user logs in, so a copy of the file, in a backup or on a stolen disk, is worth nothing by itself.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Protocol

from webwx.errors import InvalidLogin, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyring.backend import KeyringBackend

SERVICE = "webwx"
"""What the entries in the keyring belong to."""


class Passphrase(Protocol):
    """A passphrase, wherever it is kept."""

    def get(self) -> str:
        """
        Give it.

        Raises:
            InvalidLogin: There is none, so what it has closed stays closed.
            StorageError: It cannot be asked for.
        """
        ...

    def get_or_make(self) -> str:
        """
        Give it; make it first when there is none.

        Raises:
            StorageError: It cannot be asked for, or not be kept.
        """
        ...

    def remove(self) -> None:
        """
        Forget it, for nothing is closed with it any more.

        Raises:
            StorageError: It cannot be forgotten.
        """
        ...


class TypedPassphrase:
    """
    A passphrase that its user brings each time.

    Raises:
        StorageError: It is empty.
    """

    def __init__(self, text: str) -> None:
        if not text:
            raise StorageError("An empty passphrase protects nothing; give one, or none at all.")
        self._text = text

    def __repr__(self) -> str:
        return "TypedPassphrase(***)"

    def get(self) -> str:
        """Give it."""
        return self._text

    def get_or_make(self) -> str:
        """Give it."""
        return self._text

    def remove(self) -> None:
        """Leave it to its user."""


class KeyringPassphrase:
    """
    A passphrase that the system keyring makes up and keeps; needs `webwx[keyring]`.

    It is made when a login is saved first, and removed with it. A keyring that is locked lets its user be asked, which
    blocks until that is answered.

    Args:
        name: Of the login, to tell its entry from others; two logins must not have the same.

    Raises:
        StorageError: `webwx[keyring]` is not installed, or the system has no keyring that can be used.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        keyring_backend()  # asked for here, so that no login is made in vain

    def __repr__(self) -> str:
        return f"KeyringPassphrase({self._name!r})"

    def get(self) -> str:
        """
        Give it.

        Raises:
            InvalidLogin: The keyring has none of this name.
            StorageError: The keyring does not open.
        """
        kept = self._kept()
        if kept is None:
            raise InvalidLogin(
                f"The system keyring has no passphrase for the login {self._name!r}; delete it and log in again."
            )
        return kept

    def get_or_make(self) -> str:
        """
        Give it; make it first when the keyring has none.

        Raises:
            StorageError: The keyring does not open, or does not keep it.
        """
        kept = self._kept()
        if kept is None:
            with _refusals_told():
                keyring_backend().set_password(SERVICE, self._name, secrets.token_hex(32))
            kept = self._kept()
            if kept is None:  # there are keyrings that take everything and keep nothing
                raise StorageError(
                    "The system keyring does not keep what it is given; choose another keyring, or none."
                )
        return kept

    def remove(self) -> None:
        """
        Remove its entry, when there is one.

        Raises:
            StorageError: The keyring does not open, or does not let go of it.
        """
        if self._kept() is not None:
            with _refusals_told():
                keyring_backend().delete_password(SERVICE, self._name)

    def _kept(self) -> str | None:
        with _refusals_told():
            return keyring_backend().get_password(SERVICE, self._name)


def keyring_backend() -> KeyringBackend:
    """
    Give the keyring of this system, as the package `keyring` has found or its user has chosen it.

    Raises:
        StorageError: `webwx[keyring]` is not installed, or there is none.
    """
    try:
        import keyring
        from keyring.backends import fail
    except ImportError:
        raise StorageError("The system keyring needs the package keyring: pip install 'webwx[keyring]'.") from None
    try:
        backend = keyring.get_keyring()
    except (ImportError, AttributeError, ValueError, RuntimeError):
        raise StorageError(
            "The keyring that PYTHON_KEYRING_BACKEND or keyringrc.cfg names cannot be used here; name another."
        ) from None
    if isinstance(backend, fail.Keyring):
        raise StorageError("This system has no keyring that can be used; start one, or give a passphrase yourself.")
    return backend


@contextlib.contextmanager
def _refusals_told() -> Iterator[None]:
    """Tell what a keyring refuses in words of our own: its own may hold anything."""
    from keyring.errors import KeyringError, KeyringLocked

    try:
        yield
    except KeyringLocked:
        raise StorageError("The system keyring is locked; unlock it and try again.") from None
    except (KeyringError, RuntimeError, OSError) as error:
        raise StorageError(f"The system keyring failed ({type(error).__name__}).") from None
