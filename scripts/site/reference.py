"""Make the pages of the reference from the code: names, commands, settings, exit codes and the HTTP API."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import webwx
import webwx.testing
from webwx import Event
from webwx.cli import webwx as command_line
from webwx.cli.help_pages import ENVIRONMENT
from webwx.gateway.api.description import describe, describe_frames
from webwx.gateway.app import route_table
from webwx.gateway.config import EXAMPLE, LimitsTable
from webwx.outcomes import MEANING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Chapter(NamedTuple):
    """A page of names that Python programs import."""

    title: str
    about: str
    modules: tuple[str, ...]
    """Beginnings of the names of the modules whose public names stand on the page."""


_CHAPTERS = {
    "client": Chapter(
        "Client", "What scripts import: the client, asynchronous and blocking, and what it returns.",
        ("webwx.client", "webwx.model.login", "webwx.protocol", "webwx.transport"),
    ),
    "bot": Chapter("Bot", "What a bot imports.", ("webwx.bot",)),
    "storage": Chapter("Storage", "Where logins, messages and sends are stored.", ("webwx.storage",)),
    "errors": Chapter(
        "Errors", "Every failure is one sentence and one of these classes; all of them are a `WxError`.",
        ("webwx.errors",),
    ),
    "values": Chapter("Values", "Contacts, receipts and the parts of messages.", ("webwx.model",)),
}  # fmt: skip
"""The first that fits counts; events have a page of their own."""


_API_PAGE = "http-api.md"


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """
    Yield the path and the Markdown of each page that is made from the code.

    Args:
        root: Folder of the repository.
    """
    yield from _names(root)
    yield "reference/commands.md", _commands()
    yield "reference/settings.md", _settings()
    yield "reference/http-api.md", _http_api()


def _names(root: Path) -> Iterator[tuple[str, str]]:
    found: dict[str, list[str]] = {name: [] for name in (*_CHAPTERS, "events")}
    for name, module in _public(root / "src/webwx/__init__.py"):
        value = getattr(webwx, name)
        if isinstance(value, type) and issubclass(value, Event):
            found["events"].append(f"{module}.{name}")
        else:
            page = next(page for page, each in _CHAPTERS.items() if module.startswith(each.modules))
            found[page].append(f"{module}.{name}")
    for page, chapter in _CHAPTERS.items():
        yield f"reference/{page}.md", _chapter(chapter.title, chapter.about, found[page])
    yield "reference/events.md", _events(found["events"])
    kit = [f"webwx.testing.{module}.{name}" for name, module in sorted(webwx.testing._HOME_OF.items())]
    about = "Fixtures of the pytest plugin, and their types; [Test a bot](../howto/test-a-bot.md) shows their use."
    yield "reference/testing.md", _chapter("Test kit", about, ["webwx.testing.plugin", *kit])


def _public(path: Path) -> list[tuple[str, str]]:
    """Return the names that a package exports lazily, each with the module that defines it."""
    return [
        (each.name, str(node.module))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("webwx.")
        for each in node.names
        if each.asname == each.name
    ]


def _chapter(title: str, about: str, names: list[str]) -> str:
    return "\n".join([f"# {title}", "", about, "", *(f"::: {name}\n" for name in names)])


def _events(names: list[str]) -> str:
    """Return the page of the events, each with its JSON, which is the same on all ways out of webwx."""
    schemas = _api()["components"]["schemas"]
    envelope = _type_of({"$ref": "EventEnvelope"}, _API_PAGE)
    lines = [
        "# Events", "",
        "What a subscription, a stream or a handler receives. Each event has the fields of `Event` as well.", "",
        f"As JSON an event has the fields of {envelope}, and its own in `data`.", "",
    ]  # fmt: skip
    for each in names:
        lines += [f"::: {each}", ""]
        event = schemas.get(f"{each.rpartition('.')[2]}Event")
        if event is not None:
            fields = event["allOf"][1]["properties"]
            lines += [
                f"JSON: `type` is {_type_of(fields['type'])}, `data` is {_type_of(fields['data'], _API_PAGE)}.",
                "",
            ]
    return "\n".join(lines)


def _commands() -> str:
    lines = [
        "# Commands", "",
        "The help of every command. [The command line](../topics/cli.md) says what they have in common.", "",
    ]  # fmt: skip
    lines += _help_of(command_line, "webwx", None, 2)
    return "\n".join(lines)


def _help_of(command: click.Command, name: str, parent: click.Context | None, level: int) -> Iterator[str]:
    context = command.make_context(name.rpartition(" ")[2], [], parent, resilient_parsing=True)
    context.terminal_width = 88
    yield from ("#" * level + f" {name}", "", "```text", command.get_help(context).rstrip(), "```", "")
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            nested = command.get_command(context, each)
            assert nested is not None  # noqa: S101 - it is listed
            if not nested.hidden:
                yield from _help_of(nested, f"{name} {each}", context, min(level + 1, 4) if parent else level)


def _settings() -> str:
    variables = [f"| `{name}` | {_cell(text)} |" for name, text in ENVIRONMENT.items()]
    codes = [f"| {int(code)} | {_cell(text)} |" for code, text in MEANING.items()]
    return "\n".join(
        [
            "# Settings and exit codes", "",
            "## Environment variables", "", "| Variable | Meaning |", "|---|---|", *variables, "",
            "## Configuration of the gateway", "",
            "`webwx serve init` writes this file, in which every setting has its default.", "",
            '```toml title="gateway.toml"', EXAMPLE.rstrip(), "```", "",
            "## Exit codes", "", "| Code | Meaning |", "|---|---|", *codes, "",
        ]
    )  # fmt: skip


@cache
def _api() -> dict[str, Any]:
    return describe(route_table(LimitsTable().body))


def _http_api() -> str:
    schema, frames = _api(), describe_frames()["$defs"]
    objects = {**frames, **schema["components"]["schemas"]}
    lines = [
        "# HTTP API", "",
        "Every operation of the gateway, as its `/openapi.json` describes it;"
        " [The gateway](../topics/gateway.md) explains keys, pages, errors and streams.", "",
    ]  # fmt: skip
    for path, operations in sorted(schema["paths"].items()):
        for method, operation in operations.items():
            lines += [f"## {method.upper()} {path}", "", operation["summary"].rstrip(".") + ".", ""]
            lines += _text(operation.get("description", ""), operation["summary"])
            lines += _parameters(operation.get("parameters", ()))
            lines += _bodies(operation)
    lines += [
        "## Messages of the WebSocket", "",
        "[The WebSocket of events](../topics/event-socket.md) explains their use;"
        " `/docs/websocket.json` of a gateway is their JSON Schema.", "",
    ]  # fmt: skip
    for sender in ("ClientFrame", "ServerFrame"):
        lines += [f"### {sender}", "", f"{_type_of(objects.pop(sender))}.", ""]
    lines += ["## Objects", ""]
    for name, each in sorted(objects.items()):
        lines += [f"### {name}", "", *_text(each.get("description", ""), ""), *_fields(each)]
    return "\n".join(lines)


def _text(text: str, summary: str) -> list[str]:
    text = re.sub(r"\s*\n\s*\n\s*", "\n\n", text.strip())
    return [] if not text or text.rstrip(".") == summary.rstrip(".") else [text, ""]


def _parameters(parameters: Mapping[str, Any] | tuple[Any, ...]) -> list[str]:
    rows = [
        f"| `{each['name']}` | {each['in']} | {_type_of(each['schema'])} | {_cell(each.get('description', ''))} |"
        for each in parameters
        if isinstance(each, dict)
    ]
    return ["| Parameter | In | Type | Meaning |", "|---|---|---|---|", *rows, ""] if rows else []


def _bodies(operation: Mapping[str, Any]) -> list[str]:
    lines = list[str]()
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f"- Request, `{kind}`: {_type_of(content.get('schema', {}))}")
    problems = [status for status in operation["responses"] if status >= "400"]
    for status, answer in operation["responses"].items():
        if status not in problems:
            of = next((_type_of(each.get("schema", {})) for each in answer.get("content", {}).values()), "no content")
            lines.append(f"- {status}: {of}")
    if problems:
        lines.append(f"- {', '.join(problems)}: [Problem](#problem)")
    return [*lines, ""]


def _fields(schema: Mapping[str, Any]) -> list[str]:
    required = schema.get("required", ())
    rows = [
        f"| `{name}` | {_type_of(each)} | {'yes' if name in required else ''} | {_cell(each.get('description', ''))} |"
        for name, each in schema.get("properties", {}).items()
    ]
    if rows:
        return ["| Field | Type | Always | Meaning |", "|---|---|---|---|", *rows, ""]
    return [_type_of(schema), ""]


def _type_of(schema: Mapping[str, Any], page: str = "") -> str:
    """Return the type of a schema in words of JSON, with links to the objects of this page or of another one."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({page}#{re.sub(r'[^a-z0-9_]+', '-', name.lower()).strip('-')})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    for together in ("oneOf", "anyOf"):
        if together in schema:
            return " or ".join(dict.fromkeys(map(_type_of, schema[together])))
    if "allOf" in schema:
        return ", with ".join(map(_type_of, schema["allOf"]))
    if "properties" in schema:
        return ", ".join(f"`{name}` {_type_of(each)}" for name, each in schema["properties"].items())
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    kind = schema.get("type", "any value")
    return f"{kind} ({schema['format']})" if "format" in schema and isinstance(kind, str) else str(kind)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
