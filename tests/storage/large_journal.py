"""
Journals with many rows in every table, written by statements of SQL within a second.

The account has one large chat with nearly all rows, and a small chat that has the same 20 rows in a journal of any
size, evenly among the others. What a person looks at, such as waiting sends, does not grow with the journal either.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.storage.arrivals import FRIEND, OWN, ROOM, UIN

from webwx.model.contacts import Contact, ContactId
from webwx.storage.bodies import pack
from webwx.storage.entry_blocks import BLOCK
from webwx.storage.sqlite.index import key_of
from webwx.storage.tables.registry import ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.base import Journal

ENTRIES_OF_BATCH = 50

IN_SMALL_CHAT = 20
"""Number of entries and sends of the small chat."""

_BODY = pack(b'{"AddMsgList":[]}').hex()

# `{rows}` is a table of the numbers from 1 to the size as `n`, and `{blob}` makes bytes of a text. Statements for both
# engines come first.
_CHAT = f"CASE n % ({{size}} / {IN_SMALL_CHAT}) WHEN 0 THEN '{ROOM}' ELSE '{FRIEND}' END"

_MESSAGE = (
    f"""'{{{{"MsgId":"' || n || '","FromUserName":"{FRIEND}","ToUserName":"{OWN}","MsgType":1,"Content":"hello"}}}}'"""
)

_EVIDENCE = """'{{"kind":"person","nickname":"name ' || n || '"}}'"""
_ORIGIN = """{{"by":"certain"}}"""

_SHARED = (
    "DELETE FROM batches",
    "DELETE FROM entries",
    "INSERT INTO conversations (consumer, key, step, content, chat, deadline, changed_at)"
    f" SELECT {{consumer}}, 'key ' || n, 'step', {{empty}}, '{FRIEND}', n, n FROM {{rows}}",
    "INSERT INTO failures (consumer, number, state, attempts, error, time)"
    " SELECT {consumer}, n, 'dead', 3, 'ValueError', n FROM {rows}",
    "INSERT INTO states (account, name, state) SELECT {account}, 'state ' || n, {empty} FROM {rows}",
    "INSERT INTO read_positions (account, chat, number, time) SELECT {account}, '@c' || n, n, n FROM {rows}",
    "INSERT INTO real_ids (account, login, id, real_id) SELECT {account}, {login}, '@i' || n, 'wxid_' || n FROM {rows}",
    "INSERT INTO identities (account, number, kind, first_seen, login)"
    " SELECT {account}, n + 10, 'person', 1, {login} FROM {rows}",
    "INSERT INTO evidence (account, evidence, number, login, content, nickname, remark)"
    " SELECT {account}, n + 10, n + 10, {login}, " + _EVIDENCE + ", 'name ' || n, '' FROM {rows}",
    f"INSERT INTO origins (account, origin, content) VALUES ({{account}}, 10, '{_ORIGIN}')",
    "INSERT INTO links (account, login, id, number, name, digest, evidence, origin, seen_at)"
    " SELECT {account}, {login}, '@i' || n, n + 10, 'name ' || n, 1, n + 10, 10, 1 FROM {rows}",
    "INSERT INTO never_matched (account, number, other) SELECT {account}, n + 10, n + 11 FROM {rows}",
)

_RECORDS = (
    "INSERT INTO records (kind, id, version, body, changed_at) SELECT 'key', 'id ' || n, 1, {empty}, 1 FROM {rows}",
    "INSERT INTO audit (time, actor, action, target, detail) SELECT n, 'me', 'do', '', '' FROM {rows}",
)

_RECEIPT = """'{{"message_id":"' || n || '","client_id":"c' || n || '","chat":"@friend","time":1}}'"""
_SEND_STATE = "CASE WHEN n > {size} - 5 THEN 'queued' WHEN n > {size} - 10 THEN 'failed' ELSE 'sent' END"
_TIMER_STATE = "CASE WHEN n > {size} - 10 THEN 'waiting' ELSE 'done' END"
_CONTACT = """'{{"id":"@c' || n || '","nickname":"name ' || n || '"}}'"""

_SQLITE = (
    "INSERT INTO batches (batch, account, time, body)"
    f" SELECT n, {{account}}, n, x'{_BODY}' FROM {{rows}} WHERE n % {ENTRIES_OF_BATCH} = 1",
    "INSERT INTO entries (number, account, login, kind, message_id, digest, chat, time, is_backlog, is_quarantined,"
    f" batch, start, length, raw, is_notice) SELECT n, {{account}}, {{login}}, 0, '' || n, n, {_CHAT}, n, 0, 0,"
    f" (n - 1) / {ENTRIES_OF_BATCH} * {ENTRIES_OF_BATCH} + 1, 0, 0, CAST({_MESSAGE} AS BLOB), n % ({{size}} / 50) = 0"
    " FROM {rows}",
    "INSERT INTO by_id (account, key, digest, number) SELECT {account}, n, n, n FROM {rows}",
    "INSERT INTO by_chat (account, key, number) SELECT {account},"
    f" CASE n % ({{size}} / {IN_SMALL_CHAT}) WHEN 0 THEN {key_of(ROOM)} ELSE {key_of(FRIEND)} END, n FROM {{rows}}",
    f"INSERT INTO entry_blocks SELECT n / {BLOCK}, {{account}}, min(n), max(n), count(*) FROM {{rows}}"
    f" WHERE n < {{size}} / {BLOCK} * {BLOCK} GROUP BY 1",
    "INSERT INTO words (rowid, text) SELECT n, 'hello number' || n || 'x' FROM {rows}",
    "UPDATE indexed SET number = {size}",
    "INSERT INTO contacts (login, id, contact) SELECT {login}, '@c' || n, " + _CONTACT + " FROM {rows}",
    "INSERT INTO names (login, name, id) SELECT {login}, 'name ' || n, '@c' || n FROM {rows}",
    "UPDATE consumers SET acked = {size} - 10, started = {size} - 10",
    "INSERT INTO outbox (account, number, client_id, key, chat, kind, text, state, message_id, receipt, created_at,"
    f" changed_at) SELECT {{account}}, n, 'c' || n, 'key ' || n, {_CHAT}, 'text', 'hello', {_SEND_STATE}, '' || n,"
    f" {_RECEIPT}, n, n FROM {{rows}}",
    "INSERT INTO timers (account, number, bot, handler, key, name, chat, payload, due_at, state, failures, created_at,"
    f" changed_at) SELECT {{account}}, n, 'bot', 'remind', 'key ' || n, 'name ' || n, {_CHAT}, 'null', n,"
    f" {_TIMER_STATE}, 0, n, n FROM {{rows}}",
    "INSERT INTO media (number, account, message_id, state, digest, size, time)"
    " SELECT n, {account}, '' || n, 'kept', 'digest ' || n, 1, n FROM {rows}",
    "UPDATE accounts SET last_identity = {size} + 10",
)

_POSTGRES = (
    "INSERT INTO batches (account, batch, time, body)"
    f" SELECT {{account}}, n, n, '\\x{_BODY}' FROM {{rows}} WHERE n % {ENTRIES_OF_BATCH} = 1",
    "INSERT INTO entries (account, number, login, batch, kind, flags, start, length, digest, time, message_id, chat,"
    f" raw, words) SELECT {{account}}, n, {{login}}, (n - 1) / {ENTRIES_OF_BATCH} * {ENTRIES_OF_BATCH} + 1, 0,"
    f" CASE n % ({{size}} / 50) WHEN 0 THEN 4 ELSE 0 END, 0, 0, n, n, '' || n, {_CHAT},"
    f" convert_to({_MESSAGE}, 'UTF8'), ('hello:1 number' || n || 'x:2')::tsvector FROM {{rows}}",
    f"INSERT INTO entry_blocks SELECT {{account}}, n / {BLOCK}, min(n), max(n), count(*) FROM {{rows}}"
    f" WHERE n < {{size}} / {BLOCK} * {BLOCK} GROUP BY 1, 2",
    "UPDATE accounts SET last_number = {size}, last_identity = {size} + 10",
    "INSERT INTO contacts (login, id, contact)"
    " SELECT {login}, '@c' || n, convert_to(" + _CONTACT + ", 'UTF8') FROM {rows}",
    "INSERT INTO names (login, name, id, text)"
    " SELECT {login}, sha256(convert_to('name ' || n, 'UTF8')), '@c' || n, 'name ' || n FROM {rows}",
    "UPDATE consumers SET acked = {size} - 10, started = {size} - 10",
    "INSERT INTO outbox (account, number, client_id, key, chat, kind, text, state, message_id, receipt, created_at,"
    f" changed_at) SELECT {{account}}, n, 'c' || n, 'key ' || n, {_CHAT}, 'text', 'hello', {_SEND_STATE}, '' || n,"
    f" {_RECEIPT}, n, n FROM {{rows}}",
    "INSERT INTO timers (account, number, bot, handler, key, name, chat, payload, due_at, state, created_at,"
    f" changed_at) SELECT {{account}}, n, 'bot', 'remind', 'key ' || n, 'name ' || n, {_CHAT},"
    f" 'null', n, {_TIMER_STATE}, n, n FROM {{rows}}",
    "INSERT INTO media (account, number, message_id, state, digest, size, time)"
    " SELECT {account}, n, '' || n, 'kept', 'digest ' || n, 1, n FROM {rows}",
)


async def prepare(journal: Journal) -> None:
    """Store an account with two logins, a consumer, and the identities 1, in both logins, and 2, in the first one."""
    account = journal.account(UIN)
    ann = Contact(id=ContactId("@ann-1"), nickname="ann", avatar=1, alias="ann_1")
    bob = Contact(id=ContactId("@bob-1"), nickname="bob", avatar=2)
    await account.open_login(ContactId("@me-before"), b"begin", time.time(), [ann, bob], complete=True)
    ann = Contact(id=ContactId("@ann-2"), nickname="ann", avatar=1, alias="ann_1")
    await account.open_login(OWN, b"begin", time.time(), [ann], complete=True)
    consumer = await account.consumer("bot", since="beginning")
    await consumer.close()


def fill_sqlite(execute: Callable[[str], object], size: int) -> None:
    """Write the rows of a prepared journal in a file."""
    numbers = f"(WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {size}) SELECT n FROM r)"
    for statement in (*_SHARED, *_SQLITE):
        execute(statement.format(rows=numbers, size=size, account=1, login=2, consumer=1, empty="x''"))


def fill_sqlite_records(execute: Callable[[str], object], size: int) -> None:
    """Write the rows of records in a file."""
    numbers = f"(WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {size}) SELECT n FROM r)"
    for statement in _RECORDS:
        execute(statement.format(rows=numbers, empty="x''"))


_FOR_EACH_TABLE = (
    "DO $$ DECLARE each text; BEGIN FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    " LOOP EXECUTE format('{statement}', each); END LOOP; END $$"
)


def stop_autovacuum(execute: Callable[[str], object]) -> None:
    """Keep the server from gathering statistics about the tables of a schema, and from planning statements again."""
    execute(_FOR_EACH_TABLE.format(statement="ALTER TABLE %I SET (autovacuum_enabled = false)"))


def fill_postgres(execute: Callable[[str], object], size: int, *, analyzed: bool = True) -> None:
    """Write the rows of a prepared journal and of records in a schema, with statistics about them or without."""
    if analyzed:
        stop_autovacuum(execute)  # an ANALYZE of the server itself at the same moment would make the one below fail
    numbers = f"(SELECT generate_series(1, {size}) AS n) r"
    login = f"(SELECT login FROM logins WHERE own_id = '{OWN}')"
    consumer = "(SELECT consumer FROM consumers)"
    for statement in (*_SHARED, *_POSTGRES, *_RECORDS):
        execute(
            statement.format(rows=numbers, size=size, account=UIN, login=login, consumer=consumer, empty="''::bytea")
        )
    for name in (table.name for table in ALL if table.is_numbered and table.of):
        execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'number'), {size})")
    execute("SELECT gin_clean_pending_list('entries_words')")  # as the server does after some time
    # Of this schema alone: each table of other tests would take one of the locks of this transaction.
    if analyzed:
        execute(_FOR_EACH_TABLE.format(statement="ANALYZE %I"))
