"""
The witness: triggers in the database that note each takeover, each entry and each state of a send with the session that
made it; and the checks of what they have noted.

The sessions of a worker are named after it, so a row by a process that does not own the account is found even if the
process was the owner a moment ago.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.postgres import TemporarySchema

_TRIGGERS = """
CREATE TABLE seen_epochs (account bigint, earlier bigint, epoch bigint, taker text);
CREATE TABLE seen_rows (what text, account bigint, number bigint, session text, worker text, epoch bigint);
CREATE TABLE seen_states (
    place bigserial, account bigint, number bigint, session text, earlier text, state text);
CREATE FUNCTION see_epoch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO seen_epochs VALUES (NEW.account, OLD.epoch, NEW.epoch,
        CASE WHEN NEW.worker IS DISTINCT FROM OLD.worker THEN NEW.worker END);
    RETURN NULL;
END $$;
CREATE FUNCTION see_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO seen_rows
        SELECT TG_TABLE_NAME, NEW.account, NEW.number, current_setting('application_name'), a.worker, a.epoch
        FROM accounts a WHERE a.account = NEW.account;
    RETURN NULL;
END $$;
CREATE FUNCTION see_state() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO seen_states (account, number, session, earlier, state)
        VALUES (NEW.account, NEW.number, current_setting('application_name'), OLD.state, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER see_epoch AFTER UPDATE OF epoch, worker ON accounts FOR EACH ROW EXECUTE FUNCTION see_epoch();
CREATE TRIGGER see_entry AFTER INSERT ON entries FOR EACH ROW EXECUTE FUNCTION see_row();
CREATE TRIGGER see_send AFTER INSERT OR UPDATE OF state ON outbox
    FOR EACH ROW WHEN (NEW.state = 'sending') EXECUTE FUNCTION see_row();
CREATE TRIGGER see_state AFTER INSERT OR UPDATE OF state ON outbox FOR EACH ROW EXECUTE FUNCTION see_state();
"""

_CHECKS = {
    "epochs went back": "SELECT FROM seen_epochs WHERE epoch < earlier",
    "takeovers left the epoch as it was": "SELECT FROM seen_epochs WHERE taker IS NOT NULL AND epoch <= earlier",
    "rows were written by a process that did not own the account":
        "SELECT FROM seen_rows r WHERE session <> concat_ws(' ', 'webwx', worker)"
        # An account that was handed over belongs to its last owner until the next takeover.
        " AND NOT (worker IS NULL AND EXISTS (SELECT FROM seen_epochs e WHERE e.account = r.account"
        " AND e.epoch = r.epoch AND r.session = 'webwx ' || e.taker))",
    "accounts have a gap in their numbers":
        "SELECT FROM accounts a WHERE last_number <> (SELECT count(*) FROM entries e WHERE e.account = a.account)"
        " OR last_number <> (SELECT coalesce(max(number), 0) FROM entries e WHERE e.account = a.account)",
    "messages are stored twice":
        "SELECT FROM entries WHERE message_id <> '' GROUP BY account, message_id HAVING count(*) > 1",
    "stored entries are gone":
        "SELECT FROM seen_rows s WHERE what = 'entries' AND NOT EXISTS"
        " (SELECT FROM entries e WHERE e.account = s.account AND e.number = s.number)",
    "keys have several sends": "SELECT FROM outbox WHERE key <> '' GROUP BY account, key HAVING count(*) > 1",
    "sends were claimed although they may have been sent":
        "SELECT FROM seen_states WHERE state = 'sending' AND earlier NOT IN ('queued', 'failed')",
    # Only the process that has claimed a send can know that nothing was sent, also after a takeover.
    "claims were undone by another process":
        "SELECT FROM seen_states s WHERE state IN ('queued', 'failed') AND earlier IN ('sending', 'unknown')"
        " AND session IS DISTINCT FROM (SELECT c.session FROM seen_states c WHERE c.account = s.account"
        " AND c.number = s.number AND c.state = 'sending' AND c.place < s.place ORDER BY c.place DESC LIMIT 1)",
}  # fmt: skip


def call_witness(schema: TemporarySchema) -> None:
    """Add the triggers to a schema with tables."""
    schema.execute(_TRIGGERS)


def problems(schema: TemporarySchema) -> list[str]:
    """Return one sentence for each rule that was broken."""
    counts = schema.execute(f"SELECT {', '.join(f'(SELECT count(*) FROM ({each}) q)' for each in _CHECKS.values())}")
    return [f"{count} {what}" for what, count in zip(_CHECKS, counts.strip().split("|"), strict=True) if count != "0"]


def not_stored(schema: TemporarySchema, account: int, message_ids: Collection[str]) -> set[str]:
    """Return the messages that an account has not stored."""
    stored = schema.execute(f"SELECT message_id FROM entries WHERE account = {account} AND message_id <> ''")
    return {*message_ids} - {*stored.split()}


def epochs(schema: TemporarySchema) -> dict[int, int]:
    """Return the epoch of each account."""
    rows = schema.execute("SELECT account, epoch FROM accounts").splitlines()
    return {int(account): int(epoch) for account, epoch in (row.split("|") for row in rows)}
