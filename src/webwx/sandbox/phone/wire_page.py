"""The table of the wire as a page, so that a call in the strip of the wire leads to what it means, on this host."""

from __future__ import annotations

import re
from functools import cache
from html import escape

from webwx.sandbox.wire_table import Call, Table, calls, structs, words

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The wire · webwx sandbox</title>
<link rel="icon" href="/phone/static/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/phone/static/wire-page.css">
</head>
<body>
<main>
<h1>The wire</h1>
<p>Every call this sandbox answers, as <code>src/webwx/protocol/</code> defines it.</p>
"""


@cache
def wire_page() -> bytes:
    """Write the page."""
    index = "".join(f"<li>{_link(call.name)} {_text(call.purpose)}</li>\n" for call in calls())
    parts = [_HEAD, f"<nav><ul>\n{index}</ul></nav>\n<h2>Calls</h2>\n", *map(_call, calls())]
    parts += ["<h2>Structs</h2>\n<p>What stands inside requests and replies.</p>\n", *map(_struct, structs())]
    parts.append("</main>\n</body>\n</html>\n")
    return "".join(parts).encode()


def _call(call: Call) -> str:
    facts = "".join(f"<dt>{name}</dt><dd>{_text(fact)}</dd>" for name, fact in call.facts)
    return (
        f'<section id="{call.name}"><h3>{call.name}</h3>\n<p>{_text(call.purpose)}</p>\n'
        f"<p><code>{escape(call.address)}</code></p>\n<dl>{facts}</dl>\n"
        f"{_half('Request', call.request)}{_half('Reply', call.reply)}</section>\n"
    )


def _half(title: str, table: Table) -> str:
    if not table.fields:
        return f"<p>{title}: the bytes, with their content type.</p>\n"
    return f"<p>{title}: {_text(table.summary)}</p>\n{_fields(table)}"


def _struct(table: Table) -> str:
    return (
        f'<section id="{table.name.lower()}"><h3>{table.name}</h3>\n<p>{_text(table.summary)}</p>\n'
        f"{_fields(table)}</section>\n"
    )


def _fields(table: Table) -> str:
    columns = ["Field", "In", "Type", "Meaning"] if table.has_places else ["Field", "Type", "Meaning"]
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    rows = ""
    for field in table.fields:
        where = f"<td>{field.where}</td>" if table.has_places else ""
        rows += f"<tr><td><code>{escape(field.name)}</code></td>{where}"
        rows += f"<td>{words(field.kind, _link)}</td><td>{_text(field.meaning)}</td></tr>\n"
    return f'<div class="scrolls"><table>\n<tr>{head}</tr>\n{rows}</table></div>\n'


def _link(name: str) -> str:
    return f'<a href="#{name.lower()}">{name}</a>'


def _text(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
