"""The page for operators of a cluster: its queries, and the commands with which a database is restored."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import ROOT, blocks
from tests.postgres import TemporaryCluster, TemporarySchema, cluster, new_schema
from tests.storage.arrivals import FRIEND, OWN, UIN, arrival, messages

from webwx.storage.entries import EntryQuery
from webwx.storage.leases import LeaseTimes
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.leases import PostgresLeases
from webwx.storage.postgres.restored import PostgresRestored

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.verify, pytest.mark.timeout(300)]

PAGE = ROOT / "docs" / "howto" / "operate-a-cluster.md"


def query(name: str) -> str:
    """Return the query of the page that contains a word."""
    (found,) = [block for block in blocks(PAGE, "sql") if name in block]
    return found


def rows(schema: TemporarySchema, name: str) -> list[str]:
    return schema.execute(query(name)).split()


async def test_the_queries_show_what_they_promise() -> None:
    schema = new_schema()
    async with PostgresJournal(schema.url) as journal:
        account = journal.account(UIN)
        await account.open_login(OWN, b"", time.time(), [])
        bot = await account.consumer("bot", since="beginning")
        await account.ingest(arrival(*messages(1, 5)))
        await bot.give_up((await bot.take())[0].number, "KeyError")
        await bot.flush()
        await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="", key="", time=time.time())
        assert rows(schema, "free_accounts") == ["1"]
        assert rows(schema, "behind ") == [f"{UIN}|bot|4"]
        assert rows(schema, "dead_letters") == [f"{UIN}|bot|1"]
        assert rows(schema, "FROM outbox")[0].startswith("queued|1|")
        await bot.close()
    leases = PostgresLeases(schema.url, LeaseTimes())
    await leases.join("a", "host-a", 10)
    await leases.claim("a")
    assert (rows(schema, "free_accounts"), rows(schema, "takeovers"), rows(schema, "overdue")) == (["0"], ["1"], [])
    schema.execute("UPDATE workers SET expires = now() - interval '1 minute'")
    assert [each.split("|")[::3] for each in rows(schema, "overdue")] == [["a", "1"]]
    await leases.close()
    sizes = {line.split("|")[0] for line in schema.execute(query("pg_total_relation_size")).splitlines()}
    assert "entries" in sizes


@pytest.mark.parametrize("name", ["pg_stat_replication", "pg_stat_archiver"])
def test_the_queries_about_the_server_run(name: str) -> None:
    new_schema().execute(query(name))


class Server:
    """A cluster of its own, with the page's folder `/srv` inside its folder."""

    def __init__(self, programs: Path) -> None:
        self.cluster = TemporaryCluster(programs)
        self._programs = programs
        self.run("mkdir -p /srv/backup/wal")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.cluster.folder}"

    def run(self, script: str) -> None:
        """Run a script of the page as the user of the server."""
        with (self.cluster.folder / "output").open("w+") as output:
            done = subprocess.run(
                ["/bin/bash", "-euc", script.replace("/srv", f"{self.cluster.folder}/srv")],
                user="postgres" if os.getuid() == 0 else None, cwd="/", stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, check=False,
                env={
                    "PATH": f"{self._programs}:/usr/bin:/bin", "PGHOST": str(self.cluster.folder), "PGUSER": "postgres"
                },
            )  # fmt: skip
            output.seek(0)
            assert done.returncode == 0, output.read()

    def configure(self, settings: str) -> None:
        """Add settings to the configuration, and restart."""
        with (self.cluster.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(settings.replace("/srv", f"{self.cluster.folder}/srv"))
        self.cluster.stop("fast")
        self.cluster.start()

    def archive(self) -> None:
        """End the current segment of the log, and return once it is archived."""
        segment = self.cluster.execute("SELECT pg_walfile_name(pg_switch_wal())").strip()
        archived = f"SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= '{segment}'"
        while self.cluster.execute(archived).strip() != "1":
            pass


@pytest.fixture
def server() -> Iterator[Server]:
    shared = cluster()
    if shared is None:
        pytest.skip("PostgreSQL is not installed")
    server = Server(Path(shared.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").strip()))
    yield server
    server.cluster.remove()


async def test_the_commands_restore_a_moment_between_two_messages(server: Server) -> None:
    (settings,) = [block for block in blocks(PAGE, "ini") if "archive_mode" in block]
    (backup,), (restore,) = blocks(PAGE, "sh backup"), blocks(PAGE, "sh restore")
    server.configure(settings)
    async with PostgresJournal(server.url) as journal:
        account = journal.account(UIN)
        await account.open_login(OWN, b"", time.time(), [])
        await account.ingest(arrival(*messages(1, 5)))
        server.run(backup)
        await account.ingest(arrival(*messages(6, 3)))
        moment = server.cluster.execute("SELECT clock_timestamp()").strip()
        await account.ingest(arrival(*messages(9, 4)))
    server.archive()
    server.cluster.stop("fast")

    server.run(re.sub(r"(?<=recovery_target_time = ').*(?=')", moment, restore))
    try:
        async with PostgresRestored(server.url) as restored:
            assert (await restored.reset()).accounts == 1
        async with PostgresJournal(server.url) as journal:
            found = await journal.account(UIN).find(EntryQuery())
            assert [each.number for each in found] == list(range(8, 0, -1))
            account = journal.account(UIN)
            await account.position(OWN)
            await account.ingest(arrival(*messages(9, 1)))
            (newest,) = await account.find(EntryQuery(limit=1))
            assert newest.number > 12, "a number that was assigned after the moment is assigned again"
    finally:
        server.run("pg_ctl stop --mode=immediate --pgdata=/srv/restored")
