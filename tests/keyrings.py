"""
Keyring backends for the tests, by the public interface of the package `keyring`.

Their priority is below that of the backend that does nothing, so that none of them is ever chosen automatically.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError


class MemoryKeyring(KeyringBackend):
    """Keeps its entries in memory."""

    priority = -2

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it has no types
        self.entries: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[f"{service} {username}"] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError


class FileKeyring(MemoryKeyring):
    """Keeps its entries in the file that FILE_KEYRING names, so that several processes share them."""

    def __init__(self) -> None:
        super().__init__()
        self._path = Path(os.environ["FILE_KEYRING"])
        if self._path.exists():
            self.entries = json.loads(self._path.read_text("utf-8"))

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        self._path.write_text(json.dumps(self.entries), "utf-8")

    def delete_password(self, service: str, username: str) -> None:
        super().delete_password(service, username)
        self._path.write_text(json.dumps(self.entries), "utf-8")


class LockedKeyring(MemoryKeyring):
    """Raises `KeyringLocked` when it is read."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("geheim")


class ReadOnlyKeyring(MemoryKeyring):
    """Refuses to store and to delete entries."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("geheim")

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError("geheim")
