"""The blocking classes equal the output of `make blocking`, which refuses what it has no rule for."""

from __future__ import annotations

import ast
import dataclasses
from functools import cache
from typing import TYPE_CHECKING

import pytest
from scripts.make_blocking import TARGETS, BlockingModule, Target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable
    from contextlib import AbstractAsyncContextManager


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.module)
def test_a_blocking_module_equals_the_output_of_make_blocking(target: Target) -> None:
    assert BlockingModule(target).source() == target.path.read_text(encoding="utf-8"), "run `make blocking`"


class Base:
    """An asynchronous class."""

    size: int = 3
    """How large it is."""

    def __init__(self, name: str, *, limit: int = 5) -> None:
        self._name = name
        self._limit = limit

    async def close(self) -> None:
        """Close it."""

    @property
    def name(self) -> str:
        r"""Its name, which \ may be in."""
        return self._name


class Whole(Base):
    """A class with a base."""

    async def find(self, words: str, *more: str, limit: int = 50) -> list[str]:
        """
        Find words.

        Open it with `async with`.
        """
        return [words, *more][:limit]

    async def close(self) -> None:
        await super().close()

    async def each(self) -> AsyncGenerator[str, None]:
        """Yield each."""
        yield self._name

    def later(self) -> Awaitable[int]:
        """Return a number later."""
        raise NotImplementedError

    def now(self) -> int:
        """Return a number."""
        return self._limit

    async def _private(self) -> None: ...


class Locked(Base):
    """A class with a lock."""

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Return a lock."""
        raise NotImplementedError


class Cached(Base):
    """A class with a static method."""

    @staticmethod
    def make() -> None:
        """Make one."""


def target_of(kind: type) -> Target:
    return Target(
        asynchronous=f"{kind.__module__}:{kind.__name__}",
        module="webwx.client.whole",
        docstring="What a test writes.",
        imports="from webwx.client.blocking_stream import iterate\nfrom webwx.client.loop_thread import run",
        type_imports="from collections.abc import Generator",
        head="class Blocking:",
        inner="self._inner",
        run="run",
        methods='def __repr__(self) -> str:\n    return "Blocking()"',
    )


@cache
def written(kind: type) -> dict[str, str]:
    """Return the source of each method that is written for a class."""
    tree = ast.parse(BlockingModule(target_of(kind)).source())
    (blocking,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return {node.name: ast.unparse(node) for node in blocking.body if isinstance(node, ast.FunctionDef)}


class TestMethods:
    def test_methods_are_in_the_order_of_definition_with_those_of_bases_first(self) -> None:
        assert list(written(Whole)) == [
            "__init__", "__repr__", "size", "close", "name", "find", "each", "later", "now"
        ]  # fmt: skip

    def test_a_coroutine_is_run_and_its_result_returned(self) -> None:
        assert written(Whole)["find"].splitlines() == [
            "def find(self, words: str, *more: str, limit: int=50) -> list[str]:",
            '    """',
            "        Find words.",
            "",
            "        Open it with `with`.",
            '        """',
            "    return run(self._inner.find(words, *more, limit=limit))",
        ]

    def test_a_coroutine_without_a_result_returns_nothing(self) -> None:
        assert written(Whole)["close"].splitlines()[-1] == "    run(self._inner.close())"

    def test_a_method_that_is_defined_again_keeps_its_docstring(self) -> None:
        assert '"""Close it."""' in written(Whole)["close"]

    def test_an_asynchronous_generator_becomes_a_generator(self) -> None:
        method = written(Whole)["each"]
        assert method.startswith("def each(self) -> Generator[str, None, None]:")
        assert method.endswith("return iterate(self._inner.each())")

    def test_an_awaitable_is_run_too(self) -> None:
        method = written(Whole)["later"]
        assert method.startswith("def later(self) -> int:")
        assert method.endswith("return run(self._inner.later())")

    def test_a_plain_method_is_forwarded(self) -> None:
        assert written(Whole)["now"].endswith("return self._inner.now()")

    def test_properties_and_fields_become_properties(self) -> None:
        methods = written(Whole)
        assert methods["size"].startswith('@property\ndef size(self) -> int:\n    """How large it is."""')
        assert methods["name"].endswith("return self._inner.name")
        assert "which \\ may" in ast.literal_eval(methods["name"].splitlines()[2].strip())

    def test_the_asynchronous_object_is_made_with_all_parameters(self) -> None:
        method = written(Whole)["__init__"]
        assert method.startswith("def __init__(self, name: str, *, limit: int=5) -> None:")
        assert method.endswith("self._inner = Whole(name, limit=limit)")


def test_members_can_be_chosen() -> None:
    chosen = dataclasses.replace(target_of(Whole), members=("now",), class_docstring="A choice.")
    source = BlockingModule(chosen).source()
    assert "def now" in source
    assert "def later" not in source
    assert '"""A choice."""' in source


class TestWithoutARule:
    def test_a_type_that_cannot_be_blocking_is_refused(self) -> None:
        with pytest.raises(TypeError, match="no rule for AbstractAsyncContextManager in lock"):
            BlockingModule(target_of(Locked)).source()

    def test_a_static_method_is_refused(self) -> None:
        with pytest.raises(TypeError, match="no rule for the decorators or the result of make"):
            BlockingModule(target_of(Cached)).source()

    def test_source_that_the_linter_refuses_is_not_written(self) -> None:
        broken = dataclasses.replace(target_of(Whole), imports="")
        with pytest.raises(ValueError, match="F821"):
            BlockingModule(broken).source()
