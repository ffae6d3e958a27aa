"""The statements that PostgreSQL executes, as its log shows them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

_STATEMENT = re.compile(r"LOG:  (?:execute [^:]*|statement): (.*(?:\n\t.*)*)")


class StatementLog:
    """
    The statements of the sessions that begin from now on with the role of a schema.

    Args:
        schema: The schema.
    """

    def __init__(self, schema: TemporarySchema) -> None:
        schema.server.execute(f"ALTER ROLE {schema.name} SET log_statement = 'all'")
        self._log = schema.server.folder / "log"
        self._begin = len(self._log.read_bytes())

    def statements(self) -> Counter[str]:
        """Return how often each statement was executed."""
        text = self._log.read_bytes()[self._begin :].decode()
        return Counter(" ".join(found.split()) for found in _STATEMENT.findall(text))
