"""
The cost of each statement that an engine runs: SQLite's steps, and the pages that PostgreSQL reads.

Both are counted by the database itself while the engine works, so a statement cannot be forgotten, and a busy machine
changes no number.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Protocol

    import pytest
    from tests.postgres import TemporarySchema

    class StatementCosts(Protocol):
        """Counts the cost of statements."""

        def take(self) -> dict[str, int]:
            """Return the cost of each statement since the last call, by its text."""
            ...


STEPS = 25
"""Number of steps that are counted together; to count each alone would take most of a test's time."""


_PLAN = re.compile(rb"plan:\n(\t\{\n(?:\t  .*\n)+\t\}\n)")
"""A complete plan in the log, as JSON."""


class SqliteSteps:
    """
    Steps of the statements of all connections to SQLite that this process opens from now on.

    Args:
        monkeypatch: Ends the counting at the end of the test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        steps: Counter[str] = Counter()

        class CountingConnection(sqlite3.Connection):
            """A connection that counts the steps of the statement that it executed last."""

            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                self._statement = ""
                self.set_progress_handler(self._count, STEPS)

            def _count(self) -> int:
                steps[self._statement] += STEPS
                return 0

            def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
                self._statement = statement
                return super().execute(statement, *values)

        def connect(*args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = original(*args, **{"factory": CountingConnection, **options})
            return connection

        self._steps = steps
        original = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", connect)

    def take(self) -> dict[str, int]:
        """Return the number of steps of each statement since the last call."""
        taken = dict(self._steps)
        self._steps.clear()
        return taken


class PostgresPages:
    """
    Pages of the buffer that the statements of a schema's role read, as `auto_explain` writes them to the server's log.

    Args:
        schema: The schema; sessions that are open already are not counted.
    """

    def __init__(self, schema: TemporarySchema) -> None:
        cluster = schema.cluster
        settings = {
            "session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
            "auto_explain.log_analyze": "on", "auto_explain.log_buffers": "on", "auto_explain.log_timing": "off",
            "auto_explain.log_format": "json", "auto_explain.log_parameter_max_length": "0",
        }  # fmt: skip
        for name, value in settings.items():
            cluster.execute(f"ALTER ROLE {schema.name} SET {name} = '{value}'")
        self._log: Path = cluster.folder / "log"
        self._read = self._log.stat().st_size

    def take(self) -> dict[str, int]:
        """Return the number of pages of each statement since the last call."""
        begin = self._read
        with self._log.open("rb") as file:
            file.seek(begin)
            text = file.read()
        pages: Counter[str] = Counter()
        for plan in _PLAN.finditer(text):  # one behind them may still be written, for work in the background
            explained = json.loads(plan[1])
            pages[explained["Query Text"]] += _pages_of([explained["Plan"]])
            self._read = begin + plan.end()
        return dict(pages)


def _pages_of(plans: Iterable[dict[str, Any]]) -> int:
    """
    Return the number of pages of the parts of a plan.

    A part counts the pages of its own parts, except those that write and that no other part reads.
    """
    return sum(
        max(
            plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] + plan["Temp Read Blocks"],
            _pages_of(plan.get("Plans", ())),
        )
        for plan in plans
    )
