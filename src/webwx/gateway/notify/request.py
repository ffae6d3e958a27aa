"""Requests and answers as plain values, independent of any web framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from webwx.gateway.notify.refusal import Refusal, RefusalReason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webwx.gateway.notify.notification import AttachedFile

MAX_BODY = 1024 * 1024
"""Maximum number of bytes of a body without files."""
MAX_BODY_WITH_FILES = 20 * 1024 * 1024
"""Maximum number of bytes of a body with files."""
MAX_FIELDS = 1000
"""Maximum number of fields of a form or a query."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class HookRoute(NamedTuple):
    """A path that a receiver answers."""

    pattern: str
    """Path with `{names}` for segments, such as `/send/{token}`."""
    methods: tuple[str, ...] = ("POST",)
    action: str = "send"
    """Name of the receiver's action for the request."""
    max_bytes: int = MAX_BODY
    """Maximum number of bytes of the body."""
    is_public: bool = False
    """Whether the request needs no token, such as a ping."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HookRequest:
    """One request to a receiver. Its repr shows no fields, because they contain tokens and texts."""

    route: HookRoute
    """The route that matched."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Values of the named segments of the route, without percent-encoding."""
    token: str = ""
    """Token by which the receiver was found; empty before that."""
    method: str = "POST"
    query: tuple[tuple[str, str], ...] = ()
    """Decoded pairs of the query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers by lower-case name."""
    body: bytes = b""
    """Raw body; empty for multipart."""
    fields: tuple[tuple[str, str], ...] = ()
    """Fields of a multipart body."""
    files: tuple[tuple[str, AttachedFile], ...] = ()
    """Field name and file of each file in a multipart body."""

    @property
    def media_type(self) -> str:
        """Content type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_multipart(self) -> bool:
        """Whether the body is a form with files."""
        return self.media_type == "multipart/form-data"

    def header(self, *names: str) -> str:
        """Return the first of these headers that the request has; empty if the request has none of them."""
        return next((self.headers[name] for name in names if self.headers.get(name)), "")

    def query_value(self, *names: str) -> str:
        """Return the first of these query parameters that the request has; empty if the request has none of them."""
        return _first(dict(self.query), names)

    def text(self) -> str:
        """Return the body as text."""
        return decode_text(self.body)

    def json(self) -> object:
        """Return the body, decoded from JSON."""
        return decode_json(self.body)

    def json_object(self) -> dict[str, object]:
        """Return the body, which must be a JSON object."""
        return as_object(self.json())

    def form(self) -> dict[str, str]:
        """Return the fields of the body as a form, urlencoded or multipart."""
        return dict(self.fields) if self.is_multipart else decode_form(self.body)


def _first(values: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((values[name] for name in names if values.get(name)), "")


def decode_header(raw: bytes) -> str:
    """Decode the value of a header: UTF-8, as many clients send it, or Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decode_text(body: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal(RefusalReason.INVALID_BODY, "The body is not valid UTF-8.") from None


def decode_json(body: bytes | str) -> object:
    """Decode JSON."""
    try:
        return _decode(body.removeprefix(b"\xef\xbb\xbf") if isinstance(body, bytes) else body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal(RefusalReason.INVALID_BODY, "The body is not valid JSON.") from None


def decode_form(body: bytes) -> dict[str, str]:
    """Decode an urlencoded form; of a repeated field, return the last value."""
    try:
        pairs = parse_qsl(decode_text(body), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Refusal(RefusalReason.INVALID_BODY, "The form cannot be decoded.") from None
    return dict(pairs)


def as_object(value: object) -> dict[str, object]:
    """Return a decoded JSON value, which must be an object."""
    if not isinstance(value, dict):
        raise Refusal(RefusalReason.INVALID_BODY, "The body is not a JSON object.")
    return value


def objects(value: object) -> list[dict[str, object]]:
    """Return the objects of a decoded JSON list; empty for anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def items(value: object) -> list[object]:
    """Return a decoded JSON list; empty for anything else."""
    return list(value) if isinstance(value, list) else []


def inner(value: Mapping[str, object], name: str) -> dict[str, object]:
    """Return an object inside a decoded JSON object; empty for anything else."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def string(value: Mapping[str, object], *names: str) -> str:
    """Return the first of these fields that is not empty, as text; empty if all are."""
    return next((shown for name in names if (shown := as_string(value.get(name)))), "")


def as_string(value: object) -> str:
    """Return a decoded JSON value as text; null is empty, an object or list is JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | dict() | list():
            return _encode(value).decode()
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HookAnswer:
    """An answer to send."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> HookAnswer:
    """Build an answer in JSON."""
    return HookAnswer(
        status=status, headers={"content-type": "application/json", **(headers or {})}, body=_encode(value)
    )


def text_answer(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> HookAnswer:
    """Build an answer in plain text."""
    return HookAnswer(
        status=status, headers={"content-type": "text/plain; charset=utf-8", **(headers or {})}, body=text.encode()
    )


def retry_headers(refusal: Refusal) -> dict[str, str]:
    """Return the header `Retry-After`, if the refusal has a time."""
    return {"retry-after": str(refusal.retry_after)} if refusal.retry_after else {}
