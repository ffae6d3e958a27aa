"""
A temporary PostgreSQL cluster for the tests of a process, which is started when it is first needed.

Each test has a schema and a role of its own, so the tests of one cluster do not see each other. A test of a failover
has a pair of clusters of its own.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.relay import Relay

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "log_statement": "none",
}


class TemporaryCluster:
    """
    A cluster in a temporary folder, with a Unix socket there; it ends with this process.

    Args:
        programs: The folder of PostgreSQL's programs.
        primary: The cluster of which this one is a standby; None: it is no standby.
    """

    def __init__(self, programs: Path, primary: TemporaryCluster | None = None) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="webwx-pg-"))
        self.folder.chmod(0o700)
        self._user = "postgres" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        if self._user:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._data = self.folder / "data"
        if primary is None:
            self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D", self._data)
        else:
            self._run(
                "pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf", "-h", primary.folder,
                "-U", "postgres", "-D", self._data,
            )  # fmt: skip
        settings = {**_SETTINGS, "unix_socket_directories": str(self.folder)}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()

    @property
    def place(self) -> str:
        """The parameters of a URL that name this server."""
        return f"host={self.folder}"

    @property
    def socket(self) -> Path:
        """The server's Unix socket."""
        return self.folder / ".s.PGSQL.5432"

    def start(self) -> None:
        """Start the server."""
        self._run("pg_ctl", "start", "--wait", "-D", self._data, "-l", self.folder / "log")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}", "-D", self._data)

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Accept no new sessions in this block: an attempt to connect is not answered."""
        os.kill(self._main, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._main, signal.SIGCONT)

    @contextmanager
    def locking(self, table: str) -> Iterator[None]:
        """Lock a table in this block, so that no statement reads or changes it."""
        command: list[str | Path] = [
            self._programs / "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.folder,
            "-U",
            "postgres",
        ]
        with subprocess.Popen(
            command, user=self._user, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        ) as session:
            assert session.stdin is not None
            assert session.stdout is not None
            session.stdin.write(f"BEGIN;\nLOCK TABLE {table};\nSELECT 'locked';\n")
            session.stdin.flush()
            assert session.stdout.readline() == "locked\n"
            yield
            session.stdin.close()

    @property
    def _main(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """Kill all processes of the server, as the death of its machine does."""
        main = self._main
        os.kill(main, signal.SIGSTOP)  # it would start others in place of those that are killed
        others = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for each in (main, *map(int, others)):
            os.kill(each, signal.SIGKILL)
        while self._lives(main):
            time.sleep(0.01)

    @staticmethod
    def _lives(number: int) -> bool:
        try:
            return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def promote(self) -> None:
        """Make a standby a primary."""
        self._run("pg_ctl", "promote", "--wait", "-D", self._data)

    def execute(self, statements: str) -> str:
        """Execute statements as the administrator, and return their result."""
        return self._run(
            "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "postgres", "-c", statements
        )

    def dump(self, schema: str) -> str:
        """Return the state of a schema as statements, as `pg_dump` writes them."""
        dumped = self._run("pg_dump", "--inserts", "-h", self.folder, "-U", "postgres", f"--schema={schema}")
        return "\n".join(line for line in dumped.splitlines() if not line.startswith("\\"))

    def require_password(self, role: str, password: str) -> None:
        """Require a password of a role."""
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")
        self.execute(f"ALTER ROLE {role} PASSWORD '{password}'")
        loaded = "SELECT pg_conf_load_time()"
        before = self.execute(loaded)
        self.execute("SELECT pg_reload_conf()")
        while self.execute(loaded) == before:  # a new session has the rules of the server's last reload
            pass

    def remove(self) -> None:
        """Stop the server and delete the cluster."""
        subprocess.run(
            [self._programs / "pg_ctl", "stop", "--mode=immediate", "-D", self._data],
            user=self._user, capture_output=True, check=False, cwd="/",
        )  # fmt: skip
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path) -> str:
        # The server keeps its standard output open, so it is a file: a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self._programs / program, *arguments],
                user=self._user, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, cwd="/",
            )  # fmt: skip
            output.seek(0)
            said = output.read()
        assert done.returncode == 0, said
        return said


class ReplicatedCluster:
    """
    A primary and its standby.

    Args:
        programs: The folder of PostgreSQL's programs.
        is_synchronous: Whether each commit waits for the standby.
    """

    def __init__(self, programs: Path, *, is_synchronous: bool) -> None:
        self.primary = TemporaryCluster(programs)
        self.primary.execute("CREATE EXTENSION btree_gin")
        self.standby = TemporaryCluster(programs, self.primary)
        self._current = self.primary
        if is_synchronous:
            self._wait_for("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
            self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            self.primary.execute("SELECT pg_reload_conf()")
            self._wait_for("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")

    @property
    def place(self) -> str:
        """The parameters of a URL that name both servers."""
        return f"host={self.primary.folder},{self.standby.folder}&target_session_attrs=read-write"

    @property
    def folder(self) -> Path:
        """The folder of the server that accepts writes."""
        return self._current.folder

    def dump(self, schema: str) -> str:
        """Return the state of a schema as statements, as `pg_dump` writes them."""
        return self._current.dump(schema)

    def execute(self, statements: str) -> str:
        """Execute statements as the administrator of the server that accepts writes, and return their result."""
        return self._current.execute(statements)

    def wait_until_equal(self) -> None:
        """Wait until the standby has replayed all that is committed."""
        position = self.primary.execute("SELECT pg_current_wal_lsn()").strip()
        while self.standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn").strip() != "t":
            time.sleep(0.01)

    def end_replication(self) -> None:
        """Make the standby receive nothing more."""
        self.standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.standby.execute("SELECT pg_reload_conf()")
        while self.primary.execute("SELECT count(*) FROM pg_stat_replication").strip() != "0":
            time.sleep(0.01)

    def fail_over(self) -> None:
        """Kill the primary and promote the standby."""
        self.primary.kill()
        self.standby.promote()
        self._current = self.standby

    def remove(self) -> None:
        """Stop both servers and delete them."""
        for each in (self.standby, self.primary):
            each.remove()

    def _wait_for(self, count: str) -> None:
        while self.primary.execute(count).strip() != "1":
            time.sleep(0.01)


class TemporarySchema:
    """A schema of a cluster, with a role of the same name that owns it."""

    def __init__(self, cluster: TemporaryCluster | ReplicatedCluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        cluster.execute(f"CREATE ROLE {name} LOGIN; CREATE SCHEMA {name} AUTHORIZATION {name}")

    @property
    def url(self) -> str:
        return f"postgresql://{self.name}@/postgres?{self.cluster.place}&search_path={self.name},public"

    @property
    def server(self) -> TemporaryCluster:
        """The server of a schema that has no standby."""
        assert isinstance(self.cluster, TemporaryCluster)
        return self.cluster

    @property
    def pair(self) -> ReplicatedCluster:
        """The servers of a schema that has a standby."""
        assert isinstance(self.cluster, ReplicatedCluster)
        return self.cluster

    def url_through(self, *relays: Relay, host: str = "127.0.0.1") -> str:
        """Return a URL that leads through relays to the server."""
        hosts = ",".join(f"{host}:{relay.port}" for relay in relays)
        return f"postgresql://{self.name}@{hosts}/postgres?search_path={self.name},public&sslmode=disable"

    def execute(self, statements: str) -> str:
        """Execute statements in this schema, and return their result."""
        return self.cluster.execute(f"SET search_path = {self.name}, public; {statements}")

    def dump(self) -> str:
        """Return the state of the schema as statements, as `pg_dump` writes them."""
        return self.cluster.dump(self.name)

    def restore(self, dump: str) -> None:
        """Replace the schema by an earlier state."""
        self.cluster.execute(f"DROP SCHEMA {self.name} CASCADE")
        self.cluster.execute(dump)

    def end_sessions(self) -> None:
        """End all sessions of the schema's role, and allow no new ones."""
        ended = f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{self.name}'"
        self.cluster.execute(f"ALTER ROLE {self.name} NOLOGIN")  # a transaction of its own, so that it holds at once
        self.cluster.execute(ended)

    def wait_for_sessions(self) -> None:
        """Return once no session of the schema's role is left; one of a killed process executes what it was sent."""
        left = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{self.name}'"
        while int(self.cluster.execute(left)):
            time.sleep(0.01)

    def allow_sessions(self) -> None:
        """Allow new sessions."""
        self.cluster.execute(f"ALTER ROLE {self.name} LOGIN")


