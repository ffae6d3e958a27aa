"""
One call of the web API, defined once for client and server.

An `Endpoint` has four methods: `encode_request` and `decode_reply` for the client, `decode_request` and `encode_reply`
for the sandbox. The request struct says where each of its fields is sent: in the query (`InQuery`), the path
(`InPath`), or, unmarked, in the body.
"""

from __future__ import annotations

import enum
import re
from functools import cache, cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_type_hints

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.codec import (
    JSON,
    JsonShape,
    Shape,
    as_text,
    coerce,
    keep_encoded,
    percent_encode,
    read_json,
    read_pairs,
)
from webwx.protocol.http import Body, Headers, Request, Response, TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.protocol.hosts import Host, Hosts

Q = TypeVar("Q", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")


class Where(enum.Enum):
    """Part of a request that contains a field outside the body."""

    QUERY = "query"
    RAW_QUERY = "raw query"
    """A query written by the server, sent unchanged before our own fields."""
    PATH = "path"
    HEADER = "header"


class In(msgspec.Struct, frozen=True):
    """Mark of a field that is not in the body; `name` if it differs from the field's name."""

    where: Where
    name: str = ""


class _AsRead(msgspec.Struct, frozen=True):
    """Mark of a field whose default is only for encoding: when decoding, it is required, or unset if missing."""

    is_required: bool


Stated = Annotated[T, _AsRead(is_required=True)]
"""A field that every valid reply contains."""

IfStated = Annotated[T | msgspec.UnsetType, _AsRead(is_required=False)]
"""A field of a reply that is unset if the answer does not contain it, or has null."""

InQuery = Annotated[T, In(Where.QUERY)]
InRawQuery = Annotated[T, In(Where.RAW_QUERY)]
InPath = Annotated[T, In(Where.PATH)]


def _same_default(field: msgspec.structs.FieldInfo) -> Any:
    """Return the field's definition with its name and default."""
    if field.default is not msgspec.NODEFAULT:
        return msgspec.field(name=field.encode_name, default=field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(name=field.encode_name, default_factory=field.default_factory)
    return msgspec.field(name=field.encode_name)


def _nothing(_: msgspec.Struct) -> None:
    return None


@cache
def _as_read(reply: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return the struct for decoding an answer, without the defaults of the fields that are `Stated`."""
    hints = get_type_hints(reply, include_extras=True)
    marked: list[tuple[str, Any, Any]] = [
        (
            field.name,
            field.type,
            msgspec.field(name=field.encode_name, default=msgspec.NODEFAULT if mark.is_required else msgspec.UNSET),
        )
        for field in msgspec.structs.fields(reply)
        for mark in getattr(hints[field.name], "__metadata__", ())
        if isinstance(mark, _AsRead)
    ]
    if not marked:
        return reply
    return msgspec.defstruct(f"{reply.__name__}AsRead", marked, bases=(reply,), frozen=True, kw_only=True)


class RequestFields:
    """
    Where the fields of a request are sent.

    Args:
        request: Struct of the request; its fields outside the body are marked.
    """

    def __init__(self, request: type[msgspec.Struct]) -> None:
        hints = get_type_hints(request, include_extras=True)
        self.outside: dict[str, tuple[Where, str, Any]] = {}
        """Fields outside the body: part of the request, name and type."""
        inside: list[msgspec.structs.FieldInfo] = []
        for field in msgspec.structs.fields(request):
            mark = next((m for m in getattr(hints[field.name], "__metadata__", ()) if isinstance(m, In)), None)
            if mark is None:
                inside.append(field)
            else:
                self.outside[field.name] = (mark.where, mark.name or field.name, field.type)
        self.inside = tuple(field.name for field in inside)
        """Fields of the body, in the order in which they are written."""
        self.query = self._fields_of(Where.QUERY)
        self.made_by_server = self._fields_of(Where.RAW_QUERY)
        self.in_path = self._fields_of(Where.PATH)
        self.headers = self._fields_of(Where.HEADER)
        self.values_outside: Callable[[msgspec.Struct], Any] = attrgetter(*self.outside) if self.outside else _nothing
        """Return the values of a request's fields outside the body."""
        self.left_out = dict.fromkeys(self.outside, msgspec.UNSET)
        """Replacements that remove from the body the fields that are sent elsewhere."""
        self.body_type = request
        """Struct of the fields of the body."""
        if self.outside:
            self.body_type = msgspec.defstruct(
                f"{request.__name__}Body",
                [(field.name, field.type, _same_default(field)) for field in inside],
                frozen=True,
                kw_only=True,
            )

    def _fields_of(self, place: Where) -> tuple[tuple[str, str], ...]:
        return tuple((name, wire_name) for name, (where, wire_name, _) in self.outside.items() if where is place)


class Endpoint(Generic[Q, R]):
    """
    One call: its address, the fields of its request, and the fields of its reply.

    What it derives from the structs is made at first use, because an import makes all endpoints.

    Args:
        name: The last part of its path; what errors, logs and docs/wire.md call it.
        method: How the client calls it.
        host: Which host of the family answers it.
        path: Path of the call; `{field}` for a field marked `InPath`.
        request: Struct of the request.
        reply: Struct of the reply. An answer that lacks a field which is `Stated` there is unreadable.
        purpose: One line for docs/wire.md.
        body: Shape of the request's body.
        reply_shape: Shape of the reply's body.
        repeatable: May be sent again when the outcome is unknown. A send, a recall or an upload's last chunk may not.
        time_limit: How long the answer may take.
        also: Further methods a server accepts.
        limited: The platform refuses it (ret 1205) when the account makes such calls too often.
        on_filehelper: File Transfer Helper has it as well.
    """

    def __init__(
        self,
        *,
        name: str,
        method: str,
        host: Host,
        path: str,
        request: type[Q],
        reply: type[R],
        purpose: str,
        body: Shape = JSON,
        reply_shape: Shape = JSON,
        repeatable: bool = True,
        time_limit: TimeLimit = TimeLimit.CALL,
        also: tuple[str, ...] = (),
        limited: bool = False,
        on_filehelper: bool = True,
    ) -> None:
        self.name = name
        self.method = method
        self.host = host
        self.path = path
        self.request = request
        self.reply = reply
        self.purpose = purpose
        self.body = body
        self.reply_shape = reply_shape
        self._answers_json = isinstance(reply_shape, JsonShape)
        self.repeatable = repeatable
        self.time_limit = time_limit
        self.methods = (method, *also)
        self.limited = limited
        self.on_filehelper = on_filehelper
        blank = Request(endpoint=name, method=method, url="", time_limit=time_limit)
        self._addressed: tuple[tuple[Any, ...], Request] = (), blank
        """
        Fields outside the body of the last request, and that request: most calls of a login differ only in the body.
        """

    def __repr__(self) -> str:
        return f"Endpoint({self.name})"

    @cached_property
    def fields(self) -> RequestFields:
        """Where the fields of a request are sent."""
        return RequestFields(self.request)

    @cached_property
    def _reply_as_read(self) -> type[R]:
        return _as_read(self.reply)  # type: ignore[return-value]  # it is derived from it

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)))

    def matches(self, method: str, path: str) -> bool:
        """Return whether a request matches this endpoint. Paths are case-sensitive."""
        return method in self.methods and self._pattern.fullmatch(path) is not None

    # -- the client's side -------------------------------------------------------------------------------------------

    def encode_request(self, value: Q, hosts: Hosts, headers: Headers = ()) -> Request:
        """Encode a request for one of the family's hosts; an empty query field is omitted."""
        fields = self.fields
        content_type: str | None = None
        body: Body = b""
        if fields.inside:
            inner = msgspec.structs.replace(value, **fields.left_out) if fields.left_out else value
            content_type, body = self.body.dump(inner, is_reply=False)
        asked = (hosts, headers, content_type, fields.values_outside(value))
        known, request = self._addressed  # both at once, for each thread may have an account of its own
        if asked != known:
            headers += self._headers_of(value)
            if content_type is not None:
                headers = (("Content-Type", content_type), *headers)
            url = self._url(value, hosts.origin(self.host))
            request = msgspec.structs.replace(request, url=url, headers=headers)
            self._addressed = asked, request
        return msgspec.structs.replace(request, body=body)

    def _url(self, value: Q, origin: str) -> str:
        path = self.path
        for name, wire_name in self.fields.in_path:
            # The uuid stands plain in the QR code; a phone may not decode its `=`.
            path = path.replace(f"{{{wire_name}}}", percent_encode(as_text(getattr(value, name)), safe="="))
        query = [keep_encoded(raw) for name, _ in self.fields.made_by_server if (raw := getattr(value, name))]
        query += [
            f"{wire_name}={percent_encode(text)}"
            for name, wire_name in self.fields.query
            if (text := as_text(getattr(value, name)))
        ]
        return f"{origin}{path}?{'&'.join(query)}" if query else f"{origin}{path}"

    def _headers_of(self, value: Q) -> Headers:
        return tuple(
            (wire_name, text) for name, wire_name in self.fields.headers if (text := as_text(getattr(value, name)))
        )

    def decode_reply(self, response: Response) -> R:
        """
        Decode an answer.

        Raises:
            ProtocolError: The body is not an answer to this call, or does not say whether the call succeeded.
        """
        try:
            if self._answers_json:  # it is read whatever its content type, and nearly all answers are JSON
                return read_json(response.body, self._reply_as_read)
            reply: R = self.reply_shape.load(response.body, self.reply, response.header("Content-Type"))
        except ProtocolError as error:
            raise ProtocolError(f"{self.name}: {error}") from None
        return reply

    # -- the server's side -------------------------------------------------------------------------------------------

    def decode_request(self, request: Request) -> Q:
        """
        Decode a request, tolerantly: unmodified clients omit fields and misspell headers.

        Raises:
            ProtocolError: A required field is missing.
        """
        query = read_pairs(request.query)
        path = self._pattern.fullmatch(request.path)
        values: dict[str, Any] = {}
        for name, (where, wire_name, kind) in self.fields.outside.items():
            text: str | None
            if where is Where.QUERY:
                text = query.get(wire_name.lower())
            elif where is Where.RAW_QUERY:
                text = self._raw_query(request.query)
            elif where is Where.HEADER:
                text = request.header(wire_name) or None
            else:
                text = path[wire_name] if path else None
            if text is not None:
                try:
                    values[name] = coerce(text, kind)
                except ProtocolError:
                    continue  # an odd number in a query: the default serves
        if self.fields.inside and (request.content or self.body is not JSON):
            inner = self.body.load(request.content, self.fields.body_type, request.header("Content-Type"))
            values |= {name: getattr(inner, name) for name in self.fields.inside}
        try:
            return self.request(**values)
        except TypeError:
            raise ProtocolError(f"{self.name}: a required field is missing") from None

    def _raw_query(self, query: str) -> str:
        """Return a query without our own fields."""
        own = {name.lower() for where, name, _ in self.fields.outside.values() if where is Where.QUERY}
        return "&".join(part for part in query.split("&") if part.partition("=")[0].lower() not in own)

    def encode_reply(self, value: R) -> Response:
        """Encode an answer as the platform does."""
        content_type, body = self.reply_shape.dump(value, is_reply=True)
        return Response(
            headers=(("Content-Type", content_type),), body=body if isinstance(body, bytes) else b"".join(body)
        )
