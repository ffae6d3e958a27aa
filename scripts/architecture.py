"""
Draw the architecture from the code: `python -m scripts.architecture`, which `make docs` runs.

The page says which layers there are, what each one holds and imports, and how a message and a call of the API pass
through them. A size is kept as it is written until the code has changed by a fifth.
"""

from __future__ import annotations

import ast
import re
from html import escape
from inspect import cleandoc
from typing import TYPE_CHECKING, NamedTuple

import grimp
from scripts.project import ROOT, project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SOURCE = ROOT / "src" / "webwx"
FOLDER = ROOT / "docs" / "development"
PAGE = FOLDER / "architecture.md"

MESSAGE = (
    ("client.sync.sync_loop.SyncLoop.pull", "decides when to ask, and what an answer means for the login"),
    ("transport.runner.run_async", "sends each request of a flow, and passes the answer back to it"),
    ("flows.sync.check", "asks the platform whether there is something new; the request waits there (a long poll)"),
    ("flows.sync.fetch", "fetches what is new"),
    ("protocol.endpoint.Endpoint.decode_reply", "decodes the answer; a damaged message costs no other one"),
    ("client.sync.ingestion.Ingestion.store", "stores the batch before any program sees it"),
    ("storage.sqlite.journal.SqliteAccount.ingest", "writes messages and the next position in one transaction"),
    ("client.reading.journal_reader.JournalReader.take", "takes what this reader has not acknowledged"),
    ("storage.sqlite.consumers.SqliteConsumer.take", "knows the position of each reader"),
    ("bot.dispatch.Dispatch.handle", "selects the handler, and calls it: one event of a chat at a time"),
    ("bot.context.Context.reply", "gives the reply a key that is made of the event and the handler"),
    ("client.client.AsyncClient.send_text", "is the method that every program calls"),
    ("client.sending.sender.Sender.send", "lets a key send once, and waits for the rate limit"),
    ("storage.tables.outbox.StoredSends.add", "stores the send before its request"),
    ("flows.messages.send_text", "is the request, and says what each return code means"),
    ("transport.runner.run_async", "sends it"),
    ("storage.sqlite.consumers.SqliteConsumer.ack", "acknowledges the event, with the state of the conversation"),
)
"""Functions through which a message passes from the platform to a bot and its reply, in this order."""

CALL = (
    ("gateway.app.Gateway.answer", "takes the request, or passes it to the owner of the account"),
    ("gateway.access.keys.KeyRing.verify", "finds the key, and what it allows"),
    ("gateway.api.sends.send_message", "is the handler, which knows no client: it calls the port of the accounts"),
    ("gateway.accounts.owned_sends.OwnedSends.send", "makes a send of it, whose key is that of the request"),
    ("client.sending.sender.Sender.send", "lets a key send once, as for every other program"),
    ("storage.tables.outbox.StoredSends.add", "stores the send before its request"),
    ("flows.messages.send_text", "is the request, and says what each return code means"),
    ("transport.runner.run_async", "sends it"),
    ("gateway.api.sends.answer_send", "answers 201, or 202 if the outcome is not known yet"),
)
"""Functions through which `POST /api/v1/accounts/{account}/messages` passes, in this order."""

_CONTRACTS = {
    "Packages of the gateway, top to bottom": "gateway", "Packages of the client, top to bottom": "client",
    "Packages of the command line, top to bottom": "cli",
}  # fmt: skip


class Part(NamedTuple):
    """A package or a module of one layer."""

    name: str
    """Name below its package, such as `storage`."""
    lines: int
    """Lines of code and text."""
    summary: str
    """First sentence of its docstring, without the full stop."""
    imports: tuple[str, ...]
    """Parts of the same package that it imports, in the order of the layers."""


