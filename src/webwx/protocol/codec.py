"""
Body shapes: how a struct is encoded to bytes and decoded, for client and server.

JSON bodies often deviate from the protocol, so each is decoded in two steps: fast, by msgspec, and if that fails
slowly, by a table of coercions (numbers for ids, empty strings and null for numbers, broken UTF-8, raw control
characters). Only a body that neither can decode is a `ProtocolError`. Answers that look like scripts are read by a
grammar and never evaluated.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, unquote

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.http import Body, Buffer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

T = TypeVar("T")

MAX_DEPTH = 64
"""Maximum nesting of a JSON body."""

MAX_DIGITS = 32
"""Maximum number of digits of a number."""

MAX_VALUES = 250_000
"""Maximum number of objects and lists in a JSON body; in memory each takes up to half a kilobyte."""

MAX_COMMAS = 4_000_000
"""Maximum number of commas between the values of a JSON body; a value that stays raw takes 70 bytes in memory."""

_REAL_DEPTH = 8
"""Maximum nesting of a body with more than `MAX_VALUES` values; the platform's answers need five."""

MAX_SCRIPT = 256 * 1024
"""Maximum number of bytes of a script that are parsed: it holds a few numbers and at most a small picture."""

_FEW = 1024 * 1024
"""Maximum size in bytes of a body that cannot have too many values, so that they need not be counted."""


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A struct whose fields have the platform's names: `to_user_name` travels as `ToUserName`."""


class Shape(Protocol):
    """One way to write and read a body."""

    def dump(self, value: Any, *, is_reply: bool) -> tuple[str, Body]:
        """Return the content type and the body."""
        ...

    def load(self, body: bytes, kind: type[Any], content_type: str) -> Any:
        """
        Decode a body.

        Raises:
            ProtocolError: The body does not have this shape.
        """
        ...


# -- JSON ------------------------------------------------------------------------------------------------------------

_encode_json = msgspec.json.Encoder().encode


_UNSOUND = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@cache
def _json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)


