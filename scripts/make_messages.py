"""
Bring the catalogue of translated messages up to date: `make messages`, then translate what the script lists.

The messages are collected from calls of `_`, `N_` and `ngettext` in the command line, from the help of all commands,
and from the tables of lower layers that the command line prints. New ones are added without a translation, old ones are
removed, and the catalogue is compiled. `problems()` is what a test checks.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any

import click
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from webwx.cli import webwx
from webwx.cli.help_pages import COMMENT
from webwx.cli.language import CHINESE, DOMAIN, FOLDER
from webwx.client.state import TEMPLATES
from webwx.outcomes import MEANING
from webwx.sandbox.action_table import ACTIONS
from webwx.sandbox.faults import catalogue

SOURCE = Path(FOLDER).parent
CATALOGUE = Path(FOLDER) / CHINESE / "LC_MESSAGES" / f"{DOMAIN}.po"
COMPILED = CATALOGUE.with_suffix(".mo")

KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}

PRINTING = {
    "result", "line", "remark", "report", "announce", "confirm",
    "BadInput", "CommandFailed", "UsageError", "BadParameter",
}  # fmt: skip
"""Functions and exceptions whose first argument is shown to the user."""

REPEATED = re.compile(r"(（[^（）]+）)\1+")
"""An explanation in brackets that follows itself."""

ENGLISH = re.compile(r"^[^$]*\b[A-Za-z]{2,} [a-z]{2,}")
"""Words of a sentence, outside a command of the shell."""

MessageId = str | tuple[str, ...]

NOT_SHOWN = re.compile(
    r"Error:|Aborted|Deprecat|deprecated|^d$|Editing failed|Windows error|defined twice|Boolean option"
    r"|Could not determine|No options defined|Arguments take exactly|Confirm the action|prog|dynamic|Unknown"
    r"|Invalid start|Repeat for"
    r"|Press any key|Choice\(|UUID|does not match|valid boolean|Bash|Try '"
)
"""Messages of click that the command line never prints."""


def source_messages() -> set[MessageId]:
    """Return all messages that have to be translated."""
    own = _extracted(SOURCE)
    of_click = {each for each in _extracted(Path(click.__file__).parent) if not NOT_SHOWN.search(_first(each))}
    return (
        own
        | of_click
        | {*_help_of(webwx, click.Context(webwx)), *MEANING.values(), *_sentences(), *TEMPLATES.values(), *_faults()}
    )


def read_catalogue() -> Catalog:
    """Return the catalogue of this repository."""
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale=CHINESE, domain=DOMAIN)


def updated(old: Catalog, messages: set[MessageId]) -> Catalog:
    """Return a catalogue of exactly these messages, with the translations of another one."""
    new = Catalog(locale=CHINESE, domain=DOMAIN, fuzzy=False)
    for message in sorted(messages, key=_first):
        known = old.get(message)
        empty = "" if isinstance(message, str) else ("",)
        new.add(message, known.string if known else empty)
    return new


def compiled(catalogue: Catalog) -> bytes:
    """Return the content of the compiled catalogue."""
    file = BytesIO()
    write_mo(file, _without_dates(catalogue))
    return file.getvalue()


def problems() -> Iterator[str]:
    """Yield what is wrong with the catalogue, one sentence each."""
    catalogue, needed = read_catalogue(), source_messages()
    known: dict[MessageId, Any] = {_id(message): message.string for message in catalogue if message.id}
    yield from (f"not in the catalogue: {each!r}" for each in needed - known.keys())
    yield from (f"not in the code any more: {each!r}" for each in known.keys() - needed)
    for message, translation in known.items():
        yield from mistakes_of(message, translation)
    for file in sorted(SOURCE.glob("*.py")):
        yield from (f"{file.name}: not marked for translation: {each}" for each in unmarked(file.read_text("utf-8")))
    if COMPILED.read_bytes() != compiled(catalogue):
        yield "the compiled catalogue is old; run `make messages`"


def mistakes_of(message: MessageId, translation: str | Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a translation; in Chinese, one text serves for any number."""
    source = message if isinstance(message, str) else message[-1]
    for text in [translation] if isinstance(translation, str) else translation:
        if not text:
            yield f"not translated: {source!r}"
            continue
        for what, of in (("placeholders", _placeholders), ("options and commands", _literals)):
            if of(text) != of(source):
                yield f"other {what} than in {source!r}: {text!r}"
        yield from (f"written twice: {each[0]!r}" for each in REPEATED.finditer(text))


def unmarked(source: str) -> Iterator[str]:
    """Yield the texts that source code prints without `_`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        shown = node.args[0].elts if isinstance(node.args[0], ast.List) else [node.args[0]]
        if name in PRINTING:
            parts = [part for each in shown if isinstance(each, ast.JoinedStr) for part in each.values]
            texts = [each for each in (*shown, *parts) if isinstance(each, ast.Constant)]
            yield from (str(each.value) for each in texts if ENGLISH.search(str(each.value)))


def main() -> int:
    """Rewrite the catalogue, and list the messages that have no translation yet."""
    catalogue = updated(read_catalogue(), source_messages())
    with CATALOGUE.open("wb") as file:
        write_po(file, _without_dates(catalogue), width=0, sort_output=True, omit_header=False)
    COMPILED.write_bytes(compiled(read_catalogue()))
    found = [*problems()]
    sys.stdout.writelines(f"{each}\n" for each in found)
    return int(bool(found))


def _extracted(folder: Path) -> set[MessageId]:
    """Return the messages of the calls in a folder of Python files."""
    found = extract_from_dir(folder, [("**.py", "python")], keywords=KEYWORDS, directory_filter=lambda _folder: True)
    return {message for _file, _line, message, _comments, _context in found}


def _help_of(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """Yield the texts in the help of a command, and of the commands of a group."""
    yield inspect.cleandoc(command.help or "")
    for each in command.params:
        if isinstance(each, click.Option) and each.help:
            yield each.help
    for line in (command.epilog or "").splitlines():
        _example, sign, comment = line.partition(COMMENT)
        if sign:
            yield comment
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            if inner is not None:
                yield from _help_of(inner, ctx)


def _sentences() -> Iterator[str]:
    """Yield the sentences of the phone actions."""
    for action in ACTIONS.values():
        yield action.sentence
        if action.without is not None:
            yield action.without[1]


def _faults() -> Iterator[str]:
    """Yield the headings and the descriptions of the faults."""
    for fault in catalogue():
        yield from (fault.section, fault.does)


def _placeholders(text: str) -> set[tuple[str | None, str | None, str | None]]:
    return {(name, spec, conversion) for _text, name, spec, conversion in Formatter().parse(text) if name is not None}


def _literals(text: str) -> set[str]:
    """Return what a user may copy: options, variables and commands of webwx."""
    return {*re.findall(r"(?<!\w)--?[a-z][a-z-]*|WEBWX_\w+|'webwx [^']*'|`[^`]+`", " ".join(text.split()))}


def _id(message: Message) -> MessageId:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def _first(message: MessageId) -> str:
    return message if isinstance(message, str) else message[0]


def _without_dates(catalogue: Catalog) -> Catalog:
    """Make the header of a catalogue the same on each day and machine."""
    catalogue.project, catalogue.version = DOMAIN, ""
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    catalogue.header_comment = "# Chinese messages of the command line; `make messages` updates this file."
    return catalogue


if __name__ == "__main__":
    sys.exit(main())