def _programs() -> Path | None:
    """Return the folder with the newest PostgreSQL's programs; None if it is not installed."""
    found = [each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    program = shutil.which("initdb")
    return Path(program).parent if program else None


def is_installed() -> bool:
    """Return whether PostgreSQL is installed."""
    return _programs() is not None


@cache
def cluster() -> TemporaryCluster | None:
    """Return the cluster of this process; None if PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        return None
    started = TemporaryCluster(programs)
    atexit.register(end_cluster)
    started.execute("CREATE EXTENSION btree_gin")
    return started


def end_cluster() -> None:
    """Stop and delete the cluster of this process, if it was started."""
    started = cluster() if cluster.cache_info().currsize else None
    if started is not None:
        started.remove()
        cluster.cache_clear()


_numbers = itertools.count(1)


@contextmanager
def replicated_schema(*, is_synchronous: bool) -> Iterator[TemporarySchema]:
    """Return a schema of a primary with a standby; skip the test if PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    pair = ReplicatedCluster(programs, is_synchronous=is_synchronous)
    try:
        yield TemporarySchema(pair, "replicated")
    finally:
        pair.remove()


def new_schema() -> TemporarySchema:
    """Return a new schema; skip the test if PostgreSQL is not installed."""
    started = cluster()
    if started is None:
        pytest.skip("PostgreSQL is not installed")
    return TemporarySchema(started, f"test_{next(_numbers)}")


def add_accounts(schema: TemporarySchema, count: int) -> None:
    """Store accounts with the numbers from 1."""
    schema.execute(f"INSERT INTO accounts (account, epoch) SELECT n, 1 FROM generate_series(1, {count}) n")
