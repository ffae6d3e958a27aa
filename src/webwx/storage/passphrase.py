"""
The sources of a saved login's passphrase: the user's input, or the system keyring.

The passphrase in the keyring is random, generated when the first login is saved, and never shown. The system unlocks
the keyring when its user logs in, so a copy of the file, in a backup or on a stolen disk, cannot be decrypted.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Protocol

from webwx.errors import InvalidLogin, StorageError
from webwx.installation import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyring.backend import KeyringBackend

REQUIRED = "Logins in a database are always encrypted; set WEBWX_PASSPHRASE, to the same one on all machines."
"""The error of a database without a passphrase."""

SERVICE = "webwx"
"""Service name of the entries in the keyring."""


class Passphrase(Protocol):
    """The source of a passphrase."""

    def get(self) -> str:
        """
        Return the passphrase.

        Raises:
            InvalidLogin: No passphrase is stored, so the saved login cannot be decrypted.
            StorageError: The passphrase cannot be read.
        """
        ...

    def get_or_make(self) -> str:
        """
        Return the passphrase; if none is stored, generate and store one first.

        Raises:
            StorageError: The passphrase cannot be read or stored.
        """
        ...

    def remove(self) -> None:
        """
        Delete the stored passphrase, because nothing is encrypted with it any more.

        Raises:
            StorageError: The passphrase cannot be deleted.
        """
        ...


class TypedPassphrase:
    """
    A passphrase that the user supplies each time.

    Raises:
        StorageError: The passphrase is empty.
    """

    def __init__(self, text: str) -> None:
        if not text:
            raise StorageError("The passphrase is empty; give one, or use no encryption.")
        self._text = text

    def __repr__(self) -> str:
        return "TypedPassphrase(***)"

    def get(self) -> str:
        """Return the passphrase."""
        return self._text

    def get_or_make(self) -> str:
        """Return the passphrase."""
        return self._text

    def remove(self) -> None:
        """Do nothing: the passphrase is not stored."""


class KeyringPassphrase:
    """
    A random passphrase that is stored in the system keyring; needs `webwx[keyring]`.

    It is generated when a login is saved first, and deleted with the login. If the keyring is locked, the system may
    prompt its user; the call blocks until the user answers.

    Args:
        name: Name of the login's entry in the keyring, unique for each login.

    Raises:
        StorageError: `webwx[keyring]` is not installed, or the system has no keyring that can be used.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        keyring_backend()  # checked here, before the user confirms a login that cannot be saved

    def __repr__(self) -> str:
        return f"KeyringPassphrase({self._name!r})"

    def get(self) -> str:
        """
        Return the passphrase.

        Raises:
            InvalidLogin: The keyring has no entry of this name.
            StorageError: The keyring cannot be unlocked, or failed.
        """
        kept = self._kept()
        if kept is None:
            raise InvalidLogin(
                f"The system keyring has no passphrase for the login {self._name!r}; delete it and log in again."
            )
        return kept

    def get_or_make(self) -> str:
        """
        Return the passphrase; generate and store it first if the keyring has none.

        Raises:
            StorageError: The keyring cannot be unlocked, failed, or did not store the passphrase.
        """
        kept = self._kept()
        if kept is None:
            with _keyring_errors():
                keyring_backend().set_password(SERVICE, self._name, secrets.token_hex(32))
            kept = self._kept()
            if kept is None:  # some keyrings report success and store nothing
                raise StorageError("The system keyring did not store the passphrase; choose another keyring, or none.")
        return kept

    def remove(self) -> None:
        """
        Delete the entry in the keyring, if there is one.

        Raises:
            StorageError: The keyring cannot be unlocked, or failed.
        """
        if self._kept() is not None:
            with _keyring_errors():
                keyring_backend().delete_password(SERVICE, self._name)

    def _kept(self) -> str | None:
        with _keyring_errors():
            return keyring_backend().get_password(SERVICE, self._name)


def keyring_backend() -> KeyringBackend:
    """
    Return the keyring of this system that the package `keyring` has found or its user has chosen.

    Raises:
        StorageError: `webwx[keyring]` is not installed, or there is no keyring.
    """
    try:
        import keyring
        from keyring.backends import fail
    except ImportError:
        raise StorageError(f"The system keyring needs the package keyring: {install_command('keyring')}.") from None
    try:
        backend = keyring.get_keyring()
    except (ImportError, AttributeError, ValueError, RuntimeError):
        raise StorageError(
            "The keyring that PYTHON_KEYRING_BACKEND or keyringrc.cfg names cannot be used here; choose another one."
        ) from None
    if isinstance(backend, fail.Keyring):
        raise StorageError("This system has no keyring that can be used; start one, or give a passphrase yourself.")
    return backend


@contextlib.contextmanager
def _keyring_errors() -> Iterator[None]:
    """Replace errors of the keyring by ours, because their texts may contain secrets."""
    from keyring.errors import KeyringError, KeyringLocked

    try:
        yield
    except KeyringLocked:
        raise StorageError("The system keyring is locked; unlock it and try again.") from None
    except (KeyringError, RuntimeError, OSError) as error:
        raise StorageError(f"The system keyring failed ({type(error).__name__}).") from None
