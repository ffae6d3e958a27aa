"""
A temporary PostgreSQL cluster for the tests of a process, which is started when it is first needed.

Each test has a schema and a role of its own, so the tests of one cluster do not see each other.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "log_statement": "none",
}


class TemporaryCluster:
    """A cluster in a temporary folder, with a Unix socket there; it ends with this process."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="webwx-pg-"))
        self.folder.chmod(0o700)
        self._user = "postgres" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        if self._user:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._data = self.folder / "data"
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D", self._data)
        settings = {**_SETTINGS, "unix_socket_directories": str(self.folder)}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()

    def start(self) -> None:
        """Start the server."""
        self._run("pg_ctl", "start", "--wait", "-D", self._data, "-l", self.folder / "log")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}", "-D", self._data)

    def execute(self, statements: str) -> str:
        """Execute statements as the administrator, and return their result."""
        return self._run(
            "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "postgres", "-c", statements
        )

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


class TemporarySchema:
    """A schema of a cluster, with a role of the same name that owns it."""

    def __init__(self, cluster: TemporaryCluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        cluster.execute(f"CREATE ROLE {name} LOGIN; CREATE SCHEMA {name} AUTHORIZATION {name}")

    @property
    def url(self) -> str:
        return f"postgresql://{self.name}@/postgres?host={self.cluster.folder}&search_path={self.name},public"

    def execute(self, statements: str) -> str:
        """Execute statements in this schema, and return their result."""
        return self.cluster.execute(f"SET search_path = {self.name}, public; {statements}")

    def end_sessions(self) -> None:
        """End all sessions of the schema's role, and allow no new ones."""
        ended = f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{self.name}'"
        self.cluster.execute(f"ALTER ROLE {self.name} NOLOGIN")  # a transaction of its own, so that it holds at once
        self.cluster.execute(ended)

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


def new_schema() -> TemporarySchema:
    """Return a new schema; skip the test if PostgreSQL is not installed."""
    started = cluster()
    if started is None:
        pytest.skip("PostgreSQL is not installed")
    return TemporarySchema(started, f"test_{next(_numbers)}")
