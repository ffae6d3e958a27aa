"""
A passphrase over a saved login: AES-256-GCM under a key that scrypt makes of it.

What is sealed cannot be read without the passphrase, nor changed without being noticed. The parameters of the key lie
beside it, so that they can grow later; they are covered by the seal as well.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import InvalidLogin, StorageError
from webwx.storage.passphrase import TypedPassphrase

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from webwx.storage.passphrase import Passphrase

_COST, _BLOCK, _PARALLEL = 2**15, 8, 1
"""Of scrypt: about a tenth of a second and 32 MiB for each guess."""

_MAX_COST = 2**18
"""A file that asks for more was not written by us, and would only keep us busy."""


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What comes of reading a file that holds something else, or is nested beyond reason."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True, tag="aes-256-gcm", tag_field="cipher"):
    """The file as it lies on the disk."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    nonce: bytes
    content: bytes

    @property
    def parameters(self) -> bytes:
        """What made the key; it is covered by the seal."""
        return f"scrypt:{self.cost}:{self.block}:{self.parallel}:".encode() + self.salt

    def __repr__(self) -> str:
        return f"Sealed({len(self.content)} bytes)"


class Seal:
    """
    Closes and opens what is saved.

    Args:
        passphrase: As it was typed, or what knows where it is kept.

    Raises:
        StorageError: The package `cryptography` is not installed, or the passphrase is empty.
    """

    def __init__(self, passphrase: str | Passphrase) -> None:
        try:
            import cryptography  # noqa: F401 - asked for here, so that no login is made in vain
        except ImportError:
            raise StorageError("A passphrase needs the package cryptography: pip install 'webwx[crypto]'.") from None
        self._source = TypedPassphrase(passphrase) if isinstance(passphrase, str) else passphrase
        self._passphrase = ""
        self._salt = os.urandom(16)
        self._keys: dict[bytes, AESGCM] = {}

    def __repr__(self) -> str:
        return "Seal(***)"

    def prepare(self) -> None:
        """
        Be ready to close something new, with the passphrase that is kept by now.

        Raises:
            StorageError: There is none, and none can be made.
        """
        self._use(self._source.get_or_make())

    def close(self, content: bytes) -> bytes:
        """
        Seal some bytes.

        Raises:
            StorageError: There is no passphrase, and none can be made.
        """
        if not self._passphrase:
            self.prepare()
        sealed = Sealed(
            cost=_COST, block=_BLOCK, parallel=_PARALLEL, salt=self._salt, nonce=os.urandom(12), content=b""
        )
        box = self._key(sealed).encrypt(sealed.nonce, content, sealed.parameters)
        return msgspec.json.encode(msgspec.structs.replace(sealed, content=box))

    def open(self, sealed: Sealed) -> bytes:
        """
        Open what was sealed.

        Raises:
            InvalidLogin: With another passphrase, or it was changed since; or there is no passphrase any more.
            StorageError: The passphrase cannot be asked for.
        """
        if not self._passphrase:
            self._use(self._source.get())
        content = self._tried(sealed)
        if content is None and self._use(self._source.get()):  # another process has logged out and in since
            content = self._tried(sealed)
        if content is None:
            raise InvalidLogin(
                "The saved login cannot be opened: the passphrase is another one, or the file was changed."
            )
        return content

    def remove(self) -> None:
        """
        Forget the passphrase, where it was made up for this login.

        Raises:
            StorageError: It cannot be forgotten.
        """
        self._source.remove()
        self._passphrase = ""

    def _use(self, passphrase: str) -> bool:
        """Take a passphrase; says whether it is another one."""
        if passphrase == self._passphrase:
            return False
        self._passphrase = passphrase
        self._keys.clear()
        return True

    def _tried(self, sealed: Sealed) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        if sealed.cost > _MAX_COST or (sealed.block, sealed.parallel) != (_BLOCK, _PARALLEL):
            return None
        try:
            return self._key(sealed).decrypt(sealed.nonce, sealed.content, sealed.parameters)
        except (InvalidTag, ValueError):
            return None

    def _key(self, sealed: Sealed) -> AESGCM:
        """Make the key, once for each salt: it is slow on purpose."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._keys.get(sealed.parameters)
        if key is None:
            key = AESGCM(
                hashlib.scrypt(
                    self._passphrase.encode(),
                    salt=sealed.salt,
                    n=sealed.cost,
                    r=sealed.block,
                    p=sealed.parallel,
                    maxmem=256 * sealed.cost * sealed.block,
                    dklen=32,
                )
            )
            self._keys[sealed.parameters] = key
        return key


def read_sealed(content: bytes) -> Sealed | None:
    """Read a sealed file; None when it is none."""
    try:
        return msgspec.json.decode(content, type=Sealed)
    except UNREADABLE:
        return None
