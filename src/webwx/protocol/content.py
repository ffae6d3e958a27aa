"""
Encoding and decoding of the text and XML in `Content`, for client and server.

Contacts write this XML, so it is hostile: no DTD, limited size and depth. Invalid XML gives `None` and no error, so
that a message with unreadable content is still a message.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import NotForwardable
from webwx.protocol.codec import tag_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree.ElementTree import Element, TreeBuilder

MAX_XML = 1024 * 1024
"""Maximum length of XML in characters."""

MAX_XML_DEPTH = 64
"""Maximum nesting of XML."""

MAX_XML_ELEMENTS = 20_000
"""Maximum number of elements in XML; in memory each takes a hundred times its size as text."""


# -- escaping --------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Escape a text as it is delivered: once, with `<br/>` for line breaks."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\r\n", "<br/>").replace("\n", "<br/>")


def unescape(text: str) -> str:
    """Undo one level of escaping, `&amp;` last, so that `&amp;lt;` becomes `&lt;` and not `<`."""
    if "&" not in text:
        return text
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


_SENDER_PREFIX = re.compile(r"(@[a-zA-Z0-9]+|[a-zA-Z0-9_-]+):(?:<br/>|\n)")


def split_sender(content: str) -> tuple[str | None, str]:
    """
    Split `@member:<br/>text`, the form of others' messages in a chatroom, into the member and the text.

    Use it only if `FromUserName` is a chatroom: other messages have no prefix, and a text may begin like one. Without a
    prefix the author is unknown, never the account itself.
    """
    found = _SENDER_PREFIX.match(content)
    return (found[1], content[found.end() :]) if found else (None, content)


# -- XML -------------------------------------------------------------------------------------------------------------


class _UnsafeXml(Exception):
    pass


def read_xml(text: str) -> Element | None:
    """Parse XML that a contact wrote; None if it is invalid, too large, too deep, or has a DTD."""
    return _parse(text)


def read_loosely(text: str) -> Element | None:
    """
    Parse XML as it really arrives; None if nothing in it can be parsed.

    A chatroom's prefix, raw `&` and `<` in a title or an attribute, control characters, end tags that are missing or
    superfluous, broken quotes, a truncated end and text after the root do not affect the other elements and attributes.
    What `read_xml` refuses for safety is refused here too.
    """
    text = text[text.find("<") :] if "<" in text else ""
    root = _parse(text)
    if root is not None or len(text) > MAX_XML:
        return root
    repaired = _STRAY.sub(_repair, text)
    if len(repaired) > MAX_XML:
        return None
    root = _parse(repaired)
    return _scan(repaired) if root is None else root


_STRAY = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)"
    r"|&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)"
    r"|<(?![A-Za-z_/!?])"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]",
    re.DOTALL,
)
"""Characters that XML must not contain. CDATA is matched first, so that nothing inside it counts."""


def _repair(stray: re.Match[str]) -> str:
    found = stray[0]
    return _REPAIRED.get(found, found if found.startswith("<![CDATA[") else "")


_REPAIRED = {"&": "&amp;", "<": "&lt;"}


def _parse(text: str) -> Element | None:
    """Parse strictly."""
    from xml.etree.ElementTree import TreeBuilder
    from xml.parsers import expat

    if len(text) > MAX_XML:
        return None
    builder = TreeBuilder()
    depth = count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > MAX_XML_DEPTH or count > MAX_XML_ELEMENTS:
            raise _UnsafeXml
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise _UnsafeXml

    parser = expat.ParserCreate("utf-8")  # whatever its declaration says: it is a decoded string already
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.strip().encode("utf-8", "replace"), True)
    except (expat.ExpatError, _UnsafeXml):
        return None
    return builder.close()


# -- damaged XML -----------------------------------------------------------------------------------------------------

# Each pattern is possessive or ends at a character that it excludes, so that hostile text takes linear time.
_MARKUP = re.compile(r"<(?:(!\[CDATA\[|!--|\?|!DOCTYPE)|(/?)([A-Za-z_][\w.:-]*+)(?=[\s/>]|\Z))")
_ATTRIBUTE = re.compile(r"""\s*+([A-Za-z_][\w.:-]*+)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_TAG_END = re.compile(r"\s*+(/?)>")
_OTHER_WORD = re.compile(r"\s*+(?:[^\s<>]++|<(?!!|/?[A-Za-z_][\w.:-]*+[\s/>]))")
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));")

_CDATA = "![CDATA["
_ENDS = {_CDATA: "]]>", "!--": "-->", "?": "?>"}
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class _Tag(NamedTuple):
    source: str
    name: str
    attributes: dict[str, str]
    is_start: bool
    is_end: bool


