"""
Count how often an operation on an account is written: `python scripts/count_operations.py [FOLDER]`.

    places of an operation       its definitions, router entries and routes, from the flow to the command
    files of a route             of these, between the client and its remote twin
    files of an event            that name the class of the event, without tests
    lists of an event            of these, those in which every new kind of event must be named
    functions that pass on       that only call another one of their name, with their own arguments, or only refuse
      of the one surface         methods of AsyncClient, which has the documentation: decision 46
      elsewhere                  all others
    repeated docstrings          of functions that share their name and the first line with another function

Files that a script writes are left out. A count never justifies that code which says different things is hidden or
merged. FOLDER is another checkout.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path

GENERATED = ("client/blocking.py", "client/blocking_subscription.py", "bot/sync_context.py", "cli/summaries.py")
"""Modules that `make blocking` and `make messages` write."""

LAYERS = ("flows", "client", "representations", "gateway", "cli")
"""Packages in which the places of an operation are counted."""

OPERATIONS = ("mark_read", "set_remark", "leave_chatroom", "retry_send", "list_chats", "merge_identities")
"""Operations that have the same name in every layer, of each topic one or two."""

EVENTS = ("FriendRequest", "MessageRecalled", "ContinuityLost", "PhoneActivity")
"""Classes of events."""

MANY_EVENTS = 7
"""Number of classes of events from which on a file lists kinds of events; fewer are named for what the file does."""

OWN_LISTS = ("/client/sending/forward.py", "/client/reading/recalled.py")
"""Files with that many classes for what they do: they forward messages."""

SURFACE = ("/client/client.py", "AsyncClient")
"""The class whose methods pass on by design."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> list[Function]:
    """Return all functions and methods of a module."""
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def places(trees: dict[str, ast.AST], operation: str) -> list[str]:
    """Return the modules that define an operation, or list it in a router; a module may come several times."""
    found = []
    for name, tree in trees.items():
        if name.split("/")[1] not in LAYERS:
            continue
        found += [name for each in functions(tree) if each.name == operation]
        found += [
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.List) and "/api/" in name
            for each in node.elts
            if isinstance(each, ast.Name) and each.id == operation
        ]
        found += [
            name
            for node in ast.walk(tree)
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and "/representations/" in name
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id == operation.upper()
        ]
    return found


def is_passing_on(function: Function) -> bool:
    """Return whether a function only calls another one of its name, with its own arguments or none, or only refuses."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if len(body) != 1 or not isinstance(body[0], (ast.Return, ast.Expr)):
        return False
    value = body[0].value
    if isinstance(value, ast.Await):
        value = value.value
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    if value.func.attr == "refuse":
        return True
    if value.func.attr != function.name:
        return False
    arguments = function.args
    own = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    own |= {each.arg for each in (arguments.vararg, arguments.kwarg) if each is not None}
    given = [each.value if isinstance(each, ast.Starred) else each for each in value.args]
    given += [each.value for each in value.keywords]
    return all(isinstance(each, ast.Name) and each.id in own for each in given) and (len(own) > 1 or not given)


def class_in(tree: ast.AST, name: str) -> ast.ClassDef:
    """Return a class of a module."""
    return next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name)


def first_lines(trees: dict[str, ast.AST]) -> Counter[tuple[str, str]]:
    """Return how often a name occurs with the first line of its docstring."""
    return Counter(
        (each.name, text.splitlines()[0])
        for tree in trees.values()
        for each in functions(tree)
        if (text := ast.get_docstring(each))
    )


def main() -> None:
    """Print the counts of a checkout."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    source = root / "src" / "webwx"
    paths = [path for path in sorted(source.rglob("*.py")) if path.relative_to(source).as_posix() not in GENERATED]
    texts = {f"/{path.relative_to(source).as_posix()}": path.read_text("utf-8") for path in paths}
    trees: dict[str, ast.AST] = {name: ast.parse(text) for name, text in texts.items()}
    report = []
    for operation in OPERATIONS:
        found = places(trees, operation)
        report.append(f"places of {operation}: {len(found)} ({', '.join(found)})")
        gateway = {each for each in found if each.startswith(("/gateway/", "/representations/", "/client/remote/"))}
        report.append(f"files of the route of {operation}: {len(gateway)}")
    events = {
        node.name
        for name in ("/model/messages.py", "/model/events.py")
        for node in ast.walk(trees[name])
        if isinstance(node, ast.ClassDef) and any(each.arg == "tag" for each in node.keywords)
    }
    lists = [
        name
        for name, text in texts.items()
        if name not in OWN_LISTS and len(events & set(re.findall(r"\w+", text))) >= MANY_EVENTS
    ]
    for event in EVENTS:
        naming = [name for name, text in texts.items() if event in text]
        found = [name for name in naming if name in lists]
        report.append(f"files of the event {event}: {len(naming)}")
        report.append(f"lists of the event {event}: {len(found)} ({', '.join(found)})")
    passing = sum(is_passing_on(each) for tree in trees.values() for each in functions(tree))
    module, name = SURFACE
    surface = sum(is_passing_on(each) for each in functions(class_in(trees[module], name)))
    report.append(f"functions that pass on: {passing}")
    report.append(f"  of the one surface: {surface}")
    report.append(f"  elsewhere: {passing - surface}")
    repeated = sum(count for count in first_lines(trees).values() if count > 1)
    report.append(f"repeated docstrings: {repeated}")
    sys.stdout.write("\n".join(report) + "\n")


if __name__ == "__main__":
    main()
