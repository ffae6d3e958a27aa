"""
Write the blocking classes from the asynchronous ones.

Every public method, property and field of the asynchronous class becomes one of the blocking class, with the same
parameters and docstring. `RESULTS` has what is returned in place of an awaitable or an asynchronous stream.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[1]

RESULTS = {
    "AsyncGenerator": ("Generator[{0}, None, None]", "iterate({call})"),
    "AsyncIterator": ("Generator[{0}, None, None]", "iterate({call})"),
    "Awaitable": ("{0}", "{run}({call})"),
    "Context": ("SyncContext", "SyncContext({call}, self._loop)"),
    "Coroutine": ("{2}", "{run}({call})"),
    "EventStream": ("BlockingEventStream", "BlockingEventStream({call})"),
    "Subscription": ("BlockingSubscription", "BlockingSubscription({call})"),
}
"""By the type that a method returns without `await`: the type of the blocking method, and the expression it returns."""

PROPERTIES = {"ConversationState": ("SyncConversationState", "SyncConversationState({attribute}, self._loop)")}
"""By the type of a property or field: the type of the blocking one, and the expression that it returns."""

ASYNCHRONOUS = {*RESULTS, *PROPERTIES, "AbstractAsyncContextManager", "AsyncIterable"}
"""Types that a blocking signature must not have."""

DOCSTRING_WORDS = {
    "`async with`": "`with`",
    "an asynchronous handler": "a handler that is a plain function and runs in a thread",
    "`Context[": "`SyncContext[",
}
"""Words of asynchronous docstrings, and the words of the blocking ones."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Target:
    """A module with one blocking class, and everything in it that is not made from the asynchronous class."""

    asynchronous: str
    """Module and name of the asynchronous class."""
    module: str
    docstring: str
    """Of the module."""
    imports: str
    """Imports of the parts below and of `RESULTS`."""
    type_imports: str
    """The same for annotations only."""
    head: str
    """The line that begins the class, and what stands before it."""
    inner: str
    """The attribute with the asynchronous object."""
    run: str
    """The function that runs a coroutine and returns its result."""
    methods: str
    """Methods that are written by hand."""
    last_assignment: str = ""
    """The end of an `__init__` that is made from the asynchronous one."""
    class_docstring: str = ""
    """Empty: that of the asynchronous class."""
    members: tuple[str, ...] = ()
    """Names of the members that are made from the asynchronous ones; empty: all public ones."""

    @property
    def path(self) -> Path:
        """The file of the module."""
        return ROOT.joinpath("src", *self.module.split(".")).with_suffix(".py")