def _scan(text: str) -> Element | None:
    """Build the elements of XML that a parser refuses, from those tags and attributes that are whole."""
    from xml.etree.ElementTree import TreeBuilder

    builder = TreeBuilder()
    opened: list[tuple[Element, str]] = []
    has_root = False
    try:
        for piece in _pieces(text):
            if isinstance(piece, str):
                if opened:
                    builder.data(piece)
                continue
            if piece.is_start:
                if len(opened) == MAX_XML_DEPTH:
                    return None
                opened.append((builder.start(piece.name, piece.attributes), piece.source))
                has_root = True
            if piece.is_end and any(element.tag == piece.name for element, _ in opened):
                _end(builder, opened, piece.name)
            if has_root and not opened:
                break
    except _UnsafeXml:
        return None
    while opened:
        builder.end(opened.pop()[0].tag)
    return builder.close() if has_root else None


def _end(builder: TreeBuilder, opened: list[tuple[Element, str]], name: str) -> None:
    """
    End an element, and those inside it that have no end tag.

    If it has words of its own and nothing but such elements, their tags are words too, as in a title `a <b>.txt`.
    Otherwise, what seemed to be in them may as well be behind them, and it is moved there.
    """
    unended: list[tuple[Element, str]] = []
    while opened[-1][0].tag != name:
        unended.insert(0, opened.pop())
        builder.end(unended[0][0].tag)
    outer = opened.pop()[0]
    builder.end(name)
    nested = [outer, *(element for element, _ in unended)]
    if (outer.text or "").strip() and [len(element) for element in nested] == [1] * len(unended) + [0]:
        outer.text = f"{outer.text}{''.join(source + (element.text or '') for element, source in unended)}"
        del outer[:]
        return
    for around, element in zip(nested[-2::-1], nested[:0:-1], strict=True):
        around.extend(list(element))
        del element[:]


def _pieces(text: str) -> Iterator[_Tag | str]:
    """Split XML into its tags and the text between them; what only looks like a tag is text."""
    at = read = count = 0
    while found := _MARKUP.search(text, at):
        start, at = found.span()
        count += 1
        if found[1] == "!DOCTYPE" or count > MAX_XML_ELEMENTS:
            raise _UnsafeXml
        if found[1]:
            yield _decoded(text[read:start])
            end = text.find(_ENDS[found[1]], at)
            end = len(text) if end < 0 else end
            if found[1] == _CDATA:
                yield _illegal().sub("", text[at:end])
            at = read = end + len(_ENDS[found[1]])
            continue
        attributes, is_empty, at = _attributes(text, at)
        if is_empty is not None or attributes:
            yield _decoded(text[read:start])
            yield _Tag(text[start:at], found[3], attributes, not found[2], bool(found[2] or is_empty))
            read = at
    yield _decoded(text[read:])


def _attributes(text: str, at: int) -> tuple[dict[str, str], bool | None, int]:
    """Return the attributes of a tag, whether it ends as an empty element, None if it does not end, and where."""
    attributes: dict[str, str] = {}
    while True:
        if found := _ATTRIBUTE.match(text, at):
            attributes.setdefault(found[1], _decoded(found[2] or found[3] or ""))
        elif found := _TAG_END.match(text, at):
            return attributes, bool(found[1]), found.end()
        else:
            found = _OTHER_WORD.match(text, at)
            if found is None:
                return attributes, None, at
        at = found.end()


def _decoded(text: str) -> str:
    """Return a text of XML without entities, and without characters that XML does not allow."""
    return _illegal().sub("", _ENTITY.sub(_entity, text) if "&" in text else text)


def _entity(found: re.Match[str]) -> str:
    if found[1]:
        return _ENTITIES[found[1]]
    point = int(found[2]) if found[2] else int(found[3], 16)
    return chr(point) if point < 0x110000 else ""


# -- writing ---------------------------------------------------------------------------------------------------------


def _attribute(value: str) -> str:
    value = _illegal().sub("", value)
    for character, entity in (
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#10;"), ("\r", "&#13;"), ("\t", "&#9;"),
    ):  # fmt: skip
        value = value.replace(character, entity)
    return value


