"""
Encryption of a saved login: AES-256-GCM, with a key that scrypt derives from a passphrase.

An encrypted file cannot be read without the passphrase, and a change of it is detected. The parameters of the key are
stored beside the content, so that a later version can raise them; they are authenticated as well.
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import InvalidLogin, StorageError
from webwx.installation import install_command
from webwx.storage.passphrase import TypedPassphrase

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from webwx.storage.passphrase import Passphrase

_COST, _BLOCK, _PARALLEL = 2**15, 8, 1
"""Parameters of scrypt: about a tenth of a second and 32 MiB for each guess."""

_SALT = 16
"""Length of a salt in bytes."""

_MAX_COST = 2**18
"""Highest accepted cost: webwx never writes a higher one, and deriving such a key would take too long."""


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Errors of decoding a file that has other content, or is nested too deeply."""


class EncryptedLogin(msgspec.Struct, frozen=True, kw_only=True, tag="aes-256-gcm", tag_field="cipher"):
    """An encrypted file."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    nonce: bytes
    content: bytes

    @property
    def parameters(self) -> bytes:
        """The parameters of the key, which are authenticated with the content."""
        return f"scrypt:{self.cost}:{self.block}:{self.parallel}:".encode() + self.salt

    def __repr__(self) -> str:
        return f"EncryptedLogin({len(self.content)} bytes)"


_DECODER = msgspec.json.Decoder(EncryptedLogin)
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""


class LoginCipher:
    """
    Encrypts and decrypts saved logins; may be used by several threads and for several logins.

    What it encrypts has the key of what it has decrypted last, so that a process which opens many logins, and each
    process after it, derives one key for all of them.

    Args:
        passphrase: The passphrase, or the place that stores it.

    Raises:
        StorageError: The package `cryptography` is not installed, or the passphrase is empty.
    """

    def __init__(self, passphrase: str | Passphrase) -> None:
        try:
            import cryptography  # noqa: F401 - checked here, before the user confirms a login that cannot be saved
        except ImportError:
            raise StorageError(f"A passphrase needs the package cryptography: {install_command('crypto')}.") from None
        self._source = TypedPassphrase(passphrase) if isinstance(passphrase, str) else passphrase
        self._passphrase = ""
        self._salt = os.urandom(_SALT)
        self._keys: dict[bytes, AESGCM] = {}
        self._deriving = threading.Lock()

    def __repr__(self) -> str:
        return "LoginCipher(***)"

    def prepare(self) -> None:
        """
        Load the stored passphrase, or generate one, before something new is encrypted.

        Raises:
            StorageError: There is no passphrase, and none can be generated.
        """
        self._use(self._source.get_or_make())

    def encrypt(self, content: bytes) -> bytes:
        """
        Encrypt some bytes.

        Raises:
            StorageError: There is no passphrase, and none can be generated.
        """
        if not self._passphrase:
            self.prepare()
        encrypted = EncryptedLogin(
            cost=_COST, block=_BLOCK, parallel=_PARALLEL, salt=self._salt, nonce=os.urandom(12), content=b""
        )
        ciphertext = self._key(encrypted).encrypt(encrypted.nonce, content, encrypted.parameters)
        return msgspec.json.encode(msgspec.structs.replace(encrypted, content=ciphertext))

    def decrypt(self, encrypted: EncryptedLogin) -> bytes:
        """
        Decrypt the content of a file.

        Raises:
            InvalidLogin: The passphrase is wrong or no longer stored, or the file was changed.
            StorageError: The passphrase cannot be read.
        """
        if not self._passphrase:
            self._use(self._source.get())
        content = self._tried(encrypted)
        if content is None and self._use(self._source.get()):  # another process has logged out and in since
            content = self._tried(encrypted)
        if content is None:
            raise InvalidLogin("The saved login cannot be opened: the passphrase is wrong, or the file was changed.")
        self.use_key_of(encrypted)
        return content

    def has_key_of(self, content: bytes) -> bool:
        """Return whether some bytes can be decrypted without deriving a key, which is slow on purpose."""
        encrypted = read_encrypted(content)
        return encrypted is None or encrypted.parameters in self._keys

    def use_key_of(self, encrypted: EncryptedLogin) -> None:
        """Encrypt with the key of an encrypted file from now on, if its parameters are those of this version."""
        if (encrypted.cost, encrypted.block, encrypted.parallel, len(encrypted.salt)) == (
            _COST,
            _BLOCK,
            _PARALLEL,
            _SALT,
        ):
            self._salt = encrypted.salt

    def remove(self) -> None:
        """
        Delete the passphrase if it was generated for this login.

        Raises:
            StorageError: The passphrase cannot be deleted.
        """
        self._source.remove()
        self._passphrase = ""

    def _use(self, passphrase: str) -> bool:
        """Use a passphrase, and return whether it differs from the one before."""
        if passphrase == self._passphrase:
            return False
        self._passphrase = passphrase
        self._keys.clear()
        return True

    def _tried(self, encrypted: EncryptedLogin) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        if encrypted.cost > _MAX_COST or (encrypted.block, encrypted.parallel) != (_BLOCK, _PARALLEL):
            return None
        try:
            return self._key(encrypted).decrypt(encrypted.nonce, encrypted.content, encrypted.parameters)
        except (InvalidTag, ValueError):
            return None

    def _key(self, encrypted: EncryptedLogin) -> AESGCM:
        """Return the derived key, cached because deriving it is slow on purpose."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        with self._deriving:  # other threads mostly need the same key
            key = self._keys.get(encrypted.parameters)
            if key is None:
                key = self._keys[encrypted.parameters] = AESGCM(
                    hashlib.scrypt(
                        self._passphrase.encode(),
                        salt=encrypted.salt,
                        n=encrypted.cost,
                        r=encrypted.block,
                        p=encrypted.parallel,
                        maxmem=256 * encrypted.cost * encrypted.block,
                        dklen=32,
                    )
                )
            return key


def read_encrypted(content: bytes) -> EncryptedLogin | None:
    """Decode an encrypted file; return None if the content is not encrypted."""
    try:
        return _DECODER.decode(content)
    except UNREADABLE:
        return None
