"""PostgreSQL behind PgBouncer: with sessions everything works, with transactions it is refused in a sentence."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.journeys.served import PATIENCE, free_port, gateway, log_in, program
from tests.postgres import new_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.journeys.served import User
    from tests.postgres import TemporarySchema


@pytest.fixture
def schema() -> TemporarySchema:
    """A schema that its role uses by default: PgBouncer passes no `search_path` on."""
    schema = new_schema()
    schema.execute(f"ALTER ROLE {schema.name} SET search_path = {schema.name}, public")
    return schema


@contextmanager
def pooled(schema: TemporarySchema, mode: str, folder: Path) -> Iterator[str]:
    """Run PgBouncer before the database in a pool mode; yield the URL of the database through it."""
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"{schema.name}" ""\n')
    file = folder / "pgbouncer.ini"
    file.write_text(
        f"[databases]\npostgres = host={schema.cluster.folder} dbname=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {users}\npool_mode = {mode}\nmax_client_conn = 200\ndefault_pool_size = 100\n"
    )
    for each in (folder, *folder.iterdir()):
        each.chmod(0o755)
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    command = [program("pgbouncer"), file]
    with subprocess.Popen(command, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"postgresql://{schema.name}@127.0.0.1:{port}/postgres?sslmode=disable"
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def user_of_database(user: User) -> User:
    """A user whose logins are encrypted, as a database requires."""
    user.environment["WEBWX_PASSPHRASE"] = "three or more words"
    return user


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that another user of the system can enter."""
    folder = tmp_path_factory.mktemp("pooler")
    for each in (folder, folder.parent, folder.parent.parent):
        each.chmod(0o755)
    return folder


def test_a_gateway_works_through_a_pooler_that_keeps_sessions(
    user_of_database: User, schema: TemporarySchema, folder: Path
) -> None:
    with pooled(schema, "session", folder) as url:
        user_of_database.environment["WEBWX_STORAGE"] = url
        log_in(user_of_database)
        with gateway(user_of_database) as served:
            served.wait_until_online()
            sent = served.curl("/api/v1/notify", "--data", "through a pooler")
            assert (sent.status, sent.value["state"]) == (201, "sent")
    assert user_of_database.shown()[-1] == "through a pooler"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_sessions_is_refused_in_a_sentence(
    user_of_database: User, schema: TemporarySchema, folder: Path, mode: str
) -> None:
    with pooled(schema, mode, folder) as url:
        refused = user_of_database.run("login", "--account", "work", WEBWX_STORAGE=url)
    assert refused.code != 0
    assert "session" in refused.sentence
    assert "pool" in refused.sentence
