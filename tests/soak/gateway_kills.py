"""
G-R18: `kill -9` of a served gateway under keyed sends, a webhook and a reader of server-sent events.

The gateway is `webwx serve` in a process of its own. The sandbox, the receiver of the webhook and the reader are in
this process, which outlives all kills, so what they have noted is compared with what the people of the sandbox see.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from standardwebhooks import Webhook, WebhookVerificationError
from tests.gateway.webhook_receiver import WebhookReceiver, webhook_receiver
from tests.soak.stage import CHATS, Figures

from webwx.gateway.webhooks.webhooks import CONSUMER_PREFIX
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.sandbox.world import World, default_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.gateway.webhook_receiver import ReceivedRequest
    from tests.soak.stage import Run

WEBWX = Path(sys.executable).with_name("webwx")

SENDS = 8
"""Number of sends at the same time, before each kill."""

FAILURES = 0.05
"""Probability that the receiver of the webhook fails."""

LONGEST_LIFE = 0.4
"""Seconds after which a gateway is killed at the latest."""

PATIENCE = 120.0
"""Seconds in which the last gateway has to deliver everything."""


@dataclass
class Notes:
    """What the programs of others have seen."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    """The answers to each keyed send, by its text; 0 for no answer."""
    webhook_ids: dict[str, list[str]] = field(default_factory=dict)
    """The `webhook-id` of each request, by the text."""
    in_order: dict[str, list[int]] = field(default_factory=dict)
    """Numbers of the accepted events of each chat, repeated ones left out."""
    forged: int = 0
    """Number of requests whose signature is wrong."""
    streamed: list[str] = field(default_factory=list)
    """Texts of the stream."""
    cursor: str = ""
    """The stream's cursor."""
    stream_ids: list[str] = field(default_factory=list)
    """Ids of the stream's events."""


