"""A passphrase in the system keyring: generated once, found again, removed with its login."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.core import load_keyring
from tests.keyrings import LockedKeyring, ReadOnlyKeyring

from webwx.errors import InvalidLogin, StorageError
from webwx.installation import install_command
from webwx.storage.passphrase import SERVICE, KeyringPassphrase, TypedPassphrase, keyring_backend

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend
    from tests.keyrings import MemoryKeyring


pytestmark = pytest.mark.usefixtures("memory_keyring")


class TestTyped:
    def test_is_the_typed_text(self) -> None:
        passphrase = TypedPassphrase("open sesame")
        passphrase.remove()

        assert (passphrase.get(), passphrase.get_or_make()) == ("open sesame", "open sesame")
        assert repr(passphrase) == "TypedPassphrase(***)"

    def test_is_not_empty(self) -> None:
        with pytest.raises(StorageError, match="The passphrase is empty"):
            TypedPassphrase("")


class TestInTheKeyring:
    def test_is_generated_once_with_256_random_bits_and_found_again(self, memory_keyring: MemoryKeyring) -> None:
        made = KeyringPassphrase("me").get_or_make()

        assert memory_keyring.entries == {f"{SERVICE} me": made}
        assert len(bytes.fromhex(made)) == 32
        assert KeyringPassphrase("me").get() == KeyringPassphrase("me").get_or_make() == made

    def test_is_different_for_each_login(self) -> None:
        assert KeyringPassphrase("me").get_or_make() != KeyringPassphrase("you").get_or_make()

    def test_is_removed_without_the_others_and_may_be_removed_twice(self) -> None:
        kept = KeyringPassphrase("you").get_or_make()
        passphrase = KeyringPassphrase("me")
        passphrase.get_or_make()
        passphrase.remove()
        passphrase.remove()

        with pytest.raises(InvalidLogin, match="no passphrase for the login 'me'; delete it and log in again"):
            passphrase.get()
        assert KeyringPassphrase("you").get() == kept

    def test_is_not_generated_before_it_is_needed(self, memory_keyring: MemoryKeyring) -> None:
        with pytest.raises(InvalidLogin):
            KeyringPassphrase("me").get()
        assert memory_keyring.entries == {}

    def test_is_not_in_the_repr(self) -> None:
        passphrase = KeyringPassphrase("me")

        assert passphrase.get_or_make() not in repr(passphrase)


class TestAKeyringThatRefuses:
    @pytest.mark.parametrize(
        ("chosen", "words"),
        [
            (LockedKeyring(), "is locked; unlock it"),
            (ReadOnlyKeyring(), r"failed \(PasswordSetError\)"),
            (load_keyring("keyring.backends.null.Keyring"), "did not store the passphrase"),
        ],
    )
    def test_that_fails_is_one_storage_error(self, chosen: KeyringBackend, words: str) -> None:
        keyring.set_keyring(chosen)

        with pytest.raises(StorageError, match=words) as caught:
            KeyringPassphrase("me").get_or_make()
        assert "geheim" not in str(caught.value)

    def test_that_cannot_delete_is_a_storage_error(self) -> None:
        chosen = ReadOnlyKeyring()
        chosen.entries[f"{SERVICE} me"] = "kept"
        keyring.set_keyring(chosen)

        with pytest.raises(StorageError, match=r"failed \(PasswordDeleteError\)"):
            KeyringPassphrase("me").remove()

    def test_that_is_missing_is_an_error_before_anything_is_saved(self) -> None:
        keyring.set_keyring(load_keyring("keyring.backends.fail.Keyring"))

        with pytest.raises(StorageError, match="no keyring that can be used"):
            KeyringPassphrase("me")


ASK = """
import sys
if sys.argv[1:]:
    sys.modules["keyring"] = None  # as where it is not installed
from webwx.errors import StorageError
from webwx.storage.passphrase import KeyringPassphrase

try:
    KeyringPassphrase("me")
except StorageError as error:
    print(error)
"""


def test_without_the_extra_the_error_names_it() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", ASK, "without"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout

    assert install_command("keyring") in printed


@pytest.mark.parametrize(
    "chosen", ["no.such.module", "json.NoSuchClass", "nothing", "keyring.backends.Windows.WinVaultKeyring"]
)
def test_a_configured_keyring_that_cannot_be_used_is_an_error(chosen: str) -> None:
    environment = os.environ | {"PYTHON_KEYRING_BACKEND": chosen}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, stdout=subprocess.PIPE, check=True, text=True)

    assert "choose another one" in done.stdout


def test_the_system_keyring_is_used(memory_keyring: MemoryKeyring) -> None:
    assert keyring_backend() is memory_keyring
