"""
Scripted friends: actions of the people of a world, in reaction to messages or at given times.

A script uses decorators, and each of its functions receives the phone actions of one person. A function may be a
generator: `yield 5` waits five seconds. All times are times of the world's clock, so that moving the clock runs a
script at once. An error in a script is reported in one sentence, and the world continues.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction, unwrap
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from webwx.sandbox.errors import Impossible, Refused, explain
from webwx.sandbox.people import ME, WorldMessage, WorldPerson
from webwx.sandbox.phone_actions import PhoneActions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.sandbox.people import MessageKind
    from webwx.sandbox.world import World

Script = Callable[..., object]
Hears = str | re.Pattern[str] | Callable[[WorldMessage], object]

MIN_PAUSE = 0.01
"""Minimum seconds between two runs of a repeated action."""

MAX_CHAIN = 1000
"""Maximum length of a chain of reactions without a pause; it stops friends who answer each other forever."""


class Scenario:
    """
    A script of what friends do.

    Scripts are plain functions: to wait, they `yield` seconds. An `async def` is a `TypeError`.
    """

    def __init__(self) -> None:
        self._reactions: list[_Reaction] = []
        self._dates: list[_Date] = []

    def when(
        self,
        who: str | None = None,
        *,
        hears: Hears | None = None,
        kind: MessageKind | None = None,
        by: str | None = None,
        chat: str | None = None,
        is_recalled: bool = False,
    ) -> Callable[[Script], Script]:
        """
        Run a function for messages that people receive; it gets their phone actions and the message.

        Args:
            who: Nickname or id; None: everyone but `me`, each separately.
            hears: The whole text, a pattern to search for, or a function that accepts the message.
            kind: Such as `image` or `friend_request`; None: all messages of people, but not the platform's notices.
            by: The sender.
            chat: A chatroom, or a person.
            is_recalled: Whether to react to the recall of a message instead of its arrival.
        """

        def take(script: Script) -> Script:
            _check(script)
            self._reactions.append(
                _Reaction(script=script, who=who, hears=hears, kind=kind, by=by, chat=chat, is_recalled=is_recalled)
            )
            return script

        return take

    def at(self, moment: float | datetime, who: str) -> Callable[[Script], Script]:
        """
        Run a function at a time; it receives the phone actions of one person.

        Args:
            moment: Seconds after the start, or a date; one without a time zone is in UTC. A time that has passed at the
                start runs at once.
            who: Nickname or id.
        """

        def take(script: Script) -> Script:
            _check(script)
            self._dates.append(_Date(script=script, who=who, at=moment))
            return script

        return take

    def every(self, seconds: float, who: str) -> Callable[[Script], Script]:
        """
        Run a function repeatedly; it receives the phone actions of one person.

        Raises:
            ValueError: The pause is not valid.
        """
        if seconds < MIN_PAUSE:
            raise ValueError(f"every() needs a pause of at least {MIN_PAUSE} s.")

        def take(script: Script) -> Script:
            _check(script)
            self._dates.append(_Date(script=script, who=who, at=seconds, every=seconds))
            return script

        return take

    def play(self, world: World, *, on_mistake: Callable[[str], object] | None = None) -> None:
        """
        Start the scenario.

        Args:
            world: The world.
            on_mistake: Called with one sentence about an error and its place; None writes the sentence to stderr.

        Raises:
            Impossible: The script names a person or a chat that does not exist.
        """
        reactions = [reaction.by_ids(world) for reaction in self._reactions]
        dates = [date.by_id(world) for date in self._dates]
        stage = _ScenarioRun(world, on_mistake or _print_mistake)
        for date in dates:
            stage.plan(date)
        world.listen(lambda person, message: stage.react(reactions, person, message))
        world.play()


# -- what is scripted ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Reaction:
    """A reaction to messages."""

    script: Script
    who: str | None
    hears: Hears | None
    kind: MessageKind | None
    by: str | None
    chat: str | None
    is_recalled: bool

    def by_ids(self, world: World) -> _Reaction:
        """
        Return the reaction with world ids in place of names, because nicknames may change.

        Raises:
            Impossible: A person does not exist.
        """
        with _placed(self.script):
            person = world.person(self.who or ME)
            return replace(
                self,
                who=person.id if self.who else None,
                by=world.person(self.by).id if self.by else None,
                chat=world.chat_id(person, self.chat) if self.chat else None,
            )

    def concerns(self, world: World, person: WorldPerson, message: WorldMessage) -> bool:
        """Return whether a person reacts to a message that arrived on their phone, or was recalled."""
        is_kind = message.kind == self.kind if self.kind else message.kind != "system"
        return (
            is_kind
            and message.is_recalled is self.is_recalled
            and (person is not world.person(ME) if self.who is None else person.id == self.who)
            and self.by in {None, message.sender.id}
            and self.chat in {None, message.chat_of(person)}
            and self._matches(message)
        )

    def _matches(self, message: WorldMessage) -> bool:
        match self.hears:
            case None:
                return True
            case str(text):
                return message.text == text
            case re.Pattern() as pattern:
                return pattern.search(message.text) is not None
            case says_yes:
                return bool(says_yes(message))


@dataclass(frozen=True, kw_only=True)
class _Date:
    """An action at a time."""

    script: Script
    who: str
    at: float | datetime
    every: float | None = None

    def by_id(self, world: World) -> _Date:
        """
        Return the action with the person's world id.

        Raises:
            Impossible: There is no such person.
        """
        with _placed(self.script):
            return replace(self, who=world.person(self.who).id)

    def moment(self, beginning: float) -> float:
        """Return the time, in seconds since 1970."""
        if isinstance(self.at, datetime):
            return (self.at if self.at.tzinfo else self.at.replace(tzinfo=UTC)).timestamp()
        return beginning + self.at


# -- playing it ------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Chain:
    """The reactions that follow from one event without a pause."""

    answers: int = 0

    def goes_on(self) -> bool:
        """
        Count one more step; return whether it may run.

        Raises:
            Impossible: The chain has just exceeded its maximum length.
        """
        self.answers += 1
        if self.answers == MAX_CHAIN + 1:
            raise Impossible("The friends answer each other without a pause; let one of them wait for a second.")
        return self.answers <= MAX_CHAIN


class _ScenarioRun:
    """A scenario in one world."""

    def __init__(self, world: World, on_mistake: Callable[[str], object]) -> None:
        self._world = world
        self._on_mistake = on_mistake
        self._chain: _Chain | None = None
        """Chain of the reaction that is running; None while no reaction runs."""
        self._last_message: WorldMessage | None = None
        self._from_outside = _Chain()
        """Chain that the last message from outside the script has started."""

    def plan(self, date: _Date) -> None:
        """Schedule an action."""
        self._plan(date, date.moment(self._world.now))

    def react(self, reactions: list[_Reaction], person: WorldPerson, message: WorldMessage) -> None:
        """Run a person's reaction, after all have received the message."""
        if message is not self._last_message:
            self._last_message, self._from_outside = message, _Chain()
        for reaction in reactions:
            with self._reporting_mistakes(reaction.script):
                if reaction.concerns(self._world, person, message):
                    actions = self._phone_actions(reaction.script, person, message.chat_of(person))
                    self._later(reaction.script, 0, partial(reaction.script, actions, message))

    def _plan(self, date: _Date, moment: float) -> None:
        def begin() -> object:
            if date.every is not None:
                self._plan(date, moment + date.every)
            return date.script(self._phone_actions(date.script, self._world.person(date.who)))

        self._world.scheduler.add(moment, lambda: self._do(date.script, begin, _Chain()))

    def _phone_actions(self, script: Script, person: WorldPerson, chat: str = "") -> PhoneActions:
        return PhoneActions(self._world, person, chat, later=partial(self._later, script))

    def _later(self, script: Script, seconds: float, action: Callable[[], object]) -> None:
        """
        Schedule the rest of a script after a pause.

        Raises:
            Impossible: The pause is not valid, or there were too many steps without a pause.
        """
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise Impossible(f"A script cannot wait for {seconds!r}; yield a number of seconds, 0 or more.")
        chain = (self._chain or self._from_outside) if seconds < MIN_PAUSE else _Chain()
        if not chain.goes_on():
            return
        self._world.scheduler.add(self._world.now + seconds, lambda: self._do(script, action, chain))

    def _do(self, script: Script, action: Callable[[], object], chain: _Chain) -> None:
        self._chain = chain
        with self._reporting_mistakes(script):
            outcome = action()
            if isinstance(outcome, Generator):
                self._go_on(script, outcome)
        self._chain = None

    def _go_on(self, script: Script, story: Generator[Any, None, None]) -> None:
        """Run a script up to its next pause."""
        for pause in story:
            try:
                self._later(script, pause, lambda: self._go_on(script, story))
            except Impossible as no:
                story.throw(no)  # so that the line is reported
            return

    @contextmanager
    def _reporting_mistakes(self, script: Script) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a user's program may raise anything
            self._on_mistake(_sentence(error, script))


def _check(script: Script) -> None:
    if iscoroutinefunction(script) or isasyncgenfunction(script):
        raise TypeError(f"A script is a plain function: write 'def {script.__name__}', and 'yield 5' to wait.")


# -- mistakes --------------------------------------------------------------------------------------------------------


@contextmanager
def _placed(script: Script) -> Iterator[None]:
    """Add the script's location to a refusal."""
    try:
        yield
    except Impossible as no:
        raise Impossible(_sentence(no, script)) from None


def _sentence(error: Exception, script: Script) -> str:
    """Return the error with the line of the script where it happened, or where the script begins."""
    code = unwrap(script).__code__
    return describe(error, code.co_filename, code.co_firstlineno)


def describe(error: Exception, file: str, line: int = 1) -> str:
    """Return in one sentence what failed in a user's file, and the last known line."""
    lines = [at for frame, at in walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    match error:
        case SyntaxError(msg=str(what), lineno=int(at)) if error.filename == file:
            lines.append(at)
        case Impossible() | Refused():
            what = explain(error)
        case _:
            what = f"{type(error).__name__}: {error}"
    return f"{Path(file).name}, line {[line, *lines][-1]}: {' '.join(what.split())}"


def _print_mistake(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
