"""G-R1: no loss and no duplicate under any fault of the network and the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.soak.stage import Figures, stage

if TYPE_CHECKING:
    from tests.soak.stage import Run

SPEED = 100.0
"""Factor by which the SDK's pauses and time limits are faster."""

ON_THE_LINE = (
    "reset_at_connect@0.01", "refused:seconds=0.03@0.01", "reset_before@0.03", "reset_after@0.03", "reset_midway@0.03",
    "closed_in_head@0.03", "closed_in_body@0.03", "garbage_status@0.02", "http_0_9@0.02", "wrong_length@0.02",
    "answer_twice@0.03", "request_twice@0.03", "stale_connection@0.03", "latency:seconds=0.01,jitter=0.01@0.05",
    "sliced:size=101@0.02", "slow:rate=200000@0.01", "blackhole@0.003", "lost_answer@0.003",
    "late_answer:seconds=1@0.003", "endless_chunks:seconds=0.1@0.003",
)  # fmt: skip
"""Faults of the proxy, each with its probability."""

IN_THE_ANSWER = (
    "ret:ret=-1,endpoint=webwxsync@0.02", "ret:ret=1,endpoint=synccheck@0.02", "html_page@0.02", "status:code=502@0.02",
    "status:code=429@0.01", "unavailable@0.02", "redirect_nowhere@0.01", "redirect_away@0.01", "empty@0.02",
    "truncated@0.03", "wrong_charset@0.03", "no_content_type@0.03", "gzip_wrong@0.01", "sticky_selector@0.03",
    "unknown_selector@0.03", "repeated_key@0.03", "null_key@0.02", "empty_key@0.02", "reordered_key@0.02",
    "shrunk_key@0.01", "rewound_key@0.005", "missing_messages@0.02", "missing_messages:list=short@0.02",
    "no_check_key@0.02", "continue_run@0.02", "continue_forever@0.02", "doubled_batch@0.03", "rotated_skey@0.02",
    "rotated_cookies@0.02", "wrong_clock:seconds=3600@0.01",
)  # fmt: skip
"""Faults of the server's responses."""


async def run(run: Run) -> Figures:
    """Send messages of friends under many faults, then remove the faults and check the result."""
    faults, messages = run.scaled(2_000, 20_000), run.scaled(50_000, 500_000)
    async with stage(run, hold_seconds=0.05) as play:
        await play.start(speed=SPEED)
        play.proxy.set(*ON_THE_LINE)
        for rule in IN_THE_ANSWER:
            play.world.faults.add(rule)
        stuck, before = 0, 0
        while (met := play.faults_met()) < faults or play.said < messages:
            due = messages * min(met + 1, faults) // faults
            play.say(min(due - play.said, 2_000))
            await asyncio.sleep(0.02)
            stuck = 0 if met != before else stuck + 1
            before = met
            if stuck > 3_000:
                break
        counts = dict(play.proxy.counts)
        for active in play.world.faults.rules:
            counts[active.name] = counts.get(active.name, 0) + active.hits
        play.proxy.faults.reset()
        play.world.faults.reset()
        verdict = await play.finish()
    kinds = len([name for name, times in counts.items() if times])
    return Figures(
        f"{sum(counts.values()):,} faults of {kinds} kinds in {play.proxy.requests:,} requests; {verdict}",
        verdict.problems,
    )