def parts(package: str = "", stated: Mapping[str, int] | None = None) -> list[Part]:
    """
    Return the parts of a package, the highest layer first.

    Args:
        package: A package below `webwx`; empty: `webwx` itself.
        stated: Sizes that are written already; a part whose size has changed by less than a fifth keeps its size.
    """
    root = f"webwx.{package}" if package else "webwx"
    # The cache knows a module by the second of its change, so it misses one that git has replaced twice in one.
    graph = grimp.build_graph("webwx", exclude_type_checking_imports=True, cache_dir=None)
    names = _layers(root)
    for name in names:
        if graph.find_children(f"{root}.{name}"):
            graph.squash_module(f"{root}.{name}")
    found = list[Part]()
    for name in names:
        imported = graph.find_modules_directly_imported_by(f"{root}.{name}")
        used = tuple(each for each in names if each != name and f"{root}.{each}" in imported)
        files = _files(SOURCE / package / name if package else SOURCE / name)
        count = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
        written = (stated or {}).get(f"{package}.{name}".strip("."), 0)
        lines = written if written and abs(written - count) <= max(count / 5, 50) else count
        found.append(Part(name, lines, _summary(files[0]), used))
    return found


def _layers(container: str) -> list[str]:
    """Return the names of a package's layers, as the contract about its imports orders them."""
    for contract in project()["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers" and contract["containers"] == [container]:
            return [name for layer in contract["layers"] for name in re.split(r" [|:] ", layer)]
    raise LookupError(container)


def _files(path: Path) -> list[Path]:
    """Return the modules of a part; the first one has its docstring."""
    if path.is_dir():
        return [path / "__init__.py", *(each for each in sorted(path.rglob("*.py")) if each != path / "__init__.py")]
    return [path.with_suffix(".py")]


def _summary(file: Path) -> str:
    text = cleandoc(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")
    return re.split(r"(?<=[^.])\.(?=\s|$)|\n\n", " ".join(text.partition("\n\n")[0].split()))[0]


def needed(found: Sequence[Part]) -> Iterator[tuple[str, str]]:
    """Yield the imports that do not follow from others, so that the picture shows few arrows."""
    below = {part.name: set(part.imports) for part in found}
    for part in reversed(found):
        for name in part.imports:
            below[part.name] |= below.get(name, set())
    for part in found:
        for name in part.imports:
            if not any(name in below[other] for other in part.imports if other != name):
                yield part.name, name


# -- pictures --------------------------------------------------------------------------------------------------------


def draw_layers(found: Sequence[Part]) -> str:
    """Return the picture of the layers: what is above imports what is below."""
    left, height = 180, 34
    at = {part.name: 20 + row * height for row, part in enumerate(found)}
    lines = list[str]()
    for upper, lower in needed(found):
        begin, end = at[upper] + 13, at[lower] + 13
        bulge = left - min(30 + 0.3 * (end - begin), left + 20)
        lines.append(
            f'<path d="M{left} {begin}C{bulge:.0f} {begin} {bulge:.0f} {end} {left - 5} {end}" class="arrow"/>'
        )
    for part in found:
        top = at[part.name]
        lines += [
            f'<rect x="{left}" y="{top}" width="150" height="26" rx="4"/>',
            f'<text x="{left + 10}" y="{top + 17}" class="name">{part.name}</text>',
            f'<text x="{left + 165}" y="{top + 17}">{part.lines:,} lines</text>',
        ]
    return _svg(450, 30 + len(found) * height, lines)


def draw_way(steps: Sequence[tuple[str, str]]) -> str:
    """Return the picture of a way through the layers: a column for each layer, a row for each function."""
    order = _layers("webwx")
    columns = sorted({name.partition(".")[0] for name, _ in steps}, key=order.index)
    width, height, top = 82, 26, 44
    text = 30 + width * len(columns)
    points = [
        (30 + width * columns.index(name.partition(".")[0]) + 10, top + height * row)
        for row, (name, _) in enumerate(steps)
    ]
    lines = [
        f'<text x="{30 + width * column}" y="20" class="name">{each}</text>'
        f'<path d="M{40 + width * column} 28V{top + height * len(steps) - 14}" class="layer"/>'
        for column, each in enumerate(columns)
    ]
    lines.append(f'<path d="M{"L".join(f"{x} {y}" for x, y in points)}" class="way"/>')
    for number, ((name, _), (x, y)) in enumerate(zip(steps, points, strict=True), 1):
        lines += [
            f'<circle cx="{x}" cy="{y}" r="5"/>',
            f'<text x="{text}" y="{y + 4}">{number}. {escape(name.partition(".")[2])}</text>',
        ]
    return _svg(text + 370, top + height * len(steps), lines)


def _svg(width: int, height: int, lines: Sequence[str]) -> str:
    style = (
        "text{font:13px sans-serif;fill:#222}.name{font-weight:bold}rect{fill:#e8f1ea;stroke:#2f7d4f}"
        "circle{fill:#2f7d4f}.arrow,.way,.layer{fill:none;stroke:#2f7d4f;stroke-width:1.5}.layer{stroke:#ccc}"
        ".arrow{marker-end:url(#end)}"
    )
    head = (
        '<marker id="end" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#2f7d4f"/></marker>'
    )
    size = f'width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size}>',
            f"<style>{style}</style><defs>{head}</defs>",
            f'<path d="M0 0H{width}V{height}H0z" fill="#fff"/>',
            *lines,
            "</svg>\n",
        ]
    )  # fmt: skip


