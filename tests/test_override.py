"""The mark of methods that a base class documents."""

from __future__ import annotations

import inspect

from webwx.override import override


class Base:
    def say(self) -> str:
        """Return a text."""
        return "base"


class Derived(Base):
    @override
    def say(self) -> str:
        return "derived"


def test_a_marked_method_runs_and_has_the_documentation_of_its_base() -> None:
    assert Derived().say() == "derived"
    assert inspect.getdoc(Derived.say) == "Return a text."