TARGETS = (
    Target(
        asynchronous="webwx.bot.state:ConversationState",
        module="webwx.bot.sync_state",
        docstring="The state of a conversation for a plain handler: `ConversationState` without `await`.",
        imports="""
import asyncio

from webwx.bot.threads import wait_for
""",
        type_imports="""
from collections.abc import Coroutine
from typing import Any

from webwx.bot.state import T
""",
        head="class SyncConversationState:",
        inner="self._state",
        run="self._wait",
        methods="""
__slots__ = ("_loop", "_state")

def __init__(self, state: ConversationState, loop: asyncio.AbstractEventLoop) -> None:
    self._state = state
    self._loop = loop

def __repr__(self) -> str:
    return repr(self._state).replace("ConversationState", "SyncConversationState", 1)

def _wait(self, work: Coroutine[Any, Any, T]) -> T:
    return wait_for(asyncio.run_coroutine_threadsafe(work, self._loop))
""",
        class_docstring=(
            "The step that a conversation has reached, and its values, for a handler that runs in a thread.\n\n"
            "The first call waits until no other handler uses the same state; then this handler has it until it ends."
        ),
    ),
    Target(
        asynchronous="webwx.client.client:AsyncClient",
        module="webwx.client.blocking",
        docstring="The client without `await`: each call runs on the loop that all clients of the process share.",
        imports="""
from webwx.client.blocking_stream import BlockingEventStream, iterate
from webwx.client.blocking_subscription import BlockingSubscription
from webwx.client.loop_thread import OwnLoop
""",
        type_imports="""
from collections.abc import Generator
from types import TracebackType
from typing import Self
""",
        head="class Client:",
        inner="self._client",
        run="self._loop.run",
        last_assignment='self._loop = OwnLoop("client")',
        methods="""
def __repr__(self) -> str:
    return repr(self._client).replace("AsyncClient", "Client", 1)

def __enter__(self) -> Self:
    return self

def __exit__(
    self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> None:
    if self._loop.is_of_this_process:
        self.close()
""",
    ),
    Target(
        asynchronous="webwx.client.reading.subscription:Subscription",
        module="webwx.client.blocking_subscription",
        docstring="A subscription without `await`.",
        imports="from webwx.client.loop_thread import OwnLoop",
        type_imports="""
from types import TracebackType
from typing import Self
""",
        head="class BlockingSubscription:",
        inner="self._subscription",
        run="self._loop.run",
        methods='''
def __init__(self, subscription: Subscription) -> None:
    self.name: str = subscription.name
    self._subscription = subscription
    self._loop = OwnLoop("subscription")

def __repr__(self) -> str:
    return f"BlockingSubscription({self.name!r})"

def __enter__(self) -> Self:
    self._loop.run(self._subscription.open())
    return self

def __exit__(
    self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> None:
    if self._loop.is_of_this_process:
        self._loop.run(self._subscription.close())

def ack(self, number: int) -> None:
    """Acknowledge an entry, and return once the acknowledgement is stored."""

    async def ack() -> None:
        self._subscription.ack(number)
        await self._subscription.flush()

    self._loop.run(ack())
''',
        class_docstring=(
            "A consumer of one account's events; `Client.subscribe` returns it, and it is open inside `with`."
        ),
        members=("take", "failed", "give_up"),
    ),
    Target(
        asynchronous="webwx.bot.context:Context",
        module="webwx.bot.sync_context",
        docstring="The context of a handler that is a plain function: `Context` without `await`.",
        imports="""
import asyncio
from typing import Generic, TypeVar

from webwx.bot.context import M
from webwx.bot.sync_state import SyncConversationState
from webwx.bot.threads import wait_for
""",
        type_imports="""
from collections.abc import Coroutine
from typing import Any
""",
        head='T = TypeVar("T")\n\nclass SyncContext(Generic[M]):',
        inner="self._context",
        run="self.wait",
        methods='''
__slots__ = ("_context", "_loop")

def __init__(self, context: Context[M], loop: asyncio.AbstractEventLoop) -> None:
    self._context = context
    self._loop = loop

def __repr__(self) -> str:
    return repr(self._context).replace("Context", "SyncContext", 1)

def wait(self, work: Coroutine[Any, Any, T]) -> T:
    """Run a call of the client and return its result, as in `ctx.wait(ctx.client.list_chats())`."""
    return wait_for(asyncio.run_coroutine_threadsafe(work, self._loop))
''',
    ),
)


class SourceModule:
    """A module with an asynchronous class or a base of one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        self._imports = imports_in(self._tree)
        self._imports |= {each: f"from {name} import {each}" for each in defined_in(self._tree)}

    def body_of(self, class_name: str) -> list[ast.stmt]:
        """Return the body of a class."""
        classes = (node for node in self._tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)
        return next(classes).body

    def imports_of(self, *nodes: ast.AST | None) -> dict[str, str]:
        """Return the names that these nodes use and this module has, each with the statement that imports it."""
        names = {each.id for node in nodes if node for each in ast.walk(node) if isinstance(each, ast.Name)}
        return {name: self._imports[name] for name in names if name in self._imports}


source_module = cache(SourceModule)


def imports_in(tree: ast.Module) -> dict[str, str]:
    """Return the names that a module imports, each with the statement that imports it."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {each.asname or each.name: f"import {ast.unparse(each)}" for each in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {each.asname or each.name: f"from {module} import {ast.unparse(each)}" for each in names}
    return found


