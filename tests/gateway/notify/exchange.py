"""One exchange with the receivers, as the HTTP layer makes it: from a raw request to the vendor's answer."""

from __future__ import annotations

import email.parser
import email.policy
import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from webwx.gateway.notify.message import OutgoingMessage, compose
from webwx.gateway.notify.notification import AttachedFile, Notification
from webwx.gateway.notify.receiver import FileUpload, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.registry import RECEIVERS, candidates, read
from webwx.gateway.notify.request import HookAnswer, HookRequest

TOKEN = "Tk5mQ2vX8rB1nZ7cW3yL0pA9sD4fG6hJ"
"""Token of the only receiver."""
NOW = 1_795_826_421.0
"""2026-11-28 00:40:21 UTC"""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The outcome of a request."""

    answer: HookAnswer
    notification: Notification | None = None
    upload: FileUpload | None = None
    refusal: Refusal | None = None

    @property
    def message(self) -> OutgoingMessage:
        """The message to send."""
        assert self.notification is not None
        return compose(self.notification)

    @property
    def text(self) -> str:
        """Text of the message to send."""
        return self.message.text

    @property
    def json(self) -> Any:
        """Decoded body of the answer."""
        return json.loads(self.answer.body)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A raw request."""

    kind: str
    target: str
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    token: str = TOKEN
    """Token of the stored receiver."""
    options: ReceiverOptions = ReceiverOptions()  # noqa: RUF009 - a frozen value


def post(kind: str, target: str, body: object = b"", *, headers: dict[str, str] | None = None, **more: Any) -> Exchange:
    """Send a request; a body that is neither bytes nor text is sent as JSON."""
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
        sent.setdefault("content-type", "application/json")
    return exchange(Call(kind=kind, target=target, headers=sent, body=body, **more))


def exchange(call: Call) -> Exchange:
    """Find the route and the token, read the request, and build the answer."""
    parts = urlsplit(call.target)
    found = candidates(call.method, unquote(parts.path), [call.kind])
    assert found, f"{call.kind} has no route {call.method} {parts.path}"
    receiver, route, values = found[0]
    is_multipart = call.headers.get("content-type", "").startswith("multipart/form-data")
    fields, files = _multipart(call.headers["content-type"], call.body) if is_multipart else ((), ())
    request = HookRequest(
        route=route,
        values=values,
        method=call.method,
        query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
        headers=call.headers,
        body=b"" if is_multipart else call.body,
        fields=fields,
        files=files,
    )
    try:
        tokens = receiver.tokens(request)
        if tokens and call.token not in tokens:
            raise Refusal(RefusalReason.UNKNOWN_TOKEN)
        request = replace(request, token=call.token)
        reading = read(receiver, request, call.options, NOW)
    except Refusal as refusal:
        return Exchange(answer=receiver.refused(request, refusal, NOW), refusal=refusal)
    match reading:
        case Notification():
            return Exchange(answer=receiver.accepted(request, StoredMessage(7, NOW)), notification=reading)
        case FileUpload():
            return Exchange(answer=reading.answer("file-1", NOW), upload=reading)
        case HookAnswer():
            return Exchange(answer=reading)


def refused(kind: str, target: str, reason: RefusalReason, *, retry_after: int = 0, **call: Any) -> HookAnswer:
    """Return the answer to a request that is refused outside the receiver, such as by a rate limit."""
    method = call.get("method", "POST")
    _, route, values = candidates(method, urlsplit(target).path, [kind])[0]
    request = HookRequest(route=route, values=values, method=method, headers=call.get("headers", {}))
    return RECEIVERS[kind].refused(request, Refusal(reason, retry_after=retry_after), NOW)


def _multipart(
    content_type: str, body: bytes
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, AttachedFile], ...]]:
    head = f"content-type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields, files = [], []
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        filename = part.get_filename()
        if filename is None:
            fields.append((name, content.decode()))
        else:
            files.append((name, AttachedFile(name=filename, content=content, media_type=part.get_content_type())))
    return tuple(fields), tuple(files)


MULTIPART = {"content-type": "multipart/form-data; boundary=b"}
"""Headers of a body of `multipart`."""


def multipart(fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> bytes:
    """Return a multipart body with the boundary `b`."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    body = "".join(parts).encode()
    for name, (filename, content) in files.items():
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + b"--b--\r\n"
