"""
G-R14: sends whose answers are lost, late, repeated or refused: none is made twice, and none is wrongly reported as
sent.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from tests.soak.sender import OUTCOMES, Outcome
from tests.soak.stage import Figures, Stage, stage

from webwx.protocol.http import Response
from webwx.protocol.messages import TEXT
from webwx.sandbox.core import SandboxCore

if TYPE_CHECKING:
    from tests.soak.stage import Run

    from webwx.protocol.http import Park, Request
    from webwx.sandbox.people import WorldMessage
    from webwx.sandbox.world import World

SPEED = 100.0

CHATS = {"阿华": "ahua", "张三": "zhangsan", "filehelper": "filehelper"}

ON_THE_LINE = (
    "reset_before@0.07", "reset_after@0.07", "reset_midway@0.07", "closed_in_head@0.06", "closed_in_body@0.06",
    "garbage_status@0.05", "http_0_9@0.04", "wrong_length@0.05", "answer_twice@0.06", "stale_connection@0.06",
    "latency:seconds=0.01,jitter=0.01@0.1", "sliced:size=7@0.05", "late_answer:seconds=0.6@0.02", "lost_answer@0.02",
    "blackhole@0.02",
)  # fmt: skip
"""Faults of a send, each with its probability."""


IN_WORDS = tuple(
    f"{rule},endpoint={TEXT.name}@{probability}"
    for rule, probability in (
        ("ret:ret=1205", 0.05), ('foreign_json:body={"error":"blocked by proxy"}', 0.02),
        ('foreign_json:body={"Ret":1101}', 0.02), ("no_ret:", 0.02), ("no_message_id:", 0.02),
    )
)  # fmt: skip
"""Faulty answers of a server, or of a proxy before it, to a send."""


class Counting(SandboxCore):
    """A server that counts the accepted sends by client id, in addition to the messages of its people."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.taken: defaultdict[str, set[str]] = defaultdict(set)
        """Message ids by client id."""

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        answer = super().answer(request, parked)
        if TEXT.matches(request.method, request.path) and isinstance(answer, Response):
            message_id = json.loads(answer.body).get("MsgID")
            if message_id:
                self.taken[TEXT.decode_request(request).msg.client_msg_id].add(message_id)
        return answer


async def run(run: Run) -> Figures:
    """Send with the option off and, where the server detects duplicates, on."""
    texts: list[str] = []
    problems: list[str] = []
    for dedupes in (False, True):
        part = run._replace(folder=run.folder / ("folded" if dedupes else "plain"))
        part.folder.mkdir()
        figures = await _run(part, dedupes=dedupes)
        texts.append(f"{'on' if dedupes else 'off'}: {figures.text}")
        problems += figures.problems
    return Figures(f"dedupe_by_client_id {'; '.join(texts)}", tuple(problems))


async def _run(run: Run, *, dedupes: bool) -> Figures:
    faults = run.scaled(1_000, 10_000)
    async with stage(
        run, make_sandbox=Counting, fold_repeats=dedupes, echo="off" if dedupes else "on", hold_seconds=0.05
    ) as play:
        play.proxy.set(
            *(rule.replace("@", f"{',' if ':' in rule else ':'}endpoint={TEXT.name}@") for rule in ON_THE_LINE)
        )
        for rule in IN_WORDS:
            play.world.faults.add(rule)
        await play.start("sender", speed=SPEED, chats=list(CHATS), count=faults // 3, dedupes=dedupes, sync=not dedupes)
        code = await play.end(None)
        met = play.faults_met()
        outcomes = [
            msgspec.json.decode(line, type=Outcome) for line in (run.folder / OUTCOMES).read_bytes().splitlines()
        ]
        problems = [f"{'on' if dedupes else 'off'}: {problem}" for problem in _judge(play, outcomes)]
    if code:
        problems.append(f"the sender ended with code {code}")
    said = Counter(outcome.said for outcome in outcomes)
    counts = ", ".join(f"{times:,} {what}" for what, times in said.most_common())
    return Figures(
        f"{met:,} faults in {len(outcomes):,} sends: {counts}; {len(problems)} false or double", tuple(problems)
    )


def _judge(play: Stage, outcomes: list[Outcome]) -> list[str]:
    """Compare the outcomes at the sender with the messages of the server's people."""
    assert isinstance(play.sandbox, Counting)
    me = play.world.person("me")
    there: dict[str, list[WorldMessage]] = {
        chat: [message for message in play.world.inbox("me")[world_id].messages if message.sender is me]
        for chat, world_id in CHATS.items()
    }
    ids = {message.text: message.id for messages in there.values() for message in messages}
    problems = []
    for chat, messages in there.items():
        texts = [message.text for message in messages]
        problems += [f"{text!r} arrived {times} times" for text, times in Counter(texts).items() if times > 1]
        numbers = [int(text.rpartition(" ")[2]) for text in texts]
        problems += [
            f"{chat}: {after} arrived behind {before}" for before, after in pairwise(numbers) if after < before
        ]
    problems += [
        f"{client_id} was taken {len(ids)} times" for client_id, ids in play.sandbox.taken.items() if len(ids) > 1
    ]
    for outcome in outcomes:
        match outcome.said:
            case "sent" if ids.get(outcome.text) != outcome.message_id:
                problems.append(f"{outcome.text!r} was called sent and is not there")
            case "sent" | "unknown":
                pass
            case other if outcome.text in ids:
                problems.append(f"{outcome.text!r} was reported as {other} and is there")
    return problems
