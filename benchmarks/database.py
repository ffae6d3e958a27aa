"""A temporary PostgreSQL server for the cases that need one, with its settings as PostgreSQL has them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import fdatasync_p50
from benchmarks.processes import children_of, cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import TemporarySchema


class Database:
    """
    An empty schema of a server.

    Args:
        schema: The schema.
    """

    def __init__(self, schema: TemporarySchema) -> None:
        self._schema = schema

    @property
    def url(self) -> str:
        """The URL of the schema."""
        return self._schema.url

    def execute(self, statements: str) -> str:
        """Execute statements in the schema, and return their result."""
        return self._schema.execute(statements)

    def record_commit_times(self) -> None:
        """Record the time of each commit from now on; this restarts the server."""
        from tests.postgres import cluster as cluster_of_this_process

        cluster = cluster_of_this_process()
        assert cluster is not None
        cluster.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        cluster.stop("fast")
        cluster.start()

    @property
    def process(self) -> int:
        """Number of the server's main process."""
        return int((self._schema.cluster.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def cpu(self) -> float:
        """Return the CPU seconds of all processes of the server, those that have ended included."""
        return server_cpu(self.process)

    def size(self, *tables: str) -> int:
        """Return the bytes of tables on the disk, with their indexes."""
        return sum(int(self.execute(f"SELECT pg_total_relation_size('{table}')")) for table in tables)

    @property
    def folder(self) -> Path:
        """The folder of the server."""
        return self._schema.cluster.folder

    def fdatasync_ms(self) -> float:
        """Return the milliseconds that the disk of the server takes to write 4 KiB durably."""
        return fdatasync_p50(self._schema.cluster.folder)

    def another(self) -> Database:
        """Return another empty schema of the server."""
        from tests.postgres import new_schema

        return Database(new_schema())


def server_cpu(process: int) -> float:
    """Return the CPU seconds of a server's main process and of its children, those that have ended included."""
    total = cpu_seconds(process)
    for child in children_of(process):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            total += cpu_seconds(child)
    return total


@contextmanager
def running() -> Iterator[Database]:
    """Run a temporary server, and return an empty schema."""
    from tests.postgres import end_cluster, new_schema

    try:
        yield Database(new_schema())
    finally:
        end_cluster()
