"""The rows of archived media, one for each message; the bytes are stored by each engine in its own way."""

from __future__ import annotations

from webwx.storage.engine.port import StoredTable

MEDIA = StoredTable(
    name="media",
    columns=("number", "message_id", "state", "digest", "size", "time"),
    is_of_entries=True,
    ddl="""
CREATE TABLE media (
    account bigint NOT NULL,
    number bigint NOT NULL,                     -- of the message's entry
    message_id text NOT NULL,
    state text NOT NULL,
    digest text NOT NULL,                       -- SHA-256 of its bytes; empty: there are none
    size bigint NOT NULL,
    time float8 NOT NULL,                       -- of the download
    PRIMARY KEY (account, number)
);
CREATE INDEX media_message ON media (account, webwx_key(message_id));
CREATE INDEX media_digest_account ON media (digest, account) WHERE digest <> '';
CREATE INDEX media_oldest ON media (account, number) WHERE digest <> '';
""",
)
