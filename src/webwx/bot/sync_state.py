"""The state of a conversation for a plain handler: `ConversationState` without `await`."""

# Written by `make blocking` from ConversationState; do not edit.

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.bot.state import ConversationState
from webwx.bot.threads import wait_for

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from webwx.bot.state import T
    from webwx.bot.steps import Step


class SyncConversationState:
    """
    The step that a conversation has reached, and its values, for a handler that runs in a thread.

    The first call waits until no other handler uses the same state; then this handler has it until it ends.
    """

    __slots__ = ("_loop", "_state")

    def __init__(self, state: ConversationState, loop: asyncio.AbstractEventLoop) -> None:
        self._state = state
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._state).replace("ConversationState", "SyncConversationState", 1)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return wait_for(asyncio.run_coroutine_threadsafe(work, self._loop))

    def get_step(self) -> str:
        """
        Return the name of the reached step, such as `Survey.age`; empty before the first step.

        Raises:
            UnknownContact: The event has no chat, and so no state.
            InvalidRequest: The handler has ended.
        """
        return self._wait(self._state.get_step())

    def get_values(self, kind: type[T]) -> T:
        """
        Return the values: a new object; only `set_values` stores its changes.

        Args:
            kind: `dict`, or a `msgspec.Struct`, dataclass or `TypedDict` whose fields all have a default. Without
                stored values, the result is `kind()`.

        Raises:
            UnreadableState: The stored values do not fit the type, because the program has changed since.
            TypeError: There are no stored values, and a field of the type has no default.

        For further errors see `get_step`.
        """
        return self._wait(self._state.get_values(kind))

    def set_step(self, step: Step, *, timeout: float | None = None) -> None:
        """
        Move the conversation to a step; this also replaces an earlier time-out.

        Args:
            step: The new step.
            timeout: Seconds until the conversation times out unless its step is set again: then a handler of
                `StateTimedOut` is called; without such a handler the conversation ends. None: it never times out.

        Raises:
            TypeError: The step is no `Step`.
            ValueError: The time-out is not positive, or the step belongs to no class.

        For further errors see `get_step`.
        """
        self._wait(self._state.set_step(step, timeout=timeout))

    def back(self, *, timeout: float | None = None) -> Step | None:
        """
        Move the conversation to the step before the present one in its class, and return that step; keep the values.

        Args:
            timeout: As for `set_step`.

        Returns:
            The step; None if the conversation is at the first step, or at none: then nothing has changed.

        Raises: As `set_step`.
        """
        return self._wait(self._state.back(timeout=timeout))

    def set_values(self, values: object) -> None:
        """
        Replace the values.

        Args:
            values: A `dict`, or a `msgspec.Struct`, dataclass or `TypedDict`, which is stored as a JSON object.

        Raises:
            TypeError: The values are not a JSON object.

        For further errors see `get_step`.
        """
        self._wait(self._state.set_values(values))

    def update_values(self, **values: object) -> None:
        """
        Replace some values; the other values do not change.

        Raises:
            TypeError: A value cannot be written as JSON.

        For further errors see `get_step`.
        """
        self._wait(self._state.update_values(**values))

    def clear(self) -> None:
        """
        End the conversation: remove its step, its values and its time-out.

        Raises: As `get_step`.
        """
        self._wait(self._state.clear())
