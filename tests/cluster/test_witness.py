"""The witness: it notices each rule that a write breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cluster.witness import call_witness, problems

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

    from webwx.storage.postgres.leases import PostgresLeases

pytestmark = pytest.mark.verify

OWNED = """
INSERT INTO workers (worker, address, capacity, expires) VALUES ('a', '', 9, now()), ('b', '', 9, now());
INSERT INTO accounts (account, epoch) VALUES (1, 1);
UPDATE accounts SET worker = 'a', epoch = 2, taken_at = now();
"""

ENTRY = """
INSERT INTO entries (account, number, login, batch, kind, flags, start, length, digest, time, message_id, chat)
VALUES (1, {number}, 1, 1, 0, 0, 0, 0, 0, 0, '{message_id}', '');
UPDATE accounts SET last_number = last_number + 1;
"""

SEND = """
INSERT INTO outbox (account, number, client_id, key, chat, kind, text, state, epoch, sender, created_at, changed_at)
VALUES (1, 1, '1', 'k', '', 'text', '', 'sending', 2, '', 0, 0);
"""

CLAIMED, UNDONE, LOST = (f"UPDATE outbox SET state = '{state}';" for state in ("sending", "queued", "unknown"))

BY_A, BY_B = (f"SET application_name = 'webwx {worker}';" for worker in "ab")

RELEASED = "UPDATE accounts SET worker = NULL;"


def entry(number: int, message_id: str = "") -> str:
    return ENTRY.format(number=number, message_id=message_id)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (BY_A + entry(1) + entry(2) + SEND, []),
        (BY_A + RELEASED + entry(1), []),
        ("UPDATE accounts SET epoch = 1", ["1 epochs went back"]),
        ("UPDATE accounts SET worker = 'b'", ["1 takeovers left the epoch as it was"]),
        (BY_B + entry(1), ["1 rows were written by a process that did not own the account"]),
        (BY_B + RELEASED + entry(1), ["1 rows were written by a process that did not own the account"]),
        (BY_B + SEND, ["1 rows were written by a process that did not own the account"]),
        (BY_A + entry(2), ["1 accounts have a gap in their numbers"]),
        (BY_A + entry(1, "x") + entry(2, "x"), ["1 messages are stored twice"]),
        (
            BY_A + entry(1) + "DELETE FROM entries; UPDATE accounts SET last_number = 0",
            ["1 stored entries are gone"],
        ),
        (BY_A + SEND + UNDONE + CLAIMED, []),
        (BY_A + SEND + CLAIMED, ["1 sends were claimed although they may have been sent"]),
        (BY_A + SEND + LOST + CLAIMED, ["1 sends were claimed although they may have been sent"]),
        (BY_A + SEND + BY_B + LOST + UNDONE, ["1 claims were undone by another process"]),
    ],
)
async def test_the_witness_notices_a_broken_rule(
    schema: TemporarySchema, leases: PostgresLeases, statements: str, expected: list[str]
) -> None:
    call_witness(schema)
    schema.execute(OWNED + statements)
    assert problems(schema) == expected
