"""The number of sends that an agent may make, stored so that a restart does not renew it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged
from webwx.gateway.adapters.mcp.failures import SEND_BUDGET, ToolRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.adapters.mcp.agent_options import AgentOptions
    from webwx.storage.tables.records import RecordStore

BUDGET_KIND = "mcp/sends"
"""Kind of the records."""

_TEN_MINUTES = 600.0
_DAY = 86_400.0

_TIMES = msgspec.json.Decoder(list[float])


class SendBudget:
    """
    The sends of one agent.

    Args:
        records: Stores the times of the sends of the last 24 hours.
        agent: Id of the agent in the records.
        options: The limits.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, agent: str, options: AgentOptions, clock: Callable[[], float]) -> None:
        self._records = records
        self._agent = agent
        self._limits = ((_TEN_MINUTES, options.sends_in_ten_minutes), (_DAY, options.sends_in_a_day))
        self._clock = clock

    def __repr__(self) -> str:
        return f"SendBudget({self._agent!r})"

    async def take(self) -> None:
        """
        Count a send before it is made; it stays counted, whatever becomes of it.

        Raises:
            ToolRefused: A limit is reached.
            StorageError: The record cannot be changed, so nothing may be sent.
        """
        while True:
            now = self._clock()
            times, version = await self._recent(now)
            for seconds, limit in self._limits:
                within = [each for each in times if each > now - seconds]
                if len(within) >= limit:
                    raise ToolRefused(
                        f"The owner allows {limit} sends in {_words(seconds)}; nothing was sent.",
                        code=SEND_BUDGET, outcome="too_many",
                        retry_after=within[-limit] + seconds - now if limit else None,
                    )  # fmt: skip
            try:
                body = msgspec.json.encode([*times, now])
                await self._records.put(BUDGET_KIND, self._agent, body, version=version, time=now)
            except RecordChanged:  # another process of the same agent
                continue
            return

    async def left(self) -> int:
        """Return the number of sends that are allowed now."""
        now = self._clock()
        times, _ = await self._recent(now)
        used = [(sum(each > now - seconds for each in times), limit) for seconds, limit in self._limits]
        return max(0, min(limit - count for count, limit in used))

    async def _recent(self, now: float) -> tuple[list[float], int]:
        """Return the times of the last 24 hours, and the version of their record."""
        record = await self._records.get(BUDGET_KIND, self._agent)
        if record is None:
            return [], 0
        return [each for each in _TIMES.decode(record.body) if each > now - _DAY], record.version


def _words(seconds: float) -> str:
    return "ten minutes" if seconds == _TEN_MINUTES else "24 hours"