def defined_in(tree: ast.Module) -> list[str]:
    """Return the names that a module defines."""
    names: list[str] = []
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                names.append(name)
    return names


@dataclass(frozen=True)
class Member:
    """A method, property or field of an asynchronous class."""

    name: str
    node: Function | ast.AnnAssign
    module: SourceModule
    docstring: str


def members_of(kind: type) -> list[Member]:
    """Return the public members of a class and its `__init__`, in the order of definition, those of bases first."""
    found: dict[str, Member] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] != kind.__module__.partition(".")[0]:
            continue
        module = source_module(base.__module__)
        body = module.body_of(base.__name__)
        for node, following in zip_longest(body, body[1:]):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    docstring = ast.get_docstring(node)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    docstring = ast.get_docstring(ast.Module([following] if following else [], []))
                case _:
                    continue
            if name == "__init__" or not name.startswith("_"):
                inherited = found[name].docstring if name in found else ""
                found[name] = Member(name, node, module, docstring or inherited)
    return list(found.values())


class BlockingModule:
    """A module with a blocking class, while it is written."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._imports = imports_in(ast.parse(target.imports))
        self._type_imports = imports_in(ast.parse(target.type_imports))

    def source(self) -> str:
        """
        Return the module's source.

        Raises:
            TypeError: There is no rule for a decorator or a type of the asynchronous class.
        """
        module, _, name = self._target.asynchronous.partition(":")
        kind = getattr(importlib.import_module(module), name)
        self._imports[name] = f"from {module} import {name}"
        own_methods = self._target.methods
        methods = [own_methods]
        for member in members_of(kind):
            if member.name == "__init__":
                if "def __init__" not in own_methods:
                    methods.insert(0, self._init(member, name))
            elif not self._target.members or member.name in self._target.members:
                methods.append(self._method(member))
        docstring = self._target.class_docstring or inspect.getdoc(kind) or ""
        body = "\n\n".join([written_docstring(docstring), *methods])
        type_imports = {statement for name, statement in self._type_imports.items() if name not in self._imports}
        lines = [
            written_docstring(self._target.docstring),
            f"\n# Written by `make blocking` from {name}; do not edit.\n",
            "from __future__ import annotations\n",
            "from typing import TYPE_CHECKING",
            *sorted(set(self._imports.values())),
            "\nif TYPE_CHECKING:",
            *(f"    {statement}" for statement in sorted(type_imports)),
            f"\n{self._target.head}",
            textwrap.indent(body, "    "),
        ]
        return formatted("\n".join(lines), self._target.path)

    def _init(self, member: Member, name: str) -> str:
        match member.node:
            case ast.FunctionDef(args=parameters):
                assignments = (
                    f"{self._target.inner} = {name}({arguments(parameters)})\n    {self._target.last_assignment}"
                )
                return f"{self._signature(member, parameters, 'None')}\n    {assignments}"
            case _:
                raise TypeError("The __init__ is no function.")

    def _method(self, member: Member) -> str:
        """
        Return the source of a blocking method or property.

        Raises:
            TypeError: There is no rule for its decorators or its types.
        """
        attribute = f"{self._target.inner}.{member.name}"
        docstring = textwrap.indent(written_docstring(member.docstring), "    ")
        match member.node:
            case (
                ast.AnnAssign(annotation=result)
                | ast.FunctionDef(decorator_list=[ast.Name(id="property")], returns=ast.expr() as result)
            ):
                written, value = PROPERTIES.get(ast.unparse(result), (ast.unparse(result), "{attribute}"))
                annotation = self._annotation(member, ast.parse(written, mode="eval"))
                value = value.format(attribute=attribute)
                return f"@property\ndef {member.name}(self) -> {annotation}:\n{docstring}\n    return {value}"
            case ast.FunctionDef(decorator_list=[], args=parameters, returns=ast.expr() as result) as function:
                returned, value = blocking_result(function, result)
            case (
                ast.AsyncFunctionDef(
                    decorator_list=[] | [ast.Name(id="abstractmethod")], args=parameters, returns=ast.expr() as result
                ) as function
            ):
                returned, value = blocking_result(function, result)
            case _:
                raise TypeError(f"There is no rule for the decorators or the result of {member.name}.")
        value = value.format(call=f"{attribute}({arguments(parameters)})", run=self._target.run)
        statement = value if returned == "None" else f"return {value}"
        return f"{self._signature(member, parameters, returned)}\n{docstring}\n    {statement}"

    def _signature(self, member: Member, parameters: ast.arguments, returned: str) -> str:
        self._imports |= member.module.imports_of(*parameters.defaults, *parameters.kw_defaults)
        result = self._annotation(member, ast.parse(returned, mode="eval"))
        return f"def {member.name}({self._annotation(member, parameters)}) -> {result}:"

    def _annotation(self, member: Member, node: ast.AST) -> str:
        """Return the source of annotations, once the names in them are imported."""
        needed = member.module.imports_of(node)
        if left := ASYNCHRONOUS.intersection(needed):
            raise TypeError(f"There is no rule for {' and '.join(sorted(left))} in {member.name}.")
        self._type_imports |= needed
        return ast.unparse(node)


def blocking_result(function: Function, annotation: ast.expr) -> tuple[str, str]:
    """Return the type of the blocking method, and the expression that it returns."""
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    inner = annotation.slice if isinstance(annotation, ast.Subscript) else ast.Tuple([])
    if isinstance(function, ast.AsyncFunctionDef) and not is_generator(function):
        return ast.unparse(annotation), "{run}({call})"
    written, value = RESULTS.get(ast.unparse(outer), (ast.unparse(annotation), "{call}"))
    return written.format(*map(ast.unparse, inner.elts if isinstance(inner, ast.Tuple) else [inner])), value


def is_generator(function: ast.AsyncFunctionDef) -> bool:
    """Return whether a call returns an asynchronous generator instead of a coroutine."""
    return any(isinstance(node, ast.Yield) for node in ast.walk(function))


def arguments(parameters: ast.arguments) -> str:
    """Return the arguments of a call that passes every parameter on."""
    passed = [each.arg for each in (*parameters.posonlyargs, *parameters.args) if each.arg != "self"]
    passed += [f"*{parameters.vararg.arg}"] if parameters.vararg else []
    passed += [f"{each.arg}={each.arg}" for each in parameters.kwonlyargs]
    passed += [f"**{parameters.kwarg.arg}"] if parameters.kwarg else []
    return ", ".join(passed)


def written_docstring(text: str) -> str:
    """Return the source of a docstring, in the words for what is not awaited."""
    for asynchronous, blocking in DOCSTRING_WORDS.items():
        text = text.replace(asynchronous, blocking)
    quotes = 'r"""' if "\\" in text else '"""'
    return f'{quotes}\n{text}\n"""' if "\n" in text else f'{quotes}{text}"""'


def formatted(source: str, path: Path) -> str:
    """
    Return the source of a file as the project's linter and formatter write it.

    Raises:
        ValueError: The linter refuses it.
    """
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--quiet", "--fix", "--extend-ignore=E501"], ["format"]):
        done = subprocess.run(  # noqa: S603 - a tool of the project
            [ruff, *command, f"--stdin-filename={path}", "-"],
            cwd=ROOT, input=source, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ValueError(done.stderr)
        source = done.stdout
    return source


def main() -> None:
    """Write every module."""
    for target in TARGETS:
        target.path.write_text(BlockingModule(target).source(), encoding="utf-8")


if __name__ == "__main__":
    main()
