"""
G-R21: after the last fault has ended, everything goes on.

A bot, a reader and a program that sends live through faults of the catalogue, on a virtual clock. Two oracles judge:
nothing is lost or doubled, and within `RECOVERY` seconds after the last fault every waiting message is handled, every
send has a final state, every reader has caught up, and the account is online, after a new login where one was needed.
Pauses that the platform asked for do not count. At no time is an account ONLINE while a message has been waiting at the
server for `RECOVERY` seconds in which none came.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tests.client.virtual_loop import LoopClock, VirtualClockLoop
from tests.soak.stage import Figures

from webwx.bot.bot import Bot, start
from webwx.client.client import AsyncClient
from webwx.client.sending.rate_limit import RateLimit
from webwx.client.state import LoginState
from webwx.errors import ApiError, LoggedOut, NotLoggedIn, StaleContact, WxError
from webwx.model.events import ContinuityLost
from webwx.model.messages import ImageMessage, TextMessage
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.faults import CATALOGUE, FAULTS, FaultInjector, FaultRule
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.sandbox.world import default_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Coroutine, Iterable
    from pathlib import Path

    from tests.soak.stage import Run

    from webwx.bot.context import Context
    from webwx.client.state import StateChange
    from webwx.model.login import QrCode
    from webwx.sandbox.world import World

RECOVERY = 120.0
"""Maximum of virtual seconds until everything goes on after the last fault."""

Outcome = Literal["delivered", "reported lost", "refused"]
"""
What holds after a fault. `delivered`: every message was handled. `reported lost`: every message was handled, or lies in
a reported gap. `refused`: every message was handled, and calls of the program were refused with an error meanwhile.
"""

AFTERWARDS: dict[str, Outcome] = {
    **dict.fromkeys(
        (
            "ret", "html_page", "status", "unavailable", "redirect_nowhere", "redirect_away", "foreign_json", "no_ret",
            "no_message_id", "empty", "truncated", "wrong_charset", "no_content_type", "gzip_wrong", "gzip_bomb",
            "wrong_clock", "nothing",
        ),
        "delivered",
    ),
    **dict.fromkeys(
        (
            "sticky_selector", "unknown_selector", "repeated_key", "null_key", "empty_key", "shrunk_key", "rewound_key",
            "reordered_key", "no_check_key", "continue_run", "continue_forever", "doubled_batch", "shuffled_batch",
            "message_id", "same_id", "flood", "unknown_chatroom", "unknown_member", "recall_without_id", "rotated_skey",
        ),
        "delivered",
    ),
    "missing_messages": "reported lost",
    "contact_loop": "refused",
    "no_seq": "delivered",
    "null_list": "refused",
    "lost_contacts": "refused",
    "many_contacts": "delivered",
    "cut_batch": "delivered",
    "lost_members": "delivered",
    "evicted": "reported lost",
    "phone_logout": "reported lost",
    "phone_offline": "refused",
    "rotated_cookies": "delivered",
    "no_ticket": "delivered",
    **dict.fromkeys(
        ("media_empty", "media_gone", "media_page", "media_cut", "media_partial", "recalled_first"), "refused"
    ),
    "media_late": "delivered",
    **dict.fromkeys(
        (
            "refused", "reset_at_connect", "reset_before", "reset_after", "reset_midway", "closed_in_head",
            "closed_in_body", "blackhole", "lost_answer", "late_answer", "stale_connection", "garbage_status",
            "http_0_9", "wrong_length", "endless_chunks", "answer_twice", "request_twice", "latency", "sliced", "slow",
        ),
        "delivered",
    ),
    **dict.fromkeys(("tls_wrong_host", "tls_expired", "tls_self_signed"), "refused"),
}  # fmt: skip
"""What holds after each fault of the catalogue, with its usual options."""

LIGHTER: dict[str, dict[str, str | int | float | bool]] = {
    "flood": {"count": 100}, "gzip_bomb": {"mebibytes": 17}, "many_contacts": {"count": 100},
}  # fmt: skip
"""Options where the usual ones would only take longer."""

SELDOM = {"flood": 3, "gzip_bomb": 3}
"""Number of calls that a fault affects at most, where more would only take longer."""

TLS = {str(kind.__struct_config__.tag) for kind in CATALOGUE["TLS"]}
"""Faults that need a server with TLS."""

ENDS = {"evicted", "phone_logout"}
"""Faults that end the login."""

IN_A_SESSION = ("synccheck", "webwxsync", "webwxsendmsg", "webwxinit", "webwxstatusnotify", "webwxgetcontact")
"""Calls in which a fault can end the login; before these there is none."""

REWRITES = {"message_id", "same_id", "unknown_chatroom", "unknown_member"}
"""Faults that give a message another id, chat or author: if it is sent again, it looks like another message."""

TWICE = {"request_twice"}
"""Faults with which the server gets a request twice without a sign of it."""

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (32).to_bytes(4) + (24).to_bytes(4) + bytes(range(256))

_STEP = 7.0
"""Virtual seconds between two steps of the program, and between two looks at the state."""


class Phase(NamedTuple):
    """Some faults at the same time."""

    rules: tuple[FaultRule, ...]
    seconds: float
    """Virtual seconds until they end."""


class Life:
    """A bot, a reader and a program on one account, and what they saw."""

    def __init__(self, world: World, client: AsyncClient, rng: Random) -> None:
        self.world = world
        self.client = client
        self.said: dict[str, float] = {}
        """Texts of friends, each with its time: seconds since 1970 (server's clock)."""
        self.rewritten: set[str] = set()
        """Those that a fault may have changed."""
        self.handled: list[str] = []
        self.read: list[str] = []
        self.gaps: list[ContinuityLost] = []
        self.errors: Counter[str] = Counter()
        """Errors of the program's calls, by name."""
        self.problems: list[str] = []
        self.logins = self.faults = 0
        self._rng = rng
        self._tasks: list[asyncio.Task[None]] = []
        self._picture: ImageMessage | None = None
        self._numbers = itertools.count(1)
        self._calls: set[asyncio.Task[None]] = set()
        self._sends: dict[str, asyncio.Task[None]] = {}
        """The last call for each send of the program, by key."""
        self._online_since = world.now
        self.name = "no fault"
        """Name of the present phase."""

    # -- the account -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Log in, and run the bot, the reader and the look at the state."""
        ready = asyncio.Event()
        bot = Bot(client=self.client, show_qr=self._confirm, on_push=self._confirm, replies_per_minute=0)
        bot.on(TextMessage)(self._answer)
        bot.on(ImageMessage)(self._see)
        bot.on(ContinuityLost)(self._note_gap)
        self._tasks = tasks = [
            asyncio.create_task(start(bot, on_ready=lambda *_: ready.set())),
            asyncio.create_task(self._read()),
            asyncio.create_task(self._watch()),
        ]
        try:
            await ready.wait()
            while len(await self.client.list_consumers()) < len(tasks) - 1:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(1)
            yield
        finally:
            for task in (*tasks, *self._calls):
                task.cancel()
            await asyncio.gather(*tasks, *self._calls, return_exceptions=True)

    def _confirm(self, *_: QrCode) -> None:
        """Confirm a login on the phone, with a code or without."""
        self.logins += 1
        if _:
            self.world.scan("me")
        self.world.confirm()

    async def _answer(self, ctx: Context, message: TextMessage) -> None:
        if message.is_self:
            return
        if message.text.endswith("?"):
            try:
                await ctx.reply(f"re {message.text}")
            except LoggedOut:
                raise
            except (ApiError, StaleContact) as error:  # the platform refused this reply, or a fault made the chat up
                self.errors[type(error).__name__] += 1
        self.handled.append(message.text)

    async def _see(self, _: Context, message: ImageMessage) -> None:
        self._picture = message

    async def _note_gap(self, _: Context, gap: ContinuityLost) -> None:
        self.gaps.append(gap)

    async def _read(self) -> None:
        while True:
            try:
                async with self.client.events("reader", include_all=False) as events:
                    async for event in events:
                        if isinstance(event, TextMessage) and not event.is_self:
                            self.read.append(event.text)
            except (LoggedOut, NotLoggedIn):
                await asyncio.sleep(1)

    def note_state(self, change: StateChange) -> None:
        """Note a change of the account's state."""
        del change
        self._online_since = self.world.now

    async def _watch(self) -> None:
        """Note each time at which the account is online, and a message has been waiting for long while none came."""
        received = 0
        while True:
            await asyncio.sleep(_STEP)
            if self.client.state is not LoginState.ONLINE or len(self.read) + len(self.handled) > received:
                self._online_since, received = self.world.now, len(self.read) + len(self.handled)
            for text in self._unread():
                if self.world.now - max(self.said[text], self._online_since) > RECOVERY:
                    self.problems.append(f"ONLINE while {text!r} waits at the server, in {self.name}")
                    self._online_since = self.world.now

    # -- what happens ------------------------------------------------------------------------------------------------

    def say(self) -> None:
        """Send a text of a friend, a question every other time, and sometimes a picture."""
        number = next(self._numbers)
        text = f"text {number}{'?' if number % 2 else '.'}"
        self.said[text] = self.world.now
        self.world.say("ahua", self._rng.choice(("me", "周末爬山")), text)
        if number % 4 == 1:
            self.world.picture("ahua", "me", PNG)

    def act(self, step: int) -> None:
        """Begin a call of the program."""
        contacts = self.client.contacts
        match step % 6:
            case 0:
                self._send(f"out {next(self._numbers)}")
            case 1 | 5:
                if self._picture is not None:
                    self._call(self.client.download(self._picture))
            case 2:
                self._call(self.client.list_contacts())
            case 3:
                self._send(f"out {next(self._numbers)}.png")
            case _:
                self._call(self.client.get_contacts([each.id for each in contacts][:60]))

    def _send(self, text: str) -> None:
        """Send a text or a picture under a key of its own, or send it again under this key."""
        client, is_picture = self.client, text.endswith(".png")
        send = (
            client.send_image("filehelper", PNG, name=text, key=text)
            if is_picture
            else client.send_text("filehelper", text, key=text)
        )
        self._sends[text] = self._call(send)

    def _call(self, call: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await call
            except WxError as error:
                self.errors[type(error).__name__] += 1

        task = asyncio.create_task(run())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return task

    async def suffer(self, phase: Phase) -> None:
        """Live through a phase, while friends write and the program calls; `faults` is the number of faults."""
        for rule in phase.rules:
            self.world.faults.add(rule)
        before = set(self.said)
        for step in range(int(phase.seconds / _STEP)):
            self.say()
            if (step + 2) * _STEP <= phase.seconds:  # a call may take two minutes to notice that its answer is lost
                self.act(step)
            await asyncio.sleep(_STEP)
        if {rule.fault for rule in phase.rules} & REWRITES:
            self.rewritten |= self.said.keys() - before
        self.faults = self.world.faults.hits.total()
        self.world.faults.reset()

    # -- the oracles -------------------------------------------------------------------------------------------------

    def _is_lost(self, text: str) -> bool:
        """Return whether a message lies in a reported gap; a second may be missing, because messages have no more."""
        at = self.said[text]
        return any(gap.since - 1 <= at <= gap.until + 1 for gap in self.gaps)

    def _unread(self) -> list[str]:
        seen = {*self.handled, *self.read}
        return [text for text in self.said if text not in seen and not self._is_lost(text)]

    async def _waiting(self) -> list[str]:
        """Return what has not gone on yet, one sentence each."""
        found = [f"the account is {self.client.state.value}"] if self.client.state is not LoginState.ONLINE else []
        found += [f"a task has ended by itself: {task.exception()!r}" for task in self._tasks if task.done()]
        for name, seen in (("handled", self.handled), ("read", self.read)):
            left = [text for text in self.said if text not in set(seen) and not self._is_lost(text)]
            found += [f"{len(left)} messages were not {name}, such as {left[0]!r}"] if left else []
        for send in await self.client.list_sends("queued", "sending"):
            found.append(f"send {send.text!r} is {send.state}")
            if send.key in self._sends and self._sends[send.key].done():  # it was not made, and its key allows another
                self._send(send.key)
        for consumer in await self.client.list_consumers():
            if consumer.waiting:
                found.append(f"{consumer.waiting} events wait for {consumer.name!r}")
        if self._calls:
            found.append(f"{len(self._calls)} calls have not returned")
        return found

    async def recover(self, name: str) -> float:
        """Wait until everything has gone on; return the seconds, without the pauses that the platform asked for."""
        self.say()
        self._send(f"out {next(self._numbers)}")
        began = self.world.now
        while waiting := await self._waiting():
            limits = await self.client.rate_limit_state() if self.client.state is LoginState.ONLINE else None
            if limits is not None and limits.paused_until is not None:
                began = max(began, limits.paused_until)
            if self.world.now - began > RECOVERY or any(task.done() for task in self._tasks):
                self.problems.append(f"{RECOVERY:g} s after {name}: {'; '.join(waiting)}")
                break
            await asyncio.sleep(2)
        return self.world.now - began

    async def judge(self, names: Collection[str], *, is_certain: bool = False) -> None:
        """
        Compare everything that was said and sent, at the end.

        Args:
            names: The faults.
            is_certain: Whether every call met them.
        """
        outcomes = {AFTERWARDS[name] for name in names}
        for who, texts in (("handled", self.handled), ("read", self.read)):
            counts = Counter(text for text in texts if text in self.said and text not in self.rewritten)
            twice = [text for text, count in counts.items() if count > 1]
            if twice:
                self.problems.append(f"{who} twice: {twice[:3]}")
        if self.gaps and "reported lost" not in outcomes:
            self.problems.append(f"a gap was reported: {self.gaps[0].reason}")
        if is_certain and outcomes == {"refused"} and not self.errors:
            self.problems.append("no call was refused")
        dead = await self.client.list_dead_letters()
        if dead:
            self.problems.append(f"{len(dead)} dead letters, such as {dead[0].error!r}")
        phone = Counter(message.text for chat in self.world.inbox("me").values() for message in chat.messages)
        most = 2 if TWICE & set(names) else 1
        for send in await self.client.list_sends(limit=10_000):
            shown = phone[send.text]
            if send.text.removeprefix("re ") in self.rewritten:
                continue
            if send.kind == "text" and (shown > most or shown < (send.state == "sent")):
                self.problems.append(f"{send.text!r} is {send.state} in the outbox, and arrived {shown} times")


@asynccontextmanager
async def life(seed: int, *, journal: str = "memory:", tls: bool = False) -> AsyncIterator[Life]:
    """Start a server and an account, whose bot and reader run."""
    async with AsyncExitStack() as stack:
        clock = LoopClock(asyncio.get_running_loop())
        world = default_world(clock=clock, options=Options(), rng=Random(f"{seed}/world"))
        world.faults = FaultInjector(world.faults.kinds, seed=seed)
        served = await serve(SandboxCore(world), tls=tls)
        stack.push_async_callback(served.close)
        where: dict[str, Any] = {"server": served.url}
        if served.tls is not None:
            where = {"host": "wx.qq.com", "proxy": served.tls.proxy, "ca_file": served.tls.ca}
        free = RateLimit(burst=1_000, spacing=0, jitter=0, messages_per_minute=10_000, uploads_per_hour=10_000)
        lives: list[Life] = []

        def note_state(change: StateChange) -> None:
            for each in lives:
                each.note_state(change)

        client = await stack.enter_async_context(
            AsyncClient(
                **where, clock=clock.now, journal=journal, rate_limit=free,
                on_state=note_state,
            )
        )  # fmt: skip
        made = Life(world, client, Random(f"{seed}/life"))
        lives.append(made)
        async with made.running():
            yield made


def rules_of(name: str, probability: float = 1.0) -> tuple[FaultRule, ...]:
    """Return the rules that turn a fault on for all calls that it is meant for."""
    times, options = SELDOM.get(name), LIGHTER.get(name, {})
    return tuple(
        FaultRule(fault=name, endpoint=endpoint, probability=probability, times=times, options=options)
        for endpoint in (IN_A_SESSION if name in ENDS else ("",))
    )


async def live_through(name: str, seed: int, *, seconds: float = 42.0, probability: float = 1.0) -> list[str]:
    """Live through one fault, and return the problems."""
    async with life(seed, tls=name in TLS) as made:
        await made.suffer(Phase(rules_of(name, probability), seconds))
        await made.recover(name)
        await made.judge([name], is_certain=probability == 1)
        return made.problems


# -- all faults, in any combination ----------------------------------------------------------------------------------

_ALONE = {"wrong_clock", "gzip_bomb", "request_twice"}
"""
Faults that are not combined: with a wrong clock the times of a gap are wrong, a bomb takes seconds, and if a code is
requested twice, the phone of this test confirms the second one and the client waits for the first.
"""


def plan(names: Iterable[str], rng: Random) -> list[tuple[tuple[str, ...], Phase]]:
    """Return phases in which each fault is on once, alone or with up to three others."""
    left = rng.sample(sorted(names), len(tuple(names)))
    phases = []
    while left:
        group = [left.pop()]
        while group[0] not in _ALONE and left and left[-1] not in _ALONE and len(group) < 4 and rng.random() < 0.6:
            group.append(left.pop())
        rules = [rule for name in group for rule in rules_of(name, rng.choice((0.05, 0.2, 0.5, 1.0)))]
        phases.append((tuple(group), Phase(tuple(rules), rng.choice((30.0, 60.0, 120.0, 240.0)))))
    return phases


async def live_through_all(seed: int, folder: Path) -> tuple[str, list[str]]:
    """Live through all faults of the catalogue, and return the figures and the problems."""
    rng, problems, slowest, figures = Random(f"{seed}/plan"), list[str](), (0.0, "no fault"), Counter[str]()
    for tls, names in ((False, set(FAULTS) - TLS), (True, TLS)):
        journal = folder / f"{'tls' if tls else 'plain'}.journal"
        async with life(seed, journal=str(journal), tls=tls) as made:
            for group, phase in plan(names, rng):
                made.name = text = f"{' + '.join(group)} for {phase.seconds:g} s"
                await made.suffer(phase)
                figures["faults"] += made.faults
                slowest = max(slowest, (await made.recover(text), text))
                if made.problems:
                    break
            await made.judge(names)
            problems += made.problems
            figures.update(
                messages=len(made.said), logins=made.logins, gaps=len(made.gaps), phases=len(plan(names, rng))
            )
    return (
        f"{figures['faults']:,} faults of {len(FAULTS)} kinds in {figures['phases']} phases, "
        f"{figures['messages']:,} messages, {figures['logins']} logins, {figures['gaps']} reported gaps; "
        f"the slowest recovery took {slowest[0]:.0f} s, after {slowest[1]}",
        problems,
    )


async def run(run: Run) -> Figures:
    """Live through all faults of the catalogue in random combinations, on a virtual clock in a thread of its own."""

    def work() -> tuple[str, list[str]]:
        with asyncio.Runner(loop_factory=lambda: VirtualClockLoop(grace=0.002)) as runner:
            return runner.run(live_through_all(run.seed, run.folder))

    text, problems = await asyncio.to_thread(work)
    return Figures(text, tuple(problems))
