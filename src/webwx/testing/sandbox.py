"""
A platform for one test: a server on a real port, the people in its world, and bots that run on it.

    def test_it_answers(sandbox, friend):
        with sandbox.running(bot):
            friend.say("ping")
            assert friend.hears("pong")
"""

from __future__ import annotations

import random
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.sandbox.faults import ANSWER_FAULTS, CONNECTION_FAULTS, FaultInjector
from webwx.sandbox.options import Options
from webwx.sandbox.world import ME, default_world
from webwx.storage.login import LoginMemory
from webwx.testing.clock import Clock
from webwx.testing.faults import Faults
from webwx.testing.people import Chatroom, PhoneUser
from webwx.testing.running import Running
from webwx.testing.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from webwx.bot.bot import Bot
    from webwx.sandbox.scenario import Scenario
    from webwx.sandbox.world import World

T = TypeVar("T")

PATIENCE = 5.0
"""Maximum real seconds of any wait of a test."""

SEED = 1
"""Seed of a test's world and its faults, so that each run is equal."""


class Sandbox:
    """
    A server of the protocol for one test, without a login; it listens inside `with Sandbox() as sandbox:`.

    Args:
        world: The people; default: 小明, whose bot is tested, his friends 阿华, 张三 and 李雷, and their chatroom.
        patience: Maximum real seconds of a wait.
    """

    def __init__(self, world: World | None = None, *, patience: float = PATIENCE) -> None:
        # Pictures keep their bytes, so that a test can compare them and is the same without the extra `pictures`.
        options = Options(picture_format="sent")
        rng = random.Random(SEED)  # noqa: S311 - the same in each run
        self.world: World = world or default_world(options=options, rng=rng)
        """The world, for actions that have no method here; use it inside `do` while bots run."""
        self.world.faults = FaultInjector(seed=SEED)
        self.patience = patience
        self.at_work: list[Running] = []
        """The running bots."""
        self.clock = Clock(self)
        """The virtual clock."""
        self.faults = Faults(self)
        """The faults."""
        self._server = Server(self.world)
        self._folder: Path
        """Folder of the journals."""
        self._logins: dict[str, LoginMemory] = {}
        self._mistakes: list[str] = []
        self._people: dict[str, PhoneUser] = {}

    def __repr__(self) -> str:
        return f"Sandbox({self.world!r})"

    def __enter__(self) -> Self:
        """
        Start to listen.

        Raises:
            OSError: There is no free port.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="webwx-"))
        self._server.open()
        self.world.faults.kinds = (*ANSWER_FAULTS, *CONNECTION_FAULTS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """
        Stop listening, and drop the world.

        Raises:
            AssertionError: A scenario had an error, and nothing else has failed.
        """
        for each in tuple(self.at_work):
            each.end()
        self._server.close()
        shutil.rmtree(self._folder)
        if self._mistakes and error is None:
            raise AssertionError("The scenario has an error.\n" + "\n".join(self._mistakes))

    @property
    def url(self) -> str:
        """Origin, such as `http://127.0.0.1:8790`, for a client of your own or for `WEBWX_SERVER` of a process."""
        return self._server.url

    # -- who is there ------------------------------------------------------------------------------------------------

    @property
    def account(self) -> PhoneUser:
        """The person whose bot is tested."""
        return self.person(ME)

    @property
    def friend(self) -> PhoneUser:
        """
        The account's first friend.

        Raises:
            LookupError: The account has no friend in this world.
        """
        friends = self.world.person(ME).friends
        if not friends:
            raise LookupError("The account has no friend in this world; add one with sandbox.add_person().")
        return self.person(next(iter(friends)))

    def person(self, name: str) -> PhoneUser:
        """
        Return a person by nickname or world id.

        Raises:
            Impossible: There is no person of that name.
        """
        person = self.world.person(name)
        if person.id not in self._people:
            self._people[person.id] = PhoneUser(self, person)
        return self._people[person.id]

    def add_person(self, nickname: str) -> PhoneUser:
        """Add a new person to the world, as a friend of everyone."""

        def add(world: World) -> str:
            new = world.add_person(nickname)
            for other in tuple(world.people):
                if other != new.id:
                    world.befriend(other, new.id)
            return new.id

        return self.person(self.do(add))

    def add_stranger(self, nickname: str) -> PhoneUser:
        """Add a new person to the world, without friends."""
        return self.person(self.do(lambda world: world.add_person(nickname).id))

    def chatroom(self, name: str = "") -> Chatroom:
        """
        Return a chatroom by name or world id; by default the account's first one.

        Raises:
            LookupError: The account is in no chatroom of that name.
        """
        for room in self.world.person(ME).rooms.values():
            if not name or name in {room.title, room.id}:
                return Chatroom(self, room)
        raise LookupError(f"The account is in no chatroom {name!r}; create one with sandbox.add_chatroom().")

    def add_chatroom(self, name: str, *members: PhoneUser) -> Chatroom:
        """Create a chatroom; the first member is its owner."""
        return Chatroom(self, self.do(lambda world: world.add_chatroom(name, [each.id for each in members])))

    # -- bots --------------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self, *bots: Bot, account: PhoneUser | None = None) -> Iterator[Running]:
        """
        Run bots, and shut them down: `with sandbox.running(bot):`.

        They are logged in and ready when the block begins. They use real HTTP to this sandbox and nothing else: no
        setting, no saved login and no `Bot(server=...)` leads elsewhere. Login and journal remain between two such
        blocks of a test, so a second one is a restart.

        Args:
            bots: As they are in your program. The first one sets the media archive and the rate limit.
            account: Account of the bots; default: the sandbox's account.

        Raises:
            ValueError: There is no bot, or two have one name.

        An error that ends a bot is raised at the end of the block, unless the block itself raises.
        """
        who = (account or self.account).id
        store = self._logins.setdefault(who, LoginMemory())
        running = Running(bots, server=self._server, account=who, store=store, journal=self._folder / f"{who}.journal")
        running.begin()
        self.at_work.append(running)
        try:
            yield running
        finally:
            running.end()
            self.at_work.remove(running)
        if running.error is not None:
            raise running.error

    def play(self, scenario: Scenario) -> None:
        """
        Add scripted friends; a mistake in their script fails the test.

        Raises:
            Impossible: The script names a person or a chat that does not exist.
        """
        self.do(lambda world: scenario.play(world, on_mistake=self._mistakes.append))

    def settle(self) -> None:
        """Return when all messages are handled, except for what waits for the clock."""
        calls = -1
        while calls != (calls := sum(len(each.calls) for each in self.at_work)):  # bots may write to each other
            for each in self.at_work:
                each.settle()

    def switch(self, **choices: str | float | bool) -> None:
        """
        Change options of the platform, as in `sandbox.switch(echo="on")`; docs/topics/sandbox.md lists all options.

        Raises:
            TypeError: There is no such option.
        """
        self.do(lambda world: setattr(world, "options", msgspec.structs.replace(world.options, **choices)))

    # -- the world ---------------------------------------------------------------------------------------------------

    def do(self, act: Callable[[World], T]) -> T:
        """Run a function in the world, between two requests, and return its result."""
        return self._server.do(lambda: act(self.world))

    def wait(self, look: Callable[[], T | None]) -> T | None:
        """
        Call a function after each change of the world, until it returns something.

        Returns:
            The result; None when the time was over, or a bot has ended.
        """
        ended: list[object] = []

        def look_also_at_bots() -> T | object | None:
            seen = look()
            if seen is None and any(each.error is not None for each in self.at_work):
                return ended
            return seen

        seen = self._server.wait(look_also_at_bots, self.patience)
        return None if seen is ended else seen  # type: ignore[return-value]  # the only other value is the result of look

    def name_of(self, world_id: str) -> str:
        """Return the name of a person or chatroom, as phones show it."""
        if world_id in self.world.chatrooms:
            return self.world.chatrooms[world_id].title
        return self.world.person(world_id).nickname

    def explanation(self) -> str:
        """Return possible reasons for a wait that timed out, one per line."""
        lines = [*self._mistakes]
        if not self.at_work:
            lines.append("No bot is running: wait inside `with sandbox.running(bot):`.")
        for each in self.at_work:
            if each.error is not None:
                lines.append(f"{each!r} has ended: {type(each.error).__name__}: {each.error}")
            lines += (f"It was logged: {warning}" for warning in each.warnings)
            if each.error is None and each.unfinished_events:
                lines.append(
                    f"{each!r} has unfinished events ({each.unfinished_events}): a handler that sleeps, and an event "
                    "that waits for its next attempt, need `clock.wind()`."
                )
        return "".join(f"\n{line}" for line in lines)
