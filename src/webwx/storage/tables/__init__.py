"""The tables that both engines share, each written once: its types, its columns, its statements and one class."""

from __future__ import annotations

from webwx.storage.tables.consumers import ACKED_AHEAD, CRASHES
from webwx.storage.tables.conversations import CONVERSATIONS
from webwx.storage.tables.dead_letters import FAILURES
from webwx.storage.tables.records import AUDIT, RECORDS
from webwx.storage.tables.states import STATES
from webwx.storage.tables.timers import TIMERS

ALL = (ACKED_AHEAD, FAILURES, CRASHES, CONVERSATIONS, TIMERS, STATES, RECORDS, AUDIT)
"""All of these tables."""