def read_json(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    """
    Decode JSON into a struct, tolerantly: a body, or a raw item of one. Of two equal keys the last one counts.

    Raises:
        ProtocolError: The body is not JSON, is nested too deeply, has too many values, or lacks a required field.
    """
    value = read_sound_json(body, kind)
    if value is not None:
        return value
    try:  # the slow path knows the wire's bad habits
        return coerce(_parse(bytes(body).decode("utf-8", "replace").removeprefix("\ufeff")), kind)
    except (ValueError, RecursionError):
        raise ProtocolError("the body is not readable JSON") from None


def read_sound_json(body: bytes | msgspec.Raw, kind: type[T]) -> T | None:
    """Decode valid JSON; return None if a part is invalid or needs the coercions of `read_json`."""
    if len(body) > _FEW and _has_too_many(bytes(body)):
        return None
    try:
        value: T = _json_decoder(kind).decode(body)  # type: ignore[arg-type]  # a class is hashable
    except _UNSOUND:
        return None
    return value


def write_json(value: object) -> bytes:
    """Encode compact JSON in raw UTF-8: the platform has delivered escape sequences as literal text."""
    try:
        return _encode_json(value)
    except UnicodeEncodeError:
        return _encode_json(_clean(msgspec.to_builtins(value), 0))


def platform_json(compact: bytes) -> bytes:
    """
    Format JSON as the platform does.

    There is a newline after every brace and member, no indentation, and a blank after each colon. The comma after a
    closing brace is on a line of its own, or before the next object of a list; a list's first object begins on the
    list's line. Strings contain no raw newline, so the replacements never change text.
    """
    lines = re.sub(rb"\n +", b"\n", msgspec.json.format(compact, indent=1))
    lines = lines.replace(b"[\n{", b"[{").replace(b"\n},\n", b"\n}\n,\n")
    return lines.replace(b"\n}\n,\n{", b"\n}\n,{") + b"\n"


def _has_too_many(body: bytes) -> bool:
    """Return whether a body has too many values; brackets and commas within strings do not count."""
    if not _may_have_too_many(body):
        return False
    marks = _marks(body)
    return marks.count(b"[") > MAX_VALUES or marks.count(b",") > MAX_COMMAS


def _may_have_too_many(body: bytes) -> bool:
    return body.count(b"{") + body.count(b"[") > MAX_VALUES or body.count(b",") > MAX_COMMAS


def _parse(text: str) -> Any:
    """Parse JSON tolerantly: an unusable value loses only itself, not its whole batch."""
    body = text.encode("ascii", "replace")
    if not _may_have_too_many(body):
        try:
            return _loads(text)
        except RecursionError:
            pass
    marks = _marks(body)
    if marks.count(b",") > MAX_COMMAS:
        raise ValueError
    most = _REAL_DEPTH if marks.count(b"[") > MAX_VALUES else MAX_DEPTH
    return _loads(_shallow(text, marks, most))


def _loads(text: str) -> Any:
    import json

    return json.loads(text, strict=False, parse_int=_whole_number, parse_constant=lambda _: None)


def _whole_number(digits: str) -> int | str:
    # Python refuses to read a number of thousands of digits; as a text it may still be an id.
    return int(digits) if len(digits) <= MAX_DIGITS else digits


_BRACKET = re.compile(rb"[\[\]]")
_BRACKETS = bytes.maketrans(b"{}", b"[]")


def _shallow(text: str, marks: bytes, most: int) -> str:
    """
    Replace values that are nested more deeply than `most` brackets by null.

    Raises:
        ValueError: There are still too many values, or too many steps would be needed.
    """
    kept: list[str] = []
    depth = start = at = 0
    for _ in range(2 * MAX_VALUES):
        found = _BRACKET.search(marks, at)
        if found is None:
            return "".join(kept) + text[start:]
        # Fewer brackets than the depth cannot leave it, so they need not be checked one by one.
        at, before = found.start(), depth
        reach = at + max(1, depth - most)
        depth += marks.count(b"[", at, reach) - marks.count(b"]", at, reach)
        at = reach
        if before <= most < depth:
            kept.append(text[start : at - 1] + "null")
            start = len(text)
        elif depth <= most < before:
            start = at
    raise ValueError


_PIECE = 64 * 1024


def _marks(body: bytes) -> bytes:
    """Return a text of equal length in which strings have no brackets and all brackets are square."""
    plain = body.replace(b"\\\\", b"..").replace(b'\\"', b"..")
    marks: list[bytes] = []
    is_string = False
    for start in range(0, len(plain), _PIECE):
        parts = plain[start : start + _PIECE].split(b'"')
        strings = slice(0 if is_string else 1, None, 2)
        parts[strings] = map(bytes, map(len, parts[strings]))
        is_string ^= len(parts) % 2 == 0
        marks.append(b'"'.join(parts))
    return b"".join(marks).translate(_BRACKETS)


def coerce(value: Any, kind: type[T]) -> T:
    """
    Convert a parsed JSON value to a type, by the coercion table.

    Raises:
        ProtocolError: The value cannot be converted.
    """
    made: T = _coerce(value, _shape_of(kind), 0)  # type: ignore[arg-type]  # a class is hashable
    return made


@cache
def _shape_of(kind: Any) -> msgspec.inspect.Type:
    """Return the description of a type, cached because it takes a millisecond and may be needed for each item."""
    return msgspec.inspect.type_info(kind)


def _coerce(value: Any, kind: msgspec.inspect.Type, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ProtocolError("the body is nested too deeply")
    match kind:
        case msgspec.inspect.StrType():
            return _as_text(value)
        case msgspec.inspect.IntType():
            return _as_int(value)
        case msgspec.inspect.StructType():
            return _as_struct(value, kind, depth)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            made = tuple if isinstance(kind, msgspec.inspect.VarTupleType) else list
            if value in (None, ""):
                return made()
            if not isinstance(value, list):
                raise ProtocolError("a list was expected")
            return made(_coerce(each, item, depth + 1) for each in value)
        case msgspec.inspect.RawType():
            import json

            return msgspec.Raw(json.dumps(_clean(value, depth), ensure_ascii=False).encode())
        case msgspec.inspect.UnionType():
            if isinstance(value, int) or (isinstance(value, str) and value):
                return value if isinstance(value, int) else _as_text(value)
            return 0
        case msgspec.inspect.AnyType():
            return _clean(value, depth)
        case _:
            raise ProtocolError("a value has an unknown type")


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return clean_text(value)
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ProtocolError("a text was expected")


def _as_int(value: Any) -> int:
    if value in (None, ""):
        return 0
    if isinstance(value, int | float | str):
        try:
            return int(value)
        except (ValueError, OverflowError):
            pass
    raise ProtocolError("a number was expected")


def _as_stated_int(value: Any) -> int:
    """Return a required number: null, an empty string, a boolean or a fraction is an error."""
    is_one = not isinstance(value, bool) and value not in (None, "")
    if is_one and not (isinstance(value, float) and value % 1):
        return _as_int(value)
    raise ProtocolError("a number was expected")


def _is_unset(field: msgspec.inspect.Field) -> bool:
    """Return whether a field is unset if the body does not contain it."""
    return not field.required and field.default is field.default_factory is msgspec.NODEFAULT


def _as_struct(value: Any, kind: msgspec.inspect.StructType, depth: int) -> Any:
    if not isinstance(value, dict):
        raise ProtocolError("an object was expected")
    known = {}
    for field in kind.fields:
        if field.encode_name in value:
            if value[field.encode_name] is None and _is_unset(field):
                continue
            try:
                if field.required and isinstance(field.type, msgspec.inspect.IntType):
                    known[field.name] = _as_stated_int(value[field.encode_name])
                else:
                    known[field.name] = _coerce(value[field.encode_name], field.type, depth + 1)
            except ProtocolError:
                if field.required:
                    raise
        elif field.required:
            raise ProtocolError(f"{field.encode_name} is missing")
    return kind.cls(**known)


def _clean(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return None  # and not an error, which would cost the item's whole list
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {clean_text(key): _clean(each, depth + 1) for key, each in value.items()}
    return value


def clean_text(text: str) -> str:
    """Join surrogate pairs and replace lone surrogates, which UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class JsonShape:
    """JSON: compact in a request, formatted as by the platform in a reply."""

    def dump(self, value: msgspec.Struct, *, is_reply: bool) -> tuple[str, Body]:
        """Return the content type and the body."""
        compact = write_json(value)
        return ("text/plain", platform_json(compact)) if is_reply else ("application/json;charset=UTF-8", compact)

    def load(self, body: bytes, kind: type[T], content_type: str) -> T:
        """Decode a body of any content type: one widespread client misspells the header."""
        del content_type
        return read_json(body, kind)


class CompactJsonShape(JsonShape):
    """JSON on one line, also in a reply."""

    def dump(self, value: msgspec.Struct, *, is_reply: bool) -> tuple[str, Body]:
        """Return the content type and the body."""
        content_type, _ = super().dump(value, is_reply=is_reply)
        return content_type, write_json(value)


# -- assignments that a browser would evaluate -----------------------------------------------------------------------

# Names are bounded, so that a hostile answer costs no more than its length.
_ASSIGNMENT = re.compile(
    r"""window\.(?P<name>[\w.]{1,64})\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<number>-?\d+)|\{(?P<object>[^{}]*)\})"""
)
_MEMBER = re.compile(r"""(?<!\w)["']?(?P<name>\w{1,64})["']?\s*:\s*["']?(?P<value>-?\w*)["']?""")


def read_script(body: bytes) -> dict[str, str]:
    """
    Parse `window.a.b = "…";` and `window.a={b:"…"}` by a grammar; anything else in the body is skipped.

    Members of an object appear as `a.b`. The first of two equal names counts. Only the beginning of a very long body is
    parsed.
    """
    values: dict[str, str] = {}
    for found in _ASSIGNMENT.finditer(body[:MAX_SCRIPT].decode("utf-8", "replace")):
        name = found["name"]
        if found["object"] is not None:
            for member in _MEMBER.finditer(found["object"]):
                values.setdefault(f"{name}.{member['name']}", member["value"])
        else:
            values.setdefault(
                name, next(part for part in found.group("double", "single", "number") if part is not None)
            )
    return values


def tag_text(text: str, tag: str) -> str | None:
    """
    Return the content of the first `<tag>…</tag>`, without CDATA marks; None if the tag does not occur.

    It is for XML that a parser refuses. It is not a regular expression, because a hostile text would make that try
    every `<tag>` up to the end.
    """
    _, opened, rest = text.partition(f"<{tag}>")
    inner, closed, _ = rest.partition(f"</{tag}>")
    return inner.removeprefix("<![CDATA[").removesuffix("]]>") if opened and closed else None


NO_NUMBER = -(2**31)
"""A number that no server sends, used as the default where a missing number must be noticed."""


def number(text: str | None, default: int) -> int:
    """Return a decimal number, or the default if the text is not a number."""
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,18}", text) else default


