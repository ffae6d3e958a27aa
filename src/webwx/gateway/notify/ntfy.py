"""
ntfy: the body of `POST /<topic>` is the text, and headers or the query contain the other fields.

The topic is the token of the receiver, or any name if the token is in the Authorization header. Subscribing is not
supported.
"""

from __future__ import annotations

import base64
import binascii
import email.errors
import email.header
from typing import TYPE_CHECKING

from webwx.gateway.notify.credentials import authorization_tokens
from webwx.gateway.notify.emoji import EMOJI
from webwx.gateway.notify.notification import AttachedFile, Notification, Severity
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import (
    MAX_BODY,
    HookAnswer,
    HookRequest,
    HookRoute,
    as_string,
    decode_json,
    json_answer,
    objects,
    retry_headers,
    string,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_UPLOAD = 100 * 1024 * 1024
"""Maximum number of bytes of a file in a PUT."""
LONGEST_MESSAGE = 4096
"""Maximum number of bytes of a body beside the header `Message`; a longer one is a file, as in ntfy."""
LONGEST_ANSWER = 4096
"""Maximum number of characters of a text that an answer repeats."""
KEPT_SECONDS = 12 * 3600
"""Seconds until the time `expires` in an answer."""
EMPTY_MESSAGE = "triggered"
"""Text of a message without a text, as in ntfy."""

_MESSAGES_A_DAY = 10 * 60 * 24
"""Number of messages that an account has left, in the answer to a client that shows it."""

_PUBLISH = ("POST", "PUT")
_PRIORITIES = {"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}
_SEVERITIES = {4: Severity.WARNING, 5: Severity.CRITICAL}
_ALIASES = {
    "title": ("x-title", "title", "ti", "t"),
    "message": ("x-message", "message", "m"),
    "priority": ("x-priority", "priority", "prio", "p"),
    "tags": ("x-tags", "tags", "tag", "ta"),
    "click": ("x-click", "click"),
    "attach": ("x-attach", "attach", "a"),
    "filename": ("x-filename", "filename", "file", "f"),
    "delay": ("x-delay", "delay", "x-at", "at", "x-in", "in"),
    "actions": ("x-actions", "actions", "action"),
    "markdown": ("x-markdown", "markdown", "md"),
}
_ERRORS = {
    RefusalReason.UNKNOWN_TOKEN: (401, 40101, "unauthorized"),
    RefusalReason.BAD_SIGNATURE: (401, 40101, "unauthorized"),
    RefusalReason.FORBIDDEN: (403, 40301, "forbidden"),
    RefusalReason.TOO_LARGE: (413, 41301, "attachment too large, or bandwidth limit reached"),
    RefusalReason.RATE_LIMITED: (429, 42901, "limit reached: too many requests"),
    RefusalReason.OFFLINE: (503, 50301, "the account is logged out"),
    RefusalReason.UNSUPPORTED: (400, 40004, ""),
    RefusalReason.INVALID_BODY: (400, 40024, ""),
}
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TRUE = {"1", "yes", "true"}


class Ntfy:
    """Receiver of ntfy's publish requests."""

    kind = "ntfy"
    hosts = frozenset({"ntfy.sh"})
    routes = (
        HookRoute("/", _PUBLISH, action="json"),
        HookRoute("/{topic}", _PUBLISH, max_bytes=MAX_UPLOAD),
        HookRoute("/hooks/ntfy/{topic}", _PUBLISH, max_bytes=MAX_UPLOAD),
        *(
            HookRoute(f"{prefix}/{{topic}}/{verb}", ("GET", *_PUBLISH), max_bytes=MAX_UPLOAD)
            for prefix in ("", "/hooks/ntfy")
            for verb in ("publish", "send", "trigger")
        ),
        *(
            HookRoute(f"/{{topic}}/{verb}", ("GET",), action="subscribe")
            for verb in ("auth", "json", "sse", "raw", "ws")
        ),
        HookRoute("/{topic}/{sequence}/clear", ("PUT",), action="subscribe"),
        HookRoute("/v1/health", ("GET",), action="health", is_public=True),
        HookRoute("/v1/account", ("GET",), action="account"),
        HookRoute("/v1/account", ("GET",), action="account", is_public=True),
        HookRoute("/v1/account/token", action="token"),
        HookRoute("/v1/{page}", ("GET",), action="page", is_public=True),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the Authorization header or of `auth`, and the topic."""
        if request.route.is_public:
            return ()
        if request.route.action in {"account", "token"}:
            return authorization_tokens(request.header("authorization"))
        tokens = [*authorization_tokens(request.header("authorization")), *authorization_tokens(_auth(request))]
        return tuple(dict.fromkeys(filter(None, (*tokens, _topic(request)))))

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message or a file."""
        del options, now
        match request.route.action:
            case "health":
                return json_answer({"healthy": True})
            case "account":
                return json_answer(_account(request))
            case "token":
                return json_answer({"token": request.token, "label": "webwx", "expires": 0})
            case "page":
                return json_answer(_error(404, 40401, "page not found"), 404)
            case "subscribe":
                raise Refusal(RefusalReason.FORBIDDEN)
        fields, content = _published(request)
        if fields["delay"]:
            raise Refusal(RefusalReason.UNSUPPORTED, "Delayed messages are not supported.")
        text, files = _text_and_files(fields["message"], content, fields["filename"])
        if fields["markdown"].lower() in _TRUE or request.media_type == "text/markdown":
            rendered = markdown_text(text)
            text, files = rendered.text, (*files, *rendered.pictures)
        attach = fields["attach"]
        signs, tags = _tags(fields["tags"])
        title = fields["title"]
        if not (text or title or files or attach):
            text = EMPTY_MESSAGE
        title, text = (f"{signs}{title}", text) if title else ("", f"{signs}{text}")
        return Notification(
            title=title,
            text="\n".join(filter(None, (text, tags and f"Tags: {tags}", *_links(fields["actions"])))),
            link=fields["click"],
            severity=_SEVERITIES.get(_priority(fields["priority"]), Severity.NONE),
            files=files,
            file_urls=(attach,) if attach else (),
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer with the message as ntfy publishes it."""
        fields, content = _published(request)
        text, files = _text_and_files(fields["message"], content, fields["filename"])
        answer: dict[str, object] = {
            "id": _identifier(stored.number),
            "time": int(stored.at),
            "expires": int(stored.at) + KEPT_SECONDS,
            "event": "message",
            "topic": _topic(request),
            "message": text[:LONGEST_ANSWER] or (f"You received a file: {files[0].name}" if files else EMPTY_MESSAGE),
        }
        if fields["title"]:
            answer["title"] = fields["title"]
        if fields["priority"]:
            answer["priority"] = _priority(fields["priority"])
        if fields["tags"]:
            answer["tags"] = _split(fields["tags"])
        return json_answer(answer)

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer with ntfy's code, the status and a sentence."""
        del request, now
        status, code, message = _ERRORS.get(refusal.reason, (400, 40000, ""))
        return json_answer(_error(status, code, message or refusal.detail), status, retry_headers(refusal))


def _error(status: int, code: int, message: str) -> dict[str, object]:
    return {"code": code, "http": status, "error": message, "link": "https://ntfy.sh/docs/publish/"}


def _account(request: HookRequest) -> dict[str, object]:
    """
    Return the account that a client of ntfy asks for before its first message.

    Raises:
        Refusal: The request has an unknown token.
    """
    if request.token:
        name, role = _user(request.header("authorization")), "user"
    elif request.header("authorization"):
        raise Refusal(RefusalReason.UNKNOWN_TOKEN)
    else:
        name, role = "*", "anonymous"
    limits = {
        "messages": _MESSAGES_A_DAY, "messages_expiry_duration": KEPT_SECONDS, "emails": 0, "calls": 0,
        "reservations": 0, "attachment_total_size": MAX_UPLOAD, "attachment_file_size": MAX_UPLOAD,
        "attachment_expiry_duration": KEPT_SECONDS, "attachment_bandwidth": MAX_UPLOAD,
    }  # fmt: skip
    counted = ("messages", "emails", "calls", "reservations", "attachment_total_size")
    stats = dict.fromkeys(counted, 0) | {f"{name}_remaining": limits[name] for name in counted}
    return {"username": name, "role": role, "language": "en", "limits": {"basis": "ip", **limits}, "stats": stats}


def _user(authorization: str) -> str:
    """Return the user of `Basic`; a fixed name for a token."""
    scheme, _, rest = authorization.strip().partition(" ")
    try:
        user = base64.b64decode(rest, validate=True).decode().partition(":")[0] if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        user = ""
    return user or "webwx"


def _auth(request: HookRequest) -> str:
    value = request.query_value("auth", "authorization")
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _topic(request: HookRequest) -> str:
    return request.values.get("topic") or string(request.json_object(), "topic")


def _published(request: HookRequest) -> tuple[dict[str, str], bytes]:
    """Return the fields of a message, and the body, which is a text or a file. JSON takes precedence over headers."""
    query = {name.lower(): value for name, value in request.query}
    fields = {name: _decoded_words(_alias(request.headers, query, names)) for name, names in _ALIASES.items()}
    fields["message"] = fields["message"].replace("\\n", "\n")
    if request.route.action == "json":
        published = {name: _flat(value) for name, value in request.json_object().items()}
        return {**fields, **{name: value for name, value in published.items() if value}}, b""
    return fields, b"" if request.method == "GET" else request.body


def _flat(value: object) -> str:
    is_list_of_texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return ",".join(value) if isinstance(value, list) and is_list_of_texts else as_string(value)


def _alias(headers: Mapping[str, str], query: Mapping[str, str], names: tuple[str, ...]) -> str:
    found = [headers.get(name, "") for name in names] + [query.get(name, "") for name in names]
    # RFC 9218 uses the same header for another purpose, and browsers and proxies send it.
    is_other = names[1] == "priority"
    return next((value for value in found if value and not (is_other and value.startswith("u="))), "")


def _decoded_words(value: str) -> str:
    """Decode the encoded words of RFC 2047, with which some clients send a header."""
    if "=?" not in value:
        return value
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (email.errors.HeaderParseError, LookupError, ValueError):
        return value


def _text_and_files(message: str, content: bytes, filename: str) -> tuple[str, tuple[AttachedFile, ...]]:
    if not content:
        return message, ()
    text = _text_of(content)
    if text is not None and not filename and (not message or len(content) <= LONGEST_MESSAGE):
        return message or text, ()
    name = filename.replace("\\", "/").rpartition("/")[2] or ("attachment.bin" if text is None else "attachment.txt")
    return message, (AttachedFile(name=name, content=content),)


def _text_of(content: bytes) -> str | None:
    """Return a body as a text; None if it is another kind of file, or too large for a text."""
    if len(content) > MAX_BODY:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _priority(value: str) -> int:
    value = value.strip().lower()
    if value.isdecimal() and len(value) == 1 and 1 <= int(value) <= 5:
        return int(value)
    return _PRIORITIES.get(value, 3)


def _split(tags: str) -> list[str]:
    return [tag.strip() for tag in tags.split(",") if tag.strip()]


def _tags(value: str) -> tuple[str, str]:
    """Return the emoji that tags stand for, and the names of the other tags."""
    tags = _split(value)
    signs = "".join(f"{EMOJI[tag]} " for tag in tags if tag in EMOJI)
    return signs, ", ".join(tag for tag in tags if tag not in EMOJI)


def _links(actions: str) -> list[str]:
    """Return the label and address of each action that opens one."""
    if actions.lstrip().startswith("["):
        return [
            f"{string(each, 'label')} {string(each, 'url')}".strip()
            for each in objects(decode_json(actions))
            if string(each, "action") == "view"
        ]
    parts = [[part.strip() for part in action.split(",")] for action in actions.split(";")]
    return [f"{part[1]} {part[2]}" for part in parts if len(part) >= 3 and part[0] == "view"]


def _identifier(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits.rjust(12, "0")
