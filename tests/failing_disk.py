"""A disk that fails for a while, under the journals of a test."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pytest


class FailingDisk:
    """The disk of all journals that are opened from now on; it fails at commits for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails: Literal["", "before", "after"] = ""
        """Whether commits fail before or after they are stored."""
        disk, connect = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
                if sql == "COMMIT" and disk.fails:
                    if disk.fails == "after":
                        super().execute(sql)
                    raise sqlite3.OperationalError("disk I/O error")
                return super().execute(sql, values)

        monkeypatch.setattr(
            sqlite3, "connect", lambda *values, **options: connect(*values, factory=Connection, **options)
        )
