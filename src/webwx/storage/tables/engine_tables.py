"""
The tables that each engine describes and fills in its own way, because the speed of what arrives depends on them.

What an account has in them is described here, for copies and deletions.
"""

from __future__ import annotations

from webwx.storage.engine.port import Ageing, StoredTable

LOGINS = StoredTable(
    name="logins",
    columns=("own_id", "position", "opened_at", "last_at", "last_body", "complete_digest"),
    order="login",
)

BATCHES = StoredTable(name="batches", columns=("batch", "time", "body"), order="batch")

ENTRIES = StoredTable(
    name="entries",
    columns=(
        "number", "login", "batch", "kind", "is_backlog", "is_quarantined", "is_notice", "start", "length", "digest",
        "time", "message_id", "chat", "raw",
    ),
)  # fmt: skip

CONTACTS = StoredTable(name="contacts", of="login", columns=("id", "contact"))

NAMES = StoredTable(name="names", of="login", columns=("name", "id"), order="name, id")

OUTBOX = StoredTable(
    name="outbox",
    # without `background` and `file`: otherwise the source and its copy would both send
    columns=(
        "number", "client_id", "key", "chat", "kind", "text", "addressed", "content_id", "state", "message_id",
        "receipt", "ret", "created_at", "changed_at",
    ),
    copied_as={"state": "CASE state WHEN 'sending' THEN 'unknown' ELSE state END"},
    ages=Ageing(time="created_at", only_if="state <> 'sending'"),
    ddl="""
CREATE TABLE outbox (
    account bigint NOT NULL,
    number NUMBERED,
    client_id text NOT NULL,
    key text NOT NULL,
    chat text NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    addressed text NOT NULL DEFAULT '',         -- the recipient as the caller has named it, as JSON
    content_id text NOT NULL DEFAULT '',        -- SHA-256 of a file, md5 of a sticker, or id of a forwarded message
    background boolean NOT NULL DEFAULT false,  -- the owner of the account sends it, and no caller waits for it
    file text NOT NULL DEFAULT '',              -- name of the stored file that is sent in the background
    state text NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,            -- of the process that sends it; 0 in a file
    sender text NOT NULL DEFAULT '',            -- lock of the process that sends it
    message_id text NOT NULL DEFAULT '',        -- of the receipt
    receipt text,                               -- JSON
    ret integer NOT NULL DEFAULT 0,
    created_at float8 NOT NULL,
    changed_at float8 NOT NULL
);
CREATE UNIQUE INDEX outbox_client_id ON outbox (account, webwx_key(client_id));
CREATE UNIQUE INDEX outbox_key ON outbox (account, webwx_key(key)) WHERE key <> '';
CREATE INDEX outbox_account ON outbox (account, number);
CREATE INDEX outbox_state ON outbox (account, state, number);
CREATE INDEX outbox_chat ON outbox (account, webwx_key(chat), number);
CREATE INDEX outbox_message ON outbox (account, webwx_key(message_id)) WHERE message_id <> '';
CREATE INDEX outbox_background ON outbox (account, number) WHERE background AND state = 'queued';
CREATE INDEX outbox_age ON outbox (account, created_at);
""",
)  # fmt: skip

MEDIA = StoredTable(name="media", columns=("number", "message_id", "state", "digest", "size", "time"))

IDENTITIES = StoredTable(name="identities", columns=("number", "kind", "first_seen", "merged_into", "login"))

LINKS = StoredTable(
    name="links",
    columns=("login", "id", "number", "name", "digest", "evidence", "evidence_login", "found", "seen_at"),
)

NEVER_MATCHED = StoredTable(name="never_matched", columns=("number", "other"), order="number, other")

REAL_IDS = StoredTable(name="real_ids", columns=("login", "id", "real_id"), order='login, id COLLATE "C"')
