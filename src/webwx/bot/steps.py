"""
Steps: the named positions of a conversation, which a class lists.

    class Survey(Steps):
        name = Step()
        age = Step()

The journal stores the name of a step, such as `Survey.age`. So a class and its steps keep their names when the program
changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


class Step:
    """One step of a conversation; it is equal to its name."""

    def __init__(self) -> None:
        self.name: str = ""
        """Name of the step with that of its class, as in `Survey.age`."""
        self.owner: type = object
        """The class that lists the step."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"{owner.__name__}.{name}"
        self.owner = owner
        _DEFINED[self.name] = self

    @property
    def previous(self) -> Step | None:
        """The step before this one in its class; None for the first one."""
        steps: tuple[Step, ...] = getattr(self.owner, "steps", ())
        place = steps.index(self) if self in steps else 0
        return steps[place - 1] if place else None

    def __repr__(self) -> str:
        return f"Step({self.name})"

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return self.name == (other.name if isinstance(other, Step) else other)

    def __hash__(self) -> int:
        return hash(self.name)


_DEFINED: dict[str, Step] = {}
"""The steps that this process defines, by their names."""


def defined_steps() -> Mapping[str, Step]:
    """Return the steps that this process defines, by their names."""
    return _DEFINED


class Steps:
    """
    The steps of one kind of conversation: a subclass lists them, each as a `Step()`.

    A subclass can name the type of the conversation's values, as in `class Survey(Steps, values=Answers)`: a bot that
    starts then reports stored values that do not fit.
    """

    steps: ClassVar[tuple[Step, ...]] = ()
    """All steps, in the order in which they are listed; those of base classes first."""
    values_type: ClassVar[type | None] = None
    """Type of the conversation's values; None: not checked when a bot starts."""

    def __init_subclass__(cls, *, values: type | None = None) -> None:
        super().__init_subclass__()
        if values is not None:
            cls.values_type = values
        cls.steps = (*cls.steps, *(each for each in vars(cls).values() if isinstance(each, Step)))


StepChoice: TypeAlias = Step | type[Steps] | None
"""A step, all steps of a class, or None for a conversation that is at no step."""


def steps_in(choices: object) -> dict[str, Step]:
    """Return the steps among valid choices, by their names."""
    several = choices if isinstance(choices, tuple) else (choices,)
    listed = [each.steps if isinstance(each, type) and issubclass(each, Steps) else (each,) for each in several]
    return {step.name: step for steps in listed for step in steps if isinstance(step, Step)}


def step_names(choices: object) -> frozenset[str]:
    """
    Return the names of the chosen steps, with an empty one for None.

    Args:
        choices: A choice, or several in a tuple.

    Raises:
        TypeError: A value is not a choice.
        ValueError: A class lists no steps, the tuple is empty, or a step belongs to no class.
    """
    names: set[str] = set()
    for each in choices if isinstance(choices, tuple) else (choices,):
        match each:
            case None:
                names.add("")
            case Step():
                if not each.name:
                    raise ValueError(
                        "The step belongs to no class of steps; define it as in `class Survey(Steps): age = Step()`."
                    )
                names.add(each.name)
            case type() if issubclass(each, Steps):
                if not each.steps:
                    raise ValueError(f"{each.__name__} lists no steps, as in `age = Step()`.")
                names.update(step.name for step in each.steps)
            case _:
                raise TypeError(f"state= cannot be {each!r}; give a step, a class of steps, None, or several.")
    if not names:
        raise ValueError("state= cannot be an empty tuple; give a step, a class of steps, or None.")
    return frozenset(names)
