"""G-R15: a downloaded file equals the sent one, or an error explains why not."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tests.soak.stage import Figures, Stage, stage

from webwx.client.client import AsyncClient
from webwx.errors import WxError
from webwx.model.messages import FileMessage
from webwx.storage.login import LoginFile
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from tests.soak.stage import Run

SIZES = (0, 1, 1_000, 524_287, 524_288, 524_289, 1_048_576, 1_600_000)
BIG = (26_214_399, 26_214_400, 26_214_401)
"""Sizes in bytes, around the size of a chunk and the size above which an upload is announced."""

DONE = "sent and fetched"

WORKERS = 10
"""Files on their way at the same time: nearly all of the time is spent waiting for answers that do not come."""

PATIENCE = 300.0
"""
Seconds after which a message counts as lost. Polls and fetches fail as often as other calls here, and after the seventh
failure in a row the pause is half a minute; a total of one minute has been observed.
"""

ON_THE_LINE = (
    "reset_before@0.04", "reset_after@0.04", "reset_midway@0.04", "closed_in_body@0.04", "garbage_status@0.03",
    "answer_twice@0.04", "stale_connection@0.04", "latency:seconds=0.01,jitter=0.01@0.1", "media_cut@0.1",
)  # fmt: skip
IN_THE_ANSWER = ("media_empty@0.1", "media_page@0.05", "media_partial@0.05", "media_gone@0.02", "truncated@0.03")


async def run(run: Run) -> Figures:
    """Send files and download them on the other side, while chunks and answers fail."""
    count = 500
    outcomes: Counter[str] = Counter()
    async with stage(run) as play, _client(play, "me.json") as me, _client(play, "friend.json") as friend:
        await me.resume()
        await friend.login(show_qr=lambda _: play.confirm("ahua"))
        exchange = _Exchange(play, me, friend)
        listening = asyncio.create_task(exchange.listen())
        play.proxy.set(*ON_THE_LINE)
        for rule in IN_THE_ANSWER:
            play.world.faults.add(rule)
        left = iter(range(count))

        async def work() -> None:
            for number in left:
                size = play.rng.choice(BIG if run.is_release and not number % 50 else SIZES)
                outcomes.update([await exchange.send(number, play.rng.randbytes(size))])

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())
        listening.cancel()
        await asyncio.wait([listening])
        met = play.faults_met()
    counts = ", ".join(f"{times} {what}" for what, times in outcomes.most_common())
    problems = exchange.problems
    if not outcomes[DONE]:
        problems.append("not one file came through")
    return Figures(f"{count} files, {met:,} faults: {counts}; {len(problems)} wrong, mixed or empty", tuple(problems))


def _client(play: Stage, name: str) -> AsyncClient:
    timeouts = Timeouts(call=5, bulk=5, retry=0.02)
    return AsyncClient(server=play.proxy.url, store=LoginFile(play.folder / name), timeouts=timeouts)


class _Exchange:
    """Two people: one sends files, the other downloads them."""

    def __init__(self, play: Stage, me: AsyncClient, friend: AsyncClient) -> None:
        self.problems: list[str] = []
        self._play = play
        self._me = me
        self._friend = friend
        self._arrived: defaultdict[str, asyncio.Future[FileMessage]] = defaultdict(asyncio.Future)

    async def listen(self) -> None:
        """Store the files that arrive at the friend."""
        async for event in self._friend.events(include_all=False):
            if isinstance(event, FileMessage):
                self._arrived[event.message_id].set_result(event)

    async def send(self, number: int, content: bytes) -> str:
        """Send a file and download it, and return the outcome in a few words."""
        name = f"{number}.bin"
        try:
            receipt = await self._me.send_file("阿华", content, name=name)
        except WxError as error:
            return f"not sent ({type(error).__name__})"
        message = await asyncio.wait_for(self._arrived[receipt.message_id], PATIENCE)
        target = self._play.folder / name
        try:
            path = await self._friend.download_to(message, target)
        except WxError as error:
            if target.exists():
                self.problems.append(f"{name} is there although it failed")
            return f"sent, not fetched ({type(error).__name__})"
        if path.read_bytes() != content:
            self.problems.append(f"{name} came out otherwise than it went in")
        path.unlink()
        return DONE