def escape_xml(text: str) -> str:
    """Escape a text between tags; characters that XML does not allow are removed."""
    text = _illegal().sub("", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@cache
def _illegal() -> re.Pattern[str]:
    """Return the pattern of a character that XML does not allow; its large ranges take a millisecond to compile."""
    return re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


# -- one element and its attributes ----------------------------------------------------------------------------------


def write_tag(tag: str, attributes: Mapping[str, str]) -> str:
    """Encode the start of a tag with its attributes in the given order, without the closing bracket."""
    return f"<{tag}" + "".join(f' {name}="{_attribute(value)}"' for name, value in attributes.items())


def write_message(tag: str, attributes: Mapping[str, str]) -> str:
    """Encode the XML of a message of one element: a picture, a video, a location."""
    return f'<?xml version="1.0"?>\n<msg>\n\t{write_tag(tag, attributes)} />\n</msg>'


def read_attributes(xml: str, tag: str) -> dict[str, str]:
    """
    Decode the attributes of an element inside `<msg>`, or of `msg` itself; empty if there is no such element.

    It is for display only: a forward uses `read_image`, which does not accept damaged XML.
    """
    root = read_loosely(xml)
    found = root if root is None or root.tag == tag else root.find(tag)
    return {} if found is None else dict(found.attrib)


# -- pictures --------------------------------------------------------------------------------------------------------


def write_image(attributes: Mapping[str, str]) -> str:
    """Encode the XML of a picture with its attributes in the given order."""
    return write_message("img", attributes)


def read_image(xml: str) -> dict[str, str] | None:
    """Decode the attributes of a picture's XML; None for the short form `@hash` and anything else."""
    root = read_xml(xml)
    image = root.find("img") if root is not None and root.tag == "msg" else None
    return None if image is None else dict(image.attrib)


def forward_image(xml: str) -> str:
    """
    Build the content that forwards a picture, recalled or not, from the received one.

    `aeskey` (also `cdnthumbaeskey`), `cdnthumburl` (also `cdnmidimgurl`) and `md5` are sent back unchanged. Each pair
    is usually one value under two names; if the two values differ, both are kept. All other attributes are kept.

    Raises:
        NotForwardable: The content has no keys: it is the form `@hash`, or XML without them.
    """
    attributes = read_image(xml)
    key = url = ""
    if attributes:
        key = attributes.get("aeskey") or attributes.get("cdnthumbaeskey", "")
        url = attributes.get("cdnmidimgurl") or attributes.get("cdnthumburl", "")
    if not attributes or not key or not url:
        raise NotForwardable("This picture has no keys for a forward; download it and send it as a new picture.")
    for name, value in (("aeskey", key), ("cdnthumbaeskey", key), ("cdnthumburl", url), ("cdnmidimgurl", url)):
        attributes[name] = attributes.get(name) or value
    return write_image(attributes)


# -- recall notice ---------------------------------------------------------------------------------------------------


class RecallNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a message of type 10002."""

    message_id: str
    """Id of the recalled message; it may be `0`."""
    text: str = ""
    """Text for display: `"张三" 撤回了一条消息`."""
    session: str = ""
    """Real id of the chat, not a `UserName`."""
    old_message_id: str = ""
    new_message_id: str = ""
    """Id of the recalled message, if present; it takes precedence."""


def write_recall_notice(notice: RecallNotice) -> str:
    """Encode the XML of a recall notice."""
    lines = [
        '<sysmsg type="revokemsg">',
        "\t<revokemsg>",
        f"\t\t<session>{_attribute(notice.session)}</session>",
        f"\t\t<oldmsgid>{notice.old_message_id}</oldmsgid>",
        f"\t\t<msgid>{notice.message_id}</msgid>",
        f"\t\t<replacemsg><![CDATA[{notice.text.replace(']]>', ']]&gt;')}]]></replacemsg>",
        "\t</revokemsg>",
        "</sysmsg>",
    ]
    if notice.new_message_id:
        lines.insert(5, f"\t\t<newmsgid>{notice.new_message_id}</newmsgid>")
    return "\n".join(lines)


def read_recall_notice(xml: str) -> RecallNotice | None:
    """Decode a recall notice, tag by tag if the XML is invalid; None if it is not one."""
    root = read_xml(xml)
    if root is None and "<revokemsg>" in xml:
        value = partial(_value_in_broken, xml)
    elif root is not None and root.find("revokemsg") is not None:
        value = partial(_value_in_parsed, root)
    else:
        return None
    return RecallNotice(
        message_id=value("msgid"),
        text=value("replacemsg"),
        session=value("session"),
        old_message_id=value("oldmsgid"),
        new_message_id=value("newmsgid"),
    )


def _value_in_parsed(root: Element, tag: str) -> str:
    return (root.findtext(f"revokemsg/{tag}") or "").strip()


def _value_in_broken(xml: str, tag: str) -> str:
    # The display text holds a nickname, and a nickname may hold tags: the ids are looked for around it.
    before, _, rest = xml.partition("<replacemsg>")
    shown, closed, after = rest.rpartition("</replacemsg>")
    if tag == "replacemsg":
        return shown.strip().removeprefix("<![CDATA[").removesuffix("]]>")
    return (tag_text(before + (after if closed else ""), tag) or "").strip()