# -- the page --------------------------------------------------------------------------------------------------------


def pages() -> dict[str, str]:
    """Return the contents of each file that is made, by its name below docs/development."""
    stated = _stated()
    layers = parts(stated=stated)
    text = [
        "# Architecture", "",
        "This page and its pictures are made from the code by `make docs`; a test fails when they differ from it.", "",
        "## Layers", "",
        "A layer imports only what is below it: `make check` verifies it.",
        "An import that follows from others has no arrow.", "",
        "![The layers from the command line down to errors, with an arrow for each import.](architecture.svg)", "",
        *_table(layers, ""), "",
        "## The way of a message", "",
        "From the platform to a bot, and its reply; a test calls each of these functions in this "
        "order.", "",
        "![Each function through which a message passes, in the column of its layer.](message.svg)", "",
        *_steps(MESSAGE), "",
        "## The way of a call of the API", "",
        "`POST /api/v1/accounts/{account}/messages` of `webwx serve`, in one process.",
        "On several machines, the gateway that takes the request stores the send, and the owner of the account "
        "sends it: [decision 35](../decisions/0035-every-node-is-a-gateway.md).", "",
        "![Each function through which a call passes, in the column of its layer.](api-call.svg)", "",
        *_steps(CALL), "",
    ]  # fmt: skip
    titles = {"gateway": "the gateway", "client": "the client", "cli": "the command line"}
    for package in _CONTRACTS.values():
        text += [f"## Packages of {titles[package]}", "", *_table(parts(package, stated), package), ""]
    return {
        "architecture.md": "\n".join(text),
        "architecture.svg": draw_layers(layers),
        "message.svg": draw_way(MESSAGE),
        "api-call.svg": draw_way(CALL),
    }


def _table(found: Sequence[Part], package: str) -> list[str]:
    prefix = f"{package}." if package else ""
    rows = [f"| `{prefix}{part.name}` | {part.lines:,} | {part.summary} | {_names(part.imports)} |" for part in found]
    return ["| Package or module | Lines | Holds | Imports |", "|---|---|---|---|", *rows]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{each}`" for each in names)


def _steps(steps: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{number}. `{name}` {does}." for number, (name, does) in enumerate(steps, 1)]


def _stated() -> dict[str, int]:
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return {
        name: int(lines.replace(",", "")) for name, lines in re.findall(r"^\| `([\w.]+)` \| ([\d,]+) \|", text, re.M)
    }


def place(name: str) -> tuple[str, str]:
    """
    Return the module of a function, and its name there.

    Args:
        name: Name of the function below `webwx`.

    Raises:
        LookupError: The module has no function or class with this name.
    """
    names = name.split(".")
    for count in range(len(names) - 1, 0, -1):
        module = SOURCE.joinpath(*names[:count]).with_suffix(".py")
        if module.exists():
            found: ast.AST | None = ast.parse(module.read_text(encoding="utf-8"))
            for each in names[count:]:
                inside = ast.iter_child_nodes(found) if found else ()
                found = next((node for node in inside if getattr(node, "name", "") == each), None)
            if found:
                return str(module), ".".join(names[count:])
    raise LookupError(name)


def main() -> None:
    """Write the page and its pictures."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
