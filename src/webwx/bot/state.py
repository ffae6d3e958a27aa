"""
The state of a conversation, as a handler reads and changes it.

The changes of a handler are stored when it has returned, in the transaction that acknowledges its event. Until then
only the handler itself sees them, so a handler that fails has changed nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.bot.steps import Step
from webwx.bot.stored_states import misfit
from webwx.errors import UnreadableState

if TYPE_CHECKING:
    from webwx.bot.conversations import ConversationTransaction

T = TypeVar("T")


class ConversationState:
    """
    The step that a conversation has reached, and its values, for an asynchronous handler.

    The first call waits until no other handler uses the same state; then the state belongs to this handler until it
    ends.
    """

    __slots__ = ("_transaction",)

    def __init__(self, transaction: ConversationTransaction) -> None:
        self._transaction = transaction

    def __repr__(self) -> str:
        return "ConversationState(***)"

    async def get_step(self) -> str:
        """
        Return the name of the reached step, such as `Survey.age`; empty before the first step.

        Raises:
            UnknownContact: The event has no chat, and so no state.
            InvalidRequest: The handler has ended.
        """
        return (await self._transaction.row()).step

    async def get_values(self, kind: type[T]) -> T:
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
        row = await self._transaction.row()
        if row.values:
            try:
                return msgspec.json.decode(row.values, type=kind)
            except msgspec.ValidationError as error:
                at = f" at the step {row.step}" if row.step else ""
                raise UnreadableState(
                    f"The stored values of this conversation{at} do not fit {kind.__name__}: {misfit(error)}. Convert "
                    "stored states with @bot.migrate_state, or end the conversation with ctx.state.clear()."
                ) from None
        try:
            return kind()
        except TypeError as error:
            raise TypeError(
                f"{kind.__name__} cannot be made without values: {error}. Give each of its fields a default, because a "
                "conversation begins without values."
            ) from None

    async def set_step(self, step: Step, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it is stored
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
        if not isinstance(step, Step):
            raise TypeError(
                f"A state has a step of a class of steps, such as Survey.age, and no {type(step).__name__}."
            )
        if not step.name:
            raise ValueError(
                "The step belongs to no class of steps; define it as in `class Survey(Steps): age = Step()`."
            )
        if timeout is not None and timeout <= 0:
            raise ValueError(f"timeout= cannot be {timeout:g}; give seconds, or None.")
        deadline = None if timeout is None else self._transaction.conversations.now() + timeout
        await self._transaction.change(step=step.name, deadline=deadline)

    async def back(self, *, timeout: float | None = None) -> Step | None:  # noqa: ASYNC109 - it is stored
        """
        Move the conversation to the step before the present one in its class, and return that step; keep the values.

        Args:
            timeout: As for `set_step`.

        Returns:
            The step; None if the conversation is at the first step, or at none: then nothing has changed.

        Raises: As `set_step`.

        """
        step = self._transaction.conversations.stored.step_of(await self.get_step())
        previous = None if step is None else step.previous
        if previous is not None:
            await self.set_step(previous, timeout=timeout)
        return previous

    async def set_values(self, values: object) -> None:
        """
        Replace the values.

        Args:
            values: A `dict`, or a `msgspec.Struct`, dataclass or `TypedDict`, which is stored as a JSON object.

        Raises:
            TypeError: The values are not a JSON object.

        For further errors see `get_step`.

        """
        try:
            encoded = msgspec.json.encode(values)
        except TypeError as error:
            raise TypeError(
                f"The values of a state are stored as JSON, which cannot hold them: {error}. Store texts, numbers, "
                "lists, dicts, dates or structs of these."
            ) from None
        if not encoded.startswith(b"{"):
            raise TypeError(f"The values of a state are a dict or a struct, not {type(values).__name__}.")
        await self._transaction.change(values=encoded)

    async def update_values(self, **values: object) -> None:
        """
        Replace some values; the other values do not change.

        Raises:
            TypeError: A value cannot be written as JSON.

        For further errors see `get_step`.

        """
        stored: dict[str, object] = await self.get_values(dict)
        await self.set_values(stored | values)

    async def clear(self) -> None:
        """
        End the conversation: remove its step, its values and its time-out.

        Raises: As `get_step`.

        """
        await self._transaction.change(step="", values=b"", deadline=None)