# -- forms -----------------------------------------------------------------------------------------------------------


_REMEMBERED = 512
"""Maximum length in characters of a value whose encoding is cached."""


def percent_encode(value: str, *, safe: str = "") -> str:
    """Percent-encode everything except letters, digits, `-._~` and `safe`: `sid` and tickets contain `+` and `/`."""
    return _percent_encoded(value, safe) if len(value) <= _REMEMBERED else quote(clean_text(value), safe=safe)


@lru_cache(maxsize=1024)
def _percent_encoded(value: str, safe: str) -> str:
    return quote(clean_text(value), safe=safe)


def keep_encoded(query: str) -> str:
    """Percent-encode only characters that no address may contain, so that a server's query is returned unchanged."""
    return quote(clean_text(query), safe="!$&'()*+,;=:@/?%")


def percent_decode(value: str) -> str:
    """Decode `%xx` only. A `+` stays a plus, because the page sends `sid` and `skey` unencoded."""
    return unquote(value, errors="replace")


def write_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode pairs as `a=1&b=2`."""
    return "&".join(f"{name}={percent_encode(value)}" for name, value in pairs)


def read_pairs(text: str) -> dict[str, str]:
    """Decode `a=1&b=2`; the first of two equal names counts, and names are in lower case because clients differ."""
    pairs: dict[str, str] = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if name:
            pairs.setdefault(percent_decode(name).lower(), percent_decode(value))
    return pairs


def as_text(value: object) -> str:
    """Return a field's value as text for a query, a form or a multipart field."""
    return str(int(value)) if isinstance(value, int) else clean_text(str(value))


