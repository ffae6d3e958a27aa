"""Encryption of a saved login: it cannot be read or changed without the passphrase."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.saved import LOGIN, SECRETS

from webwx.errors import InvalidLogin, StorageError
from webwx.installation import install_command
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.storage.encryption import EncryptedLogin, LoginCipher, read_encrypted
from webwx.storage.login import LoginFile
from webwx.storage.saved_login import SavedLogin

if TYPE_CHECKING:
    from pathlib import Path

SAVED = SavedLogin(login=LOGIN)
CONTACTS = Contacts([Contact(id=ContactId("@a"), nickname="Geheim")])


@pytest.fixture(scope="module")
def encrypted_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encrypted login and its contacts; a test copies them before it changes them."""
    path = tmp_path_factory.mktemp("sealed") / "me.json"
    store = LoginFile(path, passphrase="open sesame")

    async def save() -> None:
        await store.save(SAVED)
        await store.save_contacts(CONTACTS)

    asyncio.run(save())
    return path


async def test_the_saved_login_can_be_loaded(encrypted_file: Path) -> None:
    store = LoginFile(encrypted_file, passphrase="open sesame")

    assert await store.load() == SAVED
    assert list(await store.load_contacts()) == list(CONTACTS)
    assert stat.S_IMODE(encrypted_file.stat().st_mode) == 0o600


def test_no_key_and_no_name_can_be_found_in_the_files(encrypted_file: Path) -> None:
    everything = b"".join(each.read_bytes() for each in encrypted_file.parent.iterdir())

    assert not [secret for secret in (*SECRETS, "Geheim", "open sesame", "1234567890") if secret.encode() in everything]


async def test_a_wrong_passphrase_is_an_error_and_leaves_the_file(encrypted_file: Path) -> None:
    with pytest.raises(InvalidLogin, match="the passphrase is wrong"):
        await LoginFile(encrypted_file, passphrase="open says me").load()
    assert len(await LoginFile(encrypted_file, passphrase="open says me").load_contacts()) == len(Contacts())
    assert await LoginFile(encrypted_file, passphrase="open sesame").load() == SAVED


async def test_a_missing_passphrase_is_an_error_and_leaves_the_file(encrypted_file: Path) -> None:
    with pytest.raises(InvalidLogin, match="is encrypted; give its passphrase"):
        await LoginFile(encrypted_file).load()
    assert await LoginFile(encrypted_file, passphrase="open sesame").load() == SAVED


async def test_a_plain_login_is_refused_where_an_encrypted_one_is_expected(tmp_path: Path) -> None:
    """Otherwise a user who can write the file could replace the login by another one."""
    path = tmp_path / "me.json"
    await LoginFile(path).save(SAVED)

    with pytest.raises(InvalidLogin, match="is not encrypted, though a passphrase was given"):
        await LoginFile(path, passphrase="open sesame").load()
    assert await LoginFile(path).load() == SAVED


def test_every_flipped_bit_is_detected() -> None:
    cipher = LoginCipher("open sesame")
    encrypted = read_encrypted(cipher.encrypt(b"a login of some length"))
    assert encrypted is not None
    for name in ("nonce", "content"):
        value = getattr(encrypted, name)
        for bit in range(len(value) * 8):
            changed = bytearray(value)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(InvalidLogin):
                cipher.decrypt(msgspec.structs.replace(encrypted, **{name: bytes(changed)}))
    assert cipher.decrypt(encrypted) == b"a login of some length"


@pytest.mark.parametrize(
    "changes", [{"salt": b"x" * 16}, {"cost": 2**14}, {"cost": 7}, {"cost": 2**30}, {"block": 64}, {"parallel": 999},
                {"nonce": b""}],
)  # fmt: skip
def test_changed_parameters_are_an_error(changes: dict[str, object]) -> None:
    cipher = LoginCipher("open sesame")
    encrypted = read_encrypted(cipher.encrypt(b"a login"))
    assert encrypted is not None

    with pytest.raises(InvalidLogin):
        cipher.decrypt(msgspec.structs.replace(encrypted, **changes))


def test_two_encryptions_of_the_same_bytes_differ() -> None:
    cipher = LoginCipher("open sesame")

    assert cipher.encrypt(b"a login") != cipher.encrypt(b"a login")


def test_what_is_encrypted_has_the_key_of_what_was_decrypted() -> None:
    closed = read_encrypted(LoginCipher("open sesame").encrypt(b"one"))
    assert closed is not None
    cipher = LoginCipher("open sesame")
    assert cipher.decrypt(closed) == b"one"
    again = read_encrypted(cipher.encrypt(b"another"))
    assert again is not None
    assert (again.parameters, again.nonce == closed.nonce) == (closed.parameters, False)


def test_weaker_parameters_are_not_used_again() -> None:
    closed = read_encrypted(LoginCipher("open sesame").encrypt(b"one"))
    assert closed is not None
    cipher = LoginCipher("open sesame")
    for weaker in (msgspec.structs.replace(closed, cost=2), msgspec.structs.replace(closed, salt=b"")):
        cipher.use_key_of(weaker)
    again = read_encrypted(cipher.encrypt(b"another"))
    assert again is not None
    assert (again.cost, len(again.salt)) == (closed.cost, 16)


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(StorageError, match="The passphrase is empty"):
        LoginFile("me.json", passphrase="")


class Changing:
    """A passphrase that other processes delete and generate again."""

    def __init__(self) -> None:
        self.kept = "the first"

    def get(self) -> str:
        return self.kept

    def get_or_make(self) -> str:
        return self.kept

    def remove(self) -> None:
        self.kept = ""


def test_a_login_that_another_process_replaced_is_loaded_and_saved_with_its_new_passphrase() -> None:
    source = Changing()
    mine, others = LoginCipher(source), LoginCipher(source)
    mine.encrypt(b"the first login")
    source.kept = "the second"
    theirs = read_encrypted(others.encrypt(b"the second login"))
    assert theirs is not None

    assert mine.decrypt(theirs) == b"the second login"
    back = read_encrypted(mine.encrypt(b"changed"))
    assert back is not None
    assert others.decrypt(back) == b"changed"


def test_a_new_login_is_encrypted_with_the_present_passphrase() -> None:
    source = Changing()
    cipher = LoginCipher(source)
    cipher.encrypt(b"the first login")
    source.kept = "the second"
    cipher.prepare()
    closed = read_encrypted(cipher.encrypt(b"the second login"))
    assert closed is not None

    assert LoginCipher("the second").decrypt(closed) == b"the second login"


def test_a_generated_passphrase_is_deleted_with_the_login() -> None:
    source = Changing()
    LoginCipher(source).remove()

    assert source.kept == ""


def test_no_repr_shows_a_secret() -> None:
    cipher = LoginCipher("open sesame")

    assert repr(cipher) == "LoginCipher(***)"
    assert repr(read_encrypted(cipher.encrypt(b"a login"))) == "EncryptedLogin(23 bytes)"
    assert isinstance(read_encrypted(cipher.encrypt(b"a login")), EncryptedLogin)


WITHOUT = """
import sys
sys.modules["cryptography"] = None  # as where it is not installed
from webwx.errors import StorageError
from webwx.storage.login import LoginFile

LoginFile("me.json")
try:
    LoginFile("me.json", passphrase="open sesame")
except StorageError as error:
    print(error)
"""


def test_without_the_extra_the_error_names_it() -> None:
    printed = subprocess.run([sys.executable, "-c", WITHOUT], stdout=subprocess.PIPE, check=True, text=True).stdout

    assert install_command("crypto") in printed
