"""The strings under the fields of classes, which documentation made from the code repeats."""

from __future__ import annotations

import ast
import importlib
import inspect
from functools import cache
from itertools import pairwise


def field_texts(kind: type) -> dict[str, str]:
    """Return the string under each field of a class, those of base classes included; none without source files."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("webwx."):
            found |= _strings_in(base.__module__).get(base.__name__, {})
    return found


@cache
def _strings_in(module: str) -> dict[str, dict[str, str]]:
    """Read the strings under the fields of every class of a module."""
    try:
        source = inspect.getsource(importlib.import_module(module))
    except OSError:  # an installation of compiled modules only
        return {}
    classes: dict[str, dict[str, str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            strings = classes[node.name] = {}
            for field, below in pairwise(node.body):
                match field, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        strings[name] = inspect.cleandoc(text)
    return classes
