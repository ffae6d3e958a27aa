"""A temporary PgBouncer between a test and the temporary PostgreSQL cluster."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import TemporarySchema


class TemporaryPooler:
    """
    PgBouncer in a temporary folder, with a Unix socket there, for the role of one schema.

    Args:
        program: The path of PgBouncer.
        schema: The schema.
        mode: `pool_mode`: which of a client's statements one session of the server executes.
    """

    def __init__(self, program: str, schema: TemporarySchema, mode: str) -> None:
        self._schema = schema
        self._folder = Path(tempfile.mkdtemp(prefix="webwx-pool-"))
        self._folder.chmod(0o700)
        user = "postgres" if os.getuid() == 0 else None  # PgBouncer refuses to run as root
        if user:
            os.chown(self._folder, pwd.getpwnam(user).pw_uid, -1)
        self._program, self._user = program, user
        self._write(mode)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [self._program, "--quiet", self._folder / "pgbouncer.ini"],
            user=self._user, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while not self._listens():
            assert process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.01)
        return process

    @property
    def url(self) -> str:
        """The URL of the schema through the pooler."""
        name = self._schema.name
        return f"postgresql://{name}@/postgres?host={self._folder}&search_path={name},public"

    def change_mode(self, mode: Literal["session", "transaction"]) -> None:
        """Change the mode, and return once the pooler has read it."""
        self._write(mode)
        log = self._folder / "log"
        before = log.read_text().count("SIGHUP")
        self._process.send_signal(signal.SIGHUP)
        while log.read_text().count("SIGHUP") == before:
            time.sleep(0.01)

    def restart(self, mode: Literal["session", "transaction"]) -> None:
        """Kill the pooler, whose connections end, and start it again in a mode."""
        self._process.kill()
        self._process.wait()
        (self._folder / "log").unlink()
        self._write(mode)
        self._process = self._start()

    @property
    def has_clients(self) -> bool:
        """Whether a client has connected since the start."""
        return "login attempt" in (self._folder / "log").read_text()

    def end(self) -> None:
        """Stop the pooler and delete its folder."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def _write(self, mode: str) -> None:
        (self._folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={self._schema.cluster.folder} user={self._schema.name}\n[pgbouncer]\n"
            f"pool_mode = {mode}\nauth_type = any\nlisten_port = 5432\nunix_socket_dir = {self._folder}\n"
            f"logfile = {self._folder}/log\n"
        )

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as attempt:
            return attempt.connect_ex(str(self._folder / ".s.PGSQL.5432")) == 0


@contextmanager
def pooler(schema: TemporarySchema, mode: Literal["session", "transaction", "statement"]) -> Iterator[TemporaryPooler]:
    """Run PgBouncer for a schema; skip the test if it is not installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    started = TemporaryPooler(program, schema, mode)
    try:
        yield started
    finally:
        started.end()