class Gateway:
    """A served gateway that is started again and again on one folder."""

    def __init__(self, folder: Path, server: str) -> None:
        self.url = ""
        self._log = folder / "gateway.log"
        self._environment = {**os.environ, "WEBWX_HOME": str(folder), "WEBWX_SERVER": server}
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, *arguments: str) -> str:
        """Run a command to its end, and return what it prints."""
        process = await asyncio.create_subprocess_exec(
            WEBWX, *arguments, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        printed, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"webwx {arguments[0]} failed: {errors.decode()}")
        return printed.decode()

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                WEBWX, "serve", "--port", "0", "--json", env=self._environment, stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The gateway did not start: {self._log.read_text()[-2000:]}")
        self.url = json.loads(line)["url"]

    async def end(self, *, is_kill: bool) -> int:
        """End it, and return its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            (self._process.kill if is_kill else self._process.terminate)()
        return await self._process.wait()


async def run(run: Run) -> Figures:
    """Kill the gateway so often, and compare everything afterwards."""
    kills = run.scaled(20, 200)
    notes, rng = Notes(), random.Random(run.seed)
    world = default_world(options=Options(auto_confirm=True, echo="on"), rng=random.Random(f"{run.seed}/world"))
    served = await serve(SandboxCore(world))
    try:
        async with webhook_receiver() as receiver:
            gateway = Gateway(run.folder, served.url)
            (run.folder / "gateway.toml").write_text("[limits]\nrequests_per_minute = 0\n")
            await gateway.run("login")
            key = json.loads(await gateway.run("serve", "key", "create", "--name", "k", "--scopes", "admin", "--json"))
            headers = {"Authorization": f"Bearer {key['key']}"}
            play = _Play(world, gateway, receiver, notes, rng, headers)
            async with play.reading():
                for kill in range(kills):
                    await play.live(kill)
                problems = await play.finish()
    finally:
        await served.close()
    repeated = sum(len(ids) - 1 for ids in notes.webhook_ids.values())
    figures = (
        f"{kills} kills; {len(notes.statuses):,} sends, {play.said:,} messages of friends, "
        f"{sum(map(len, notes.webhook_ids.values())):,} webhooks ({repeated:,} repeated), "
        f"{len(notes.stream_ids):,} streamed events; {len(problems)} problems"
    )
    return Figures(figures, tuple(problems))


class _Play:
    """One run: everything that happens around the gateway."""

    def __init__(
        self, world: World, gateway: Gateway, receiver: WebhookReceiver, notes: Notes, rng: random.Random,
        headers: dict[str, str],
    ) -> None:  # fmt: skip
        self.said = 0
        self._world = world
        self._gateway = gateway
        self._receiver = receiver
        self._notes = notes
        self._rng = rng
        self._headers = headers
        self._secret = ""
        receiver.answer = self._receive

    async def live(self, kill: int) -> None:
        """Start the gateway, use it, and kill it at a random moment."""
        await self._gateway.start()
        async with httpx.AsyncClient(base_url=self._gateway.url, headers=self._headers, timeout=60) as client:
            if not self._secret:
                body = {"name": "w", "url": self._receiver.url, "types": ["message.text"], "allow_private": True}
                self._secret = (await client.post("/api/v1/webhooks", json=body)).json()["secret"]
            sends = [asyncio.ensure_future(self._send(client, f"send {kill}-{number}")) for number in range(SENDS)]
            writing = asyncio.ensure_future(self._write())
            await asyncio.sleep(self._rng.uniform(0, LONGEST_LIFE))
            await self._gateway.end(is_kill=True)
            writing.cancel()
            await asyncio.gather(*sends)

    async def finish(self) -> list[str]:
        """Wait until the last gateway has delivered everything, and return the problems."""
        notes = self._notes
        await self._gateway.start()
        async with httpx.AsyncClient(base_url=self._gateway.url, headers=self._headers, timeout=60) as client:
            for text in list(notes.statuses):
                await self._send(client, text)
        arrived = [*(f"friend {number}" for number in range(self.said)), *self._on_phone()]
        problems = []
        if not await _until(lambda: set(arrived) <= notes.webhook_ids.keys() and set(arrived) <= set(notes.streamed)):
            problems += [f"{text!r} was not sent to the webhook" for text in arrived if text not in notes.webhook_ids]
            problems += [f"{text!r} was not streamed" for text in arrived if text not in notes.streamed]
        if not await self._is_acknowledged():
            problems.append("an event that was sent to the webhook was not acknowledged")
        code = await self._gateway.end(is_kill=False)
        before = Counter({text: len(ids) for text, ids in notes.webhook_ids.items()})
        await self._gateway.start()
        self._say()
        if not await _until(lambda: f"friend {self.said - 1}" in notes.webhook_ids):
            problems.append("nothing was sent to the webhook after the last restart")
        await self._gateway.end(is_kill=False)
        after = Counter({text: len(ids) for text, ids in notes.webhook_ids.items()})
        problems += [
            f"{text!r} was sent to the webhook after a clean end" for text in before if after[text] > before[text]
        ]
        if code:
            problems.append(f"the gateway ended with code {code}")
        return problems + self._judge()

    async def _is_acknowledged(self) -> bool:
        """Wait until the gateway knows that all events were delivered: it repeats one whose answer it has not read."""
        async with httpx.AsyncClient(base_url=f"{self._gateway.url}/api/v1", headers=self._headers) as client:
            [account] = (await client.get("/accounts")).json()["accounts"]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while True:
                        found = (await client.get(f"/accounts/{account['number']}/consumers")).json()["consumers"]
                        if not any(each["waiting"] for each in found if each["name"].startswith(CONSUMER_PREFIX)):
                            return True
                        await asyncio.sleep(0.05)
        return False

    def _judge(self) -> list[str]:
        notes, phone = self._notes, Counter(self._on_phone())
        problems = [f"{text!r} was sent {times} times" for text, times in phone.items() if times > 1]
        for text, statuses in notes.statuses.items():
            if 201 in statuses and not phone[text]:
                problems.append(f"{text!r} was answered with 201 and is not on the phone")
            if 201 in statuses and statuses[-1] != 201:
                problems.append(f"{text!r} was answered with 201 and then with {statuses[-1]}")
            if statuses[-1] not in {201, 409}:
                problems.append(f"{text!r} was answered with {statuses[-1]} in the end")
        problems += [f"{text!r} has several ids" for text, ids in notes.webhook_ids.items() if len(set(ids)) > 1]
        problems += [
            f"{chat} was out of order" for chat, numbers in notes.in_order.items() if numbers != sorted(numbers)
        ]
        if notes.forged:
            problems.append(f"{notes.forged} signatures were wrong")
        problems += [f"{each} was streamed twice" for each, times in Counter(notes.stream_ids).items() if times > 1]
        numbers = [int(each.partition("-")[2]) for each in notes.stream_ids]
        if any(after != before + 1 for before, after in itertools.pairwise(numbers)):
            problems.append("the stream has a gap, or is out of order")
        return problems

    def _on_phone(self) -> list[str]:
        me = self._world.person("me")
        messages = self._world.inbox("me")["filehelper"].messages
        return [message.text for message in messages if message.sender is me and message.text.startswith("send ")]

    # -- senders and friends -----------------------------------------------------------------------------------------

    async def _send(self, client: httpx.AsyncClient, text: str) -> None:
        statuses = self._notes.statuses.setdefault(text, [])
        try:
            answer = await client.post("/api/v1/notify", content=text, headers={"Idempotency-Key": text})
        except httpx.TransportError:
            statuses.append(0)
        else:
            statuses.append(answer.status_code)

    async def _write(self) -> None:
        while True:
            self._say()
            await asyncio.sleep(self._rng.uniform(0, 0.02))

    def _say(self) -> None:
        sender, chat = self._rng.choice(CHATS)
        self._world.say(sender, chat, f"friend {self.said}")
        self.said += 1

    # -- receivers ---------------------------------------------------------------------------------------------------

    def _receive(self, request: ReceivedRequest) -> str:
        notes, event_id = self._notes, request.headers["webhook-id"]
        try:
            event = Webhook(self._secret).verify(request.body, request.headers)
        except WebhookVerificationError:
            notes.forged += 1
            return "401 Forged"
        ids = notes.webhook_ids.setdefault(event["data"]["text"], [])
        is_new = not ids
        if self._rng.random() < FAILURES:
            return "500 No"
        ids.append(event_id)
        if is_new:
            notes.in_order.setdefault(event["chat"], []).append(event["number"])
        return "200 OK"

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read the stream meanwhile, and continue after the last event when the gateway has ended."""
        reading = asyncio.ensure_future(self._read_stream())
        try:
            yield
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def _read_stream(self) -> None:
        while True:
            if not self._gateway.url:
                await asyncio.sleep(0.05)
                continue
            headers = {**self._headers, **({"Last-Event-ID": self._notes.cursor} if self._notes.cursor else {})}
            with contextlib.suppress(httpx.TransportError):
                async with (
                    httpx.AsyncClient(base_url=self._gateway.url, headers=headers, timeout=60) as client,
                    client.stream("GET", "/api/v1/events/stream", params={"after": ""}) as answer,
                ):
                    await self._read_lines(answer)
            await asyncio.sleep(0.02)

    async def _read_lines(self, answer: httpx.Response) -> None:
        cursor = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                cursor = value
            elif name == "data" and cursor:
                event: dict[str, Any] = json.loads(value)
                self._notes.stream_ids.append(event["id"])
                self._notes.cursor, cursor = cursor, ""
                if event["type"] == "message.text":
                    self._notes.streamed.append(event["data"]["text"])


async def _until(is_so: Callable[[], bool]) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not is_so():  # noqa: ASYNC110 - another process makes it so
                await asyncio.sleep(0.05)
    return is_so()
