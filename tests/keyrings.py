"""
Keyrings for the tests, made as the package `keyring` lets everybody make one.

Their priority is below that of no keyring at all, so that none of them is ever chosen by itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError


class MemoryKeyring(KeyringBackend):
    """Keeps its entries as long as the process."""

    priority = -2  # type: ignore[assignment]  # a plain number is what its page shows

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[f"{service} {username}"] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError


class FileKeyring(MemoryKeyring):
    """Keeps them in the file that FILE_KEYRING names, for commands in processes of their own."""

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
    """Does not open."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("geheim")


class ReadOnlyKeyring(MemoryKeyring):
    """Takes nothing, and lets go of nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("geheim")

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError("geheim")
