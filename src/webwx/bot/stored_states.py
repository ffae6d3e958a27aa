"""
States that an earlier version of the program has stored.

The functions of `migrate_state` convert a stored state when it is read for the first time in a process. A state that
this version of the program cannot read, because a step or a type has changed, is reported when the bot starts and when
an event belongs to it.
"""

from __future__ import annotations

import logging
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.bot.failures import summarize
from webwx.bot.log_fields import log_fields
from webwx.bot.signatures import WrongFunction, name_of
from webwx.bot.steps import Step, defined_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from webwx.storage.tables.conversations import ConversationRow

    StateMigration = Callable[[str, dict[str, Any]], tuple[str | Step, dict[str, Any]] | None]
    """Called with the name of the step and the values; returns new ones, or None to keep them."""

_WAY_OUT = "Convert stored states with @bot.migrate_state, or end such a conversation with ctx.state.clear()."

_WITHOUT_VALUE = ("Expected `", "Object missing required field `")
"""Beginnings of the sentences of msgspec that hold no value."""

_log = logging.getLogger("webwx.bot")


def misfit(error: msgspec.ValidationError) -> str:
    """Return which stored value does not fit its type, and how, without the value and texts that a program wrote."""
    reason, at, path = str(error).rpartition(" - at `")
    if not at:
        reason, path = path, ""
    if not reason.startswith(_WITHOUT_VALUE):
        reason = "Invalid value"
    return reason + at + path


class StoredStates:
    """
    Converts the stored states of one bot, and reports those that its program cannot read.

    Args:
        bot: The bot's name.
        migrations: The functions of `migrate_state`, in their order.
        named: The steps that handlers name, by their names; they precede other steps of the process.
    """

    def __init__(
        self,
        bot: str = "bot",
        migrations: Collection[StateMigration] = (),
        named: Mapping[str, Step] = MappingProxyType({}),
    ) -> None:
        self._bot = bot
        self._migrations = migrations
        self._named = named
        self._reported: set[str] = set()
        """What was reported for an event."""
        self._is_started = False

    @property
    def is_in_use(self) -> bool:
        """Whether the program may have stored states that need a look when the bot starts."""
        return bool(not self._is_started and (self._migrations or self._named))

    def step_of(self, name: str) -> Step | None:
        """Return the step that the program defines under a name; None if it defines no such step."""
        return self._named.get(name) or defined_steps().get(name)

    def migrate(self, row: ConversationRow) -> ConversationRow:
        """
        Return a stored state as this version of the program writes it.

        Raises:
            WrongFunction: A function of `migrate_state` returned something else than a step and values, or None.

        Errors of these functions are raised as well.

        """
        for function in () if row.is_empty else self._migrations:
            values = msgspec.json.decode(row.values, type=dict[str, Any]) if row.values else {}
            match function(row.step, values):
                case None:
                    continue
                case (str() | Step() as step, dict() as new):
                    encoded = msgspec.json.encode(new) if new else b""
                    is_over = not (str(step) or encoded)
                    row = msgspec.structs.replace(
                        row, step=str(step), values=encoded, deadline=None if is_over else row.deadline
                    )
                case _:
                    raise WrongFunction(
                        f"{name_of(function)} returns a step and a dict of values, or None to keep the state.", function
                    )
        return row

    def report_all(self, rows: Iterable[ConversationRow]) -> None:
        """Log which of the stored states the program cannot read, when the bot starts for the first time."""
        self._is_started = True
        problems: Counter[str] = Counter()
        for row in rows:
            try:
                problem = self._problem(self.migrate(row))
            except Exception as error:  # noqa: BLE001 - a user's function may raise anything; it fails again for the event
                problem = f"a state that cannot be converted ({summarize(error)})"
            if problem:
                problems[problem] += 1
        for problem, count in problems.items():
            what = "1 conversation has" if count == 1 else f"{count} conversations have"
            _log.warning("%s: %s %s. %s", self._bot, what, problem, _WAY_OUT, extra=log_fields(self._bot))

    def report(self, row: ConversationRow, event: int) -> None:
        """
        Log that the program cannot read the state of an event's conversation; each problem is logged once.

        Args:
            row: The state.
            event: Number of the event; 0 for a time-out.
        """
        problem = self._problem(row)
        if problem and problem not in self._reported:
            self._reported.add(problem)
            what = f"event {event}" if event else "a time-out"
            _log.warning(
                "%s: %s belongs to a conversation that has %s. %s", self._bot, what, problem, _WAY_OUT,
                extra=log_fields(self._bot, event=event),
            )  # fmt: skip

    def _problem(self, row: ConversationRow) -> str:
        """Return what the program cannot read in a state; empty if it can read it."""
        if not row.step:
            return ""
        step = self.step_of(row.step)
        if step is None:
            return f"the step {row.step}, which this program does not define"
        kind: type | None = getattr(step.owner, "values_type", None)
        if kind is not None and row.values:
            try:
                msgspec.json.decode(row.values, type=kind)
            except msgspec.ValidationError as error:
                return f"values at the step {row.step} that do not fit {kind.__name__} ({misfit(error)})"
        return ""
