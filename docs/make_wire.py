"""
Writes docs/wire.md from the endpoints themselves, so that the table cannot drift from the code.

Names, types and places come from the structs; what a field means comes from the string under it, which exists in the
source only and is read from there.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import types
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from webwx import protocol
from webwx.client.aio import AsyncClient
from webwx.protocol.codec import FORM, JSON, MEDIA, MULTIPART, FilePart, Media, Wire
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.http import Patience

PAGE = Path(__file__).with_name("wire.md")

SHAPES = {id(JSON): "JSON", id(FORM): "form", id(MULTIPART): "multipart form", id(MEDIA): "bytes"}

PATIENCE = {
    Patience.CALL: "ordinary",
    Patience.POLL: "long poll, held for about 25 s",
    Patience.BULK: "bulk, may take minutes",
}

INTRODUCTION = """\
# The wire

Every call this project speaks, generated from the code by `make docs`; do not edit.

Each call is defined once, in `src/webwx/protocol/`, and used from both ends: by the client and by the sandbox.
A call that is not repeatable is never sent a second time when its answer was lost: see [sending](topics/sending.md).
Which host plays which part is in [hosts](topics/hosts.md); what a `Ret` means is in [errors](topics/errors.md).
Where a field has no text, its name is all that is known or needed.
"""


def page() -> str:
    """Give the whole page."""
    verbs = verbs_by_call()
    parts = [INTRODUCTION, "\n| Call | Address | What for | Verbs of the client |\n|---|---|---|---|\n"]
    parts += [
        f"| [`{call.name}`](#{call.name}) | `{call.path}` | {call.purpose} | {in_code(verbs.get(call.name, []))} |\n"
        for call in protocol.ENDPOINTS
    ]
    parts += ["\n## Calls\n", *(describe_call(call, verbs.get(call.name, [])) for call in protocol.ENDPOINTS)]
    parts += ["\n## Structs\n\nWhat stands inside requests and replies.\n", *map(describe_struct, inner_structs())]
    return "".join(parts)


def verbs_by_call() -> dict[str, list[str]]:
    """Read from the `Wire:` lines of the client which verbs make a call."""
    found: dict[str, list[str]] = {}
    for name, verb in inspect.getmembers(AsyncClient, inspect.isfunction):
        line = re.search(r"^Wire: (.+)$", inspect.getdoc(verb) or "", re.MULTILINE)
        for call in re.sub(r"\(.*?\)", "", line[1]).split(",") if line else ():
            found.setdefault(call.strip(), []).append(name)
    return found


def describe_call(call: Endpoint[Any, Any], verbs: list[str]) -> str:
    """Give the section of one call."""
    body = SHAPES[id(call.body)] if call.inside else "none"
    used_by = f"Used by {in_code(verbs)}." if verbs else "No verb calls it: phones and other clients do."
    text = (
        f"\n### {call.name}\n\n{call.purpose[0].upper()}{call.purpose[1:]}.\n{used_by}\n\n"
        f"`{' or '.join(call.methods)} {call.path}`\n\n"
        f"- Host: {call.host.value}\n"
        f"- Repeatable: {'yes' if call.repeatable else 'no'}\n"
        f"- Patience: {PATIENCE[call.patience]}\n"
        f"- Body: {body}; reply: {SHAPES.get(id(call.reply_shape), 'script or XML')}\n"
    )
    # A script or XML answer has names of its own kind, which are those of the struct's fields.
    has_wire_names = id(call.reply_shape) in SHAPES
    request = table("Request", call.request, call.outside)
    return text + request + table("Reply", call.reply, {}, has_wire_names=has_wire_names)


def describe_struct(kind: type[msgspec.Struct]) -> str:
    """Give the section of one struct."""
    return f"\n### {kind.__name__}\n\n{first_line(kind)}\n" + table("", kind, {})


def table(title: str, kind: type[msgspec.Struct], outside: dict[str, Any], *, has_wire_names: bool = True) -> str:
    """Give the table of a struct's fields; `outside` says where those travel that are not in the body."""
    fields = msgspec.structs.fields(kind)
    if kind is Media or not fields:
        return f"\n{title}: the bytes, with their content type.\n"
    columns = ["Field", "In", "Type", "Meaning"] if outside else ["Field", "Type", "Meaning"]
    rows = []
    meanings = docstrings(kind)
    for field in fields:
        where, name = "body", field.encode_name if has_wire_names else field.name
        if field.name in outside:
            where, name = outside[field.name][0].value, outside[field.name][1]
        meaning = meanings.get(field.name, "").replace("\n", " ").replace("|", "\\|")
        rows.append([f"`{name}`", *([where] if outside else []), describe_type(field.type), meaning])
    heading = f"\n{title}: {first_line(kind)}\n" if title else ""
    lines = [columns, *rows]
    head, *rest = [f"| {' | '.join(line)} |\n" for line in lines]
    return f"{heading}\n{head}{'|---' * len(columns)}|\n{''.join(rest)}"


def describe_type(kind: Any) -> str:
    """Say in the reader's words what a field holds."""
    arguments = get_args(kind)
    if get_origin(kind) is Annotated:
        return describe_type(arguments[0])
    if get_origin(kind) in {list, tuple}:
        return f"list of {describe_type(arguments[0])}"
    if get_origin(kind) in {Union, types.UnionType}:
        optional = ", may be absent" if msgspec.UnsetType in arguments else ""
        return " or ".join(describe_type(each) for each in arguments if each is not msgspec.UnsetType) + optional
    if isinstance(kind, type) and issubclass(kind, Wire):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    known = {int: "number", str: "text", msgspec.Raw: "JSON, read item by item", FilePart: "file"}
    return known.get(kind, "JSON")


def inner_structs() -> list[type[msgspec.Struct]]:
    """Give the structs that are no request and no reply, in the order of their modules."""
    outer = {kind for call in protocol.ENDPOINTS for kind in (call.request, call.reply)}
    found: dict[type[msgspec.Struct], None] = {}
    for info in pkgutil.iter_modules(protocol.__path__):
        module = importlib.import_module(f"webwx.protocol.{info.name}")
        for kind in vars(module).values():
            is_wire = isinstance(kind, type) and issubclass(kind, Wire) and kind.__module__ == module.__name__
            if is_wire and kind is not Wire and kind not in outer:
                found[kind] = None
    return list(found)


def docstrings(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Read the string under each field, those of base classes included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("webwx."):
            continue
        (body,) = ast.parse(inspect.getsource(base)).body
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for field, below in pairwise(statements):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = inspect.cleandoc(text)
    return found


def first_line(kind: type) -> str:
    """Give the first line of a docstring."""
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def in_code(names: list[str]) -> str:
    """Write names as code."""
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
