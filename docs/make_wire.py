"""Writes docs/wire.md from the endpoints themselves, so that the table cannot drift from the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from webwx.client.client import AsyncClient
from webwx.sandbox.wire_table import CallDescription, StructTable, calls, structs, words

PAGE = Path(__file__).with_name("wire.md")

INTRODUCTION = """\
# The wire

Every call of this project with its fields, generated from the code by `make docs`; do not edit.
How the platform behaves, and where each fact comes from, is in [the protocol](protocol/README.md).

Each call is defined once, in `src/webwx/protocol/`, for the client and for the sandbox.
A call that is not repeatable is never sent again when its answer was lost: see [sending](topics/sending.md).
The hosts are in [hosts](topics/hosts.md), and the meanings of `Ret` in [errors](topics/errors.md).
A field without a text has no known meaning beyond its name.
"""


def page() -> str:
    """Return the whole page."""
    verbs = verbs_by_call()
    parts = [INTRODUCTION, "\n| Call | Address | Purpose | Client methods |\n|---|---|---|---|\n"]
    for call in calls():
        path = call.address.rpartition(" ")[2]
        used = in_code(verbs.get(call.name, []))
        parts.append(f"| [`{call.name}`](#{call.name}) | `{path}` | {call.purpose} | {used} |\n")
    parts += ["\n## Calls\n", *(write_call(call, verbs.get(call.name, [])) for call in calls())]
    parts.append("\n## Structs\n\nThe objects inside requests and replies.\n")
    parts += [f"\n### {each.name}\n\n{each.summary}\n{write_table(each)}" for each in structs()]
    return "".join(parts)


def verbs_by_call() -> dict[str, list[str]]:
    """Read from the `Wire:` lines of the client which verbs make a call."""
    found: dict[str, list[str]] = {}
    for name, verb in inspect.getmembers(AsyncClient, inspect.isfunction):
        line = re.search(r"^Wire: (.+)$", inspect.getdoc(verb) or "", re.MULTILINE)
        for call in re.sub(r"\(.*?\)", "", line[1]).split(",") if line else ():
            found.setdefault(call.strip(), []).append(name)
    return found


def write_call(call: CallDescription, verbs: list[str]) -> str:
    """Return the section of one call."""
    used_by = (
        f"Used by {in_code(verbs)}." if verbs else "The client has no method for it; phones and other clients use it."
    )
    text = f"\n### {call.name}\n\n{call.purpose[0].upper()}{call.purpose[1:]}.\n{used_by}\n\n`{call.address}`\n\n"
    text += "".join(f"- {name}: {fact}\n" for name, fact in call.facts)
    for title, table in (("Request", call.request), ("Reply", call.reply)):
        is_bytes = not table.fields
        text += f"\n{title}: {'the bytes, with their content type.' if is_bytes else table.summary}\n"
        text += "" if is_bytes else write_table(table)
    return text


def write_table(table: StructTable) -> str:
    """Return the table of a struct's fields."""
    columns = ["Field", "In", "Type", "Meaning"] if table.has_places else ["Field", "Type", "Meaning"]
    rows = [
        [
            f"`{field.name}`",
            *([field.where] if table.has_places else []),
            words(field.kind, lambda name: f"[{name}](#{name.lower()})"),
            field.meaning.replace("|", "\\|"),
        ]
        for field in table.fields
    ]
    head, *rest = [f"| {' | '.join(line)} |\n" for line in (columns, *rows)]
    return f"\n{head}{'|---' * len(columns)}|\n{''.join(rest)}"


def in_code(names: list[str]) -> str:
    """Write names as code."""
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
