"""
Count what shows how often one fact is written: `python scripts/count_structure.py [FOLDER]`.

    modules that name a table    of storage/, with the name in a statement or as a string of its own; see `names_table`
    methods of an engine         of the protocols that a storage engine implements, beside logins, storage and leases
    lines of engines             of storage/sqlite, storage/postgres and storage/memory
    code lines                   of src, without empty lines, comments and docstrings
    lines of tests               all lines

A count never justifies that code which says different things is hidden or merged. FOLDER is another checkout.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

TABLES = ("timers", "records", "outbox", "states", "consumers", "failures", "conversations", "links", "media")

BESIDE = ("LoginStore", "RecordStore", "Storage", "SharedStorage", "SendFiles", "Leases")
"""Protocols that are counted beside those of an engine's journal."""

OTHERS = (
    "StoredAccountReader", "StoredAccountWriter", "JournalTransfer", "RestoredStorage", "Passphrase",
    "PiggybackedWrite", "BackgroundJobs", "Outbox",
)  # fmt: skip
"""
Protocols of storage/ that are not counted: copies, restores, those inside of one engine, and the one of sends, which
stands once for all engines, and which a client wraps.
"""


_BEFORE_A_TABLE = "FROM|JOIN|INTO|UPDATE|TABLE|ON|REFERENCES|EXISTS|ONLY"
"""Words of SQL before the name of a table."""


def strings(source: str) -> list[str]:
    """Return the strings of a module, without docstrings and comments."""
    tree = ast.parse(source)
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def names_table(text: str, table: str) -> bool:
    """
    Return whether a string names a table: it is the name, or a statement with the name behind a word of SQL.

    A column of this name, a word of a message and a part of a path are none.
    """
    return text == table or re.search(rf"\b(?:{_BEFORE_A_TABLE})\s+{table}\b", text) is not None


def code_lines(source: str) -> int:
    """Return the number of lines with code."""
    tree = ast.parse(source)
    prose = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    no_code = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in no_code
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - prose)


def protocols(source: str) -> dict[str, list[str]]:
    """Return what an engine has to give for each protocol and abstract class of a module: methods and properties."""
    return {
        node.name: [
            name
            for each in node.body
            for name in _given(each, is_protocol="Protocol" in _bases(node))
            if name not in _set_by_itself(node)
        ]
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and ("Protocol" in _bases(node) or "ABC" in _bases(node))
    }


def _bases(node: ast.ClassDef) -> str:
    return " ".join(map(ast.unparse, node.bases))


def _set_by_itself(node: ast.ClassDef) -> set[str]:
    """Return the attributes that a class sets in its own `__init__`, so that a subclass need not."""
    return {
        target.attr
        for each in node.body
        if isinstance(each, ast.FunctionDef) and each.name == "__init__"
        for assignment in ast.walk(each)
        if isinstance(assignment, ast.Assign)
        for target in assignment.targets
        if isinstance(target, ast.Attribute)
    }


def _given(each: ast.stmt, *, is_protocol: bool) -> list[str]:
    """Return the name of a member that a subclass gives: each of a protocol, and the abstract ones of other classes."""
    name = ""
    if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
        name = each.name if is_protocol or "abstractmethod" in map(ast.unparse, each.decorator_list) else ""
    elif isinstance(each, ast.AnnAssign) and not is_protocol and each.value is None:
        name = ast.unparse(each.target)
    return [name] if name and not name.startswith("__") else []


def main() -> None:
    """Print the counts of a checkout."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    source = root / "src" / "webwx"
    modules = {path: path.read_text("utf-8") for path in sorted(source.rglob("*.py"))}
    storage = {path: text for path, text in modules.items() if "storage" in path.relative_to(source).parts}
    found = {path: strings(text) for path, text in storage.items()}
    report = []
    for table in TABLES:
        naming = [path for path, texts in found.items() if any(names_table(text, table) for text in texts)]
        report.append(f"modules that name {table}: {len(naming)}")
    engines = {path: text for path, text in storage.items() if path.parts[-2] in {"sqlite", "postgres", "memory"}}
    contracts: dict[str, list[str]] = {}
    for text in storage.values():
        contracts |= {name: methods for name, methods in protocols(text).items() if name not in OTHERS}
    of_engine = {name: methods for name, methods in contracts.items() if name not in BESIDE}
    beside = {name: methods for name, methods in contracts.items() if name in BESIDE}
    report.append(f"methods of {len(of_engine)} protocols of an engine: {sum(map(len, of_engine.values()))}")
    report.append(f"methods of logins, records, storage and leases: {sum(map(len, beside.values()))}")
    report.append(f"lines of engines: {sum(text.count(chr(10)) for text in engines.values()):,}")
    report.append(f"code lines of src: {sum(map(code_lines, modules.values())):,}")
    tests = (path.read_text("utf-8").count("\n") for path in (root / "tests").rglob("*.py"))
    report.append(f"lines of tests: {sum(tests):,}")
    sys.stdout.write("\n".join(report) + "\n")


if __name__ == "__main__":
    main()
