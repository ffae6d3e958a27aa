"""
The journal's tables in PostgreSQL, and the changes from one version to the next.

The first process that uses an empty schema creates the tables; those of an earlier version are migrated by `migration`.
From version 100 on, a migration only adds tables, columns and indexes, so that a process of the previous version can
continue beside a newer one. The one to version 100 changes names and types, so no other process may run meanwhile.

Every table of an account begins with the account's number. A unique column of text of any length is indexed by its
digest (`webwx_key`), because an index takes a third of a page at most.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from webwx.errors import StorageError
from webwx.storage.engine.dialect import postgres_ddl
from webwx.storage.tables.media import MEDIA
from webwx.storage.tables.registry import ALL, added_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from webwx.storage.engine.port import StoredTable

FORMER = 6
"""The last version before 100; its schema is migrated, older ones are refused."""

FIRST = 100
"""The version of `_TABLES`."""

_KEYS = """
CREATE OR REPLACE FUNCTION webwx_key(text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS 'BEGIN RETURN sha256(convert_to($1, ''UTF8'')); END';
"""
"""
The digest of a text for indexes. In SQL, it would be parsed again by each statement that changes an index. It is
strict, so that a condition on the digest is one on the column, as the indexes require.
"""

_FUNCTIONS = f"""
CREATE EXTENSION IF NOT EXISTS btree_gin;
{_KEYS}
"""

_MEDIA_TRIGGERS = """
CREATE FUNCTION webwx_sum_media() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE accounts a SET media_size = media_size - s.size
            FROM (SELECT account, sum(size) AS size FROM removed GROUP BY account HAVING sum(size) <> 0) s
            WHERE a.account = s.account;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE accounts a SET media_size = media_size + s.size
            FROM (SELECT account, sum(size) AS size FROM added GROUP BY account HAVING sum(size) <> 0) s
            WHERE a.account = s.account;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER media_added AFTER INSERT ON media
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION webwx_sum_media();
CREATE TRIGGER media_changed AFTER UPDATE ON media
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION webwx_sum_media();
CREATE TRIGGER media_deleted AFTER DELETE ON media
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION webwx_sum_media();
"""

_TABLES = {
    "workers": """
CREATE TABLE workers (
    worker text PRIMARY KEY,                    -- new at each start of a process
    address text NOT NULL,
    capacity bigint NOT NULL,                   -- number of accounts that it takes at most
    expires timestamptz NOT NULL,               -- end of its lease
    draining boolean NOT NULL DEFAULT false,    -- it is asked to hand its accounts over
    renewed timestamptz NOT NULL DEFAULT now(), -- last renewal of its lease
    weight bigint,                              -- in place of the capacity, to divide the accounts
    loop_lag float8 NOT NULL DEFAULT 0,         -- longest since the renewal before the last one
    failed_bots bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
""",
    "accounts": """
CREATE TABLE accounts (
    account bigint PRIMARY KEY,
    epoch bigint NOT NULL,                      -- raised when another process takes the account over
    last_number bigint NOT NULL DEFAULT 0,      -- the last number that an entry had
    last_identity bigint NOT NULL DEFAULT 0,
    conflicts bigint NOT NULL DEFAULT 0,        -- messages that arrived with the id of another message
    worker text REFERENCES workers,             -- owner of the account
    wanted boolean NOT NULL DEFAULT true,       -- workers take it; false: its login has ended
    taken_at timestamptz,                       -- time of the last takeover
    restored_at float8 NOT NULL DEFAULT 0,      -- earlier entries are held
    media_size bigint NOT NULL DEFAULT 0        -- bytes of its archived media, summed by the triggers of `media`
) WITH (fillfactor = 50);
CREATE INDEX accounts_worker ON accounts (worker);
""",
    "logins": """
CREATE TABLE logins (
    login bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL,
    own_id text NOT NULL,
    position bytea NOT NULL,
    opened_at float8 NOT NULL,
    last_at float8 NOT NULL,                    -- time of its last batch
    last_body bytea,                            -- digest of the last batch that had items without an id
    complete_digest bytea,                               -- digest of the last complete list of contacts
    UNIQUE (account, own_id)
) WITH (fillfactor = 50);
""",
    "batches": """
CREATE TABLE batches (
    account bigint NOT NULL,
    batch bigint NOT NULL,                      -- number of its first entry
    time float8 NOT NULL,
    body bytea NOT NULL,                        -- zlib, with a dictionary or without one
    PRIMARY KEY (account, batch)
);
ALTER TABLE batches ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX batches_time ON batches (time);
""",
    "entries": """
CREATE TABLE entries (
    account bigint NOT NULL,
    number bigint NOT NULL,
    login bigint NOT NULL,
    batch bigint NOT NULL,                      -- 0 for a gap in place of deleted entries
    kind smallint NOT NULL,
    flags smallint NOT NULL,
    start integer NOT NULL,                     -- in the body
    length integer NOT NULL,
    digest bigint NOT NULL,
    time bigint NOT NULL,
    message_id text NOT NULL,
    chat text NOT NULL,
    raw bytea,                                  -- if it is not in the body
    words tsvector,
    PRIMARY KEY (account, number)
);
CREATE INDEX entries_message ON entries (account, hashtextextended(message_id, 0)) WHERE message_id <> '';
CREATE INDEX entries_chat ON entries (account, hashtextextended(chat, 0), number) WHERE chat <> '';
CREATE INDEX entries_words ON entries USING gin (account, words);
CREATE INDEX entries_rare ON entries (account, number) WHERE flags & 14 <> 0 OR batch = 0;
""",
    "entry_blocks": """
CREATE TABLE entry_blocks (
    account bigint NOT NULL,
    block bigint NOT NULL,                      -- the numbers from block * 512 on
    earliest bigint NOT NULL,
    latest bigint NOT NULL,
    entries bigint NOT NULL,                    -- that are not deleted
    PRIMARY KEY (account, block)
);
CREATE FUNCTION webwx_count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE entry_blocks b SET entries = b.entries - r.entries
        FROM (SELECT account, number / 512 AS block, count(*) AS entries FROM removed GROUP BY 1, 2) r
        WHERE b.account = r.account AND b.block = r.block;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_deleted AFTER DELETE ON entries
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION webwx_count_deleted();
""",
    "contacts": """
CREATE TABLE contacts (
    place bigint GENERATED ALWAYS AS IDENTITY,
    login bigint NOT NULL,
    id text NOT NULL,
    contact bytea NOT NULL,                     -- JSON
    PRIMARY KEY (login, id)
);
""",
    "names": """
CREATE TABLE names (
    login bigint NOT NULL,
    name bytea NOT NULL,                        -- digest of a nickname or a remark
    id text NOT NULL,
    text text NOT NULL DEFAULT '',              -- the nickname or the remark itself
    PRIMARY KEY (login, name, id)
);
""",
    "consumers": """
CREATE TABLE consumers (
    consumer bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL,
    name text NOT NULL,
    acked bigint NOT NULL,                      -- all entries up to here are acknowledged
    started bigint NOT NULL,                    -- all entries up to here may have been delivered
    isolated_to bigint NOT NULL DEFAULT 0,      -- in flight when a process before the last one crashed
    is_open boolean NOT NULL DEFAULT false,     -- a process has taken entries and has not closed it
    opening bigint NOT NULL DEFAULT 0,          -- number of times that it was opened; excludes an earlier process
    lock bigint NOT NULL,                       -- advisory lock of the process that has it open
    lived_on bigint NOT NULL DEFAULT 0          -- last opening whose process has not crashed
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX consumers_name ON consumers (account, webwx_key(name));
""",
    "media_pieces": """
CREATE TABLE media_pieces (
    account bigint NOT NULL,
    digest text NOT NULL,
    piece integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (account, digest, piece)
);
ALTER TABLE media_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;
""",
    "saved_logins": """
CREATE TABLE saved_logins (
    name text PRIMARY KEY,                      -- account name, and server or profile
    login bytea,                                -- JSON, or encrypted
    contacts bytea,
    last_id bigint NOT NULL DEFAULT 0,
    lock bigint NOT NULL,                       -- advisory lock of the process that syncs it
    changes bigint NOT NULL DEFAULT 0           -- number of changes of the login
);
""",
    "login_names": """
CREATE TABLE login_names (
    name text NOT NULL,                         -- of a saved login: account name, and server or profile
    account bigint NOT NULL,                    -- that has logged in under this name
    opened_at float8 NOT NULL,                  -- its last login
    PRIMARY KEY (name, account)
);
CREATE INDEX login_names_account ON login_names (account, opened_at);
""",
    "send_pieces": """
CREATE TABLE send_pieces (
    account bigint NOT NULL,
    number bigint NOT NULL,                     -- of a queued send
    piece integer NOT NULL,
    bytes bytea NOT NULL,                       -- shorter than the other pieces in the last one
    PRIMARY KEY (account, number, piece)
);
ALTER TABLE send_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;
""",
    **{table.name: postgres_ddl(table) for table in added_in(FIRST, ALL)},
    MEDIA.name: postgres_ddl(MEDIA) + _MEDIA_TRIGGERS,
}
"""The statements that create each table of version 100."""

_COLUMNS = tuple(
    (table, column)
    for table, text in _TABLES.items()
    for column in re.findall(r"^    ([a-z]\w+) ", text.split("\n)", 1)[0], flags=re.MULTILINE)
)
"""The columns of version 100, each after its table."""

_MISSING = """
SELECT k.name || '.' || k.field FROM unnest($1::varchar[], $2::varchar[]) k (name, field) WHERE NOT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass(k.name) AND attname = k.field AND NOT attisdropped
) LIMIT 1
"""


class Migration(NamedTuple):
    """The changes from one version to the next."""

    statements: tuple[str, ...]
    """
    Changes that do not depend on the number of rows. Each is a transaction of its own, because one that changed several
    tables could wait in a circle with another that uses them in another order; so each can be repeated.
    """
    indexes: Mapping[str, str] = MappingProxyType({})
    """Table, columns and condition of each new index, by its name; they are built while other processes write."""


def added(table: StoredTable) -> str:
    """Return the statements that create a new table in a migration; they can be repeated."""
    return re.sub(
        r"^(CREATE (?:TABLE|UNIQUE INDEX|INDEX))", r"\1 IF NOT EXISTS", postgres_ddl(table), flags=re.MULTILINE
    )


def _rebuilt(table: str, indexes: str, columns: str, **converted: str) -> str:
    """
    Return the statements that rebuild a table with its former rows.

    Args:
        table: Name of the table.
        indexes: Its former indexes, without that of the primary key.
        columns: The columns of the former rows, which have the same names.
        converted: Expressions for the values of columns that had another type.
    """
    dropped = "".join(f"DROP INDEX {index};\n" for index in indexes.split())
    values = ", ".join(converted.get(column, column) for column in columns.split(", "))
    return f"""
{dropped}ALTER TABLE {table} RENAME TO former_{table};
ALTER INDEX {table}_pkey RENAME TO former_{table}_pkey;
{_TABLES[table]}
INSERT INTO {table} ({columns}) SELECT {values} FROM former_{table};
DROP TABLE former_{table};
"""  # noqa: S608 - constants


_LINKS = f"""
DROP INDEX links_number, links_id, links_nickname, links_remark;
ALTER TABLE links RENAME TO former_links;
ALTER INDEX links_pkey RENAME TO former_links_pkey;
{_TABLES["links"]}
{_TABLES["evidence"]}
{_TABLES["origins"]}
INSERT INTO evidence (account, evidence, number, login, content, nickname, remark)
    SELECT account, row_number() OVER (PARTITION BY account ORDER BY min(link)), number, min(login),
        former_json(evidence), CASE WHEN min(nickname || remark) = '' THEN min(name) ELSE min(nickname) END, min(remark)
    FROM former_links GROUP BY account, number, evidence;
INSERT INTO origins (account, origin, content)
    SELECT account, row_number() OVER (PARTITION BY account ORDER BY min(link)), former_json(found)
    FROM former_links GROUP BY account, found;
-- Without statistics each link would be compared with all rows of its account.
ANALYZE former_links, evidence, origins;
INSERT INTO links (account, login, id, number, name, digest, evidence, origin, seen_at)
    SELECT l.account, l.login, l.id, l.number, l.name, l.digest, e.evidence, o.origin, l.seen_at
    FROM former_links l
    JOIN evidence e ON e.account = l.account AND e.number = l.number AND e.content = former_json(l.evidence)
    JOIN origins o ON o.account = l.account AND o.content = former_json(l.found);
DROP TABLE former_links;
"""  # noqa: S608 - constants
"""The changes of the links, whose evidence and origins were in their rows."""

_JSON = """
CREATE FUNCTION former_json(bytea) RETURNS text LANGUAGE sql IMMUTABLE
    AS 'SELECT replace(convert_from($1, ''UTF8''), chr(57344), chr(57344) || ''1'')';
"""
"""The conversion of JSON that was stored as bytes to text, in which U+E000 is escaped."""

_MEDIA = """
DROP INDEX media_message, media_digest;
ALTER TABLE media ALTER COLUMN message_id TYPE text COLLATE "C", ALTER COLUMN state TYPE text COLLATE "C",
    ALTER COLUMN digest TYPE text COLLATE "C";
CREATE INDEX media_message ON media (account, webwx_key(message_id)) WHERE message_id IS NOT NULL;
CREATE INDEX media_digest_account ON media (digest, account) WHERE digest <> '';
CREATE INDEX media_oldest ON media (account, number) WHERE digest <> '';
ALTER TABLE accounts ADD COLUMN media_size bigint NOT NULL DEFAULT 0;
UPDATE accounts a SET media_size = (SELECT coalesce(sum(size), 0) FROM media m WHERE m.account = a.account);
"""
"""The changes of the rows of media, and the sums of their sizes."""

_MADE_OF_FORMER = {
    "accounts", "acked_ahead", "audit", "batches", "consumers", "contacts", "conversations", "crashes", "entries",
    "evidence", "failures", "identities", "links", "login_names", "logins", "media", "media_pieces", "names",
    "never_matched", "origins", "outbox", "real_ids", "records", "saved_logins", "send_pieces", "states",
    "timers", "workers",
}  # fmt: skip
"""The tables of version 100 that are tables of the former version, or are made of them below."""

FROM_FORMER = (
    _KEYS
    + _JSON
    + _LINKS
    + _rebuilt(
        "timers",
        "timers_key timers_due timers_age",
        "account, number, bot, handler, key, name, chat, payload, due_at, state, failures, created_at, changed_at",
        payload="former_json(payload)",
    )
    + _rebuilt(
        "outbox",
        "outbox_client_id outbox_key outbox_message outbox_open outbox_age",
        "account, number, client_id, key, chat, kind, text, addressed, content_id, state, epoch, sender, message_id,"
        " receipt, ret, created_at, changed_at",
        sender="CASE sender WHEN 0 THEN '' ELSE sender::text END",
        receipt="former_json(receipt)",
    )
    + """
DROP FUNCTION former_json;
SELECT setval(pg_get_serial_sequence('timers', 'number'), greatest(max(last_timer), 1)) FROM accounts;
SELECT setval(pg_get_serial_sequence('outbox', 'number'), greatest(max(last_send), 1)) FROM accounts;
ALTER TABLE apart RENAME TO never_matched;
ALTER INDEX apart_pkey RENAME TO never_matched_pkey;
ALTER TABLE identities RENAME COLUMN became TO merged_into;
ALTER TABLE identities ALTER COLUMN kind TYPE text COLLATE "C";
CREATE INDEX identities_merged ON identities (account, merged_into) WHERE merged_into <> 0;
ALTER TABLE real_ids RENAME COLUMN wxid TO real_id;
DROP INDEX real_ids_wxid;
ALTER TABLE real_ids ALTER COLUMN id TYPE text COLLATE "C", ALTER COLUMN real_id TYPE text COLLATE "C";
CREATE INDEX real_ids_real_id ON real_ids (account, real_id) WHERE real_id IS NOT NULL;
ALTER TABLE logins RENAME COLUMN listed TO complete_digest;
ALTER TABLE ahead RENAME TO acked_ahead;
ALTER INDEX ahead_pkey RENAME TO acked_ahead_pkey;
ALTER TABLE acked_ahead RENAME CONSTRAINT ahead_consumer_fkey TO acked_ahead_consumer_fkey;
ALTER TABLE states ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE failures ALTER COLUMN state TYPE text COLLATE "C", ALTER COLUMN error TYPE text COLLATE "C";
ALTER TABLE conversations ALTER COLUMN key TYPE text COLLATE "C", ALTER COLUMN step TYPE text COLLATE "C",
    ALTER COLUMN chat TYPE text COLLATE "C";
ALTER TABLE records ALTER COLUMN kind TYPE text COLLATE "C", ALTER COLUMN id TYPE text COLLATE "C";
ALTER TABLE audit ALTER COLUMN number SET GENERATED BY DEFAULT, ALTER COLUMN actor TYPE text COLLATE "C",
    ALTER COLUMN action TYPE text COLLATE "C", ALTER COLUMN target TYPE text COLLATE "C",
    ALTER COLUMN detail TYPE text COLLATE "C";
ALTER TABLE accounts DROP COLUMN last_timer, DROP COLUMN last_send;
"""
    + _MEDIA
    + _MEDIA_TRIGGERS
    + "".join(text for name, text in _TABLES.items() if name not in _MADE_OF_FORMER)
)
"""The changes from the last version before 100, which lead to the same tables as a new schema has."""

_CHANGES: Mapping[int, Migration] = MappingProxyType(
    {
        101: Migration(
            (
                "INSERT INTO read_positions (account, chat, number, time)"
                " SELECT account, '', last_number, extract(epoch FROM now()) FROM accounts ON CONFLICT DO NOTHING;",
            )
        )
    }
)
"""The changes that add columns and indexes, and rows to new tables, by the version that they lead to."""


def migrations(tables: Sequence[StoredTable], changes: Mapping[int, Migration]) -> tuple[Migration, ...]:
    """Return what leads from version 100 to 101, and from each later version to the next: new tables, and changes."""
    last = max(FIRST, *changes, *(table.since for table in tables))
    return tuple(
        Migration((*map(added, added_in(version, tables)), *change.statements), change.indexes)
        for version in range(FIRST + 1, last + 1)
        for change in (changes.get(version, Migration(())),)
    )


MIGRATIONS = migrations(ALL, _CHANGES)
"""The changes from version 100 to 101, and from each later version to the next."""

VERSION = FIRST + len(MIGRATIONS)

MIN_SERVER = 15
"""The oldest version of PostgreSQL that is supported."""

LOCK = 0x77786A6C
"""Advisory lock of the migration, so that one process at a time migrates."""


class MigrationNeeded(StorageError):
    """The tables are of an earlier version, and no process uses them before `webwx storage migrate`."""


class PreparedSchema:
    """
    The schema of a database, for all connections of a storage: the first one checks that it is of this version.

    A newer webwx may migrate it later. The connections that are opened after that are not refused, because a migration
    only adds tables and columns.
    """

    def __init__(self) -> None:
        self._is_prepared = False

    def __repr__(self) -> str:
        return f"PreparedSchema(is_prepared={self._is_prepared})"

    async def prepare(self, connection: asyncpg.Connection[asyncpg.Record], place: str) -> None:
        """Check the schema unless that was done; the arguments and errors are those of `require_tables`."""
        if not self._is_prepared:
            await require_tables(connection, place)
            self._is_prepared = True


async def require_tables(connection: asyncpg.Connection[asyncpg.Record], place: str) -> None:
    """
    Create the tables of an empty schema, in one transaction, and require that they are of this version.

    Args:
        connection: The connection.
        place: Name of the database in an error.

    Raises:
        MigrationNeeded: An older webwx has written the schema.
        StorageError: A newer webwx has written it, or one that is too old, or PostgreSQL is too old.
    """
    version = await version_of(connection, place)
    if version == 0:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            version = await version_of(connection, place)
            if version == 0:  # another process may have created them meanwhile
                await _create(connection)
                return
    if version < VERSION:
        raise MigrationNeeded(
            f"The tables in {place} are of version {version}, and this webwx needs version {VERSION}: "
            "run 'webwx storage migrate'."
        )
    await require_complete(connection, place)


async def require_complete(connection: asyncpg.Connection[asyncpg.Record], place: str) -> None:
    """
    Refuse tables of version 100 from before its layout was complete, whose statements would fail one by one.

    Raises:
        StorageError: A column is missing.
    """
    missing = await connection.fetchval(_MISSING, *(list(names) for names in zip(*_COLUMNS, strict=True)))
    if missing is not None:
        raise StorageError(
            f"The journal in {place} was written by a webwx from before version {FIRST} was complete ({missing} is "
            "missing in it); use another database."
        )


async def _create(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.execute("".join((_FUNCTIONS, *_TABLES.values())))
    for migration in MIGRATIONS:
        for statement in migration.statements:
            await connection.execute(statement)
        for name, definition in migration.indexes.items():
            await connection.execute(f"CREATE INDEX {name} ON {definition}")
    await connection.execute("CREATE TABLE webwx_schema (version integer NOT NULL)")
    await connection.execute("INSERT INTO webwx_schema VALUES ($1)", VERSION)


async def version_of(connection: asyncpg.Connection[asyncpg.Record], place: str) -> int:
    """
    Return the version of a schema; 0 if it is empty.

    Raises:
        StorageError: A newer webwx has written the schema, or one that is too old, or PostgreSQL is too old.
    """
    server = connection.get_server_version().major
    if server < MIN_SERVER:
        raise StorageError(f"The server of {place} is PostgreSQL {server}; webwx needs {MIN_SERVER} or newer.")
    if not await connection.fetchval("SELECT to_regclass('webwx_schema') IS NOT NULL"):
        return 0
    version = int(await connection.fetchval("SELECT version FROM webwx_schema"))
    if version > VERSION:
        raise StorageError(
            f"The journal in {place} was written by a newer webwx (version {version}, this one reads {VERSION}); "
            "update webwx, or use another database."
        )
    if version < FIRST and version != FORMER:
        raise StorageError(
            f"The journal in {place} was written by an older webwx (version {version}, this one migrates version "
            f"{FORMER}); run 'webwx storage migrate' of webwx 0.1.0 as of November 2026 once, which migrates it to "
            "that version."
        )
    return version
