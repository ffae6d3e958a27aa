"""The table of the protocol as a page of this server, to which the entries of the traffic list link."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html import escape

from webwx.sandbox.phone.wire_words import CHINESE
from webwx.sandbox.wire_table import CallDescription, StructTable, calls, structs, words

Say = Callable[[str], str]
"""Returns the page's texts in the reader's language."""

_HEAD = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="static/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="static/wire-page.css">
</head>
<body>
<main>
<h1>{heading}</h1>
<p>{summary}</p>
"""


@cache
def wire_page(*, chinese: bool = False) -> bytes:
    """Write the page."""

    def say(english: str) -> str:
        return CHINESE.get(english, english) if chinese else english

    index = "".join(f"<li>{_link(call.name)} {_text(say(call.purpose))}</li>\n" for call in calls())
    head = _HEAD.format(
        language="zh-CN" if chinese else "en",
        title=say("The wire · webwx sandbox"),
        heading=say("The wire"),
        summary=_text(say("All calls of this sandbox, as defined in `src/webwx/protocol/`.")),
    )
    parts = [head, f"<nav><ul>\n{index}</ul></nav>\n<h2>{say('Calls')}</h2>\n"]
    parts += [_call(call, say) for call in calls()]
    parts.append(f"<h2>{say('Structs')}</h2>\n<p>{say('The objects inside requests and replies.')}</p>\n")
    parts += [_struct(table, say) for table in structs()]
    parts.append("</main>\n</body>\n</html>\n")
    return "".join(parts).encode()


def _call(call: CallDescription, say: Say) -> str:
    facts = "".join(f"<dt>{say(name)}</dt><dd>{_text(say(fact))}</dd>" for name, fact in call.facts)
    return (
        f'<section id="{call.name}"><h3>{call.name}</h3>\n<p>{_text(say(call.purpose))}</p>\n'
        f"<p><code>{escape(call.address)}</code></p>\n<dl>{facts}</dl>\n"
        f"{_half('Request', call.request, say)}{_half('Reply', call.reply, say)}</section>\n"
    )


def _half(title: str, table: StructTable, say: Say) -> str:
    if not table.fields:
        return f"<p>{say(title)}: {say('the bytes, with their content type.')}</p>\n"
    return f"<p>{say(title)}: {_text(table.summary)}</p>\n{_fields(table, say)}"


def _struct(table: StructTable, say: Say) -> str:
    return (
        f'<section id="{table.name.lower()}"><h3>{table.name}</h3>\n<p>{_text(table.summary)}</p>\n'
        f"{_fields(table, say)}</section>\n"
    )


def _fields(table: StructTable, say: Say) -> str:
    columns = ["Field", "In", "Type", "Meaning"] if table.has_places else ["Field", "Type", "Meaning"]
    head = "".join(f'<th scope="col">{say(column)}</th>' for column in columns)
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