def from_pairs(pairs: Mapping[str, str], kind: type[T]) -> T:
    """
    Build a struct from names and texts.

    Raises:
        ProtocolError: A required field is missing.
    """
    values = {
        field.encode_name: pairs[field.encode_name.lower()]
        for field in msgspec.structs.fields(kind)  # type: ignore[arg-type]  # kind is a Struct class wherever this is called
        if field.encode_name.lower() in pairs
    }
    return coerce(values, kind)


@cache
def _names(kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """Return the names of a struct's fields with their names on the wire; cached, because the lookup is slow."""
    return [(field.name, field.encode_name) for field in msgspec.structs.fields(kind)]


def _sent(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Return the fields that are set, by their names on the wire."""
    for name, wire_name in _names(type(value)):
        content = getattr(value, name)
        if content is not msgspec.UNSET:
            yield wire_name, content


class FormShape:
    """A form: `application/x-www-form-urlencoded`."""

    def dump(self, value: msgspec.Struct, *, is_reply: bool) -> tuple[str, Body]:
        """Return the content type and the body."""
        del is_reply
        pairs = [(name, as_text(content)) for name, content in _sent(value)]
        return "application/x-www-form-urlencoded", write_pairs(pairs).encode()

    def load(self, body: bytes, kind: type[T], content_type: str) -> T:
        """Decode a form; an empty one returns the defaults, because clients log out without a body."""
        del content_type
        return from_pairs(read_pairs(body.decode("utf-8", "replace")), kind)


# -- multipart -------------------------------------------------------------------------------------------------------

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)
_PART_NAME = re.compile(rb'[;\s]name="?([^";\r\n]*)"?', re.IGNORECASE)
_FILE_NAME = re.compile(rb'filename="([^"\r\n]*)"', re.IGNORECASE)
_PART_TYPE = re.compile(rb"content-type: *([^\r\n]*)", re.IGNORECASE)


class FilePart(msgspec.Struct, frozen=True, kw_only=True):
    """The file in a multipart body."""

    name: str
    """File name in the header of its part: percent-encoded, so that no server receives `filename*=`."""
    content_type: str = "application/octet-stream"
    content: Buffer
    boundary: str
    """Separator of the parts: long and random, so that no file contains it."""

    def __repr__(self) -> str:
        return f"FilePart({len(self.content)} bytes)"


class MultipartShape:
    """
    `multipart/form-data`, encoded here because the server depends on order and quoting.

    The struct's `FilePart` field is the file and comes last, whatever its position in the struct; every client does so.
    The text fields keep their order; an empty one is omitted.
    """

    def dump(self, value: msgspec.Struct, *, is_reply: bool) -> tuple[str, Body]:
        """Return the content type and the body as buffers, without copying the file's bytes."""
        del is_reply
        fields = dict(_sent(value))
        file_name, file = next((name, content) for name, content in fields.items() if isinstance(content, FilePart))
        start = f"--{file.boundary}\r\nContent-Disposition: form-data; name="
        head = "".join(
            f'{start}"{name}"\r\n\r\n{as_text(content)}\r\n'
            for name, content in fields.items()
            if content is not file and content != ""
        )
        head += (
            f'{start}"{file_name}"; filename="{percent_encode(file.name)}"\r\nContent-Type: {file.content_type}\r\n\r\n'
        )
        end = f"\r\n--{file.boundary}--\r\n"
        return f"multipart/form-data; boundary={file.boundary}", (head.encode(), file.content, end.encode())

    def load(self, body: bytes, kind: type[T], content_type: str) -> T:
        """Decode the parts in any order."""
        found = _BOUNDARY.search(content_type)
        if not found:
            raise ProtocolError("the content type of the upload has no boundary")
        values: dict[str, Any] = {}
        for part in (b"\r\n" + body).split(b"\r\n--" + found[1].encode())[1:]:
            head, blank, content = part.partition(b"\r\n\r\n")
            name = _PART_NAME.search(head)
            if not blank or not name:
                continue
            file = _FILE_NAME.search(head)
            key = name[1].decode("utf-8", "replace")
            if file is None:
                values[key] = content.decode("utf-8", "replace")
            else:
                media_type = _PART_TYPE.search(head)
                values[key] = FilePart(
                    name=percent_decode(file[1].decode("utf-8", "replace")),
                    content_type=media_type[1].decode("utf-8", "replace") if media_type else "",
                    content=content,
                    boundary=found[1],
                )
        known = {}
        for field in msgspec.structs.fields(kind):  # type: ignore[arg-type]  # kind is a Struct class
            if field.encode_name in values:
                part_value = values[field.encode_name]
                if isinstance(part_value, FilePart) != (field.type is FilePart):
                    raise ProtocolError(f"{field.encode_name} is a file instead of a text, or the reverse")
                known[field.name] = part_value if field.type is FilePart else coerce(part_value, field.type)
            elif field.required:
                raise ProtocolError(f"{field.encode_name} is missing")
        return kind(**known)


# -- bytes and nothing -----------------------------------------------------------------------------------------------


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes with their content type."""

    content_type: str = ""
    content: bytes = b""

    def __repr__(self) -> str:
        return f"Media({self.content_type}, {len(self.content)} bytes)"


class MediaShape:
    """Bytes. A failure also has status 200, with JSON, HTML or nothing, so the flow checks them."""

    def dump(self, value: Media, *, is_reply: bool) -> tuple[str, Body]:
        """Return the content type and the body."""
        del is_reply
        return value.content_type, value.content

    def load(self, body: bytes, kind: type[Media], content_type: str) -> Media:
        """Return the bytes unchanged."""
        return kind(content_type=content_type, content=body)


JSON = JsonShape()
COMPACT_JSON = CompactJsonShape()
FORM = FormShape()
MULTIPART = MultipartShape()
MEDIA = MediaShape()
